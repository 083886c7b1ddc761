//! Series drawn from a prior over what histories look like: trends, seasons, noise, counts, shifts.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

pub fn normal(random: &mut ChaCha8Rng) -> f64 {
    let u: f64 = random.random::<f64>().max(1e-12);
    let v: f64 = random.random();
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

fn log_uniform(random: &mut ChaCha8Rng, low: f64, high: f64) -> f64 {
    (low.ln() + random.random::<f64>() * (high / low).ln()).exp()
}

fn poisson(random: &mut ChaCha8Rng, mean: f64) -> f64 {
    if mean > 50.0 {
        return (mean + mean.sqrt() * normal(random)).round().max(0.0);
    }
    let limit = (-mean).exp();
    let (mut count, mut product) = (0.0, random.random::<f64>());
    while product > limit {
        count += 1.0;
        product *= random.random::<f64>();
    }
    count
}

fn gamma(random: &mut ChaCha8Rng, shape: f64) -> f64 {
    if shape < 1.0 {
        return gamma(random, shape + 1.0) * random.random::<f64>().max(1e-12).powf(1.0 / shape);
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = normal(random);
        let v = (1.0 + c * x).powi(3);
        if v > 0.0 && random.random::<f64>().max(1e-12).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return d * v;
        }
    }
}

/// The season's pattern, mean 0, size about 1.
fn pattern(random: &mut ChaCha8Rng, season: usize) -> Vec<f64> {
    let mut values: Vec<f64> = match random.random_range(0..3) {
        0 => (0..season).map(|_| normal(random)).collect(),
        kind => {
            let waves = random.random_range(1..=if kind == 1 { 2 } else { (season / 2).clamp(1, 6) });
            let mut values = vec![0.0; season];
            for wave in 1..=waves {
                let (a, b) = (normal(random) / wave as f64, normal(random) / wave as f64);
                for (at, value) in values.iter_mut().enumerate() {
                    let angle = std::f64::consts::TAU * (wave * at) as f64 / season as f64;
                    *value += a * angle.cos() + b * angle.sin();
                }
            }
            values
        }
    };
    let mean = values.iter().sum::<f64>() / season as f64;
    values.iter_mut().for_each(|value| *value -= mean);
    let size = (values.iter().map(|x| x * x).sum::<f64>() / season as f64).sqrt().max(1e-9);
    values.iter_mut().for_each(|value| *value /= size);
    values
}

/// A path without season or noise, its steps of size about 1 relative to `noise`.
fn trend(random: &mut ChaCha8Rng, length: usize) -> Vec<f64> {
    let mut path = vec![0.0; length];
    // Local level with a damped, wandering slope.
    if random.random::<f64>() < 0.85 {
        let walk = if random.random::<f64>() < 0.75 { log_uniform(random, 0.01, 3.0) } else { 0.0 };
        let slope_walk = if random.random::<f64>() < 0.3 { log_uniform(random, 0.002, 0.3) } else { 0.0 };
        let damping = if random.random::<f64>() < 0.7 { 0.8 + 0.19 * random.random::<f64>() } else { 1.0 };
        let revert = if random.random::<f64>() < 0.25 { 0.6 + 0.4 * random.random::<f64>() } else { 1.0 };
        let drift = if random.random::<f64>() < 0.5 { log_uniform(random, 0.003, 0.3) * sign(random) } else { 0.0 };
        let momentum = if random.random::<f64>() < 0.3 { 0.9 * random.random::<f64>() - 0.3 } else { 0.0 };
        let (mut level, mut slope, mut last) =
            (0.0, if random.random::<f64>() < 0.4 { 0.2 * normal(random) } else { 0.0 }, 0.0);
        for value in &mut path {
            slope = damping * slope + slope_walk * normal(random);
            last = momentum * last + walk * normal(random);
            level = revert * level + slope + drift + last;
            *value = level;
        }
    }
    // Piecewise lines.
    if random.random::<f64>() < 0.25 {
        let breaks = random.random_range(0..4);
        let mut slope = log_uniform(random, 0.005, 0.3) * sign(random);
        let mut level = 0.0;
        for value in &mut path {
            if random.random::<f64>() < breaks as f64 / length as f64 {
                slope = if random.random::<f64>() < 0.3 { 0.0 } else { log_uniform(random, 0.005, 0.3) * sign(random) };
            }
            level += slope;
            *value += level;
        }
    }
    // Slow waves without a fixed season.
    if random.random::<f64>() < 0.25 {
        for _ in 0..random.random_range(1..4) {
            let period = log_uniform(random, 15.0, 300.0);
            let (phase, size) = (std::f64::consts::TAU * random.random::<f64>(), log_uniform(random, 0.3, 5.0));
            for (at, value) in path.iter_mut().enumerate() {
                *value += size * (std::f64::consts::TAU * at as f64 / period + phase).sin();
            }
        }
    }
    // Level shifts.
    if random.random::<f64>() < 0.2 {
        let often = random.random::<f64>() * 3.0 / length as f64;
        let mut shift = 0.0;
        for value in &mut path {
            if random.random::<f64>() < often {
                shift += 4.0 * normal(random);
            }
            *value += shift;
        }
    }
    path
}

/// What a second, longer season adds, of size about 1: a week of days or hours, a year of days; zeros where there is none.
fn longer(random: &mut ChaCha8Rng, length: usize, season: usize) -> Vec<f64> {
    let mut path = vec![0.0; length];
    match season {
        24 if random.random::<f64>() < 0.7 => {
            let days: Vec<f64> = match random.random::<f64>() < 0.7 {
                true => {
                    let (weekend, friday) = (1.5 * normal(random), 0.4 * normal(random));
                    (0..7).map(|day| [0.0, 0.0, 0.0, 0.0, friday, weekend, weekend + friday][day]).collect()
                }
                false => (0..7).map(|_| normal(random)).collect(),
            };
            // The profile of some days is another one, not only their level.
            let other = pattern(random, 24);
            let share = if random.random::<f64>() < 0.5 { random.random::<f64>() } else { 0.0 };
            let start = random.random_range(0..168);
            for (at, value) in path.iter_mut().enumerate() {
                let hour = (at + start) % 168;
                let day = days[hour / 24];
                *value = day * (1.0 - share) + share * day * other[hour % 24];
            }
        }
        7 if random.random::<f64>() < 0.6 => {
            let waves = random.random_range(1..5);
            let start = random.random_range(0..365);
            let waves: Vec<(f64, f64)> =
                (1..=waves).map(|w| (normal(random) / w as f64, normal(random) / w as f64)).collect();
            let peak = if random.random::<f64>() < 0.3 {
                (random.random_range(0..365), 2.0 * normal(random))
            } else {
                (0, 0.0)
            };
            for (at, value) in path.iter_mut().enumerate() {
                let day = (at + start) % 365;
                for (wave, (a, b)) in waves.iter().enumerate() {
                    let angle = std::f64::consts::TAU * ((wave + 1) * day) as f64 / 365.0;
                    *value += a * angle.cos() + b * angle.sin();
                }
                if day.abs_diff(peak.0) < 14 {
                    *value += peak.1 * (1.0 - day.abs_diff(peak.0) as f64 / 14.0);
                }
            }
        }
        _ => {}
    }
    path
}

/// Demand that is mostly zero.
fn intermittent(random: &mut ChaCha8Rng, length: usize, season: usize) -> Vec<f32> {
    let rate = log_uniform(random, 0.02, 3.0);
    let shape = pattern(random, season.max(1));
    let amplitude = if random.random::<f64>() < 0.35 { log_uniform(random, 0.1, 1.0) } else { 0.0 };
    let walk = if random.random::<f64>() < 0.5 { log_uniform(random, 0.01, 0.2) } else { 0.0 };
    let drift = if random.random::<f64>() < 0.4 { 2.0 * normal(random) / length as f64 } else { 0.0 };
    let dispersion = log_uniform(random, 0.2, 30.0);
    let pack = if random.random::<f64>() < 0.15 { f64::from(random.random_range(2..13)) } else { 1.0 };
    let sizes = if random.random::<f64>() < 0.3 { log_uniform(random, 1.0, 20.0) } else { 0.0 };
    let ends = if random.random::<f64>() < 0.1 { random.random_range(length / 3..length) } else { length };
    let burn = random.random_range(0..season.max(1));
    let mut level = 0.0;
    (0..length)
        .map(|at| {
            level += walk * normal(random) + drift;
            let mean = rate * (level + amplitude * shape[(at + burn) % season.max(1)]).clamp(-5.0, 3.0).exp();
            let mean = if at >= ends { 0.02 * mean } else { mean };
            let mean = mean * gamma(random, dispersion) / dispersion;
            let orders = poisson(random, mean);
            let count =
                (0..orders.min(1000.0) as usize).map(|_| 1.0 + if sizes > 0.0 { poisson(random, sizes) } else { 0.0 });
            (pack * count.sum::<f64>()) as f32
        })
        .collect()
}

fn sign(random: &mut ChaCha8Rng) -> f64 {
    if random.random::<f64>() < 0.5 { -1.0 } else { 1.0 }
}

/// A series of any kind.
fn broad(random: &mut ChaCha8Rng, length: usize, season: usize) -> Vec<f32> {
    let noise = log_uniform(random, 0.005, 0.6);
    let path = trend(random, length);
    let amplitude = if season > 1 && random.random::<f64>() < 0.7 { log_uniform(random, 0.2, 12.0) } else { 0.0 };
    let mut shape = pattern(random, season.max(1));
    let long = longer(random, length, season);
    let long_size = log_uniform(random, 0.1, 8.0);
    let evolve = if random.random::<f64>() < 0.35 { log_uniform(random, 0.01, 0.25) } else { 0.0 };
    let grows = if random.random::<f64>() < 0.2 { 1.5 * normal(random) / length as f64 } else { 0.0 };
    let arma = if random.random::<f64>() < 0.4 { 1.2 * random.random::<f64>() - 0.4 } else { 0.0 };
    let heavy = if random.random::<f64>() < 0.25 { 0.03 } else { 0.0 };
    let white = if random.random::<f64>() < 0.8 { 1.0 } else { 0.1 };
    let size = log_uniform(random, 1.0, 3000.0);
    let additive = random.random::<f64>() < 0.4;
    let count = random.random::<f64>();
    let dispersion = log_uniform(random, 0.5, 100.0);
    let burn = random.random_range(0..season.max(2));
    let offset = if additive { log_uniform(random, 0.3, 10.0) } else { 0.0 };
    let mut error = 0.0;
    let mut values = Vec::with_capacity(length);
    for (at, level) in path.into_iter().enumerate() {
        let position = (at + burn) % season.max(1);
        if evolve > 0.0 {
            shape[position] += evolve * normal(random);
        }
        let mut shock = white * normal(random);
        if heavy > 0.0 && random.random::<f64>() < heavy {
            shock *= 6.0;
        }
        error = arma * error + shock;
        let season = amplitude * (1.0 + grows * at as f64) * shape[position] + long_size * long[at];
        let signal = noise * (level + season);
        let value = if additive {
            let value = size * (offset + signal + noise * error);
            if count < 0.4 { value.round() } else { value }
        } else if count < 0.5 {
            let mean = (size.min(200.0) * 0.2 * signal.clamp(-6.0, 6.0).exp()).min(1e5);
            let mean = if dispersion < 50.0 { mean * gamma(random, dispersion) / dispersion } else { mean };
            poisson(random, mean)
        } else {
            size * (signal + noise * error).clamp(-8.0, 8.0).exp()
        };
        values.push(value as f32);
    }
    if values.iter().all(|x| *x >= 0.0) && additive {
        return values;
    }
    // Most sales never fall below zero; half of the additive ones that do are cut there.
    if additive && random.random::<f64>() < 0.5 {
        values.iter_mut().for_each(|x| *x = x.max(0.0));
    }
    values
}

/// A series whose noise outweighs its walk, as sales of one product do.
fn steady(random: &mut ChaCha8Rng, length: usize, season: usize) -> Vec<f32> {
    let noise = log_uniform(random, 0.02, 0.8);
    let walk = if random.random::<f64>() < 0.7 { noise * log_uniform(random, 0.01, 0.7) } else { 0.0 };
    let slope_walk = if random.random::<f64>() < 0.25 { noise * log_uniform(random, 0.001, 0.05) } else { 0.0 };
    let damping = if random.random::<f64>() < 0.7 { 0.8 + 0.19 * random.random::<f64>() } else { 1.0 };
    let mut slope = if random.random::<f64>() < 0.5 { noise * 0.08 * normal(random) } else { 0.0 };
    let drift = if random.random::<f64>() < 0.4 { noise * 0.03 * normal(random) } else { 0.0 };
    let amplitude =
        if season > 1 && random.random::<f64>() < 0.65 { noise * log_uniform(random, 0.2, 6.0) } else { 0.0 };
    let mut shape = pattern(random, season.max(1));
    let long = longer(random, length, season);
    let long_size = noise * log_uniform(random, 0.1, 4.0);
    let evolve = if random.random::<f64>() < 0.3 { log_uniform(random, 0.01, 0.2) } else { 0.0 };
    let revert = if random.random::<f64>() < 0.3 { 0.7 + 0.3 * random.random::<f64>() } else { 1.0 };
    let arma = if random.random::<f64>() < 0.4 { 1.2 * random.random::<f64>() - 0.3 } else { 0.0 };
    let heavy = random.random::<f64>() < 0.2;
    let shifts = if random.random::<f64>() < 0.25 { 1.5 / length as f64 } else { 0.0 };
    let mut level = 0.0;
    let mut error = 0.0;
    let size = log_uniform(random, 1.0, 1000.0);
    let kind = random.random::<f64>();
    let additive = kind < 0.35;
    let count = random.random::<f64>() < 0.5;
    let dispersion = log_uniform(random, 0.5, 100.0);
    let burn = random.random_range(0..season.max(2));
    let mut values = Vec::with_capacity(length);
    for (at, long) in long.into_iter().enumerate() {
        slope = damping * slope + slope_walk * normal(random);
        level = revert * level + slope + drift + walk * normal(random);
        if random.random::<f64>() < shifts {
            level += noise * 4.0 * normal(random);
        }
        let position = (at + burn) % season.max(1);
        if evolve > 0.0 {
            shape[position] += evolve * normal(random);
        }
        let mut shock = normal(random);
        if heavy && random.random::<f64>() < 0.05 {
            shock *= 5.0;
        }
        error = arma * error + noise * shock;
        let signal = level + amplitude * shape[position] + long_size * long;
        let value = if additive {
            let value = size * (1.0 + signal + error);
            if count { value.round() } else { value }
        } else if count {
            let mean = (size.min(200.0) * 0.2 * signal.clamp(-6.0, 6.0).exp()).min(1e5);
            let mean = mean * gamma(random, dispersion) / dispersion;
            poisson(random, mean)
        } else {
            size * (signal + error).clamp(-8.0, 8.0).exp()
        };
        values.push(value as f32);
    }
    values
}

/// One series of `length` values; NaN where it is unknown.
pub fn series(random: &mut ChaCha8Rng, length: usize, season: usize) -> Vec<f32> {
    let mut values = match random.random::<f64>() {
        x if x < 0.42 => steady(random, length, season),
        x if x < 0.84 => broad(random, length, season),
        _ => intermittent(random, length, season),
    };
    if random.random::<f64>() < 0.08 {
        let share = 0.2 * random.random::<f64>();
        values.iter_mut().for_each(|x| {
            if random.random::<f64>() < share {
                *x = f32::NAN;
            }
        });
    }
    values
}
