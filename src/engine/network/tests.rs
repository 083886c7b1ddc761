//! The fused step against candle's autograd, finite differences, least squares, and itself on other thread counts.

use candle_core::Device;

use super::super::super::config::{Activation, Loss, Optimizer, Schedule};
use super::super::{Embedding, Shape, learning_rate};
use super::*;

fn shape() -> Shape {
    Shape {
        numeric: 5,
        embeddings: vec![Embedding { cardinality: 4, width: 3 }, Embedding { cardinality: 3, width: 2 }],
        hidden: vec![8, 8, 6],
        activation: Activation::Tanh,
        layer_norm: true,
        dropout: 0.0,
        residual: true,
        skip: true,
        outputs: 6,
    }
}

fn recipe(loss: Loss, threads: usize) -> Recipe {
    Recipe { loss, optimizer: Optimizer::AdamW, weight_decay: 0.0, clip: None, threads, seed: 1 }
}

/// Fixed pseudo-random rows; one target in seven is unknown.
fn batch(shape: &Shape, rows: usize, targets: usize) -> Batch {
    let mut random = ChaCha8Rng::seed_from_u64(9);
    let mut draw = move || random.next_u32() as f32 / u32::MAX as f32 * 2.0 - 1.0;
    let columns = shape.embeddings.len();
    let numeric = (0..rows * shape.numeric).map(|_| draw()).collect();
    let target: Vec<f32> = (0..rows * targets).map(|i| if i % 7 == 3 { f32::NAN } else { 2.0 * draw() }).collect();
    let weight = target.iter().map(|t| if t.is_nan() { 0.0 } else { 1.0 + draw() * 0.5 }).collect();
    Batch { rows, numeric, codes: (0..rows * columns).map(|i| (i * 7 % 5) as u32).collect(), target, weight }
}

fn losses() -> [Loss; 4] {
    [Loss::Mse, Loss::Mae, Loss::Huber { delta: 0.7 }, Loss::Pinball { levels: vec![0.1, 0.5, 0.9] }]
}

fn gradients(shape: &Shape, loss: &Loss, batch: &Batch) -> (Vec<f32>, Vec<f32>, f32, f32) {
    let network = Network::new(shape.clone(), 3, &Device::Cpu);
    let resident = Resident::new(&network.plan, &network.parameters, &Device::Cpu).expect("CPU tensors");
    let mut ours = Trainer::new(network.clone(), recipe(loss.clone(), 1)).expect("one thread");
    let our_loss = ours.fused_gradient(batch);
    let (their_loss, tensors) =
        resident.gradients(shape, &network.plan, &recipe(loss.clone(), 1), batch).expect("CPU tensors");
    let values = |tensor: &candle_core::Tensor| tensor.flatten_all().and_then(|x| x.to_vec1::<f32>()).expect("f32");
    let mut theirs = vec![0.0; network.plan.parameters];
    for (slot, tensor) in network.plan.slots().zip(&tensors) {
        slot.of_mut(&mut theirs).copy_from_slice(&values(tensor));
    }
    (ours.gradient, theirs, our_loss, their_loss)
}

fn assert_close(ours: &[f32], theirs: &[f32], what: &str) {
    let size = theirs.iter().fold(0f32, |most, x| most.max(x.abs()));
    for (ours, theirs) in ours.iter().zip(theirs) {
        assert!((ours - theirs).abs() <= 1e-5 * size.max(1.0), "{what}: {ours} is not {theirs}");
    }
}

#[test]
fn gradients_equal_autograd_for_every_kind_of_layer_and_loss() {
    for activation in [Activation::Relu, Activation::Sigmoid, Activation::Tanh, Activation::Gelu, Activation::Silu] {
        for loss in losses() {
            for (layer_norm, residual, skip) in [(true, true, true), (false, false, false), (false, true, true)] {
                let outputs = 2 * loss.outputs();
                let shape = Shape { activation, layer_norm, residual, skip, outputs, ..shape() };
                let batch = batch(&shape, 150, 2);
                let (ours, theirs, our_loss, their_loss) = gradients(&shape, &loss, &batch);
                assert_close(&ours, &theirs, &format!("{activation:?} {loss:?} {layer_norm}"));
                assert!((our_loss - their_loss).abs() < 1e-5, "{our_loss} is not {their_loss}");
            }
        }
    }
}

#[test]
fn gradients_of_a_linear_model_equal_autograd() {
    for embeddings in [Vec::new(), shape().embeddings] {
        let shape = Shape { hidden: Vec::new(), outputs: 2, embeddings, ..shape() };
        let (ours, theirs, ..) = gradients(&shape, &Loss::Mse, &batch(&shape, 40, 2));
        assert_close(&ours, &theirs, "linear");
    }
}

#[test]
fn gradients_equal_finite_differences() {
    let shape = Shape { outputs: 2, ..shape() };
    let batch = batch(&shape, 20, 2);
    let network = Network::new(shape, 3, &Device::Cpu);
    let mut trainer = Trainer::new(network, recipe(Loss::Mse, 1)).expect("one thread");
    trainer.fused_gradient(&batch);
    let gradient = trainer.gradient.clone();
    for index in (0..gradient.len()).step_by(11) {
        let mut at = |by: f32| {
            trainer.network.parameters[index] += by;
            let loss = trainer.loss(&batch).expect("CPU");
            trainer.network.parameters[index] -= by;
            loss
        };
        let difference = (at(1e-2) - at(-1e-2)) / 2e-2;
        assert!((difference - gradient[index]).abs() < 5e-3, "{index}: {difference} is not {}", gradient[index]);
    }
}

fn trained(threads: usize, seed: u64) -> Vec<f32> {
    let shape = Shape { dropout: 0.2, outputs: 2, ..shape() };
    let batch = batch(&shape, 300, 2);
    let network = Network::new(shape, seed, &Device::Cpu);
    let mut trainer = Trainer::new(network, recipe(Loss::Mse, threads)).expect("threads");
    (0..20).for_each(|_| assert!(trainer.step(&batch, 0.01).expect("CPU").is_finite()));
    trainer.finish().expect("CPU").parameters
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_any_number_of_threads() {
    assert_eq!(trained(1, 3), trained(1, 3));
    assert_eq!(trained(1, 3), trained(2, 3));
    assert_ne!(trained(1, 3), trained(1, 4));
}

/// What CUDA runs, on the CPU: dropout, clipping and every optimiser included.
#[test]
fn a_training_on_a_device_goes_where_the_fused_one_goes() {
    for optimizer in [Optimizer::Adam, Optimizer::AdamW, Optimizer::Sgd { momentum: 0.9 }] {
        let shape = Shape { dropout: 0.2, outputs: 2, ..shape() };
        let batch = batch(&shape, 300, 2);
        let recipe = Recipe { optimizer, weight_decay: 0.1, clip: Some(0.5), ..recipe(Loss::Mse, 1) };
        let network = Network::new(shape, 3, &Device::Cpu);
        let resident = Resident::new(&network.plan, &network.parameters, &Device::Cpu).expect("CPU tensors");
        let mut there = Trainer::with(network.clone(), recipe.clone(), Some(resident)).expect("one thread");
        let mut here = Trainer::new(network, recipe).expect("one thread");
        for _ in 0..10 {
            let (ours, theirs) = (here.step(&batch, 0.01).expect("CPU"), there.step(&batch, 0.01).expect("CPU"));
            assert!((ours - theirs).abs() < 1e-4, "{optimizer:?}: {ours} is not {theirs}");
        }
        let (ours, theirs) = (here.loss(&batch).expect("CPU"), there.loss(&batch).expect("CPU"));
        assert!((ours - theirs).abs() < 1e-4, "{optimizer:?}: {ours} is not {theirs}");
        let (here, there) = (here.finish().expect("CPU"), there.finish().expect("CPU"));
        let apart = here.parameters.iter().zip(&there.parameters).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(apart < 2e-3, "{optimizer:?}: {apart}");
    }
}

/// y = 3 x0 - 2 x1 + 0.5 x2 + 1 exactly, so least squares finds these coefficients.
#[test]
fn a_network_without_hidden_layers_finds_least_squares() {
    let shape =
        Shape { numeric: 3, embeddings: Vec::new(), hidden: Vec::new(), layer_norm: false, outputs: 1, ..shape() };
    let mut rows = batch(&shape, 256, 1);
    let y = |x: &[f32]| 3.0 * x[0] - 2.0 * x[1] + 0.5 * x[2] + 1.0;
    rows.target = rows.numeric.chunks_exact(3).map(y).collect();
    rows.weight = vec![1.0; 256];
    let network = Network::new(shape, 1, &Device::Cpu);
    let mut trainer = Trainer::new(network, recipe(Loss::Mse, 1)).expect("one thread");
    for step in 0..3000 {
        trainer.step(&rows, learning_rate(Schedule::Cosine, 0.05, step, 3000)).expect("CPU");
    }
    let found = trainer.finish().expect("CPU").parameters;
    for (found, expected) in found.iter().zip([3.0, -2.0, 0.5, 1.0]) {
        assert!((found - expected).abs() < 1e-4, "{found} is not {expected}");
    }
}

#[test]
fn stored_tensors_make_the_same_network() {
    let network = Network::new(shape(), 3, &Device::Cpu);
    let again = Network::from_tensors(shape(), network.tensors(), &Device::Cpu).expect("own tensors");
    let batch = batch(&shape(), 3, 2);
    assert_eq!(network.forward(&batch.inputs()), again.forward(&batch.inputs()));
    let mut broken = network.tensors();
    broken.pop();
    assert!(Network::from_tensors(shape(), broken, &Device::Cpu).is_err());
}
