//! What the methods answer, beside the programs that define them.

use proptest::prelude::*;

use super::{Fitted, Method, naive, seasonal_naive};

/// International airline passengers, 1949 to 1952, in thousands (Box & Jenkins, series G).
pub const PASSENGERS: [f32; 48] = [
    112.0, 118.0, 132.0, 129.0, 121.0, 135.0, 148.0, 148.0, 136.0, 119.0, 104.0, 118.0, 115.0, 126.0, 141.0, 135.0,
    125.0, 149.0, 170.0, 170.0, 158.0, 133.0, 114.0, 140.0, 145.0, 150.0, 178.0, 163.0, 172.0, 178.0, 199.0, 199.0,
    184.0, 162.0, 146.0, 166.0, 171.0, 180.0, 193.0, 181.0, 183.0, 218.0, 230.0, 242.0, 209.0, 191.0, 172.0, 194.0,
];
/// Those of 1953.
const NEXT: [f32; 12] = [196.0, 196.0, 236.0, 235.0, 229.0, 243.0, 264.0, 272.0, 237.0, 211.0, 180.0, 201.0];

pub fn close(found: &[f32], expected: &[f32], within: f32) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= within * expected.abs().max(1.0), "{found} is not {expected}");
    }
}

fn forecast(method: Method, history: &[f32], season: usize, horizon: usize) -> Vec<f32> {
    method.fit(history, season).expect("enough values").forecast(history, horizon)
}

#[test]
fn naive_methods_do_what_they_say() {
    let history = [1.0, 2.0, f32::NAN, 4.0, 7.0];
    assert_eq!(forecast(Method::Naive, &history, 2, 2), [7.0, 7.0]);
    assert_eq!(forecast(Method::SeasonalNaive, &history, 2, 3), [4.0, 7.0, 4.0]);
    assert_eq!(forecast(Method::Drift, &history, 2, 2), [8.5, 10.0]);
    assert_eq!(forecast(Method::Mean, &history, 2, 2), [3.5, 3.5]);
}

/// A line goes on with half its slope from a level that has followed it.
#[test]
fn theta_follows_half_the_trend() {
    let line: Vec<f32> = (0..60).map(|x| 10.0 + 2.0 * x as f32).collect();
    close(&forecast(Method::Theta, &line, 1, 3), &[130.0, 131.0, 132.0], 0.01);
}

#[test]
fn theta_keeps_the_season_of_a_level() {
    let wave: Vec<f32> = (0..48).map(|x| [10.0, 20.0, 30.0, 20.0][x % 4]).collect();
    close(&forecast(Method::Theta, &wave, 4, 5), &[10.0, 20.0, 30.0, 20.0, 10.0], 0.01);
    let around_zero: Vec<f32> = wave.iter().map(|value| value - 20.0).collect();
    close(&forecast(Method::Theta, &around_zero, 4, 4), &[-10.0, 0.0, 10.0, 0.0], 0.01);
}

/// statsmodels 0.14's ThetaModel(period=12, method="mul").fit().
#[test]
fn theta_agrees_with_statsmodels() {
    let expected =
        [195.382, 204.979, 228.476, 212.359, 210.285, 237.073, 259.914, 258.238, 237.081, 204.012, 178.044, 205.704];
    close(&forecast(Method::Theta, &PASSENGERS, 12, 12), &expected, 0.01);
}

/// statsforecast 2.1's MSTL(season_length=[12]), whose ETS of the rest finds its first states by search.
#[test]
fn mstl_agrees_with_statsforecast() {
    let expected =
        [197.148, 204.744, 222.354, 212.528, 211.368, 231.359, 248.055, 251.148, 232.079, 211.039, 193.218, 213.639];
    close(&forecast(Method::Mstl, &PASSENGERS, 12, 12), &expected, 0.02);
}

#[test]
fn seasonal_methods_beat_the_seasonal_naive_forecast() {
    let error = |path: &[f32]| path.iter().zip(NEXT).map(|(f, y)| (f - y).abs()).sum::<f32>();
    let most = 0.7 * error(&seasonal_naive(&PASSENGERS, 12, 12));
    for method in [Method::Theta, Method::Ets, Method::Mstl] {
        let found = error(&forecast(method, &PASSENGERS, 12, 12));
        assert!(found < most, "{}: {found} is not below {most}", method.name());
    }
}

/// statsforecast 2.1's CrostonSBA() and TSB(0.2, 0.05); over 225 demands the first states are forgotten.
#[test]
fn intermittent_methods_agree_with_statsforecast() {
    let mut x: u64 = 1;
    let next = |_| {
        x = (x * 1_103_515_245 + 12_345) % (1 << 31);
        let share = (x >> 16) % 100;
        if share < 30 { (share / 4 + 1) as f32 } else { 0.0 }
    };
    let demand: Vec<f32> = (0..800).map(next).collect();
    for (json, expected) in [
        (r#"{"season": 1, "form": {"croston": {"size": 0.1, "timing": 0.1}}}"#, 1.658_877),
        (r#"{"season": 1, "form": {"tsb": {"size": 0.2, "timing": 0.05}}}"#, 2.099_451),
    ] {
        let fitted: Fitted = serde_json::from_str(json).expect("a stored form");
        close(&fitted.forecast(&demand, 2), &[expected; 2], 1e-5);
    }
}

#[test]
fn tsb_falls_when_nothing_is_sold_any_more() {
    let sold: Vec<f32> = (0..60).map(|step| if step < 30 && step % 3 == 0 { 6.0 } else { 0.0 }).collect();
    assert!(forecast(Method::Tsb, &sold, 12, 1)[0] < 0.3 * forecast(Method::Croston, &sold, 12, 1)[0]);
    assert_eq!(forecast(Method::Tsb, &[0.0; 30], 12, 1), [0.0]);
    assert_eq!(forecast(Method::Croston, &[0.0; 30], 12, 1), [0.0]);
}

/// A week's and a year's pattern at once.
#[test]
fn mstl_finds_the_year_of_a_daily_series() {
    let value = |day: usize| {
        let year = (day as f32 / 365.0 * std::f32::consts::TAU).sin();
        100.0 + 20.0 * year + if day % 7 < 2 { 10.0 } else { 0.0 }
    };
    let history: Vec<f32> = (0..3 * 365).map(value).collect();
    let expected: Vec<f32> = (3 * 365..3 * 365 + 28).map(value).collect();
    close(&forecast(Method::Mstl, &history, 7, 28), &expected, 0.02);
}

#[test]
fn steps_between_the_last_known_value_and_the_forecast_are_left_out() {
    let mut later = PASSENGERS.to_vec();
    later.extend([f32::NAN; 3]);
    for method in Method::ALL.into_iter().filter(|method| *method != Method::SeasonalNaive) {
        let fitted = method.fit(&PASSENGERS, 12).expect("enough values");
        assert_eq!(fitted.forecast(&later, 4), fitted.forecast(&PASSENGERS, 7)[3..], "{}", method.name());
    }
}

#[test]
fn a_stored_form_is_small_and_forecasts_the_same() {
    for method in Method::ALL {
        let fitted = method.fit(&PASSENGERS, 12).expect("enough values");
        let json = serde_json::to_string(&fitted).expect("plain data");
        assert!(json.len() < 250, "{json}");
        let stored: Fitted = serde_json::from_str(&json).expect("what was written");
        assert_eq!((stored.method(), stored.forecast(&PASSENGERS, 3)), (method, fitted.forecast(&PASSENGERS, 3)));
    }
}

#[test]
fn too_little_is_no_reason_to_guess() {
    for method in Method::ALL {
        assert_eq!(method.fit(&[], 7), None);
        assert_eq!(method.fit(&[f32::NAN; 30], 7), None);
    }
    for method in [Method::Theta, Method::Ets, Method::Mstl] {
        assert_eq!(method.fit(&[1.0, 2.0, 3.0, 4.0], 7), None);
    }
    let fitted = Method::Ets.fit(&PASSENGERS, 12).expect("enough values");
    assert_eq!(fitted.forecast(&[f32::NAN, 3.0], 2), naive(&[3.0], 2));
    assert_eq!(fitted.forecast(&[], 2), [0.0; 2]);
}

/// A form with a season on a history without room for one, and one with factors on a history that has turned negative.
#[test]
fn a_form_is_run_as_far_as_a_newer_history_allows() {
    let fitted = Method::Ets.fit(&PASSENGERS, 12).expect("enough values");
    close(&fitted.forecast(&[50.0; 15], 2), &[50.0; 2], 1e-3);
    let below: Vec<f32> = (0..48).map(|x| if x % 12 == 0 { -30.0 } else { 10.0 }).collect();
    for method in [Method::Theta, Method::Ets, Method::Mstl] {
        let fitted = method.fit(&PASSENGERS, 12).expect("enough values");
        close(&fitted.forecast(&below, 3), &[-30.0, 10.0, 10.0], 0.01);
    }
}

#[test]
fn long_histories_are_borne() {
    let history: Vec<f32> = (0..10_000).map(|x| (x % 24) as f32 * (x % 365) as f32 - 50.0).collect();
    for (method, season) in Method::ALL.into_iter().zip([24, 365, 24, 7, 365, 24, 365, 24, 24]) {
        assert!(forecast(method, &history, season, 100).iter().all(|value| value.is_finite()));
    }
}

fn value() -> impl Strategy<Value = f32> {
    prop_oneof![
        6 => 0f32..100.0,
        3 => -1e3f32..1e3,
        3 => Just(0.0),
        2 => Just(5.0),
        2 => Just(f32::NAN),
        1 => prop_oneof![Just(1e30), Just(-1e30), Just(f32::MAX), Just(f32::MIN_POSITIVE), Just(f32::INFINITY)],
    ]
}

/// Histories of all kinds of values, or of one kind only, or one value and its like.
fn history() -> impl Strategy<Value = Vec<f32>> {
    prop_oneof![
        prop::collection::vec(value(), 0..120),
        prop::collection::vec(1f32..50.0, 0..120),
        (value(), 0usize..120).prop_map(|(value, n)| vec![value; n]),
        (value(), 0usize..120).prop_map(|(by, n)| (0..n).map(|x| by * x as f32).collect()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn forecasts_are_finite_and_as_long_as_asked(fit in history(), newer in history(), season in 0usize..60, horizon in 0usize..40) {
        for method in Method::ALL {
            let Some(fitted) = method.fit(&fit, season) else { continue };
            for history in [&fit, &newer] {
                let path = fitted.forecast(history, horizon);
                prop_assert_eq!(path.len(), horizon);
                prop_assert!(path.iter().all(|value| value.is_finite()), "{:?}: {:?}", fitted, path);
            }
        }
    }

    #[test]
    fn forecasts_of_ordinary_values_are_not_absurd(
        fit in prop::collection::vec(prop_oneof![9 => 0.5f32..50.0, 1 => Just(0.0), 1 => Just(f32::NAN)], 12..90),
        newer in prop::collection::vec(0f32..50.0, 3..90),
        season in 1usize..30,
    ) {
        for method in Method::ALL {
            let Some(fitted) = method.fit(&fit, season) else { continue };
            for history in [&fit, &newer] {
                let path = fitted.forecast(history, 24);
                prop_assert!(path.iter().all(|value| value.abs() < 5000.0), "{:?}: {:?}", fitted, path);
            }
        }
    }
}
