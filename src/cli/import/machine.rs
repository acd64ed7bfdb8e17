//! What `perfmodel import --format json` prints.

use std::path::PathBuf;

use serde::Serialize;

use super::cautions;
use super::scenario::Placed;
use crate::import::{Imported, Rows};
use crate::spec::ScenarioFile;

/// The JSON object on stdout; docs/schema/import.schema.json describes it.
#[derive(Debug, Serialize)]
pub struct ImportOutput<'a> {
    tools: Vec<&'static str>,
    load: &'static str,
    statistic: &'static str,
    rows: Vec<RowOutput>,
    conversions: Vec<String>,
    cautions: Vec<String>,
    scenario: Option<&'a ScenarioFile>,
    files: Vec<PathBuf>,
}

#[derive(Debug, Serialize)]
struct RowOutput {
    input_tokens: f64,
    output_tokens: f64,
    load: f64,
    ttft_ms: f64,
    itl_ms: f64,
    throughput_tok_s: Option<f64>,
}

/// Everything of an import.
pub fn output<'a>(
    imported: &Imported,
    rows: &Rows,
    placed: Option<&'a Placed>,
    files: Vec<PathBuf>,
) -> ImportOutput<'a> {
    let row = |row: &crate::import::Row| RowOutput {
        input_tokens: row.workload.input_tokens(),
        output_tokens: row.workload.output_tokens(),
        load: row.workload.load(),
        ttft_ms: row.ttft_ms,
        itl_ms: row.itl_ms,
        throughput_tok_s: row.throughput,
    };
    ImportOutput {
        tools: imported.tools.iter().map(|tool| tool.name()).collect(),
        load: rows.load.name(),
        statistic: rows.statistic.name(),
        rows: rows.rows.iter().map(row).collect(),
        conversions: imported.conversions(rows.load),
        cautions: cautions(imported, rows, placed),
        scenario: placed.map(|placed| &placed.scenario),
        files,
    }
}
