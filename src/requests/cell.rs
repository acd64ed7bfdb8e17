//! Columns and cells of tables of requests, whatever file they come from.

use super::Dimension;
use crate::error::{Error, Result};

/// Columns besides those of numbers: a text where a request failed, and the ISO 8601 time at which it was sent.
pub(super) const ERROR: &str = "error";
pub(super) const SENT: &str = "request_time";

/// A cell that is no number.
pub(super) fn no_number(cell: &str, dimension: Dimension) -> Error {
    Error::input(format!("cannot read `{cell}` as a number"))
        .column_named(dimension.name())
        .help("leave the cell empty if it was not measured")
}

/// A number as the value of a request; NaN is unknown.
///
/// # Errors
/// No time or count is below 0 or without end.
pub(super) fn possible(value: f64, dimension: Dimension) -> Result<Option<f64>> {
    if value < 0.0 || value.is_infinite() {
        return Err(Error::input(format!("{value} is no time or count"))
            .column_named(dimension.name())
            .help("leave the cell empty if it was not measured"));
    }
    Ok(Some(value).filter(|value| !value.is_nan()))
}
