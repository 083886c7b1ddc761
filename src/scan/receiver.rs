//! The executor's DestReceiver: gathers rows where they lie, and decodes them column by column, a batch at a time.
#![allow(unsafe_code)]

use pgrx::pg_sys::{self, Datum};
use pgrx::{PgTupleDesc, pg_guard};

use super::{Kind, describe_tuple};
use crate::decode::{Sink, WHAT};
use crate::engine::Error;
use crate::engine::budget::Budget;
use crate::engine::table::Table;
use crate::report::{Failure, Result};

/// Rows that columns grow by at first.
const FIRST: usize = 4096;
/// Rows in a batch; also between two looks at interrupts.
const BATCH: usize = 1024;

/// Takes rows from the executor. It is owned by `scan`'s frame, so an error that unwinds frees its columns.
#[repr(C)]
pub(super) struct Receiver<'a> {
    /// First, so that a pointer to it is a pointer to the whole.
    callbacks: pg_sys::DestReceiver,
    kinds: &'a [Kind],
    /// Rows that the planner expects.
    expected: usize,
    budget: &'a mut Budget,
    sinks: Vec<Sink>,
    /// Columns whose values are read at once, as they lie in the executor's memory.
    texts: Vec<usize>,
    /// Rows that wait to be decoded, one after another.
    values: Vec<Datum>,
    nulls: Vec<bool>,
    waiting: usize,
    /// Rows in the sinks.
    rows: usize,
    capacity: usize,
    failure: Option<Failure>,
}

impl<'a> Receiver<'a> {
    pub(super) fn new(kinds: &'a [Kind], expected: usize, budget: &'a mut Budget) -> Self {
        let callbacks = pg_sys::DestReceiver {
            receiveSlot: Some(receive),
            rStartup: Some(start),
            rShutdown: Some(end),
            rDestroy: Some(end),
            mydest: pg_sys::CommandDest::DestTuplestore,
        };
        Receiver {
            callbacks,
            kinds,
            expected,
            budget,
            sinks: vec![],
            texts: vec![],
            values: vec![],
            nulls: vec![],
            waiting: 0,
            rows: 0,
            capacity: 0,
            failure: None,
        }
    }

    /// Makes the columns for the types that the executor is about to send.
    fn start(&mut self, tuple: pg_sys::TupleDesc) -> Result<()> {
        // SAFETY: the executor's descriptor is live; the copy is freed when it is dropped.
        let columns = describe_tuple(&unsafe { PgTupleDesc::from_pg_copy(tuple) });
        if columns.len() != self.kinds.len() {
            let (value, allowed) = (format!("{} columns", columns.len()), format!("{} columns", self.kinds.len()));
            return Err(Error::InvalidArgument { name: "source", value, allowed }.into());
        }
        let sinks = columns.into_iter().zip(self.kinds);
        self.sinks = sinks
            .map(|(column, kind)| Sink::new(column.name, column.base_oid, &column.type_name, *kind))
            .collect::<Result<_>>()?;
        self.texts = (0..self.sinks.len()).filter(|column| self.sinks[*column].is_text()).collect();
        self.values = vec![Datum::null(); self.sinks.len() * BATCH];
        self.nulls = vec![true; self.sinks.len() * BATCH];
        Ok(())
    }

    /// Takes a row that needs nothing of PostgreSQL: one of a table, without texts, that does not fill the batch.
    /// False for any other, which is left as it is.
    ///
    /// # Safety
    /// `slot` is the executor's slot, with a row of the types given at the start.
    #[inline]
    unsafe fn take_plain(&mut self, slot: *mut pg_sys::TupleTableSlot) -> bool {
        if !self.texts.is_empty() || self.waiting + 1 >= BATCH || self.failure.is_some() {
            return false;
        }
        let width = self.sinks.len();
        // SAFETY: a table's slot takes its row apart without raising anything; with that many values valid, the slot's
        // arrays have them.
        unsafe {
            let is_deformed = || usize::try_from((*slot).tts_nvalid).is_ok_and(|valid| valid >= width);
            if !is_deformed() {
                let operations = (*slot).tts_ops;
                match (*operations).getsomeattrs {
                    Some(take_apart) if std::ptr::eq(operations, &raw const pg_sys::TTSOpsBufferHeapTuple) => {
                        take_apart(slot, width as i32);
                    }
                    _ => return false,
                }
            }
            if !is_deformed() {
                return false;
            }
            self.gather(slot);
        }
        true
    }

    /// Takes any row.
    ///
    /// # Safety
    /// As for [`Receiver::take_plain`].
    unsafe fn take(&mut self, slot: *mut pg_sys::TupleTableSlot) -> Result<()> {
        let width = self.sinks.len();
        let first = self.waiting * width;
        // SAFETY: the caller's promise; texts are of the types that their sinks were made for in `start`.
        unsafe {
            if usize::try_from((*slot).tts_nvalid).unwrap_or(0) < width {
                pg_sys::slot_getsomeattrs_int(slot, width as i32);
            }
            self.gather(slot);
            for &column in self.texts.iter().filter(|column| !self.nulls[first + **column]) {
                let row = self.rows + self.waiting - 1;
                let code = self.sinks[column].text_code(self.values[first + column], row, self.budget)?;
                self.values[first + column] = Datum::from(code);
            }
        }
        if self.waiting == BATCH { self.decode() } else { Ok(()) }
    }

    /// Copies a row to those that wait.
    ///
    /// # Safety
    /// `slot` holds a row whose values are all valid.
    #[inline]
    unsafe fn gather(&mut self, slot: *mut pg_sys::TupleTableSlot) {
        let width = self.sinks.len();
        let place = self.waiting * width..(self.waiting + 1) * width;
        // SAFETY: the caller's promise.
        let (values, nulls) = unsafe {
            (
                std::slice::from_raw_parts((*slot).tts_values, width),
                std::slice::from_raw_parts((*slot).tts_isnull, width),
            )
        };
        // Loops, as rows are shorter than a call of memcpy is worth.
        self.values[place.clone()].iter_mut().zip(values).for_each(|(to, from)| *to = *from);
        self.nulls[place].iter_mut().zip(nulls).for_each(|(to, from)| *to = *from);
        self.waiting += 1;
    }

    /// Moves the rows that wait into the columns.
    fn decode(&mut self) -> Result<()> {
        pgrx::check_for_interrupts!();
        let count = std::mem::take(&mut self.waiting);
        while self.capacity < self.rows + count {
            self.grow()?;
        }
        let width = self.sinks.len();
        for (column, sink) in self.sinks.iter_mut().enumerate() {
            let rows = (0..count).map(|row| row * width + column).map(|at| (self.values[at], self.nulls[at]));
            sink.extend(rows, self.rows, self.budget)?;
        }
        self.rows += count;
        Ok(())
    }

    /// Makes room for the rows expected and a few more, as an estimate that is one row short would have all columns moved;
    /// then doubles it, or takes what the budget still allows.
    #[cold]
    fn grow(&mut self) -> Result<()> {
        let width: usize = self.sinks.iter().map(Sink::width).sum();
        // An estimate may be far too high: some of the budget stays.
        let most = self.budget.left() / 8 * 7 / width.max(1) as u64;
        let expected = (self.expected + self.expected / 32).min(usize::try_from(most).unwrap_or(usize::MAX));
        let wanted = if self.capacity == 0 { expected.max(FIRST) } else { self.capacity };
        // A column may lie in memory twice while it is moved.
        let moved = 8 * self.capacity as u64;
        let allowed = self.budget.left().saturating_sub(moved) / width.max(1) as u64;
        let more = wanted.min(usize::try_from(allowed).unwrap_or(usize::MAX));
        let bytes = (width * more) as u64;
        let exceeded = self.budget.exceeded(WHAT, self.budget.used() + (width * wanted) as u64);
        if more < (wanted / 8).min(FIRST) {
            return Err(exceeded.into());
        }
        self.budget.take(WHAT, bytes)?;
        for sink in &mut self.sinks {
            sink.reserve(more).ok_or_else(|| exceeded.clone())?;
        }
        self.capacity += more;
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Table> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        self.decode()?;
        let width: usize = self.sinks.iter().map(Sink::width).sum();
        self.budget.give_back((width * (self.capacity - self.rows)) as u64);
        let columns = self.sinks.into_iter().map(Sink::finish).collect::<Result<_>>()?;
        Ok(Table { rows: self.rows, columns })
    }
}

/// Executor callback: before the first row.
#[pg_guard]
unsafe extern "C-unwind" fn start(this: *mut pg_sys::DestReceiver, _operation: i32, tuple: pg_sys::TupleDesc) {
    // SAFETY: `this` is the receiver that `scan` handed over, and `scan` does not touch it meanwhile.
    let receiver = unsafe { &mut *this.cast::<Receiver>() };
    receiver.failure = receiver.start(tuple).err();
}

/// Executor callback: one row. False ends the scan early.
unsafe extern "C-unwind" fn receive(slot: *mut pg_sys::TupleTableSlot, this: *mut pg_sys::DestReceiver) -> bool {
    // SAFETY: as in `start`; the slot is the executor's. What needs no guard against errors goes without its cost.
    unsafe { (*this.cast::<Receiver>()).take_plain(slot) || receive_guarded(slot, this) }
}

#[pg_guard]
unsafe extern "C-unwind" fn receive_guarded(
    slot: *mut pg_sys::TupleTableSlot,
    this: *mut pg_sys::DestReceiver,
) -> bool {
    // SAFETY: as in `receive`.
    unsafe {
        let receiver = &mut *this.cast::<Receiver>();
        if receiver.failure.is_none() {
            receiver.failure = receiver.take(slot).err();
        }
        receiver.failure.is_none()
    }
}

/// Executor callback: after the last row. The columns stay with `scan`.
#[pg_guard]
unsafe extern "C-unwind" fn end(_this: *mut pg_sys::DestReceiver) {}
