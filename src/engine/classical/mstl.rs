//! Seasons by STL, and exponential smoothing of the rest: Bandara, Hyndman & Bergmeir (2021).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ets::Ets;
use super::known::interpolated;
use super::stl::{Smoothers, Stl};

/// Rounds over several seasons.
const ROUNDS: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Mstl {
    rest: Ets,
}

impl Mstl {
    pub fn fit(values: &[f64], season: usize) -> Option<Mstl> {
        let (_, rest) = split(values, season, &Smoothers::default());
        Some(Mstl { rest: Ets::fit(&rest, 1)? })
    }

    /// The next `steps` values.
    pub fn path(&self, values: &[f64], season: usize, steps: usize, smoothers: &Smoothers) -> Vec<f64> {
        let (parts, rest) = split(values, season, smoothers);
        let mut path = self.rest.path(&rest, 1, steps);
        for (season, part) in parts {
            let last = part[part.len() - season..].iter().cycle();
            path.iter_mut().zip(last).for_each(|(value, seasonal)| *value += seasonal);
        }
        path
    }
}

/// The seasonal parts by length of season, and what is left of the values.
fn split(values: &[f64], season: usize, smoothers: &Smoothers) -> (Vec<(usize, Vec<f64>)>, Vec<f64>) {
    let n = values.len();
    let seasons = [season, longer(season)].into_iter().filter(|season| *season > 1 && n >= 2 * season);
    let stl: Vec<Arc<Stl>> = seasons.map(|season| smoothers.of(n, season)).collect();
    let mut parts: Vec<Vec<f64>> = vec![vec![0.0; n]; stl.len()];
    let mut rest = interpolated(values);
    for _ in 0..if stl.len() > 1 { ROUNDS } else { 1 } {
        for (stl, part) in stl.iter().zip(&mut parts) {
            rest.iter_mut().zip(&*part).for_each(|(rest, seasonal)| *rest += seasonal);
            *part = stl.seasonal(&rest);
            rest.iter_mut().zip(&*part).for_each(|(rest, seasonal)| *rest -= seasonal);
        }
    }
    rest.iter_mut().zip(values).filter(|(_, value)| value.is_nan()).for_each(|(rest, value)| *rest = *value);
    (stl.iter().map(|stl| stl.season).zip(parts).collect(), rest)
}

/// The season that comes with a shorter one: the week with a day, the year with a week of days; 1 where none does.
pub fn longer(season: usize) -> usize {
    match season {
        7 => 365,
        24 | 48 | 96 | 144 | 288 => 7 * season,
        _ => 1,
    }
}
