//! What runs with other attention cost and buy, as tables and findings for terminals and pages.

use crate::insights::budget::{MatchedRatio, Quartiles, TypeSpeed};
use crate::insights::study::{ServingStudy, TableStudy};
use crate::insights::{AttentionType, Panel, Rule, SweepTable};
use crate::number::{counted, number, number_or_dash};
use crate::report::tables::roofline::ReportTable;
use crate::report::tables::variants::{devices, sweep_cautions};

/// Everything that was found.
#[derive(Debug, Clone)]
pub struct InsightsReport {
    /// The file that was read.
    pub source: Option<String>,
    /// A table of runs.
    pub table: Option<TableStudy>,
    /// A sweep over batches.
    pub sweep: Option<SweepTable>,
    /// Variants of a model on devices.
    pub serving: Vec<ServingStudy>,
}

impl InsightsReport {
    /// What it is about.
    pub fn title(&self) -> String {
        let mut parts: Vec<String> = self.source.iter().cloned().collect();
        for study in &self.serving {
            parts.push(format!("{} on {}", study.model, devices(study)));
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
        if let Some(sweep) = &self.sweep {
            cautions.extend(sweep_cautions(sweep));
        }
        for caution in self.serving.iter().flat_map(|study| &study.cautions) {
            if !cautions.contains(caution) {
                cautions.push(caution.clone());
            }
        }
        cautions
    }
}

/// Cache memory in GB (10⁹ bytes) for which totals are tabled.
pub const TABLED_GB: [f64; 3] = [24.0, 40.0, 80.0];

pub(super) fn table(header: &[&str], rows: Vec<Vec<String>>) -> ReportTable {
    ReportTable { header: header.iter().map(|name| (*name).to_owned()).collect(), rows }
}

/// How many of each kind, such as `MLA 4, GQA 1`.
fn counts<'a>(types: impl Iterator<Item = &'a AttentionType>) -> String {
    let mut found: Vec<(&AttentionType, usize)> = Vec::new();
    for attention in types {
        match found.iter_mut().find(|(known, _)| *known == attention) {
            Some((_, count)) => *count += 1,
            None => found.push((attention, 1)),
        }
    }
    found.sort();
    found.iter().map(|(attention, count)| format!("{attention} {count}")).collect::<Vec<_>>().join(", ")
}

/// How many runs there are of what.
pub fn runs_in_words(study: &TableStudy) -> String {
    let of = |moe: bool| counts(study.table.runs.iter().filter(|run| run.moe == Some(moe)).map(|run| &run.attention));
    let (dense, mixtures) = (of(false), of(true));
    let or_none = |text: String| if text.is_empty() { "none".to_owned() } else { text };
    let runs = counted(study.table.runs.len(), "run");
    format!("{runs}. Dense: {}; mixtures of experts: {}.", or_none(dense), or_none(mixtures))
}

/// The front of a panel in a sentence.
pub fn front_title(panel: &Panel<'_>) -> String {
    let what = if panel.with_moe { "Dense and mixtures" } else { "Dense" };
    if panel.runs.is_empty() {
        return format!("{what}: there is no such run with a cache, a loss and a size");
    }
    format!(
        "{what}: {} of {} runs are on the front, {}; hypervolume {} MB·nats",
        panel.front.len(),
        panel.runs.len(),
        counts(panel.front.iter().map(|run| &run.attention)),
        number(panel.hypervolume)
    )
}

/// The runs of a front.
pub fn front_table(panel: &Panel<'_>) -> ReportTable {
    let rows = panel.front.iter().map(|run| {
        vec![
            run.name.clone(),
            run.attention.to_string(),
            if run.is_dense() { "" } else { "yes" }.to_owned(),
            number_or_dash(run.cache_mb),
            number_or_dash(run.loss),
            number_or_dash(run.params_m),
        ]
    });
    table(&["run", "type", "experts", "cache MB", "loss", "parameters M"], rows.collect())
}

fn between(quartiles: Quartiles) -> String {
    format!("{} ({}–{})", number(quartiles.median), number(quartiles.low), number(quartiles.high))
}

/// Ratio of the totals to those of multi-head attention at a budget in MB.
pub fn pooled_ratio(study: &TableStudy, speed: &TypeSpeed, budget_mb: f64) -> Option<f64> {
    let base = study.speeds.iter().find(|speed| speed.attention == AttentionType::Mha)?;
    let base = base.total(budget_mb, study.rule).median;
    (base > 0.0).then(|| speed.total(budget_mb, study.rule).median / base)
}

/// Speeds by kind of attention, and what they make of a budget.
pub fn speeds_table(study: &TableStudy) -> ReportTable {
    let rows = study.speeds.iter().map(|speed| {
        let totals = TABLED_GB.map(|gb| number(speed.total(1e3 * gb, study.rule).median / 1e3));
        let first = [
            speed.attention.to_string(),
            speed.count().to_string(),
            between(speed.speed),
            between(speed.cache),
            between(speed.per_mb),
        ];
        let ratio = number_or_dash(pooled_ratio(study, speed, 1e3 * TABLED_GB[2]));
        first.into_iter().chain(totals).chain([ratio]).collect()
    });
    table(
        &[
            "type",
            "n",
            "tokens/s alone",
            "cache MB",
            "tokens/s per MB",
            "k tokens/s at 24 GB",
            "at 40 GB",
            "at 80 GB",
            "to MHA",
        ],
        rows.collect(),
    )
}

/// What a budget promises, in a sentence.
pub fn budget_title(study: &TableStudy) -> String {
    let budget = 1e3 * TABLED_GB[2];
    let totals: Vec<String> = study
        .speeds
        .iter()
        .map(|speed| format!("{} {}", speed.attention, number(speed.total(budget, study.rule).median / 1e3)))
        .collect();
    if totals.is_empty() {
        return "No dense run has a speed and a cache".to_owned();
    }
    format!("80 GB of cache at the speed of one sequence alone: {} k tokens/s", totals.join(", "))
}

/// Ratios to multi-head attention, in a sentence.
pub fn ratio_title(study: &TableStudy) -> String {
    let budget = 1e3 * TABLED_GB[2];
    let mut parts = Vec::new();
    for speed in study.speeds.iter().filter(|speed| speed.attention != AttentionType::Mha) {
        let Some(pooled) = pooled_ratio(study, speed, budget) else { continue };
        let matched = matched(study, &speed.attention);
        let matched = match (matched.first(), matched.last()) {
            (Some(first), Some(last)) if study.rule == Rule::Right => {
                format!(" ({}–{}× within {})", number(*first), number(*last), counted(matched.len(), "architecture"))
            }
            _ => String::new(),
        };
        parts.push(format!("{} {}×{matched}", speed.attention, number(pooled)));
    }
    let has_base = study.speeds.iter().any(|speed| speed.attention == AttentionType::Mha);
    if !has_base {
        return "No dense run of multi-head attention with a speed to compare with".to_owned();
    }
    if parts.is_empty() {
        return "No other dense run with a speed to compare with multi-head attention".to_owned();
    }
    format!("Against MHA at 80 GB: {}", parts.join(", "))
}

/// Ratios of a kind of attention in matched architectures, rising.
fn matched(study: &TableStudy, attention: &AttentionType) -> Vec<f64> {
    let mut ratios: Vec<f64> =
        study.ratios.iter().filter(|ratio| ratio.attention == *attention).map(|ratio| ratio.ratio).collect();
    ratios.sort_by(f64::total_cmp);
    ratios
}

/// Ratios where nothing but the attention differs.
pub fn matched_table(ratios: &[MatchedRatio]) -> ReportTable {
    let rows = ratios.iter().map(|ratio| {
        vec![
            ratio.slice.label(),
            ratio.attention.to_string(),
            ratio.count.to_string(),
            ratio.multi_head.to_string(),
            number(ratio.ratio),
        ]
    });
    table(&["architecture", "type", "n", "n of MHA", "tokens/s per MB to MHA"], rows.collect())
}
