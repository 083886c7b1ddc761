//! Moving parameters along gradients, in place, and the learning rate over a training.

use std::ops::Range;

use super::super::config::{Optimizer, Schedule};
use super::kernel::wide;

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

    /// The parameters in parts that one thread each moves.
    pub fn parts<'a>(&'a mut self, parameters: &'a mut [f32], gradient: &'a mut [f32]) -> Vec<Part<'a>> {
        let mut second = self.second.chunks_mut(PART);
        let parts = parameters.chunks_mut(PART).zip(gradient.chunks_mut(PART)).zip(self.first.chunks_mut(PART));
        let part = |((parameters, gradient), first)| Part {
            parameters,
            gradient,
            first,
            second: second.next().unwrap_or_default(),
            squares: 0.0,
        };
        parts.map(part).collect()
    }

    /// Begins the next update.
    pub fn begin(&mut self, learning_rate: f32) -> Update {
        self.steps += 1;
        let decay = self.weight_decay;
        let (added, shrink) = match self.kind {
            Optimizer::AdamW => (0.0, 1.0 - learning_rate * decay),
            _ => (decay, 1.0),
        };
        let rate = learning_rate / (1.0 - BETA1.powi(self.steps));
        let unbias = 1.0 / (1.0 - BETA2.powi(self.steps));
        Update { kind: self.kind, learning_rate, added, shrink, rate, unbias }
    }
}

/// Parameters in a part; fixed, so that sums do not depend on the number of threads.
const PART: usize = 1 << 14;

/// Some of the parameters with their gradient and what their optimiser remembers.
pub(super) struct Part<'a> {
    parameters: &'a mut [f32],
    gradient: &'a mut [f32],
    first: &'a mut [f32],
    /// Empty for an optimiser without second moments.
    second: &'a mut [f32],
    /// Sum of the squares of the gradient.
    pub squares: f64,
}

/// What all parameters of one step share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Update {
    kind: Optimizer,
    learning_rate: f32,
    /// Share of a parameter that is added to its gradient.
    added: f32,
    /// What a parameter is multiplied by.
    shrink: f32,
    rate: f32,
    unbias: f32,
}

impl Part<'_> {
    /// The parameters it has, behind `index` other parts.
    pub fn range(&self, index: usize) -> Range<usize> {
        index * PART..index * PART + self.gradient.len()
    }

    /// Adds gradients to its own; tells the squares too if they are wanted.
    pub fn sum<'a>(&mut self, others: impl Iterator<Item = &'a [f32]>, squared: bool) {
        wide(|| {
            for other in others {
                self.gradient.iter_mut().zip(other).for_each(|(sum, value)| *sum += value);
            }
            if squared {
                self.squares = sum_of_squares(self.gradient);
            }
        });
    }

    /// Moves the parameters along the gradient, multiplied by `factor` first.
    pub fn update(&mut self, update: &Update, factor: f32) {
        let Update { kind, learning_rate, added, shrink, rate, unbias } = *update;
        if let Optimizer::Sgd { momentum } = kind {
            for ((parameter, gradient), velocity) in
                self.parameters.iter_mut().zip(&*self.gradient).zip(&mut *self.first)
            {
                *velocity = momentum * *velocity + gradient * factor + added * *parameter;
                *parameter -= learning_rate * *velocity;
            }
            return;
        }
        wide(|| {
            let moments = self.first.iter_mut().zip(&mut *self.second);
            for ((parameter, gradient), (first, second)) in self.parameters.iter_mut().zip(&*self.gradient).zip(moments)
            {
                let gradient = gradient * factor + added * *parameter;
                *first += (1.0 - BETA1) * (gradient - *first);
                *second += (1.0 - BETA2) * (gradient * gradient - *second);
                *parameter = *parameter * shrink - rate * *first / ((*second * unbias).sqrt() + EPSILON);
            }
        });
    }
}

/// In eight sums that need not wait for each other.
fn sum_of_squares(values: &[f32]) -> f64 {
    let (eights, rest) = values.as_chunks::<8>();
    let mut sums = [0.0f64; 8];
    for eight in eights {
        (0..8).for_each(|lane| sums[lane] += f64::from(eight[lane]) * f64::from(eight[lane]));
    }
    sums.iter().sum::<f64>() + rest.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>()
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

    fn step<const N: usize>(state: &mut State, parameters: &mut [f32; N], mut gradient: [f32; N]) {
        let update = state.begin(0.1);
        for part in &mut state.parts(parameters, &mut gradient) {
            part.update(&update, 1.0);
        }
    }

    /// Adam's first step is the rate times the gradient's sign: m/(1-b1) = g and v/(1-b2) = g^2.
    #[test]
    fn adam_first_moves_by_the_rate() {
        let mut state = State::new(Optimizer::Adam, 0.0, 2);
        let mut parameters = [1.0, 1.0];
        step(&mut state, &mut parameters, [0.5, -3.0]);
        assert!((parameters[0] - 0.9).abs() < 1e-6 && (parameters[1] - 1.1).abs() < 1e-6);
    }

    /// AdamW shrinks by rate times decay before the step: 1 * (1 - 0.1 * 0.5) - 0.1.
    #[test]
    fn adamw_decays_beside_the_gradient() {
        let mut state = State::new(Optimizer::AdamW, 0.5, 1);
        let mut parameters = [1.0];
        step(&mut state, &mut parameters, [2.0]);
        assert!((parameters[0] - 0.85).abs() < 1e-6);
    }

    /// Velocity 1 then 0.9 + 1 = 1.9: 1 - 0.1 - 0.19.
    #[test]
    fn sgd_gathers_momentum() {
        let mut state = State::new(Optimizer::Sgd { momentum: 0.9 }, 0.0, 1);
        let mut parameters = [1.0];
        step(&mut state, &mut parameters, [1.0]);
        step(&mut state, &mut parameters, [1.0]);
        assert!((parameters[0] - 0.71).abs() < 1e-6);
    }

    #[test]
    fn schedules_end_near_zero() {
        assert_eq!(learning_rate(Schedule::Constant, 0.1, 99, 100), 0.1);
        assert!(learning_rate(Schedule::Cosine, 0.1, 99, 100) < 1e-4);
        assert!(learning_rate(Schedule::Linear, 0.1, 0, 100) < 0.011);
    }
}
