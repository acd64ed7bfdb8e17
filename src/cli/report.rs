//! `perfmodel report`: one page that gathers all results.

use std::path::PathBuf;

use clap::Args;

use super::Format;
use super::json::json_line;
use super::terminal::print;
use crate::app::{self, ReportRequest};
use crate::error::Result;
use crate::report::text::report::text;
use crate::report::write_front_page;

/// Arguments of `report`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    perfmodel report                                gather evaluations_results, write its index.html\n  \
    perfmodel report my_results --format json\n\n\
    Every page that perfmodel writes says what it is about, and the front page repeats that with a link. Results whose page is not \
    there (pages are large and often not kept) are told from results.json and calibration.toml.")]
pub struct ReportArgs {
    /// Folder of results
    #[arg(value_name = "DIR", default_value = ReportRequest::FOLDER)]
    folder: PathBuf,

    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Runs the command.
pub fn run(args: &ReportArgs) -> Result<()> {
    let mut answer = app::report(&ReportRequest { folder: args.folder.clone() })?;
    answer.files = write_front_page(&answer, &args.folder)?;
    match args.format {
        Format::Json => print(&json_line(&answer)?),
        Format::Table => print(&text(&answer)),
    }
}
