//! Demand that is mostly zero: the same mean for every step ahead.
//!
//! Croston (1972) as Syntetos & Boylan (2005) corrected him: the size of a demand over the interval since the one before,
//! both smoothed at demands, times (1 - rate of the interval / 2). TSB (Teunter, Syntetos & Babai, 2011): the size times
//! the probability of a demand, smoothed at every step, so that it falls while nothing is sold. Both start from the means
//! of the whole history, so that a rate near 0 is the mean, and take the rates of the least squared one-step errors.

use serde::{Deserialize, Serialize};

use super::simplex::minimise;

/// The least and the greatest rate.
const RATES: (f64, f64) = (0.01, 0.5);

/// What a new value weighs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    size: f32,
    /// Of the interval or the probability.
    timing: f32,
}

impl Rates {
    /// The rates of the least squared errors that `run` shows.
    pub fn fit(run: impl Fn(Rates, &mut dyn FnMut(f64)) -> f64) -> Rates {
        let at = |share: f64| (RATES.0 + share * (RATES.1 - RATES.0)) as f32;
        let (best, _) = minimise([0.2, 0.2, 0.0, 0.0], &[0, 1], |point| {
            let (mut n, mut squares) = (0.0, f64::MIN_POSITIVE);
            run(Rates { size: at(point[0]), timing: at(point[1]) }, &mut |error| {
                n += 1.0;
                squares += error * error;
            });
            n * squares.ln()
        });
        Rates { size: at(best[0]), timing: at(best[1]) }
    }
}

/// The means over all known steps: the size of a demand, and how many of the steps have one.
fn means(values: &[f64]) -> (f64, f64) {
    let known = values.iter().filter(|value| !value.is_nan());
    let demands = known.clone().filter(|value| **value != 0.0);
    let count = demands.clone().count().max(1) as f64;
    (demands.sum::<f64>() / count, count / known.count() as f64)
}

/// Croston's mean behind the last value; every step's error goes to `see`.
pub fn croston(values: &[f64], rates: Rates, mut see: impl FnMut(f64)) -> f64 {
    let (size_rate, timing_rate) = (f64::from(rates.size), f64::from(rates.timing));
    let (mut size, share) = means(values);
    let (mut interval, mut since) = (1.0 / share, 1.0);
    let unbiased = 1.0 - timing_rate / 2.0;
    for value in values.iter().filter(|value| !value.is_nan()) {
        see(value - unbiased * size / interval);
        if *value == 0.0 {
            since += 1.0;
        } else {
            size += size_rate * (value - size);
            interval += timing_rate * (since - interval);
            since = 1.0;
        }
    }
    unbiased * size / interval
}

/// TSB's mean behind the last value; every step's error goes to `see`.
pub fn tsb(values: &[f64], rates: Rates, mut see: impl FnMut(f64)) -> f64 {
    let (size_rate, timing_rate) = (f64::from(rates.size), f64::from(rates.timing));
    let (mut size, mut share) = means(values);
    for value in values.iter().filter(|value| !value.is_nan()) {
        see(value - share * size);
        if *value == 0.0 {
            share -= timing_rate * share;
        } else {
            size += size_rate * (value - size);
            share += timing_rate * (1.0 - share);
        }
    }
    share * size
}
