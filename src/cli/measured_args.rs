//! Flags that name measured systems: scenarios by id or folder, a bare CSV with its system in flags, a table of many, live runs.

use std::path::PathBuf;

use clap::{Arg, Args};

use super::system_args::PlacementArgs;
use crate::app::MeasuredRequest;
use crate::workload::LoadKind;

/// How a model was placed is said beside a CSV, which does not say it itself.
fn of_measured(arg: Arg) -> Arg {
    let help = match arg.get_id().as_str() {
        "tp" => "Tensor-parallel degree [default: 1]",
        "weights" => "Precision of the weights",
        "compute" => "Precision in which linear layers compute, for weight-only quantisation [default: --weights]",
        "kv" => "Precision of the KV cache",
        "max_sequences" => "Most sequences the engine ran at once",
        "max_tokens_per_step" => "Most tokens of one engine step",
        _ => return arg,
    };
    arg.requires("measured").help_heading("What ran, with --measured").help(help)
}

/// Flags that name measured systems.
#[derive(Debug, Args)]
#[command(mut_args(of_measured))]
pub struct MeasuredArgs {
    /// Scenario id, see `perfmodel list scenarios`, with * for any text ('llama*'), or its folder; may be repeated
    #[arg(long, value_name = "ID", required_unless_present_any = ["scenario_dir", "measured", "table", "live"])]
    scenario: Vec<String>,

    /// Folder with scenario.toml and measured.csv, also one that has the name of a scenario
    #[arg(long, value_name = "DIR", hide = true)]
    scenario_dir: Vec<PathBuf>,

    /// CSV of measurements without a scenario; --model, --hardware, --tp, --weights and --kv say what ran
    #[arg(long, value_name = "FILE", group = "file", conflicts_with_all = ["scenario", "scenario_dir", "table"], requires_all = ["model", "hardware", "weights", "kv"])]
    measured: Option<PathBuf>,

    /// Results of `perfmodel bench` on the device --hardware (with fit); may be repeated, or files with commas
    #[arg(long, value_name = "RESULTS.json", group = "file", value_delimiter = ',', conflicts_with_all = ["scenario", "scenario_dir", "table"], requires = "hardware")]
    live: Vec<PathBuf>,

    /// CSV of measurements of many systems, one campaign; columns model, hardware, tensor_parallel, weight_precision and
    /// kv_precision say what each row ran on
    #[arg(long, value_name = "FILE", conflicts_with_all = ["scenario", "scenario_dir"])]
    table: Option<PathBuf>,

    /// Take only systems of --table whose name matches, such as '*_fp8_*'; may be repeated
    #[arg(long, value_name = "PATTERN", requires = "table")]
    only: Vec<String>,

    /// Leave out systems of --table whose name matches, such as 'mixtral*'; may be repeated
    #[arg(long, value_name = "PATTERN", requires = "table")]
    without: Vec<String>,

    /// Leave out systems of --table whose model or hardware is unknown here, instead of stopping
    #[arg(long, requires = "table")]
    skip_unknown: bool,

    /// How requests reached the engine (with --measured or --table): closed_loop, open_loop or static_batch
    /// [default: closed_loop]
    #[arg(long, value_name = "KIND", conflicts_with_all = ["scenario", "scenario_dir"])]
    load: Option<LoadKind>,

    /// Model id, one of its other names, or a Hugging Face config.json (with --measured, or with --live where a file has no
    /// sizes)
    #[arg(long, value_name = "ID", requires = "file")]
    model: Option<String>,

    /// Hardware id or one of its other names (with --measured or --live)
    #[arg(long, value_name = "ID", requires = "file")]
    hardware: Option<String>,

    #[command(flatten)]
    placement: PlacementArgs,
}

impl MeasuredArgs {
    /// What is asked for.
    pub fn request(&self) -> MeasuredRequest {
        MeasuredRequest {
            scenario: with_folders(&self.scenario, &self.scenario_dir),
            measured: self.measured.clone(),
            table: self.table.clone(),
            only: self.only.clone(),
            without: self.without.clone(),
            skip_unknown: self.skip_unknown,
            load: self.load,
            live: self.live.clone(),
            model: self.model.clone(),
            hardware: self.hardware.clone(),
            placement: self.placement.request(),
        }
    }
}

/// Names of scenarios, and folders as names that are no ids.
pub fn with_folders(names: &[String], folders: &[PathBuf]) -> Vec<String> {
    let folders = folders.iter().map(|folder| {
        let text = folder.display().to_string();
        if text.contains(['/', '\\']) { text } else { format!("{text}/") }
    });
    names.iter().cloned().chain(folders).collect()
}
