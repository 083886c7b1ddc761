//! Reading `options jsonb`: every key is known, typed and in range, or the error names it.

use serde_json::{Map, Value as Json};

use super::classical::Method;
use super::config::{
    Activation, Aggregate, ArchitectureOption, Backtest, Encoding, Layout, Loss, MethodOption, Metric, Missing,
    NetworkOptions, Optimizer, Options, Outliers, ScalingMethod, Schedule, SeriesEnd,
};
use super::error::{Error, Result};
use super::hierarchy::{Hierarchy, Reconciliation};
use super::holidays;

/// Quantile levels of the default loss: deciles and the ends of a 95 % interval.
pub const LEVELS: [f32; 11] = [0.025, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.975];

/// Columns that a hierarchy may have.
const MOST_LEVELS: usize = 8;

impl Options {
    /// Parses the user's options; `None` and `{}` are all defaults.
    ///
    /// # Errors
    /// [`Error::UnknownOption`] with the nearest key, [`Error::InvalidOption`] with the allowed range.
    pub fn parse(json: Option<&Json>) -> Result<Options> {
        let Some(json) = json else { return Ok(Options::default()) };
        let mut reader = Reader::new("", json)?;
        let defaults = Options::default();
        let options = Options {
            seed: reader.integer("seed", 0, i64::MAX as u64)?.unwrap_or(defaults.seed),
            scaling: reader.choice("scaling", &SCALINGS)?,
            encoding: reader.choice("encoding", &ENCODINGS)?.unwrap_or(defaults.encoding),
            layout: reader.choice("layout", &LAYOUTS)?,
            aggregate: reader.choice("aggregate", &AGGREGATES)?.unwrap_or(defaults.aggregate),
            missing: reader.choice("missing", &MISSINGS)?,
            outliers: reader.choice("outliers", &OUTLIERS)?.unwrap_or(defaults.outliers),
            series_end: match reader.choice("series_end", &SERIES_ENDS)? {
                None if reader.has("hierarchy") => SeriesEnd::Common,
                end => end.unwrap_or(defaults.series_end),
            },
            stockout_column: reader.text("stockout_column")?,
            holidays: reader.areas("holidays")?,
            events: reader.text("events")?,
            lower_bound: reader.number("lower_bound", f64::from(f32::MIN), f64::from(f32::MAX))?.map(|x| x as f32),
            upper_bound: reader.number("upper_bound", f64::from(f32::MIN), f64::from(f32::MAX))?.map(|x| x as f32),
            test_share: reader.number("test_share", 0.01, 0.5)?.map_or(defaults.test_share, |x| x as f32),
            refit: reader.boolean("refit")?.unwrap_or(defaults.refit),
            method: reader.choice("method", &METHODS)?.unwrap_or(defaults.method),
            backtest: match reader.take("backtest") {
                Some(json) => backtest(&json)?,
                None => defaults.backtest,
            },
            hierarchy: reader.take("hierarchy").map(|json| hierarchy(&json)).transpose()?,
            network: match reader.take("network") {
                Some(json) => network(&json)?,
                None => NetworkOptions::default(),
            },
        };
        reader.finish()?;
        if options.hierarchy.is_some() && options.series_end != SeriesEnd::Common {
            let end = if options.series_end == SeriesEnd::Own { "own" } else { "auto" };
            return Err(invalid("series_end", &Json::from(end), "common in a hierarchy, whose sums need one end"));
        }
        if let (Some(lower), Some(upper)) = (options.lower_bound, options.upper_bound)
            && lower >= upper
        {
            return Err(invalid("upper_bound", &Json::from(upper), format!("above lower_bound, {lower}")));
        }
        Ok(options)
    }
}

fn backtest(json: &Json) -> Result<Backtest> {
    let mut reader = Reader::new("backtest.", json)?;
    let defaults = Backtest::default();
    let backtest = Backtest {
        windows: reader.integer("windows", 0, 100)?.map_or(defaults.windows, |x| x as usize),
        step: reader.integer("step", 1, 100_000)?.map(|x| x as usize),
        gap: reader.integer("gap", 0, 100_000)?.map_or(defaults.gap, |x| x as usize),
        metric: reader.choice("metric", &METRICS)?,
    };
    reader.finish()?;
    Ok(backtest)
}

/// A list of levels, or an object with the list and the method.
fn hierarchy(json: &Json) -> Result<Hierarchy> {
    let list = |key: &str, json: &Json| {
        let names: Option<Vec<String>> =
            json.as_array().and_then(|names| names.iter().map(|name| name.as_str().map(String::from)).collect());
        let differ = |names: &Vec<String>| (1..names.len()).all(|at| !names[..at].contains(&names[at]));
        let allowed = format!("a list of at most {MOST_LEVELS} different columns, from the top down");
        names.filter(|names| names.len() <= MOST_LEVELS && differ(names)).ok_or_else(|| invalid(key, json, allowed))
    };
    if !json.is_object() {
        return Ok(Hierarchy { levels: list("hierarchy", json)?, method: None });
    }
    let mut reader = Reader::new("hierarchy.", json)?;
    let levels = reader.take("levels").unwrap_or(Json::Null);
    let method = reader.choice("method", &RECONCILIATIONS)?.flatten();
    reader.finish()?;
    Ok(Hierarchy { levels: list("hierarchy.levels", &levels)?, method })
}

fn network(json: &Json) -> Result<NetworkOptions> {
    let mut reader = Reader::new("network.", json)?;
    let defaults = NetworkOptions::default();
    let loss = reader.choice("loss", &LOSSES)?;
    let delta = reader.number("huber_delta", 1e-3, 1e3)?.map(|x| x as f32);
    let power = reader.number("tweedie_power", 1.01, 1.99)?.map(|x| x as f32);
    let levels = reader.levels("quantiles")?;
    let optimizer = match reader.choice("optimizer", &OPTIMIZERS)? {
        Some(optimizer) => Some(optimizer),
        None => reader.choice("optimiser", &OPTIMIZERS)?,
    };
    let momentum = reader.number("momentum", 0.0, 0.999)?;
    let options = NetworkOptions {
        architecture: reader.choice("architecture", &ARCHITECTURES)?,
        blocks: reader.integer("blocks", 1, 64)?.map(|x| x as usize),
        average: reader.number("average", 0.0, 1.0)?.map_or(defaults.average, |x| x as f32),
        hidden: reader.hidden("hidden")?,
        activation: reader.choice("activation", &ACTIVATIONS)?.unwrap_or(defaults.activation),
        dropout: reader.number("dropout", 0.0, 0.9)?.map(|x| x as f32),
        layer_norm: reader.boolean("layer_norm")?.unwrap_or(defaults.layer_norm),
        residual: reader.boolean("residual")?,
        skip: reader.boolean("skip")?,
        epochs: reader.integer("epochs", 1, 100_000)?.map(|x| x as usize),
        batch_size: reader.integer("batch_size", 1, 65_536)?.map(|x| x as usize),
        learning_rate: reader.number("learning_rate", 1e-7, 10.0)?.map(|x| x as f32),
        schedule: reader.choice("schedule", &SCHEDULES)?,
        weight_decay: reader.number("weight_decay", 0.0, 1.0)?.map_or(defaults.weight_decay, |x| x as f32),
        clip: reader.number("clip", 1e-6, 1e6)?.map(|x| x as f32),
        loss: match loss {
            Some(Loss::Huber { .. }) => Some(Loss::Huber { delta: delta.unwrap_or(1.0) }),
            Some(Loss::Tweedie { power: usual }) => Some(Loss::Tweedie { power: power.unwrap_or(usual) }),
            None if levels.is_some() => Some(Loss::Pinball { levels: levels.unwrap_or_default() }),
            Some(Loss::Pinball { .. }) => Some(Loss::Pinball { levels: levels.unwrap_or_else(|| LEVELS.to_vec()) }),
            other => other,
        },
        optimizer: match optimizer {
            Some(Optimizer::Sgd { .. }) => Some(Optimizer::Sgd { momentum: momentum.unwrap_or(0.9) as f32 }),
            other => other,
        },
        patience: reader.integer("patience", 1, 100_000)?.map(|x| x as usize),
        input_size: reader.integer("input_size", 1, 4096)?.map(|x| x as usize),
        members: reader.integer("members", 1, 32)?.map(|x| x as usize),
    };
    reader.finish()?;
    if options.average > 0.0 && options.patience.is_some() {
        return Err(Error::InvalidOption {
            key: "network.average".into(),
            value: options.average.to_string(),
            allowed: "0 beside network.patience, which keeps the best epoch's weights".into(),
        });
    }
    Ok(options)
}

type Choices<T, const N: usize> = [(&'static str, T); N];

const SCALINGS: Choices<ScalingMethod, 5> = [
    ("minmax", ScalingMethod::MinMax),
    ("standard", ScalingMethod::Standard),
    ("robust", ScalingMethod::Robust),
    ("mean", ScalingMethod::Mean),
    ("none", ScalingMethod::None),
];
const ENCODINGS: Choices<Encoding, 2> = [("embedding", Encoding::Embedding), ("one_hot", Encoding::OneHot)];
const METRICS: Choices<Metric, 6> = [
    ("mase", Metric::Mase),
    ("rmsse", Metric::Rmsse),
    ("mae", Metric::Mae),
    ("rmse", Metric::Rmse),
    ("wape", Metric::Wape),
    ("wql", Metric::Wql),
];
const METHODS: Choices<MethodOption, 12> = [
    ("auto", MethodOption::Auto),
    ("network", MethodOption::Network),
    ("prior", MethodOption::Prior),
    ("naive", MethodOption::Classical(Method::Naive)),
    ("seasonal_naive", MethodOption::Classical(Method::SeasonalNaive)),
    ("drift", MethodOption::Classical(Method::Drift)),
    ("mean", MethodOption::Classical(Method::Mean)),
    ("theta", MethodOption::Classical(Method::Theta)),
    ("ets", MethodOption::Classical(Method::Ets)),
    ("mstl", MethodOption::Classical(Method::Mstl)),
    ("croston", MethodOption::Classical(Method::Croston)),
    ("tsb", MethodOption::Classical(Method::Tsb)),
];
const LAYOUTS: Choices<Layout, 2> = [("window", Layout::Window), ("step", Layout::Step)];
const AGGREGATES: Choices<Aggregate, 4> =
    [("sum", Aggregate::Sum), ("mean", Aggregate::Mean), ("max", Aggregate::Max), ("last", Aggregate::Last)];
const MISSINGS: Choices<Missing, 4> = [
    ("zero", Missing::Zero),
    ("previous", Missing::Previous),
    ("interpolate", Missing::Interpolate),
    ("mask", Missing::Mask),
];
const OUTLIERS: Choices<Outliers, 3> = [("keep", Outliers::Keep), ("clip", Outliers::Clip), ("mask", Outliers::Mask)];
const RECONCILIATIONS: Choices<Option<Reconciliation>, 3> =
    [("auto", None), ("mint", Some(Reconciliation::Mint)), ("bottom_up", Some(Reconciliation::BottomUp))];
const SERIES_ENDS: Choices<SeriesEnd, 3> =
    [("auto", SeriesEnd::Auto), ("own", SeriesEnd::Own), ("common", SeriesEnd::Common)];
const ACTIVATIONS: Choices<Activation, 5> = [
    ("relu", Activation::Relu),
    ("sigmoid", Activation::Sigmoid),
    ("tanh", Activation::Tanh),
    ("gelu", Activation::Gelu),
    ("silu", Activation::Silu),
];
const ARCHITECTURES: Choices<ArchitectureOption, 5> = [
    ("mlp", ArchitectureOption::Mlp),
    ("residual", ArchitectureOption::Residual),
    ("nbeats", ArchitectureOption::NBeats),
    ("nhits", ArchitectureOption::NHits),
    ("tide", ArchitectureOption::Tide),
];
const LOSSES: Choices<Loss, 7> = [
    ("mse", Loss::Mse),
    ("mae", Loss::Mae),
    ("huber", Loss::Huber { delta: 1.0 }),
    ("pinball", Loss::Pinball { levels: Vec::new() }),
    ("poisson", Loss::Poisson),
    ("tweedie", Loss::Tweedie { power: 1.5 }),
    ("negative_binomial", Loss::NegativeBinomial),
];
const OPTIMIZERS: Choices<Optimizer, 3> =
    [("adam", Optimizer::Adam), ("adamw", Optimizer::AdamW), ("sgd", Optimizer::Sgd { momentum: 0.9 })];
const SCHEDULES: Choices<Schedule, 3> =
    [("constant", Schedule::Constant), ("cosine", Schedule::Cosine), ("linear", Schedule::Linear)];

fn invalid(key: &str, value: &Json, allowed: impl Into<String>) -> Error {
    let mut value = value.to_string();
    if value.chars().count() > 60 {
        value = value.chars().take(57).chain("...".chars()).collect();
    }
    Error::InvalidOption { key: key.into(), value, allowed: allowed.into() }
}

/// The known name that a misspelt one comes closest to.
pub(super) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let distances = known.iter().map(|known| (strsim::damerau_levenshtein(known, name), *known));
    distances.min().filter(|(distance, known)| *distance <= known.len().max(name.len()) / 2).map(|(_, known)| known)
}

/// One object of options; keys are taken out as they are read, what is left is unknown.
struct Reader {
    prefix: &'static str,
    left: Map<String, Json>,
    known: Vec<&'static str>,
}

impl Reader {
    fn new(prefix: &'static str, json: &Json) -> Result<Self> {
        match json {
            Json::Object(map) => Ok(Reader { prefix, left: map.clone(), known: Vec::new() }),
            other => Err(invalid(
                if prefix.is_empty() { "options" } else { prefix.trim_end_matches('.') },
                other,
                "an object",
            )),
        }
    }

    fn take(&mut self, key: &'static str) -> Option<Json> {
        self.known.push(key);
        self.left.remove(key).filter(|value| !value.is_null())
    }

    fn has(&self, key: &str) -> bool {
        self.left.get(key).is_some_and(|value| !value.is_null())
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn integer(&mut self, key: &'static str, least: u64, most: u64) -> Result<Option<u64>> {
        let Some(json) = self.take(key) else { return Ok(None) };
        let whole = json.as_u64().or_else(|| json.as_f64().filter(|x| x.fract() == 0.0 && *x >= 0.0).map(|x| x as u64));
        match whole {
            Some(value) if (least..=most).contains(&value) => Ok(Some(value)),
            _ => Err(invalid(&self.key(key), &json, format!("a whole number from {least} to {most}"))),
        }
    }

    fn number(&mut self, key: &'static str, least: f64, most: f64) -> Result<Option<f64>> {
        let Some(json) = self.take(key) else { return Ok(None) };
        match json.as_f64() {
            Some(value) if (least..=most).contains(&value) => Ok(Some(value)),
            _ => Err(invalid(&self.key(key), &json, format!("a number from {least} to {most}"))),
        }
    }

    fn boolean(&mut self, key: &'static str) -> Result<Option<bool>> {
        let Some(json) = self.take(key) else { return Ok(None) };
        json.as_bool().map(Some).ok_or_else(|| invalid(&self.key(key), &json, "true or false"))
    }

    fn text(&mut self, key: &'static str) -> Result<Option<String>> {
        let Some(json) = self.take(key) else { return Ok(None) };
        json.as_str().map(|text| Some(text.into())).ok_or_else(|| invalid(&self.key(key), &json, "a text"))
    }

    /// One code or a list of them.
    fn areas(&mut self, key: &'static str) -> Result<Vec<String>> {
        let Some(json) = self.take(key) else { return Ok(Vec::new()) };
        let codes = match &json {
            Json::Array(codes) => codes.iter().map(Json::as_str).collect(),
            one => one.as_str().map(|code| vec![code]),
        };
        let codes = codes.ok_or_else(|| invalid(&self.key(key), &json, "a country code or a list of them"))?;
        codes.into_iter().map(|code| holidays::of(code).map(|_| code.to_owned())).collect()
    }

    fn choice<T: Clone, const N: usize>(&mut self, key: &'static str, choices: &Choices<T, N>) -> Result<Option<T>> {
        let Some(json) = self.take(key) else { return Ok(None) };
        let found = json.as_str().and_then(|name| choices.iter().find(|(known, _)| *known == name));
        found.map(|(_, value)| Some(value.clone())).ok_or_else(|| {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            invalid(&self.key(key), &json, format!("one of {}", names.join(", ")))
        })
    }

    fn hidden(&mut self, key: &'static str) -> Result<Option<Vec<usize>>> {
        let Some(json) = self.take(key) else { return Ok(None) };
        let sizes = json.as_array().filter(|sizes| sizes.len() <= 16).and_then(|sizes| {
            sizes
                .iter()
                .map(|size| size.as_u64().filter(|size| (1..=4096).contains(size)).map(|size| size as usize))
                .collect::<Option<Vec<usize>>>()
        });
        sizes.map(Some).ok_or_else(|| {
            invalid(
                &self.key(key),
                &json,
                "a list of at most 16 layer sizes, each from 1 to 4096, [] for a linear model",
            )
        })
    }

    fn levels(&mut self, key: &'static str) -> Result<Option<Vec<f32>>> {
        let Some(json) = self.take(key) else { return Ok(None) };
        let levels = json
            .as_array()
            .filter(|levels| (1..=99).contains(&levels.len()))
            .and_then(|levels| {
                levels.iter().map(|level| level.as_f64().map(|x| x as f32)).collect::<Option<Vec<f32>>>()
            })
            .filter(|levels| levels.iter().all(|level| *level > 0.0 && *level < 1.0))
            .filter(|levels| levels.windows(2).all(|pair| pair[0] < pair[1]) && levels.contains(&0.5));
        levels.map(Some).ok_or_else(|| {
            invalid(&self.key(key), &json, "an ascending list of levels between 0 and 1 with 0.5 among them")
        })
    }

    fn finish(self) -> Result<()> {
        let Some(key) = self.left.keys().next() else { return Ok(()) };
        let nearest = nearest(key, &self.known).map(|known| self.key(known));
        Err(Error::UnknownOption { key: self.key(key), nearest, allowed: self.known.join(", ") })
    }
}

#[cfg(test)]
#[path = "options_tests.rs"]
mod tests;
