//! What the reader of a tool's files is.

use std::path::Path;

use super::imported::Imported;
use super::json::Telling;
use super::tool::Tool;
use crate::error::Result;

/// Reads a text; the path names it in messages.
type Read = fn(&[u8], &Path) -> Result<Imported>;

/// The reader of a tool's files.
pub struct Reader {
    /// The tool.
    pub tool: Tool,
    /// Whether it wrote a value with these keys.
    pub tells: fn(&Telling) -> bool,
    /// Reads its JSON.
    pub read: Read,
    /// Of its CSV, if it writes one.
    pub csv: Option<CsvReader>,
}

/// The reader of a tool's CSV.
pub struct CsvReader {
    /// Whether it wrote such a text at such a path.
    pub tells: fn(&[u8], &Path) -> bool,
    /// Reads it.
    pub read: Read,
}
