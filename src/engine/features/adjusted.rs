//! Histories without the effects of planned covariates, for experts that read none, and their forecasts with them again.

use super::super::panel::Panel;
use super::{Norm, StepFeatures};

/// A panel from which promotions, holidays and weekdays are taken out, as far as one regression explains them.
pub struct Adjusted<'a> {
    features: &'a StepFeatures,
    planned: &'a Panel,
    levels: Vec<f32>,
    pub panel: Panel,
}

impl StepFeatures {
    pub fn adjust<'a>(&'a self, panel: &'a Panel) -> Adjusted<'a> {
        let (levels, values) = self.prepare(panel).into_values();
        let plain = |(values, level): (Vec<f32>, &f32)| -> Vec<f32> {
            let norm = norm(*level);
            values.into_iter().map(|value| if value.is_nan() { value } else { norm.expand(value) }).collect()
        };
        let panel_without = panel.with_histories(values.into_iter().zip(&levels).map(plain));
        Adjusted { features: self, planned: panel, levels, panel: panel_without }
    }
}

fn norm(level: f32) -> Norm {
    Norm { center: 0.0, scale: 1.0, log_level: Some(level) }
}

impl Adjusted<'_> {
    /// A forecast of a step behind the origin with what is planned for it.
    pub fn with_effect(&self, series: usize, step: usize, value: f32) -> f32 {
        let at = self.planned.series[series].len + step;
        let norm = norm(self.levels[series]);
        norm.expand(norm.compress(value) + self.features.effect(self.planned, series, at as i64))
    }
}
