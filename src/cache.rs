//! Decoded models of this backend, by their content so that an entry can't go stale, least recently used out first.

use std::collections::HashMap;
use std::hash::Hash;
use std::rc::Rc;

struct Slot<T> {
    value: Rc<T>,
    bytes: usize,
    used: u64,
}

/// A cache bounded by bytes; the limit is passed in on each insert, as a setting may change between calls.
pub struct Cache<K, T> {
    slots: HashMap<K, Slot<T>>,
    bytes: usize,
    clock: u64,
}

impl<K, T> Default for Cache<K, T> {
    fn default() -> Self {
        Cache { slots: HashMap::new(), bytes: 0, clock: 0 }
    }
}

impl<K: Copy + Eq + Hash, T> Cache<K, T> {
    /// The value of `key`, which becomes the most recently used.
    pub fn get(&mut self, key: &K) -> Option<Rc<T>> {
        self.clock += 1;
        let slot = self.slots.get_mut(key)?;
        slot.used = self.clock;
        Some(Rc::clone(&slot.value))
    }

    /// Keeps `value`, which takes `bytes`, and drops others until all take `limit` bytes at most. A value that is larger
    /// than the limit alone is not kept.
    pub fn insert(&mut self, key: K, value: Rc<T>, bytes: usize, limit: usize) {
        if let Some(old) = self.slots.remove(&key) {
            self.bytes -= old.bytes;
        }
        self.shrink(limit.saturating_sub(bytes));
        if bytes <= limit {
            self.clock += 1;
            self.bytes += bytes;
            self.slots.insert(key, Slot { value, bytes, used: self.clock });
        }
    }

    /// Drops least recently used values until the rest takes `limit` bytes at most.
    pub fn shrink(&mut self, limit: usize) {
        while self.bytes > limit {
            let oldest = self.slots.iter().min_by_key(|(_, slot)| slot.used).map(|(key, _)| *key);
            let Some(slot) = oldest.and_then(|key| self.slots.remove(&key)) else { return };
            self.bytes -= slot.bytes;
        }
    }

    /// Bytes of all values kept.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(cache: &mut Cache<u8, u8>, n: u8, bytes: usize) {
        cache.insert(n, Rc::new(n), bytes, 100);
    }

    #[test]
    fn drops_the_least_recently_used_first() {
        let mut cache = Cache::default();
        insert(&mut cache, 1, 40);
        insert(&mut cache, 2, 40);
        assert_eq!(cache.get(&1).as_deref(), Some(&1));
        insert(&mut cache, 3, 40);
        assert_eq!(cache.get(&2), None);
        assert_eq!(cache.get(&1).as_deref(), Some(&1));
        assert_eq!(cache.bytes(), 80);
    }

    #[test]
    fn does_not_keep_a_value_larger_than_the_limit() {
        let mut cache = Cache::default();
        insert(&mut cache, 1, 40);
        insert(&mut cache, 2, 101);
        assert_eq!(cache.get(&2), None);
    }

    #[test]
    fn counts_a_replaced_value_once() {
        let mut cache = Cache::default();
        insert(&mut cache, 1, 40);
        insert(&mut cache, 1, 50);
        assert_eq!(cache.bytes(), 50);
    }

    #[test]
    fn a_smaller_limit_takes_effect_on_shrink() {
        let mut cache = Cache::default();
        insert(&mut cache, 1, 40);
        insert(&mut cache, 2, 40);
        cache.shrink(50);
        assert_eq!((cache.get(&1), cache.bytes()), (None, 40));
        cache.shrink(0);
        assert_eq!(cache.bytes(), 0);
    }

    #[test]
    fn a_dropped_value_lives_on_with_its_user() {
        let mut cache = Cache::default();
        insert(&mut cache, 1, 100);
        let held = cache.get(&1).unwrap();
        insert(&mut cache, 2, 100);
        assert_eq!(*held, 1);
    }
}
