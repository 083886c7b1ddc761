//! One growing column of a scan: decodes PostgreSQL's values in place, by the type that the column really has.
#![allow(unsafe_code)]

use pgrx::pg_sys::{self, Datum, Oid};

use crate::encoding;
use crate::engine::Error;
use crate::engine::budget::Budget;
use crate::engine::dictionary::Dictionary;
use crate::engine::regression::Feature;
use crate::engine::table::{Categories, Column, NULL_CODE, NULL_TIME, Numbers, Value};
use crate::report::Result;
use crate::scan::Kind;
use crate::source::{Needed, SourceError};

const MICROSECONDS_PER_DAY: i64 = 86_400_000_000;
const LARGE_PAGE: usize = 2 << 20;
/// What a scan is called in a message about memory.
pub(crate) const WHAT: &str = "reading the source";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Time {
    Date,
    /// With or without time zone: both count microseconds.
    Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Category {
    Int2,
    Int4,
    Int8,
    Bool,
    Text,
    /// `character(n)`: trailing blanks mean nothing.
    Padded,
    /// The fixed-size type of catalogue names.
    Name,
}

enum Values {
    Times { from: Time, values: Vec<i64>, infinite: usize, first: Option<(usize, &'static str)> },
    Numbers { from: Number, numbers: Numbers },
    Categories { from: Category, codes: Vec<u32>, dictionary: Box<Dictionary> },
}

/// A column that grows row by row.
pub(crate) struct Sink {
    name: String,
    values: Values,
}

impl Sink {
    /// An empty column called `name` that reads values of the type `oid` (not a domain).
    ///
    /// # Errors
    /// [`SourceError::WrongType`] if that type cannot be read as `kind`.
    pub(crate) fn new(name: String, oid: Oid, type_name: &str, kind: Kind) -> Result<Self> {
        let values = match kind {
            Kind::Time => time_type(oid).map(|from| Values::Times { from, values: vec![], infinite: 0, first: None }),
            Kind::Number => number_type(oid).map(|from| Values::Numbers { from, numbers: Numbers::default() }),
            Kind::Category => {
                category_type(oid).map(|from| Values::Categories { from, codes: vec![], dictionary: Box::default() })
            }
        };
        match values {
            Some(values) => Ok(Sink { name, values }),
            None => Err(SourceError::WrongType {
                role: "source",
                column: name,
                type_name: type_name.to_owned(),
                needed: Needed::from(kind),
            }
            .into()),
        }
    }

    /// Bytes of one row in this column.
    pub(crate) fn width(&self) -> usize {
        match self.values {
            Values::Times { .. } => 8,
            Values::Numbers { .. } | Values::Categories { .. } => 4,
        }
    }

    /// Makes room for `rows` more rows; `None` if the system has no memory for them.
    pub(crate) fn reserve(&mut self, rows: usize) -> Option<()> {
        match &mut self.values {
            Values::Times { values, .. } => reserve(values, rows),
            Values::Numbers { numbers, .. } => reserve(&mut numbers.values, rows),
            Values::Categories { codes, .. } => reserve(codes, rows),
        }
    }

    /// Whether values lie in the executor's memory, so that each must be read while its row is there.
    pub(crate) fn is_text(&self) -> bool {
        let texts = [Category::Text, Category::Padded, Category::Name];
        matches!(&self.values, Values::Categories { from, .. } if texts.contains(from))
    }

    /// The code of a text in row `row` (zero-based).
    ///
    /// # Safety
    /// `datum` is a non-null value of the type that the sink was made for, which [`Sink::is_text`].
    ///
    /// # Errors
    /// Text that is not valid in the database's encoding, and `OutOfMemory` of the dictionary.
    pub(crate) unsafe fn text_code(&mut self, datum: Datum, row: usize, budget: &mut Budget) -> Result<u32> {
        match &mut self.values {
            // SAFETY: the caller's promise: the datum is of this type.
            Values::Categories { from, dictionary, .. } => unsafe {
                text(*from, datum, |bytes| text_code(bytes, dictionary, budget, &self.name, row))
            },
            _ => Ok(NULL_CODE),
        }
    }

    /// Appends rows, each a value and whether it is NULL instead; `first` is the number (zero-based) of the first. Texts
    /// are given as their codes.
    ///
    /// # Errors
    /// `OutOfMemory` of a dictionary.
    pub(crate) fn extend(
        &mut self,
        rows: impl Iterator<Item = (Datum, bool)> + Clone,
        first: usize,
        budget: &mut Budget,
    ) -> Result<()> {
        match &mut self.values {
            Values::Times { from, values, infinite, first: example } => {
                let known = |(datum, null)| if null { Ok(NULL_TIME) } else { time(*from, datum) };
                values.extend(rows.clone().map(|row| known(row).unwrap_or(NULL_TIME)));
                for (row, text) in rows.enumerate().filter_map(|(row, value)| Some((row, known(value).err()?))) {
                    *infinite += 1;
                    example.get_or_insert((first + row, text));
                }
            }
            Values::Numbers { from, numbers } => {
                let from = *from;
                let start = numbers.values.len();
                numbers
                    .values
                    .extend(rows.clone().map(|(datum, null)| if null { f32::NAN } else { number(from, datum) }));
                for (row, (datum, null)) in rows.enumerate() {
                    if !numbers.values[start + row].is_finite() && !null {
                        numbers.values[start + row] = f32::NAN;
                        refuse(numbers, from, datum, first + row);
                    }
                }
            }
            Values::Categories { from, codes, dictionary } => {
                for (datum, null) in rows {
                    codes.push(match from {
                        _ if null => NULL_CODE,
                        Category::Int4 => dictionary.integer(i64::from(int4(datum)), budget)?,
                        Category::Int8 => dictionary.integer(int8(datum), budget)?,
                        Category::Int2 => dictionary.integer(i64::from(int2(datum)), budget)?,
                        Category::Bool => dictionary.boolean(boolean(datum), budget)?,
                        Category::Text | Category::Padded | Category::Name => datum.value() as u32,
                    });
                }
            }
        }
        Ok(())
    }

    /// The finished column.
    ///
    /// # Errors
    /// [`Error::NotFinite`] for infinite times; numbers carry their count along, for the caller to judge.
    pub(crate) fn finish(self) -> Result<(String, Column)> {
        let column = match self.values {
            Values::Times { first: Some((row, text)), infinite, .. } => {
                let example = format!("{text} in row {}", row + 1);
                return Err(Error::NotFinite { column: self.name, count: infinite, example }.into());
            }
            Values::Times { values, .. } => Column::Times(values),
            Values::Numbers { numbers, .. } => Column::Numbers(numbers),
            Values::Categories { codes, dictionary, .. } => {
                Column::Categories(Categories { codes, values: dictionary.into_values() })
            }
        };
        Ok((self.name, column))
    }
}

/// Room for more values, in large pages where there are many: a page of 4 kB at a time, the kernel takes as long to hand out
/// memory as the scan takes to fill it.
fn reserve<T>(values: &mut Vec<T>, more: usize) -> Option<()> {
    values.try_reserve_exact(more).ok()?;
    let spare = values.spare_capacity_mut();
    let start = spare.as_ptr().align_offset(LARGE_PAGE);
    let bytes = size_of_val(spare).saturating_sub(start * size_of::<T>()) / LARGE_PAGE * LARGE_PAGE;
    if bytes > 0 {
        // SAFETY: whole pages inside memory that the vector owns; the advice changes nothing that can be read from them.
        unsafe { libc::madvise(spare.as_mut_ptr().wrapping_add(start).cast(), bytes, libc::MADV_HUGEPAGE) };
    }
    Some(())
}

/// Reads single values of one type.
pub(crate) struct Reader(Type);

enum Type {
    Number(Number),
    Category(Category),
}

impl Reader {
    /// For values of the type `oid`, as numbers or as categories; `None` if they must be cast first.
    pub(crate) fn new(oid: Oid, is_number: bool) -> Option<Reader> {
        let from = if is_number { number_type(oid).map(Type::Number) } else { category_type(oid).map(Type::Category) };
        from.map(Reader)
    }

    /// The value, NaN or `Null` where there is none; `None` for one that is not finite or no text.
    ///
    /// # Safety
    /// `datum` is a value, or with `null` anything, of the type that the reader was made for.
    pub(crate) unsafe fn read(&self, datum: Datum, null: bool) -> Option<Feature> {
        match &self.0 {
            Type::Number(_) if null => Some(Feature::Number(f32::NAN)),
            Type::Number(from) => Some(number(*from, datum)).filter(|value| value.is_finite()).map(Feature::Number),
            Type::Category(_) if null => Some(Feature::Category(Value::Null)),
            Type::Category(from) => Some(Feature::Category(match from {
                Category::Int2 => Value::Int(i64::from(int2(datum))),
                Category::Int4 => Value::Int(i64::from(int4(datum))),
                Category::Int8 => Value::Int(int8(datum)),
                Category::Bool => Value::Bool(boolean(datum)),
                // SAFETY: the caller's promise.
                _ => Value::Text(unsafe { text(*from, datum, encoding::from_server) }?),
            })),
        }
    }
}

fn time_type(oid: Oid) -> Option<Time> {
    match oid {
        pg_sys::DATEOID => Some(Time::Date),
        pg_sys::TIMESTAMPOID | pg_sys::TIMESTAMPTZOID => Some(Time::Timestamp),
        _ => None,
    }
}

fn number_type(oid: Oid) -> Option<Number> {
    match oid {
        pg_sys::INT2OID => Some(Number::Int2),
        pg_sys::INT4OID => Some(Number::Int4),
        pg_sys::INT8OID => Some(Number::Int8),
        pg_sys::FLOAT4OID => Some(Number::Float4),
        pg_sys::FLOAT8OID => Some(Number::Float8),
        pg_sys::BOOLOID => Some(Number::Bool),
        _ => None,
    }
}

fn category_type(oid: Oid) -> Option<Category> {
    match oid {
        pg_sys::INT2OID => Some(Category::Int2),
        pg_sys::INT4OID => Some(Category::Int4),
        pg_sys::INT8OID => Some(Category::Int8),
        pg_sys::BOOLOID => Some(Category::Bool),
        pg_sys::TEXTOID | pg_sys::VARCHAROID => Some(Category::Text),
        pg_sys::BPCHAROID => Some(Category::Padded),
        pg_sys::NAMEOID => Some(Category::Name),
        _ => None,
    }
}

// A Datum carries a small value in its low bits: the casts below cut it out, as DatumGetInt32 and its kin do.

#[inline]
fn int2(datum: Datum) -> i16 {
    datum.value() as i16
}

#[inline]
fn int4(datum: Datum) -> i32 {
    datum.value() as i32
}

#[inline]
fn int8(datum: Datum) -> i64 {
    datum.value() as i64
}

#[inline]
fn boolean(datum: Datum) -> bool {
    datum.value() as u8 != 0
}

/// Microseconds since 2000-01-01, or what makes it no point in time.
#[inline]
fn time(from: Time, datum: Datum) -> std::result::Result<i64, &'static str> {
    let (value, low, high) = match from {
        Time::Timestamp => (int8(datum), i64::MIN, i64::MAX),
        Time::Date => (i64::from(int4(datum)), i64::from(i32::MIN), i64::from(i32::MAX)),
    };
    match from {
        _ if value == low => Err("-infinity"),
        _ if value == high => Err("infinity"),
        Time::Timestamp => Ok(value),
        Time::Date => value.checked_mul(MICROSECONDS_PER_DAY).ok_or("a date after the year 294276"),
    }
}

/// The value in single precision; what lies beyond its range becomes infinite.
#[inline]
fn number(from: Number, datum: Datum) -> f32 {
    match from {
        Number::Float8 => f64::from_bits(datum.value() as u64) as f32,
        Number::Float4 => f32::from_bits(datum.value() as u32),
        Number::Int2 => f32::from(int2(datum)),
        Number::Int4 => int4(datum) as f32,
        Number::Int8 => int8(datum) as f32,
        Number::Bool => f32::from(u8::from(boolean(datum))),
    }
}

#[cold]
fn refuse(numbers: &mut Numbers, from: Number, datum: Datum, row: usize) {
    let text = match from {
        Number::Float8 => format!("{:?}", f64::from_bits(datum.value() as u64)),
        _ => number(from, datum).to_string(),
    };
    numbers.not_finite += 1;
    numbers.first_not_finite.get_or_insert((row, text));
}

/// Hands the bytes of a text to `f`, detoasted if need be.
///
/// # Safety
/// `datum` is a non-null value of the type that `from` stands for.
#[inline]
unsafe fn text<R>(from: Category, datum: Datum, f: impl FnOnce(&[u8]) -> R) -> R {
    // SAFETY: the datum points to a name of NAMEDATALEN bytes or to a varlena, which pg_detoast_datum_packed turns into a
    // readable one, itself or a palloc'd copy; the bytes are used before that copy is freed.
    unsafe {
        if from == Category::Name {
            let name = std::slice::from_raw_parts(datum.cast_mut_ptr::<u8>(), pg_sys::NAMEDATALEN as usize);
            return f(name.split(|byte| *byte == 0).next().unwrap_or_default());
        }
        let stored = datum.cast_mut_ptr::<pg_sys::varlena>();
        let toasted = pgrx::varlena::varatt_is_1b_e(stored) || pgrx::varlena::varatt_is_4b_c(stored);
        let plain = if toasted { pg_sys::pg_detoast_datum_packed(stored) } else { stored };
        let length = pgrx::varlena::varsize_any_exhdr(plain);
        let bytes = std::slice::from_raw_parts(pgrx::varlena::vardata_any(plain).cast::<u8>(), length);
        let answer = f(if from == Category::Padded { without_blanks(bytes) } else { bytes });
        if !std::ptr::eq(plain, stored) {
            pg_sys::pfree(plain.cast());
        }
        answer
    }
}

fn without_blanks(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
    &bytes[..end]
}

/// The code of a text in the database's encoding. Text that is not valid is refused rather than mended: two different
/// keys must never become one.
#[inline]
fn text_code(bytes: &[u8], dictionary: &mut Dictionary, budget: &mut Budget, column: &str, row: usize) -> Result<u32> {
    let invalid = || SourceError::NotUtf8 { column: column.to_owned(), row: row + 1 };
    match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() || encoding::database_is_utf8() => Ok(dictionary.text(text, budget)?),
        _ => {
            let text = encoding::from_server(bytes).ok_or_else(invalid)?;
            Ok(dictionary.text(&text, budget)?)
        }
    }
}
