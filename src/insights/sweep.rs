//! Measured decode steps over the batch: a straight line through them says what a sequence costs, and whether more can be
//! promised than was measured.

use serde::Serialize;

use super::CONFIDENCE;
use super::csv_table::{ColumnCount, CsvTable, yes_or_no};
use crate::error::Result;
use crate::stats::Line;

/// Columns without which there is nothing to fit.
const REQUIRED: [&str; 5] = ["label", "attn_type", "batch_size", "max_context", "decode_step_ms_p50"];

/// Columns by any of which a sweep is told from a table of runs.
const TELLING: [&str; 2] = ["batch_size", "attn_type"];

/// Columns that tell configurations apart, as far as they are there.
const SETTINGS: [&str; 16] = [
    "group",
    "label",
    "attn_type",
    "params_m",
    "dim",
    "n_heads",
    "kv_heads",
    "num_blocks",
    "max_context",
    "prompt_len",
    "dtype",
    "use_moe",
    "pos_encoding",
    "mla_down_kv",
    "mla_rope_dim",
    "n_experts",
];

/// One measured batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchPoint {
    /// Sequences.
    pub batch: f64,
    /// Median step in ms.
    pub step_ms: f64,
    /// Cache of the whole batch in MB (10⁶ bytes), where it is known.
    pub cache_mb: Option<f64>,
}

/// What a line through the steps says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchFit {
    /// The line `t = a + b·B`, in ms.
    pub line: Line,
    /// Lower and upper end of the slope at 95 % confidence, ms per sequence.
    pub slope: (f64, f64),
    /// How steps change with the batch.
    pub growth: Growth,
    /// Cache bytes of a sequence over the slope, byte/s: the bandwidth at which caches are read, if they are what costs; `None` unless steps grow.
    pub bandwidth: Option<f64>,
}

/// How steps change with the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Growth {
    /// They grow, for sure.
    Grows,
    /// They hardly change: overhead sets them, and nothing says from which batch on it will not.
    #[serde(rename = "overhead_bound")]
    Flat,
    /// Their scatter leaves open whether they do.
    Open,
    /// They fall, which no batch does by itself.
    Falls,
}

impl Growth {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Grows => "grows with the batch",
            Self::Flat => "overhead-bound, extrapolation unsupported",
            Self::Open => "too uncertain to tell, extrapolation unsupported",
            Self::Falls => "falls with the batch: doubt the measurements",
        }
    }
}

/// Steps that may grow by no more than this share of the first over all batches are flat.
const FLAT: f64 = 0.2;

impl BatchFit {
    /// How steps change over batches from the first to the last.
    fn growth_over(slope: (f64, f64), first: &BatchPoint, last: &BatchPoint) -> Growth {
        if slope.0 > 0.0 {
            Growth::Grows
        } else if slope.1 < 0.0 {
            Growth::Falls
        } else if slope.1 * (last.batch - first.batch) <= FLAT * first.step_ms {
            Growth::Flat
        } else {
            Growth::Open
        }
    }

    /// Share of the variance that the line explains.
    pub fn r_squared(&self) -> f64 {
        self.line.correlation.powi(2)
    }
}

/// The batches of one configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchSeries {
    /// Its name.
    pub label: String,
    /// Its attention, such as `GQA(2/8)`.
    pub attention: String,
    /// Tokens of context for which caches are allocated.
    pub context: f64,
    /// Number format, where the table has one.
    pub dtype: String,
    /// Length of the prompts as written, where the table has it.
    pub prompt: String,
    /// By rising batch.
    pub points: Vec<BatchPoint>,
    /// Batches that ran out of memory.
    pub out_of_memory: Vec<f64>,
    /// The line, from three batches on.
    pub fit: Option<BatchFit>,
}

/// A sweep over batches.
#[derive(Debug, Clone)]
pub struct SweepTable {
    /// Configurations in the order of the file.
    pub series: Vec<BatchSeries>,
    /// Columns with cells that hold no number.
    pub dirty: Vec<ColumnCount>,
    /// Rows.
    pub rows: usize,
    /// Rows that were left out: without a batch or a cache, or with neither a step nor the mark of running out of memory.
    pub skipped: usize,
}

impl SweepTable {
    /// What a reader must know.
    pub fn cautions(&self) -> Vec<String> {
        let mut cautions: Vec<String> = self.dirty.iter().map(super::table::dirty_in_words).collect();
        if self.skipped > 0 {
            cautions.push(format!(
                "{} of {} rows are left out: without a batch or a cache, or with neither a step nor the mark of running out of memory",
                self.skipped, self.rows
            ));
        }
        cautions
    }

    /// Whether a table is a sweep.
    pub fn is_one(table: &CsvTable) -> bool {
        TELLING.iter().any(|column| table.has(column))
    }

    /// From an open table.
    ///
    /// # Errors
    /// It lacks a column, which is named.
    pub fn read(mut table: CsvTable) -> Result<Self> {
        table.require(&REQUIRED)?;
        let positive = |value: f64| value > 0.0;
        let ran: Vec<bool> = table.texts("oom").into_iter().map(|text| yes_or_no(text) != Some(true)).collect();
        let [batches, contexts] = ["batch_size", "max_context"].map(|column| table.numbers_where(column, positive));
        // A batch that ran out of memory has neither a step nor a cache, and says so.
        let [steps, caches] =
            ["decode_step_ms_p50", "kv_cache_mb"].map(|column| table.numbers_of(column, positive, &ran));
        let settings: Vec<Vec<&str>> = SETTINGS.iter().map(|column| table.texts(column)).collect();
        let [labels, attentions, dtypes, prompts, cached] =
            ["label", "attn_type", "dtype", "prompt_len", "use_cache"].map(|column| table.texts(column));
        let mut series: Vec<(Vec<&str>, BatchSeries)> = Vec::new();
        let mut skipped = 0;
        for row in 0..table.len() {
            let has_nothing = steps[row].is_none() && ran[row];
            let (Some(batch), false) = (batches[row], yes_or_no(cached[row]) == Some(false) || has_nothing) else {
                skipped += 1;
                continue;
            };
            let own: Vec<&str> = settings.iter().map(|column| column[row]).collect();
            let place = series.iter().position(|(known, _)| *known == own).unwrap_or_else(|| {
                let found = BatchSeries {
                    label: labels[row].to_owned(),
                    attention: attentions[row].to_owned(),
                    context: contexts[row].unwrap_or(f64::NAN),
                    dtype: dtypes[row].to_owned(),
                    prompt: prompts[row].to_owned(),
                    points: Vec::new(),
                    out_of_memory: Vec::new(),
                    fit: None,
                };
                series.push((own, found));
                series.len() - 1
            });
            let found = &mut series[place].1;
            match steps[row] {
                Some(step_ms) => found.points.push(BatchPoint { batch, step_ms, cache_mb: caches[row] }),
                None => found.out_of_memory.push(batch),
            }
        }
        let mut series: Vec<BatchSeries> = series.into_iter().map(|(_, series)| series).collect();
        for series in &mut series {
            series.points.sort_by(|a, b| a.batch.total_cmp(&b.batch));
            series.fit = fit(&series.points);
        }
        let rows = table.len();
        Ok(Self { series, dirty: table.counts(), rows, skipped })
    }
}

/// The line through the steps of a configuration; `None` for fewer than three batches.
fn fit(points: &[BatchPoint]) -> Option<BatchFit> {
    let mut batches: Vec<f64> = points.iter().map(|point| point.batch).collect();
    batches.dedup();
    if batches.len() < 3 {
        return None;
    }
    let line = Line::through(&points.iter().map(|point| (point.batch, point.step_ms)).collect::<Vec<_>>())?;
    let reach = line.slope_reach(CONFIDENCE)?;
    let known: Vec<f64> = points.iter().filter_map(|point| Some(point.cache_mb? / point.batch)).collect();
    let per_sequence = (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64);
    let slope = (line.slope - reach, line.slope + reach);
    let growth = BatchFit::growth_over(slope, points.first()?, points.last()?);
    let bandwidth = per_sequence.filter(|_| growth == Growth::Grows).map(|mb| mb * 1e6 / (line.slope * 1e-3));
    Some(BatchFit { line, slope, growth, bandwidth })
}
