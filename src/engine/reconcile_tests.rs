//! What reconciled forecasts obey, and numbers of reference programs.

use proptest::prelude::*;

use super::super::hierarchy::tests::tree;
use super::*;

/// The total, two regions with two and three stores, then the stores; two steps each.
const BASE: [f32; 16] =
    [110.0, 95.0, 38.0, 41.0, 65.0, 60.0, 10.0, 12.0, 30.0, 28.0, 20.0, 21.0, 15.0, 18.0, 33.0, 24.0];
const ERRORS: [f32; 64] = [
    6.0, -9.0, 4.0, 12.0, -7.0, -3.0, 5.0, -8.0, 2.0, -4.0, 3.0, 5.0, -3.0, -4.0, 2.0, -1.0, 5.0, -4.0, -1.0, 6.0,
    -5.0, 2.0, 3.0, -6.0, 1.0, -1.0, 2.0, 3.0, -2.0, -3.0, 1.0, -1.0, 2.0, -2.0, 1.0, 1.0, -2.0, -1.0, 2.0, -1.0, 1.0,
    -3.0, 1.0, 2.0, -1.0, 0.0, 2.0, -2.0, 3.0, 0.0, -2.0, 1.0, -2.0, 2.0, 0.0, -2.0, 0.0, -2.0, 1.0, 3.0, -3.0, 1.0,
    1.0, -1.0,
];

fn regions() -> Tree {
    tree("store", "region", "region", &["1/n", "2/n", "3/s", "4/s", "5/s"]).expect("a tree")
}

fn assert_close(found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((f64::from(*found) - expected).abs() <= 1e-5 * expected.abs().max(1.0), "{found} is not {expected}");
    }
}

/// By `tests/reference/reconcile.py`: S (Sᵀ W⁻¹ S)⁻¹ Sᵀ W⁻¹ y in numpy, which MinTrace("mint_shrink") of
/// hierarchicalforecast 1.5.3 agrees with.
#[test]
fn mint_agrees_with_numpy_and_hierarchicalforecast() {
    let reconciled = Reconciler::new(&regions(), Reconciliation::Mint, &ERRORS, 1).reconcile(&BASE, |_, _, x| x);
    let expected = [
        105.38249825,
        101.96146135,
        38.69135553,
        40.74825842,
        66.69114273,
        61.21320293,
        9.27673073,
        12.65228820,
        29.41462480,
        28.09597022,
        19.37884279,
        20.83753340,
        14.94148514,
        17.24078331,
        32.37081480,
        23.13488623,
    ];
    assert_close(&reconciled, &expected);
}

/// By the same script, as MinTrace("wls_var") and MinTrace("wls_struct").
#[test]
fn weighted_least_squares_agree_with_numpy_and_hierarchicalforecast() {
    let tree = regions();
    let mut own = Reconciler::new(&tree, Reconciliation::Mint, &ERRORS, 1);
    own.weights = Weights::Variances(variances(&tree, &Errors::new(&ERRORS, 8, 1)).expect("errors"));
    let by_variance = [
        106.86089590,
        101.17815708,
        39.48578283,
        39.91642742,
        67.37511307,
        61.26172966,
        9.69146970,
        11.94985645,
        29.79431313,
        27.96657097,
        19.80266728,
        20.45107252,
        14.78622289,
        17.40532857,
        32.78622289,
        23.40532857,
    ];
    assert_close(&own.reconcile(&BASE, |_, _, x| x), &by_variance);
    // Without errors all variances follow from the tree.
    let structural = [
        107.0,
        99.66666667,
        39.6,
        39.56666667,
        67.4,
        60.1,
        9.8,
        11.78333333,
        29.8,
        27.78333333,
        19.8,
        20.03333333,
        14.8,
        17.03333333,
        32.8,
        23.03333333,
    ];
    for errors in [vec![], vec![f32::NAN; 24], vec![0.0; 24], vec![1.0; 8]] {
        assert_close(
            &Reconciler::new(&tree, Reconciliation::Mint, &errors, 1).reconcile(&BASE, |_, _, x| x),
            &structural,
        );
    }
}

/// By the same script; the package takes all errors for independent.
#[test]
fn errors_of_one_origin_are_one_observation() {
    let reconciled = Reconciler::new(&regions(), Reconciliation::Mint, &ERRORS, 2).reconcile(&BASE, |_, _, x| x);
    let expected = [
        104.11091474,
        102.64016751,
        37.99630634,
        41.38901068,
        66.1146084,
        61.25115683,
        8.90614185,
        13.16677292,
        29.09016449,
        28.22223776,
        19.00883659,
        21.13842841,
        15.0860142,
        17.13931786,
        32.01975761,
        22.97341057,
    ];
    assert_close(&reconciled, &expected);
}

/// By the same script: W is the diagonal of S times the roots of the series' mean squared errors.
#[test]
fn one_origin_weighs_nodes_by_the_series_below() {
    let reconciled = Reconciler::new(&regions(), Reconciliation::Mint, &ERRORS, 8).reconcile(&BASE, |_, _, x| x);
    let expected = [
        107.0,
        99.66666667,
        39.59585626,
        39.57311249,
        67.40414374,
        60.09355418,
        9.77751472,
        11.76499405,
        29.81834153,
        27.80811844,
        19.80664476,
        20.05685891,
        14.79874949,
        17.01834763,
        32.79874949,
        23.01834763,
    ];
    assert_close(&reconciled, &expected);
}

/// 600 steps an origin are more than are looked at: every fifth is, of both origins.
#[test]
fn long_horizons_are_looked_at_here_and_there() {
    let errors: Vec<f32> =
        (0..8 * 1200).map(|i| ((i * 7919 % 1009) as f32 - 504.0) * if i < 1200 { 3.0 } else { 1.0 }).collect();
    let own = Reconciler::new(&regions(), Reconciliation::Mint, &errors, 600);
    let Weights::Covariance(covariance, _) = &own.weights else { panic!("no covariance") };
    assert_eq!(covariance.columns, 240);
    assert!(own.reconcile(&BASE, |_, _, x| x).iter().zip(BASE).all(|(x, base)| (x - base).abs() < 12.0));
}

#[test]
fn bottom_up_sums_the_series() {
    let reconciled = Reconciler::new(&regions(), Reconciliation::BottomUp, &[], 1).reconcile(&BASE, |_, _, x| x);
    assert_eq!(&reconciled[..6], [108.0, 103.0, 40.0, 40.0, 68.0, 63.0]);
    assert_eq!(&reconciled[6..], &BASE[6..]);
}

#[test]
fn what_is_bounded_still_adds_up() {
    let base = [20.0, 2.0, 18.0, 0.5, 5.0, 9.0, 30.0, 1.0];
    let bound = |_, _, x: f32| x.max(0.0);
    let reconciled = Reconciler::new(&regions(), Reconciliation::Mint, &ERRORS, 1).reconcile(&base, bound);
    assert!(reconciled.iter().all(|x| *x >= 0.0) && reconciled.contains(&0.0), "{reconciled:?}");
    assert!((reconciled[3..].iter().sum::<f32>() - reconciled[0]).abs() < 1e-4);
}

#[test]
fn a_single_error_says_nothing_of_a_series() {
    let mut errors = ERRORS;
    errors[7 * 8..].fill(f32::NAN);
    let without = Reconciler::new(&regions(), Reconciliation::Mint, &errors, 1).reconcile(&BASE, |_, _, x| x);
    errors[7 * 8] = 1e6;
    assert_eq!(Reconciler::new(&regions(), Reconciliation::Mint, &errors, 1).reconcile(&BASE, |_, _, x| x), without);
    assert!(without.iter().zip(BASE).all(|(x, base)| (x - base).abs() < 12.0), "{without:?}");
}

#[test]
fn a_series_that_is_always_zero_stays_so() {
    let (mut errors, mut base) = (ERRORS, BASE);
    errors[7 * 8..].fill(0.0);
    base[14..].fill(0.0);
    let reconciled = Reconciler::new(&regions(), Reconciliation::Mint, &errors, 1).reconcile(&base, |_, _, x| x);
    assert!(reconciled[14..].iter().all(|x| x.abs() < 1e-3), "{reconciled:?}");
}

/// Rows that are the inverse of a matrix, by Gauss and Jordan.
fn inverse(mut a: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let n = a.len();
    a.iter_mut().enumerate().for_each(|(i, row)| row.extend((0..n).map(|j| f64::from(u8::from(i == j)))));
    for column in 0..n {
        let pivot = (column..n).max_by(|i, j| a[*i][column].abs().total_cmp(&a[*j][column].abs())).expect("a row");
        a.swap(column, pivot);
        let divisor = a[column][column];
        a[column].iter_mut().for_each(|x| *x /= divisor);
        let own = a[column].clone();
        for row in (0..n).filter(|row| *row != column) {
            let factor = a[row][column];
            a[row].iter_mut().zip(&own).for_each(|(x, y)| *x -= factor * y);
        }
    }
    a.into_iter().map(|row| row[n..].to_vec()).collect()
}

fn product(a: &[Vec<f64>], b: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let cell = |row: &Vec<f64>, j: usize| row.iter().zip(b).map(|(x, other)| x * other[j]).sum();
    a.iter().map(|row| (0..b[0].len()).map(|j| cell(row, j)).collect()).collect()
}

/// S (Sᵀ W⁻¹ S)⁻¹ Sᵀ W⁻¹ y, the formula of the paper.
fn dense(tree: &Tree, w: Vec<Vec<f64>>, base: &[f32]) -> Vec<f64> {
    let series = tree.len() - tree.aggregates();
    let is_below = |leaf: usize, node: usize| {
        std::iter::successors(Some(tree.aggregates() + leaf), |at| tree.parent(*at)).any(|above| above == node)
    };
    let cell = |leaf, node| f64::from(u8::from(is_below(leaf, node)));
    let transposed: Vec<Vec<f64>> =
        (0..series).map(|leaf| (0..tree.len()).map(|node| cell(leaf, node)).collect()).collect();
    let s: Vec<Vec<f64>> = (0..tree.len()).map(|node| (0..series).map(|leaf| cell(leaf, node)).collect()).collect();
    let weighted = product(&transposed, &inverse(w));
    let base: Vec<Vec<f64>> = base.iter().map(|y| vec![f64::from(*y)]).collect();
    let bottom = product(&inverse(product(&weighted, &s)), &product(&weighted, &base));
    product(&s, &bottom).concat()
}

/// A tree of three levels, as many forecasts, and errors with some unknown.
fn hierarchies() -> impl Strategy<Value = (Tree, Vec<f32>, Vec<f32>)> {
    proptest::collection::vec((0u8..3, 0u8..3), 2..9).prop_flat_map(|paths| {
        let series: Vec<String> = paths.iter().enumerate().map(|(i, (a, b))| format!("{i}/{a}/{a}{b}")).collect();
        let series: Vec<&str> = series.iter().map(String::as_str).collect();
        let tree = tree("sku", "a b", "a b", &series).expect("a tree");
        let n = tree.len();
        let error = prop_oneof![8 => -50f32..50.0, 1 => Just(f32::NAN), 1 => Just(0.0f32)];
        (Just(tree), proptest::collection::vec(-100f32..100.0, n), proptest::collection::vec(error, n * 6))
    })
}

fn sums_of_children(tree: &Tree, values: &[f32]) -> Vec<f64> {
    let mut sums = vec![0.0; tree.aggregates()];
    for (node, value) in values.iter().enumerate() {
        if let Some(parent) = tree.parent(node) {
            sums[parent] += f64::from(*value);
        }
    }
    sums
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn reconciled_forecasts_add_up((tree, base, errors) in hierarchies(), lower in -20f32..20.0, steps in 1usize..7) {
        for method in [Reconciliation::Mint, Reconciliation::BottomUp] {
            let reconciled = Reconciler::new(&tree, method, &errors, steps).reconcile(&base, |_, _, x| x.max(lower));
            let size = f64::from(reconciled.iter().fold(1.0f32, |most, x| most.max(x.abs())));
            for (sum, value) in sums_of_children(&tree, &reconciled).iter().zip(&reconciled) {
                prop_assert!((sum - f64::from(*value)).abs() <= 1e-5 * size, "{sum} is not {value}");
            }
        }
    }

    #[test]
    fn forecasts_that_add_up_stay_as_they_are((tree, mut base, errors) in hierarchies()) {
        for node in (0..tree.aggregates()).rev() {
            base[node] = sums_of_children(&tree, &base)[node] as f32;
        }
        let reconciled = Reconciler::new(&tree, Reconciliation::Mint, &errors, 1).reconcile(&base, |_, _, x| x);
        for (value, base) in reconciled.iter().zip(&base) {
            prop_assert!((value - base).abs() <= 1e-3, "{value} is not {base}");
        }
    }

    #[test]
    fn two_passes_are_the_dense_weighted_least_squares((tree, base, errors) in hierarchies()) {
        let variances: Vec<f64> = errors.iter().step_by(6).map(|e| if e.is_nan() { 1.0 } else { 1.0 + f64::from(e * e) }).collect();
        let diagonal = |i: usize| (0..tree.len()).map(|j| if i == j { variances[i] } else { 0.0 }).collect();
        let expected = dense(&tree, (0..tree.len()).map(diagonal).collect(), &base);
        let mut own = Reconciler::new(&tree, Reconciliation::BottomUp, &[], 1);
        own.weights = Weights::Variances(variances);
        // Single precision is relative to what is added up.
        let size = base.iter().fold(1.0f64, |most, y| most.max(f64::from(y.abs())));
        for (found, expected) in own.reconcile(&base, |_, _, x| x).iter().zip(&expected) {
            prop_assert!((f64::from(*found) - expected).abs() <= 1e-6 * size, "{found} is not {expected}");
        }
    }

    #[test]
    fn the_constraints_are_the_dense_formula((tree, base, errors) in hierarchies()) {
        let own = Reconciler::new(&tree, Reconciliation::Mint, &errors, 1);
        let Weights::Covariance(w, _) = &own.weights else { return Ok(()) };
        let cell = |i: usize, j: usize| dot(w.factor(i), w.factor(j)) + if i == j { w.diagonal[i] } else { 0.0 };
        let w = (0..tree.len()).map(|i| (0..tree.len()).map(|j| cell(i, j)).collect()).collect();
        for (found, expected) in own.reconcile(&base, |_, _, x| x).iter().zip(dense(&tree, w, &base)) {
            prop_assert!((f64::from(*found) - expected).abs() <= 1e-3 * expected.abs().max(1.0), "{found} is not {expected}");
        }
    }

    #[test]
    fn any_errors_give_numbers(
        (tree, base, errors) in hierarchies(), scale in prop_oneof![Just(0.0f32), Just(1e-38), Just(1.0), Just(1e30)],
        copied in 0usize..6, same in any::<bool>()
    ) {
        let mut errors: Vec<f32> = errors.iter().map(|error| error * scale).collect();
        if same {
            // All nodes err alike, which leaves no independent error to divide by.
            let first: Vec<f32> = errors[..6].to_vec();
            errors.chunks_exact_mut(6).for_each(|row| row[copied..].copy_from_slice(&first[copied..]));
        }
        let base: Vec<f32> = base.iter().map(|y| y * scale.max(1.0)).collect();
        let reconciled = Reconciler::new(&tree, Reconciliation::Mint, &errors, 1).reconcile(&base, |_, _, x| x);
        prop_assert!(reconciled.iter().all(|x| x.is_finite()), "{reconciled:?}");
    }
}
