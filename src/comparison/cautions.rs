//! What a reader must know before trusting a comparison.

use super::{Comparison, Side};
use crate::requests::Dimension;

/// Share of answers that arrived in one piece from which TPOT is in doubt.
const IN_ONE_PIECE: f64 = 0.01;

/// Share of failed requests from which the latencies of the others are in doubt.
const FAILED: f64 = 0.05;

/// Below this p value TPOT depends on the length of the answer.
const DEPENDS: f64 = 0.01;

/// What a reader must know, the gravest first; [`reasoning_caution`] stands by itself, since it is one for all levels of a load test.
pub fn cautions(sides: &[Side], comparison: &Comparison) -> Vec<String> {
    let mut cautions: Vec<String> =
        sides.iter().flat_map(|side| side.runs.iter().flat_map(|run| run.warnings.clone())).collect();
    let first = &sides[0];
    for (side, similarity) in sides[1..].iter().zip(&comparison.similarity) {
        if let (Some(a), Some(b)) = (first.clients(), side.clients())
            && a != b
        {
            cautions.push(format!(
                "{} had {a} clients and {} {b}: latencies depend on the load, so this compares loads, not servers",
                first.name, side.name
            ));
        }
        if let (Some(clients), None, known, unknown) | (None, Some(clients), unknown, known) =
            (first.clients(), side.clients(), &first.name, &side.name)
        {
            cautions.push(format!(
                "{known} had {clients} clients and {unknown} does not say how many, or was sent at a rate: under unlike loads this compares \
                 loads, not servers"
            ));
        }
        for tokens in similarity.iter().filter(|tokens| !tokens.is_similar()) {
            cautions.push(format!(
                "the runs were not asked the same: {} of {} have a median of {}, of {} {} (ratio {:.3}, Kolmogorov–Smirnov D {:.3}, \
                 p {:.1e})",
                tokens.dimension.label(),
                first.name,
                tokens.medians[0],
                side.name,
                tokens.medians[1],
                tokens.median_ratio(),
                tokens.ks.distance,
                tokens.ks.p
            ));
        }
    }
    for (index, side) in sides.iter().enumerate() {
        cautions.extend(of_side(side, comparison, index));
    }
    cautions
}

/// Says so where answers of a side hold tokens of reasoning; `answers` is how many do.
pub fn reasoning_caution(name: &str, answers: usize) -> Option<String> {
    (answers > 0).then(|| {
        format!(
            "{name}: {answers} answers hold tokens of reasoning; those sent before the first visible token lengthen TTFT and shorten TPOT"
        )
    })
}

fn of_side(side: &Side, comparison: &Comparison, index: usize) -> Vec<String> {
    let mut cautions = Vec::new();
    let counts = side.counts();
    let name = &side.name;
    if counts.failed as f64 > FAILED * counts.rows as f64 {
        cautions.push(format!(
            "{name}: {} of {} requests failed; latencies are of those that were answered",
            counts.failed, counts.rows
        ));
    }
    if counts.backwards > 0 {
        cautions.push(format!(
            "{name}: of {} requests the last token comes before the first; their times cannot be",
            counts.backwards
        ));
    }
    let pieces = counts.zero_tpot + counts.near_zero_tpot;
    if pieces as f64 > IN_ONE_PIECE * counts.rows as f64 {
        cautions.push(format!(
            "{name}: {pieces} answers arrived (nearly) in one piece, so their TPOT says nothing of the time between tokens"
        ));
    }
    let compares_tpot = comparison.dimensions.iter().any(|study| study.dimension == Dimension::TimePerOutputToken);
    if let Some((rho, p)) = comparison.tpot_over_length[index].filter(|(_, p)| *p < DEPENDS && compares_tpot) {
        cautions.push(format!(
            "{name}: TPOT depends on the length of the answer (Spearman {rho:+.2}, p {p:.1e}), so other lengths would give another TPOT"
        ));
    }
    for study in &comparison.dimensions {
        let Some(sample) = &study.sides[index] else {
            cautions.push(format!("{name}: fewer than two requests have a {}", study.dimension.label()));
            continue;
        };
        // Neighbours of independent values correlate by more than this in one of a thousand samples.
        let limit = 3.3 / (sample.sample.sorted.len() as f64).sqrt();
        if let Some(lag) = sample.lag_one.filter(|lag| lag.abs() > limit) {
            cautions.push(format!(
                "{name}: neighbouring requests have a similar {} (lag-1 autocorrelation {lag:.2}), so intervals for independent requests \
                 are too narrow; see --block",
                study.dimension.label()
            ));
        }
    }
    cautions
}
