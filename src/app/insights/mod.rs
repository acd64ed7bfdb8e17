//! `insights`: what attention variants cost and buy, from a table of training runs, a sweep over batches, or a model.

mod answer;
mod served;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use answer::{
    ArchitectureAnswer, DialAnswer, DialPointAnswer, EqualCacheAnswer, FrontRunAnswer, InsightsTableAnswer,
    MissingAnswer, PanelAnswer, QuartilesAnswer, RatioAnswer, ReferenceAnswer, SliceAnswer, SpeedAnswer, SpreadAnswer,
    TotalAnswer,
};
pub use served::{
    BatchLineAnswer, BatchSeriesAnswer, BatchStepAnswer, BatchSweepAnswer, VariantCurveAnswer, VariantPointAnswer,
    VariantsAnswer,
};

use super::numbers::Numbers;
use super::remarks::Remarks;
use super::system::PlacementRequest;
use crate::error::{Error, Result};
use crate::insights::csv_table::CsvTable;
use crate::insights::slice::Slice;
use crate::insights::study::{InsightsStudy, ServingQuestion, ServingStudy, TableStudy};
use crate::insights::variant::{architecture, default_kinds, kinds_of_runs};
use crate::insights::{BenchmarkTable, Rule, ServingRates, SweepTable, VariantKind};
use crate::spec::{Catalog, Hardware, Kind, ModelArchitecture, Precision};
use crate::units::{Bytes, Seconds};

/// Context unless given, in tokens; that of the model if it is shorter.
const CONTEXT: f64 = 4096.0;

/// What is read, and what is to be served on which devices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct InsightsRequest {
    /// Table of training runs, or sweep over batches (CSV).
    pub csv: Option<PathBuf>,
    /// The figures of a table as they were first published, mistakes included, to compare numbers with.
    pub original: bool,
    /// Model id, one of its other names, or a Hugging Face config.json; none: the architecture of most runs of the table.
    pub model: Option<String>,
    /// Architecture of the table instead of that of most runs, as `WIDTHxLAYERS` or `WIDTHxLAYERSxHEADSxCONTEXT`.
    pub architecture: Option<String>,
    /// Hardware ids: what each of these devices serves with each variant.
    pub hardware: Vec<String>,
    /// Attention variants, such as `gqa-8` or `mla-512+64`; none: MHA, GQA, MQA and MLA in sizes that suit the model.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub variants: Vec<VariantKind>,
    /// Contexts of all sequences in tokens; none: 4096, or that of the model if it is shorter.
    pub context: Numbers,
    /// Tensor-parallel degree; 1 by default.
    pub tp: Option<u32>,
    /// Format of the weights; as the model is published if that is 16 bit or narrower, else bf16.
    pub weights: Option<Precision>,
    /// Format in which linear layers compute, for weight-only quantisation.
    pub compute: Option<Precision>,
    /// Format of the KV cache; fp16 for fp16 weights, bf16 for all others.
    pub kv: Option<Precision>,
    /// Fewest tokens/s that each sequence must make: limits the batch.
    pub min_tps_per_seq: Option<f64>,
    /// Share of peak bandwidth that is reached.
    pub bandwidth_share: f64,
    /// Share of peak arithmetic that is reached.
    pub compute_share: f64,
    /// Fixed cost of a step in µs.
    pub overhead_us: f64,
    /// Share of device memory that the engine takes.
    pub memory_share: f64,
    /// GB of that on each device that neither weights nor caches get.
    pub reserve_gb: f64,
}

impl Default for InsightsRequest {
    fn default() -> Self {
        let rates = ServingRates::default();
        Self {
            csv: None,
            original: false,
            model: None,
            architecture: None,
            hardware: Vec::new(),
            variants: Vec::new(),
            context: Numbers::default(),
            tp: None,
            weights: None,
            compute: None,
            kv: None,
            min_tps_per_seq: None,
            bandwidth_share: rates.memory,
            compute_share: rates.compute,
            overhead_us: (rates.overhead.get() * 1e6).round(),
            memory_share: rates.usable,
            reserve_gb: rates.reserve.get() / 1e9,
        }
    }
}

/// What was found; `--format json` prints it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct InsightsAnswer {
    /// Name of the file that was read.
    pub source: Option<String>,
    /// What to know before trusting the numbers.
    pub cautions: Vec<String>,
    /// What names were taken for.
    pub remarks: Vec<String>,
    /// A table of runs; null: none was read.
    pub table: Option<InsightsTableAnswer>,
    /// A sweep over batches; null: none was read.
    pub sweep: Option<BatchSweepAnswer>,
    /// One for each device.
    pub serving: Vec<VariantsAnswer>,
    /// Files that were written.
    pub files: Vec<PathBuf>,
    /// What tables and pages are made from.
    #[serde(skip)]
    pub study: InsightsStudy,
}

/// Reads a table of runs or a sweep, and says what devices serve with each attention variant.
///
/// # Errors
/// A file that cannot be read, a name that is not known, a number that cannot be one, or a system that cannot be.
pub fn insights(catalog: &Catalog, request: &InsightsRequest) -> Result<InsightsAnswer> {
    request.check()?;
    let rule = if request.original { Rule::Original } else { Rule::Right };
    let mut study = InsightsStudy { source: None, table: None, sweep: None, serving: Vec::new() };
    if let Some(path) = &request.csv {
        study.source = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let table = CsvTable::open(path)?;
        if !SweepTable::is_one(&table) {
            study.table = Some(TableStudy::new(BenchmarkTable::read(table)?, rule));
        } else if request.original {
            return Err(Error::input("--original needs a table of runs; this is a sweep over batches")
                .at(path)
                .help("leave it out"));
        } else {
            study.sweep = Some(SweepTable::read(table)?);
        }
    }
    study.serving = request.studies(catalog, study.table.as_ref().map(|study| &study.table))?;
    Ok(InsightsAnswer {
        source: study.source.clone(),
        cautions: study.cautions(),
        remarks: Remarks::new(catalog)
            .names(Kind::Model, &request.model)
            .names(Kind::Hardware, &request.hardware)
            .said(),
        table: study.table.as_ref().map(InsightsTableAnswer::from),
        sweep: study.sweep.as_ref().map(BatchSweepAnswer::from),
        serving: study.serving.iter().map(VariantsAnswer::from).collect(),
        files: Vec::new(),
        study,
    })
}

/// The first sizes of an architecture, as `WIDTHxLAYERS` or more of them.
fn sizes(text: &str) -> Result<Vec<u32>> {
    let sizes: Option<Vec<u32>> = text.split('x').map(|size| size.parse().ok().filter(|size| *size > 0)).collect();
    sizes.filter(|sizes| (2..=4).contains(&sizes.len())).ok_or_else(|| {
        Error::input(format!("--architecture is `{text}`"))
            .help("write WIDTHxLAYERS, such as 512x16, or WIDTHxLAYERSxHEADSxCONTEXT")
    })
}

impl InsightsRequest {
    /// Checks what does not depend on any file.
    fn check(&self) -> Result<()> {
        if self.csv.is_none() && self.model.is_none() {
            return Err(Error::input("there is nothing to look at").help("give a CSV, or --model and --hardware"));
        }
        if self.csv.is_none() && self.original {
            return Err(Error::input("--original comes without a table of runs").help("give its CSV"));
        }
        if self.hardware.is_empty() {
            self.check_unused()?;
        }
        if self.architecture.is_some() && (self.model.is_some() || self.csv.is_none()) {
            return Err(Error::input("--architecture is one of a table of runs, without --model").help("give its CSV"));
        }
        let above_0 = "give a number above 0";
        let or_more = "give a number, 0 or more";
        let share = "a share lies above 0 and up to 1";
        for (flag, value, holds, wanted) in [
            ("--min-tps-per-seq", self.min_tps_per_seq, self.min_tps_per_seq.is_none_or(|value| value > 0.0), above_0),
            ("--bandwidth-share", Some(self.bandwidth_share), is_share(self.bandwidth_share), share),
            ("--compute-share", Some(self.compute_share), is_share(self.compute_share), share),
            ("--memory-share", Some(self.memory_share), is_share(self.memory_share), share),
            ("--overhead-us", Some(self.overhead_us), self.overhead_us >= 0.0, or_more),
            ("--reserve-gb", Some(self.reserve_gb), self.reserve_gb >= 0.0, or_more),
        ] {
            if let Some(value) = value.filter(|value| !(holds && value.is_finite())) {
                return Err(Error::input(format!("{flag} is {value}")).help(wanted));
            }
        }
        Ok(())
    }

    /// Checks that nothing describes a device where none is named.
    fn check_unused(&self) -> Result<()> {
        let default = Self::default();
        let given = [
            ("--model", self.model.is_some()),
            ("--architecture", self.architecture.is_some()),
            ("--variants", !self.variants.is_empty()),
            ("--context", !self.context.is_empty()),
            ("--tp", self.tp.is_some()),
            ("--weights", self.weights.is_some()),
            ("--compute", self.compute.is_some()),
            ("--kv", self.kv.is_some()),
            ("--min-tps-per-seq", self.min_tps_per_seq.is_some()),
            ("--bandwidth-share", self.bandwidth_share != default.bandwidth_share),
            ("--compute-share", self.compute_share != default.compute_share),
            ("--overhead-us", self.overhead_us != default.overhead_us),
            ("--memory-share", self.memory_share != default.memory_share),
            ("--reserve-gb", self.reserve_gb != default.reserve_gb),
        ];
        match given.iter().find(|(_, given)| *given) {
            Some((flag, _)) => Err(Error::input(format!("{flag} asks what a device serves, and none is named"))
                .help("give --hardware ID; see `perfmodel list hardware`")),
            None => Ok(()),
        }
    }

    /// A study for each device; none where no device is named.
    fn studies(&self, catalog: &Catalog, table: Option<&BenchmarkTable>) -> Result<Vec<ServingStudy>> {
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
        let (tp, weights, compute, kv) = (self.tp, self.weights, self.compute, self.kv);
        let placement = PlacementRequest { tp, weights, compute, kv, ..PlacementRequest::default() };
        let rates = ServingRates {
            memory: self.bandwidth_share,
            compute: self.compute_share,
            overhead: Seconds::from_us(self.overhead_us),
            usable: self.memory_share,
            reserve: Bytes::new(1e9 * self.reserve_gb),
        };
        let mut devices: Vec<Hardware> = Vec::new();
        for name in &self.hardware {
            let hardware = catalog.hardware(name)?;
            if devices.iter().all(|known| known.id != hardware.id) {
                devices.push(hardware);
            }
        }
        let study = |hardware: &Hardware| {
            ServingStudy::run(&ServingQuestion {
                hardware,
                model: &model,
                kinds: &kinds,
                deployment: &placement.of_model(&model, hardware)?,
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
            let model = catalog.model_or_config(name)?;
            let kinds = default_kinds(&model);
            return Ok((model, kinds));
        }
        let nameless = |message: &str| Error::input(message).help("name a model with --model");
        let table = table.ok_or_else(|| nameless("a sweep over batches does not tell the sizes of a model"))?;
        let slices = Slice::all(table.runs.iter().filter(|run| run.is_dense()));
        let first = slices.first();
        let first = first.ok_or_else(|| nameless("no dense run tells num_blocks, dim, n_heads and max_context"))?;
        let wanted = self.architecture.as_deref().map(sizes).transpose()?;
        let (slice, runs) = match wanted {
            None => first,
            Some(wanted) => {
                let fits = |slice: &Slice| {
                    let own = [slice.dim, slice.layers, slice.heads, slice.context];
                    own.iter().zip(&wanted).all(|(own, wanted)| own == wanted)
                };
                slices.iter().find(|(slice, _)| fits(slice)).ok_or_else(|| {
                    let known: Vec<String> =
                        slices.iter().map(|(slice, _)| format!("{}x{}", slice.dim, slice.layers)).collect();
                    let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
                    Error::input(format!("no dense run has the architecture {}", wanted.join("x")))
                        .help(format!("there are {}", known.join(", ")))
                })?
            }
        };
        Ok((architecture(slice, runs)?, kinds_of_runs(slice, runs)))
    }

    fn contexts(&self, model: &ModelArchitecture) -> Result<Vec<f64>> {
        let contexts = if self.context.is_empty() {
            vec![CONTEXT.min(f64::from(model.max_context_tokens))]
        } else {
            self.context.values().to_vec()
        };
        match contexts.iter().find(|tokens| !(1.0..=1e9).contains(*tokens)) {
            Some(tokens) => {
                Err(Error::input(format!("--context is {tokens}")).help("give numbers of tokens from 1 to 1e9"))
            }
            None => Ok(contexts),
        }
    }
}

fn is_share(value: f64) -> bool {
    value > 0.0 && value <= 1.0
}
