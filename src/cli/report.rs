//! `perfmodel report`: one page that gathers all results.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::Format;
use super::json::json_line;
use super::terminal::print;
use crate::error::{Error, Result};
use crate::report::text::{caution_lines, report_table, written_lines};
use crate::report::{FoundResult, ReportTable, find_results, write_front_page};

/// Arguments of `report`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    perfmodel report                                gather evaluations_results, write its index.html\n  \
    perfmodel report my_results --format json\n\n\
    Every page that perfmodel writes says what it is about, and the front page repeats that with a link. Results whose page is not \
    there (pages are large and often not kept) are told from results.json and calibration.toml.")]
pub struct ReportArgs {
    /// Folder of results
    #[arg(value_name = "DIR", default_value = "evaluations_results")]
    folder: PathBuf,

    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// The JSON object on stdout; docs/schema/report.schema.json describes it.
#[derive(Debug, Serialize)]
struct ReportOutput<'a> {
    results: &'a [FoundResult],
    cautions: &'a [String],
    files: &'a [PathBuf],
}

/// Runs the command.
pub fn run(args: &ReportArgs) -> Result<()> {
    let (results, unread) = find_results(&args.folder)?;
    if results.is_empty() {
        return Err(Error::input("there is no result in this folder")
            .at(&args.folder)
            .help("write some first: `perfmodel fit --scenario ID`, or any command with --plot"));
    }
    let files = write_front_page(&results, &args.folder)?;
    match args.format {
        Format::Json => print(&json_line(&ReportOutput { results: &results, cautions: &unread, files: &files })?),
        Format::Table => print(&text(&results, &unread, &files)),
    }
}

fn text(results: &[FoundResult], unread: &[String], files: &[PathBuf]) -> String {
    let rows = results.iter().map(|result| {
        vec![result.about.kind.heading().to_owned(), result.about.title.clone(), result.file.display().to_string()]
    });
    let header = ["kind", "result", "file"].map(str::to_owned).to_vec();
    let table = report_table(ReportTable { header, rows: rows.collect() }, 0..0);
    let without: Vec<&Path> =
        results.iter().filter(|result| !result.has_page).map(|result| result.folder.as_path()).collect();
    let missing = if without.is_empty() {
        String::new()
    } else {
        format!("\n{} of them without a page; `perfmodel fit` and `perfmodel plot` make it again\n", without.len())
    };
    format!("{table}{missing}{}\n{}", caution_lines(unread), written_lines(files))
}
