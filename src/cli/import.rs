//! `perfmodel import`: result files of measuring tools become a scenario, or rows of one.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Format;
use super::json::json_line;
use super::terminal::{print, remarks, renamed};
use crate::app::import::{MEASURED_FILE, SCENARIO_FILE, ScenarioTexts, place};
use crate::app::{self, ImportAnswer, ImportRequest};
use crate::error::{Result, named};
use crate::import::Tool;
use crate::report::OutputFolder;
use crate::report::text::import::text;
use crate::spec::{Catalog, Precision, Statistic};
use crate::workload::LoadKind;

/// Arguments of `import`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    perfmodel import results/                                                what is there, and what it means\n  \
    perfmodel import results/ --model llama31_8b --hardware h100_sxm_80gb --weights fp8 --out tested_benchmarks/my_server\n  \
    perfmodel import more.json --model llama31_8b --hardware h100_sxm_80gb --weights fp8 --out tested_benchmarks/my_server\n  \
    perfmodel import profile_export_genai_perf.csv --as genai-perf --concurrency 16\n  \
    perfmodel fit --scenario tested_benchmarks/my_server\n\n\
    Reads AIPerf and GenAI-Perf (JSON, CSV), vLLM bench serve and SGLang bench_serving (JSON, JSON lines), GuideLLM (JSON, CSV), \
    inference-perf (stages), LLMeter (runs, load tests) and InferenceMAX; files or folders of them, also .gz and .zst. \
    Without --out nothing is written. A folder that holds a scenario of the same system gets more rows. Runs that repeat a load are \
    averaged. Where files are of several systems, --model, --hardware, --tp, --weights, --kv and --engine choose one.")]
pub struct ImportArgs {
    /// Result files, or folders of them
    #[arg(value_name = "FILE|DIR", required = true)]
    paths: Vec<PathBuf>,

    /// The tool that wrote them: aiperf, genai-perf, vllm, sglang, guidellm, inference-perf, llmeter, inferencemax, or auto
    #[arg(long = "as", value_name = "TOOL", default_value = "auto", value_parser = tool)]
    tool: WantedTool,

    /// Model id or one of its other names; loads whose files say another are left out [default: as the files say]
    #[arg(long, value_name = "ID")]
    model: Option<String>,

    /// Hardware id or one of its other names; loads whose files say another are left out [default: as the files say]
    #[arg(long, value_name = "ID")]
    hardware: Option<String>,

    /// Tensor-parallel degree; loads whose files say another are left out [default: as the files say, else as the scenario in
    /// --out says, else 1]
    #[arg(long, value_name = "N")]
    tp: Option<u32>,

    /// Precision of the weights; loads whose files say another are left out [default: as the files say, else as the scenario
    /// in --out says, else as the model is published]
    #[arg(long, value_name = "PRECISION")]
    weights: Option<Precision>,

    /// Precision of the KV cache; loads whose files say another are left out [default: as the files say, else as the scenario
    /// in --out says, else fp16 for fp16 weights and bf16 for all others]
    #[arg(long, value_name = "PRECISION")]
    kv: Option<Precision>,

    /// Serving engine; where the files name several, loads of the others are left out [default: as the files say]
    #[arg(long, value_name = "NAME")]
    engine: Option<String>,

    /// Clients, where the files do not tell them
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000_000))]
    concurrency: Option<u32>,

    /// The old name of --concurrency
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000_000), hide = true,
        conflicts_with = "concurrency")]
    clients: Option<u32>,

    /// Loads to take: closed_loop (clients) or open_loop (requests a second) [default: that of most]
    #[arg(long, value_name = "KIND", value_parser = load)]
    load: Option<LoadKind>,

    /// Latencies to take: mean or median [default: mean, where all have one]
    #[arg(long, value_name = "STATISTIC", value_parser = statistic)]
    statistic: Option<Statistic>,

    /// Scenario folder to write, or to add rows to
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// A tool, or whichever it is.
#[derive(Debug, Clone, Copy)]
struct WantedTool(Option<Tool>);

fn tool(text: &str) -> Result<WantedTool> {
    if text.eq_ignore_ascii_case("auto") {
        Ok(WantedTool(None))
    } else {
        text.parse().map(|tool| WantedTool(Some(tool)))
    }
}

fn load(text: &str) -> Result<LoadKind> {
    let all = [LoadKind::ClosedLoop, LoadKind::OpenLoop];
    named(&all, LoadKind::name, text, "unknown load")
}

fn statistic(text: &str) -> Result<Statistic> {
    named(&[Statistic::Mean, Statistic::Median], Statistic::name, text, "unknown statistic")
}

impl ImportArgs {
    fn request(&self) -> ImportRequest {
        ImportRequest {
            paths: self.paths.clone(),
            tool: self.tool.0,
            model: self.model.clone(),
            hardware: self.hardware.clone(),
            tp: self.tp,
            weights: self.weights,
            kv: self.kv,
            engine: self.engine.clone(),
            concurrency: renamed(self.concurrency, "--concurrency", self.clients, "--clients"),
            load: self.load,
            statistic: self.statistic,
            retrieved: Some(chrono::Local::now().format("%Y-%m-%d").to_string()),
        }
    }
}

/// Runs the command.
pub fn run(catalog: &Catalog, args: &ImportArgs) -> Result<()> {
    let request = args.request();
    let mut answer = app::import(catalog, &request)?;
    remarks(&answer.remarks);
    if let Some(folder) = &args.out {
        answer = write(catalog, &request, answer, folder)?;
    }
    match args.format {
        Format::Json => print(&json_line(&answer)?),
        Format::Table => print(&text(&answer, args.out.as_deref())),
    }
}

/// Writes a scenario, or adds rows to the one that is there.
fn write(catalog: &Catalog, request: &ImportRequest, answer: ImportAnswer, folder: &Path) -> Result<ImportAnswer> {
    let placed = || place(catalog, request, &answer.study, ScenarioTexts::read(folder)?.as_ref());
    // What cannot be placed leaves no folder behind.
    placed()?;
    let mut output = OutputFolder::create(folder)?;
    // Rows are added to those that are there, so nobody else may add some meanwhile.
    output.hold();
    let placed = placed()?;
    if placed.is_changed {
        output.stage(SCENARIO_FILE, placed.scenario_toml.as_bytes())?;
        output.stage(MEASURED_FILE, placed.measured_csv.as_bytes())?;
    }
    let mut answer = answer.with(placed);
    answer.files = output.commit()?;
    Ok(answer)
}
