//! Feature columns of a regression model, and the numbers they become.

use serde::{Deserialize, Serialize};

use super::config::{Encoding, ScalingMethod};
use super::error::{Error, Result};
use super::request::Request;
use super::scaling::Scaler;
use super::table::{Column, NULL_CODE, Table, Value};

/// Distinct values of a one-hot column that get an input each.
const MOST_ONE_HOT: usize = 64;
const MOST_INPUT: f32 = 100.0;

/// One feature column and how it enters the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Input {
    /// Scaled, with a second input that is 1 where the value is unknown.
    Number {
        column: String,
        scaler: Scaler,
    },
    OneHot {
        column: String,
        values: Vec<Value>,
    },
    /// Codes by position, from 1; 0 is unknown or never seen.
    Embedded {
        column: String,
        values: Vec<Value>,
    },
}

pub(super) fn number_column(table: &Table, name: &str) -> Result<Vec<f32>> {
    match table.column(name) {
        Some(Column::Numbers(numbers)) => match &numbers.first_not_finite {
            None => Ok(numbers.values.clone()),
            Some((row, value)) => Err(Error::NotFinite {
                column: name.into(),
                count: numbers.not_finite,
                example: format!("{value} in row {}", row + 1),
            }),
        },
        _ => Err(Error::Damaged { reason: format!("column \"{name}\" is no number") }),
    }
}

pub(super) fn learn_inputs(table: &Table, rows: &[usize], request: &Request) -> Result<Vec<Input>> {
    let method = request.options.scaling.unwrap_or(ScalingMethod::Standard);
    let mut inputs = Vec::new();
    for column in &request.roles.features {
        inputs.push(match table.column(column) {
            Some(Column::Categories(categories)) => {
                let mut seen = vec![0usize; categories.values.len()];
                let codes = rows.iter().map(|row| categories.codes[*row]).filter(|code| *code != NULL_CODE);
                codes.for_each(|code| seen[code as usize] += 1);
                let mut order: Vec<usize> = (0..seen.len()).filter(|code| seen[*code] > 0).collect();
                order.sort_by(|a, b| seen[*b].cmp(&seen[*a]).then(categories.values[*a].cmp(&categories.values[*b])));
                let mut values: Vec<Value> = order.into_iter().map(|code| categories.values[code].clone()).collect();
                let column = column.clone();
                match request.options.encoding {
                    Encoding::Embedding => {
                        values.sort();
                        Input::Embedded { column, values }
                    }
                    Encoding::OneHot => {
                        values.truncate(MOST_ONE_HOT);
                        Input::OneHot { column, values }
                    }
                }
            }
            _ => {
                let values = number_column(table, column)?;
                let scaler = Scaler::fit(method, rows.iter().map(|row| values[*row]));
                Input::Number { column: column.clone(), scaler }
            }
        });
    }
    Ok(inputs)
}

impl Input {
    pub fn width(&self) -> usize {
        match self {
            Input::Number { .. } => 2,
            Input::OneHot { values, .. } => values.len(),
            Input::Embedded { .. } => 0,
        }
    }

    pub fn push_number(&self, value: f32, numeric: &mut Vec<f32>) {
        if let Input::Number { scaler, .. } = self {
            let scaled = scaler.scale(value).clamp(-MOST_INPUT, MOST_INPUT);
            numeric.extend(if value.is_nan() { [0.0, 1.0] } else { [scaled, 0.0] });
        }
    }

    pub fn push_category(&self, value: &Value, numeric: &mut Vec<f32>, codes: &mut Vec<u32>) {
        match self {
            Input::OneHot { values, .. } => {
                numeric.extend(values.iter().map(|other| f32::from(u8::from(other == value))));
            }
            Input::Embedded { values, .. } => {
                codes.push(values.binary_search(value).map_or(0, |code| code as u32 + 1));
            }
            Input::Number { .. } => {}
        }
    }

    pub fn column(&self) -> &str {
        match self {
            Input::Number { column, .. } | Input::OneHot { column, .. } | Input::Embedded { column, .. } => column,
        }
    }
}

pub(super) type Encoded = (Vec<f32>, Vec<u32>);

pub(super) fn encode(inputs: &[Input], table: &Table, rows: &[usize]) -> Result<Encoded> {
    let (mut numeric, mut codes) = (Vec::new(), Vec::new());
    let columns: Vec<&Column> = inputs
        .iter()
        .map(|input| {
            table.column(input.column()).ok_or_else(|| Error::MissingFeature { feature: input.column().into() })
        })
        .collect::<Result<_>>()?;
    for &row in rows {
        for (input, column) in inputs.iter().zip(&columns) {
            match column {
                Column::Numbers(numbers) => input.push_number(numbers.values[row], &mut numeric),
                Column::Categories(categories) => input.push_category(&categories.value(row), &mut numeric, &mut codes),
                Column::Times(_) => {}
            }
        }
    }
    Ok((numeric, codes))
}
