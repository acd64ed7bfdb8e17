//! The runs of a training sweep over attention variants: one row each with its loss, cache and batch-1 decode speed.

use std::fmt;
use std::path::Path;

use super::csv_table::{ColumnCount, CsvTable, yes_or_no};
use crate::error::Result;

/// Columns without which a figure cannot be drawn.
const REQUIRED: [&str; 7] = ["type", "moe", "params_m", "theoretical_cache_mb", "val_loss", "tps_512", "down_dim_kv"];

/// Bytes of the cache's numbers in the column `theoretical_cache_mb`, which assumes 32 bit.
pub const CACHE_BYTES: f64 = 4.0;

/// Losses of two tokenizers lie apart by this much in nats, and by this factor more than losses of one do.
const LARGE_GAP: f64 = 1.0;
const GAP_FACTOR: f64 = 2.0;

/// A kind of attention as the table names it, in the order in which figures draw them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum AttentionType {
    /// Multi-head latent attention.
    Mla,
    /// Grouped-query attention; the table counts multi-query attention here.
    Gqa,
    /// Multi-head attention.
    Mha,
    /// A name that this tool does not know.
    Other(String),
}

impl AttentionType {
    /// From its name in the table.
    pub fn named(name: &str) -> Self {
        match name.to_uppercase().as_str() {
            "MLA" => Self::Mla,
            "GQA" | "MQA" => Self::Gqa,
            "MHA" => Self::Mha,
            _ => Self::Other(name.to_owned()),
        }
    }
}

impl fmt::Display for AttentionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Mla => "MLA",
            Self::Gqa => "GQA",
            Self::Mha => "MHA",
            Self::Other(name) if name.is_empty() => "(no type)",
            Self::Other(name) => name,
        })
    }
}

/// One trained model.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its row, from 0 below the header.
    pub row: usize,
    /// Its name.
    pub name: String,
    /// Its attention.
    pub attention: AttentionType,
    /// Whether it is a mixture of experts; `None` where the table does not say.
    pub moe: Option<bool>,
    /// Parameters in millions, all experts.
    pub params_m: Option<f64>,
    /// Layers.
    pub layers: Option<f64>,
    /// Hidden width.
    pub dim: Option<f64>,
    /// Query heads.
    pub heads: Option<f64>,
    /// Key/value heads.
    pub kv_heads: Option<f64>,
    /// Longest context in tokens.
    pub context: Option<f64>,
    /// Rank of the latent; the table has it for other attention too, where it means nothing.
    pub rank: Option<f64>,
    /// Width of the rotary key, where the table has such a column.
    pub rope: Option<f64>,
    /// Cache of one sequence of the longest context in MB (10⁶ bytes), 32 bit.
    pub cache_mb: Option<f64>,
    /// Last validation loss, nats per token.
    pub loss: Option<f64>,
    /// Decoded tokens per second of one sequence.
    pub tokens_per_s: Option<f64>,
}

impl Run {
    /// Width of a head.
    pub fn head_dim(&self) -> Option<f64> {
        Some(self.dim? / self.heads?)
    }

    /// Elements of the cache per token and layer, from its size.
    pub fn elements_per_token_and_layer(&self) -> Option<f64> {
        Some(self.cache_mb? * 1e6 / (self.layers? * self.context? * CACHE_BYTES))
    }

    /// Elements of the cache per token and layer, from the architecture: `2·K·h`. `None` for latent attention.
    pub fn expected_elements(&self) -> Option<f64> {
        match self.attention {
            AttentionType::Mha | AttentionType::Gqa => Some(2.0 * self.kv_heads? * self.head_dim()?),
            AttentionType::Mla | AttentionType::Other(_) => None,
        }
    }

    /// Width of the rotary key of latent attention: as given, or what the cache holds besides the latent, in whole eights. `None`
    /// where the two decimals of the cache leave it open.
    pub fn rope_dim(&self) -> Option<f64> {
        if self.attention != AttentionType::Mla {
            return None;
        }
        let rounding = || Some(0.005e6 / (self.layers? * self.context? * CACHE_BYTES));
        let rest = || {
            let rest = self.elements_per_token_and_layer()? - self.rank?;
            rounding().filter(|elements| *elements < 4.0).map(|_| rest)
        };
        self.rope.or_else(|| rest().map(|rest| (rest / 8.0).round() * 8.0)).filter(|rope| *rope >= 0.0)
    }

    /// Whether it is a dense model.
    pub fn is_dense(&self) -> bool {
        self.moe == Some(false)
    }
}

/// All runs.
#[derive(Debug, Clone)]
pub struct BenchmarkTable {
    /// In the order of the file.
    pub runs: Vec<Run>,
    /// Columns with cells that hold no number.
    pub dirty: Vec<ColumnCount>,
    /// Names of tokenizers, where the table has them.
    pub tokenizers: Vec<String>,
}

impl BenchmarkTable {
    /// Reads a table.
    ///
    /// # Errors
    /// It is no CSV, or lacks a column, which is named.
    pub fn open(path: &Path) -> Result<Self> {
        Self::read(CsvTable::open(path)?)
    }

    /// From an open table.
    ///
    /// # Errors
    /// It lacks a column, which is named.
    pub fn read(mut table: CsvTable) -> Result<Self> {
        table.require(&REQUIRED)?;
        let own = |texts: Vec<&str>| -> Vec<String> { texts.into_iter().map(str::to_owned).collect() };
        let names = own(table.texts("run"));
        let types = own(table.texts("type"));
        let moe: Vec<Option<bool>> = table.texts("moe").into_iter().map(yes_or_no).collect();
        let mut tokenizers = own(table.texts("tokenizer"));
        tokenizers.sort();
        tokenizers.dedup();
        tokenizers.retain(|name| !name.is_empty());
        // What must be above 0; the writers put 0 where they do not know.
        let mut positive = |column| table.numbers_where(column, |value| value > 0.0);
        let columns = ["params_m", "num_blocks", "dim", "n_heads", "kv_heads", "max_context", "theoretical_cache_mb"]
            .map(&mut positive);
        let [params, layers, dim, heads, kv_heads, context, cache] = &columns;
        let (ranks, speeds) = (positive("down_dim_kv"), positive("tps_512"));
        let ropes = table.numbers_where("rope_dim", |rope| rope >= 0.0);
        let losses = table.numbers("val_loss");
        let run = |row: usize| Run {
            row,
            name: if names[row].is_empty() { format!("row {}", row + 1) } else { names[row].clone() },
            attention: AttentionType::named(&types[row]),
            moe: moe[row],
            params_m: params[row],
            layers: layers[row],
            dim: dim[row],
            heads: heads[row],
            kv_heads: kv_heads[row],
            context: context[row],
            rank: ranks[row],
            rope: ropes[row],
            cache_mb: cache[row],
            loss: losses[row],
            tokens_per_s: speeds[row],
        };
        Ok(Self { runs: (0..table.len()).map(run).collect(), dirty: table.counts(), tokenizers })
    }

    /// Dense runs of a kind of attention.
    pub fn dense<'a>(&'a self, attention: &'a AttentionType) -> impl Iterator<Item = &'a Run> + 'a {
        self.runs.iter().filter(move |run| run.is_dense() && run.attention == *attention)
    }

    /// The kinds of attention there are, in the order of the figures.
    pub fn types(&self) -> Vec<AttentionType> {
        let mut types: Vec<AttentionType> = self.runs.iter().map(|run| run.attention.clone()).collect();
        types.sort();
        types.dedup();
        types
    }

    /// How many runs there are of a kind of attention.
    pub fn count(&self, attention: &AttentionType, moe: Option<bool>) -> usize {
        self.runs.iter().filter(|run| run.attention == *attention && run.moe == moe).count()
    }

    /// What a reader must know before believing the figures.
    pub fn cautions(&self) -> Vec<String> {
        let mut cautions: Vec<String> = self.dirty.iter().map(dirty_in_words).collect();
        for attention in self.types() {
            if let AttentionType::Other(_) = attention {
                let count = self.runs.iter().filter(|run| run.attention == attention).count();
                cautions.push(format!(
                    "type {attention} ({count} rows) is none of MHA, GQA and MLA; it is a group of its own"
                ));
            }
        }
        let unsaid = self.runs.iter().filter(|run| run.moe.is_none()).count();
        if unsaid > 0 {
            cautions.push(format!(
                "column `moe` is neither true nor false in {unsaid} of {} rows; they are left out of all figures",
                self.runs.len()
            ));
        }
        if let Some((below, above)) = self.loss_gap() {
            cautions.push(format!(
                "validation losses fall into two groups, up to {below:.2} and from {above:.2}: losses per token only compare for one tokenizer"
            ));
        }
        if self.tokenizers.len() > 1 {
            cautions.push(format!(
                "the runs use {} tokenizers ({}); their losses per token do not compare",
                self.tokenizers.len(),
                self.tokenizers.join(", ")
            ));
        }
        if let Some(worst) = self.worst_cache() {
            cautions.push(worst);
        }
        cautions
    }

    /// The widest gap between losses, if it is twice as wide as any other between losses that differ.
    fn loss_gap(&self) -> Option<(f64, f64)> {
        let mut losses: Vec<f64> = self.runs.iter().filter_map(|run| run.loss).collect();
        losses.sort_by(f64::total_cmp);
        let gap = |at: &usize| losses[at + 1] - losses[*at];
        let widest = (0..losses.len().saturating_sub(1)).max_by(|a, b| gap(a).total_cmp(&gap(b)))?;
        let others = (0..losses.len() - 1).filter(|at| *at != widest).map(|at| gap(&at)).fold(0.0, f64::max);
        let repeated = widest > 0 && widest + 2 < losses.len();
        (repeated && gap(&widest) >= LARGE_GAP.max(GAP_FACTOR * others)).then(|| (losses[widest], losses[widest + 1]))
    }

    /// The row whose cache is furthest from what its architecture asks for, if that is more than rounding.
    fn worst_cache(&self) -> Option<String> {
        let off = |run: &Run| {
            let elements = run.expected_elements()?;
            let expected = elements * run.layers? * run.context? * CACHE_BYTES / 1e6;
            // Two decimals are written.
            let difference = (run.cache_mb? - expected).abs();
            (difference > 0.0051).then_some((run.name.clone(), run.cache_mb?, expected, difference))
        };
        let wrong: Vec<_> = self.runs.iter().filter_map(off).collect();
        let (name, given, expected, _) = wrong.iter().max_by(|a, b| a.3.total_cmp(&b.3))?;
        Some(format!(
            "theoretical_cache_mb does not follow from the architecture in {} rows, the furthest {name}: {given} MB, 2·K·h·L·S·4 bytes are {expected:.2} MB",
            wrong.len()
        ))
    }
}

/// Says what a column lacks.
pub fn dirty_in_words(count: &ColumnCount) -> String {
    let mut kinds = Vec::new();
    let odd = count.impossible + count.unreadable;
    for (cells, what) in [(count.blank, "blank".to_owned()), (count.no_value, "without a value".to_owned())]
        .into_iter()
        .chain(count.example.iter().map(|text| (odd, format!("like `{text}`"))))
    {
        if cells > 0 {
            kinds.push(format!("{cells} {what}"));
        }
    }
    format!(
        "column `{}` has no number in {} of {} rows ({})",
        count.column,
        count.missing(),
        count.rows,
        kinds.join(", ")
    )
}
