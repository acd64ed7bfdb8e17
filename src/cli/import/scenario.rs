//! Imported rows as a scenario folder, or as more rows of one.

use std::path::{Path, PathBuf};

use super::ImportArgs;
use crate::app::{computed_wider, default_estimator, served_precision};
use crate::cli::names;
use crate::dataset::{columns_of, read_measurements};
use crate::error::{Error, Result};
use crate::import::{Facts, Imported, Row, Rows, precision};
use crate::number::number;
use crate::report::OutputFolder;
use crate::spec::{Campaign, Catalog, Deployment, DeploymentFile, Formats, ScenarioFile, Source, SpecFile, System};

const SCENARIO: &str = "scenario.toml";
const MEASURED: &str = "measured.csv";

/// The engine of rows whose files do not tell it.
const UNKNOWN: &str = "unknown";

/// What ran where, as far as flags and files tell.
pub struct Placed {
    /// The scenario of the imported rows.
    pub scenario: ScenarioFile,
    /// What nobody told.
    pub assumed: Vec<String>,
    /// Parameters that a fit of it has.
    pub parameters: usize,
}

/// Rows of a scenario folder.
pub struct Staged {
    /// All that it will hold.
    pub rows: usize,
    /// Those of the new ones that it held already.
    pub there: usize,
}

/// Puts the flags and what the files say together; flags win. What nobody tells is as in the scenario that rows are added to.
///
/// # Errors
/// Model or hardware are not known, or cannot be together; the scenario that is there cannot be read.
pub fn place(catalog: &Catalog, args: &ImportArgs, imported: &Imported, rows: &Rows) -> Result<Placed> {
    let facts = told(imported);
    let there = args.out.as_deref().map(own).transpose()?.flatten();
    let mut assumed = Vec::new();
    let model = match (&args.model, &facts.model, &there) {
        (Some(name), ..) => catalog.model(name)?,
        (None, Some(name), _) => names::model(catalog, name).map_err(|_| untold("model", name))?,
        (None, None, Some(there)) => catalog.model(&there.model)?,
        (None, None, None) => return Err(untold("model", "")),
    };
    let hardware = match (&args.hardware, &facts.hardware, &there) {
        (Some(name), ..) => catalog.hardware(name)?,
        (None, Some(name), _) => catalog.hardware(name).map_err(|_| untold("hardware", name))?,
        (None, None, Some(there)) => catalog.hardware(&there.hardware)?,
        (None, None, None) => return Err(untold("hardware", "")),
    };
    let there = there.map(|there| there.deployment);
    let there = there.as_ref();
    if let (None, Some(family)) = (&args.hardware, &facts.family) {
        assumed.push(format!("the files name the device {family}; {} is assumed (--hardware)", hardware.id));
    }
    let tensor_parallel = args.tp.or(facts.tensor_parallel).or(there.map(|there| there.tensor_parallel));
    let tensor_parallel = tensor_parallel.unwrap_or_else(|| {
        assumed.push("the files do not tell the tensor-parallel degree; 1 is assumed (--tp)".to_owned());
        1
    });
    let said = args.weights.or_else(|| precision(facts.precision.as_ref()));
    let said = said.or(there.map(|there| there.weight_precision));
    let weights = served_precision(&model, said)?;
    if said.is_none() {
        assumed.push(match &facts.precision {
            Some(name) => {
                format!("the files name the precision `{name}`, which is not known; {weights} is assumed (--weights)")
            }
            None => format!("the files do not tell the precision of the weights; {weights} is assumed (--weights)"),
        });
    }
    let said = args.kv.or_else(|| precision(facts.kv_precision.as_ref()));
    let kv_precision = said.or(there.map(|there| there.kv_precision)).unwrap_or_else(|| {
        let kv = weights.unquantised();
        assumed.push(match &facts.kv_precision {
            Some(name) => format!("the files name the KV cache `{name}`, which is not known; {kv} is assumed (--kv)"),
            None => format!("the files do not tell the precision of the KV cache; {kv} is assumed (--kv)"),
        });
        kv
    });
    let same_weights = there.filter(|there| there.weight_precision == weights);
    let compute = same_weights.map_or_else(|| computed_wider(&hardware, weights), |there| there.compute_precision);
    let formats = Formats { compute, kv: kv_precision, ..Formats::of_weights(weights) };
    let deployment = Deployment { formats, ..Deployment::new(tensor_parallel, weights)? };
    // Checks that they go together, and names them.
    let system = System::new(hardware, model, deployment)?;
    let predictor = default_estimator().prepare(&system, rows.load, &[])?;
    let parameters = predictor.parameters().iter().filter(|parameter| parameter.fitted).count();
    let tools: Vec<&str> = imported.tools.iter().map(|tool| tool.title()).collect();
    let engine = args.engine.clone().or_else(|| facts.engine.clone()).unwrap_or_else(|| {
        assumed.push("the files do not tell the serving engine (--engine)".to_owned());
        UNKNOWN.to_owned()
    });
    Ok(Placed {
        scenario: ScenarioFile {
            title: system.title(),
            model: system.model.id.clone(),
            hardware: system.hardware.id.clone(),
            note: None,
            deployment: (&system.deployment).into(),
            campaign: Campaign {
                engine,
                engine_version: None,
                statistic: rows.statistic,
                load: rows.load,
                note: Some(format!(
                    "imported from {}: {}",
                    tools.join(", "),
                    imported.conversions(rows.load).join("; ")
                )),
            },
            source: vec![source(&args.paths, &tools)],
            roofline: None,
        },
        assumed,
        parameters,
    })
}

/// The scenario that is in a folder, if there is one.
fn own(folder: &Path) -> Result<Option<ScenarioFile>> {
    let path = folder.join(SCENARIO);
    if path.is_file() { ScenarioFile::read(&SpecFile::open(&path)?).map(Some) } else { Ok(None) }
}

/// What the files say of the system, of each thing the first that says it.
fn told(imported: &Imported) -> Facts {
    imported.points.iter().map(|point| point.facts.clone()).fold(Facts::default(), |known, found| Facts {
        model: known.model.or(found.model),
        engine: known.engine.or(found.engine),
        hardware: known.hardware.or(found.hardware),
        family: known.family.or(found.family),
        tensor_parallel: known.tensor_parallel.or(found.tensor_parallel),
        precision: known.precision.or(found.precision),
        kv_precision: known.kv_precision.or(found.kv_precision),
    })
}

fn untold(what: &str, name: &str) -> Error {
    let message = if name.is_empty() {
        format!("the files do not tell the {what}")
    } else {
        format!("the files name the {what} `{name}`, which is not known")
    };
    let list = if what == "model" { "models" } else { "hardware" };
    Error::input(message).help(format!("give --{what} ID; `perfmodel list {list}` shows all"))
}

fn source(paths: &[PathBuf], tools: &[&str]) -> Source {
    let names: Vec<String> =
        paths.iter().map(|path| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()).collect();
    Source {
        url: names.join(", "),
        retrieved: chrono::Local::now().format("%Y-%m-%d").to_string(),
        note: format!("own measurements with {}", tools.join(", ")),
        covers: Vec::new(),
    }
}

/// Writes a scenario, or adds rows to the one that is there.
///
/// # Errors
/// The folder holds a scenario of another system, load or statistic, or files that cannot be read.
pub fn stage(output: &mut OutputFolder, folder: &Path, placed: &Placed, rows: &Rows) -> Result<Staged> {
    let (scenario, measured) = (folder.join(SCENARIO), folder.join(MEASURED));
    if !scenario.is_file() {
        if measured.exists() {
            return Err(Error::input("this file stands without a scenario.toml")
                .at(measured)
                .help("choose another folder, or move it away"));
        }
        output.stage(SCENARIO, toml_text(&placed.scenario)?.as_bytes())?;
        let header = columns_of(rows.load).join(",");
        let lines: String = rows.rows.iter().map(line).collect();
        output.stage(MEASURED, format!("{header}\n{lines}").as_bytes())?;
        return Ok(Staged { rows: rows.rows.len(), there: 0 });
    }
    let file = SpecFile::open(&scenario)?;
    let own = ScenarioFile::read(&file)?;
    same_system(&own, &placed.scenario).map_err(|error| error.at(&scenario))?;
    let text = with_sources(&file.text, &own, &placed.scenario)?;
    let file = SpecFile::open(&measured)?;
    // What is there must be whole before anything is added.
    let dataset = read_measurements(&file, own.campaign.load)?;
    let header = columns_of(rows.load).join(",");
    if file.text.trim_start_matches('\u{feff}').lines().next().map(str::trim) != Some(header.as_str()) {
        return Err(Error::input("rows can only be added below our own columns")
            .at(&measured)
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
        .at(&measured)
        .line(known.line)
        .help(
            "import all runs at once into a new folder, which averages them, or delete this row; to check new runs against old ones, \
             import them into a folder of the same name elsewhere",
        ));
    }
    if !added.is_empty() {
        let end = if file.text.ends_with('\n') { "" } else { "\n" };
        output.stage(SCENARIO, text.as_bytes())?;
        output.stage(MEASURED, format!("{}{end}{added}", file.text).as_bytes())?;
    }
    Ok(Staged { rows: dataset.rows.len() + rows.rows.len() - there, there })
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

fn toml_text(scenario: &ScenarioFile) -> Result<String> {
    toml::to_string(scenario).map_err(|error| unwritable(&error))
}

/// A row as a line of measured.csv.
fn line(row: &Row) -> String {
    let throughput = row.throughput.map_or_else(String::new, |rate| rate.to_string());
    let workload = &row.workload;
    format!(
        "{},{},{},{},{},{throughput}\n",
        workload.input_tokens(),
        workload.output_tokens(),
        workload.load(),
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
