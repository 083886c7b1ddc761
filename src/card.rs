//! What is known of a stored version beside its weights, and the bytes in which both travel between databases.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::engine::codec::{MAX_BYTES, MAX_SPEC_BYTES, MAX_SPEC_VALUES, count_values};
use crate::engine::{Error, Result};

/// First bytes of an exported model; the last one is the number of the layout below.
const MAGIC: &[u8; 8] = b"sfmodel\x01";
const SHA_BYTES: usize = 32;
const LENGTH_BYTES: usize = 4;

const LONGEST_NAME: usize = 63;
const LONGEST_DEVICE: usize = 255;
const LONGEST_SOURCE: usize = 1 << 20;
const MOST_COLUMNS: usize = 1600;
/// PostgreSQL's range of timestamptz in microseconds since 2000-01-01: 4714 BC to 294276 AD.
const TIMES: std::ops::Range<i64> = -211_813_488_000_000_000..9_223_371_331_200_000_000;

/// What a model forecasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Steps ahead of one or more series.
    Series,
    /// One value for each row.
    Regression,
}

impl Kind {
    /// As the state table and the view have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Series => "series",
            Kind::Regression => "regression",
        }
    }

    /// The inverse of [`Kind::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Kind::Series, Kind::Regression].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Everything about a version but its number and its body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// Version of the extension that trained it.
    pub extension_version: String,
    /// Number of the body's format.
    pub format: i32,
    /// When it was trained, in microseconds since 2000-01-01 UTC; `None` is the present transaction.
    pub created: Option<i64>,
    pub kind: Kind,
    pub source: String,
    pub target: String,
    pub time_column: Option<String>,
    pub series_columns: Vec<String>,
    pub horizon: Option<i32>,
    pub frequency: Option<String>,
    pub series: i64,
    pub rows: i64,
    /// First and last time trained on, in microseconds since 2000-01-01 UTC.
    pub data_from: Option<i64>,
    pub data_to: Option<i64>,
    pub epochs: i32,
    pub seconds: f64,
    pub device: String,
    pub peak_memory_mb: Option<i32>,
    pub metric: String,
    /// `None` where the measure is not defined; never NaN or infinite.
    pub value: Option<f64>,
    pub baseline: String,
    pub baseline_value: Option<f64>,
    pub skill: Option<f64>,
    /// An object: all measures.
    pub metrics: Value,
    /// An object: what the training was told.
    pub config: Value,
    pub row_security_active: bool,
}

/// An exported version.
#[derive(Debug, Clone, PartialEq)]
pub struct Parcel {
    /// Name that the model had.
    pub model: String,
    pub card: Card,
    /// What the codec wrote.
    pub body: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Label {
    model: String,
    card: Card,
}

impl Parcel {
    /// Layout: magic, sha256 of all that follows, length of the label (u32, little endian), label (JSON), body.
    ///
    /// # Errors
    /// [`Error::ModelTooLarge`] when the label is too long to be read back.
    pub fn pack(self) -> Result<Vec<u8>> {
        let label = Label { model: self.model, card: self.card };
        let label = serde_json::to_vec(&label).map_err(|error| Error::Numeric(error.to_string()))?;
        if label.len() > MAX_SPEC_BYTES {
            let (size, limit) = (label.len(), MAX_SPEC_BYTES);
            return Err(Error::ModelTooLarge { what: "bytes of description", size, limit });
        }
        let length = u32::try_from(label.len()).map_err(|error| Error::Numeric(error.to_string()))?;
        let mut data = Vec::with_capacity(MAGIC.len() + SHA_BYTES + LENGTH_BYTES + label.len() + self.body.len());
        data.extend(MAGIC);
        data.extend([0; SHA_BYTES]);
        data.extend(length.to_le_bytes());
        data.extend(label);
        data.extend(self.body);
        let start = MAGIC.len() + SHA_BYTES;
        let sha256 = Sha256::digest(&data[start..]);
        data[MAGIC.len()..start].copy_from_slice(&sha256);
        Ok(data)
    }

    /// Reads what [`Parcel::pack`] wrote, whoever it comes from; the body is still to be decoded.
    ///
    /// # Errors
    /// [`Error::Damaged`] with the reason.
    pub fn unpack(data: &[u8]) -> Result<Self> {
        let rest = data.strip_prefix(MAGIC).ok_or_else(|| damaged("it does not begin as an exported model"))?;
        let (sha256, rest) = rest.split_first_chunk::<SHA_BYTES>().ok_or_else(|| damaged("it is cut off"))?;
        if rest.len() > MAX_BYTES + MAX_SPEC_BYTES + LENGTH_BYTES {
            return Err(damaged("it is too large"));
        }
        if Sha256::digest(rest).as_slice() != sha256 {
            return Err(damaged("its bytes do not match their sha256"));
        }
        let (length, rest) = rest.split_first_chunk::<LENGTH_BYTES>().ok_or_else(|| damaged("it is cut off"))?;
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let (label, body) = rest.split_at_checked(length).ok_or_else(|| damaged("it is cut off"))?;
        if label.len() > MAX_SPEC_BYTES || count_values(label) > MAX_SPEC_VALUES {
            return Err(damaged("its description is too large"));
        }
        let Label { model, card } = serde_json::from_slice(label).map_err(|error| damaged(&error.to_string()))?;
        card.check()?;
        name("model", &model, LONGEST_NAME)?;
        Ok(Parcel { model, card, body: body.to_vec() })
    }
}

impl Card {
    /// Checks what the model table's constraints check.
    ///
    /// # Errors
    /// [`Error::Damaged`] naming the first field out of range.
    pub fn check(&self) -> Result<()> {
        self.check_texts()?;
        self.check_numbers()
    }

    fn check_texts(&self) -> Result<()> {
        name("extension_version", &self.extension_version, LONGEST_NAME)?;
        name("source", &self.source, LONGEST_SOURCE)?;
        name("device", &self.device, LONGEST_DEVICE)?;
        for (field, text) in [("target", &self.target), ("metric", &self.metric), ("baseline", &self.baseline)] {
            name(field, text, LONGEST_NAME)?;
        }
        for (field, text) in [("time_column", &self.time_column), ("frequency", &self.frequency)] {
            text.as_ref().map_or(Ok(()), |text| name(field, text, LONGEST_NAME))?;
        }
        within("series_columns", self.series_columns.len() <= MOST_COLUMNS)?;
        self.series_columns.iter().try_for_each(|column| name("series_columns", column, LONGEST_NAME))?;
        within("metrics", self.metrics.is_object())?;
        within("config", self.config.is_object())
    }

    fn check_numbers(&self) -> Result<()> {
        let over_time = self.time_column.is_some() && self.horizon.is_some() && self.frequency.is_some();
        within("kind", self.kind == Kind::Regression || over_time)?;
        within("format", self.format > 0)?;
        within("horizon", self.horizon.is_none_or(|horizon| horizon > 0))?;
        within("series", self.series >= 0)?;
        within("rows", self.rows >= 0)?;
        within("epochs", self.epochs >= 0)?;
        within("seconds", self.seconds >= 0.0 && self.seconds.is_finite())?;
        within("peak_memory_mb", self.peak_memory_mb.is_none_or(|size| size >= 0))?;
        let measures = [("value", self.value), ("baseline_value", self.baseline_value), ("skill", self.skill)];
        measures.into_iter().try_for_each(|(field, value)| within(field, value.is_none_or(f64::is_finite)))?;
        let times = [("created", self.created), ("data_from", self.data_from), ("data_to", self.data_to)];
        times.into_iter().try_for_each(|(field, time)| within(field, time.is_none_or(|time| TIMES.contains(&time))))?;
        within("data_to", self.data_from.zip(self.data_to).is_none_or(|(from, to)| from <= to))
    }
}

fn name(field: &str, text: &str, longest: usize) -> Result<()> {
    within(field, !text.is_empty() && text.chars().count() <= longest && !text.contains('\0'))
}

fn within(field: &str, holds: bool) -> Result<()> {
    if holds { Ok(()) } else { Err(damaged(&format!("\"{field}\" is out of range"))) }
}

fn damaged(reason: &str) -> Error {
    Error::Damaged { reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use serde_json::json;

    use super::*;

    fn parcel() -> Parcel {
        let card = Card {
            extension_version: "0.1.0".into(),
            format: 1,
            created: Some(1),
            kind: Kind::Series,
            source: "sales".into(),
            target: "qty".into(),
            time_column: Some("day".into()),
            series_columns: vec!["store".into(), "sku".into()],
            horizon: Some(28),
            frequency: Some("day".into()),
            series: 2,
            rows: 100,
            data_from: Some(-1),
            data_to: Some(1),
            epochs: 3,
            seconds: 0.1 + 0.2,
            device: "cpu".into(),
            peak_memory_mb: None,
            metric: "wape".into(),
            value: Some(0.1),
            baseline: "seasonal naive".into(),
            baseline_value: Some(1.0 / 3.0),
            skill: None,
            metrics: json!({"wape": 0.1}),
            config: json!({"seed": 7, "network": {"learning_rate": 1e-3}}),
            row_security_active: false,
        };
        Parcel { model: "shop".into(), card, body: vec![0, 1, 2, 255] }
    }

    #[test]
    fn unpack_is_the_inverse_of_pack() {
        assert_eq!(Parcel::unpack(&parcel().pack().unwrap()), Ok(parcel()));
    }

    #[test]
    fn refuses_every_changed_or_missing_byte() {
        let data = parcel().pack().unwrap();
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(7);
        for at in 0..data.len() {
            let mut changed = data.clone();
            changed[at] ^= rng.random_range(1..=255u8);
            assert!(Parcel::unpack(&changed).is_err());
            assert!(Parcel::unpack(&data[..at]).is_err());
        }
    }

    #[test]
    fn refuses_a_card_that_the_model_table_would_not_take() {
        type Change = fn(&mut Parcel);
        let changes: [(&str, Change); 7] = [
            ("model", |parcel| parcel.model = "x".repeat(64)),
            ("target", |parcel| parcel.card.target = "a\0b".into()),
            ("horizon", |parcel| parcel.card.horizon = Some(0)),
            ("kind", |parcel| parcel.card.frequency = None),
            ("data_to", |parcel| parcel.card.data_to = Some(-2)),
            ("created", |parcel| parcel.card.created = Some(i64::MAX)),
            ("config", |parcel| parcel.card.config = json!([])),
        ];
        for (field, change) in changes {
            let mut parcel = parcel();
            change(&mut parcel);
            let reason = format!("\"{field}\" is out of range");
            assert_eq!(Parcel::unpack(&parcel.pack().unwrap()), Err(Error::Damaged { reason }));
        }
    }
}
