//! From `results.json` to rows that can be predicted.

use crate::bench::{DataType, Results, Variant};
use crate::error::{Error, Result};
use crate::evaluation::MetricErrors;
use crate::passes::{Kernels, LiveModel, LiveParameters, LiveRoofs, Timer};
use crate::spec::{Catalog, Hardware, ModelArchitecture, Precision};
use crate::units::{BytesPerSec, FlopsPerSec, Seconds};

/// What a row measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LiveMetric {
    /// Prefill of the prompt.
    Ttft,
    /// One decode step.
    Decode,
    /// An emitted token of PoE, without the prefill.
    PoeToken,
}

impl LiveMetric {
    /// Every metric.
    pub const ALL: [Self; 3] = [Self::Ttft, Self::Decode, Self::PoeToken];

    /// Name in files and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ttft => "TTFT",
            Self::Decode => "decode",
            Self::PoeToken => "token",
        }
    }
}

/// One measured row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LiveRow {
    /// Which variant.
    pub variant: Variant,
    /// What was measured.
    pub metric: LiveMetric,
    /// New tokens of a prefill, tokens in the cache of a decode step, and of PoE their mean over the generation.
    pub tokens: f64,
    /// Drafts of a PoE round; 0 otherwise.
    pub gamma: usize,
    /// Acceptance of PoE.
    pub acceptance: f64,
    /// Share of the rejections of PoE behind which all heads ran: the last one of a call needs no further token.
    pub refilled: f64,
    /// Median, or for PoE the mean time of a token.
    pub measured: Seconds,
}

impl LiveRow {
    /// What the analytic model says.
    pub fn predict(&self, timer: &Timer<'_>) -> Seconds {
        let model = timer.model;
        match (self.metric, self.variant) {
            (LiveMetric::Ttft, Variant::Baseline) => timer.pass(model.baseline_prefill(self.tokens)),
            (LiveMetric::Ttft, Variant::Hydra | Variant::Poe) => timer.pass(model.hydra_prefill(self.tokens)),
            (LiveMetric::Decode, Variant::Baseline) => timer.pass(model.baseline_decode(self.tokens)),
            (LiveMetric::Decode, Variant::Hydra | Variant::Poe) => timer.pass(model.hydra_decode(self.tokens)),
            (LiveMetric::PoeToken, _) => {
                timer.round(self.gamma, self.tokens).refilled(self.refilled).per_token(self.acceptance)
            }
        }
    }
}

/// A run prepared for prediction.
#[derive(Debug, Clone)]
pub struct LiveRun {
    /// Name: that of its file's folder.
    pub id: String,
    /// The model.
    pub model: LiveModel,
    /// Name of the model.
    pub model_name: String,
    /// Roofs of the device.
    pub roofs: LiveRoofs,
    /// What was measured.
    pub rows: Vec<LiveRow>,
    /// The file.
    pub results: Results,
}

impl LiveRun {
    /// Its passes at some parameters.
    pub fn timer(&self, parameters: LiveParameters) -> Timer<'_> {
        Timer { model: &self.model, roofs: self.roofs, parameters }
    }

    /// Mean number of tokens in the caches during a PoE generation.
    pub fn poe_context(&self) -> f64 {
        let metadata = &self.results.metadata;
        metadata.prompt_length.unwrap_or(0) as f64 + metadata.poe_max_new_tokens.unwrap_or(0) as f64 / 2.0
    }
}

/// Bandwidth of a device, and its arithmetic rate in the number format of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DevicePeaks {
    /// Bandwidth of the memory.
    pub bandwidth: BytesPerSec,
    /// Arithmetic rate.
    pub compute: FlopsPerSec,
}

impl DevicePeaks {
    /// Of a hardware file, for the number format of a run.
    ///
    /// # Errors
    /// The file has no peak for it.
    pub fn of(hardware: &Hardware, dtype: DataType) -> Result<Self> {
        let precision = match dtype {
            DataType::Float32 => Precision::Fp32,
            DataType::BFloat16 => Precision::Bf16,
            DataType::Float16 => Precision::Fp16,
        };
        Ok(Self { bandwidth: hardware.bandwidth, compute: hardware.peak(precision)? })
    }
}

/// Number format of a run.
///
/// # Errors
/// The run names none, or an unknown one.
pub fn data_type(results: &Results) -> Result<DataType> {
    results.metadata.dtype.as_deref().ok_or_else(|| lacks("dtype"))?.parse()
}

fn lacks(key: &str) -> Error {
    Error::input(format!("the metadata lack `{key}`")).help("add it to the file; the benchmark writes it")
}

/// Prepares a run on a device. Without sizes in the file (the original's have none) the model is that of its `size`, unless one is
/// given.
///
/// # Errors
/// The model is unknown, or the file lacks what a prediction needs.
pub fn live_run(
    id: &str,
    results: Results,
    peaks: DevicePeaks,
    model: Option<&ModelArchitecture>,
    catalog: &Catalog,
) -> Result<LiveRun> {
    let metadata = &results.metadata;
    let dtype = data_type(&results)?;
    let on_cpu = metadata.device.as_deref() == Some("cpu");
    let roofs = LiveRoofs {
        bandwidth: peaks.bandwidth,
        compute: peaks.compute,
        kernels: if on_cpu { Kernels::Cpu } else { Kernels::Gpu },
    };
    // The baseline alone has no heads.
    let (heads, depth) = if results.hydra_naive.is_some() || results.hydra_poe.is_some() {
        let heads = metadata.n_heads.ok_or_else(|| lacks("n_heads"))?;
        (heads, metadata.heads_depth.ok_or_else(|| lacks("heads_depth"))?)
    } else {
        (1, 1)
    };
    let small = |count: u64| {
        u32::try_from(count).map_err(|_| Error::input(format!("{count} heads or layers")).help("mend the metadata"))
    };
    let (heads, depth) = (small(heads)?, small(depth)?);
    let bytes = dtype.bytes() as f64;
    let size = metadata.size.clone().unwrap_or_else(|| "?".to_owned());
    let live_model = match (model, metadata.dims) {
        (Some(model), _) => LiveModel::new(model, heads, depth, bytes)?,
        (None, Some(dims)) => {
            let model = LiveModel {
                hidden: dims.hidden_size as f64,
                ffn: dims.intermediate_size as f64,
                query_width: dims.query_heads as f64 * dims.head_dim as f64,
                kv_width: dims.kv_heads as f64 * dims.head_dim as f64,
                layers: dims.layers as f64,
                vocabulary: dims.vocab_size as f64,
                heads: f64::from(heads),
                depth: f64::from(depth),
                bytes,
            };
            model.check()?;
            model
        }
        (None, None) => {
            let known = match size.as_str() {
                "1b" => "olmo2_1b",
                "7b" => "olmo2_7b",
                other => other,
            };
            LiveModel::new(&catalog.model(known)?, heads, depth, bytes)?
        }
    };
    let prompt = metadata.prompt_length.ok_or_else(|| lacks("prompt_length"))? as f64;
    let mut run = LiveRun { id: id.to_owned(), model: live_model, model_name: size, roofs, rows: Vec::new(), results };
    run.rows = rows(&run, prompt);
    if run.rows.is_empty() {
        return Err(Error::input("no row can be predicted").help("give a run with TTFT or decode steps"));
    }
    Ok(run)
}

fn rows(run: &LiveRun, prompt: f64) -> Vec<LiveRow> {
    let results = &run.results;
    let mut rows = Vec::new();
    let mut add = |variant, metric, tokens, ms: f64| {
        if ms > 0.0 {
            let measured = Seconds::from_ms(ms);
            rows.push(LiveRow { variant, metric, tokens, gamma: 0, acceptance: 0.0, refilled: 1.0, measured });
        }
    };
    for variant in Variant::ALL {
        if let Some(ttft) = results.ttft(variant) {
            add(variant, LiveMetric::Ttft, prompt, ttft.median_ms);
        }
        for point in results.decode(variant) {
            add(variant, LiveMetric::Decode, point.position as f64, point.timing.median_ms);
        }
    }
    let ttft = results.ttft(Variant::Poe).map(|timing| timing.median_ms);
    for generation in results.gammas() {
        let own = generation.counts.as_ref().and_then(|counts| counts.ms_per_token);
        // The original's files count accepted tokens; emitted ones are more by those replaced.
        let emitted = generation.avg_accepted_tokens_per_call / generation.acceptance();
        let derived = ttft.map(|ttft| (generation.timing.mean_ms - ttft) / emitted);
        if let Some(ms) = own.or(derived).filter(|ms| ms.is_finite() && *ms > 0.0) {
            rows.push(LiveRow {
                variant: Variant::Poe,
                metric: LiveMetric::PoeToken,
                tokens: run.poe_context(),
                gamma: generation.gamma as usize,
                acceptance: generation.acceptance(),
                refilled: generation.refilled(),
                measured: Seconds::from_ms(ms),
            });
        }
    }
    rows
}

/// Errors of the rows of a kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KindErrors {
    /// Which variant.
    pub variant: Variant,
    /// Which metric.
    pub metric: LiveMetric,
    /// Rows.
    pub rows: usize,
    /// Their errors in ms and percent.
    pub errors: MetricErrors,
}
