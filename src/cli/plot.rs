//! `perfmodel plot`: draws the results of a live run again.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Format;
use super::json::json_line;
use super::terminal::print;
use crate::app::{self, PlotRequest};
use crate::error::Result;
use crate::report::text::live_run::text;
use crate::report::{browser, write_live_page};

/// Arguments of `plot`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    perfmodel plot evaluations_results/live/2026-11-26_run01/results.json --png\n  \
    perfmodel plot original/results.json --out pictures\n\n\
    Reads the results.json of `perfmodel bench` and of the original benchmark; rows that it lacks are left out.")]
pub struct PlotArgs {
    /// The results
    #[arg(value_name = "RESULTS.json")]
    results: PathBuf,

    /// Folder for the page [default: that of the results]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Also draw graph.png (needs a Chromium on PATH)
    #[arg(long)]
    png: bool,

    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Runs the command.
pub fn run(args: &PlotArgs) -> Result<()> {
    if args.png {
        browser()?;
    }
    let mut answer = app::plot(&PlotRequest { results: args.results.clone() })?;
    let own = args.results.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    answer.files = write_live_page(&answer.results, args.out.as_deref().unwrap_or(own), args.png)?;
    match args.format {
        Format::Json => print(&json_line(&answer)?),
        Format::Table => print(&text(&answer.results, &answer.files)),
    }
}
