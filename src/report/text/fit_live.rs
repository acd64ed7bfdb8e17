//! A fit to live runs on the terminal.

use std::fmt::Write;

use super::{caution_lines, table, written_in_lines};
use crate::app::FitLiveAnswer;
use crate::calibration::Solution;
use crate::evaluation::live::{KindErrors, LiveStudy};
use crate::number::{number, number_or_dash, with_sign};

/// The runs, parameters, errors, where PoE breaks even and what to know.
pub fn text(answer: &FitLiveAnswer) -> String {
    let study = &answer.study;
    let mut text = String::new();
    for run in &study.runs {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}: {} on {}, {} rows", run.id, run.model_name, study.hardware, run.rows.len());
    }
    text += "\nParameters, shared by all variants\n";
    text += &parameters(&study.solution);
    text += "\nErrors by kind of row\n";
    text += &errors(study);
    if !study.break_even.is_empty() {
        text += "\nWhere product-of-experts decoding breaks even\n";
        text += &break_even(study);
    }
    text + &caution_lines(&answer.cautions) + &written_in_lines(&answer.files, answer.elapsed_s)
}

fn parameters(solution: &Solution) -> String {
    let rows = solution.parameters.iter().map(|p| {
        vec![
            p.parameter.name.to_owned(),
            p.parameter.owner.name().to_owned(),
            p.parameter.unit.to_owned(),
            number(p.parameter.default),
            number(p.value),
            number_or_dash(p.std_error),
            p.flag.name().replace('_', " "),
        ]
    });
    table(&["parameter", "owner", "unit", "prior", "fitted", "± error", "flag"], rows, 3..6)
}

fn errors(study: &LiveStudy) -> String {
    let mut lines: Vec<(String, &[KindErrors])> =
        vec![("priors, before the fit".to_owned(), &study.before), ("fitted, in sample".to_owned(), &study.after)];
    lines.extend(
        study.unseen.iter().map(|unseen| (format!("unseen, fitted to {}", unseen.seen), unseen.kinds.as_slice())),
    );
    let rows = lines.iter().flat_map(|(name, kinds)| {
        kinds.iter().enumerate().map(move |(index, kind)| {
            vec![
                if index == 0 { name.clone() } else { String::new() },
                kind.variant.name().to_owned(),
                kind.metric.name().to_owned(),
                kind.rows.to_string(),
                format!("{:.2}", kind.errors.mape_pct),
                number(kind.errors.rmse),
                with_sign(kind.errors.bias_pct, 2),
            ]
        })
    });
    table(&["", "variant", "metric", "rows", "MAPE %", "RMSE ms", "bias %"], rows, 3..7)
}

fn break_even(study: &LiveStudy) -> String {
    let share = |acceptance: Option<f64>| acceptance.map_or_else(|| "never".to_owned(), |a| format!("α ≥ {a:.3}"));
    let several = study.runs.len() > 1;
    let rows = study.break_even.iter().map(|point| {
        let gamma = point.gamma.to_string();
        vec![
            if several { format!("{} γ {gamma}", point.run) } else { gamma },
            format!("{:.3}", point.acceptance),
            number(point.measured.as_ms()),
            number(point.predicted.as_ms()),
            number(point.at_best.as_ms()),
            share(point.against_naive),
            share(point.against_baseline),
        ]
    });
    let header = [
        "γ",
        "acceptance α",
        "ms/token",
        "predicted",
        "predicted at α = 1",
        "no slower than hydra",
        "than the baseline",
    ];
    table(&header, rows, 0..5)
}
