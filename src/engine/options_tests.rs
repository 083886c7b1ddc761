//! Options: what is read, and what refused.

use super::*;
use serde_json::json;

#[test]
fn no_options_are_the_defaults() {
    assert_eq!(Options::parse(None), Ok(Options::default()));
    assert_eq!(Options::parse(Some(&json!({}))), Ok(Options::default()));
}

#[test]
fn reads_a_network() {
    let options = Options::parse(Some(&json!({"seed": 7, "scaling": "minmax", "network": {
        "hidden": [10], "loss": "mse", "optimizer": "adam", "epochs": 100, "batch_size": 32}})));
    let options = options.expect("all keys are known");
    assert_eq!(options.seed, 7);
    assert_eq!(options.scaling, Some(ScalingMethod::MinMax));
    assert_eq!(options.network.hidden, Some(vec![10]));
    assert_eq!(options.network.loss, Some(Loss::Mse));
    assert_eq!(options.network.optimizer, Some(Optimizer::Adam));
}

#[test]
fn reads_an_architecture_for_counts() {
    let options = Options::parse(Some(&json!({"network": {
        "architecture": "nhits", "blocks": 4, "average": 0.5, "loss": "tweedie", "tweedie_power": 1.2}})));
    let network = options.expect("all keys are known").network;
    assert_eq!((network.architecture, network.blocks), (Some(ArchitectureOption::NHits), Some(4)));
    assert_eq!((network.average, network.loss), (0.5, Some(Loss::Tweedie { power: 1.2 })));
    assert!(Options::parse(Some(&json!({"network": {"tweedie_power": 2}}))).is_err());
    assert!(Options::parse(Some(&json!({"network": {"average": 0.5, "patience": 3}}))).is_err());
}

#[test]
fn holidays_are_one_code_or_a_list() {
    let holidays = |json| Options::parse(Some(&json!({"holidays": json}))).map(|options| options.holidays);
    assert_eq!(holidays(json!("DE")), Ok(vec!["DE".into()]));
    assert_eq!(holidays(json!(["US-CA", "FR"])), Ok(vec!["US-CA".into(), "FR".into()]));
    assert!(matches!(holidays(json!("DEU")), Err(Error::UnknownArea { .. })));
    assert!(matches!(holidays(json!({"DE": true})), Err(Error::InvalidOption { .. })));
}

#[test]
fn reads_a_hierarchy_as_a_list_or_an_object() {
    let read = |json: Json| Options::parse(Some(&json!({"hierarchy": json})));
    let options = read(json!(["region", "store"])).expect("a list");
    assert_eq!(options.series_end, SeriesEnd::Common);
    let levels = vec!["region".to_string(), "store".to_string()];
    assert_eq!(options.hierarchy, Some(Hierarchy { levels, method: None }));
    let options = read(json!({"levels": [], "method": "bottom_up"})).expect("an object");
    assert_eq!(options.hierarchy, Some(Hierarchy { levels: vec![], method: Some(Reconciliation::BottomUp) }));
    let nine: Vec<String> = (0..9).map(|level| format!("c{level}")).collect();
    let object = json!({"levels": ["a"], "methods": "mint"});
    for bad in [json!("a"), json!(true), json!({}), json!(["a", "a"]), json!([1]), json!(nine), object] {
        assert!(read(bad.clone()).is_err(), "{bad}");
    }
}

#[test]
fn a_hierarchy_needs_one_end_of_all_series() {
    let error = Options::parse(Some(&json!({"hierarchy": ["a"], "series_end": "own"}))).expect_err("two ends");
    let expected = "option \"series_end\" is \"own\", but must be common in a hierarchy, whose sums need one end";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn an_unknown_key_names_the_nearest() {
    let error = Options::parse(Some(&json!({"network": {"hiden": [1]}}))).expect_err("a misspelt key");
    let Error::UnknownOption { key, nearest, .. } = error else { panic!("{error:?}") };
    assert_eq!((key.as_str(), nearest.as_deref()), ("network.hiden", Some("network.hidden")));
}

#[test]
fn a_value_out_of_range_names_the_range() {
    let error = Options::parse(Some(&json!({"network": {"epochs": 0}}))).expect_err("no epochs");
    assert_eq!(error.to_string(), "option \"network.epochs\" is 0, but must be a whole number from 1 to 100000");
    assert!(Options::parse(Some(&json!({"lower_bound": 5, "upper_bound": 5}))).is_err());
    assert!(Options::parse(Some(&json!({"network": {"quantiles": [0.9, 0.5]}}))).is_err());
    assert!(Options::parse(Some(&json!([1]))).is_err());
}
