//! The parameters of a network in one buffer, in the plan's order, and the two ways in which its weights can lie.

use std::sync::OnceLock;

use super::kernel::transpose;
use super::plan::{Plan, Slot};

/// Both forms hold the same values; each is made of the other when it is first asked for.
#[derive(Debug, Clone)]
pub(super) struct Parameters {
    /// Weights `[inputs, outputs]`, as a product of many rows reads them without packing them first.
    turned: OnceLock<Vec<f32>>,
    /// Weights `[outputs, inputs]`, as they are stored, and as the product of one row reads them fastest.
    stored: OnceLock<Vec<f32>>,
}

/// One form of the parameters.
#[derive(Debug, Clone, Copy)]
pub(super) enum View<'a> {
    Turned(&'a [f32]),
    Stored(&'a [f32]),
}

impl<'a> View<'a> {
    pub fn values(self) -> &'a [f32] {
        match self {
            View::Turned(values) | View::Stored(values) => values,
        }
    }
}

impl Parameters {
    pub fn of_turned(values: Vec<f32>) -> Parameters {
        Parameters { turned: values.into(), stored: OnceLock::new() }
    }

    pub fn of_stored(values: Vec<f32>) -> Parameters {
        Parameters { turned: OnceLock::new(), stored: values.into() }
    }

    pub fn turned(&self, plan: &Plan) -> &[f32] {
        self.turned.get_or_init(|| {
            let stored = self.stored.get().map_or(&[][..], Vec::as_slice);
            turn(plan, stored, |slot| (slot.dims[1], slot.dims[0]))
        })
    }

    pub fn stored(&self, plan: &Plan) -> &[f32] {
        self.stored.get_or_init(|| {
            let turned = self.turned.get().map_or(&[][..], Vec::as_slice);
            turn(plan, turned, |slot| (slot.dims[0], slot.dims[1]))
        })
    }

    /// The form that is read fastest for so many rows.
    pub fn view(&self, plan: &Plan, rows: usize) -> View<'_> {
        if rows == 1 { View::Stored(self.stored(plan)) } else { View::Turned(self.turned(plan)) }
    }

    pub fn turned_mut(&mut self, plan: &Plan) -> &mut [f32] {
        self.turned(plan);
        self.stored.take();
        self.turned.get_mut().map_or(&mut [], Vec::as_mut_slice)
    }
}

/// All values with every weight, which has these rows and columns, the other way round.
fn turn(plan: &Plan, from: &[f32], sizes: impl Fn(&Slot) -> (usize, usize)) -> Vec<f32> {
    let mut into = from.to_vec();
    for slot in plan.slots.iter().filter(|slot| slot.is_weight) {
        transpose(slot.of(from), sizes(slot), slot.of_mut(&mut into));
    }
    into
}
