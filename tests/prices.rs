//! Planned prices: a cut that was never planned for a step before raises its forecast as earlier cuts raised sales, by product.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sales_forecast::engine::calendar::Frequency;
use sales_forecast::engine::config::{Options, Roles};
use sales_forecast::engine::nodes::Nodes;
use sales_forecast::engine::panel::{Panel, View};
use sales_forecast::engine::request::Request;
use sales_forecast::engine::table::{Categories, Column, Numbers, Table, Value};
use sales_forecast::engine::train::train;
use serde_json::json;

const WEEK: i64 = 7 * 86_400_000_000;
const PRODUCTS: usize = 20;
const WEEKS: usize = 60;
const HORIZON: usize = 8;

/// Percentage by which sales grow where a price falls by one.
fn elasticity(product: usize) -> f32 {
    if product.is_multiple_of(2) { 1.0 } else { 3.0 }
}

/// A sixth of the weeks are at prices 10 to 40 % lower; of the planned ones every second, at half of the price.
fn discount(product: usize, week: usize, random: f32) -> f32 {
    match (week < WEEKS, (week + product) % 6) {
        (true, 0) => 0.9 - 0.3 * random,
        (true, _) => 1.0,
        (false, _) => [0.5, 1.0][week % 2],
    }
}

/// Sales around a hundred at usual prices, and an index of costs that only ever rises.
fn table() -> Table {
    let rows: Vec<(usize, usize)> = (0..PRODUCTS).flat_map(|p| (0..WEEKS + HORIZON).map(move |w| (p, w))).collect();
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let discounts: Vec<f32> = rows.iter().map(|(p, w)| discount(*p, *w, random.random())).collect();
    let sales = |((product, week), discount): (&(usize, usize), &f32)| match *week < WEEKS {
        true => 100.0 * discount.powf(-elasticity(*product)) * random.random_range(0.9..1.1),
        false => f32::NAN,
    };
    let sales: Vec<f32> = rows.iter().zip(&discounts).map(sales).collect();
    let numbers = |values: Vec<f32>| Column::Numbers(Numbers { values, ..Numbers::default() });
    let prices = rows.iter().zip(&discounts).map(|((product, _), discount)| (2 + product) as f32 * discount);
    Table {
        rows: rows.len(),
        columns: vec![
            ("week".into(), Column::Times(rows.iter().map(|(_, week)| *week as i64 * WEEK).collect())),
            ("product".into(), Column::Categories(Categories::encode(rows.iter().map(|(p, _)| Value::Int(*p as i64))))),
            ("sales".into(), numbers(sales)),
            ("price".into(), numbers(prices.collect())),
            ("costs".into(), numbers(rows.iter().map(|(_, week)| 100.0 + 0.1 * *week as f32).collect())),
        ],
    }
}

#[test]
fn a_price_cut_raises_forecasts_as_it_raised_sales() {
    let roles = Roles {
        target: "sales".into(),
        time: Some("week".into()),
        series: vec!["product".into()],
        future: vec!["price".into(), "costs".into()],
        ..Roles::default()
    };
    let options = Options::parse(Some(&json!({}))).expect("known keys");
    let frequency = Some(Frequency::Days(7));
    let request =
        Request { horizon: Some(HORIZON), frequency, threads: 2, ..Request::new(roles.clone(), options.clone()) };
    let model = train(table(), &request, &mut |_| ()).expect("a model").model;
    assert_eq!(model.spec.summary.left_out, ["costs"]);
    let panel = Panel::build(table(), &roles, &options, &model.spec.frame, View::default()).expect("good rows");
    let nodes = Nodes::new(panel, &roles, &options, None).expect("no hierarchy");
    let all: Vec<usize> = (0..PRODUCTS).collect();
    let forecasts = model.forecast(&nodes, &all, HORIZON, 0.8).expect("forecasts");
    for (product, forecast) in forecasts.iter().enumerate() {
        let mean = |odd: usize| forecast.point.iter().skip(odd).step_by(2).sum::<f32>() / (HORIZON / 2) as f32;
        let (cut, usual) = (mean(WEEKS % 2), mean(1 - WEEKS % 2));
        let wanted = 2f32.powf(elasticity(product));
        assert!((80.0..125.0).contains(&usual), "product {product}: {usual} at its usual price");
        assert!((0.7..1.4).contains(&(cut / usual / wanted)), "product {product}: {cut} for {usual}, wanted {wanted}");
    }
}
