//! Moving parameters along gradients, in place, and the learning rate over a training.

use super::super::config::{Optimizer, Schedule};

/// Adam's running means and the number of steps taken.
#[derive(Debug, Clone)]
pub(super) struct State {
    kind: Optimizer,
    weight_decay: f32,
    steps: i32,
    first: Vec<f32>,
    second: Vec<f32>,
}

pub(super) const BETA1: f32 = 0.9;
pub(super) const BETA2: f32 = 0.98;
pub(super) const EPSILON: f32 = 1e-8;

impl State {
    pub fn new(kind: Optimizer, weight_decay: f32, parameters: usize) -> State {
        let second = if let Optimizer::Sgd { .. } = kind { 0 } else { parameters };
        State { kind, weight_decay, steps: 0, first: vec![0.0; parameters], second: vec![0.0; second] }
    }

    /// One update; the gradient is multiplied by `factor` first.
    pub fn update(&mut self, parameters: &mut [f32], gradient: &[f32], factor: f32, learning_rate: f32) {
        self.steps += 1;
        let decay = self.weight_decay;
        if let Optimizer::Sgd { momentum } = self.kind {
            for ((parameter, gradient), velocity) in parameters.iter_mut().zip(gradient).zip(&mut self.first) {
                *velocity = momentum * *velocity + gradient * factor + decay * *parameter;
                *parameter -= learning_rate * *velocity;
            }
            return;
        }
        let (added, shrink) = match self.kind {
            Optimizer::AdamW => (0.0, 1.0 - learning_rate * decay),
            _ => (decay, 1.0),
        };
        let rate = learning_rate / (1.0 - BETA1.powi(self.steps));
        let unbias = 1.0 / (1.0 - BETA2.powi(self.steps));
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((parameter, gradient), (first, second)) in parameters.iter_mut().zip(gradient).zip(moments) {
            let gradient = gradient * factor + added * *parameter;
            *first += (1.0 - BETA1) * (gradient - *first);
            *second += (1.0 - BETA2) * (gradient * gradient - *second);
            *parameter = *parameter * shrink - rate * *first / ((*second * unbias).sqrt() + EPSILON);
        }
    }
}

/// The rate of one step of `steps`: a linear warm-up over the first tenth, at most 50 steps, then the schedule.
pub fn learning_rate(schedule: Schedule, peak: f32, step: usize, steps: usize) -> f32 {
    let share = step as f32 / steps.max(1) as f32;
    let warm_up = (steps / 10).min(50);
    let ramp = if step < warm_up { (step + 1) as f32 / warm_up as f32 } else { 1.0 };
    peak * match schedule {
        Schedule::Constant => 1.0,
        Schedule::Cosine => ramp * 0.5 * (1.0 + (std::f32::consts::PI * share).cos()),
        Schedule::Linear => ramp * (1.0 - share),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adam's first step is the rate times the gradient's sign: m/(1-b1) = g and v/(1-b2) = g^2.
    #[test]
    fn adam_first_moves_by_the_rate() {
        let mut state = State::new(Optimizer::Adam, 0.0, 2);
        let mut parameters = [1.0, 1.0];
        state.update(&mut parameters, &[0.5, -3.0], 1.0, 0.1);
        assert!((parameters[0] - 0.9).abs() < 1e-6 && (parameters[1] - 1.1).abs() < 1e-6);
    }

    /// AdamW shrinks by rate times decay before the step: 1 * (1 - 0.1 * 0.5) - 0.1.
    #[test]
    fn adamw_decays_beside_the_gradient() {
        let mut state = State::new(Optimizer::AdamW, 0.5, 1);
        let mut parameters = [1.0];
        state.update(&mut parameters, &[2.0], 1.0, 0.1);
        assert!((parameters[0] - 0.85).abs() < 1e-6);
    }

    /// Velocity 1 then 0.9 + 1 = 1.9: 1 - 0.1 - 0.19.
    #[test]
    fn sgd_gathers_momentum() {
        let mut state = State::new(Optimizer::Sgd { momentum: 0.9 }, 0.0, 1);
        let mut parameters = [1.0];
        state.update(&mut parameters, &[1.0], 1.0, 0.1);
        state.update(&mut parameters, &[1.0], 1.0, 0.1);
        assert!((parameters[0] - 0.71).abs() < 1e-6);
    }

    #[test]
    fn schedules_end_near_zero() {
        assert_eq!(learning_rate(Schedule::Constant, 0.1, 99, 100), 0.1);
        assert!(learning_rate(Schedule::Cosine, 0.1, 99, 100) < 1e-4);
        assert!(learning_rate(Schedule::Linear, 0.1, 0, 100) < 0.011);
    }
}
