//! The rank of latent attention, over all architectures and within each, as tables and findings.

use crate::insights::dial::{Dial, SliceDial, Spread};
use crate::insights::{AttentionType, Rule};
use crate::number::{counted, number, short};
use crate::report::tables::ReportTable;

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
    ReportTable::new(&["down_dim_kv", "n", "loss", "cache MB"], rows.collect())
}

/// The loss over the dial, in a sentence.
pub fn dial_loss_title(dial: &Dial) -> String {
    match dial.best() {
        Some((best, loss)) => {
            let runs: usize = dial.points.iter().map(|point| point.count).sum();
            let alone = dial.points.iter().filter(|point| point.count == 1).count();
            format!(
                "Lowest mean loss {:.3} at a rank of {} (n = {}); {}, {alone} of {} with a single one",
                loss.mean,
                short(best.rank),
                best.count,
                counted(runs, "run"),
                counted(dial.points.len(), "rank")
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
    ReportTable::new(
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
