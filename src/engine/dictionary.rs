//! Turns the values of a key or category column into small codes, in order of first appearance.

use hashbrown::hash_table::{Entry, HashTable};
use std::hash::BuildHasher;

use super::Result;
use super::budget::Budget;
use super::table::{NULL_CODE, Value};

const WHAT: &str = "the dictionary of a category column";
/// A value's entry in the hash table and in the list, without the letters of a text.
const ENTRY_BYTES: u64 = 64;

/// Integers from 0 up to here find their code in a table by position.
const MOST_SMALL: usize = 1 << 20;

/// The distinct values of one column and the code of each.
#[derive(Debug, Clone, Default)]
pub struct Dictionary {
    hasher: hashbrown::DefaultHashBuilder,
    /// Codes of small integers by their value, [`NULL_CODE`] for those not seen.
    small: Vec<u32>,
    /// All other integers.
    integers: HashTable<(i64, u32)>,
    texts: HashTable<u32>,
    booleans: [Option<u32>; 2],
    values: Vec<Value>,
    /// Sources are often sorted by their keys: the last answer is tried first.
    last_integer: Option<(i64, u32)>,
    last_text: Option<u32>,
}

impl Dictionary {
    /// The code of an integer.
    ///
    /// # Errors
    /// `OutOfMemory` when a new value does not fit into `budget`.
    #[inline]
    pub fn integer(&mut self, key: i64, budget: &mut Budget) -> Result<u32> {
        match usize::try_from(key).ok().and_then(|key| self.small.get(key)) {
            Some(&code) if code != NULL_CODE => Ok(code),
            _ => self.other_integer(key, budget),
        }
    }

    fn other_integer(&mut self, key: i64, budget: &mut Budget) -> Result<u32> {
        match (usize::try_from(key), self.last_integer) {
            (Ok(small), _) if small < MOST_SMALL => return self.add_small(small, budget),
            (_, Some((last, code))) if last == key => return Ok(code),
            _ => {}
        }
        let hash = self.hasher.hash_one(key);
        let code = match self.integers.find(hash, |(known, _)| *known == key) {
            Some((_, code)) => *code,
            None => self.add_integer(key, hash, budget)?,
        };
        self.last_integer = Some((key, code));
        Ok(code)
    }

    #[cold]
    fn add_small(&mut self, key: usize, budget: &mut Budget) -> Result<u32> {
        if key >= self.small.len() {
            let entries = (key + 1).next_power_of_two();
            budget.take(WHAT, 4 * (entries - self.small.len()) as u64)?;
            self.small.resize(entries, NULL_CODE);
        }
        let code = self.add(Value::Int(key as i64), ENTRY_BYTES, budget)?;
        self.small[key] = code;
        Ok(code)
    }

    #[cold]
    fn add_integer(&mut self, key: i64, hash: u64, budget: &mut Budget) -> Result<u32> {
        let code = self.add(Value::Int(key), ENTRY_BYTES, budget)?;
        let hasher = &self.hasher;
        if let Entry::Vacant(slot) =
            self.integers.entry(hash, |(known, _)| *known == key, |(known, _)| hasher.hash_one(known))
        {
            slot.insert((key, code));
        }
        Ok(code)
    }

    /// The code of a text.
    ///
    /// # Errors
    /// `OutOfMemory` when a new value does not fit into `budget`.
    #[inline]
    pub fn text(&mut self, key: &str, budget: &mut Budget) -> Result<u32> {
        match self.last_text {
            Some(code) if text_of(&self.values, code) == key => return Ok(code),
            _ => {}
        }
        let hash = self.hasher.hash_one(key);
        let code = match self.texts.find(hash, |code| text_of(&self.values, *code) == key) {
            Some(code) => *code,
            None => self.add_text(key, hash, budget)?,
        };
        self.last_text = Some(code);
        Ok(code)
    }

    #[cold]
    fn add_text(&mut self, key: &str, hash: u64, budget: &mut Budget) -> Result<u32> {
        let bytes = ENTRY_BYTES + key.len() as u64;
        let mut owned = String::new();
        owned.try_reserve_exact(key.len()).map_err(|_| budget.exceeded(WHAT, bytes))?;
        owned.push_str(key);
        let code = self.add(Value::Text(owned), bytes, budget)?;
        let (hasher, values) = (&self.hasher, &self.values);
        self.texts.insert_unique(hash, code, |code| hasher.hash_one(text_of(values, *code)));
        Ok(code)
    }

    /// The code of a truth value.
    ///
    /// # Errors
    /// `OutOfMemory` when a new value does not fit into `budget`.
    #[inline]
    pub fn boolean(&mut self, key: bool, budget: &mut Budget) -> Result<u32> {
        match self.booleans[usize::from(key)] {
            Some(code) => Ok(code),
            None => {
                let code = self.add(Value::Bool(key), ENTRY_BYTES, budget)?;
                self.booleans[usize::from(key)] = Some(code);
                Ok(code)
            }
        }
    }

    fn add(&mut self, value: Value, bytes: u64, budget: &mut Budget) -> Result<u32> {
        budget.take(WHAT, bytes)?;
        let code = u32::try_from(self.values.len()).unwrap_or(NULL_CODE);
        if code == NULL_CODE {
            return Err(budget.exceeded(WHAT, u64::MAX));
        }
        self.values.push(value);
        Ok(code)
    }

    /// The distinct values; a code is an index into them.
    pub fn into_values(self) -> Vec<Value> {
        self.values
    }
}

#[inline]
fn text_of(values: &[Value], code: u32) -> &str {
    match &values[code as usize] {
        Value::Text(text) => text,
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Error;

    #[test]
    fn codes_follow_first_appearance() {
        let mut budget = Budget::new(1 << 20);
        let mut dictionary = Dictionary::default();
        let codes: Result<Vec<u32>> =
            [7, 7, -1, 7, 0].iter().map(|key| dictionary.integer(*key, &mut budget)).collect();
        assert_eq!(codes, Ok(vec![0, 0, 1, 0, 2]));
        assert_eq!(dictionary.into_values(), [Value::Int(7), Value::Int(-1), Value::Int(0)]);
    }

    #[test]
    fn integers_of_any_size_are_coded_as_they_come() {
        let mut budget = Budget::new(64 << 20);
        let mut dictionary = Dictionary::default();
        let keys = [i64::MAX, 3, MOST_SMALL as i64, i64::MIN, 3, i64::MAX, MOST_SMALL as i64 - 1, MOST_SMALL as i64];
        let codes: Result<Vec<u32>> = keys.iter().map(|key| dictionary.integer(*key, &mut budget)).collect();
        assert_eq!(codes, Ok(vec![0, 1, 2, 3, 1, 0, 4, 2]));
    }

    #[test]
    fn many_texts_keep_their_codes_while_the_table_grows() {
        let mut budget = Budget::new(64 << 20);
        let mut dictionary = Dictionary::default();
        for round in 0..2 {
            for key in 0..10_000_u32 {
                assert_eq!(dictionary.text(&format!("sku {key}"), &mut budget), Ok(key), "round {round}");
            }
        }
        assert_eq!(dictionary.into_values().len(), 10_000);
    }

    #[test]
    fn an_empty_text_is_a_value() {
        let mut budget = Budget::new(1 << 20);
        let mut dictionary = Dictionary::default();
        assert_eq!(dictionary.text("", &mut budget), Ok(0));
        assert_eq!(dictionary.text("a", &mut budget), Ok(1));
        assert_eq!(dictionary.text("", &mut budget), Ok(0));
    }

    #[test]
    fn truth_values_are_coded_as_they_come() {
        let mut budget = Budget::new(1 << 20);
        let mut dictionary = Dictionary::default();
        assert_eq!(dictionary.boolean(true, &mut budget), Ok(0));
        assert_eq!(dictionary.boolean(false, &mut budget), Ok(1));
        assert_eq!(dictionary.into_values(), [Value::Bool(true), Value::Bool(false)]);
    }

    #[test]
    fn a_dictionary_stops_at_its_budget() {
        let mut budget = Budget::new(1 << 20);
        let mut dictionary = Dictionary::default();
        let failed = (0..1_000_000).find_map(|key| dictionary.integer(key, &mut budget).err());
        assert_eq!(failed, Some(Error::OutOfMemory { what: WHAT, needed: 2, limit: 1 }));
    }
}
