//! Source columns beside the target as a panel holds them: covariates by step, statics by series.

use std::sync::Arc;

use super::super::config::Roles;
use super::super::error::{Error, Result};
use super::super::frame::{Amount, Encoder, numbers};
use super::super::table::{Column, NULL_CODE, Table, Value};
use super::build::Placed;
use super::{Covariate, Series, Static, show_key};

/// Oldest known numbers of a series whose mean is what is usual for it.
const USUAL: usize = 26;

pub(super) fn empty_covariates(encoders: &[Encoder]) -> Vec<Covariate> {
    let one = |name: String, known| Covariate { name, known, values: Arc::default() };
    encoders
        .iter()
        .flat_map(|encoder| match &encoder.categories {
            None => vec![one(encoder.column.clone(), encoder.known)],
            Some(values) => {
                values.iter().map(|value| one(format!("{}={value}", encoder.column), encoder.known)).collect()
            }
        })
        .collect()
}

/// Writes one column's rows into its inputs: the mean of a step's numbers, the last of its categories.
pub(super) fn encode(
    encoder: &Encoder,
    table: &Table,
    placed: impl Iterator<Item = (usize, usize)>,
    targets: &mut [Vec<f32>],
) -> Result<()> {
    match (table.column(&encoder.column), &encoder.categories) {
        (Some(Column::Categories(column)), Some(known)) => {
            let codes: Vec<Option<usize>> =
                column.values.iter().map(|value| known.iter().position(|other| other == value)).collect();
            for (at, row) in placed {
                let Some(code) = codes.get(column.codes[row] as usize) else { continue };
                for (input, target) in targets.iter_mut().enumerate() {
                    target[at] = f32::from(u8::from(*code == Some(input)));
                }
            }
        }
        (_, None) => {
            let column = numbers(table, &encoder.column)?;
            let mut same = (usize::MAX, 0.0);
            for (at, row) in placed {
                let value = column.values[row];
                if value.is_nan() {
                    continue;
                }
                let mean = &mut targets[0][at];
                same = if same.0 == at && !mean.is_nan() { (at, same.1 + 1.0) } else { (at, 1.0) };
                *mean = if same.1 > 1.0 { *mean + (value - *mean) / same.1 } else { value };
            }
        }
        _ => return Err(Error::Damaged { reason: format!("column \"{}\" is no category", encoder.column) }),
    }
    Ok(())
}

/// Turns the numbers of one series into how far they lie from the mean of its oldest ones; planned, they are known at every origin.
pub(super) fn measure(amount: Amount, values: &mut [f32]) {
    match amount {
        Amount::Ratio { least } => values.iter_mut().filter(|x| !x.is_nan()).for_each(|x| *x = x.max(0.5 * least).ln()),
        Amount::Difference { unit } => values.iter_mut().for_each(|x| *x /= unit),
    }
    let oldest = values.iter().filter(|x| !x.is_nan()).take(USUAL);
    let (sum, n) = oldest.fold((0.0, 0.0), |(sum, n), x| (sum + f64::from(*x), n + 1.0));
    let usual = (sum / f64::max(n, 1.0)) as f32;
    values.iter_mut().for_each(|x| *x -= usual);
}

/// The static covariates of all series.
pub(super) fn statics(table: &Table, roles: &Roles, series: &[Series], placed: &Placed) -> Result<Vec<Static>> {
    let mut all = Vec::new();
    for name in &roles.statics {
        let not_static =
            |i: usize| Error::NotStatic { column: name.clone(), series: show_key(&roles.series, &series[i].key) };
        match table.column(name) {
            Some(Column::Categories(column)) => {
                let mut values = Vec::with_capacity(series.len());
                for i in 0..series.len() {
                    let rows = placed.rows(i).iter().map(|row| *row as usize);
                    let mut codes = rows.filter(|row| column.codes[*row] != NULL_CODE);
                    let first = codes.next();
                    if codes.any(|row| Some(column.codes[row]) != first.map(|row| column.codes[row])) {
                        return Err(not_static(i));
                    }
                    values.push(first.map_or(Value::Null, |row| column.value(row)));
                }
                all.push(Static::Categories(name.clone(), values));
            }
            _ => {
                let column = numbers(table, name)?;
                let mut values = Vec::with_capacity(series.len());
                for i in 0..series.len() {
                    let rows = placed.rows(i).iter();
                    let mut known = rows.map(|row| column.values[*row as usize]).filter(|x| !x.is_nan());
                    let first = known.next();
                    if known.any(|value| Some(value) != first) {
                        return Err(not_static(i));
                    }
                    values.push(first.unwrap_or(f32::NAN));
                }
                all.push(Static::Numbers(name.clone(), values));
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_count_from_what_is_usual() {
        let mut prices = vec![2.0; 26];
        prices.extend([f32::NAN, 1.0, 4.0, 0.0]);
        measure(Amount::Ratio { least: 1.0 }, &mut prices);
        assert_eq!(&prices[..26], [0.0; 26]);
        assert!(prices[26].is_nan());
        for (price, ratio) in prices[27..].iter().zip([0.5f32, 2.0, 0.25]) {
            assert!((price - ratio.ln()).abs() < 1e-6, "{price} {ratio}");
        }
        let mut degrees = vec![-5.0, 15.0, 5.0];
        measure(Amount::Difference { unit: 10.0 }, &mut degrees);
        assert_eq!(degrees, [-1.0, 1.0, 0.0]);
    }
}
