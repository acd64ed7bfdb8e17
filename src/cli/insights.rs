//! `perfmodel insights`: what attention variants cost and buy, from a table of runs, a sweep over batches, or a model.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use super::Format;
use super::json::json_line;
use super::page_args::PageArgs;
use super::terminal::{print, remarks};
use crate::app::{self, InsightsAnswer, InsightsRequest, Numbers};
use crate::error::Result;
use crate::insights::{Rule, VariantKind};
use crate::report::text::insights::text;
use crate::report::write_insights;
use crate::spec::{Catalog, Precision};

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

    /// Model id, one of its other names, or a Hugging Face config.json [default: the architecture of most runs of the CSV]
    #[arg(long, value_name = "ID", requires = "hardware")]
    model: Option<String>,

    /// Architecture of the CSV instead of that of most runs, as WIDTHxLAYERS or WIDTHxLAYERSxHEADSxCONTEXT (512x16)
    #[arg(long, value_name = "SIZES", conflicts_with = "model", requires_all = ["hardware", "csv"])]
    architecture: Option<String>,

    /// Hardware ids: what each of these devices serves with each variant
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    hardware: Vec<String>,

    /// Attention variants, such as mha,gqa-8,mqa,mla-512+64, latent ones also with the rank of their queries, mla-512+64/q1536
    /// [default: MHA, GQA, MQA and MLA in sizes that suit the model]
    #[arg(long, value_name = "LIST", value_delimiter = ',', requires = "hardware")]
    variants: Vec<VariantKind>,

    /// Contexts of all sequences in tokens; figures show the first [default: 4096, or that of the model if shorter]
    #[arg(long, value_name = "LIST", requires = "hardware")]
    context: Option<Numbers>,

    /// Tensor-parallel degree [default: 1]
    #[arg(long, value_name = "N", requires = "hardware")]
    tp: Option<u32>,

    /// Precision of the weights [default: as the model is published if that is 16 bit or narrower, else bf16]
    #[arg(long, value_name = "PRECISION", requires = "hardware")]
    weights: Option<Precision>,

    /// Precision in which linear layers compute, for weight-only quantisation [default: that of the weights; without --weights 16 bit
    /// where the device has no peak for it]
    #[arg(long, value_name = "PRECISION", requires = "hardware")]
    compute: Option<Precision>,

    /// Precision of the KV cache [default: fp16 for fp16 weights, bf16 for all others]
    #[arg(long, value_name = "PRECISION", requires = "hardware")]
    kv: Option<Precision>,

    /// Fewest tokens/s that each sequence must make: limits the batch
    #[arg(long, value_name = "TPS", allow_negative_numbers = true, requires = "hardware")]
    min_tps_per_seq: Option<f64>,

    /// Share of peak bandwidth that is reached
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true, default_value_t = InsightsRequest::default().bandwidth_share, requires = "hardware")]
    bandwidth_share: f64,

    /// Share of peak arithmetic that is reached
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true, default_value_t = InsightsRequest::default().compute_share, requires = "hardware")]
    compute_share: f64,

    /// Fixed cost of a step in µs
    #[arg(long, value_name = "US", allow_negative_numbers = true, default_value_t = InsightsRequest::default().overhead_us, requires = "hardware")]
    overhead_us: f64,

    /// Share of device memory that the engine takes
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true, default_value_t = InsightsRequest::default().memory_share, requires = "hardware")]
    memory_share: f64,

    /// GB of that on each device that neither weights nor caches get
    #[arg(long, value_name = "GB", allow_negative_numbers = true, default_value_t = InsightsRequest::default().reserve_gb, requires = "hardware")]
    reserve_gb: f64,

    /// Logarithmic axis of caches
    #[arg(long, requires = "plot")]
    log: bool,

    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,

    #[command(flatten)]
    page: PageArgs,
}

impl InsightsArgs {
    fn request(&self) -> InsightsRequest {
        InsightsRequest {
            csv: self.csv.clone(),
            original: self.original,
            model: self.model.clone(),
            architecture: self.architecture.clone(),
            hardware: self.hardware.clone(),
            variants: self.variants.clone(),
            context: self.context.clone().unwrap_or_default(),
            tp: self.tp,
            weights: self.weights,
            compute: self.compute,
            kv: self.kv,
            min_tps_per_seq: self.min_tps_per_seq,
            bandwidth_share: self.bandwidth_share,
            compute_share: self.compute_share,
            overhead_us: self.overhead_us,
            memory_share: self.memory_share,
            reserve_gb: self.reserve_gb,
        }
    }
}

/// Runs the command.
pub fn run(catalog: &Catalog, args: &InsightsArgs) -> Result<()> {
    args.page.check()?;
    let mut answer = app::insights(catalog, &args.request())?;
    remarks(&answer.remarks);
    answer.files =
        args.page.write("insights", &id(&answer), |folder, png| write_insights(&answer, args.log, folder, png))?;
    match args.format {
        Format::Json => print(&json_line(&answer)?),
        Format::Table => print(&text(&answer)),
    }
}

/// A folder's name for the page.
fn id(answer: &InsightsAnswer) -> String {
    let study = &answer.study;
    let source = study.source.as_ref().map(|name| name.trim_end_matches(".csv").to_owned());
    let own = source.or_else(|| study.serving.first().map(|study| study.model_id.clone()));
    let mut parts: Vec<String> = own.into_iter().collect();
    parts.extend(study.serving.iter().map(|study| study.hardware.id.clone()));
    if study.table.as_ref().is_some_and(|study| study.rule == Rule::Original) {
        parts.push("original".to_owned());
    }
    let name = parts.join("_");
    // A file that is called `.csv` leaves nothing, `..csv` a dot.
    if name.trim_matches('.').is_empty() { "table".to_owned() } else { name }
}
