//! `import`: result files of measuring tools become rows, and rows a scenario. Nothing is written here: an answer has the texts.
//!
//! ```
//! use perfmodel::app::{self, ImportRequest, import::place};
//! use perfmodel::spec::Catalog;
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("vllm.json");
//! # std::fs::write(&path, r#"{"backend": "vllm", "model_id": "llama31_8b", "max_concurrency": 2, "completed": 10,
//! #     "total_input_tokens": 1000, "total_output_tokens": 500, "mean_ttft_ms": 56.0, "mean_tpot_ms": 10.5}"#)?;
//! let catalog = Catalog::built_in();
//! let request = ImportRequest {
//!     paths: vec![path],
//!     hardware: Some("h100_sxm_80gb".to_owned()),
//!     retrieved: Some("2026-12-01".to_owned()),
//!     ..ImportRequest::default()
//! };
//! let answer = app::import(&catalog, &request)?;
//! assert_eq!((answer.rows[0].load, answer.rows[0].itl_ms), (2.0, 10.5));
//! let placed = place(&catalog, &request, &answer.study, None)?; // None: no scenario is there that gets more rows
//! assert!(placed.measured_csv.ends_with("100,50,2,56,10.5,\n") && placed.scenario_toml.contains("llama31_8b"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod place;
mod texts;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use self::place::{Placed, place};
pub use self::texts::{MEASURED_FILE, SCENARIO_FILE, ScenarioTexts};
use super::compare::check_clients;
use super::remarks::Remarks;
use crate::error::{Error, Result};
use crate::import::{Imported, OfSystem, Row, Rows, Tool, Wanted, mixed, of_system, read, rows};
use crate::spec::{Catalog, Kind, Precision, ScenarioFile, Statistic};
use crate::workload::LoadKind;

/// Which result files are to be read, and what of them is to be taken.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct ImportRequest {
    /// Result files, or folders of them.
    pub paths: Vec<PathBuf>,
    /// The tool that wrote them; each file tells its own where none is given.
    #[serde(rename = "as")]
    pub tool: Option<Tool>,
    /// Model id or one of its other names; loads whose files say another are left out. As the files say where none is given.
    pub model: Option<String>,
    /// Hardware id or one of its other names; loads whose files say another are left out. As the files say where none is given.
    pub hardware: Option<String>,
    /// Tensor-parallel degree; loads whose files say another are left out. As the files say, else as the scenario that is there,
    /// else 1.
    pub tp: Option<u32>,
    /// Format of the weights; loads whose files say another are left out. As the files say, else as the scenario that is there,
    /// else as the model is published.
    pub weights: Option<Precision>,
    /// Format of the KV cache; loads whose files say another are left out. As the files say, else as the scenario that is there,
    /// else fp16 for fp16 weights and bf16 for all others.
    pub kv: Option<Precision>,
    /// Serving engine; where the files name several, loads of the others are left out.
    pub engine: Option<String>,
    /// Clients, where the files do not tell them.
    pub concurrency: Option<u32>,
    /// Loads to take: `closed_loop` (clients) or `open_loop` (requests a second); that of most where none is given.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub load: Option<LoadKind>,
    /// Latencies to take, `mean` or `median`; the mean, where all have one, if none is given.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub statistic: Option<Statistic>,
    /// Day on which the results were read, YYYY-MM-DD, for the source of a scenario.
    pub retrieved: Option<String>,
}

/// What was read of result files; `--format json` prints it.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ImportAnswer {
    /// The tools that wrote the files.
    pub tools: Vec<Tool>,
    /// Kind of load of the rows: `closed_loop` (clients) or `open_loop` (requests a second).
    pub load: &'static str,
    /// What the latencies are: `mean` or `median`.
    pub statistic: &'static str,
    /// The rows, in the order of the files.
    pub rows: Vec<ImportedRow>,
    /// What was taken for what, a sentence each.
    pub conversions: Vec<String>,
    /// What to beware of.
    pub cautions: Vec<String>,
    /// What names were taken for.
    pub remarks: Vec<String>,
    /// scenario.toml of the rows; null where none is asked for.
    #[cfg_attr(feature = "schema", schemars(with = "Option<serde_json::Map<String, serde_json::Value>>"))]
    pub scenario: Option<ScenarioFile>,
    /// Files that were written.
    pub files: Vec<PathBuf>,
    /// What a scenario is made from.
    #[serde(skip)]
    pub study: ImportStudy,
    /// The scenario with the texts of its files, where one was made.
    #[serde(skip)]
    pub placed: Option<Placed>,
}

impl ImportAnswer {
    /// With the scenario that was made of its rows.
    pub fn with(mut self, placed: Placed) -> Self {
        self.cautions.extend(placed.assumed.iter().cloned());
        self.scenario = Some(placed.scenario.clone());
        self.placed = Some(placed);
        self
    }
}

/// A row of measured.csv.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ImportedRow {
    /// Mean length of the prompts.
    pub input_tokens: f64,
    /// Mean length of the answers.
    pub output_tokens: f64,
    /// Clients of a closed loop, or requests a second.
    pub load: f64,
    /// Time to first token.
    pub ttft_ms: f64,
    /// Time per later token.
    pub itl_ms: f64,
    /// Generated tokens per second of all clients; null where the file does not tell.
    pub throughput_tok_s: Option<f64>,
}

impl From<&Row> for ImportedRow {
    fn from(row: &Row) -> Self {
        Self {
            input_tokens: row.workload.input_tokens(),
            output_tokens: row.workload.output_tokens(),
            load: row.workload.amount(),
            ttft_ms: row.ttft_ms,
            itl_ms: row.itl_ms,
            throughput_tok_s: row.throughput,
        }
    }
}

/// What was read, as quantities.
#[derive(Debug)]
pub struct ImportStudy {
    /// What the files hold of the system that is asked for.
    pub imported: Imported,
    /// Its rows.
    pub rows: Rows,
    /// What the files say differently of the system, with the flag that chooses: a sentence each.
    pub mixed: Vec<(&'static str, String)>,
}

/// Reads result files and takes the rows of one kind of load and one statistic, of the system that is asked for.
///
/// # Errors
/// Nothing there is a result of a tool that is known, or no row is left.
pub fn import(catalog: &Catalog, request: &ImportRequest) -> Result<ImportAnswer> {
    check_clients(request.concurrency)?;
    let mut imported = read_all(&request.paths, request.tool)?;
    let wanted = Wanted {
        model: request.model.as_deref(),
        hardware: request.hardware.as_deref(),
        tensor_parallel: request.tp,
        weights: request.weights,
        kv: request.kv,
        engine: request.engine.as_deref(),
    };
    let OfSystem { points, left_out, taken } = of_system(catalog, &imported.points, wanted)?;
    imported.points = points;
    imported.warnings.extend(taken);
    let clients = request.concurrency.map(f64::from);
    let mut rows = rows(&imported.points, request.load, request.statistic, clients)?;
    rows.left_out.extend(left_out);
    let mixed = mixed(catalog, &imported.points);
    imported.warnings.extend(mixed.iter().map(|(_, what)| what.clone()));
    let named = if request.model.is_some() { request.model.clone() } else { imported.facts().model };
    let remarks = Remarks::new(catalog).names(Kind::Model, &named).names(Kind::Hardware, &request.hardware).said();
    let study = ImportStudy { imported, rows, mixed };
    Ok(ImportAnswer {
        tools: study.imported.tools.iter().copied().collect(),
        load: study.rows.load.name(),
        statistic: study.rows.statistic.name(),
        rows: study.rows.rows.iter().map(ImportedRow::from).collect(),
        conversions: study.imported.conversions(study.rows.load),
        cautions: study.cautions(),
        remarks,
        scenario: None,
        files: Vec::new(),
        study,
        placed: None,
    })
}

fn read_all(paths: &[PathBuf], tool: Option<Tool>) -> Result<Imported> {
    let mut all: Option<Imported> = None;
    for path in paths {
        let read = read(path, tool)?;
        all = Some(match all {
            Some(earlier) => earlier.with(read),
            None => read,
        });
    }
    all.ok_or_else(|| Error::input("no path is given").help("give a result file, or a folder of them"))
}

impl ImportStudy {
    /// Everything to beware of.
    fn cautions(&self) -> Vec<String> {
        let Self { imported, rows, .. } = self;
        let unknown =
            imported.unknown.iter().map(|path| format!("{}: no result of a tool that is known", path.display()));
        let left_out = rows.left_out.iter().map(|why| format!("left out, {why}"));
        let warnings = imported.warnings.iter().chain(&rows.warnings).cloned();
        warnings.chain(left_out).chain(unknown).collect()
    }
}
