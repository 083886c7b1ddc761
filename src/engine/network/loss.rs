//! Losses and their gradients, one weighted target at a time.

use super::super::config::Loss;

impl Loss {
    /// Loss and gradient of one target's outputs. `outputs` and `gradient` have [`Loss::outputs`] values; the gradient
    /// is overwritten. Both are multiplied by `weight`.
    pub(super) fn grade(&self, outputs: &[f32], target: f32, weight: f32, gradient: &mut [f32]) -> f32 {
        if weight == 0.0 {
            gradient.fill(0.0);
            return 0.0;
        }
        if let Loss::Pinball { levels } = self {
            // Averaged over the levels: the quantile loss of Koenker & Bassett 1978.
            let share = weight / levels.len() as f32;
            let mut sum = 0.0;
            for ((level, output), gradient) in levels.iter().zip(outputs).zip(gradient) {
                let error = target - output;
                let slope = if error >= 0.0 { -*level } else { 1.0 - *level };
                *gradient = share * slope;
                sum -= slope * error;
            }
            return share * sum;
        }
        let error = outputs[0] - target;
        let (loss, slope) = match self {
            Loss::Mae => (
                error.abs(),
                if error > 0.0 {
                    1.0
                } else if error < 0.0 {
                    -1.0
                } else {
                    0.0
                },
            ),
            Loss::Huber { delta } if error.abs() > *delta => {
                (delta * (error.abs() - 0.5 * delta), delta.copysign(error))
            }
            Loss::Huber { .. } => (0.5 * error * error, error),
            _ => (error * error, 2.0 * error),
        };
        gradient[0] = weight * slope;
        weight * loss
    }
}
