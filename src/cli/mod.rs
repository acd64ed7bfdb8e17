//! The command line: strings and paths become checked types here, results go to stdout, everything else to stderr.
//! One file is one subcommand.

#[cfg(feature = "live")]
mod bench;
#[cfg(not(feature = "live"))]
#[path = "no_live.rs"]
mod bench;
mod check;
mod compare;
mod completions;
mod evaluate;
mod fit;
mod import;
mod init;
mod insights;
mod json;
mod list;
mod man;
mod measured_args;
mod page_args;
mod plan;
mod plot;
mod predict;
mod report;
mod roofline;
mod system_args;
mod terminal;

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Parser, Subcommand, ValueEnum};

pub use self::terminal::say;
use self::terminal::{Talk, note, set_talk};
use crate::error::Result;
use crate::spec::Catalog;

/// Output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tables for people.
    #[value(alias = "text")]
    Table,
    /// One JSON object (see docs/schema).
    Json,
}

/// Output format of commands that print one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TableFormat {
    /// Tables for people.
    #[value(alias = "text")]
    Table,
    /// One JSON object (see docs/schema).
    Json,
    /// The table as comma-separated values.
    Csv,
}

/// Predicts LLM inference latency from first principles and calibrates itself on measurements.
#[derive(Debug, Parser)]
#[command(
    version,
    propagate_version = true,
    after_help = "Examples:\n  \
        perfmodel list                                  what is there to fit\n  \
        perfmodel fit --scenario llama31_8b_fp8_tp1     fit, validate, write the report\n  \
        perfmodel init my_server                        a scenario to fill in with your measurements\n  \
        perfmodel fit --scenario my_server              fit it\n  \
        perfmodel check                                 have errors grown since the last fit\n\n\
        Exit codes: 0 done, 1 a fit or a check failed, 2 wrong input."
)]
pub struct Cli {
    /// Folder whose hardware/, models/ and tested_benchmarks/ add to the built-in ones and override them
    /// [default: the current folder, if it holds all three]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// Say on standard error what is read from where, and how long it takes
    #[arg(long, short, global = true, conflicts_with = "quiet")]
    verbose: bool,

    /// Say nothing on standard error but errors: no progress, no remarks
    #[arg(long, short, global = true)]
    quiet: bool,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Fit an estimator to measured TTFT and ITL, validate it, write tables and a report
    Fit(Box<fit::FitArgs>),
    /// Predict latency, throughput and memory of a system under given workloads
    Predict(Box<predict::PredictArgs>),
    /// Find the devices, and how many, that serve a demand within latency limits, cheapest first
    Plan(Box<plan::PlanArgs>),
    /// Show every operator under the roofs of the device, and at which batch a step turns compute bound
    Roofline(Box<roofline::RooflineArgs>),
    /// Predict a scenario from a calibration that never saw it
    Evaluate(Box<evaluate::EvaluateArgs>),
    /// Compare model errors with a baseline and with limits, for CI
    Check(Box<check::CheckArgs>),
    /// Compare runs of a measuring tool: latencies with intervals, tests, and whether they may be compared
    Compare(Box<compare::CompareArgs>),
    /// Turn result files of measuring tools into a scenario to fit
    Import(Box<import::ImportArgs>),
    /// Show what attention variants cost and buy: loss, cache and speed of runs, or what a device serves with each
    Insights(Box<insights::InsightsArgs>),
    /// Time OLMo-2, Hydra and PoE decoding on this machine
    Bench(Box<bench::BenchArgs>),
    /// Measure the roofs of this machine and write them as a hardware file
    Probe(bench::probe::ProbeArgs),
    /// Draw the results of a live run
    Plot(plot::PlotArgs),
    /// Gather all results in one front page
    Report(report::ReportArgs),
    /// Show the scenarios, devices and models there are
    List(list::ListArgs),
    /// Write a commented scenario folder to fill in
    Init(init::InitArgs),
    /// Print completions for a shell
    Completions(completions::CompletionsArgs),
    /// Print the manual page, or write those of all commands
    Man(man::ManArgs),
}

/// Runs a parsed command line.
///
/// # Errors
/// Whatever the command reports; [`crate::error::Error::exit_code`] says how to exit.
pub fn run(cli: Cli) -> Result<()> {
    set_talk(match (cli.quiet, cli.verbose) {
        (true, _) => Talk::Quiet,
        (false, true) => Talk::Verbose,
        (false, false) => Talk::Normal,
    });
    let started = Instant::now();
    let catalog = match &cli.data_dir {
        Some(folder) => Catalog::with_folder(folder)?,
        None if Catalog::is_project_folder(Path::new(".")) => Catalog::with_folder(Path::new("."))?,
        None => Catalog::built_in(),
    };
    note(|| match catalog.root() {
        Some(root) => format!("built-in specifications, and those of {}", root.display()),
        None => "built-in specifications".to_owned(),
    });
    let result = match cli.command {
        Command::Fit(args) => fit::run(&catalog, &args),
        Command::Predict(args) => predict::run(&catalog, &args),
        Command::Plan(args) => plan::run(&catalog, &args),
        Command::Roofline(args) => roofline::run(&catalog, &args),
        Command::Evaluate(args) => evaluate::run(&catalog, &args),
        Command::Check(args) => check::run(&catalog, &args),
        Command::Compare(args) => compare::run(&catalog, &args),
        Command::Import(args) => import::run(&catalog, &args),
        Command::Insights(args) => insights::run(&catalog, &args),
        Command::Bench(args) => bench::run(&catalog, *args),
        Command::Probe(args) => bench::probe::run(&args),
        Command::Plot(args) => plot::run(&args),
        Command::Report(args) => report::run(&args),
        Command::List(args) => list::run(&catalog, &args),
        Command::Init(args) => init::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    };
    note(|| format!("{:.3} s", started.elapsed().as_secs_f64()));
    result
}
