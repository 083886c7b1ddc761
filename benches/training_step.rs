//! Samples a second of one training step, for three shapes: `cargo bench --bench training_step`.

use std::time::Instant;

use candle_core::Device;
use sales_forecast::engine::config::{Activation, Loss, Optimizer};
use sales_forecast::engine::network::{Architecture, Batch, Network, Recipe, Shape, Trainer};

fn main() {
    println!("{:>18} {:>6} {:>8} {:>14}", "network", "batch", "threads", "samples/s of five runs");
    for (widths, rows) in [(vec![3, 128, 1], 32), (vec![64, 256, 256, 28], 256), (vec![128, 512, 512, 28], 1024)] {
        for threads in [1, 2] {
            let name = widths.iter().map(usize::to_string).collect::<Vec<_>>().join("-");
            let rates = rates(&widths, rows, threads).map(|rate| format!("{rate:.0}")).join(" ");
            println!("{name:>18} {rows:>6} {threads:>8} {rates}");
        }
    }
}

/// Of five runs of at least a third of a second.
fn rates(widths: &[usize], rows: usize, threads: usize) -> [f64; 5] {
    let (inputs, outputs) = (widths[0], widths[widths.len() - 1]);
    let shape = Shape {
        numeric: inputs,
        embeddings: Vec::new(),
        architecture: Architecture::Chain,
        hidden: widths[1..widths.len() - 1].to_vec(),
        activation: Activation::Relu,
        layer_norm: false,
        dropout: 0.0,
        residual: false,
        skip: false,
        offset: None,
        outputs,
    };
    let recipe =
        Recipe { loss: Loss::Mse, optimizer: Optimizer::AdamW, weight_decay: 0.01, clip: None, threads, seed: 1 };
    let wave = |count: usize| (0..count).map(|i| (i as f32 * 0.7).sin()).collect::<Vec<f32>>();
    let (numeric, target) = (wave(rows * inputs), wave(rows * outputs));
    let batch = Batch { rows, numeric, target, codes: Vec::new(), weight: vec![1.0; rows * outputs] };
    let mut trainer = Trainer::new(Network::new(shape, 1, &Device::Cpu), recipe).expect("threads");
    std::array::from_fn(|_| {
        let (started, mut steps) = (Instant::now(), 0);
        while started.elapsed().as_secs_f64() < 0.35 {
            (0..10).for_each(|_| assert!(trainer.step(&batch, 1e-4).expect("CPU").is_finite()));
            steps += 10;
        }
        (steps * rows) as f64 / started.elapsed().as_secs_f64()
    })
}
