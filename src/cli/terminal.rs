//! Printing: tables, progress, and standard output that may be closed early.

use std::borrow::Cow;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::error::{Error, Result};
use crate::evaluation::{Errors, EvaluatedRow};
use crate::number::{number, with_sign};
use crate::report::ReportTable;
use crate::workload::LoadKind;

/// How much is said on standard error besides errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Talk {
    /// Nothing.
    Quiet,
    /// Progress and remarks.
    Normal,
    /// Also what was read from where, and how long it took.
    Verbose,
}

/// Set once, when the command line was parsed.
static TALK: OnceLock<Talk> = OnceLock::new();

fn talk() -> Talk {
    TALK.get().copied().unwrap_or(Talk::Normal)
}

/// Sets how much is said, once for the process.
pub fn set_talk(talk: Talk) {
    TALK.get_or_init(|| talk);
}

/// Says something to those who asked for all (`--verbose`).
pub fn note(text: impl FnOnce() -> String) {
    if talk() == Talk::Verbose {
        say(&format!("note: {}", text()));
    }
}

/// Says something on standard error, unless nothing is wanted there (`--quiet`).
pub fn remark(text: &str) {
    if talk() != Talk::Quiet {
        say(text);
    }
}

/// Writes a line to standard error. Where nobody can read it, what is done still counts.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A path as it stands in a command that is printed to be used: quoted where a shell would take it apart.
pub fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    // Only a zero byte cannot be quoted, and no path has one.
    shlex::try_quote(&text).map_or_else(|_| text.clone(), Cow::into_owned)
}

/// The bar, or one that nobody sees.
pub fn shown(bar: ProgressBar) -> ProgressBar {
    if talk() == Talk::Quiet {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    bar
}

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

/// A table that pages show too; columns in `numbers` are aligned to the right.
pub fn report_table(content: ReportTable, numbers: std::ops::Range<usize>) -> String {
    let header: Vec<&str> = content.header.iter().map(String::as_str).collect();
    table(&header, content.rows, numbers)
}

/// A spinner on standard error for work that takes a while.
pub fn spinner(message: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})");
    let bar = shown(ProgressBar::new_spinner()).with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(Duration::from_millis(100));
    bar.set_message(message);
    bar
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
            workload.load().to_string(),
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

/// Cautions on standard error, where standard output is for machines.
pub fn caution_remarks(cautions: &[String]) {
    for caution in cautions {
        remark(&format!("caution: {caution}"));
    }
}

/// The files that were written, a line each.
pub fn written_lines(files: &[PathBuf]) -> String {
    files.iter().map(|file| format!("wrote {}\n", file.display())).collect()
}

/// Says which files were written, where standard output holds something else.
pub fn files_remark(files: &[PathBuf]) {
    written_lines(files).lines().for_each(remark);
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

/// A bar on standard error for work in countable pieces.
pub fn progress_bar(message: &'static str, pieces: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {bar:30} {pos} of {len}, {eta} left");
    shown(ProgressBar::new(pieces as u64))
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_message(message)
}
