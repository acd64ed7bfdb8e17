//! A fit on the terminal.

use std::fmt::Write;

use super::{caution_lines, error_rows, table, worst_rows, written_in_lines};
use crate::app::FitAnswer;
use crate::calibration::LEVEL;
use crate::evaluation::{Errors, GroupErrors, ScenarioStudy};
use crate::number::{number, with_sign};

/// Of more scenarios than this each has one line.
const MOST_IN_DETAIL: usize = 6;

const ERROR_HEADER: [&str; 6] = ["", "metric", "MAPE %", "median %", "RMSE ms, tok/s", "bias %"];

/// What was fitted, parameters, errors and what to know.
pub fn text(answer: &FitAnswer) -> String {
    let study = &answer.study;
    let mut text = String::new();
    // Writing to a String cannot fail.
    match study.scenarios.as_slice() {
        [only] => {
            let _ = writeln!(text, "{} · estimator {}", only.title, study.estimator.name());
            let _ = writeln!(text, "{}, {} rows\n", only.system.title(), only.rows.len());
        }
        several => {
            let rows: usize = several.iter().map(|scenario| scenario.rows.len()).sum();
            let _ = writeln!(
                text,
                "{} scenarios fitted together, {rows} rows · estimator {}",
                several.len(),
                study.estimator.name()
            );
            for scenario in several.iter().take(MOST_IN_DETAIL) {
                let _ = writeln!(text, " {}: {}", scenario.id, scenario.system.title());
            }
            if several.len() > MOST_IN_DETAIL {
                let _ = writeln!(text, " … and {} more, each with a line below", several.len() - MOST_IN_DETAIL);
            }
            text.push('\n');
        }
    }
    text += "Parameters\n";
    let header = ["parameter", "owner", "unit", "bounds", "prior", "fitted", "± error", "flag"];
    text += &table(
        &header,
        study.fit.parameters.iter().map(|p| {
            vec![
                study.parameter_label(p.parameter.name, p.campaign),
                p.parameter.owner.name().to_owned(),
                p.parameter.unit.to_owned(),
                format!("{} – {}", p.parameter.lower, p.parameter.upper),
                number(p.parameter.default),
                number(p.value),
                p.std_error.map_or_else(|| "–".to_owned(), number),
                p.flag.name().replace('_', " "),
            ]
        }),
        4..7,
    );
    if study.scenarios.len() > MOST_IN_DETAIL {
        text += "\nErrors of the fit, in sample\n";
        let lines = study.scenarios.iter().map(|s| (s.id.as_str(), s.rows.len(), &s.optimized));
        text += &one_line_each(lines);
    } else {
        for scenario in &study.scenarios {
            let name = if study.scenarios.len() > 1 { format!(" · {}", scenario.id) } else { String::new() };
            let _ = writeln!(text, "\nErrors{name}");
            text += &table(&ERROR_HEADER, error_rows(&scenario.error_lines()), 2..6);
            text += &coverage(scenario);
        }
    }
    if study.scenarios.len() > 1 {
        text += "\nErrors · all rows together\n";
        let [baseline, optimized] = study.together;
        let lines = [("defaults, before the fit", baseline), ("fitted, in sample", optimized)];
        text += &table(&ERROR_HEADER, error_rows(&lines), 2..6);
    }
    for left_out in &study.left_out {
        text += &left_out_table(left_out);
    }
    if let [only] = study.scenarios.as_slice() {
        text += "\nWorst rows\n";
        text += &worst_rows(&only.worst_rows(), only.load);
    }
    text += &caution_lines(&answer.cautions);
    if !answer.unknown.is_empty() {
        let _ = writeln!(text, "Left out, unknown here: {}", answer.unknown.join(", "));
    }
    text + &written_in_lines(&answer.files, answer.elapsed_s)
}

/// How well the intervals of left-out rows hold.
fn coverage(scenario: &ScenarioStudy) -> String {
    scenario.coverage.map_or_else(String::new, |coverage| {
        format!(
            " {:.0} % intervals of left-out workloads hold {:.1} % of TTFT and {:.1} % of ITL\n",
            100.0 * LEVEL,
            coverage.ttft_pct,
            coverage.itl_pct
        )
    })
}

/// A line of errors for each of many systems.
fn one_line_each<'a>(lines: impl Iterator<Item = (&'a str, usize, &'a Errors)>) -> String {
    let header = ["", "rows", "TTFT MAPE %", "median %", "bias %", "ITL MAPE %", "median %", "bias %"];
    let rows = lines.map(|(name, rows, errors)| {
        let mut row = vec![name.to_owned(), rows.to_string()];
        for metric in [errors.ttft, errors.itl] {
            row.push(format!("{:.2}", metric.mape_pct));
            row.push(format!("{:.2}", metric.median_ape_pct));
            row.push(with_sign(metric.bias_pct, 2));
        }
        row
    });
    table(&header, rows, 1..8)
}

fn left_out_table(left_out: &GroupErrors) -> String {
    let all: usize = left_out.groups.iter().map(|(_, rows, _)| rows).sum();
    let lines = left_out.groups.iter().map(|(name, rows, errors)| (name.as_str(), *rows, errors));
    let [ttft, itl] = left_out.mean_mape_pct();
    format!(
        "\nErrors of systems that the fit did not see, one {} left out\n{} mean over the groups: TTFT MAPE {ttft:.2} %, ITL MAPE {itl:.2} %\n",
        left_out.kind,
        one_line_each(lines.chain([("all rows", all, &left_out.all)]))
    )
}
