//! The user's event table: its rows, read with the rights of whoever is current.

use crate::engine::budget::Budget;
use crate::engine::config::Roles;
use crate::engine::panel::Event;
use crate::report::Result;
use crate::source::{Clauses, Needed, Role, Source, SourceError, TypeClass};

/// What an event takes in memory, with short names and few series columns.
const EVENT_BYTES: u64 = 256;

/// Reads all events of a source.
///
/// # Errors
/// A missing right, a missing column, one of the wrong type, or a row that [`Event::read`] refuses.
pub fn read(source: &Source, roles: &Roles, budget: &mut Budget) -> Result<Vec<Event>> {
    let columns = source.columns()?;
    let class = |name: &str| columns.iter().find(|column| column.name == name).map(|column| column.class);
    // The day of an instant depends on the session's time zone.
    if let Some(date) = columns.iter().find(|column| column.name == "date")
        && !matches!(date.class, TypeClass::Date | TypeClass::Timestamp)
    {
        let (column, type_name) = (date.name.clone(), date.type_name.clone());
        return Err(SourceError::WrongType { role: "event", column, type_name, needed: Needed::Date }.into());
    }
    let mut wanted = vec![("name", Role::Category), ("date", Role::Time)];
    wanted.extend(["days_before", "days_after"].map(|name| (name, Role::Number)));
    wanted.extend(Event::series_columns(roles).flatten().map(|name| (name, Role::Series)));
    wanted.retain(|(name, _)| matches!(*name, "name" | "date") || class(name).is_some());
    let selection = source.select(&columns, &wanted, &Clauses::default())?;
    let table = source.read(&selection, &[], budget)?;
    budget.take("the table of events", table.rows as u64 * EVENT_BYTES)?;
    Ok(Event::read(&table, roles)?)
}
