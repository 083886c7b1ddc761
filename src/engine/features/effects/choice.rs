//! Which amounts say something of values elsewhere in time: prices do, a cost of living that only ever rises does not.
//!
//! Cross-validation over eight parts of the history (Stone 1974): coefficients of seven tell the eighth. The product of a part's
//! inputs says how well, so rows are read once, however many choices are tried.

use super::moments::Moments;

/// Parts of the history.
pub const PARTS: usize = 8;
/// Standard errors of its mean gain over the parts from which on an amount counts.
const SURE: f64 = 2.5;
/// Penalty in shares of an input's own sum of squares.
const PENALTY: f64 = 0.01;

/// Those of the candidates, each some inputs, without which the other parts would be told worse. `always` are inputs that
/// stay.
pub fn choose(parts: &[Moments], always: &[usize], candidates: &[Vec<usize>]) -> Vec<usize> {
    let told: Vec<(Moments, &Moments)> = (0..parts.len())
        .filter(|at| parts[*at].square() > 0.0)
        .map(|at| {
            let mut others = Moments::new(parts[at].inputs());
            parts.iter().enumerate().filter(|(other, _)| *other != at).for_each(|(_, other)| others.merge(other));
            (others, &parts[at])
        })
        .collect();
    let errors = |chosen: &[usize]| -> Vec<f64> {
        let some = chosen.iter().flat_map(|candidate| &candidates[*candidate]);
        let inputs: Vec<usize> = always.iter().chain(some).copied().collect();
        told.iter().map(|(others, part)| error(others, part, &inputs)).collect()
    };
    let mut chosen: Vec<usize> = (0..candidates.len()).collect();
    loop {
        let with = errors(&chosen);
        let sureness = |left_out: usize| {
            let rest: Vec<usize> = chosen.iter().copied().filter(|other| *other != left_out).collect();
            let gains: Vec<f64> = errors(&rest).iter().zip(&with).map(|(a, b)| a - b).collect();
            sureness(&gains)
        };
        let least =
            chosen.iter().map(|candidate| (sureness(*candidate), *candidate)).min_by(|a, b| a.0.total_cmp(&b.0));
        match least {
            Some((sure, candidate)) if sure < SURE => chosen.retain(|other| *other != candidate),
            _ => return chosen,
        }
    }
}

/// What is left of a part, in shares, by coefficients of the others.
fn error(others: &Moments, part: &Moments, inputs: &[usize]) -> f64 {
    let penalty = |input: usize| PENALTY * others.product(input, input) + others.still();
    part.left(inputs, &others.solve(inputs, penalty)) / part.square()
}

/// The mean in standard errors.
fn sureness(gains: &[f64]) -> f64 {
    let n = gains.len() as f64;
    let mean = gains.iter().sum::<f64>() / n;
    let square = gains.iter().map(|gain| (gain - mean).powi(2)).sum::<f64>() / (n - 1.0);
    if gains.len() < 2 { f64::NEG_INFINITY } else { mean / (square / n).sqrt().max(f64::MIN_POSITIVE) }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Of a cause, its copy with noise, and something else: the cause alone, whatever else there is.
    #[test]
    fn what_tells_other_parts_is_chosen() {
        let mut random = ChaCha8Rng::seed_from_u64(5);
        let mut parts = vec![Moments::new(4); PARTS];
        for part in &mut parts {
            let mut rows = Moments::new(4);
            for _ in 0..60 {
                let mut next = || random.random_range(-1.0..1.0);
                let (cause, other, always) = (next(), next(), next());
                rows.add(&[cause, cause + 3.0 * next(), other, always, 2.0 * cause + always + next()]);
            }
            part.take_within(&mut rows);
        }
        assert_eq!(choose(&parts, &[3], &[vec![0], vec![1], vec![2]]), [0]);
        assert_eq!(choose(&parts, &[3], &[vec![1, 2]]).len(), 1);
        assert_eq!(choose(&parts, &[3], &[vec![2]]), [0usize; 0]);
        // Nothing is known of one part alone.
        assert_eq!(choose(&parts[..1], &[3], &[vec![0]]), [0usize; 0]);
    }
}
