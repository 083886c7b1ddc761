//! A trained prior, read and asked.

use candle_core::Device;
use sales_forecast::engine::classical::Method;
use sales_forecast::engine::options::LEVELS;
use sales_forecast::engine::prior::{Prior, decode};

/// Quantiles by step; of Theta alone where there is no prior.
pub fn forecast(members: &[Prior], history: &[f32], season: usize, horizon: usize) -> Vec<Vec<f32>> {
    if members.is_empty() {
        let fitted = Method::Theta.fit(history, season);
        let points = fitted.map_or(vec![0.0; horizon], |fitted| fitted.forecast(history, horizon));
        return points.into_iter().map(|x| vec![x; LEVELS.len()]).collect();
    }
    let mut sums = vec![vec![0.0; LEVELS.len() * horizon]];
    for prior in members {
        prior.add(&[history.to_vec()], 1.0 / members.len() as f32, horizon, &mut sums).expect("runs");
    }
    let not_negative = history.iter().all(|y| y.is_nan() || *y >= 0.0);
    let step = |values: &[f32]| {
        let mut values = values.to_vec();
        values.sort_by(f32::total_cmp);
        values.iter_mut().for_each(|x| *x = if not_negative { x.max(0.0) } else { *x });
        values
    };
    sums[0].chunks_exact(LEVELS.len()).map(step).collect()
}

pub fn load(path: &str) -> Prior {
    let bytes = std::fs::read(path).expect("a file");
    decode(&bytes, &Device::Cpu).unwrap_or_else(|_| {
        use sales_forecast::engine::{codec, network::Network};
        let (spec, tensors) = codec::decode(&bytes).expect("a prior");
        let sight = spec.get("sight").expect("a sight");
        let shape = spec.get("shape").expect("a shape");
        Prior { sight, network: Network::from_tensors(shape, tensors, &Device::Cpu).expect("a network") }
    })
}
