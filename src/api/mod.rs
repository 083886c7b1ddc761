//! The functions that users call in SQL: take arguments, call one function, return rows.

mod models;
