//! What runs with other attention cost and buy, as tables and findings for terminals and pages.

use crate::insights::budget::{MatchedRatio, Quartiles};
use crate::insights::study::TableStudy;
use crate::insights::{AttentionType, Panel, Rule, TABLED_GB};
use crate::number::{counted, number, number_or_dash};
use crate::report::tables::ReportTable;

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
    ReportTable::new(&["run", "type", "experts", "cache MB", "loss", "parameters M"], rows.collect())
}

fn between(quartiles: Quartiles) -> String {
    format!("{} ({}–{})", number(quartiles.median), number(quartiles.low), number(quartiles.high))
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
        let ratio = number_or_dash(study.pooled_ratio(speed, 1e3 * TABLED_GB[2]));
        first.into_iter().chain(totals).chain([ratio]).collect()
    });
    ReportTable::new(
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
        let Some(pooled) = study.pooled_ratio(speed, budget) else { continue };
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
    ReportTable::new(&["architecture", "type", "n", "n of MHA", "tokens/s per MB to MHA"], rows.collect())
}
