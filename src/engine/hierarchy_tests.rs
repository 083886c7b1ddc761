//! What is a tree, what its nodes are called, and what is refused.

use super::super::calendar::Frequency;
use super::super::config::{Missing, Options, SeriesEnd};
use super::super::panel::{Frame, View};
use super::super::table::{Categories, Column, Numbers, Table};
use super::*;

const DAY: i64 = 86_400_000_000;

/// A day, a series, then quantity, promotion and visits; NaN is NULL.
pub type Row<'a> = (i64, &'a str, [f32; 3]);

fn names(list: &str) -> Vec<String> {
    list.split_whitespace().map(String::from).collect()
}

pub fn roles(keys: &str, statics: &str) -> Roles {
    Roles {
        target: "qty".into(),
        time: Some("day".into()),
        series: names(keys),
        statics: names(statics),
        past: names("visits"),
        future: names("promo"),
        ..Roles::default()
    }
}

/// A panel whose series are named by their key columns, then their statics: "a/north"; "-" is NULL.
pub fn panel(roles: &Roles, rows: &[Row]) -> Panel {
    let number = |at: usize| {
        let values = rows.iter().map(|(.., numbers)| numbers[at]).collect();
        Column::Numbers(Numbers { values, ..Numbers::default() })
    };
    let mut columns = vec![
        ("day".to_string(), Column::Times(rows.iter().map(|row| row.0 * DAY).collect())),
        ("qty".into(), number(0)),
        ("promo".into(), number(1)),
        ("visits".into(), number(2)),
    ];
    for (at, name) in roles.series.iter().chain(&roles.statics).enumerate() {
        let value = |row: &Row| match row.1.split('/').nth(at) {
            None | Some("-") => Value::Null,
            Some(text) => Value::Text(text.into()),
        };
        columns.push((name.clone(), Column::Categories(Categories::encode(rows.iter().map(value)))));
    }
    let table = Table { rows: rows.len(), columns };
    let options = Options { series_end: SeriesEnd::Common, missing: Some(Missing::Mask), ..Options::default() };
    let frame = Frame::learn(&table, roles, Some(Frequency::Days(1)), None).expect("a frequency is given");
    Panel::build(&table, roles, &options, &frame, View::default()).expect("good rows")
}

pub fn hierarchy(levels: &str) -> Hierarchy {
    Hierarchy { levels: names(levels), method: Some(Reconciliation::Mint) }
}

/// The tree over series that each have one value.
pub fn tree(keys: &str, statics: &str, levels: &str, series: &[&str]) -> Result<Tree> {
    let roles = roles(keys, statics);
    let rows: Vec<Row> = series.iter().map(|series| (0, *series, [1.0; 3])).collect();
    Tree::new(&panel(&roles, &rows), &roles, &hierarchy(levels))
}

/// All nodes as users read them, children behind the number of their parent.
fn shown(tree: &Tree) -> Vec<String> {
    let parent = |node: usize| tree.parent(node).map_or("-".into(), |parent| parent.to_string());
    (0..tree.len()).map(|node| format!("{} {} {}", parent(node), tree.level(node), tree.key(node))).collect()
}

#[test]
fn levels_are_the_total_every_prefix_and_the_series() {
    let tree = tree("store sku", "", "store", &["1/A", "1/B", "2/A"]).expect("a tree");
    let expected = [
        "- 0 {}",
        r#"0 1 {"store":"1"}"#,
        r#"0 1 {"store":"2"}"#,
        r#"1 2 {"store":"1","sku":"A"}"#,
        r#"1 2 {"store":"1","sku":"B"}"#,
        r#"2 2 {"store":"2","sku":"A"}"#,
    ];
    assert_eq!(shown(&tree), expected);
    assert_eq!((tree.aggregates(), tree.len()), (3, 6));
}

#[test]
fn a_prefix_with_all_key_columns_is_the_series_themselves() {
    let series = ["1/A/n", "1/B/n", "2/A/s"];
    let by_store = tree("store sku", "region", "region store", &series).expect("a tree");
    assert_eq!(tree("store sku", "region", "region store sku", &series), Ok(by_store));
    assert_eq!(tree("store", "region", "region store", &["1/n", "2/s"]).map(|tree| tree.aggregates()), Ok(3));
}

#[test]
fn no_levels_are_the_total_alone() {
    let tree = tree("sku", "", "", &["A", "B"]).expect("a tree");
    assert_eq!(shown(&tree), ["- 0 {}", r#"0 1 {"sku":"A"}"#, r#"0 1 {"sku":"B"}"#]);
}

#[test]
fn series_keep_the_order_of_the_panel_where_the_levels_sort_otherwise() {
    let tree = tree("sku", "category", "category", &["A/z", "B/y", "C/z"]).expect("a tree");
    let parents: Vec<Option<usize>> = (3..6).map(|node| tree.parent(node)).collect();
    assert_eq!(parents, [Some(2), Some(1), Some(2)]);
}

#[test]
fn a_category_under_two_departments_is_no_tree() {
    let error = tree("sku", "department category", "department category", &["1/food/tea", "2/food/jam", "3/gifts/tea"]);
    let error = error.expect_err("tea lies under two");
    let expected = "hierarchy is no tree: category tea lies under department food and under department gifts";
    assert_eq!(error.to_string(), expected);
    assert!(error.hint().is_some_and(|hint| hint.contains("department and category in series_columns")));
}

#[test]
fn a_store_in_two_regions_is_no_tree() {
    let expected = "hierarchy is no tree: store 1 lies under region north and under region south";
    for series in [&["1/A/north", "1/B/south", "2/A/north", "2/B/north"][..], &["1/A/north", "1/B/south"]] {
        let error = tree("store sku", "region", "region store", series).expect_err("store 1 lies in two");
        assert_eq!(error.to_string(), expected);
        let hint = "Correct the source, or name region in series_columns too: then every pair is a node.";
        assert_eq!(error.hint().as_deref(), Some(hint));
    }
    let tree = tree("store sku region", "", "region store", &["1/A/north", "1/B/south"]);
    assert_eq!(tree.map(|tree| tree.aggregates()), Ok(5));
}

#[test]
fn levels_from_the_bottom_up_are_no_tree() {
    let error = tree("sku", "category", "sku category", &["1/tea", "2/tea"]).expect_err("category below sku");
    assert_eq!(error.to_string(), "hierarchy is no tree: category tea lies under sku 1 and under sku 2");
}

/// As in the M5 data: states and stores describe the store, departments and categories the item.
#[test]
fn columns_that_describe_different_things_are_crossed() {
    let series = ["s1/i1/CA/food", "s1/i2/CA/toys", "s2/i1/CA/food", "s3/i1/TX/food", "s3/i2/TX/toys"];
    let tree = tree("store item", "state category", "state store category", &series).expect("a tree");
    // The total, two states, three stores, and five pairs of store and category.
    assert_eq!(tree.aggregates(), 1 + 2 + 3 + 5);
    assert_eq!(tree.key(5), json!({"state": "CA", "store": "s2"}));
}

#[test]
fn key_columns_make_a_node_of_every_pair() {
    let tree = tree("department category sku", "", "department category", &["food/tea/1", "gifts/tea/2"]);
    assert_eq!(tree.map(|tree| tree.aggregates()), Ok(5));
}

#[test]
fn a_level_without_a_value_is_refused() {
    let error = tree("sku", "region", "region", &["A/north", "B/-"]).expect_err("B has no region");
    assert_eq!(error.to_string(), r#"hierarchy level "region" is NULL for series {"sku":"B"}"#);
    assert!(tree("store sku", "", "store", &["1/A", "-/A"]).is_ok(), "NULL is a key like any other");
}

#[test]
fn unknown_levels_name_the_nearest_column() {
    let roles = roles("store sku", "region");
    let error = hierarchy("reigon store").check(&roles).expect_err("a misspelt column");
    assert_eq!(
        error.to_string(),
        "hierarchy names \"reigon\", which is neither a series column nor a static covariate"
    );
    assert_eq!(error.hint().as_deref(), Some("Did you mean \"region\"?"));
    assert_eq!(hierarchy("region store").check(&roles), Ok(()));
    assert!(hierarchy("").check(&Roles::default()).is_err(), "one series adds up to nothing");
}

#[test]
fn rows_of_nodes_find_their_place_in_another_tree() {
    let trained = tree("sku", "category", "category", &["A/x", "B/y"]).expect("a tree");
    let now = tree("sku", "category", "category", &["B/y", "C/w"]).expect("a tree");
    let rows: Vec<f32> = (0..trained.len()).flat_map(|node| [node as f32, 0.5]).collect();
    let aligned = now.align(trained.names(), &rows, 2);
    let first: Vec<f32> = aligned.iter().copied().step_by(2).collect();
    // The total, w, y, B, C; of which the trained tree has the total, x, y, A, B.
    assert!(first[1].is_nan() && first[4].is_nan());
    assert_eq!((first[0], first[2], first[3]), (0.0, 2.0, 4.0));
    assert!(now.align(trained.names(), &[], 0).is_empty());
}
