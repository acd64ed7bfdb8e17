//! `perfmodel insights`: what attention variants cost and buy, from a table of runs, a sweep over batches, or a model.

mod machine;
mod machine_serving;
mod serving;
mod text;

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use self::machine::json;
use self::serving::ServingArgs;
use self::text::report_text;
use super::Format;
use super::page_args::PageArgs;
use super::terminal::print;
use crate::error::{Error, Result};
use crate::insights::csv_table::CsvTable;
use crate::insights::study::TableStudy;
use crate::insights::{BenchmarkTable, Rule, SweepTable};
use crate::report::text::written_lines;
use crate::report::{InsightsReport, write_insights};
use crate::spec::Catalog;

/// Arguments of `insights`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("asked").args(["csv", "model"]).required(true).multiple(true)))]
#[command(after_help = "Examples:\n  \
    perfmodel insights benchmark_results.csv                            loss, cache and speed of a training sweep\n  \
    perfmodel insights benchmark_results.csv --plot --png               with a page and pictures\n  \
    perfmodel insights benchmark_results.csv --original                 as the figures were first published\n  \
    perfmodel insights benchmark_results.csv --hardware l4_24gb         what a device serves with its main architecture\n  \
    perfmodel insights benchmark_results.csv --hardware l4_24gb --architecture 512x16\n  \
    perfmodel insights inference_sweep.csv                              how steps grow with the batch\n  \
    perfmodel insights --model llama31_8b --hardware h100_sxm_80gb --context 4096,32768\n  \
    perfmodel insights --model llama31_8b --hardware h100_sxm_80gb,l4_24gb --variants mha,gqa-8,mla-512+64 --min-tps-per-seq 20\n\n\
    A CSV holds a row for each trained model (columns type, moe, params_m, theoretical_cache_mb, val_loss, tps_512, down_dim_kv; \
    also run, num_blocks, dim, n_heads, kv_heads, max_context, rope_dim, tokenizer), or a row for each batch (label, attn_type, \
    batch_size, max_context, decode_step_ms_p50; also kv_cache_mb, dtype, use_cache, oom).")]
pub struct InsightsArgs {
    /// Table of runs, or sweep over batches
    #[arg(value_name = "CSV")]
    csv: Option<PathBuf>,

    /// The three figures as they were first published, mistakes included, to compare numbers with
    #[arg(long, requires = "csv")]
    original: bool,

    #[command(flatten)]
    serving: ServingArgs,

    /// Logarithmic axis of caches
    #[arg(long, requires = "plot")]
    log: bool,

    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,

    #[command(flatten)]
    page: PageArgs,
}

/// Runs the command.
pub fn run(catalog: &Catalog, args: &InsightsArgs) -> Result<()> {
    args.page.check()?;
    let rule = if args.original { Rule::Original } else { Rule::Right };
    let mut report = InsightsReport { source: None, table: None, sweep: None, serving: Vec::new() };
    if let Some(path) = &args.csv {
        report.source = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let table = CsvTable::open(path)?;
        if SweepTable::is_one(&table) {
            if args.original {
                return Err(Error::input("--original needs a table of runs; this is a sweep over batches")
                    .at(path)
                    .help("leave it out"));
            }
            report.sweep = Some(SweepTable::read(table)?);
        } else {
            report.table = Some(TableStudy::new(BenchmarkTable::read(table)?, rule));
        }
    }
    report.serving = args.serving.studies(catalog, report.table.as_ref().map(|study| &study.table))?;
    let files =
        args.page.write("insights", &id(&report), |folder, png| write_insights(&report, args.log, folder, png))?;
    match args.format {
        Format::Json => print(&json(&report, files)?),
        Format::Table => print(&(report_text(&report) + &written_lines(&files))),
    }
}

/// A folder's name for the page.
fn id(report: &InsightsReport) -> String {
    let source = report.source.as_ref().map(|name| name.trim_end_matches(".csv").to_owned());
    let own = source.or_else(|| report.serving.first().map(|study| study.model_id.clone()));
    let mut parts: Vec<String> = own.into_iter().collect();
    parts.extend(report.serving.iter().map(|study| study.hardware.id.clone()));
    if report.table.as_ref().is_some_and(|study| study.rule == Rule::Original) {
        parts.push("original".to_owned());
    }
    let name = parts.join("_");
    // A file that is called `.csv` leaves nothing, `..csv` a dot.
    if name.trim_matches('.').is_empty() { "table".to_owned() } else { name }
}
