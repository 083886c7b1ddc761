//! Seasons by STL, and exponential smoothing of the rest: Bandara, Hyndman & Bergmeir (2021).

use serde::{Deserialize, Serialize};

use super::ets::Ets;
use super::known::interpolated;
use super::stl::Smoothers;

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

/// The seasonal parts by length of season, and what is left of the values; in one round, as a second over both seasons
/// changes errors by a thousandth.
fn split(values: &[f64], season: usize, smoothers: &Smoothers) -> (Vec<(usize, Vec<f64>)>, Vec<f64>) {
    let n = values.len();
    let seasons = [season, longer(season)].into_iter().filter(|season| *season > 1 && n >= 2 * season);
    let mut rest = interpolated(values);
    let mut part = |season: usize| {
        let part = smoothers.of(n, season).seasonal(&rest);
        rest.iter_mut().zip(&part).for_each(|(rest, seasonal)| *rest -= seasonal);
        (season, part)
    };
    let parts: Vec<(usize, Vec<f64>)> = seasons.map(&mut part).collect();
    rest.iter_mut().zip(values).filter(|(_, value)| value.is_nan()).for_each(|(rest, value)| *rest = *value);
    (parts, rest)
}

/// The season that comes with a shorter one: the week with a day, the year with a week of days; 1 where none does.
pub fn longer(season: usize) -> usize {
    match season {
        7 => 365,
        24 | 48 | 96 | 144 | 288 => 7 * season,
        _ => 1,
    }
}
