//! An evaluation on the terminal.

use std::fmt::Write;

use super::{caution_lines, error_rows, table, worst_rows, written_in_lines};
use crate::app::EvaluateAnswer;
use crate::calibration::LEVEL;
use crate::evaluation::worst_of;
use crate::number::number;

/// What was predicted from what, parameters, errors of every refit and what to know.
pub fn text(answer: &EvaluateAnswer) -> String {
    let study = &answer.study;
    let mut text = String::new();
    let asked = study.asked();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{} · estimator {}", study.member.title, study.estimator.name());
    let _ = writeln!(text, "{}, {} rows", study.member.system.title(), study.rows.len());
    let _ = match &answer.calibration {
        Some(path) => writeln!(text, "predicted by {}\n", path.display()),
        None if asked.forecaster.has_priors() => {
            writeln!(text, "UNCALIBRATED: predicted by the priors alone (priors.toml)\n")
        }
        None => writeln!(text, "UNCALIBRATED: predicted by the formulas alone\n"),
    };
    let _ = writeln!(text, "Parameters · {}", asked.name());
    let forecaster = &asked.forecaster;
    let carried = forecaster.carried();
    text += &table(
        &["parameter", "owner", "unit", "value", "± %", "from"],
        forecaster.parameters().iter().enumerate().map(|(index, p)| {
            vec![
                p.name.to_owned(),
                p.owner.name().to_owned(),
                p.unit.to_owned(),
                number(carried.values[index]),
                format!("{:.0}", 100.0 * carried.covariance[(index, index)].sqrt()),
                carried.origins[index].name().to_owned(),
            ]
        }),
        3..5,
    );
    text += "\nErrors\n";
    let names: Vec<String> = study.variants.iter().map(|variant| variant.name()).collect();
    let lines: Vec<_> =
        names.iter().zip(&study.variants).map(|(name, variant)| (name.as_str(), variant.errors)).collect();
    text += &table(&["", "metric", "MAPE %", "median %", "RMSE ms, tok/s", "bias %"], error_rows(&lines), 2..6);
    if study.variants.len() > 1 {
        text += " What was refitted has seen these rows: errors after a refit are in sample\n";
    }
    let [ttft, itl] = study.interval_coverage_pct();
    let _ = writeln!(
        text,
        " {:.0} % intervals ({}) hold {ttft:.1} % of TTFT and {itl:.1} % of ITL",
        100.0 * LEVEL,
        asked.name()
    );
    let _ = writeln!(text, "\nWorst rows · {}", asked.name());
    text += &worst_rows(&worst_of(&study.rows), study.member.load);
    text + &caution_lines(&answer.cautions) + &written_in_lines(&answer.files, answer.elapsed_s)
}
