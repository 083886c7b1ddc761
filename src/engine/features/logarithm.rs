//! ln(1 + x) and e^x - 1 of sizes without a branch, so that a loop over an array takes as many at once as a vector holds.
//!
//! Both split off a power of two and sum the Taylor series of what is left, as far as single precision shows it: within
//! 4e-7 of the value.

use std::f32::consts::{LN_2, LOG2_E};

/// Bits of the exponent in a number of single precision.
const EXPONENT: u32 = 23;
/// Exponent of 1.
const BIAS: u32 = 127 << EXPONENT;

/// ln(1 + x) of a size, x >= 0.
#[inline(always)]
pub fn ln_1p(x: f32) -> f32 {
    let one_more = 1.0 + x;
    // What the sum has lost of x.
    let lost = if one_more.is_infinite() { 0.0 } else { x - (one_more - 1.0) };
    // As a power of two times what lies between the roots of one half and of two.
    let power = one_more.to_bits().wrapping_sub(std::f32::consts::FRAC_1_SQRT_2.to_bits()) as i32 >> EXPONENT;
    let rest = f32::from_bits(one_more.to_bits().wrapping_sub((power as u32) << EXPONENT)) - 1.0;
    // ln(1 + r) = 2 artanh(r / (2 + r))
    let s = rest / (2.0 + rest);
    let z = s * s;
    let series = 1.0 + z * (1.0 / 3.0 + z * (1.0 / 5.0 + z * (1.0 / 7.0 + z * (1.0 / 9.0))));
    power as f32 * LN_2 + (2.0 * s * series + lost / one_more)
}

/// e^x - 1 of a size, 0 <= x <= 80.
#[inline(always)]
pub fn exp_m1(x: f32) -> f32 {
    // The nearest power of two, rounded by a number so large that it leaves no place for fractions.
    const ROUND: f32 = 12_582_912.0;
    /// ln 2 in two parts, the first short enough for exact products.
    const LN_2_PARTS: (f32, f32) = (0.693_359_4, -2.121_944_4e-4);
    let rounded = x * LOG2_E + ROUND;
    let power = rounded - ROUND;
    let r = (x - power * LN_2_PARTS.0) - power * LN_2_PARTS.1;
    let series = 1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0 + r * (1.0 / 5040.0))));
    let grown = r + r * r * (0.5 + r * series);
    let scale = f32::from_bits((rounded.to_bits() << EXPONENT).wrapping_add(BIAS));
    scale * grown + (scale - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the standard library in double precision, over all sizes that a logarithm or a power may have.
    #[test]
    fn are_those_of_double_precision() {
        let mut x = 1e-30f32;
        while x < 3e38 {
            let wanted = f64::from(x).ln_1p();
            let error = (f64::from(ln_1p(x)) / wanted - 1.0).abs();
            assert!(error < 4e-7, "ln_1p({x}) is {} instead of {wanted}", ln_1p(x));
            if x <= 80.0 {
                let wanted = f64::from(x).exp_m1();
                let error = (f64::from(exp_m1(x)) / wanted - 1.0).abs();
                assert!(error < 4e-7, "exp_m1({x}) is {} instead of {wanted}", exp_m1(x));
            }
            x *= 1.000_37;
        }
        assert_eq!([ln_1p(0.0), exp_m1(0.0)], [0.0; 2]);
        assert!(ln_1p(f32::NAN).is_nan() && exp_m1(f32::NAN).is_nan());
        assert!(ln_1p(f32::INFINITY) > 88.7);
    }
}
