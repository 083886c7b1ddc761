//! What sums over series are: never invented, never ahead of their time.

use proptest::prelude::*;

use super::super::hierarchy::tests::{Row, hierarchy, panel, roles};
use super::*;

const NULL: f32 = f32::NAN;

fn aggregates(levels: &str, rows: &[Row]) -> (Panel, Panel) {
    let roles = roles("sku", "category");
    let panel = panel(&roles, rows);
    let tree = Tree::new(&panel, &roles, &hierarchy(levels)).expect("a tree");
    let aggregates = tree.aggregate(&panel, None).expect("room");
    (panel, aggregates)
}

#[test]
fn a_sum_begins_with_its_oldest_series_and_ends_with_its_newest() {
    let rows = [
        (3, "A/x", [1.0, 0.0, 10.0]),
        (4, "A/x", [2.0, 0.0, 10.0]),
        (1, "B/x", [5.0, 1.0, 1.0]),
        (4, "B/x", [7.0, 1.0, 1.0]),
        (2, "C/y", [100.0, 0.0, 2.0]),
        (4, "C/y", [200.0, 0.0, 2.0]),
        // Planned.
        (5, "A/x", [NULL, 1.0, NULL]),
        (5, "B/x", [NULL, 0.0, NULL]),
    ];
    let (panel, sums) = aggregates("category", &rows);
    assert_eq!(sums.series.iter().map(|s| s.key.len()).collect::<Vec<_>>(), [0, 1, 1]);
    let first = panel.series[1].first;
    assert_eq!(sums.series.iter().map(|s| s.first - first).collect::<Vec<_>>(), [0, 0, 1]);
    assert_eq!(sums.series.iter().map(|s| (s.len, s.span)).collect::<Vec<_>>(), [(4, 5), (4, 5), (3, 3)]);
    // B is unknown on days 2 and 3, and counts as its mean so far, 5; day 2 is known in no series of category x.
    assert!(sums.history(1)[1].is_nan());
    assert_eq!((sums.history(1)[0], &sums.history(1)[2..]), (5.0, &[6.0, 9.0][..]));
    assert_eq!(sums.history(0), [5.0, 105.0, 106.0, 209.0]);
    // Promotions are shares, visits add up.
    let covariate = |name: &str| sums.covariates.iter().position(|c| c.name == name).expect("a covariate");
    assert_eq!((sums.covariate(covariate("promo"), 1)[3], sums.covariate(covariate("promo"), 1)[4]), (0.5, 0.5));
    assert_eq!(sums.covariate(covariate("visits"), 0)[3], 13.0);
    assert_eq!(sums.covariate(covariate("visits"), 0).len(), 4);
}

#[test]
fn aggregates_keep_the_categories_that_all_their_series_share() {
    let (_, sums) = aggregates("category", &[(1, "A/x", [1.0; 3]), (1, "B/x", [1.0; 3]), (1, "C/y", [1.0; 3])]);
    let text = |text: &str| Value::Text(text.into());
    assert_eq!(sums.statics, [Static::Categories("category".into(), vec![Value::Null, text("x"), text("y")])]);
}

#[test]
fn a_series_that_has_not_begun_adds_only_its_plan() {
    let rows = [(1, "A/x", [1.0, 0.0, 1.0]), (2, "A/x", [2.0, 0.0, 1.0]), (9, "B/y", [NULL, 1.0, NULL])];
    let (_, sums) = aggregates("category", &rows);
    assert_eq!(sums.series.iter().map(|s| (s.len, s.span)).collect::<Vec<_>>(), [(2, 9), (2, 2), (0, 7)]);
    assert_eq!(sums.history(0), [1.0, 2.0]);
    assert_eq!(sums.covariate(1, 0)[8], 1.0);
}

#[test]
fn sums_past_the_memory_are_refused() {
    let roles = roles("sku", "category");
    let panel = panel(&roles, &[(1, "A/x", [1.0; 3]), (10_000, "A/x", [1.0; 3])]);
    let tree = Tree::new(&panel, &roles, &hierarchy("category")).expect("a tree");
    assert!(tree.aggregate(&panel, Some(1 << 10)).is_err());
}

#[test]
fn huge_values_stay_finite_numbers() {
    let (_, sums) =
        aggregates("", &[(1, "A/x", [1e30; 3]), (1, "B/x", [1e30; 3]), (2, "A/x", [NULL; 3]), (2, "B/x", [1.0; 3])]);
    assert_eq!(sums.history(0), [2e30, 1e30]);
}

proptest! {
    /// What is known at an origin does not change with what comes later: summing and rewinding commute.
    #[test]
    fn sums_never_look_ahead(cells in proptest::collection::vec((0i64..12, 0usize..3, 0u8..20), 4..40), hidden in 1usize..6) {
        let names = ["A/x", "B/x", "C/y"];
        let value = |v: u8| if v < 3 { NULL } else { f32::from(v) };
        let mut rows: Vec<Row> = cells.iter().map(|(day, sku, v)| (*day, names[*sku], [value(*v), 0.0, 1.0])).collect();
        rows.push((12, "A/x", [1.0; 3]));
        let roles = roles("sku", "category");
        let panel = panel(&roles, &rows);
        let tree = Tree::new(&panel, &roles, &hierarchy("category")).expect("a tree");
        let sums = tree.aggregate(&panel, None).expect("room").rewind(hidden);
        let earlier = tree.aggregate(&panel.rewind(hidden), None).expect("room");
        for node in 0..tree.aggregates() {
            let known = |y: &f32| if y.is_nan() { f32::MIN } else { *y };
            let (sum, same) = (sums.history(node).iter().map(known), earlier.history(node).iter().map(known));
            prop_assert_eq!(sum.collect::<Vec<_>>(), same.collect::<Vec<_>>());
        }
    }
}
