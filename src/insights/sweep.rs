//! Measured decode steps over the batch: a straight line through them says what a sequence costs, and whether more can be
//! promised than was measured.

use super::csv_table::{ColumnCount, CsvTable, yes_or_no};
use crate::error::Result;
use crate::stats::Line;

/// Columns without which there is nothing to fit.
const REQUIRED: [&str; 5] = ["label", "attn_type", "batch_size", "max_context", "decode_step_ms_p50"];

/// The columns by which a sweep is told from a table of runs.
const TELLING: [&str; 2] = ["batch_size", "decode_step_ms_p50"];

/// Of the interval of a slope.
const CONFIDENCE: f64 = 0.95;

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
    /// Cache bytes of a sequence over the slope, byte/s: the bandwidth at which caches are read, if they are what costs.
    pub bandwidth: Option<f64>,
}

impl BatchFit {
    /// Whether steps do not grow with the batch beyond what their scatter explains. Then nothing says where they will.
    pub fn is_overhead_bound(&self) -> bool {
        self.slope.0 <= 0.0
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
    /// Rows that were left out: no cache was used, or they have neither a step nor the mark of running out of memory.
    pub skipped: usize,
}

impl SweepTable {
    /// Whether a table is a sweep.
    pub fn is_one(table: &CsvTable) -> bool {
        TELLING.iter().all(|column| table.has(column))
    }

    /// From an open table.
    ///
    /// # Errors
    /// It lacks a column, which is named, or a batch.
    pub fn read(mut table: CsvTable) -> Result<Self> {
        table.require(&REQUIRED)?;
        let positive = |value: f64| value > 0.0;
        let [batches, steps, caches, contexts] = ["batch_size", "decode_step_ms_p50", "kv_cache_mb", "max_context"]
            .map(|column| table.numbers_where(column, positive));
        let mut series: Vec<BatchSeries> = Vec::new();
        let mut skipped = 0;
        let [labels, attentions, dtypes, out, cached] =
            ["label", "attn_type", "dtype", "oom", "use_cache"].map(|column| table.texts(column));
        for row in 0..table.len() {
            let Some(batch) = batches[row] else {
                return Err(table
                    .wrong(row, "batch_size", format!("`{}` is no batch", table.texts("batch_size")[row]))
                    .help("give a number of sequences above 0"));
            };
            let oom = yes_or_no(out[row]) == Some(true);
            if yes_or_no(cached[row]) == Some(false) || (steps[row].is_none() && !oom) {
                skipped += 1;
                continue;
            }
            let context = contexts[row].unwrap_or(f64::NAN);
            let same = |known: &BatchSeries| {
                (known.label.as_str(), known.attention.as_str(), known.dtype.as_str())
                    == (labels[row], attentions[row], dtypes[row])
                    && known.context.total_cmp(&context).is_eq()
            };
            let place = series.iter().position(same).unwrap_or_else(|| {
                series.push(BatchSeries {
                    label: labels[row].to_owned(),
                    attention: attentions[row].to_owned(),
                    context,
                    dtype: dtypes[row].to_owned(),
                    points: Vec::new(),
                    out_of_memory: Vec::new(),
                    fit: None,
                });
                series.len() - 1
            });
            match steps[row] {
                Some(step_ms) => series[place].points.push(BatchPoint { batch, step_ms, cache_mb: caches[row] }),
                None => series[place].out_of_memory.push(batch),
            }
        }
        for series in &mut series {
            series.points.sort_by(|a, b| a.batch.total_cmp(&b.batch));
            series.fit = fit(&series.points);
        }
        let rows = table.len();
        // A batch that ran out of memory has no step, and says so.
        let mut dirty = table.counts();
        dirty.retain(|count| count.unreadable > 0 || series.iter().all(|series| series.out_of_memory.is_empty()));
        Ok(Self { series, dirty, rows, skipped })
    }
}

/// The line through the steps of a configuration; `None` for fewer than three batches.
fn fit(points: &[BatchPoint]) -> Option<BatchFit> {
    let line = Line::through(&points.iter().map(|point| (point.batch, point.step_ms)).collect::<Vec<_>>())?;
    let reach = line.slope_reach(CONFIDENCE)?;
    let known: Vec<f64> = points.iter().filter_map(|point| Some(point.cache_mb? / point.batch)).collect();
    let per_sequence = (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64);
    Some(BatchFit {
        line,
        slope: (line.slope - reach, line.slope + reach),
        bandwidth: per_sequence.filter(|_| line.slope > 0.0).map(|mb| mb * 1e6 / (line.slope * 1e-3)),
    })
}
