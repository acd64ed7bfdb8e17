//! What `perfmodel fit` prints.

use std::fmt::Write;
use std::path::PathBuf;

use serde::Serialize;

use crate::calibration::{Coverage, ErrorSummary, Flag, LEVEL};
use crate::evaluation::{Errors, GroupErrors, ScenarioStudy, Study};
use crate::number::{number, with_sign};
use crate::parameter::Owner;
use crate::report::text::{caution_lines, error_rows, table, worst_rows};

/// Of more scenarios than this each has one line.
const MOST_IN_DETAIL: usize = 6;

const ERROR_HEADER: [&str; 6] = ["", "metric", "MAPE %", "median %", "RMSE ms, tok/s", "bias %"];

/// The JSON object on stdout; docs/schema/fit.schema.json describes it.
#[derive(Debug, Serialize)]
pub struct FitOutput {
    #[serde(flatten)]
    of: Fitted,
    estimator: &'static str,
    seed: u64,
    parameters: Vec<ParameterOutput>,
    left_out: Vec<LeftOutOutput>,
    files: Vec<PathBuf>,
    elapsed_s: f64,
}

/// One scenario as ever, or several in a list.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Fitted {
    One(Box<ScenarioOutput>),
    Several { scenarios: Vec<ScenarioOutput>, together: TogetherOutput },
}

/// Errors over the rows of all scenarios.
#[derive(Debug, Serialize)]
struct TogetherOutput {
    rows: usize,
    baseline: ErrorSummary,
    optimized: ErrorSummary,
}

/// Errors of systems that fits did not see.
#[derive(Debug, Serialize)]
struct LeftOutOutput {
    by: &'static str,
    errors: ErrorSummary,
    mean_ttft_mape_pct: f64,
    mean_itl_mape_pct: f64,
    groups: Vec<GroupOutput>,
}

#[derive(Debug, Serialize)]
struct GroupOutput {
    name: String,
    rows: usize,
    errors: ErrorSummary,
}

#[derive(Debug, Serialize)]
struct ScenarioOutput {
    scenario: String,
    rows: usize,
    baseline: ErrorSummary,
    optimized: ErrorSummary,
    validation: Option<ValidationOutput>,
    coverage: Option<Coverage>,
}

#[derive(Debug, Serialize)]
struct ValidationOutput {
    leave_one_workload_out: Option<ErrorSummary>,
    leave_one_concurrency_out: Option<ErrorSummary>,
}

#[derive(Debug, Serialize)]
struct ParameterOutput {
    name: &'static str,
    owner: Owner,
    /// The scenario whose own it is; null where all share it.
    scenario: Option<String>,
    unit: &'static str,
    lower: f64,
    upper: f64,
    start: f64,
    value: f64,
    std_error: Option<f64>,
    flag: Flag,
}

/// The object of a study.
pub fn output(study: &Study, files: Vec<PathBuf>, elapsed_s: f64) -> FitOutput {
    let mut scenarios: Vec<ScenarioOutput> = study
        .scenarios
        .iter()
        .zip(&study.record.scenarios)
        .map(|(scenario, recorded)| ScenarioOutput {
            scenario: scenario.id.clone(),
            rows: scenario.rows.len(),
            baseline: scenario.baseline.summary(),
            optimized: scenario.optimized.summary(),
            validation: scenario.validation.map(|v| ValidationOutput {
                leave_one_workload_out: v.leave_one_workload_out.map(|errors| errors.summary()),
                leave_one_concurrency_out: v.leave_one_concurrency_out.map(|errors| errors.summary()),
            }),
            coverage: recorded.coverage,
        })
        .collect();
    let several = scenarios.len() > 1;
    FitOutput {
        of: if several {
            let [baseline, optimized] = study.together.map(|errors| errors.summary());
            let rows = scenarios.iter().map(|scenario| scenario.rows).sum();
            Fitted::Several { scenarios, together: TogetherOutput { rows, baseline, optimized } }
        } else {
            Fitted::One(Box::new(scenarios.remove(0)))
        },
        estimator: study.estimator.name(),
        seed: study.record.seed,
        parameters: study
            .fit
            .parameters
            .iter()
            .map(|p| ParameterOutput {
                name: p.parameter.name,
                owner: p.parameter.owner,
                scenario: p.campaign.map(|campaign| study.campaign_name(campaign).to_owned()),
                unit: p.parameter.unit,
                lower: p.parameter.lower,
                upper: p.parameter.upper,
                start: p.start(),
                value: p.value,
                std_error: p.std_error,
                flag: p.flag,
            })
            .collect(),
        left_out: study.left_out.iter().map(left_out_output).collect(),
        files,
        elapsed_s,
    }
}

fn left_out_output(left_out: &GroupErrors) -> LeftOutOutput {
    let [mean_ttft_mape_pct, mean_itl_mape_pct] = left_out.mean_mape_pct();
    LeftOutOutput {
        by: left_out.kind.name(),
        errors: left_out.all.summary(),
        mean_ttft_mape_pct,
        mean_itl_mape_pct,
        groups: left_out
            .groups
            .iter()
            .map(|(name, rows, errors)| GroupOutput { name: name.clone(), rows: *rows, errors: errors.summary() })
            .collect(),
    }
}

/// The report on the terminal.
pub fn text(study: &Study) -> String {
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
            text += &coverage(study, scenario);
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
    text += &caution_lines(&study.cautions());
    text
}

/// How well the intervals of left-out rows hold.
fn coverage(study: &Study, scenario: &ScenarioStudy) -> String {
    let recorded = study.record.scenarios.iter().find(|recorded| recorded.scenario == scenario.id);
    recorded.and_then(|recorded| recorded.coverage).map_or_else(String::new, |coverage| {
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
