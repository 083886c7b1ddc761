//! Inputs that a series keeps for life: static covariates and its own identity.

use serde::{Deserialize, Serialize};

use super::super::config::{Encoding, ScalingMethod};
use super::super::network::Embedding;
use super::super::panel::{Panel, Static};
use super::super::scaling::Scaler;
use super::super::table::Value;

/// One-hot inputs of one column at most; further values have none set.
const MOST_ONE_HOT: usize = 64;

/// Encoders of the static columns; learnt in training, kept with the model.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Statics {
    numbers: Vec<(String, Scaler)>,
    one_hot: Vec<(String, Vec<Value>)>,
    embedded: Vec<(String, Vec<Value>)>,
    /// Keys of known series, when a network has an embedding of the series themselves.
    series: Option<Vec<Vec<Value>>>,
}

/// Width of the vector of a column with `values` distinct ones.
fn embedding_width(values: usize) -> usize {
    (values / 2 + 1).min(16)
}

impl Statics {
    pub fn learn(panel: &Panel, encoding: Encoding, identity: Identity) -> Statics {
        let mut statics = Statics::default();
        for column in &panel.statics {
            match column {
                Static::Numbers(name, values) => {
                    let scaler = Scaler::fit(ScalingMethod::Standard, values.iter().copied());
                    statics.numbers.push((name.clone(), scaler));
                }
                Static::Categories(name, values) => {
                    let mut known: Vec<Value> = values.iter().filter(|value| **value != Value::Null).cloned().collect();
                    known.sort();
                    known.dedup();
                    match encoding {
                        Encoding::Embedding => statics.embedded.push((name.clone(), known)),
                        Encoding::OneHot => {
                            known.truncate(MOST_ONE_HOT);
                            statics.one_hot.push((name.clone(), known));
                        }
                    }
                }
            }
        }
        if identity == Identity::Embedded && panel.series.len() > 1 {
            statics.series = Some(panel.series.iter().map(|series| series.key.clone()).collect());
        }
        statics
    }

    /// Numeric inputs.
    pub fn width(&self) -> usize {
        self.numbers.len() * 2 + self.one_hot.iter().map(|(_, values)| values.len()).sum::<usize>()
    }

    /// Categorical inputs; code 0 is "never seen".
    pub fn embeddings(&self) -> Vec<Embedding> {
        let sizes = self.embedded.iter().map(|(_, values)| values.len()).chain(self.series.iter().map(Vec::len));
        sizes.map(|size| Embedding { cardinality: size + 1, width: embedding_width(size) }).collect()
    }

    /// Numeric inputs `[series, width]` and codes `[series, embeddings]` of all series of a panel.
    pub fn apply(&self, panel: &Panel) -> (Vec<f32>, Vec<u32>) {
        let (mut numeric, mut codes) = (Vec::new(), Vec::new());
        for (index, series) in panel.series.iter().enumerate() {
            for (name, scaler) in &self.numbers {
                let value = panel.statics.iter().find_map(|column| match column {
                    Static::Numbers(known, values) if known == name => Some(values[index]),
                    _ => None,
                });
                let value = value.unwrap_or(f32::NAN);
                let scaled = scaler.scale(value).clamp(-8.0, 8.0);
                numeric.extend(if value.is_nan() { [0.0, 1.0] } else { [scaled, 0.0] });
            }
            for (name, known) in &self.one_hot {
                let value = category(panel, name, index);
                numeric.extend(known.iter().map(|other| f32::from(u8::from(Some(other) == value))));
            }
            for (name, known) in &self.embedded {
                let code = category(panel, name, index).and_then(|value| known.binary_search(value).ok());
                codes.push(code.map_or(0, |code| code as u32 + 1));
            }
            if let Some(known) = &self.series {
                codes.push(known.binary_search(&series.key).map_or(0, |code| code as u32 + 1));
            }
        }
        (numeric, codes)
    }
}

/// Whether a network learns a vector for each series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    Embedded,
    Unknown,
}

fn category<'a>(panel: &'a Panel, name: &str, series: usize) -> Option<&'a Value> {
    panel.statics.iter().find_map(|column| match column {
        Static::Categories(known, values) if known == name => Some(&values[series]),
        _ => None,
    })
}
