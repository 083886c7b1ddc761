//! The least value of a function over a box: Nelder & Mead (1965), made deterministic and bounded.

/// Coordinates at most; each lies between 0 and 1.
pub const MOST: usize = 4;
pub type Point = [f64; MOST];

/// The values at the simplex's corners differ by less when the search ends.
const TOLERANCE: f64 = 1e-3;
/// Steps for each free coordinate before the search ends in any case.
const STEPS: usize = 60;
/// Size of the first simplex.
const SPREAD: f64 = 0.2;

/// The point of the least value found, and that value; only the `free` coordinates move.
pub fn minimise(start: Point, free: &[usize], mut value: impl FnMut(&Point) -> f64) -> (Point, f64) {
    let mut corners = [(value(&start), start); MOST + 1];
    for (corner, coordinate) in corners[1..].iter_mut().zip(free) {
        let from = &mut corner.1[*coordinate];
        *from += if *from < 0.5 { SPREAD } else { -SPREAD };
        corner.0 = value(&corner.1);
    }
    let n = free.len();
    let corners = &mut corners[..=n];
    for _ in 0..STEPS * n {
        corners.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let (best, worst) = (corners[0], corners[n]);
        if worst.0 - best.0 <= TOLERANCE {
            break;
        }
        let mut centre = [0.0; MOST];
        for (_, corner) in &corners[..n] {
            centre.iter_mut().zip(corner).for_each(|(c, x)| *c += x / n as f64);
        }
        let mut at = |by: f64| {
            let point = std::array::from_fn(|i| (centre[i] + by * (centre[i] - worst.1[i])).clamp(0.0, 1.0));
            (value(&point), point)
        };
        let reflected = at(1.0);
        let next = if reflected.0 < best.0 {
            let expanded = at(2.0);
            if expanded.0 < reflected.0 { expanded } else { reflected }
        } else if reflected.0 < corners[n - 1].0 {
            reflected
        } else if reflected.0 < worst.0 {
            at(0.5)
        } else {
            at(-0.5)
        };
        if next.0 < worst.0 {
            corners[n] = next;
            continue;
        }
        for corner in &mut corners[1..] {
            corner.1 = std::array::from_fn(|i| 0.5 * (best.1[i] + corner.1[i]));
            corner.0 = value(&corner.1);
        }
    }
    let best = corners.iter().min_by(|a, b| a.0.total_cmp(&b.0)).expect("a simplex has corners");
    (best.1, best.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_bottom_of_a_bowl_and_leaves_fixed_coordinates() {
        let bowl = |at: &Point| 1e4 * ((at[0] - 0.3).powi(2) + 2.0 * (at[2] - 0.6).powi(2) + 0.5 * at[0] * at[2]);
        // The gradient is zero where x = 0.3 - z / 4 and z = 0.6 - x / 8.
        let (found, _) = minimise([0.5, 0.7, 0.5, 0.1], &[0, 2], bowl);
        assert!((found[0] - 0.154_84).abs() < 1e-3 && (found[2] - 0.580_65).abs() < 1e-3, "{found:?}");
        assert_eq!((found[1], found[3]), (0.7, 0.1));
    }

    #[test]
    fn stays_in_the_box() {
        let (found, least) = minimise([0.5; MOST], &[0, 1], |at| 10.0 * (at[0] - at[1]));
        assert!(found[0] < 1e-3 && found[1] > 0.999 && least < -9.9, "{found:?}");
    }
}
