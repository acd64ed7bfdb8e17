//! Measured steps over the batch, and what devices serve with each variant, as tables and findings.

use crate::insights::SweepTable;
use crate::insights::study::{ServingStudy, VariantCurve};
use crate::insights::sweep::{BatchSeries, Growth};
use crate::number::{number, number_or_dash, short};
use crate::report::tables::ReportTable;

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
    ReportTable::new(
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
    ReportTable::new(
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
    let place = format!("{} at contexts of {}{limit}", study.devices(), short(study.contexts[0]));
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
        study.deployment.formats.weights,
        study.deployment.formats.kv,
        short(100.0 * rates.memory),
        short(100.0 * rates.compute),
        short((rates.overhead.get() * 1e7).round() / 10.0),
        short(100.0 * rates.usable),
        short(rates.reserve.get() / 1e9)
    )
}
