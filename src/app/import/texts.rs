//! The files of a scenario that imported rows make, or are added to.

use std::path::Path;

use crate::dataset::{columns_of, read_measurements};
use crate::error::{Error, Result};
use crate::import::{Row, Rows};
use crate::number::number;
use crate::spec::{DeploymentFile, ScenarioFile, Source, SpecFile};

/// Name of the file that says what ran where.
pub const SCENARIO_FILE: &str = "scenario.toml";

/// Name of the file of measurements.
pub const MEASURED_FILE: &str = "measured.csv";

/// The engine of rows whose files do not tell it.
pub(super) const UNKNOWN: &str = "unknown";

/// The files of a scenario that is there.
#[derive(Debug, Clone)]
pub struct ScenarioTexts {
    /// scenario.toml.
    pub scenario: SpecFile,
    /// measured.csv.
    pub measured: SpecFile,
}

impl ScenarioTexts {
    /// Those of a folder; `None` where it holds no scenario.
    ///
    /// # Errors
    /// A file cannot be read, or measured.csv stands alone.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        let (scenario, measured) = (folder.join(SCENARIO_FILE), folder.join(MEASURED_FILE));
        if scenario.is_file() {
            return Ok(Some(Self { scenario: SpecFile::open(&scenario)?, measured: SpecFile::open(&measured)? }));
        }
        if measured.exists() {
            return Err(Error::input("this file stands without a scenario.toml")
                .at(measured)
                .help("choose another folder, or move it away"));
        }
        Ok(None)
    }
}

/// The texts of a scenario with all its rows.
pub(super) struct Texts {
    /// Text of scenario.toml.
    pub scenario: String,
    /// Text of measured.csv.
    pub measured: String,
    /// Rows in all.
    pub rows: usize,
    /// Those of the new ones that were there before.
    pub there: usize,
    /// Whether these are other texts than those that are there.
    pub is_changed: bool,
}

/// The texts of a new scenario, or of the one that is there with more rows.
///
/// # Errors
/// It is a scenario of another system, load or statistic, or one that cannot be read.
pub(super) fn texts(scenario: &ScenarioFile, rows: &Rows, there: Option<&ScenarioTexts>) -> Result<Texts> {
    let header = columns_of(rows.load).join(",");
    let Some(ScenarioTexts { scenario: own_file, measured: file }) = there else {
        let lines: String = rows.rows.iter().map(line).collect();
        return Ok(Texts {
            scenario: toml::to_string(scenario).map_err(|error| unwritable(&error))?,
            measured: format!("{header}\n{lines}"),
            rows: rows.rows.len(),
            there: 0,
            is_changed: true,
        });
    };
    let own = ScenarioFile::read(own_file)?;
    same_system(&own, scenario).map_err(|error| error.at(&own_file.label))?;
    // What is there must be whole before anything is added.
    let dataset = read_measurements(file, own.campaign.load)?;
    if file.text.trim_start_matches('\u{feff}').lines().next().map(str::trim) != Some(header.as_str()) {
        return Err(Error::input("rows can only be added below our own columns")
            .at(&file.label)
            .line(1)
            .help(format!("the header must be {header}")));
    }
    let mut there = 0;
    let mut added = String::new();
    for row in &rows.rows {
        let Some(known) = dataset.rows.iter().find(|known| known.workload == row.workload) else {
            added += &line(row);
            continue;
        };
        if file.text.lines().any(|text| text.trim_end() == line(row).trim_end()) {
            there += 1;
            continue;
        }
        return Err(Error::input(format!(
            "{} were measured before with other results: TTFT {} and ITL {} ms, now {} and {} ms",
            row.workload_in_words(),
            number(known.ttft.as_ms()),
            number(known.itl.as_ms()),
            number(row.ttft_ms),
            number(row.itl_ms)
        ))
        .at(&file.label)
        .line(known.line)
        .help(
            "import all runs at once into a new folder, which averages them, or delete this row; to check new runs against old ones, \
             import them into a folder of the same name elsewhere",
        ));
    }
    let is_changed = !added.is_empty();
    let end = if !is_changed || file.text.ends_with('\n') { "" } else { "\n" };
    Ok(Texts {
        scenario: if is_changed { with_sources(&own_file.text, &own, scenario)? } else { own_file.text.clone() },
        measured: format!("{}{end}{added}", file.text),
        rows: dataset.rows.len() + rows.rows.len() - there,
        there,
        is_changed,
    })
}

/// The text of a scenario with the new sources at its end, so that comments stay; each says what was converted.
fn with_sources(text: &str, own: &ScenarioFile, new: &ScenarioFile) -> Result<String> {
    /// The sources alone.
    #[derive(serde::Serialize)]
    struct Sources {
        source: Vec<Source>,
    }
    let converted = new.campaign.note.clone().unwrap_or_default();
    let added: Vec<Source> = new
        .source
        .iter()
        .map(|source| Source { note: format!("{}; {converted}", source.note), ..source.clone() })
        .filter(|source| !own.source.contains(source))
        .collect();
    if added.is_empty() {
        return Ok(text.to_owned());
    }
    let sources = toml::to_string(&Sources { source: added }).map_err(|error| unwritable(&error))?;
    Ok(format!("{}\n\n{sources}", text.trim_end()))
}

fn unwritable(error: &toml::ser::Error) -> Error {
    Error::failed(format!("cannot write the scenario as TOML ({error})"))
}

/// A row as a line of measured.csv.
fn line(row: &Row) -> String {
    let throughput = row.throughput.map_or_else(String::new, |rate| rate.to_string());
    let workload = &row.workload;
    format!(
        "{},{},{},{},{},{throughput}\n",
        workload.input_tokens(),
        workload.output_tokens(),
        workload.amount(),
        row.ttft_ms,
        row.itl_ms
    )
}

/// Checks that rows of one belong to the other.
fn same_system(own: &ScenarioFile, new: &ScenarioFile) -> Result<()> {
    let text = |deployment: &DeploymentFile| {
        let compute =
            deployment.compute_precision.map_or_else(String::new, |compute| format!(" computed in {compute}"));
        format!(
            "tensor_parallel {}, {} weights{compute}, {} KV",
            deployment.tensor_parallel, deployment.weight_precision, deployment.kv_precision
        )
    };
    for (what, is, was) in [
        ("model", &new.model, &own.model),
        ("hardware", &new.hardware, &own.hardware),
        ("deployment", &text(&new.deployment), &text(&own.deployment)),
        ("statistic", &new.campaign.statistic.name().to_owned(), &own.campaign.statistic.name().to_owned()),
        ("load", &new.campaign.load.name().to_owned(), &own.campaign.load.name().to_owned()),
    ] {
        if is != was {
            return Err(Error::input(format!("this scenario has another {what}: {was}, the new rows {is}"))
                .help("import them into a folder of their own"));
        }
    }
    let (is, was) = (&new.campaign.engine, &own.campaign.engine);
    if [is, was].iter().all(|engine| *engine != UNKNOWN) && !is.eq_ignore_ascii_case(was) {
        return Err(Error::input(format!("this scenario has another engine: {was}, the new rows {is}"))
            .help(format!("import them into a folder of their own, or say --engine {was} if it is the same")));
    }
    Ok(())
}
