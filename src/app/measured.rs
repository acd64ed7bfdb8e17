//! From a request to measured systems: scenarios, a bare CSV with its system, a table of many, live runs.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::request::{is_chosen, matching};
use super::system::{NamedScenario, PlacementRequest, computed_wider, named_after};
use crate::bench::Results;
use crate::calibration::Provenance;
use crate::dataset::{TableGroup, read_measurements, read_table};
use crate::error::{Error, Result};
use crate::evaluation::StudyMember;
use crate::evaluation::live::{DevicePeaks, LiveRun, data_type, live_run};
use crate::spec::{Catalog, Deployment, Formats, Hardware, Kind, ScenarioFolder, SpecFile, System};
use crate::workload::LoadKind;

/// Which measurements, and on what they were made: scenarios, a CSV, a table or live runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct MeasuredRequest {
    /// Scenarios: ids, patterns of them such as `llama*`, and folders with scenario.toml and measured.csv.
    pub scenario: Vec<String>,
    /// CSV of measurements without a scenario; `model`, `hardware`, `weights`, `kv` and the like say what ran.
    pub measured: Option<PathBuf>,
    /// CSV of measurements of many systems, whose columns say what each row ran on; one campaign.
    pub table: Option<PathBuf>,
    /// Systems of the table to take, as patterns of their names, such as `*_fp8_*`; all by default.
    pub only: Vec<String>,
    /// Systems of the table to leave out, as patterns of their names.
    pub without: Vec<String>,
    /// Whether to leave out systems of the table whose model or hardware is unknown here, instead of stopping.
    pub skip_unknown: bool,
    /// How requests reached the engine, of `measured` and `table`; closed_loop by default.
    pub load: Option<LoadKind>,
    /// Results of `perfmodel bench` (results.json), of runs on `hardware`.
    pub live: Vec<PathBuf>,
    /// Model id, one of its other names, or a Hugging Face config.json, of `measured`, and of `live` where a file has no sizes.
    pub model: Option<String>,
    /// Hardware id, one of its other names, or the path of a hardware file, of `measured` and `live`.
    pub hardware: Option<String>,
    /// How the model of `measured` was placed.
    #[serde(flatten)]
    pub placement: PlacementRequest,
}

/// Measured systems, and what was left out of them.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Name of a study of all of them.
    pub id: String,
    /// The systems.
    pub members: Vec<StudyMember>,
    /// Systems of a table that were left out because their model or hardware is unknown.
    pub unknown: Vec<String>,
}

/// Live runs on one device.
pub struct LiveMeasured {
    /// The device.
    pub hardware: Hardware,
    /// The runs.
    pub runs: Vec<LiveRun>,
}

impl MeasuredRequest {
    /// Reads and checks everything that is named.
    ///
    /// # Errors
    /// None or several of scenarios, CSV, table and live runs are named, or live runs, which are no measured system; something is
    /// not known or cannot be read.
    pub fn resolve(&self, catalog: &Catalog) -> Result<Measured> {
        self.check()?;
        if !self.live.is_empty() {
            return Err(Error::input("live runs are no measured scenario").help("use `perfmodel fit --live`"));
        }
        if let Some(path) = &self.table {
            return self.of_table(catalog, path);
        }
        if let Some(path) = &self.measured {
            let member = self.bare_file(catalog, path)?;
            return Ok(Measured { id: member.id.clone(), members: vec![member], unknown: Vec::new() });
        }
        let folders = self.scenario_folders(catalog)?;
        let members = folders
            .iter()
            .enumerate()
            .map(|(campaign, folder)| scenario_member(catalog, folder, campaign))
            .collect::<Result<Vec<_>>>()?;
        let ids: Vec<&str> = members.iter().map(|member| member.id.as_str()).collect();
        let id = ids.join("+");
        each_once(ids)?;
        Ok(Measured { id, members, unknown: Vec::new() })
    }

    /// Exactly one measured system.
    ///
    /// # Errors
    /// As [`Self::resolve`], or there are several.
    pub fn resolve_one(&self, catalog: &Catalog) -> Result<StudyMember> {
        let mut measured = self.resolve(catalog)?;
        match (measured.members.pop(), measured.members.is_empty()) {
            (Some(member), true) => Ok(member),
            (_, _) => Err(Error::input("this command takes one scenario at a time").help("run it once for each")),
        }
    }

    /// Live runs and their device.
    ///
    /// # Errors
    /// There are none, or they come with something else; a file cannot be read or cannot be predicted.
    pub fn resolve_live(&self, catalog: &Catalog) -> Result<LiveMeasured> {
        self.check()?;
        let hardware = match &self.hardware {
            Some(hardware) if !self.live.is_empty() => catalog.hardware(hardware)?,
            _ => {
                return Err(Error::input("no live run on a device is named")
                    .help("give --live RESULTS.json and --hardware, the device that it ran on"));
            }
        };
        let model = self.model.as_ref().map(|name| catalog.model_or_config(name)).transpose()?;
        let runs = self
            .live
            .iter()
            .map(|path| {
                let results = Results::open(path)?;
                let peaks = data_type(&results)
                    .map_err(|error| error.or_at(path))
                    .and_then(|dtype| DevicePeaks::of(&hardware, dtype))?;
                let run = live_run(&run_id(path), results, peaks, model.as_ref(), catalog);
                run.map_err(|error| error.or_at(path))
            })
            .collect::<Result<Vec<_>>>()?;
        each_once(runs.iter().map(|run| run.id.as_str()).collect())?;
        Ok(LiveMeasured { hardware, runs })
    }

    /// One kind of measurements is named, and nothing that belongs to another.
    fn check(&self) -> Result<()> {
        let kinds = [
            ("--scenario", !self.scenario.is_empty()),
            ("--measured", self.measured.is_some()),
            ("--table", self.table.is_some()),
            ("--live", !self.live.is_empty()),
        ];
        let mut given = kinds.into_iter().filter(|(_, given)| *given).map(|(kind, _)| kind);
        let kind = given.next().ok_or_else(nothing_named)?;
        if let Some(other) = given.next() {
            return Err(Error::input(format!("both {kind} and {other} are given")).help("give one of them"));
        }
        let placement = &self.placement;
        let rest = [
            ("--only", !self.only.is_empty(), ["--table", ""]),
            ("--without", !self.without.is_empty(), ["--table", ""]),
            ("--skip-unknown", self.skip_unknown, ["--table", ""]),
            ("--load", self.load.is_some(), ["--measured", "--table"]),
            ("--model", self.model.is_some(), ["--measured", "--live"]),
            ("--hardware", self.hardware.is_some(), ["--measured", "--live"]),
            ("--tp", placement.tp.is_some(), ["--measured", ""]),
            ("--weights", placement.weights.is_some(), ["--measured", ""]),
            ("--compute", placement.compute.is_some(), ["--measured", ""]),
            ("--kv", placement.kv.is_some(), ["--measured", ""]),
            ("--max-sequences", placement.max_sequences.is_some(), ["--measured", ""]),
            ("--max-tokens-per-step", placement.max_tokens_per_step.is_some(), ["--measured", ""]),
        ];
        match rest.into_iter().find(|(_, given, with)| *given && !with.contains(&kind)) {
            Some((flag, _, with)) => {
                let with: Vec<&str> = with.into_iter().filter(|kind| !kind.is_empty()).collect();
                Err(Error::input(format!("{flag} has no meaning with {kind}"))
                    .help(format!("it goes with {}", with.join(" or "))))
            }
            None => Ok(()),
        }
    }

    /// The files of the scenarios that are named, in that order.
    ///
    /// # Errors
    /// One is not known, or its files cannot be read.
    pub fn scenario_folders(&self, catalog: &Catalog) -> Result<Vec<ScenarioFolder>> {
        let mut folders = Vec::new();
        for name in &self.scenario {
            for one in matching("scenario", name, &catalog.ids(Kind::Scenario))? {
                folders.push(NamedScenario::find(catalog, &one)?.files);
            }
        }
        Ok(folders)
    }

    fn bare_file(&self, catalog: &Catalog, path: &Path) -> Result<StudyMember> {
        let PlacementRequest { weights: Some(_), kv: Some(_), .. } = self.placement else { return Err(untold()) };
        let (Some(model), Some(hardware)) = (&self.model, &self.hardware) else { return Err(untold()) };
        let load = self.load.unwrap_or_default();
        let dataset = read_measurements(&SpecFile::open(path)?, load)?;
        let (hardware, model) = (catalog.hardware(hardware)?, catalog.model_or_config(model)?);
        let deployment = self.placement.of_model(&model, &hardware)?;
        let system = System::new(hardware, model, deployment)?;
        let stem = path.file_stem().map_or_else(|| "measured".into(), |stem| stem.to_string_lossy());
        // Two files of one name on different systems must not overwrite each other's results.
        let layout = system.deployment().parallelism.label().replace(' ', "_");
        let id = format!("{stem}_{}_{}_{layout}", system.model().id, system.hardware().id);
        Ok(StudyMember {
            title: system.title(),
            id,
            system,
            load,
            dataset,
            provenance: Provenance::default(),
            campaign: 0,
        })
    }

    fn of_table(&self, catalog: &Catalog, path: &Path) -> Result<Measured> {
        let load = self.load.unwrap_or_default();
        let file = SpecFile::open(path)?;
        let mut members = Vec::new();
        let mut unknown = Vec::new();
        let table = read_table(&file, load)?;
        if let Some((line, error)) = table.refused.into_iter().next().filter(|_| !self.skip_unknown) {
            return Err(error.at(path).line(line));
        }
        for group in table.groups {
            let line = group.line;
            let name = format!("{} on {}", group.key.model, group.key.hardware);
            match table_member(catalog, group, load) {
                Ok(member) => {
                    if is_chosen(&member.id, &self.only, &self.without) {
                        members.push(member);
                    }
                }
                Err(_) if self.skip_unknown => {
                    if !unknown.contains(&name) {
                        unknown.push(name);
                    }
                }
                Err(error) => return Err(error.or_at(path).or_line(line)),
            }
        }
        if members.is_empty() {
            return Err(none_left(path));
        }
        let stem = path.file_stem().map_or_else(|| "table".into(), |stem| stem.to_string_lossy());
        Ok(Measured { id: stem.into_owned(), members, unknown })
    }
}

fn nothing_named() -> Error {
    Error::input("no measured system is named").help(
        "give --scenario, an id or a folder with scenario.toml and measured.csv, or --measured FILE, or --table FILE",
    )
}

/// What to say where `--only` and `--without` leave nothing of a table.
pub(super) fn none_left(table: &Path) -> Error {
    Error::input("no system of the table is left")
        .at(table)
        .help("loosen --only and --without; the names are made like llama2_7b_h100_sxm_80gb_fp8_tp1")
}

fn untold() -> Error {
    Error::input("what was measured is not said")
        .help("give --model, --hardware, --weights and --kv with --measured, or a folder with a scenario.toml")
}

/// Name of a run: that of its folder, or of the file if it is not called results.json.
fn run_id(path: &Path) -> String {
    let stem = path.file_stem().map_or_else(|| "live".into(), |stem| stem.to_string_lossy());
    let folder = path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy());
    match folder {
        Some(folder) if stem == "results" => folder.into_owned(),
        _ => stem.into_owned(),
    }
}

/// Refuses a scenario that is named twice.
///
/// # Errors
/// Names it.
pub fn each_once(mut ids: Vec<&str>) -> Result<()> {
    ids.sort_unstable();
    match ids.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(twice) => Err(Error::input(format!("the scenario `{}` is named twice", twice[0])).help("name each once")),
        None => Ok(()),
    }
}

/// A scenario with its measurements.
pub fn scenario_member(catalog: &Catalog, folder: &ScenarioFolder, campaign: usize) -> Result<StudyMember> {
    let scenario = catalog.resolve(folder)?;
    let load = scenario.file.campaign.load;
    Ok(StudyMember {
        id: scenario.id,
        title: scenario.file.title,
        system: scenario.system,
        load,
        dataset: read_measurements(&folder.measured, load)?,
        provenance: Provenance { campaign: Some(scenario.file.campaign), sources: scenario.file.source },
        campaign,
    })
}

/// One system of a table.
pub(super) fn table_member(catalog: &Catalog, group: TableGroup, load: LoadKind) -> Result<StudyMember> {
    let key = group.key;
    let (hardware, model) = (catalog.hardware(&key.hardware)?, catalog.model(&key.model)?);
    let compute = computed_wider(&hardware, key.weights);
    let deployment = Deployment {
        parallelism: key.parallelism,
        formats: Formats { kv: key.kv, compute, ..Formats::of_weights(key.weights) },
        ..Deployment::new(1, key.weights)?
    };
    let system = System::new(hardware, model, deployment)?;
    // Two engines, or two versions of one, are two systems.
    let stack: String =
        key.engine.iter().chain(&key.stack).filter(|name| !name.is_empty()).map(|name| format!("_{name}")).collect();
    Ok(StudyMember {
        id: format!("{}{stack}", named_after(&system)),
        title: system.title(),
        system,
        load,
        dataset: group.dataset,
        provenance: Provenance::default(),
        campaign: 0,
    })
}
