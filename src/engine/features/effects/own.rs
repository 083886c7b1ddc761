//! What single series answer to a plan beyond what all do: one shop lives on promotions, another's customers hardly look at them.
//!
//! Slopes of what is left of a series by the regression over all, drawn to nothing as far as the spread of slopes over all
//! series and the noise of its own say: empirical Bayes with normal means, as of a random-coefficient model (Swamy 1970).

use serde::{Deserialize, Serialize};

use super::moments::Moments;

/// Slopes are kept as counts of this.
const UNIT: f32 = 1e-3;
/// Slopes that are kept at most; of more there are none.
const MOST: usize = 1 << 19;
/// Least variance of a slope by the noise of its series: of series without any, one slope does not speak for all.
const LEAST: f64 = 1e-6;

/// Slopes by series and planned covariate.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Slopes(Vec<i16>);

impl Slopes {
    /// Whether there are slopes of so many series: one alone is what all do.
    pub fn are_kept(series: usize, inputs: usize) -> bool {
        series > 1 && series * inputs <= MOST
    }

    /// From what is left of each series, by as many inputs.
    pub fn learn(series: &[Moments], inputs: usize) -> Slopes {
        let noise = |one: &Moments| Some(one.square() / one.free()).filter(|noise| one.free() >= 2.0 && *noise > 0.0);
        // By the squares of slopes in units of their noise, which are one on average where all series answer alike.
        let spread = |input: usize| {
            let (mut beyond, mut weights) = (0.0, 0.0);
            for (one, noise) in series.iter().filter_map(|one| Some((one, noise(one)?))) {
                let square = one.product(input, input);
                if square > one.still() {
                    let variance = noise / square;
                    let weight = 1.0 / variance.max(LEAST);
                    beyond += weight * ((one.with_value(input) / square).powi(2) - variance);
                    weights += weight;
                }
            }
            if weights > 0.0 { beyond / weights } else { 0.0 }
        };
        let spreads: Vec<f64> = (0..inputs).map(spread).collect();
        let some: Vec<usize> = (0..inputs).filter(|input| spreads[*input] > 0.0).collect();
        let mut slopes = vec![0; series.len() * inputs];
        for (slopes, one) in slopes.chunks_exact_mut(inputs.max(1)).zip(series) {
            let Some(noise) = noise(one) else { continue };
            let found = one.solve(&some, |input| noise / spreads[input] + one.still());
            // A cast holds what is too large.
            some.iter().zip(found).for_each(|(input, slope)| slopes[*input] = (slope as f32 / UNIT).round() as i16);
        }
        Slopes(if some.is_empty() { Vec::new() } else { slopes })
    }

    /// Those of a known series; none of an unknown one.
    pub fn of(&self, series: Option<usize>, inputs: usize) -> Own<'_> {
        let slopes = series.and_then(|series| self.0.get(series * inputs..(series + 1) * inputs));
        Own(slopes.unwrap_or_default())
    }
}

/// The slopes of one series.
#[derive(Debug, Clone, Copy, Default)]
pub struct Own<'a>(&'a [i16]);

impl Own<'_> {
    pub fn slope(self, input: usize) -> f32 {
        self.0.get(input).map_or(0.0, |slope| UNIT * f32::from(*slope))
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Forty series of forty rows: each slope is nearer to its own than to none, and than least squares alone is.
    #[test]
    fn slopes_are_drawn_to_what_all_do_as_far_as_they_are_noise() {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let mut normal = move || (0..12).map(|_| random.random_range(-0.5..0.5)).sum::<f64>();
        let truth: Vec<f64> = (0..40).map(|_| 0.3 * normal()).collect();
        let mut series = |slope: f64| {
            let mut rows = Moments::new(2);
            for _ in 0..40 {
                let x = [normal(), normal()];
                rows.add(&[x[0], x[1], slope * x[0] + 2.0 * normal()]);
            }
            let mut within = Moments::new(2);
            within.take_within(&mut rows);
            within
        };
        let all: Vec<Moments> = truth.iter().map(|slope| series(*slope)).collect();
        let slopes = Slopes::learn(&all, 2);
        let error = |found: &dyn Fn(usize) -> f64| -> f64 {
            truth.iter().enumerate().map(|(at, slope)| (found(at) - slope).powi(2)).sum()
        };
        let drawn = error(&|at| f64::from(slopes.of(Some(at), 2).slope(0)));
        let alone = error(&|at| all[at].solve(&[0], |_| 0.0)[0]);
        assert!(drawn < 0.8 * error(&|_| 0.0) && drawn < 0.8 * alone, "{drawn} {alone}");
        assert_eq!(slopes.of(None, 2).slope(0), 0.0);
        assert_eq!(slopes.of(Some(40), 2).slope(0), 0.0);
    }
}
