//! Flags of the question what devices serve with each variant.

use clap::Args;

use crate::app::Numbers;
use crate::app::{computed_wider, served_precision};
use crate::cli::names;
use crate::error::{Error, Result};
use crate::insights::serving::ServingRates;
use crate::insights::slice::Slice;
use crate::insights::study::{ServingQuestion, ServingStudy};
use crate::insights::variant::{architecture, default_kinds, kinds_of_runs};
use crate::insights::{BenchmarkTable, VariantKind};
use crate::spec::{Catalog, Deployment, Formats, Hardware, ModelArchitecture, Precision};
use crate::units::{Bytes, Seconds};

/// Context unless given, in tokens; that of the model if it is shorter.
const CONTEXT: f64 = 4096.0;

/// What is to be served, on what, at which rates.
#[derive(Debug, Args)]
pub struct ServingArgs {
    /// Model id, one of its other names, or a Hugging Face config.json [default: the architecture of most runs of the CSV]
    #[arg(long, value_name = "ID", requires = "hardware")]
    model: Option<String>,

    /// Architecture of the CSV instead of that of most runs, as WIDTHxLAYERS or WIDTHxLAYERSxHEADSxCONTEXT (512x16)
    #[arg(long, value_name = "SIZES", value_parser = sizes, conflicts_with = "model", requires_all = ["hardware", "csv"])]
    architecture: Option<Sizes>,

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

    /// Tensor-parallel degree
    #[arg(long, value_name = "N", default_value_t = 1, requires = "hardware", value_parser = clap::value_parser!(u32).range(1..=1024))]
    tp: u32,

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
    #[arg(long, value_name = "TPS", value_parser = positive, requires = "hardware")]
    min_tps_per_seq: Option<f64>,

    /// Share of peak bandwidth that is reached
    #[arg(long, value_name = "SHARE", default_value_t = ServingRates::default().memory, value_parser = share, requires = "hardware")]
    bandwidth_share: f64,

    /// Share of peak arithmetic that is reached
    #[arg(long, value_name = "SHARE", default_value_t = ServingRates::default().compute, value_parser = share, requires = "hardware")]
    compute_share: f64,

    /// Fixed cost of a step in µs
    #[arg(long, value_name = "US", default_value_t = (ServingRates::default().overhead.get() * 1e6).round(), value_parser = not_negative, requires = "hardware")]
    overhead_us: f64,

    /// Share of device memory that the engine takes
    #[arg(long, value_name = "SHARE", default_value_t = ServingRates::default().usable, value_parser = share, requires = "hardware")]
    memory_share: f64,

    /// GB of that on each device that neither weights nor caches get
    #[arg(long, value_name = "GB", default_value_t = ServingRates::default().reserve.get() / 1e9, value_parser = not_negative, requires = "hardware")]
    reserve_gb: f64,
}

/// The first sizes of an architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sizes(Vec<u32>);

fn sizes(text: &str) -> std::result::Result<Sizes, String> {
    let sizes: Option<Vec<u32>> = text.split('x').map(|size| size.parse().ok().filter(|size| *size > 0)).collect();
    sizes
        .filter(|sizes| (2..=4).contains(&sizes.len()))
        .map(Sizes)
        .ok_or_else(|| "write WIDTHxLAYERS, such as 512x16, or WIDTHxLAYERSxHEADSxCONTEXT".to_owned())
}

fn number(text: &str, holds: impl Fn(f64) -> bool, wanted: &str) -> std::result::Result<f64, String> {
    text.parse::<f64>().ok().filter(|number| number.is_finite() && holds(*number)).ok_or_else(|| wanted.to_owned())
}

fn positive(text: &str) -> std::result::Result<f64, String> {
    number(text, |number| number > 0.0, "give a number above 0")
}

fn not_negative(text: &str) -> std::result::Result<f64, String> {
    number(text, |number| number >= 0.0, "give a number, 0 or more")
}

fn share(text: &str) -> std::result::Result<f64, String> {
    number(text, |number| number > 0.0 && number <= 1.0, "a share lies above 0 and up to 1")
}

impl ServingArgs {
    /// A study for each device; none where no device is named.
    ///
    /// # Errors
    /// A name that is not known, or a system that cannot be.
    pub fn studies(&self, catalog: &Catalog, table: Option<&BenchmarkTable>) -> Result<Vec<ServingStudy>> {
        if self.hardware.is_empty() {
            return Ok(Vec::new());
        }
        let (model, found) = self.model(catalog, table)?;
        let mut kinds: Vec<VariantKind> = Vec::new();
        for kind in if self.variants.is_empty() { &found } else { &self.variants } {
            let kind = kind.simplest(&model);
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        let contexts = self.contexts(&model)?;
        let weights = served_precision(&model, self.weights)?;
        let deployment = |hardware: &Hardware| {
            let stored_only = computed_wider(hardware, weights).filter(|_| self.weights.is_none());
            let own = Formats::of_weights(weights);
            let formats = Formats { compute: self.compute.or(stored_only), kv: self.kv.unwrap_or(own.kv), ..own };
            Deployment::new(self.tp, weights).map(|deployment| Deployment { formats, ..deployment })
        };
        let rates = ServingRates {
            memory: self.bandwidth_share,
            compute: self.compute_share,
            overhead: Seconds::from_us(self.overhead_us),
            usable: self.memory_share,
            reserve: Bytes::new(1e9 * self.reserve_gb),
        };
        let mut devices: Vec<Hardware> = Vec::new();
        for name in &self.hardware {
            let hardware = names::hardware(catalog, name)?;
            if devices.iter().all(|known| known.id != hardware.id) {
                devices.push(hardware);
            }
        }
        let study = |hardware: &Hardware| {
            ServingStudy::run(&ServingQuestion {
                hardware,
                model: &model,
                kinds: &kinds,
                deployment: &deployment(hardware)?,
                contexts: &contexts,
                slowest: self.min_tps_per_seq,
                rates,
            })
        };
        devices.iter().map(study).collect()
    }

    /// The model with the variants that suit it: the one that is named, or the architecture of most dense runs.
    fn model(
        &self,
        catalog: &Catalog,
        table: Option<&BenchmarkTable>,
    ) -> Result<(ModelArchitecture, Vec<VariantKind>)> {
        if let Some(name) = &self.model {
            let model = names::model_or_config(catalog, name)?;
            let kinds = default_kinds(&model);
            return Ok((model, kinds));
        }
        let nameless = |message: &str| Error::input(message).help("name a model with --model");
        let table = table.ok_or_else(|| nameless("a sweep over batches does not tell the sizes of a model"))?;
        let slices = Slice::all(table.runs.iter().filter(|run| run.is_dense()));
        let first = slices.first();
        let first = first.ok_or_else(|| nameless("no dense run tells num_blocks, dim, n_heads and max_context"))?;
        let (slice, runs) = match &self.architecture {
            None => first,
            Some(Sizes(wanted)) => slices
                .iter()
                .find(|(slice, _)| {
                    let own = [slice.dim, slice.layers, slice.heads, slice.context];
                    own.iter().zip(wanted).all(|(own, wanted)| own == wanted)
                })
                .ok_or_else(|| {
                    let known: Vec<String> =
                        slices.iter().map(|(slice, _)| format!("{}x{}", slice.dim, slice.layers)).collect();
                    let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
                    Error::input(format!("no dense run has the architecture {}", wanted.join("x")))
                        .help(format!("there are {}", known.join(", ")))
                })?,
        };
        Ok((architecture(slice, runs)?, kinds_of_runs(slice, runs)))
    }

    fn contexts(&self, model: &ModelArchitecture) -> Result<Vec<f64>> {
        let contexts = match &self.context {
            Some(contexts) => contexts.values().to_vec(),
            None => vec![CONTEXT.min(f64::from(model.max_context_tokens))],
        };
        match contexts.iter().find(|tokens| !(1.0..=1e9).contains(*tokens)) {
            Some(tokens) => {
                Err(Error::input(format!("--context is {tokens}")).help("give numbers of tokens from 1 to 1e9"))
            }
            None => Ok(contexts),
        }
    }
}
