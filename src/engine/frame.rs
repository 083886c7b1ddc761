//! What rows are laid on: the calendar and the coding of covariates, learnt once; and how rows group into series.

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::calendar::{Calendar, Frequency};
use super::config::{Roles, ScalingMethod};
use super::error::{Error, Result};
use super::panel::EventInput;
use super::scaling::Scaler;
use super::table::{Categories, Column, NULL_TIME, Numbers, Table, Value};

/// Distinct values of a text covariate that get an input of their own; the rest have none set.
const MOST_CATEGORIES: usize = 32;
/// Distinct values of a planned number that are levels, each for itself, such as 0 and 1 or days of a week.
const MOST_LEVELS: usize = 10;
/// Numbers of possible keys up to which they find their series by position.
const MOST_NEAR: u128 = 1 << 22;
/// Series whose times are looked at to find the frequency.
const PROBED_SERIES: usize = 500;

/// Whether a covariate is known beyond the origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Known {
    Past,
    Ahead,
}

/// How a column that changes in time becomes numbers; learnt in training, kept with the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Encoder {
    pub column: String,
    pub known: Known,
    /// Values that get a 0/1 input each; `None` for a numeric column.
    pub categories: Option<Vec<Value>>,
    /// How a planned number of more than a few values counts.
    #[serde(default)]
    pub amount: Option<Amount>,
}

/// How far a planned number, such as a price, lies from what is usual for its series.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Amount {
    /// In logarithms, of numbers that are all above zero: from half of the least on, lower ones count as that.
    Ratio { least: f32 },
    /// In standard deviations of all.
    Difference { unit: f32 },
}

/// What rows are laid on: learnt in training, kept with the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    pub calendar: Calendar,
    pub encoders: Vec<Encoder>,
    /// Holidays and events, whose covariates follow those of the encoders.
    #[serde(default)]
    pub events: Vec<EventInput>,
}

impl Frame {
    /// Finds the calendar and the values of text covariates.
    ///
    /// # Errors
    /// [`Error::NoFrequency`], or what is wrong with the time column.
    pub fn learn(table: &Table, roles: &Roles, frequency: Option<Frequency>, zone: Option<&str>) -> Result<Frame> {
        let name = roles.time.as_deref().unwrap_or_default();
        let times = times(table, name)?;
        let calendar = match frequency {
            Some(frequency) => Calendar::with(frequency, times.iter().copied(), zone)?,
            None => {
                let (keys, owner) = group(table, &roles.series);
                let mut sets: Vec<Vec<i64>> = vec![Vec::new(); keys.len().min(PROBED_SERIES)];
                for (row, series) in owner.iter().enumerate() {
                    if let Some(set) = sets.get_mut(*series as usize) {
                        set.push(times[row]);
                    }
                }
                sets.iter_mut().for_each(|set| {
                    set.sort_unstable();
                    set.dedup();
                });
                Calendar::infer(&sets, name, zone)?
            }
        };
        let columns = roles.past.iter().map(|c| (c, Known::Past)).chain(roles.future.iter().map(|c| (c, Known::Ahead)));
        let encoder = |(column, known): (&String, Known)| {
            let categories = match table.column(column) {
                Some(Column::Categories(categories)) => Some(commonest(categories)),
                _ => None,
            };
            let amount = match table.column(column) {
                Some(Column::Numbers(numbers)) if known == Known::Ahead => amount(&numbers.values),
                _ => None,
            };
            Encoder { column: column.clone(), known, categories, amount }
        };
        Ok(Frame { calendar, encoders: columns.map(encoder).collect(), events: Vec::new() })
    }
}

/// Whether known numbers are levels.
pub fn are_levels(mut known: impl Iterator<Item = f32>) -> bool {
    let mut levels: Vec<f32> = Vec::new();
    known.all(|x| {
        levels.extend((!levels.contains(&x)).then_some(x));
        levels.len() <= MOST_LEVELS
    })
}

/// How numbers count, if they are more than a few levels.
fn amount(values: &[f32]) -> Option<Amount> {
    let known = || values.iter().copied().filter(|x| !x.is_nan());
    let least = known().fold(f32::INFINITY, f32::min);
    (!are_levels(known())).then(|| match least > 0.0 {
        true => Amount::Ratio { least },
        false => Amount::Difference { unit: Scaler::fit(ScalingMethod::Standard, known()).scale },
    })
}

/// The most frequent values, the commonest first, ties by value.
fn commonest(categories: &Categories) -> Vec<Value> {
    let mut counts = vec![0usize; categories.values.len()];
    categories.codes.iter().filter_map(|code| counts.get_mut(*code as usize).map(|n| *n += 1)).for_each(drop);
    let mut order: Vec<usize> = (0..counts.len()).collect();
    order.sort_by(|a, b| counts[*b].cmp(&counts[*a]).then(categories.values[*a].cmp(&categories.values[*b])));
    order.into_iter().take(MOST_CATEGORIES).map(|i| categories.values[i].clone()).collect()
}

pub(super) fn times<'a>(table: &'a Table, name: &str) -> Result<&'a [i64]> {
    let Some(Column::Times(times)) = table.column(name) else {
        return Err(Error::Damaged { reason: format!("column \"{name}\" is no time") });
    };
    match times.iter().filter(|time| **time == NULL_TIME).count() {
        0 => Ok(times),
        count => Err(Error::NullTime { column: name.into(), count, rows: times.len() }),
    }
}

/// The sorted keys, and the index among them of every row's.
pub(super) fn group(table: &Table, names: &[String]) -> (Vec<Vec<Value>>, Vec<u32>) {
    let columns: Vec<&Categories> = names
        .iter()
        .filter_map(|name| match table.column(name) {
            Some(Column::Categories(categories)) => Some(categories),
            _ => None,
        })
        .collect();
    // A key is the mixed-radix number of its codes; NULL has the code one past the last.
    let digits: Vec<(&[u32], u128)> =
        columns.iter().map(|column| (column.codes.as_slice(), column.values.len() as u128 + 1)).collect();
    let numbers = digits.iter().fold(1u128, |numbers, (_, radix)| numbers.saturating_mul(*radix));
    // Small numbers find their series by position, others by their hash.
    let mut near = vec![u32::MAX; if numbers <= MOST_NEAR { numbers as usize } else { 0 }];
    let mut far: HashMap<u128, u32> = HashMap::new();
    let mut keys: Vec<Vec<Value>> = Vec::new();
    let mut owner: Vec<u32> = Vec::with_capacity(table.rows);
    let mut last: Option<(u128, u32)> = None;
    for row in 0..table.rows {
        let mut number = 0u128;
        for (codes, radix) in &digits {
            number = number * radix + u128::from(codes[row]).min(radix - 1);
        }
        let index = match last {
            Some((same, index)) if same == number => index,
            _ => {
                let found = match near.get_mut(usize::try_from(number).unwrap_or(usize::MAX)) {
                    Some(found) => found,
                    None => far.entry(number).or_insert(u32::MAX),
                };
                if *found == u32::MAX {
                    *found = keys.len() as u32;
                    keys.push(columns.iter().map(|column| column.value(row)).collect());
                }
                *found
            }
        };
        last = Some((number, index));
        owner.push(index);
    }
    let mut order: Vec<u32> = (0..keys.len() as u32).collect();
    order.sort_by(|a, b| keys[*a as usize].cmp(&keys[*b as usize]));
    let mut rank = vec![0u32; keys.len()];
    order.iter().enumerate().for_each(|(rank_of, index)| rank[*index as usize] = rank_of as u32);
    owner.iter_mut().for_each(|index| *index = rank[*index as usize]);
    (order.into_iter().map(|index| std::mem::take(&mut keys[index as usize])).collect(), owner)
}

/// A column of finite numbers.
///
/// # Errors
/// [`Error::NotFinite`]; [`Error::Damaged`] when it is none.
pub fn numbers<'a>(table: &'a Table, name: &str) -> Result<&'a Numbers> {
    match table.column(name) {
        Some(Column::Numbers(numbers)) => match &numbers.first_not_finite {
            None => Ok(numbers),
            Some((row, value)) => Err(Error::NotFinite {
                column: name.into(),
                count: numbers.not_finite,
                example: format!("{value} in row {}", row + 1),
            }),
        },
        _ => Err(Error::Damaged { reason: format!("column \"{name}\" is no number") }),
    }
}
