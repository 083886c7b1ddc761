//! The stored form of a model: one safetensors file that holds the description as JSON and the tensors as f32.

use std::borrow::Cow;
use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::ser::{CompactFormatter, Formatter};
use serde_json::value::RawValue;

use super::{Error, Result};

/// Largest stored model in bytes, the same as the limit of the model table.
pub const MAX_BYTES: usize = 64 << 20;
/// Largest safetensors header in bytes: names and shapes only, the description is a tensor of its own.
pub const MAX_HEADER_BYTES: usize = 64 << 10;
/// Largest description in bytes of JSON; dictionaries of keys and categories live there.
pub const MAX_SPEC_BYTES: usize = 16 << 20;
/// Most values in a description: parsed JSON takes some 100 bytes a value, however short its text is.
pub const MAX_SPEC_VALUES: usize = 2 << 20;
/// Most tensors of one model.
pub const MAX_TENSORS: usize = 512;
/// Most dimensions of one tensor.
pub const MAX_RANK: usize = 4;
/// Largest size of one dimension.
pub const MAX_DIMENSION: usize = 1 << 24;

const SPEC: &str = "spec";
const LENGTH_BYTES: usize = 8;

/// Name, shape (row major) and values of one tensor.
pub type Tensor = (String, Vec<usize>, Vec<f32>);
/// A tensor as it is read: its values stay where they are if they can.
pub type StoredTensor<'a> = (String, Vec<usize>, Cow<'a, [f32]>);

/// The members of a description, each read as what it is when it is asked for.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Description<'a>(#[serde(borrow)] BTreeMap<String, &'a RawValue>);

impl<'a> Description<'a> {
    /// # Errors
    /// [`Error::Damaged`] for anything but an object.
    pub fn of(text: &'a str) -> Result<Description<'a>> {
        serde_json::from_str(text).map_err(|error| damaged(format!("description: {error}")))
    }

    /// A member; one that is not there is null.
    ///
    /// # Errors
    /// [`Error::Damaged`] for one of another type.
    pub fn get<T: Deserialize<'a>>(&self, name: &str) -> Result<T> {
        let text = self.0.get(name).map_or("null", |raw| raw.get());
        serde_json::from_str(text).map_err(|error| damaged(format!("{name}: {error}")))
    }
}

/// Writes a model; the same input gives the same bytes.
///
/// # Errors
/// [`Error::ModelTooLarge`] past a limit of this module; [`Error::Numeric`] for a value that isn't finite, a shape that
/// doesn't match its values, or a name that is empty, taken twice or `spec`.
pub fn encode(spec: &Value, tensors: &[Tensor]) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    let mut writer = serde_json::Serializer::with_formatter(&mut text, Short);
    spec.serialize(&mut writer).map_err(|error| Error::Numeric(error.to_string()))?;
    within("bytes of description", text.len(), MAX_SPEC_BYTES)?;
    within("values of description", count_values(&text), MAX_SPEC_VALUES)?;
    within("tensors", tensors.len(), MAX_TENSORS)?;
    check_names(tensors)?;
    let bytes = tensors.iter().map(tensor_bytes).collect::<Result<Vec<_>>>()?;
    within("bytes", bytes.iter().map(Vec::len).sum::<usize>() + text.len(), MAX_BYTES - MAX_HEADER_BYTES)?;

    let mut views = vec![(SPEC, view(Dtype::U8, vec![text.len()], &text)?)];
    for ((name, shape, _), bytes) in tensors.iter().zip(&bytes) {
        views.push((name.as_str(), view(Dtype::F32, shape.clone(), bytes)?));
    }
    let blob = serialize(views, None).map_err(|error| Error::Numeric(error.to_string()))?;
    within("bytes of names and shapes", header_length(&blob)?, MAX_HEADER_BYTES)?;
    Ok(blob)
}

/// Writes what was an f32 by the digits that tell it from other ones, half as many as those of its f64.
struct Short;

impl Formatter for Short {
    fn write_f64<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, value: f64) -> std::io::Result<()> {
        match value as f32 {
            short if f64::from(short) == value => CompactFormatter.write_f32(writer, short),
            _ => CompactFormatter.write_f64(writer, value),
        }
    }
}

/// Reads a model back; tensors come in the order of their names. The caller has checked the sha256.
///
/// # Errors
/// [`Error::Damaged`] with the reason, for any bytes that [`encode`] can't have written.
pub fn decode(blob: &[u8]) -> Result<(Description<'_>, Vec<StoredTensor<'_>>)> {
    if blob.len() > MAX_BYTES {
        return Err(damaged(format!("{} bytes are more than {MAX_BYTES}", blob.len())));
    }
    let header = header_length(blob)?;
    if header > MAX_HEADER_BYTES || header > blob.len() - LENGTH_BYTES {
        return Err(damaged(format!("header of {header} bytes")));
    }
    // safetensors checks that the tensors' byte ranges follow each other, match their shapes and end with the file.
    let file = SafeTensors::deserialize(blob).map_err(|error| damaged(first_line(&error.to_string())))?;
    let mut views = file.tensors();
    if views.len() > MAX_TENSORS + 1 {
        return Err(damaged(format!("{} tensors", views.len())));
    }
    views.sort_by(|(a, _), (b, _)| a.cmp(b));

    let mut spec = None;
    let mut tensors = Vec::with_capacity(views.len());
    for (name, view) in views {
        if name == SPEC {
            spec = Some(read_spec(&view)?);
        } else {
            tensors.push(read_tensor(name, &view)?);
        }
    }
    let spec = spec.ok_or_else(|| damaged("no description".into()))?;
    Ok((spec, tensors))
}

fn read_spec<'a>(view: &TensorView<'a>) -> Result<Description<'a>> {
    let text = view.data();
    if view.dtype() != Dtype::U8 || text.len() > MAX_SPEC_BYTES || count_values(text) > MAX_SPEC_VALUES {
        return Err(damaged(format!("description of {} bytes", text.len())));
    }
    Description::of(std::str::from_utf8(text).map_err(|error| damaged(format!("description: {error}")))?)
}

fn read_tensor<'a>(name: String, view: &TensorView<'a>) -> Result<StoredTensor<'a>> {
    let shape = view.shape().to_vec();
    let fits = shape.len() <= MAX_RANK && shape.iter().all(|&size| size <= MAX_DIMENSION);
    if view.dtype() != Dtype::F32 || !fits || count(&shape).is_none_or(|count| count * 4 != view.data().len()) {
        return Err(damaged(format!("tensor \"{name}\" is {:?} {shape:?}", view.dtype())));
    }
    let bytes: &'a [u8] = view.data();
    let values = match bytemuck::try_cast_slice(bytes) {
        Ok(values) if cfg!(target_endian = "little") => Cow::Borrowed(values),
        _ => bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
    };
    if !all_finite(&values) {
        return Err(damaged(format!("tensor \"{name}\" holds a value that is not finite")));
    }
    Ok((name, shape, values))
}

fn check_names(tensors: &[Tensor]) -> Result<()> {
    let mut names: Vec<&str> = tensors.iter().map(|(name, _, _)| name.as_str()).collect();
    names.push(SPEC);
    names.sort_unstable();
    let twice = names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
    match twice.or(names.iter().find(|name| name.is_empty()).copied()) {
        Some(name) => Err(Error::Numeric(format!("a tensor cannot be named \"{name}\" here"))),
        None => Ok(()),
    }
}

fn tensor_bytes((name, shape, values): &Tensor) -> Result<Vec<u8>> {
    within("dimensions of a tensor", shape.len(), MAX_RANK)?;
    within("a tensor's dimension", shape.iter().copied().max().unwrap_or(0), MAX_DIMENSION)?;
    within("values of a tensor", values.len(), MAX_BYTES / 4)?;
    if count(shape) != Some(values.len()) {
        return Err(Error::Numeric(format!("tensor \"{name}\" has {} values for shape {shape:?}", values.len())));
    }
    if !all_finite(values) {
        return Err(Error::Numeric(format!("tensor \"{name}\" holds a value that is not finite")));
    }
    Ok(values.iter().flat_map(|value| value.to_le_bytes()).collect())
}

fn view(dtype: Dtype, shape: Vec<usize>, bytes: &[u8]) -> Result<TensorView<'_>> {
    TensorView::new(dtype, shape, bytes).map_err(|error| Error::Numeric(error.to_string()))
}

/// Looks at all of them, eight at a time, rather than at one after the other until one is not.
pub fn all_finite(values: &[f32]) -> bool {
    values.iter().fold(true, |all, value| all & value.is_finite())
}

/// Number of values of a shape, `None` past the address space.
fn count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size)).filter(|&count| count <= MAX_BYTES / 4)
}

/// Upper bound of the values in a JSON text: each one but the first follows one of these bytes.
pub fn count_values(text: &[u8]) -> usize {
    1 + text.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{' | b':')).count()
}

fn header_length(blob: &[u8]) -> Result<usize> {
    let length = blob.first_chunk::<LENGTH_BYTES>().ok_or_else(|| damaged(format!("{} bytes", blob.len())))?;
    usize::try_from(u64::from_le_bytes(*length)).map_err(|_| damaged("header length".into()))
}

fn within(what: &'static str, size: usize, limit: usize) -> Result<()> {
    if size > limit { Err(Error::ModelTooLarge { what, size, limit }) } else { Ok(()) }
}

fn damaged(reason: String) -> Error {
    Error::Damaged { reason }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::{Rng, SeedableRng};
    use serde_json::json;

    use super::*;

    fn tensor(name: &str, shape: &[usize]) -> Tensor {
        let count = shape.iter().product::<usize>();
        (name.into(), shape.to_vec(), (0..count).map(|i| i as f32 - 1.5).collect())
    }

    fn small() -> Vec<u8> {
        let spec = json!({"format": 1, "network": {"hidden": [3]}, "keys": ["A", "B", "Ä"], "mean": 0.1});
        encode(&spec, &[tensor("weight.0", &[3, 4]), tensor("bias.0", &[4]), tensor("empty", &[0, 7])]).unwrap()
    }

    /// A safetensors file with a header of our choice.
    fn forged(header: &str, data: &[u8]) -> Vec<u8> {
        let mut blob = (header.len() as u64).to_le_bytes().to_vec();
        blob.extend(header.as_bytes());
        blob.extend(data);
        blob
    }

    fn is_damaged(blob: &[u8]) -> bool {
        matches!(decode(blob), Err(Error::Damaged { .. }))
    }

    #[test]
    fn numbers_are_written_by_as_few_digits_as_tell_them() {
        let spec = json!({"short": [1e-4f32, 0.1f32, 2.0f32], "long": [0.1, 1.0 / 3.0]});
        let blob = encode(&spec, &[]).expect("numbers");
        let (told, _) = decode(&blob).expect("numbers");
        assert_eq!(told.get::<&RawValue>("short").expect("numbers").get(), "[0.0001,0.1,2.0]");
        assert_eq!(told.get::<&RawValue>("long").expect("numbers").get(), "[0.1,0.3333333333333333]");
        assert_eq!(told.get::<Vec<f32>>("short").expect("numbers"), [1e-4, 0.1, 2.0]);
    }

    #[test]
    fn the_same_model_gives_the_same_bytes() {
        assert_eq!(small(), small());
    }

    #[test]
    fn tensors_come_back_in_the_order_of_their_names() {
        let blob = small();
        let (_, tensors) = decode(&blob).unwrap();
        let names: Vec<_> = tensors.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(names, ["bias.0", "empty", "weight.0"]);
    }

    #[test]
    fn refuses_to_store_a_value_that_is_not_finite() {
        let tensors = [("w".to_string(), vec![1], vec![f32::NAN])];
        assert!(matches!(encode(&json!({}), &tensors), Err(Error::Numeric(_))));
    }

    #[test]
    fn refuses_a_shape_that_does_not_match_its_values_and_a_name_taken_twice() {
        let wrong = [("w".to_string(), vec![2, 2], vec![0.0; 3])];
        assert!(matches!(encode(&json!({}), &wrong), Err(Error::Numeric(_))));
        let twice = [tensor("w", &[1]), tensor("w", &[1])];
        assert!(matches!(encode(&json!({}), &twice), Err(Error::Numeric(_))));
        assert!(matches!(encode(&json!({}), &[tensor("spec", &[1])]), Err(Error::Numeric(_))));
    }

    #[test]
    fn refuses_more_tensors_than_a_model_may_have() {
        let tensors: Vec<_> = (0..MAX_TENSORS + 1).map(|i| tensor(&format!("w{i}"), &[1])).collect();
        let error = Error::ModelTooLarge { what: "tensors", size: MAX_TENSORS + 1, limit: MAX_TENSORS };
        assert_eq!(encode(&json!({}), &tensors), Err(error));
        assert!(encode(&json!({}), &tensors[..MAX_TENSORS]).is_ok());
    }

    #[test]
    fn refuses_headers_past_their_limit_before_parsing_them() {
        // A million empty tensors pass safetensors' own limits: 59 MB of header and a gigabyte of memory.
        let names: Vec<_> =
            (0..2000).map(|i| format!(r#""{i}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#)).collect();
        assert!(is_damaged(&forged(&format!("{{{}}}", names.join(",")), &[])));
        assert!(is_damaged(&u64::MAX.to_le_bytes()));
        assert!(is_damaged(&[0; 7]));
    }

    #[test]
    fn refuses_foreign_types_huge_dimensions_and_a_missing_description() {
        assert!(is_damaged(&forged(r#"{"w":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}"#, &[0; 8])));
        assert!(is_damaged(&forged(
            r#"{"w":{"dtype":"F32","shape":[0,18446744073709551615],"data_offsets":[0,0]}}"#,
            &[]
        )));
        assert!(is_damaged(&forged(r#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, &[0; 4])));
    }

    #[test]
    fn refuses_a_description_with_more_values_than_memory_is_meant_for() {
        let text = format!(r#"{{"keys":[{}0]}}"#, "0,".repeat(MAX_SPEC_VALUES));
        let header = format!(r#"{{"spec":{{"dtype":"U8","shape":[{0}],"data_offsets":[0,{0}]}}}}"#, text.len());
        assert!(is_damaged(&forged(&header, text.as_bytes())));
    }

    #[test]
    fn no_mutation_of_a_model_makes_the_reader_panic() {
        let original = small();
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(7);
        for _ in 0..200_000 {
            let mut blob = original.clone();
            for _ in 0..rng.random_range(1..=4) {
                let at = rng.random_range(0..blob.len());
                match rng.random_range(0..4) {
                    0 => blob[at] ^= 1 << rng.random_range(0..8),
                    1 => blob[at] = rng.random(),
                    2 => blob.truncate(at.max(1)),
                    _ => blob.insert(at, rng.random()),
                }
            }
            if let Ok((_, tensors)) = decode(&blob) {
                assert!(tensors.iter().all(|(_, shape, values)| shape.iter().product::<usize>() == values.len()));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn decode_is_the_inverse_of_encode(
            keys in prop::collection::vec(".{0,12}", 0..8),
            mean in -1e300f64..1e300,
            shapes in prop::collection::vec(prop::collection::vec(0usize..6, 0..=MAX_RANK), 0..6),
            seed: u64,
        ) {
            let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
            let tensors: Vec<Tensor> = shapes.into_iter().enumerate().map(|(i, shape)| {
                let count = shape.iter().product();
                (format!("t{i}"), shape, (0..count).map(|_| f32::from_bits(rng.random::<u32>() & 0xBF7F_FFFF)).collect())
            }).collect();
            let spec = json!({"keys": keys, "mean": mean});
            let blob = encode(&spec, &tensors).unwrap();
            let (told, read) = decode(&blob).unwrap();
            let told = Value::Object(told.0.keys().map(|name| (name.clone(), told.get(name).unwrap())).collect());
            let read = read.into_iter().map(|(name, dims, values)| (name, dims, values.into_owned()));
            prop_assert_eq!((told, read.collect::<Vec<_>>()), (spec, tensors));
        }
    }
}
