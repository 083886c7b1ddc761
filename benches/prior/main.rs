//! Trains the networks that know forecasting before they see a table, on drawn series alone.

mod prior;
mod synthetic;

use prior::{forecast, load};
use sales_forecast::engine::prior::{Prior, Sight, encode};

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Instant;

use candle_core::Device;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use sales_forecast::engine::config::{Activation, Loss, Optimizer, Schedule};
use sales_forecast::engine::metrics::scale;
use sales_forecast::engine::network::{Architecture, Batch, Network, Recipe, Shape, Trainer, learning_rate};
use sales_forecast::engine::options::LEVELS;

fn histories(path: &str) -> Vec<Vec<f32>> {
    let output = Command::new("zcat").arg(path).output().expect("zcat runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().expect("a header").split(',').collect();
    let at = names.iter().position(|name| *name == "y").expect("y");
    let mut order = Vec::new();
    let mut all: BTreeMap<String, Vec<f32>> = BTreeMap::new();
    for line in lines {
        let fields: Vec<&str> = line.split(',').collect();
        let missing = if path.contains("carparts") { 0.0 } else { f32::NAN };
        let series = all.entry(fields[0].to_string()).or_insert_with(|| {
            order.push(fields[0].to_string());
            Vec::new()
        });
        series.push(fields[at].parse().unwrap_or(missing));
    }
    order.iter().map(|key| all[key].clone()).collect()
}

fn evaluate(members: &[Prior], set: &str) {
    // path:horizon:back:season
    let parts: Vec<&str> = set.split(':').collect();
    let number = |at: usize| parts[at].parse::<usize>().expect("a number");
    let (horizon, back, season) = (number(1), number(2), number(3));
    let (mut mase, mut n, mut pinball, mut actual_sum, mut inside, mut rmsse, mut series_n) =
        (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
    let scores: Vec<_> = histories(parts[0])
        .par_iter()
        .filter_map(|values| {
            let end = values.len().checked_sub(horizon * back)?;
            let origin = end.checked_sub(horizon).filter(|origin| *origin > season)?;
            let history = &values[..origin];
            Some((scale(history, season), forecast(members, history, season, horizon), values[origin..end].to_vec()))
        })
        .collect();
    for (scale, levels, actual) in scores {
        let (mut squares, mut count) = (0.0, 0.0);
        for (y, q) in actual.iter().zip(&levels) {
            if y.is_nan() || scale.absolute <= 0.0 || scale.absolute.is_nan() {
                continue;
            }
            let e = f64::from(q[5] - y);
            mase += e.abs() / scale.absolute;
            n += 1.0;
            let mean = f64::from(q[1..10].iter().sum::<f32>() / 9.0);
            squares += (mean - f64::from(*y)).powi(2);
            count += 1.0;
            actual_sum += f64::from(y.abs());
            for (level, value) in LEVELS.iter().zip(q).skip(1).take(9) {
                let d = f64::from(y - value);
                pinball += 2.0 / 9.0 * if d >= 0.0 { d * f64::from(*level) } else { d * f64::from(level - 1.0) };
            }
            inside += f64::from(u8::from(q[1] <= *y && *y <= q[9]));
        }
        if count > 0.0 {
            rmsse += (squares / count / scale.squared).sqrt();
            series_n += 1.0;
        }
    }
    let name = parts[0].rsplit('/').next().unwrap_or_default().trim_end_matches(".csv.gz");
    println!(
        "  {name:20} back {back}: mase {:.4} wql {:.4} rmsse(mean) {:.4} cov80 {:.3}",
        mase / n,
        pinball / actual_sum,
        rmsse / series_n,
        inside / n
    );
}

/// Goes on learning from the windows of a set before its origin.
fn tune(member: Prior, set: &str, steps: usize, peak: f32) -> Prior {
    let parts: Vec<&str> = set.split(':').collect();
    let number = |at: usize| parts[at].parse::<usize>().expect("a number");
    let (horizon, back, season) = (number(1), number(2), number(3));
    let known: Vec<Vec<f32>> = histories(parts[0])
        .into_iter()
        .filter_map(|mut values| {
            values.truncate(values.len().checked_sub(horizon * (back + 1))?);
            Some(values)
        })
        .collect();
    let scales: Vec<f32> = known.iter().map(|values| scale(values, season).absolute as f32).collect();
    let mut origins = Vec::new();
    for (series, values) in known.iter().enumerate() {
        for origin in season + 1..(values.len() + 1).saturating_sub(horizon) {
            origins.push((series, origin));
        }
    }
    let Prior { sight, network } = member;
    let recipe = Recipe {
        loss: Loss::Pinball { levels: LEVELS.to_vec() },
        optimizer: Optimizer::AdamW,
        weight_decay: 0.0,
        clip: Some(5.0),
        threads: 2,
        seed: 7,
    };
    let mut trainer = Trainer::new(network, recipe).expect("starts");
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let rows = 128;
    let (width, long) = (sight.width(), sight.horizon);
    for step in 0..steps {
        let mut batch = Batch {
            rows,
            numeric: vec![0.0; rows * width],
            codes: Vec::new(),
            target: vec![0.0; rows * long],
            weight: vec![0.0; rows * long],
        };
        for row in 0..rows {
            let (series, origin) = origins[random.random_range(0..origins.len())];
            let values = &known[series];
            let start = random.random_range(0..origin - season);
            let norm = sight.inputs(&values[start..origin], &mut batch.numeric[row * width..][..width]);
            let level = norm.log_level.map_or(1.0, |_| 1.0 + norm.center.abs().min(30.0).exp_m1());
            let share = norm.scale * level / scales[series];
            let share = if share.is_finite() && share > 0.0 { share.min(20.0) } else { 1.0 };
            for at in 0..long.min(values.len() - origin).min(horizon) {
                let value = values[origin + at];
                if !value.is_nan() {
                    batch.target[row * long + at] = norm.compress(value).clamp(-50.0, 50.0);
                    batch.weight[row * long + at] = share;
                }
            }
        }
        trainer.step(&batch, learning_rate(Schedule::Cosine, peak, step, steps)).expect("learns");
    }
    Prior { sight, network: trainer.finish().expect("ends") }
}

fn env(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn batch(sight: &Sight, rows: usize, seed: u64) -> Batch {
    let (width, horizon) = (sight.width(), sight.horizon);
    const PER_SERIES: usize = 4;
    let mut batch = Batch {
        rows,
        numeric: vec![0.0; rows * width],
        codes: Vec::new(),
        target: vec![0.0; rows * horizon],
        weight: vec![0.0; rows * horizon],
    };
    let chunks = batch
        .numeric
        .par_chunks_mut(PER_SERIES * width)
        .zip(batch.target.par_chunks_mut(PER_SERIES * horizon))
        .zip(batch.weight.par_chunks_mut(PER_SERIES * horizon));
    chunks.enumerate().for_each(|(index, ((numeric, target), weight))| {
        let mut random = ChaCha8Rng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(index as u64));
        const LEAST: usize = 3;
        let longest = sight.lookback.max(sight.blocks * sight.season);
        let least = LEAST.max((longest as f32 * random.random::<f32>().powf(0.6)) as usize);
        let length = least + horizon + random.random_range(0..=sight.season);
        let values = synthetic::series(&mut random, length, sight.season);
        let rows =
            numeric.chunks_exact_mut(width).zip(target.chunks_exact_mut(horizon)).zip(weight.chunks_exact_mut(horizon));
        for ((numeric, target), weight) in rows {
            let origin = random.random_range(least..=length - horizon);
            let history = &values[..origin];
            let norm = sight.inputs(history, numeric);
            let seasonal = scale(history, sight.season).absolute as f32;
            let level = norm.log_level.map_or(1.0, |_| 1.0 + norm.center.abs().min(30.0).exp_m1());
            let share = norm.scale * level / seasonal;
            let share = if share.is_finite() && share > 0.0 { share.min(10.0) } else { 0.3 };
            for (at, (target, weight)) in target.iter_mut().zip(weight).enumerate() {
                let value = values[origin + at];
                (*target, *weight) = match value.is_nan() {
                    true => (0.0, 0.0),
                    false => (norm.compress(value).clamp(-50.0, 50.0), share),
                };
            }
        }
    });
    batch
}

fn main() {
    let sets: Vec<String> = std::env::var("SETS").unwrap_or_default().split_whitespace().map(String::from).collect();
    let output = std::env::var("OUT").ok();
    if let Ok(file) = std::env::var("CONVERT") {
        std::fs::write(output.expect("OUT"), encode(&load(&file)).expect("fits")).expect("written");
        return;
    }
    if let Ok(files) = std::env::var("MEMBERS") {
        let members: Vec<Prior> = files.split(',').filter(|file| *file != "theta").map(load).collect();
        sets.iter().for_each(|set| evaluate(&members, set));
        if let Some(steps) = std::env::var("TUNE").ok().and_then(|text| text.parse().ok()) {
            let rate: f32 = std::env::var("RATE").ok().and_then(|text| text.parse().ok()).unwrap_or(3e-4);
            for set in &sets {
                let started = Instant::now();
                let tuned: Vec<Prior> = files.split(',').map(|file| tune(load(file), set, steps, rate)).collect();
                println!(" tuned {steps} at {rate} in {:.1} s", started.elapsed().as_secs_f64());
                evaluate(&tuned, set);
                let both: Vec<Prior> = files.split(',').map(load).chain(tuned).collect();
                evaluate(&both, set);
            }
        }
        return;
    }
    let season = env("SEASON", 12);
    let sight = Sight {
        season,
        lookback: env("LOOKBACK", 60),
        blocks: env("BLOCKS", 8),
        horizon: env("HORIZON", 24),
        log: env("LOG", 0) == 1,
    };
    let (width, depth, steps, rows) = (env("WIDTH", 256), env("DEPTH", 3), env("STEPS", 5000), env("ROWS", 512));
    let peak = std::env::var("RATE").ok().and_then(|text| text.parse().ok()).unwrap_or(1e-3);
    let seed = env("SEED", 1) as u64;
    let shape = Shape {
        numeric: sight.width(),
        embeddings: Vec::new(),
        architecture: Architecture::Chain,
        hidden: vec![width; depth],
        activation: Activation::Relu,
        layer_norm: env("NORM", 0) == 1,
        dropout: 0.0,
        residual: true,
        skip: true,
        offset: None,
        outputs: sight.horizon * LEVELS.len(),
    };
    let recipe = Recipe {
        loss: Loss::Pinball { levels: LEVELS.to_vec() },
        optimizer: Optimizer::AdamW,
        weight_decay: 0.0,
        clip: Some(5.0),
        threads: env("THREADS", 2),
        seed,
    };
    let network = Network::new(shape.clone(), seed, &Device::Cpu);
    let mut trainer = Trainer::new(network, recipe).expect("starts");
    let started = Instant::now();
    let (mut sum, mut drawing) = (0.0, 0.0);
    for step in 0..steps {
        let begun = Instant::now();
        let rows = batch(&sight, rows, seed.wrapping_mul(0x9E37_79B9).wrapping_add(step as u64));
        drawing += begun.elapsed().as_secs_f64();
        sum += trainer.step(&rows, learning_rate(Schedule::Cosine, peak, step, steps)).expect("learns");
        if (step + 1) % 1000 == 0 {
            eprintln!(
                "step {}: loss {:.4}, {:.0} s ({:.0} s drawing)",
                step + 1,
                sum / 1000.0,
                started.elapsed().as_secs_f64(),
                drawing
            );
            sum = 0.0;
        }
    }
    let members = [Prior { sight, network: trainer.finish().expect("ends") }];
    sets.iter().for_each(|set| evaluate(&members, set));
    if let Some(path) = output {
        std::fs::write(path, encode(&members[0]).expect("fits")).expect("written");
    }
}
