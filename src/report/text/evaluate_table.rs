//! The evaluation of a table on the terminal and as CSV.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{csv_text, table, written_in_lines};
use crate::app::{EvaluateTableAnswer, PredictedRow, TableErrors};
use crate::number::{counted, number_or_dash};

/// Refused reasons that are shown; JSON has all.
const REASONS: usize = 8;

/// Errors pooled and by cell, and what was refused.
pub fn text(answer: &EvaluateTableAnswer) -> String {
    let mut text = match &answer.calibration {
        Some(path) => format!("Predicted by {}\n", path.display()),
        None => "UNCALIBRATED: predicted by the priors alone (priors.toml)\n".to_owned(),
    };
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{} of {} predicted\n", answer.predicted, counted(answer.rows, "row"));
    let all = ["all".to_owned(), String::new(), String::new(), String::new()];
    let rows = std::iter::once(line(all, answer.predicted, &answer.errors)).chain(answer.cells.iter().map(|cell| {
        let engine = cell.engine.clone().unwrap_or_default();
        let names = [cell.model.clone(), cell.hardware.clone(), engine, cell.weight_precision.to_string()];
        line(names, cell.rows, &cell.errors)
    }));
    let header = [
        "model",
        "hardware",
        "engine",
        "weights",
        "rows",
        "ITL MAPE %",
        "median",
        "bias",
        "TTFT MAPE %",
        "median",
        "bias",
    ];
    text += &table(&header, rows, 4..11);
    text += " Rows that are marked unexplained, and TTFT that is marked as not trusted, do not count\n";
    text += &refused(answer);
    text + &written_in_lines(&answer.files, answer.elapsed_s)
}

fn line(names: [String; 4], rows: usize, errors: &TableErrors) -> Vec<String> {
    let figures = [
        errors.itl_mape_pct,
        errors.itl_median_ape_pct,
        errors.itl_bias_pct,
        errors.ttft_mape_pct,
        errors.ttft_median_ape_pct,
        errors.ttft_bias_pct,
    ];
    names.into_iter().chain([rows.to_string()]).chain(figures.map(number_or_dash)).collect()
}

/// Why rows were refused, the most frequent reasons first.
fn refused(answer: &EvaluateTableAnswer) -> String {
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for row in &answer.refused {
        *reasons.entry(&row.reason).or_default() += 1;
    }
    let mut reasons: Vec<(&str, usize)> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
    let mut text = String::new();
    if !reasons.is_empty() {
        text += "\nNot predicted\n";
    }
    for (reason, rows) in reasons.iter().take(REASONS) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, " {}: {reason}", counted(*rows, "row"));
    }
    if reasons.len() > REASONS {
        let _ = writeln!(text, " and {} more reasons (--format json has every row)", reasons.len() - REASONS);
    }
    text
}

/// Every predicted row as CSV.
pub fn csv(answer: &EvaluateTableAnswer) -> String {
    let header = [
        "line",
        "system",
        "input_tokens",
        "output_tokens",
        "load",
        "ttft_measured_ms",
        "ttft_predicted_ms",
        "ttft_low_ms",
        "ttft_high_ms",
        "itl_measured_ms",
        "itl_predicted_ms",
        "itl_low_ms",
        "itl_high_ms",
        "counts",
        "ttft_counts",
    ];
    csv_text(&header, answer.predictions.iter().map(cells))
}

fn cells(row: &PredictedRow) -> Vec<String> {
    let (workload, forecast) = (&row.measured.workload, &row.forecast);
    let times = [
        row.measured.ttft,
        forecast.prediction.ttft,
        forecast.ttft.low,
        forecast.ttft.high,
        row.measured.itl,
        forecast.prediction.itl,
        forecast.itl.low,
        forecast.itl.high,
    ];
    let flags = [row.trust.explained, row.trust.explained && row.trust.ttft];
    [row.measured.line.to_string(), row.system.clone()]
        .into_iter()
        .chain([workload.input_tokens(), workload.output_tokens(), workload.amount()].map(|value| value.to_string()))
        .chain(times.map(|time| time.as_ms().to_string()))
        .chain(flags.map(|counts| u8::from(counts).to_string()))
        .collect()
}
