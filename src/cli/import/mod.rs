//! `perfmodel import`: result files of measuring tools become a scenario, or rows of one.

mod machine;
mod scenario;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use self::machine::output;
use self::scenario::{Placed, Staged, place, stage};
use super::Format;
use super::json::json_line;
use super::names;
use super::terminal::print;
use crate::app::shell_word;
use crate::error::{Error, Result, named};
use crate::import::{Imported, OfSystem, Rows, Tool, Wanted, mixed, of_system, read, rows};
use crate::number::{counted, number, number_or_dash};
use crate::report::text::{caution_lines, report_table, written_lines};
use crate::report::{OutputFolder, ReportTable};
use crate::spec::{Catalog, Kind, Precision, Statistic};
use crate::workload::LoadKind;

/// Arguments of `import`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    perfmodel import results/                                                what is there, and what it means\n  \
    perfmodel import results/ --model llama31_8b --hardware h100_sxm_80gb --weights fp8 --out tested_benchmarks/my_server\n  \
    perfmodel import more.json --model llama31_8b --hardware h100_sxm_80gb --weights fp8 --out tested_benchmarks/my_server\n  \
    perfmodel import profile_export_genai_perf.csv --as genai-perf --clients 16\n  \
    perfmodel fit --scenario-dir tested_benchmarks/my_server\n\n\
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

/// Runs the command.
pub fn run(catalog: &Catalog, args: &ImportArgs) -> Result<()> {
    let mut imported = read_all(&args.paths, args.tool.0)?;
    let wanted = Wanted {
        model: args.model.as_deref(),
        hardware: args.hardware.as_deref(),
        tensor_parallel: args.tp,
        weights: args.weights,
        kv: args.kv,
        engine: args.engine.as_deref(),
    };
    args.model.iter().for_each(|name| names::remark_on(catalog, Kind::Model, name));
    args.hardware.iter().for_each(|name| names::remark_on(catalog, Kind::Hardware, name));
    let OfSystem { points, left_out, taken } = of_system(catalog, &imported.points, wanted)?;
    imported.points = points;
    imported.warnings.extend(taken);
    let mut rows = rows(&imported.points, args.load, args.statistic, args.clients.map(f64::from))?;
    rows.left_out.extend(left_out);
    let mixed = mixed(catalog, &imported.points);
    let (placed, files, next) = match &args.out {
        Some(folder) => {
            if let Some((flag, what)) = mixed.first() {
                return Err(Error::input(what).help(format!(
                    "choose with {flag}, and import each into a folder of its own; a scenario is of one system"
                )));
            }
            let mut placed = place(catalog, args, &imported, &rows)?;
            let mut output = OutputFolder::create(folder)?;
            // Rows are added to those that are there, so nobody else may add some meanwhile.
            output.hold();
            let staged = stage(&mut output, folder, &placed, &rows)?;
            let there = staged.there;
            if there > 0 {
                placed.assumed.push(match there {
                    1 => "a row is there already and is not added again".to_owned(),
                    several => format!("{several} rows are there already and are not added again"),
                });
            }
            let next = next(folder, &placed, &staged);
            (Some(placed), output.commit()?, next)
        }
        None => (None, Vec::new(), String::new()),
    };
    imported.warnings.extend(mixed.into_iter().map(|(_, what)| what));
    match args.format {
        Format::Json => print(&json_line(&output(&imported, &rows, placed.as_ref(), files))?),
        Format::Table => print(&(text(&imported, &rows, placed.as_ref(), &files) + &next)),
    }
}

fn read_all(paths: &[PathBuf], tool: Option<Tool>) -> Result<Imported> {
    let mut all: Option<Imported> = None;
    for path in paths {
        let read = read(path, tool)?;
        all = Some(match all {
            Some(earlier) => earlier.with(read),
            None => read,
        });
    }
    all.ok_or_else(|| Error::input("no path is given").help("give a result file, or a folder of them"))
}

/// The command that comes next: a fit, where there are rows enough.
fn next(folder: &Path, placed: &Placed, staged: &Staged) -> String {
    let (folder, rows, needed) = (shell_word(folder), staged.rows, placed.parameters);
    if rows >= needed {
        return format!("\nthen: perfmodel fit --scenario-dir {folder}\n");
    }
    format!(
        "\nthen: perfmodel evaluate --scenario-dir {folder} --uncalibrated\n{} there: too few to fit {needed} parameters; import more of \
         them, or hold parameters (`perfmodel fit --scenario-dir {folder}` says which)\n",
        match rows {
            1 => "1 row is".to_owned(),
            several => format!("{several} rows are"),
        }
    )
}

/// Everything to beware of.
fn cautions(imported: &Imported, rows: &Rows, placed: Option<&Placed>) -> Vec<String> {
    let unknown = imported.unknown.iter().map(|path| format!("{}: no result of a tool that is known", path.display()));
    let left_out = rows.left_out.iter().map(|why| format!("left out, {why}"));
    let assumed = placed.into_iter().flat_map(|placed| placed.assumed.clone());
    imported
        .warnings
        .iter()
        .cloned()
        .chain(rows.warnings.clone())
        .chain(left_out)
        .chain(unknown)
        .chain(assumed)
        .collect()
}

fn text(imported: &Imported, rows: &Rows, placed: Option<&Placed>, files: &[PathBuf]) -> String {
    let tools: Vec<&str> = imported.tools.iter().map(|tool| tool.title()).collect();
    let mut text =
        format!("{}: {} of {} latencies\n\n", tools.join(", "), counted(rows.rows.len(), "row"), rows.statistic.name());
    text += &report_table(rows_table(rows), 0..6);
    text += "\nConverted:\n";
    for conversion in imported.conversions(rows.load) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {conversion}");
    }
    text += &caution_lines(&cautions(imported, rows, placed));
    if !files.is_empty() {
        text.push('\n');
        text += &written_lines(files);
    }
    text
}

fn rows_table(rows: &Rows) -> ReportTable {
    let header = ["input", "output", rows.load.axis(), "TTFT ms", "ITL ms", "tokens/s"];
    let cells = rows.rows.iter().map(|row| {
        vec![
            number(row.workload.input_tokens()),
            number(row.workload.output_tokens()),
            number(row.workload.load()),
            number(row.ttft_ms),
            number(row.itl_ms),
            number_or_dash(row.throughput),
        ]
    });
    ReportTable { header: header.iter().map(|name| (*name).to_owned()).collect(), rows: cells.collect() }
}
