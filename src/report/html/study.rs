//! The page of a study: one fitted scenario, or several in a pool.

use std::fmt::Write;

use crate::app::{About, ResultKind};
use crate::calibration::{FittedScenario, LEVEL};
use crate::evaluation::{Errors, EvaluatedRow, ScenarioStudy, Study};
use crate::number::{number, with_sign};
use crate::prediction::Limit;
use crate::report::html::charts::{Rows, loss_history, scenario_figures};
use crate::report::html::coverage::coverage_figures;
use crate::report::html::figure::Figure;
use crate::report::html::page::{definitions, escaped, page, section, table};

/// A pool of more scenarios than this gets no figures for each: the page would grow past what a browser likes.
const MOST_DRAWN: usize = 6;

/// The figures of a study, in the order of the page.
pub fn study_figures(study: &Study) -> Vec<Figure> {
    let mut figures = Vec::new();
    let several = study.scenarios.len() > 1;
    for (index, scenario) in study.scenarios.iter().enumerate() {
        if study.scenarios.len() > MOST_DRAWN {
            break;
        }
        let prefix = if several { format!("s{}_", index + 1) } else { String::new() };
        let suffix = if several { format!(" · {}", scenario.id) } else { String::new() };
        let rows = Rows { prefix: &prefix, suffix: &suffix, load: scenario.load, rows: &scenario.rows };
        figures.extend(scenario_figures(rows));
        if !scenario.covered.is_empty() {
            figures.extend(coverage_figures(&prefix, &suffix, &scenario.covered));
        }
    }
    figures.push(loss_history(&study.fit));
    figures
}

/// The page of a study.
pub fn study_page(study: &Study, figures: &[Figure]) -> String {
    let (title, below) = match study.scenarios.as_slice() {
        [only] => (only.title.clone(), only.system.title()),
        several => (format!("{} scenarios fitted together", several.len()), study.id.clone()),
    };
    let title = format!("{title} · {}", study.estimator.name());
    let below = format!("{below}. Estimator {}: {}.", study.estimator.name(), study.estimator.summary());
    let paragraphs: Vec<String> = study.scenarios.iter().flat_map(|scenario| in_words(study, scenario)).collect();
    let about = About { kind: ResultKind::Fit, title, below, findings: paragraphs, cautions: study.cautions() };
    let mut body = String::new();
    let errors: String =
        study.scenarios.iter().map(|scenario| named(study, scenario, &error_table(&scenario.error_lines()))).collect();
    body += &section("Errors", &errors);
    body += &section("Parameters", &parameter_table(study));
    let worst: String =
        study.scenarios.iter().map(|scenario| named(study, scenario, &worst_table(&scenario.worst_rows()))).collect();
    body += &section("Worst rows", &worst);
    body += &section("Data and fit", &provenance(study));
    page(&about, &body, figures)
}

/// A piece of a scenario, with its name where there are several.
fn named(study: &Study, scenario: &ScenarioStudy, html: &str) -> String {
    if study.scenarios.len() > 1 { format!("<p>{}</p>\n{html}", escaped(&scenario.id)) } else { html.to_owned() }
}

/// What a scenario's errors say, in plain words.
fn in_words(study: &Study, scenario: &ScenarioStudy) -> Vec<String> {
    let errors = &scenario.optimized;
    let subject = if study.scenarios.len() > 1 { format!("{}: f", scenario.id) } else { "F".to_owned() };
    let mut paragraphs = vec![format!(
        "{subject}itted to {} measured rows, the model misses the time between tokens (ITL) by {:.1} % and the time to \
         first token (TTFT) by {:.1} % on average, in the median by {:.1} % and {:.1} %. Before the fit, from the priors \
         alone, it was {:.1} % and {:.1} %.",
        scenario.rows.len(),
        errors.itl.mape_pct,
        errors.ttft.mape_pct,
        errors.itl.median_ape_pct,
        errors.ttft.median_ape_pct,
        scenario.baseline.itl.mape_pct,
        scenario.baseline.ttft.mape_pct
    )];
    paragraphs.push(match scenario.validation.and_then(|v| v.leave_one_workload_out) {
        Some(held_out) => format!(
            "For a workload that it has not seen, expect {:.1} % for ITL and {:.1} % for TTFT (median {:.1} %): each \
             workload predicted by a fit to the others.",
            held_out.itl.mape_pct, held_out.ttft.mape_pct, held_out.ttft.median_ape_pct
        ),
        None => "Errors for workloads that it has not seen were not computed; those above flatter it.".to_owned(),
    });
    let queued = scenario.rows.iter().filter(|row| row.predicted.limit != Limit::Clients).count();
    if queued > 0 {
        paragraphs.push(format!("In {queued} rows requests queue because the server is full."));
    }
    paragraphs
}

/// Errors by what the predictions have seen.
pub fn error_table(lines: &[(&str, Errors)]) -> String {
    let mut html = "<div class=\"scroll\"><table>\n<tr><th></th><th colspan=\"4\">TTFT</th><th colspan=\"4\">ITL</th>\
                    <th colspan=\"2\">throughput</th></tr>\n<tr><th></th>"
        .to_owned();
    for _ in 0..2 {
        html.push_str("<th>MAPE %</th><th>median %</th><th>RMSE ms</th><th>bias %</th>");
    }
    html.push_str("<th>MAPE %</th><th>bias %</th></tr>\n");
    for (name, errors) in lines {
        // Writing to a String cannot fail.
        let _ = write!(html, "<tr><th>{}</th>", escaped(name));
        for metric in [errors.ttft, errors.itl] {
            let _ = write!(
                html,
                "<td>{:.1}</td><td>{:.1}</td><td>{}</td><td>{}</td>",
                metric.mape_pct,
                metric.median_ape_pct,
                number(metric.rmse),
                with_sign(metric.bias_pct, 1)
            );
        }
        match errors.throughput {
            Some(throughput) => {
                let bias = with_sign(throughput.bias_pct, 1);
                let _ = write!(html, "<td>{:.1}</td><td>{bias}</td>", throughput.mape_pct);
            }
            None => html.push_str("<td>–</td><td>–</td>"),
        }
        html.push_str("</tr>\n");
    }
    html + "</table></div>\n"
}

fn parameter_table(study: &Study) -> String {
    let mut html = "<div class=\"scroll\"><table>\n<tr><th>parameter</th><th>owner</th><th>unit</th><th>fitted</th>\
                    <th>± error</th><th>flag</th><th>prior</th><th>bounds</th></tr>\n"
        .to_owned();
    for p in &study.fit.parameters {
        let _ = writeln!(
            html,
            "<tr><th>{}<span class=\"meaning\">{}</span></th><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td class=\"{}\">{}</td><td>{}</td><td>{} – {}</td></tr>",
            escaped(&study.parameter_label(p.parameter.name, p.campaign)),
            escaped(p.parameter.meaning),
            p.parameter.owner.name(),
            escaped(p.parameter.unit),
            number(p.value),
            p.std_error.map_or_else(|| "–".to_owned(), number),
            p.flag.name(),
            p.flag.name().replace('_', " "),
            number(p.parameter.default),
            p.parameter.lower,
            p.parameter.upper,
        );
    }
    html + "</table></div>\n"
}

/// The rows with the largest errors.
pub fn worst_table(rows: &[&EvaluatedRow]) -> String {
    let header = [
        "input",
        "output",
        "load",
        "TTFT measured ms",
        "predicted",
        "error %",
        "ITL measured ms",
        "predicted",
        "error %",
    ];
    table(
        &header,
        rows.iter().map(|row| {
            let (workload, predicted) = (&row.measured.workload, &row.predicted);
            vec![
                workload.input_tokens().to_string(),
                workload.output_tokens().to_string(),
                workload.amount().to_string(),
                format!("{:.1}", row.measured.ttft.as_ms()),
                format!("{:.1}", predicted.ttft.as_ms()),
                with_sign(row.ttft_error_pct(), 1),
                format!("{:.2}", row.measured.itl.as_ms()),
                format!("{:.2}", predicted.itl.as_ms()),
                with_sign(row.itl_error_pct(), 1),
            ]
        }),
    )
}

/// Who measured what, and how the fit was made.
fn provenance(study: &Study) -> String {
    let record = &study.record;
    let mut lines: Vec<(String, String)> = record.scenarios.iter().flat_map(scenario_provenance).collect();
    for (name, filters) in [("rows kept", &record.rows_kept), ("rows left out", &record.rows_excluded)] {
        if !filters.is_empty() {
            lines.push((name.to_owned(), filters.join(" and ")));
        }
    }
    let starts = record.starts.len();
    lines.push((
        "fit".to_owned(),
        format!("seed {}, {starts} starts, perfmodel {}", record.seed, record.perfmodel_version),
    ));
    definitions(&lines)
}

/// Where the data of a scenario come from.
pub fn scenario_provenance(scenario: &FittedScenario) -> Vec<(String, String)> {
    let mut lines = vec![("scenario".to_owned(), format!("{}, {} rows", scenario.scenario, scenario.rows))];
    if let Some(campaign) = &scenario.provenance.campaign {
        let version = campaign.engine_version.as_deref().unwrap_or("");
        let statistic = campaign.statistic.name();
        let note = campaign.note.as_deref().map_or_else(String::new, |note| format!("; {note}"));
        lines.push((
            "measured on".to_owned(),
            format!("{} {version}, {statistic} over requests, {}{note}", campaign.engine, campaign.load),
        ));
    }
    for source in &scenario.provenance.sources {
        lines.push(("source".to_owned(), format!("{} (read {}) {}", source.url, source.retrieved, source.note)));
    }
    let [input, output, load] = [scenario.input_tokens, scenario.output_tokens, scenario.load_range]
        .map(|[low, high]| format!("{low} – {high}"));
    lines.push((
        "fitted range".to_owned(),
        format!("input tokens {input}, output tokens {output}, {} {load}", scenario.load.axis()),
    ));
    if let Some(coverage) = &scenario.coverage {
        lines.push((
            "intervals".to_owned(),
            format!(
                "{:.0} % intervals hold {:.0} % of the left-out TTFT and {:.0} % of the left-out ITL",
                100.0 * LEVEL,
                coverage.ttft_pct,
                coverage.itl_pct
            ),
        ));
    }
    lines.push(("measured file".to_owned(), format!("SHA-256 {}", scenario.measured_sha256)));
    lines
}
