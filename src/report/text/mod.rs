//! Answers as text for a terminal. A file is a command.

pub mod check;
pub mod compare;
pub mod evaluate;
pub mod evaluate_table;
mod explain;
pub mod fit;
pub mod fit_live;
pub mod import;
pub mod insights;
pub mod list;
pub mod live_run;
pub mod plan;
pub mod predict;
pub mod probe;
pub mod report;
pub mod roofline;

use std::path::PathBuf;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::ReportTable;
use crate::evaluation::{Errors, EvaluatedRow};
use crate::number::{number, with_sign};
use crate::workload::LoadKind;

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

/// A table that pages show too; columns in `numbers` are aligned to the right.
pub fn report_table(content: ReportTable, numbers: std::ops::Range<usize>) -> String {
    let header: Vec<&str> = content.header.iter().map(String::as_str).collect();
    table(&header, content.rows, numbers)
}

/// Rows of a table of errors: what the predictions have seen, metric, MAPE, median, RMSE, bias.
pub fn error_rows(lines: &[(&str, Errors)]) -> Vec<Vec<String>> {
    lines
        .iter()
        .flat_map(|(name, errors)| {
            let metrics = [("TTFT", Some(errors.ttft)), ("ITL", Some(errors.itl)), ("throughput", errors.throughput)];
            metrics.into_iter().enumerate().filter_map(move |(index, (metric, errors))| {
                let errors = errors?;
                Some(vec![
                    if index == 0 { (*name).to_owned() } else { String::new() },
                    metric.to_owned(),
                    format!("{:.2}", errors.mape_pct),
                    format!("{:.2}", errors.median_ape_pct),
                    number(errors.rmse),
                    with_sign(errors.bias_pct, 2),
                ])
            })
        })
        .collect()
}

/// A table of the rows with the largest errors.
pub fn worst_rows(rows: &[&EvaluatedRow], load: LoadKind) -> String {
    let header = ["input", "output", load.axis(), "TTFT ms", "predicted", "error %", "ITL ms", "predicted", "error %"];
    let rows = rows.iter().map(|row| {
        let workload = &row.measured.workload;
        vec![
            workload.input_tokens().to_string(),
            workload.output_tokens().to_string(),
            workload.amount().to_string(),
            number(row.measured.ttft.as_ms()),
            number(row.predicted.ttft.as_ms()),
            with_sign(row.ttft_error_pct(), 1),
            number(row.measured.itl.as_ms()),
            number(row.predicted.itl.as_ms()),
            with_sign(row.itl_error_pct(), 1),
        ]
    });
    table(&header, rows, 0..9)
}

/// Cautions, a line each below an empty one.
pub fn caution_lines(cautions: &[String]) -> String {
    let lines: String = cautions.iter().map(|caution| format!("Caution: {caution}\n")).collect();
    if lines.is_empty() { lines } else { format!("\n{lines}") }
}

/// The files that were written, a line each.
pub fn written_lines(files: &[PathBuf]) -> String {
    files.iter().map(|file| format!("wrote {}\n", file.display())).collect()
}

/// The files that a long job wrote, and how long it took.
fn written_in_lines(files: &[PathBuf], elapsed_s: f64) -> String {
    if files.is_empty() {
        return String::new();
    }
    let lines: String = files.iter().map(|file| format!(" {}\n", file.display())).collect();
    format!("\nWrote in {elapsed_s:.1} s\n{lines}")
}

/// A header and rows as CSV. The cells are numbers and single words, which need no quotes.
pub fn csv_text(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut text = header.join(",") + "\n";
    for row in rows {
        text += &row.join(",");
        text.push('\n');
    }
    text
}
