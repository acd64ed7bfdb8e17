//! Everything that is asked of a table of runs, and of the variants of a model on a device.

use super::Rule;
use super::budget::{MatchedRatio, TypeSpeed, matched_ratios};
use super::dial::{Dial, SliceDial};
use super::quality::{Noise, Panel, panels};
use super::serving::{Memory, ServingPoint, ServingRates, ServingSystem};
use super::slice::Slice;
use super::sweep::SweepTable;
use super::table::{AttentionType, BenchmarkTable};
use super::variant::{Variant, VariantKind};
use crate::error::{Error, Result};
use crate::spec::{Attention, Deployment, GroupedAttention, Hardware, ModelArchitecture, System};
use crate::units::Bytes;

/// Sizes of memory on a curve.
const GRID: u32 = 160;

/// A curve begins and ends at these factors of the memory of the devices.
const AROUND: (f64, f64) = (0.125, 8.0);

/// Contexts of the map over memory and context, in tokens; as far as the model goes.
const FIRST_CONTEXT: f64 = 512.0;

/// Everything that was found.
#[derive(Debug, Clone)]
pub struct InsightsStudy {
    /// The file that was read.
    pub source: Option<String>,
    /// A table of runs.
    pub table: Option<TableStudy>,
    /// A sweep over batches.
    pub sweep: Option<SweepTable>,
    /// Variants of a model on devices.
    pub serving: Vec<ServingStudy>,
}

impl InsightsStudy {
    /// What it is about.
    pub fn title(&self) -> String {
        let mut parts: Vec<String> = self.source.iter().cloned().collect();
        for study in &self.serving {
            parts.push(format!("{} on {}", study.model, study.devices()));
        }
        let title = parts.join(" · ");
        match &self.table {
            Some(study) if study.rule == Rule::Original => format!("{title} · as first published"),
            _ => title,
        }
    }

    /// What a reader must know, each once.
    pub fn cautions(&self) -> Vec<String> {
        let mut cautions = self.table.as_ref().map_or_else(Vec::new, TableStudy::cautions);
        cautions.extend(self.sweep.iter().flat_map(SweepTable::cautions));
        for caution in self.serving.iter().flat_map(|study| &study.cautions) {
            if !cautions.contains(caution) {
                cautions.push(caution.clone());
            }
        }
        cautions
    }
}

/// The three questions to a table of runs.
#[derive(Debug, Clone)]
pub struct TableStudy {
    /// The runs.
    pub table: BenchmarkTable,
    /// How the figures are computed.
    pub rule: Rule,
    /// How far losses of equal models lie apart.
    pub noise: Option<Noise>,
    /// Speeds by kind of attention.
    pub speeds: Vec<TypeSpeed>,
    /// Ratios to multi-head attention where nothing else differs.
    pub ratios: Vec<MatchedRatio>,
    /// The dial over all architectures.
    pub dial: Option<Dial>,
    /// The dial of each architecture.
    pub slices: Vec<SliceDial>,
}

impl TableStudy {
    /// Of a table.
    pub fn new(table: BenchmarkTable, rule: Rule) -> Self {
        Self {
            noise: Noise::of(&table),
            speeds: TypeSpeed::all(&table),
            ratios: matched_ratios(&table),
            dial: Dial::of(&table),
            slices: SliceDial::all(&table),
            table,
            rule,
        }
    }

    /// Loss against cache: dense models, and all.
    pub fn panels(&self) -> [Panel<'_>; 2] {
        panels(&self.table, self.rule)
    }

    /// Ratio of the totals of a kind of attention to those of multi-head attention, at a budget in MB.
    pub fn pooled_ratio(&self, speed: &TypeSpeed, budget_mb: f64) -> Option<f64> {
        let base = self.speeds.iter().find(|speed| speed.attention == AttentionType::Mha)?;
        let base = base.total(budget_mb, self.rule).median;
        (base > 0.0).then(|| speed.total(budget_mb, self.rule).median / base)
    }

    /// What a reader must know.
    pub fn cautions(&self) -> Vec<String> {
        let mut cautions = self.table.cautions();
        let slices = Slice::all(self.table.runs.iter().filter(|run| run.is_dense()));
        if slices.len() > 1 {
            cautions.push(format!(
                "the dense runs mix {} architectures (width, layers, heads, context); what is pooled over them compares architectures too",
                slices.len()
            ));
        }
        if let Some(noise) = self.noise.filter(|noise| noise.deviation > 0.0) {
            cautions.push(format!(
                "losses of equal models differ by a standard deviation of {:.4} ({} runs in {} groups); {} runs off the dense front are within twice that of it",
                noise.deviation,
                noise.runs,
                noise.groups,
                self.panels()[0].within(noise)
            ));
        } else {
            cautions.push("no model was trained twice, so the noise of the losses is not known".to_owned());
        }
        if !self.speeds.is_empty() {
            cautions.push(
                "tps_512 is the speed of one sequence, which for small models is mostly the launching of kernels; totals at a budget \
                 scale it by the sequences that fit, an upper bound (--hardware says what a device serves)"
                    .to_owned(),
            );
        }
        cautions
    }
}

/// What a device of some size serves with a variant.
#[derive(Debug, Clone)]
pub struct VariantCurve {
    /// The variant.
    pub kind: VariantKind,
    /// Whether the model has it of itself.
    pub own: bool,
    /// Weights in memory, all devices.
    pub weights: Bytes,
    /// Cache of one token, all layers and devices.
    pub token_bytes: Bytes,
    /// The most sequences for which the linear rule holds, at the context of the curves; `None`: however many.
    pub linear_until: Option<u64>,
    /// The memory that holds one more, and what is served there.
    pub linear_ends: Option<(Bytes, ServingPoint)>,
    /// Sequences that fit the devices as they are, for each context.
    pub fits: Vec<u64>,
    /// What is served there; none where nothing fits or every sequence is too slow.
    pub at_device: Vec<Option<ServingPoint>>,
    /// Over the memory of the devices.
    pub devices: Vec<Option<ServingPoint>>,
    /// Over memory for caches alone.
    pub cache: Vec<Option<ServingPoint>>,
    /// Over memory of the devices for each context of the map.
    pub map: Vec<Vec<Option<ServingPoint>>>,
}

/// What is asked of a model on a device.
#[derive(Debug, Clone)]
pub struct ServingQuestion<'a> {
    /// The device.
    pub hardware: &'a Hardware,
    /// The model.
    pub model: &'a ModelArchitecture,
    /// Its variants.
    pub kinds: &'a [VariantKind],
    /// How it is placed.
    pub deployment: &'a Deployment,
    /// Contexts in tokens; curves are drawn for the first.
    pub contexts: &'a [f64],
    /// Fewest tokens/s that each sequence must make.
    pub slowest: Option<f64>,
    /// Shares of the peaks.
    pub rates: ServingRates,
}

/// Its answer.
#[derive(Debug, Clone)]
pub struct ServingStudy {
    /// Name of the model.
    pub model: String,
    /// Id of the model.
    pub model_id: String,
    /// The device.
    pub hardware: Hardware,
    /// How the model is placed.
    pub deployment: Deployment,
    /// Contexts in tokens.
    pub contexts: Vec<f64>,
    /// Fewest tokens/s of a sequence.
    pub slowest: Option<f64>,
    /// Shares of the peaks.
    pub rates: ServingRates,
    /// Memory of the curves, all devices together.
    pub memory: Vec<Bytes>,
    /// Contexts of the map.
    pub map_contexts: Vec<f64>,
    /// The variants.
    pub variants: Vec<VariantCurve>,
    /// What a reader must know.
    pub cautions: Vec<String>,
}

impl ServingStudy {
    /// Answers.
    ///
    /// # Errors
    /// A variant that the model cannot have, or a system that cannot be.
    pub fn run(question: &ServingQuestion<'_>) -> Result<Self> {
        let ServingQuestion { hardware, model, deployment, .. } = *question;
        let Some(&context) = question.contexts.first() else {
            return Err(Error::input("no context is given").help("name one in tokens"));
        };
        let size = hardware.memory * deployment.gpus();
        let memory = memory_around(size);
        let longest = question.contexts.iter().copied().fold(f64::from(model.max_context_tokens), f64::max);
        let doublings = std::iter::successors(Some(FIRST_CONTEXT), |tokens| Some(tokens * 2.0));
        let mut map_contexts: Vec<f64> = doublings.take_while(|tokens| *tokens <= longest).collect();
        if map_contexts.len() < 2 {
            map_contexts = vec![context / 2.0, context];
        }
        let curve = |kind: &VariantKind| -> Result<VariantCurve> {
            let variant = Variant::of(model, *kind)?;
            let own = variant.own;
            let system = System::new(hardware.clone(), variant.model, *deployment)?;
            let serving = ServingSystem::new(system, question.rates)?;
            let point = |memory: Bytes, counted: Memory, context: f64| {
                let fits = serving.fits(serving.cache_budget(memory, counted), context);
                serving.point(fits, context, question.slowest)
            };
            let over = |counted: Memory, context: f64| {
                memory.iter().map(|memory| point(*memory, counted, context)).collect::<Vec<_>>()
            };
            let linear_until = serving.linear_until(context);
            let linear_ends = linear_until.and_then(|most| {
                Some((serving.memory_for(most + 1, context), serving.point(most + 1, context, None)?))
            });
            let budget = serving.cache_budget(size, Memory::Devices);
            Ok(VariantCurve {
                kind: *kind,
                own,
                weights: serving.weights(),
                token_bytes: serving.sequence_bytes(1.0),
                linear_until,
                linear_ends,
                fits: question.contexts.iter().map(|context| serving.fits(budget, *context)).collect(),
                at_device: question.contexts.iter().map(|context| point(size, Memory::Devices, *context)).collect(),
                devices: over(Memory::Devices, context),
                cache: over(Memory::Cache, context),
                map: map_contexts.iter().map(|context| over(Memory::Devices, *context)).collect(),
            })
        };
        Ok(Self {
            model: model.name.clone(),
            model_id: model.id.clone(),
            hardware: hardware.clone(),
            deployment: *deployment,
            contexts: question.contexts.to_vec(),
            slowest: question.slowest,
            rates: question.rates,
            variants: question.kinds.iter().map(curve).collect::<Result<_>>()?,
            cautions: cautions(question),
            memory,
            map_contexts,
        })
    }

    /// Place of multi-head attention among the variants, with which the others are compared.
    pub fn multi_head(&self) -> Option<usize> {
        self.variants.iter().position(|variant| variant.kind == VariantKind::MultiHead)
    }

    /// The devices, by number and name.
    pub fn devices(&self) -> String {
        let gpus = self.deployment.parallelism.tp();
        if gpus == 1 { self.hardware.name.clone() } else { format!("{gpus}x {}", self.hardware.name) }
    }

    /// Memory of all devices.
    pub fn device_memory(&self) -> Bytes {
        self.hardware.memory * self.deployment.gpus()
    }

    /// The variant that serves most on the devices, at the context of the curves; `None` where none fits.
    pub fn best(&self) -> Option<(&VariantCurve, ServingPoint)> {
        let points = self.variants.iter().filter_map(|variant| Some((variant, variant.at_device[0]?)));
        points.max_by(|a, b| a.1.total.total_cmp(&b.1.total))
    }
}

/// Amounts of memory around one, at a constant factor from each other.
fn memory_around(size: Bytes) -> Vec<Bytes> {
    let (first, last) = (size * AROUND.0, size * AROUND.1);
    let factor = last / first;
    (0..GRID).map(|k| first * factor.powf(f64::from(k) / f64::from(GRID - 1))).collect()
}

fn cautions(question: &ServingQuestion<'_>) -> Vec<String> {
    let model = question.model;
    let mut cautions = Vec::new();
    let latent = question.kinds.iter().any(|kind| matches!(kind, VariantKind::Latent(_)));
    let windowed = model.layers.iter().any(|group| {
        matches!(group.attention, Attention::Grouped(GroupedAttention { sliding_window_tokens: Some(_), .. }))
    });
    if latent && windowed {
        cautions.push(format!(
            "{} has layers with a sliding window; under latent attention they see the whole context",
            model.name
        ));
    }
    if latent && question.deployment.parallelism.tp() > 1 {
        cautions.push("under tensor parallelism every device holds the whole latent cache".to_owned());
    }
    let gpus = question.deployment.parallelism.tp();
    for kind in question.kinds {
        if kind.kv_heads().is_some_and(|heads| heads < gpus) {
            cautions
                .push(format!("{kind} has fewer key/value heads than {gpus} devices, so that some hold the same ones"));
        }
    }
    cautions.extend(question.contexts.iter().filter_map(|context| model.beyond_context(*context)));
    cautions
}
