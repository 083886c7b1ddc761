//! Histories without the effects of planned covariates, for experts that read none, and their forecasts with them again.

use super::super::panel::Panel;
use super::step::Prepared;
use super::{MOST_LOG, Norm, StepFeatures};

/// A panel from which promotions, holidays and weekdays are taken out, as far as one regression explains them.
pub struct Adjusted<'a> {
    pub steps: Prepared<'a>,
    pub panel: Panel,
}

impl StepFeatures {
    pub fn adjust<'a>(&'a self, panel: &'a Panel) -> Adjusted<'a> {
        let steps = self.prepare(panel);
        let plain = |series: usize| -> Vec<f32> {
            let (level, values) = steps.values(series);
            let norm = Norm { center: 0.0, scale: 1.0, log_level: Some(level) };
            norm.expanded(values)
        };
        let panel = panel.with_histories((0..panel.series.len()).map(plain));
        Adjusted { steps, panel }
    }
}

impl Adjusted<'_> {
    /// What is planned for a step behind the origin.
    pub fn effect(&self, series: usize, step: usize) -> Effect {
        let (level, _) = self.steps.values(series);
        Effect { level, factor: self.steps.effect(series, step).clamp(-MOST_LOG, MOST_LOG).exp() }
    }
}

/// An effect on compressed values, which is a factor of 1 + y / level for what lies above zero, and a divisor below.
#[derive(Debug, Clone, Copy)]
pub struct Effect {
    level: f32,
    factor: f32,
}

impl Effect {
    /// A value with the effect: `expand(compress(value) + effect)`.
    pub fn on(&self, value: f32) -> f32 {
        let size = 1.0 + value.abs() / self.level;
        let with = self.factor * if value < 0.0 { size.recip() } else { size };
        self.level * if with < 1.0 { 1.0 - with.recip() } else { with - 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_effect_is_added_to_what_is_compressed() {
        let norm = Norm { center: 0.0, scale: 1.0, log_level: Some(7.0) };
        for effect in [-2.5f32, -0.1, 0.0, 0.3, 4.0] {
            let with = Effect { level: 7.0, factor: effect.exp() };
            for value in [-300.0, -7.0, -0.5, 0.0, 0.01, 3.0, 40.0, 1e5] {
                let wanted = norm.expand(norm.compress(value) + effect);
                let error = (with.on(value) - wanted).abs();
                assert!(error < 1e-5 * (7.0 + wanted.abs()), "{value} by {effect}: {} for {wanted}", with.on(value));
            }
        }
    }
}
