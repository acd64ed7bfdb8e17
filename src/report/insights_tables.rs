//! What runs with other attention cost and buy, as tables and findings for terminals and pages.

use super::charts::short;
use super::number::{number, number_or_dash};
use super::roofline_tables::ReportTable;
use crate::insights::budget::{MatchedRatio, Quartiles, TypeSpeed};
use crate::insights::dial::{Dial, SliceDial, Spread};
use crate::insights::study::{ServingStudy, TableStudy, VariantCurve};
use crate::insights::sweep::{BatchSeries, Growth};
use crate::insights::{AttentionType, Panel, Rule, SweepTable};

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

fn table(header: &[&str], rows: Vec<Vec<String>>) -> ReportTable {
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
    format!("{} runs. Dense: {}; mixtures of experts: {}.", study.table.runs.len(), or_none(dense), or_none(mixtures))
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
                format!(
                    " ({}–{}× within {} architecture{})",
                    number(*first),
                    number(*last),
                    matched.len(),
                    if matched.len() == 1 { "" } else { "s" }
                )
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

fn spread(spread: Option<Spread>) -> String {
    spread.map_or_else(
        || "–".to_owned(),
        |spread| {
            if spread.low == spread.high {
                number(spread.mean)
            } else {
                format!("{} ({}–{})", number(spread.mean), number(spread.low), number(spread.high))
            }
        },
    )
}

/// The pooled dial: means, smallest and largest by rank.
pub fn dial_table(dial: &Dial) -> ReportTable {
    let rows = dial
        .points
        .iter()
        .map(|point| vec![short(point.rank), point.count.to_string(), spread(point.loss), spread(point.cache)]);
    table(&["down_dim_kv", "n", "loss", "cache MB"], rows.collect())
}

/// The loss over the dial, in a sentence.
pub fn dial_loss_title(dial: &Dial) -> String {
    match dial.best() {
        Some((best, loss)) => {
            let runs: usize = dial.points.iter().map(|point| point.count).sum();
            let alone = dial.points.iter().filter(|point| point.count == 1).count();
            format!(
                "Lowest mean loss {:.3} at a rank of {} (n = {}); {runs} runs, {alone} of {} ranks with a single one",
                loss.mean,
                short(best.rank),
                best.count,
                dial.points.len()
            )
        }
        None => "No run of latent attention has a loss".to_owned(),
    }
}

/// Where the pooled cache of latent attention meets that of others.
pub fn dial_cache_title(dial: &Dial, rule: Rule) -> String {
    let parts: Vec<String> = dial
        .references
        .iter()
        .filter_map(|reference| {
            let cache = reference.cache?;
            let at: Vec<String> = dial.meets(cache, rule).into_iter().map(number).collect();
            let at = if at.is_empty() { "nowhere in range".to_owned() } else { format!("at {}", at.join(", ")) };
            Some(format!("that of {} {at}", reference.attention))
        })
        .collect();
    if parts.is_empty() {
        return "Cache over the rank".to_owned();
    }
    format!("The mean cache of latent attention meets {}", parts.join(", "))
}

/// How the loss of one architecture goes with the rank.
pub fn slice_loss_title(dial: &SliceDial) -> String {
    let name = dial.slice.label();
    match dial.loss_trend() {
        Some((line, reach)) if line.slope.abs() > reach => format!(
            "{name}: loss {} by {:.1e} ± {:.0e} per unit of rank (n = {})",
            if line.slope < 0.0 { "falls" } else { "rises" },
            line.slope.abs(),
            reach,
            line.count
        ),
        Some((line, _)) => format!("{name}: no trend of the loss that {} runs could tell from none", line.count),
        None => format!("{name}: {} losses, too few for a line", dial.losses.len()),
    }
}

/// Where one architecture's latent cache meets other attention.
pub fn slice_title(dial: &SliceDial) -> String {
    let parts: Vec<String> = dial
        .equal
        .iter()
        .map(|equal| {
            let name = match equal.attention {
                AttentionType::Gqa => format!("GQA-{}", short(equal.kv_heads)),
                ref other => other.to_string(),
            };
            let beyond = |rank: f64| dial.points.iter().all(|point| point.rank < rank);
            match (&equal.crossings[..], equal.rank) {
                ([], Some(rank)) if rank <= 0.0 => format!("{name} at none, its cache is smaller than the rotary key"),
                ([], Some(rank)) if beyond(rank) => format!("{name} at {} (beyond the runs)", short(rank)),
                ([], Some(rank)) => format!("{name} at {} (by algebra)", short(rank)),
                ([], None) => format!("{name} nowhere in range"),
                (all, _) => {
                    let all: Vec<String> = all.iter().map(|at| number(*at)).collect();
                    format!("{name} at {}", all.join(" and "))
                }
            }
        })
        .collect();
    if parts.is_empty() {
        return format!("{}: no other attention to compare with", dial.slice.label());
    }
    format!("{}: rank of equal cache, {}", dial.slice.label(), parts.join(", "))
}

/// The equal caches of one architecture.
pub fn equal_table(dial: &SliceDial) -> ReportTable {
    let rows = dial.equal.iter().map(|equal| {
        vec![
            equal.attention.to_string(),
            short(equal.kv_heads),
            number(equal.elements),
            equal.rank.map_or_else(|| "–".to_owned(), short),
            if equal.crossings.is_empty() {
                "none in range".to_owned()
            } else {
                equal.crossings.iter().map(|at| number(*at)).collect::<Vec<_>>().join(", ")
            },
        ]
    });
    table(
        &["type", "key/value heads", "elements per token and layer", "rank by 2·K·h − rope", "rank by the runs"],
        rows.collect(),
    )
}

/// What lines through losses and caches of one architecture say.
pub fn slice_lines(dial: &SliceDial) -> Vec<String> {
    let mut lines = Vec::new();
    if dial.ropes.len() > 1 {
        let ropes: Vec<String> = dial.ropes.iter().map(|rope| short(*rope)).collect();
        lines.push(format!(
            "The runs have rotary keys of {} wide, so their caches do not follow from the rank alone.",
            ropes.join(", ")
        ));
    }
    if let Some(line) = dial.cache_line {
        lines.push(format!(
            "Cache {} + {} MB per unit of rank (R² {:.4}, n = {}){}.",
            number(line.intercept),
            number(line.slope),
            line.correlation.powi(2),
            line.count,
            dial.rope.map_or_else(String::new, |rope| format!(", a rotary key of {rope}"))
        ));
    }
    if let Some((line, reach)) = dial.loss_trend() {
        let verdict = if line.slope.abs() <= reach { ": no trend that the runs could tell from none" } else { "" };
        lines.push(format!(
            "Loss {:+.2e} ± {:.1e} per unit of rank (95 %, n = {}){verdict}.",
            line.slope, reach, line.count
        ));
    }
    lines
}

/// The name of a configuration of a sweep.
pub fn series_name(series: &BatchSeries) -> String {
    let attention = if series.label.contains(&series.attention) { "" } else { &series.attention };
    let prompt = if series.prompt.is_empty() { String::new() } else { format!(", prompts of {}", series.prompt) };
    format!("{}{}{attention}{prompt}", series.label, if attention.is_empty() { "" } else { " " })
}

/// What lines through the steps say of each configuration.
pub fn batch_sweep_table(sweep: &SweepTable) -> ReportTable {
    let rows = sweep.series.iter().map(|series| {
        let ends = match (series.points.first(), series.points.last()) {
            (Some(first), Some(last)) => format!("{}–{}", short(first.batch), short(last.batch)),
            _ => "–".to_owned(),
        };
        let dash = || "–".to_owned();
        let fit = series.fit;
        vec![
            series_name(series),
            if series.context.is_finite() { short(series.context) } else { dash() },
            series.points.len().to_string(),
            ends,
            fit.map_or_else(dash, |fit| number(fit.line.intercept)),
            fit.map_or_else(dash, |fit| {
                let reach = 1e3 * (fit.slope.1 - fit.line.slope);
                format!("{} ± {}", number(1e3 * fit.line.slope), number(reach))
            }),
            fit.map_or_else(dash, |fit| format!("{:.3}", fit.r_squared())),
            number_or_dash(fit.and_then(|fit| fit.bandwidth).map(|rate| rate / 1e9)),
            series.out_of_memory.iter().copied().reduce(f64::min).map_or_else(dash, short),
            fit.map_or("too few batches for a line", |fit| fit.growth.words()).to_owned(),
        ]
    });
    table(
        &[
            "configuration",
            "context",
            "n",
            "batches",
            "a, ms",
            "b, µs a sequence",
            "R²",
            "cache GB/s",
            "OOM from",
            "so",
        ],
        rows.collect(),
    )
}

/// What a sweep tells, in a sentence.
pub fn sweep_title(sweep: &SweepTable) -> String {
    let of = |growth: Growth| sweep.series.iter().filter(|s| s.fit.is_some_and(|fit| fit.growth == growth)).count();
    let parts = [
        (of(Growth::Grows), "growing with the batch"),
        (of(Growth::Flat), "overhead-bound"),
        (of(Growth::Open), "too uncertain to tell"),
        (of(Growth::Falls), "falling, which casts doubt on them"),
        (sweep.series.iter().filter(|series| series.fit.is_none()).count(), "with too few batches for a line"),
    ];
    let parts: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    format!("Steps of {} configurations: {}", sweep.series.len(), parts.join(", "))
}

fn sweep_cautions(sweep: &SweepTable) -> Vec<String> {
    let mut cautions: Vec<String> = sweep.dirty.iter().map(crate::insights::table::dirty_in_words).collect();
    if sweep.skipped > 0 {
        cautions.push(format!(
            "{} of {} rows are left out: without a batch or a cache, or with neither a step nor the mark of running out of memory",
            sweep.skipped, sweep.rows
        ));
    }
    cautions
}

/// The devices of a study.
pub fn devices(study: &ServingStudy) -> String {
    let gpus = study.deployment.tensor_parallel;
    if gpus == 1 { study.hardware.name.clone() } else { format!("{gpus}x {}", study.hardware.name) }
}

/// What the devices serve with each variant at a context.
pub fn serving_table(study: &ServingStudy, context: usize) -> ReportTable {
    let base = study.multi_head().and_then(|index| study.variants[index].at_device[context]);
    let rows = study.variants.iter().map(|variant| {
        let mut row = vec![
            format!("{}{}", variant.kind, if variant.own { " (its own)" } else { "" }),
            number(variant.weights.get() / 1e9),
            number(variant.token_bytes.get() / 1e3),
        ];
        match variant.at_device[context] {
            Some(point) => row.extend([
                point.fits.to_string(),
                point.sequences.to_string(),
                number(point.step.as_ms()),
                point.bound.name().to_owned(),
                number(point.per_sequence),
                number(point.total),
                number_or_dash(base.map(|base| point.total / base.total)),
                format!("{}×", number(point.linear / point.total)),
            ]),
            None => {
                let fits = variant.fits[context];
                row.push(if fits == 0 { "none".to_owned() } else { fits.to_string() });
                row.push(if fits == 0 { "does not fit" } else { "too slow" }.to_owned());
                row.resize(11, "–".to_owned());
            }
        }
        row
    });
    table(
        &[
            "attention",
            "weights GB",
            "cache KB a token",
            "fits",
            "runs",
            "step ms",
            "bound by",
            "tokens/s each",
            "total",
            "to MHA",
            "linear rule",
        ],
        rows.collect(),
    )
}

/// What a study found, in a sentence.
pub fn serving_title(study: &ServingStudy) -> String {
    let limit = study.slowest.map_or_else(String::new, |slowest| format!(" and {} tokens/s each", short(slowest)));
    let place = format!("{} at contexts of {}{limit}", devices(study), short(study.contexts[0]));
    let Some((best, point)) = study.best() else {
        let fits = study.variants.iter().any(|variant| variant.fits[0] > 0);
        return format!("{place}: {}", if fits { "every variant is too slow" } else { "no variant fits" });
    };
    let base = study.multi_head().map(|index| &study.variants[index]);
    let against = match base.map(|base| base.at_device[0]) {
        Some(Some(base)) if best.kind != crate::insights::VariantKind::MultiHead => {
            format!(", {}× MHA", number(point.total / base.total))
        }
        Some(None) if base.is_some_and(|base| base.fits[0] > 0) => ", and MHA is too slow".to_owned(),
        Some(None) => ", and MHA does not fit".to_owned(),
        _ => String::new(),
    };
    format!("{place}: {} serves most, {} tokens/s{against}", best.kind, number(point.total))
}

/// Up to where the speed of one sequence may be multiplied, a line for each variant.
pub fn linear_lines(study: &ServingStudy) -> Vec<String> {
    let line = |variant: &VariantCurve| match variant.linear_until {
        Some(1) => format!("{}: the linear rule promises over 10 % more from 2 sequences on", variant.kind),
        Some(most) => format!("{}: the linear rule promises over 10 % more beyond {most} sequences", variant.kind),
        None => format!("{}: the linear rule never promises 10 % more", variant.kind),
    };
    study.variants.iter().map(line).collect()
}

/// What a study assumes.
pub fn serving_basis(study: &ServingStudy) -> String {
    let rates = study.rates;
    let slo = study.slowest.map_or_else(String::new, |slowest| {
        format!(" Batches are kept so small that each sequence makes {} tokens/s.", short(slowest))
    });
    format!(
        "{} weights, {} cache; {} % of peak bandwidth, {} % of peak arithmetic, {} µs a step; caches get {} % of memory less weights and {} GB a device.{slo}",
        study.deployment.weight_precision,
        study.deployment.kv_precision,
        short(100.0 * rates.memory),
        short(100.0 * rates.compute),
        short((rates.overhead.get() * 1e7).round() / 10.0),
        short(100.0 * rates.usable),
        short(rates.reserve.get() / 1e9)
    )
}
