//! What one place of a statement keeps from row to row: the model and how it reads the row.
#![allow(unsafe_code)]

use std::rc::Rc;

use pgrx::pg_sys::{self, Datum, Oid};
use pgrx::{PgMemoryContexts, PgTupleDesc};

use crate::decode::Reader;
use crate::engine;
use crate::engine::regression::Buffers;
use crate::loaded::{self, Body, Loaded};
use crate::rights;

/// A model with the rights and the state of the catalogue by which it was found.
pub struct Scorer {
    pub loaded: Rc<Loaded>,
    model: String,
    found: Found,
    row: Option<Row>,
    buffers: Buffers,
    /// Lives as long as the scorer.
    memory: pg_sys::MemoryContext,
}

/// Whose right was checked, and what the statement sees: oldest and newest transaction, how many of them run, and the
/// command.
type Found = (Oid, [pg_sys::TransactionId; 2], [u32; 2]);

/// How values are taken out of rows of one type.
struct Row {
    of: (Oid, i32),
    columns: PgTupleDesc<'static>,
    /// The column of each feature and how it is read; `None` where one must be cast or is missing.
    readers: Option<Vec<(usize, Reader)>>,
    values: Vec<Datum>,
    nulls: Vec<bool>,
}

/// The scorer of a call, kept as long as its place in the statement.
///
/// # Safety
/// `call` is the running call; what is returned is used during it alone.
pub unsafe fn of<'a>(call: pg_sys::FunctionCallInfo, model: &str) -> &'a mut Scorer {
    // SAFETY: a running call has its look-up information, whose extra pointer is ours alone; the scorer is dropped with
    // the memory that the information lives in.
    unsafe {
        let place = (*call).flinfo;
        let found = found();
        if let Some(known) = (*place).fn_extra.cast::<Scorer>().as_mut() {
            if known.found != found || known.model != model {
                *known = Scorer::new(model, found, (*place).fn_mcxt);
            }
            return known;
        }
        let scorer = PgMemoryContexts::For((*place).fn_mcxt).leak_and_drop_on_delete(Scorer::new(
            model,
            found,
            (*place).fn_mcxt,
        ));
        (*place).fn_extra = scorer.cast();
        &mut *scorer
    }
}

fn found() -> Found {
    // SAFETY: a function runs under a snapshot, which is only read.
    let seen = unsafe { pg_sys::GetActiveSnapshot().as_ref() };
    let seen = seen.map(|seen| ([seen.xmin, seen.xmax], [seen.xcnt, seen.curcid]));
    let (transactions, counts) = seen.unwrap_or(([pg_sys::TransactionId::INVALID; 2], [0; 2]));
    (rights::current_user(), transactions, counts)
}

impl Scorer {
    fn new(model: &str, found: Found, memory: pg_sys::MemoryContext) -> Scorer {
        let (_, loaded) = loaded::find(model, None);
        Scorer { loaded, model: model.to_owned(), found, row: None, buffers: Buffers::default(), memory }
    }

    /// Predicts from a row; `None` if a feature must be cast, is missing or is no value that a model reads.
    ///
    /// # Safety
    /// `row` is a record.
    pub unsafe fn predict(&mut self, row: Datum) -> Option<engine::Result<f32>> {
        let Body::Regression(model) = &self.loaded.body else { return None };
        // SAFETY: the caller's promise; a record that is stored out of line is fetched, and tells its type.
        let (header, of) = unsafe {
            let header = pg_sys::pg_detoast_datum(row.cast_mut_ptr()).cast::<pg_sys::HeapTupleHeaderData>();
            let fields = (*header).t_choice.t_datum;
            (header, (fields.datum_typeid, fields.datum_typmod))
        };
        if self.row.as_ref().is_none_or(|row| row.of != of) {
            let mut memory = PgMemoryContexts::For(self.memory);
            // SAFETY: a type that a record tells is known. The memory of the moment ends with the row: the copy of the
            // descriptor must not lie there.
            self.row = Some(unsafe { memory.switch_to(|_| Row::new(of, model.features())) });
        }
        let row = self.row.as_mut()?;
        let readers = row.readers.as_ref()?;
        // SAFETY: the tuple is the record, of the type that the descriptor describes, with room for all its values.
        unsafe {
            let mut tuple = pg_sys::HeapTupleData {
                t_len: pgrx::varlena::varsize_any(header.cast()) as u32,
                t_data: header,
                ..Default::default()
            };
            let columns = row.columns.as_ptr();
            pg_sys::heap_deform_tuple(&mut tuple, columns, row.values.as_mut_ptr(), row.nulls.as_mut_ptr());
        }
        let mut is_read = true;
        let features = readers.iter().map_while(|(at, reader)| {
            // SAFETY: the reader was made for the type of this column.
            let feature = unsafe { reader.read(row.values[*at], row.nulls[*at]) };
            is_read &= feature.is_some();
            feature
        });
        let features: Vec<_> = features.collect();
        is_read.then(|| model.predict_features(features.into_iter(), &mut self.buffers))
    }
}

impl Row {
    /// # Safety
    /// `of` is the type of a record and its modifier.
    unsafe fn new<'a>(of: (Oid, i32), features: impl Iterator<Item = (&'a str, bool)>) -> Row {
        // SAFETY: the caller's promise; the look-up counts as one use of the descriptor, which the copy gives back.
        let columns = unsafe {
            let shared = pg_sys::lookup_rowtype_tupdesc(of.0, of.1);
            let copy = PgTupleDesc::from_pg_copy(shared);
            if (*shared).tdrefcount >= 0 {
                pg_sys::DecrTupleDescRefCount(shared);
            }
            copy
        };
        let reader = |(name, is_number): (&str, bool)| {
            let column = (0..columns.len())
                .find(|at| columns.get(*at).is_some_and(|column| !column.attisdropped && column.name() == name))?;
            // SAFETY: a catalogue look-up by value.
            let of = unsafe { pg_sys::getBaseType(columns.get(column)?.atttypid) };
            Some((column, Reader::new(of, is_number)?))
        };
        let readers = features.map(reader).collect();
        let (values, nulls) = (vec![Datum::from(0usize); columns.len()], vec![false; columns.len()]);
        Row { of, columns, readers, values, nulls }
    }
}
