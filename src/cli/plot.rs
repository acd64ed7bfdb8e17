//! `perfmodel plot`: draws the results of a live run again.

use std::path::{Path, PathBuf};

use clap::Args;

use super::live_text::results_text;
use super::terminal::print;
use crate::bench::Results;
use crate::error::Result;
use crate::report::text::written_lines;
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
}

/// Runs the command.
pub fn run(args: &PlotArgs) -> Result<()> {
    if args.png {
        browser()?;
    }
    let results = Results::open(&args.results)?;
    let own = args.results.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let files = write_live_page(&results, args.out.as_deref().unwrap_or(own), args.png)?;
    print(&format!("{}\n{}", results_text(&results), written_lines(&files)))
}
