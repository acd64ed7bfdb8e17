//! The CSV files of a study.

use crate::error::{Error, Result};
use crate::evaluation::live::{LiveMetric, LiveRow, LiveStudy};
use crate::evaluation::{EvaluatedRow, Study};
use crate::prediction::Part;

/// Measured rows of one scenario, with the estimator's own columns.
pub struct TableRows<'a> {
    /// The scenario.
    pub scenario: &'a str,
    /// Name of the column that holds the load.
    pub load_column: &'static str,
    /// The rows.
    pub rows: &'a [EvaluatedRow],
    /// Columns that only the estimator has, row by row.
    pub extra: Vec<Vec<(&'static str, f64)>>,
}

/// `evaluation.csv`: every row with its prediction, errors, breakdown and the estimator's own columns. Rows of several
/// scenarios carry the name of theirs.
pub fn evaluation(scenarios: &[TableRows<'_>]) -> Result<Vec<u8>> {
    let rows: Vec<&EvaluatedRow> = scenarios.iter().flat_map(|scenario| scenario.rows).collect();
    let mut table = Columns { rows: &rows, columns: Vec::new() };
    if scenarios.len() > 1 {
        let names = scenarios.iter().flat_map(|s| std::iter::repeat_n(s.scenario, s.rows.len()));
        table.columns.push(text_column("scenario", names));
    }
    table.number("input_tokens", |row| row.measured.workload.input_tokens());
    table.number("output_tokens", |row| row.measured.workload.output_tokens());
    let mut load = scenarios.iter().map(|scenario| scenario.load_column);
    let first = load.next().unwrap_or("load");
    table.number(if load.all(|name| name == first) { first } else { "load" }, |row| row.measured.workload.amount());
    table.number("ttft_ms", |row| row.measured.ttft.as_ms());
    table.number("itl_ms", |row| row.measured.itl.as_ms());
    table.optional("throughput_tok_s", |row| Some(row.measured.throughput?.get()));
    table.number("ttft_predicted_ms", |row| row.predicted.ttft.as_ms());
    table.number("itl_predicted_ms", |row| row.predicted.itl.as_ms());
    table.number("throughput_predicted_tok_s", |row| row.predicted.throughput.get());
    table.number("ttft_difference_ms", |row| (row.predicted.ttft - row.measured.ttft).as_ms());
    table.number("itl_difference_ms", |row| (row.predicted.itl - row.measured.itl).as_ms());
    table.number("ttft_error_pct", EvaluatedRow::ttft_error_pct);
    table.number("itl_error_pct", EvaluatedRow::itl_error_pct);
    table.optional("throughput_error_pct", EvaluatedRow::throughput_error_pct);
    table.number("ttft_low_90pct_ms", |row| row.ttft_interval.low.as_ms());
    table.number("ttft_high_90pct_ms", |row| row.ttft_interval.high.as_ms());
    table.number("itl_low_90pct_ms", |row| row.itl_interval.low.as_ms());
    table.number("itl_high_90pct_ms", |row| row.itl_interval.high.as_ms());
    table.number("running_sequences", |row| row.predicted.running);
    table.number("waiting_requests", |row| row.predicted.waiting);
    for part in Part::ALL {
        for (metric, parts) in [
            ("ttft", (|row: &EvaluatedRow| row.predicted.ttft_parts) as fn(&EvaluatedRow) -> _),
            ("itl", |row: &EvaluatedRow| row.predicted.itl_parts),
        ] {
            if rows.iter().any(|row| parts(row).get(part).get() != 0.0) {
                table.number(&format!("{metric}_{}_ms", part.key()), |row| parts(row).get(part).as_ms());
            }
        }
    }
    table.columns.push(text_column("roof", rows.iter().map(|row| row.predicted.roof.name())));
    table.columns.push(text_column("limit", rows.iter().map(|row| row.predicted.limit.name())));
    let extra: Vec<&Vec<(&'static str, f64)>> = scenarios.iter().flat_map(|scenario| &scenario.extra).collect();
    for index in 0..extra.first().map_or(0, |columns| columns.len()) {
        let name = extra[0][index].0;
        table.columns.push(number_column(name, extra.iter().map(|row| Some(row[index].1))));
    }
    csv(table.columns)
}

/// Columns that are computed from rows.
struct Columns<'a> {
    rows: &'a [&'a EvaluatedRow],
    columns: Vec<Column>,
}

impl Columns<'_> {
    fn number(&mut self, name: &str, value: impl Fn(&EvaluatedRow) -> f64) {
        self.optional(name, |row| Some(value(row)));
    }

    fn optional(&mut self, name: &str, value: impl Fn(&EvaluatedRow) -> Option<f64>) {
        self.columns.push(number_column(name, self.rows.iter().map(|row| value(row))));
    }
}

/// `parameters.csv`.
pub fn parameters(study: &Study) -> Result<Vec<u8>> {
    let fitted = &study.fit.parameters;
    csv(vec![
        text_column("name", fitted.iter().map(|p| p.parameter.name)),
        text_column("owner", fitted.iter().map(|p| p.parameter.owner.name())),
        text_column("campaign", fitted.iter().map(|p| p.campaign.map_or("", |campaign| study.campaign_name(campaign)))),
        text_column("unit", fitted.iter().map(|p| p.parameter.unit)),
        number_column("lower", fitted.iter().map(|p| Some(p.parameter.lower))),
        number_column("upper", fitted.iter().map(|p| Some(p.parameter.upper))),
        number_column("start", fitted.iter().map(|p| Some(p.start()))),
        number_column("prior_spread", fitted.iter().map(|p| p.parameter.spread)),
        number_column("value", fitted.iter().map(|p| Some(p.value))),
        number_column("std_error", fitted.iter().map(|p| p.std_error)),
        text_column("flag", fitted.iter().map(|p| p.flag.name())),
        text_column("meaning", fitted.iter().map(|p| p.parameter.meaning)),
    ])
}

/// `evaluation.csv` of live runs: every row with its prediction.
pub fn live_evaluation(study: &LiveStudy) -> Result<Vec<u8>> {
    let rows: Vec<(&str, &LiveRow, f64)> = study
        .runs
        .iter()
        .zip(&study.predicted)
        .flat_map(|(run, predicted)| run.rows.iter().zip(predicted).map(|(row, p)| (run.id.as_str(), row, p.as_ms())))
        .collect();
    let poe = |row: &LiveRow| row.metric == LiveMetric::PoeToken;
    csv(vec![
        text_column("run", rows.iter().map(|(run, ..)| *run)),
        text_column("variant", rows.iter().map(|(_, row, _)| row.variant.name())),
        text_column("metric", rows.iter().map(|(_, row, _)| row.metric.name())),
        number_column("tokens", rows.iter().map(|(_, row, _)| Some(row.tokens))),
        number_column("gamma", rows.iter().map(|(_, row, _)| poe(row).then_some(row.gamma as f64))),
        number_column("acceptance", rows.iter().map(|(_, row, _)| poe(row).then_some(row.acceptance))),
        number_column("measured_ms", rows.iter().map(|(_, row, _)| Some(row.measured.as_ms()))),
        number_column("predicted_ms", rows.iter().map(|(.., predicted)| Some(*predicted))),
        number_column(
            "error_pct",
            rows.iter().map(|(_, row, predicted)| Some(100.0 * (predicted / row.measured.as_ms() - 1.0))),
        ),
    ])
}

/// `parameters.csv` of live runs.
pub fn live_parameters(study: &LiveStudy) -> Result<Vec<u8>> {
    let fitted = &study.solution.parameters;
    csv(vec![
        text_column("parameter", fitted.iter().map(|p| p.parameter.name)),
        text_column("owner", fitted.iter().map(|p| p.parameter.owner.name())),
        text_column("unit", fitted.iter().map(|p| p.parameter.unit)),
        number_column("lower", fitted.iter().map(|p| Some(p.parameter.lower))),
        number_column("upper", fitted.iter().map(|p| Some(p.parameter.upper))),
        number_column("start", fitted.iter().map(|p| Some(p.start()))),
        number_column("prior_spread", fitted.iter().map(|p| p.parameter.spread)),
        number_column("value", fitted.iter().map(|p| Some(p.value))),
        number_column("std_error", fitted.iter().map(|p| p.std_error)),
        text_column("flag", fitted.iter().map(|p| p.flag.name())),
        text_column("meaning", fitted.iter().map(|p| p.parameter.meaning)),
    ])
}

/// `loss_history.csv`: the loss of the best start after each iteration.
pub fn loss_history(study: &Study) -> Result<Vec<u8>> {
    let history = &study.fit.history;
    csv(vec![
        number_column("iteration", (1..=history.len()).map(|iteration| Some(iteration as f64))),
        number_column("loss", history.iter().map(|loss| Some(*loss))),
    ])
}

/// A column: its name, and a cell for each row.
struct Column {
    name: String,
    cells: Vec<String>,
}

/// A number with eight significant digits: more than any measurement has, and short in a file. A whole one has no decimal
/// point, a very small one an exponent.
fn number_text(value: f64) -> String {
    let rounded: f64 = format!("{value:.7e}").parse().expect("a formatted number is a number");
    if rounded != 0.0 && rounded.abs() < 1e-5 { format!("{rounded:e}") } else { rounded.to_string() }
}

fn number_column(name: &str, values: impl Iterator<Item = Option<f64>>) -> Column {
    Column { name: name.to_owned(), cells: values.map(|value| value.map_or_else(String::new, number_text)).collect() }
}

fn text_column<'a>(name: &str, values: impl Iterator<Item = &'a str>) -> Column {
    Column { name: name.to_owned(), cells: values.map(str::to_owned).collect() }
}

fn csv(columns: Vec<Column>) -> Result<Vec<u8>> {
    let height = columns.first().map_or(0, |column| column.cells.len());
    let write = || -> std::result::Result<Vec<u8>, csv::Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(columns.iter().map(|column| &column.name))?;
        for row in 0..height {
            writer.write_record(columns.iter().map(|column| &column.cells[row]))?;
        }
        writer.into_inner().map_err(|error| error.into_error().into())
    };
    write().map_err(|error| Error::failed(format!("cannot write a table ({error})")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_missing_ones_empty() {
        let columns = vec![
            number_column("n", [Some(1.0), Some(250.0)].into_iter()),
            number_column("x", [Some(0.123_456_789_123), None].into_iter()),
            text_column("t", ["a", "b,c"].into_iter()),
        ];
        assert_eq!(String::from_utf8(csv(columns).unwrap()).unwrap(), "n,x,t\n1,0.12345679,a\n250,,\"b,c\"\n");
        for (value, text) in [(1.0, "1"), (-0.5, "-0.5"), (2.5e-7, "2.5e-7"), (123_456_789.4, "123456790"), (0.0, "0")]
        {
            assert_eq!(number_text(value), text);
        }
    }
}
