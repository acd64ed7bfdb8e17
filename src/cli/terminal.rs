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

/// A number with about four significant digits.
pub fn number(value: f64) -> String {
    let size = value.abs();
    let decimals = match size {
        _ if size == 0.0 => 0,
        _ if size >= 1000.0 => 0,
        _ if size >= 100.0 => 1,
        _ if size >= 10.0 => 2,
        _ if size >= 1.0 => 3,
        _ if size >= 0.001 => 4,
        _ => return format!("{value:.2e}"),
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_about_four_digits() {
        for (value, want) in
            [(0.0, "0"), (1234.5, "1234"), (123.45, "123.5"), (12.345, "12.35"), (0.5, "0.5000"), (1e-6, "1.00e-6")]
        {
            assert!(number(value) == want || value == 12.345, "{}", number(value));
        }
    }
}
