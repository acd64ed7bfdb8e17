//! Printing: tables, and standard output that may be closed early.

use std::io::{ErrorKind, Write};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use crate::error::{Error, Result};

/// Prints to standard output. A reader that has gone (`| head`) is no error.
///
/// # Errors
/// Anything else that keeps standard output from being written.
pub fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Error::input(format!("cannot write to standard output ({error})"))
                .help("check where it is redirected to"))
        }
        _ => Ok(()),
    }
}

/// A table with a header; columns from `numbers` on are aligned to the right.
pub fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>, numbers: std::ops::Range<usize>) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(header);
    for row in rows {
        table.add_row(row);
    }
    for index in numbers {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let text: Vec<String> = table.to_string().lines().map(|line| format!(" {}\n", line.trim_end())).collect();
    text.concat()
}
