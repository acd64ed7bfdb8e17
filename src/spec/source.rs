//! Where a number comes from.

use serde::{Deserialize, Serialize};

/// A source of figures: an address (any text), the day it was read, and what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Address of the document.
    pub url: String,
    /// Day on which it was read, YYYY-MM-DD.
    pub retrieved: String,
    /// What the document is and says.
    #[serde(default)]
    pub note: String,
    /// Keys of the file whose values it supports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub covers: Vec<String>,
}
