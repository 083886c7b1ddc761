//! The fused step of every architecture against candle's autograd, finite differences, and itself on other thread counts.

use candle_core::Device;
use proptest::prelude::{any, prop_compose};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::super::super::config::{Activation, Loss, Optimizer, Schedule};
use super::super::{Architecture, Embedding, Shape, learning_rate};
use super::*;

const ACTIVATIONS: [Activation; 5] =
    [Activation::Relu, Activation::Sigmoid, Activation::Tanh, Activation::Gelu, Activation::Silu];

fn shape() -> Shape {
    Shape {
        numeric: 5,
        embeddings: vec![Embedding { cardinality: 4, width: 3 }, Embedding { cardinality: 3, width: 2 }],
        architecture: Architecture::Chain,
        hidden: vec![8, 8, 6],
        activation: Activation::Tanh,
        layer_norm: true,
        dropout: 0.0,
        residual: true,
        skip: true,
        offset: None,
        outputs: 6,
    }
}

/// Architectures over at least five numeric inputs, three of them a window, and two steps.
fn architectures() -> [Architecture; 5] {
    [
        Architecture::Chain,
        Architecture::Blocks { window: 3, steps: 2, rates: vec![1, 1] },
        Architecture::Blocks { window: 3, steps: 2, rates: vec![2, 1] },
        Architecture::Tide { window: 3, steps: 2, planned: Vec::new() },
        Architecture::Tide { window: 3, steps: 2, planned: vec![3, 2] },
    ]
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

fn losses() -> [Loss; 7] {
    [
        Loss::Mse,
        Loss::Mae,
        Loss::Huber { delta: 0.7 },
        Loss::Pinball { levels: vec![0.1, 0.5, 0.9] },
        Loss::Poisson,
        Loss::Tweedie { power: 1.4 },
        Loss::NegativeBinomial,
    ]
}

/// A shape for two steps of a loss.
fn fitted(shape: Shape, loss: &Loss) -> Shape {
    let offset = (*loss == Loss::NegativeBinomial).then_some(4);
    Shape { outputs: 2 * loss.outputs(), offset, ..shape }
}

/// With biases, as fresh ones hold layers exactly at relu's corner, where any slope from 0 to 1 is right.
fn network(shape: &Shape) -> Network {
    let mut network = Network::new(shape.clone(), 3, &Device::Cpu);
    let parameters = network.parameters.turned_mut(&network.plan);
    parameters.iter_mut().enumerate().for_each(|(i, parameter)| *parameter += 0.05 * (i as f32 * 0.7).sin());
    network
}

fn move_one(network: &mut Network, index: usize, by: f32) {
    network.parameters.turned_mut(&network.plan)[index] += by;
}

fn turned(network: &Network) -> &[f32] {
    network.parameters.turned(&network.plan)
}

fn resident(network: &Network) -> Resident {
    Resident::new(&network.plan, turned(network), &Device::Cpu).expect("CPU tensors")
}

/// Loss and gradient of a batch, summed over its chunks.
fn graded(trainer: &mut Trainer, batch: &Batch) -> (f32, Vec<f32>) {
    let (loss, used) = trainer.fused_gradients(batch);
    let mut sum = vec![0.0; trainer.network.plan.parameters];
    for chunk in &trainer.chunks[..used] {
        sum.iter_mut().zip(&chunk.gradient).for_each(|(sum, gradient)| *sum += gradient);
    }
    (loss, sum)
}

fn assert_gradients_equal_autograd(shape: &Shape, loss: &Loss, batch: &Batch) {
    let network = network(shape);
    let mut ours = Trainer::new(network.clone(), recipe(loss.clone(), 1)).expect("one thread");
    let (our_loss, gradient) = graded(&mut ours, batch);
    let there = resident(&network).gradients(shape, &network.plan, &recipe(loss.clone(), 1), batch);
    let (their_loss, tensors) = there.expect("CPU tensors");
    let theirs = super::super::graph::flat(&network.plan, &tensors).expect("f32");
    let size = theirs.iter().fold(0f32, |most, x| most.max(x.abs()));
    for (ours, theirs) in gradient.iter().zip(&theirs) {
        assert!((ours - theirs).abs() <= 1e-5 * size.max(1.0), "{shape:?} {loss:?}: {ours} is not {theirs}");
    }
    assert!((our_loss - their_loss).abs() <= 1e-5 * our_loss.abs().max(1.0), "{our_loss} is not {their_loss}");
}

#[test]
fn gradients_equal_autograd_for_every_architecture_layer_and_loss() {
    for architecture in architectures() {
        for activation in ACTIVATIONS {
            for loss in losses() {
                for (layer_norm, residual, skip) in [(true, true, true), (false, false, false), (false, true, true)] {
                    let architecture = architecture.clone();
                    let shape = Shape { architecture, activation, layer_norm, residual, skip, ..shape() };
                    let shape = fitted(shape, &loss);
                    assert_gradients_equal_autograd(&shape, &loss, &batch(&shape, 150, 2));
                }
            }
        }
    }
}

#[test]
fn gradients_without_hidden_layers_equal_autograd() {
    for architecture in architectures() {
        for embeddings in [Vec::new(), shape().embeddings] {
            let shape =
                Shape { hidden: Vec::new(), architecture: architecture.clone(), outputs: 2, embeddings, ..shape() };
            assert_gradients_equal_autograd(&shape, &Loss::Mse, &batch(&shape, 40, 2));
        }
    }
}

prop_compose! {
    fn any_shape()(
        kind in 0usize..4,
        (window, past, steps) in (1usize..12, 0usize..4, 1usize..8),
        rates in proptest::collection::vec(1usize..6, 1..4),
        widths in proptest::collection::vec(1usize..4, 0..3),
        hidden in proptest::collection::vec(4usize..9, 0..4),
        activation in 0usize..5,
        (layer_norm, residual, skip) in (any::<bool>(), any::<bool>(), any::<bool>()),
        loss in 0usize..7,
        covariates in 0usize..3,
    ) -> (Shape, Loss, usize) {
        let loss = losses()[loss].clone();
        let begin = window + past;
        let planned = (0..covariates).map(|i| begin + i * steps).collect();
        let architecture = match kind {
            0 => Architecture::Chain,
            1 => Architecture::Blocks { window, steps, rates: vec![1; rates.len()] },
            2 => Architecture::Blocks { window, steps, rates },
            _ => Architecture::Tide { window, steps, planned },
        };
        let numeric = begin + covariates * steps;
        let shape = Shape {
            numeric,
            embeddings: widths.into_iter().map(|width| Embedding { cardinality: 4, width }).collect(),
            architecture,
            hidden,
            activation: ACTIVATIONS[activation],
            layer_norm,
            dropout: 0.0,
            residual,
            skip,
            offset: (loss == Loss::NegativeBinomial).then(|| numeric - 1),
            outputs: steps * loss.outputs(),
        };
        (shape, loss, steps)
    }
}

#[test]
fn gradients_of_any_small_shape_equal_autograd() {
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config { failure_persistence: None, ..Config::with_cases(200) }, random);
    let holds = runner.run(&(any_shape(), 1usize..140), |((shape, loss, steps), rows)| {
        assert!(shape.is_sound());
        assert_gradients_equal_autograd(&shape, &loss, &batch(&shape, rows, steps));
        Ok(())
    });
    assert_eq!(holds, Ok(()));
}

/// Where a loss or an activation has no corner; f32 leaves three digits of a difference quotient.
#[test]
fn gradients_equal_finite_differences() {
    for architecture in architectures() {
        for loss in [Loss::Mse, Loss::Poisson, Loss::Tweedie { power: 1.4 }, Loss::NegativeBinomial] {
            let shape = fitted(Shape { architecture: architecture.clone(), ..shape() }, &loss);
            let batch = batch(&shape, 20, 2);
            let mut trainer = Trainer::new(network(&shape), recipe(loss.clone(), 1)).expect("one thread");
            let (_, gradient) = graded(&mut trainer, &batch);
            for index in (0..gradient.len()).step_by(11) {
                let mut at = |by: f32| {
                    move_one(&mut trainer.network, index, by);
                    let loss = trainer.loss(&batch).expect("CPU");
                    move_one(&mut trainer.network, index, -by);
                    loss
                };
                let (difference, ours) = ((at(1e-2) - at(-1e-2)) / 2e-2, gradient[index]);
                let near = (difference - ours).abs() < 5e-3 * ours.abs().max(1.0);
                assert!(near, "{architecture:?} {loss:?} {index}: {difference} is not {ours}");
            }
        }
    }
}

fn trained(architecture: &Architecture, threads: usize, seed: u64) -> Vec<f32> {
    let shape = Shape { dropout: 0.2, outputs: 2, architecture: architecture.clone(), ..shape() };
    let batch = batch(&shape, 300, 2);
    let network = Network::new(shape, seed, &Device::Cpu);
    let mut trainer = Trainer::new(network, recipe(Loss::Mse, threads)).expect("threads");
    (0..20).for_each(|_| assert!(trainer.step(&batch, 0.01).expect("CPU").is_finite()));
    turned(&trainer.finish().expect("CPU")).to_vec()
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_any_number_of_threads() {
    for architecture in architectures() {
        let alone = trained(&architecture, 1, 3);
        assert_eq!(alone, trained(&architecture, 2, 3));
        assert_eq!(alone, trained(&architecture, 4, 3));
        assert_ne!(alone, trained(&architecture, 1, 4));
    }
}

/// What CUDA runs, on the CPU: dropout, clipping, averages and every optimiser included.
#[test]
fn a_training_on_a_device_goes_where_the_fused_one_goes() {
    let optimizers = [Optimizer::Adam, Optimizer::AdamW, Optimizer::Sgd { momentum: 0.9 }];
    let small = architectures().map(|architecture| Shape { architecture, ..shape() });
    // Its parameters are moved in several parts.
    let large = Shape { hidden: vec![160, 160], ..shape() };
    let shapes = small.into_iter().chain([large]).map(|shape| Shape { dropout: 0.2, outputs: 2, ..shape });
    for (shape, optimizer) in shapes.flat_map(|shape| optimizers.map(|optimizer| (shape.clone(), optimizer))) {
        let batch = batch(&shape, 300, 2);
        let recipe = Recipe { optimizer, weight_decay: 0.1, clip: Some(0.5), ..recipe(Loss::Mse, 2) };
        let network = network(&shape);
        let mut there = Trainer::with(network.clone(), recipe.clone(), Some(resident(&network))).expect("one thread");
        let mut here = Trainer::new(network, recipe).expect("one thread");
        for step in 0..10 {
            let (ours, theirs) = (here.step(&batch, 0.01).expect("CPU"), there.step(&batch, 0.01).expect("CPU"));
            assert!((ours - theirs).abs() < 1e-4, "{shape:?} {optimizer:?}: {ours} is not {theirs}");
            if step >= 8 {
                assert_eq!((here.average(), there.average()), (Ok(()), Ok(())));
            }
        }
        let (ours, theirs) = (here.loss(&batch).expect("CPU"), there.loss(&batch).expect("CPU"));
        assert!((ours - theirs).abs() < 1e-4, "{shape:?} {optimizer:?}: {ours} is not {theirs}");
        let (here, there) = (here.finish().expect("CPU"), there.finish().expect("CPU"));
        let apart = turned(&here).iter().zip(turned(&there)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(apart < 2e-3, "{shape:?} {optimizer:?}: {apart}");
    }
}

#[test]
fn an_average_is_the_mean_of_the_parameters_it_took_in() {
    let shape = Shape { outputs: 2, ..shape() };
    let batch = batch(&shape, 40, 2);
    let mut trainer = Trainer::new(network(&shape), recipe(Loss::Mse, 1)).expect("one thread");
    let mut taken = Vec::new();
    for _ in 0..3 {
        trainer.step(&batch, 0.1).expect("CPU");
        trainer.average().expect("CPU");
        taken.push(trainer.snapshot().expect("CPU"));
    }
    for (at, mean) in turned(&trainer.finish().expect("CPU")).iter().enumerate() {
        let expected = taken.iter().map(|parameters| parameters[at]).sum::<f32>() / 3.0;
        assert!((mean - expected).abs() < 1e-5, "{mean} is not {expected}");
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
    let mut trainer = Trainer::new(network(&shape), recipe(Loss::Mse, 1)).expect("one thread");
    for step in 0..3000 {
        trainer.step(&rows, learning_rate(Schedule::Cosine, 0.05, step, 3000)).expect("CPU");
    }
    let found = trainer.finish().expect("CPU");
    for (found, expected) in turned(&found).iter().zip([3.0, -2.0, 0.5, 1.0]) {
        assert!((found - expected).abs() < 1e-4, "{found} is not {expected}");
    }
}

/// Counts 0, 1, 2, ... of a row's mean e^x: the bias of the log mean goes to 0, the weight to 1.
#[test]
fn count_losses_find_the_logarithm_of_the_mean() {
    for loss in [Loss::Poisson, Loss::Tweedie { power: 1.5 }, Loss::NegativeBinomial] {
        let (numeric, outputs) = (1, loss.outputs());
        let plain = Shape { numeric, embeddings: Vec::new(), hidden: Vec::new(), skip: false, ..shape() };
        let shape = Shape { outputs, ..plain };
        let numeric: Vec<f32> = (0..512).map(|i| (i / 2 % 3) as f32 * 0.7 - 0.7).collect();
        // Each mean once as zero and once as twice itself.
        let target = numeric.iter().enumerate().map(|(i, x)| (i % 2) as f32 * 2.0 * x.exp()).collect();
        let rows = Batch { rows: 512, numeric, codes: Vec::new(), target, weight: vec![1.0; 512] };
        let mut trainer = Trainer::new(network(&shape), recipe(loss.clone(), 1)).expect("one thread");
        for step in 0..1500 {
            trainer.step(&rows, learning_rate(Schedule::Cosine, 0.05, step, 1500)).expect("CPU");
        }
        let found = trainer.finish().expect("CPU");
        let output = found.forward(&rows.inputs()).expect("CPU");
        for (output, x) in output.chunks_exact(outputs).zip(&rows.numeric) {
            assert!((loss.point(output) - x.exp()).abs() < 2e-2 * x.exp(), "{loss:?}: {output:?} is not {x}");
        }
    }
}

fn read(network: &Network) -> Vec<super::super::StoredTensor<'static>> {
    network.tensors().into_iter().map(|(name, dims, values)| (name, dims, values.into())).collect()
}

#[test]
fn stored_tensors_make_the_same_network() {
    for architecture in architectures() {
        let shape = Shape { architecture, ..shape() };
        let network = network(&shape);
        let json = serde_json::to_string(&shape).expect("numbers and names");
        let stored: Shape = serde_json::from_str(&json).expect("its own text");
        let again = Network::from_tensors(stored, read(&network), &Device::Cpu).expect("own tensors");
        let batch = batch(&shape, 3, 2);
        assert_eq!(network.forward(&batch.inputs()), again.forward(&batch.inputs()));
        let mut broken = read(&network);
        broken.pop();
        assert!(Network::from_tensors(shape, broken, &Device::Cpu).is_err());
    }
}

/// A row alone is read by the weights as they are stored, rows together by the turned ones; the first outputs are the same
/// without the others.
#[test]
fn a_row_alone_says_what_it_says_among_others() {
    for architecture in architectures() {
        let shape = Shape { architecture, ..shape() };
        let (network, batch) = (network(&shape), batch(&shape, 3, 2));
        let together = network.forward(&batch.inputs()).expect("CPU");
        for (row, among) in together.chunks_exact(shape.outputs).enumerate() {
            let alone = network.forward(&fused::slice(&shape, &batch.inputs(), row, 1)).expect("CPU");
            assert!(alone.iter().zip(among).all(|(a, b)| (a - b).abs() < 1e-5), "{alone:?} is not {among:?}");
        }
        for (rows, all) in
            [(1, network.forward(&fused::slice(&shape, &batch.inputs(), 0, 1)).expect("CPU")), (3, together)]
        {
            let inputs = fused::slice(&shape, &batch.inputs(), 0, rows);
            let first = network.forward_first(&inputs, 1).expect("CPU");
            let wanted: Vec<f32> = all.chunks_exact(shape.outputs).map(|row| row[0]).collect();
            assert_eq!(first, wanted);
        }
    }
}

#[test]
fn a_shape_stored_before_there_were_architectures_is_a_chain() {
    let stored = r#"{"numeric": 5, "embeddings": [], "hidden": [8], "activation": "relu", "layer_norm": false,
        "dropout": 0.0, "residual": true, "skip": true, "outputs": 2}"#;
    let shape: Shape = serde_json::from_str(stored).expect("the old fields");
    assert_eq!((shape.architecture.clone(), shape.offset), (Architecture::Chain, None));
    let names: Vec<String> = network(&shape).tensors().into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, ["hidden.0.weight", "hidden.0.bias", "output.weight", "output.bias", "skip.weight"]);
}

#[test]
fn a_shape_that_contradicts_itself_is_damaged() {
    let wrong = [
        Shape { architecture: Architecture::Blocks { window: 6, steps: 2, rates: vec![1] }, ..shape() },
        Shape { architecture: Architecture::Blocks { window: 3, steps: 4, rates: vec![1] }, ..shape() },
        Shape { architecture: Architecture::Blocks { window: 3, steps: 2, rates: vec![0] }, ..shape() },
        Shape { architecture: Architecture::Tide { window: 3, steps: 2, planned: vec![4] }, ..shape() },
        Shape { offset: Some(5), ..shape() },
        Shape { outputs: 0, ..shape() },
    ];
    for shape in wrong {
        let loaded = Network::from_tensors(shape, Vec::new(), &Device::Cpu);
        assert!(matches!(loaded, Err(super::super::Error::Damaged { reason }) if reason.contains("contradicts")));
    }
}
