//! Results as JSON.

use serde::Serialize;

use crate::error::{Error, Result};

/// A result as one object on one line.
///
/// # Errors
/// It cannot be written as JSON.
pub fn json_line(result: &impl Serialize) -> Result<String> {
    serde_json::to_string(result)
        .map(|text| text + "\n")
        .map_err(|error| Error::failed(format!("cannot write the result as JSON ({error})")))
}
