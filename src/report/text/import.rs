//! Imported rows on the terminal.

use std::fmt::Write;
use std::path::Path;

use super::{caution_lines, report_table, written_lines};
use crate::app::ImportAnswer;
use crate::app::import::Placed;
use crate::app::system::as_scenario;
use crate::import::Rows;
use crate::number::{counted, number, number_or_dash};
use crate::report::ReportTable;

/// The rows, what was taken for what, and, where a scenario was written into a folder, what comes next.
pub fn text(answer: &ImportAnswer, folder: Option<&Path>) -> String {
    let rows = &answer.study.rows;
    let tools: Vec<&str> = answer.tools.iter().map(|tool| tool.title()).collect();
    let mut text =
        format!("{}: {} of {} latencies\n\n", tools.join(", "), counted(rows.rows.len(), "row"), answer.statistic);
    text += &report_table(rows_table(rows), 0..6);
    text += "\nConverted:\n";
    for conversion in &answer.conversions {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {conversion}");
    }
    text += &caution_lines(&answer.cautions);
    if !answer.files.is_empty() {
        text.push('\n');
        text += &written_lines(&answer.files);
    }
    text + &folder.zip(answer.placed.as_ref()).map_or_else(String::new, |(folder, placed)| next(folder, placed))
}

fn rows_table(rows: &Rows) -> ReportTable {
    let header = ["input", "output", rows.load.axis(), "TTFT ms", "ITL ms", "tokens/s"];
    let cells = rows.rows.iter().map(|row| {
        vec![
            number(row.workload.input_tokens()),
            number(row.workload.output_tokens()),
            number(row.workload.amount()),
            number(row.ttft_ms),
            number(row.itl_ms),
            number_or_dash(row.throughput),
        ]
    });
    ReportTable { header: header.iter().map(|name| (*name).to_owned()).collect(), rows: cells.collect() }
}

/// The command that comes next: a fit, where there are rows enough.
fn next(folder: &Path, placed: &Placed) -> String {
    let (folder, rows, needed) = (as_scenario(folder), placed.rows, placed.parameters);
    if rows >= needed {
        return format!("\nthen: perfmodel fit --scenario {folder}\n");
    }
    format!(
        "\nthen: perfmodel evaluate --scenario {folder} --uncalibrated\n{} there: too few to fit {needed} parameters; import more of \
         them, or hold parameters (`perfmodel fit --scenario {folder}` says which)\n",
        match rows {
            1 => "1 row is".to_owned(),
            several => format!("{several} rows are"),
        }
    )
}
