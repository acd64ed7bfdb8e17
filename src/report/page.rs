//! The self-contained HTML page of a study.

use std::fmt::Write;

use plotly::Plot;

use super::figure::Figure;
use super::number::number;
use crate::evaluation::{EvaluatedRow, Study};
use crate::prediction::Limit;

const STYLE: &str = include_str!("page.css");

/// Text made safe for HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// plotly.js in a script element, without the MathJax that the bundled sources carry behind it.
fn plotly_script() -> String {
    let sources = Plot::offline_js_sources();
    let end = sources.find("</script>").map_or(sources.len(), |at| at + "</script>".len());
    sources[..end].to_owned()
}

/// A page around figures: `body` stands before them.
pub fn page(title: &str, body: &str, figures: &[Figure]) -> String {
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n\
         <style>\n{STYLE}</style>\n{}\n</head>\n<body>\n<main>\n{body}",
        escaped(title),
        plotly_script()
    );
    for figure in figures {
        // Writing to a String cannot fail.
        let _ = write!(
            html,
            "<section>\n<h2>{}</h2>\n<p>{}</p>\n<div class=\"scroll\"><div class=\"figure{}\" style=\"height:{}px\">{}</div></div>\n</section>\n",
            escaped(&figure.title),
            escaped(&figure.caption),
            if figure.wide { " wide" } else { "" },
            figure.height,
            figure.plot.to_inline_html(Some(figure.id))
        );
    }
    html.push_str("</main>\n</body>\n</html>\n");
    html
}

/// The page of a study.
pub fn study_page(study: &Study, figures: &[Figure]) -> String {
    let title = format!("{} · {}", study.title, study.estimator.name());
    let body = format!(
        "<header>\n<h1>{}</h1>\n<p>{}. Estimator <b>{}</b>: {}.</p>\n</header>\n<section class=\"summary\">\n{}</section>\n\
         <section>\n<h2>Errors</h2>\n{}</section>\n<section>\n<h2>Parameters</h2>\n{}</section>\n\
         <section>\n<h2>Worst rows</h2>\n{}</section>\n<section>\n<h2>Data and fit</h2>\n{}</section>\n",
        escaped(&study.title),
        escaped(&study.system.title()),
        study.estimator.name(),
        escaped(study.estimator.summary()),
        summary(study),
        error_table(study),
        parameter_table(study),
        worst_table(study),
        provenance(study),
    );
    page(&title, &body, figures)
}

/// What the study says, in plain words.
fn summary(study: &Study) -> String {
    let errors = &study.optimized;
    let mut text = format!(
        "<p>Fitted to {} measured rows, the model misses the time between tokens (ITL) by {:.1} % and the time to \
         first token (TTFT) by {:.1} % on average, in the median by {:.1} % and {:.1} %.",
        study.rows.len(),
        errors.itl.mape_pct,
        errors.ttft.mape_pct,
        errors.itl.median_ape_pct,
        errors.ttft.median_ape_pct
    );
    let _ = write!(
        text,
        " Before the fit, with default parameters, it was {:.1} % and {:.1} %.</p>\n<p>",
        study.baseline.itl.mape_pct, study.baseline.ttft.mape_pct
    );
    match study.validation.and_then(|v| v.leave_one_workload_out) {
        Some(held_out) => {
            let _ = write!(
                text,
                "For a workload that it has not seen, expect {:.1} % for ITL and {:.1} % for TTFT (median {:.1} %): \
                 each workload predicted by a fit to the others.",
                held_out.itl.mape_pct, held_out.ttft.mape_pct, held_out.ttft.median_ape_pct
            );
        }
        None => text.push_str("Errors for workloads that it has not seen were not computed; those above flatter it."),
    }
    text.push_str("</p>\n<p>");
    let queued = study.rows.iter().filter(|row| row.predicted.limit != Limit::Clients).count();
    if queued > 0 {
        let _ = write!(text, "In {queued} rows requests queue because the server is full. ");
    }
    for caution in study.cautions() {
        let _ = write!(text, "</p>\n<p><b>Caution:</b> {}", escaped(&caution));
    }
    text.push_str("</p>\n");
    text
}

fn error_table(study: &Study) -> String {
    let mut html = "<div class=\"scroll\"><table>\n<tr><th></th><th colspan=\"4\">TTFT</th><th colspan=\"4\">ITL</th>\
                    <th colspan=\"2\">throughput</th></tr>\n<tr><th></th>"
        .to_owned();
    for _ in 0..2 {
        html.push_str("<th>MAPE %</th><th>median %</th><th>RMSE ms</th><th>bias %</th>");
    }
    html.push_str("<th>MAPE %</th><th>bias %</th></tr>\n");
    for (name, errors) in study.error_lines() {
        let _ = write!(html, "<tr><th>{name}</th>");
        for metric in [errors.ttft, errors.itl] {
            let _ = write!(
                html,
                "<td>{:.1}</td><td>{:.1}</td><td>{}</td><td>{:+.1}</td>",
                metric.mape_pct,
                metric.median_ape_pct,
                number(metric.rmse),
                metric.bias_pct
            );
        }
        match errors.throughput {
            Some(throughput) => {
                let _ = write!(html, "<td>{:.1}</td><td>{:+.1}</td>", throughput.mape_pct, throughput.bias_pct);
            }
            None => html.push_str("<td>–</td><td>–</td>"),
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</table></div>\n");
    html
}

fn parameter_table(study: &Study) -> String {
    let mut html = "<div class=\"scroll\"><table>\n<tr><th>parameter</th><th>unit</th><th>fitted</th><th>± error</th>\
                    <th>flag</th><th>start</th><th>bounds</th></tr>\n"
        .to_owned();
    for p in &study.fit.parameters {
        let _ = writeln!(
            html,
            "<tr><th>{}<span class=\"meaning\">{}</span></th><td>{}</td><td>{}</td><td>{}</td>\
             <td class=\"{}\">{}</td><td>{}</td><td>{} – {}</td></tr>",
            p.parameter.name,
            escaped(p.parameter.meaning),
            escaped(p.parameter.unit),
            number(p.value),
            p.std_error.map_or_else(|| "–".to_owned(), number),
            p.flag.name(),
            p.flag.name().replace('_', " "),
            number(p.start()),
            p.parameter.lower,
            p.parameter.upper,
        );
    }
    html.push_str("</table></div>\n");
    html
}

/// Who measured what, and how the fit was made.
fn provenance(study: &Study) -> String {
    let record = &study.record;
    let fitted_on = &record.fitted_on;
    let mut lines = Vec::new();
    if let Some(campaign) = &fitted_on.provenance.campaign {
        let version = campaign.engine_version.as_deref().unwrap_or("");
        let statistic = campaign.statistic.name();
        let note = campaign.note.as_deref().map_or_else(String::new, |note| format!("; {note}"));
        lines.push(("measured on", format!("{} {version}, {statistic} over requests{note}", campaign.engine)));
    }
    for source in &fitted_on.provenance.sources {
        lines.push(("source", format!("{} (read {}) {}", source.url, source.retrieved, source.note)));
    }
    let [input, output, clients] = [fitted_on.input_tokens, fitted_on.output_tokens, fitted_on.concurrency]
        .map(|[low, high]| format!("{low} – {high}"));
    lines.push(("fitted range", format!("input tokens {input}, output tokens {output}, concurrency {clients}")));
    let filters = [("rows kept", &fitted_on.rows_kept), ("rows left out", &fitted_on.rows_excluded)];
    for (name, filters) in filters.into_iter().filter(|(_, filters)| !filters.is_empty()) {
        lines.push((name, filters.join(" and ")));
    }
    lines.push(("measured file", format!("SHA-256 {}", fitted_on.measured_sha256)));
    let starts = record.starts.len();
    lines.push(("fit", format!("seed {}, {starts} starts, perfmodel {}", record.seed, record.perfmodel_version)));
    let mut html = "<dl>\n".to_owned();
    for (name, text) in lines {
        let _ = writeln!(html, "<dt>{name}</dt><dd>{}</dd>", escaped(&text));
    }
    html.push_str("</dl>\n");
    html
}

fn worst_table(study: &Study) -> String {
    let mut html = "<div class=\"scroll\"><table>\n<tr><th>input</th><th>output</th><th>concurrency</th>\
                    <th>TTFT measured ms</th><th>predicted</th><th>error %</th><th>ITL measured ms</th>\
                    <th>predicted</th><th>error %</th></tr>\n"
        .to_owned();
    for EvaluatedRow { measured, predicted } in study.worst_rows() {
        let row = EvaluatedRow { measured: *measured, predicted: *predicted };
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{:.1}</td><td>{:.1}</td><td>{:+.1}</td><td>{:.2}</td>\
             <td>{:.2}</td><td>{:+.1}</td></tr>",
            measured.workload.input_tokens(),
            measured.workload.output_tokens(),
            measured.workload.concurrency(),
            measured.ttft.as_ms(),
            predicted.ttft.as_ms(),
            row.ttft_error_pct(),
            measured.itl.as_ms(),
            predicted.itl.as_ms(),
            row.itl_error_pct()
        );
    }
    html.push_str("</table></div>\n");
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_plotly_alone() {
        let script = plotly_script();
        assert!(script.ends_with("</script>") && script.matches("</script>").count() == 1);
        assert!(script.len() > 3_000_000 && !script.contains("tex-svg"));
    }

    #[test]
    fn titles_cannot_break_the_page() {
        assert_eq!(escaped("<b> & \"c\""), "&lt;b&gt; &amp; &quot;c&quot;");
    }
}
