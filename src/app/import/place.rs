//! Imported rows as a scenario folder, or as more rows of one.

use std::path::PathBuf;

use super::texts::{ScenarioTexts, UNKNOWN, texts};
use super::{ImportRequest, ImportStudy};
use crate::app::system::{computed_wider, default_estimator, served_precision};
use crate::error::{Error, Result};
use crate::import::precision;
use crate::spec::{Campaign, Catalog, Deployment, Formats, ScenarioFile, Source, System};

/// Imported rows as a scenario, with the texts of its files.
#[derive(Debug)]
pub struct Placed {
    /// The scenario of the imported rows alone.
    pub scenario: ScenarioFile,
    /// What nobody told, and which rows were there before.
    pub assumed: Vec<String>,
    /// Parameters that a fit of it has.
    pub parameters: usize,
    /// Rows that it has in all.
    pub rows: usize,
    /// Text of scenario.toml.
    pub scenario_toml: String,
    /// Text of measured.csv.
    pub measured_csv: String,
    /// Whether these are other texts than those that are there.
    pub is_changed: bool,
}

/// Makes a scenario of imported rows, or adds them to the one that is there. What is asked for and what the files say are put
/// together; the former wins. What nobody tells is as in the scenario that is there.
///
/// # Errors
/// The files are of several systems, model or hardware are not known or cannot be together, or the scenario that is there cannot be
/// read or is another one.
pub fn place(
    catalog: &Catalog,
    request: &ImportRequest,
    study: &ImportStudy,
    there: Option<&ScenarioTexts>,
) -> Result<Placed> {
    if let Some((flag, what)) = study.mixed.first() {
        return Err(Error::input(what).help(format!(
            "choose with {flag}, and import each into a folder of its own; a scenario is of one system"
        )));
    }
    let ImportStudy { imported, rows, .. } = study;
    let facts = imported.facts();
    let own = there.map(|there| ScenarioFile::read(&there.scenario)).transpose()?;
    let mut assumed = Vec::new();
    let model = match (&request.model, &facts.model, &own) {
        (Some(name), ..) => catalog.model(name)?,
        (None, Some(name), _) => catalog.model(name).map_err(|_| untold("model", name))?,
        (None, None, Some(own)) => catalog.model(&own.model)?,
        (None, None, None) => return Err(untold("model", "")),
    };
    let hardware = match (&request.hardware, &facts.hardware, &own) {
        (Some(name), ..) => catalog.hardware(name)?,
        (None, Some(name), _) => catalog.hardware(name).map_err(|_| untold("hardware", name))?,
        (None, None, Some(own)) => catalog.hardware(&own.hardware)?,
        (None, None, None) => return Err(untold("hardware", "")),
    };
    let served = own.as_ref().map(|own| &own.deployment);
    if let (None, Some(family)) = (&request.hardware, &facts.family) {
        assumed.push(format!("the files name the device {family}; {} is assumed (--hardware)", hardware.id));
    }
    let tensor_parallel = request.tp.or(facts.tensor_parallel).or(served.map(|served| served.tensor_parallel));
    let tensor_parallel = tensor_parallel.unwrap_or_else(|| {
        assumed.push("the files do not tell the tensor-parallel degree; 1 is assumed (--tp)".to_owned());
        1
    });
    let said = request.weights.or_else(|| precision(facts.precision.as_ref()));
    let said = said.or(served.map(|served| served.weight_precision));
    let weights = served_precision(&model, said)?;
    if said.is_none() {
        assumed.push(match &facts.precision {
            Some(name) => {
                format!("the files name the precision `{name}`, which is not known; {weights} is assumed (--weights)")
            }
            None => format!("the files do not tell the precision of the weights; {weights} is assumed (--weights)"),
        });
    }
    let said = request.kv.or_else(|| precision(facts.kv_precision.as_ref()));
    let kv_precision = said.or(served.map(|served| served.kv_precision)).unwrap_or_else(|| {
        let kv = weights.unquantised();
        assumed.push(match &facts.kv_precision {
            Some(name) => format!("the files name the KV cache `{name}`, which is not known; {kv} is assumed (--kv)"),
            None => format!("the files do not tell the precision of the KV cache; {kv} is assumed (--kv)"),
        });
        kv
    });
    let same_weights = served.filter(|served| served.weight_precision == weights);
    let compute = same_weights.map_or_else(|| computed_wider(&hardware, weights), |served| served.compute_precision);
    let formats = Formats { compute, kv: kv_precision, ..Formats::of_weights(weights) };
    let deployment = Deployment { formats, ..Deployment::new(tensor_parallel, weights)? };
    // Checks that they go together, and names them.
    let system = System::new(hardware, model, deployment)?;
    let predictor = default_estimator().prepare(&system, rows.load, &[])?;
    let parameters = predictor.parameters().iter().filter(|parameter| parameter.fitted).count();
    let tools: Vec<&str> = imported.tools.iter().map(|tool| tool.title()).collect();
    let engine = request.engine.clone().or_else(|| facts.engine.clone()).unwrap_or_else(|| {
        assumed.push("the files do not tell the serving engine (--engine)".to_owned());
        UNKNOWN.to_owned()
    });
    let scenario = ScenarioFile {
        title: system.title(),
        model: system.model().id.clone(),
        hardware: system.hardware().id.clone(),
        note: None,
        deployment: (system.deployment()).into(),
        campaign: Campaign {
            engine,
            engine_version: None,
            statistic: rows.statistic,
            load: rows.load,
            note: Some(format!("imported from {}: {}", tools.join(", "), imported.conversions(rows.load).join("; "))),
        },
        source: vec![source(request, &tools)?],
        roofline: None,
    };
    let texts = texts(&scenario, rows, there)?;
    match texts.there {
        0 => {}
        1 => assumed.push("a row is there already and is not added again".to_owned()),
        several => assumed.push(format!("{several} rows are there already and are not added again")),
    }
    Ok(Placed {
        scenario,
        assumed,
        parameters,
        rows: texts.rows,
        scenario_toml: texts.scenario,
        measured_csv: texts.measured,
        is_changed: texts.is_changed,
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

fn source(request: &ImportRequest, tools: &[&str]) -> Result<Source> {
    let name = |path: &PathBuf| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let names: Vec<String> = request.paths.iter().map(name).collect();
    let Some(day) = &request.retrieved else {
        return Err(Error::input("nobody says when the results were read")
            .help("give `retrieved`, a day such as 2026-12-01; it becomes part of the source of the scenario"));
    };
    Ok(Source {
        url: names.join(", "),
        retrieved: day.clone(),
        note: format!("own measurements with {}", tools.join(", ")),
        covers: Vec::new(),
    })
}
