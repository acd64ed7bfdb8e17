//! From flags to measured systems: scenarios by id or folder, a bare CSV with its system in flags, a table of many.

use std::path::{Path, PathBuf};

use clap::Args;
use wildmatch::WildMatch;

use super::names;
use crate::app::matching;
use crate::bench::Results;
use crate::calibration::Provenance;
use crate::dataset::{TableGroup, read_measurements, read_table};
use crate::error::{Error, Result};
use crate::evaluation::StudyMember;
use crate::evaluation::live::{DevicePeaks, LiveRun, data_type, live_run};
use crate::spec::{Catalog, Deployment, Formats, Hardware, Kind, Limits, Precision, ScenarioFolder, SpecFile, System};
use crate::workload::LoadKind;

/// Flags that name measured systems.
#[derive(Debug, Args)]
pub struct MeasuredArgs {
    /// Scenario id, see `perfmodel list scenarios`; with * for any text ('llama*'); may be repeated
    #[arg(long, value_name = "ID", required_unless_present_any = ["scenario_dir", "measured", "table", "live"])]
    scenario: Vec<String>,

    /// Folder with scenario.toml and measured.csv; may be repeated
    #[arg(long, value_name = "DIR")]
    scenario_dir: Vec<PathBuf>,

    /// CSV of measurements without a scenario; --model, --hardware, --tp, --weights and --kv say what ran
    #[arg(long, value_name = "FILE", group = "file", conflicts_with_all = ["scenario", "scenario_dir", "table"], requires_all = ["model", "hardware", "weights", "kv"])]
    measured: Option<PathBuf>,

    /// Results of `perfmodel bench` on the device --hardware (with fit); may be repeated, or files with commas
    #[arg(long, value_name = "RESULTS.json", group = "file", value_delimiter = ',', conflicts_with_all = ["scenario", "scenario_dir", "table"], requires = "hardware")]
    live: Vec<PathBuf>,

    /// CSV of measurements of many systems, one campaign; columns model, hardware, tensor_parallel, weight_precision and
    /// kv_precision say what each row ran on
    #[arg(long, value_name = "FILE", conflicts_with_all = ["scenario", "scenario_dir"])]
    table: Option<PathBuf>,

    /// Take only systems of --table whose name matches, such as '*_fp8_*'; may be repeated
    #[arg(long, value_name = "PATTERN", requires = "table")]
    only: Vec<String>,

    /// Leave out systems of --table whose name matches, such as 'mixtral*'; may be repeated
    #[arg(long, value_name = "PATTERN", requires = "table")]
    without: Vec<String>,

    /// Leave out systems of --table whose model or hardware is unknown here, instead of stopping
    #[arg(long, requires = "table")]
    skip_unknown: bool,

    /// How requests reached the engine (with --measured or --table): closed_loop, open_loop or static_batch
    /// [default: closed_loop]
    #[arg(long, value_name = "KIND", conflicts_with_all = ["scenario", "scenario_dir"])]
    load: Option<LoadKind>,

    /// Model id, one of its other names, or a Hugging Face config.json (with --measured, or with --live where a file has no
    /// sizes)
    #[arg(long, value_name = "ID", requires = "file")]
    model: Option<String>,

    /// Hardware id or one of its other names (with --measured or --live)
    #[arg(long, value_name = "ID", requires = "file")]
    hardware: Option<String>,

    /// Tensor-parallel degree (with --measured) [default: 1]
    #[arg(long, value_name = "N", requires = "measured")]
    tp: Option<u32>,

    /// Precision of the weights (with --measured)
    #[arg(long, value_name = "PRECISION", requires = "measured")]
    weights: Option<Precision>,

    /// Precision in which linear layers compute, for weight-only quantisation (with --measured) [default: --weights]
    #[arg(long, value_name = "PRECISION", requires = "measured")]
    compute: Option<Precision>,

    /// Precision of the KV cache (with --measured)
    #[arg(long, value_name = "PRECISION", requires = "measured")]
    kv: Option<Precision>,

    /// Most sequences the engine runs at once (with --measured)
    #[arg(long, value_name = "N", requires = "measured")]
    max_sequences: Option<u32>,

    /// Most tokens of one engine step (with --measured)
    #[arg(long, value_name = "N", requires = "measured")]
    max_tokens_per_step: Option<u32>,
}

/// Measured systems, and what was left out of them.
pub struct Measured {
    /// Name of a study of all of them.
    pub id: String,
    /// The systems.
    pub members: Vec<StudyMember>,
    /// Systems of a table that were left out because their model or hardware is unknown.
    pub unknown: Vec<String>,
}

impl MeasuredArgs {
    /// Reads and checks everything that the flags name.
    pub fn resolve(&self, catalog: &Catalog) -> Result<Measured> {
        if !self.live.is_empty() {
            return Err(Error::input("live runs are no measured scenario").help("use `perfmodel fit --live`"));
        }
        if let Some(path) = &self.table {
            return self.table(catalog, path);
        }
        if let Some(path) = &self.measured {
            let member = self.bare_file(catalog, path)?;
            return Ok(Measured { id: member.id.clone(), members: vec![member], unknown: Vec::new() });
        }
        let mut members: Vec<StudyMember> = Vec::new();
        for folder in self.folders(catalog)? {
            let campaign = members.len();
            members.push(scenario_member(catalog, &folder, campaign)?);
        }
        let ids: Vec<&str> = members.iter().map(|member| member.id.as_str()).collect();
        let id = ids.join("+");
        each_once(ids)?;
        Ok(Measured { id, members, unknown: Vec::new() })
    }

    /// Live runs and their device; `None` if the flags name something else.
    pub fn live(&self, catalog: &Catalog) -> Result<Option<(Hardware, Vec<LiveRun>)>> {
        let Some(hardware) = self.hardware.as_ref().filter(|_| !self.live.is_empty()) else { return Ok(None) };
        let hardware = names::hardware(catalog, hardware)?;
        let model = self.model.as_ref().map(|id| names::model_or_config(catalog, id)).transpose()?;
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
        Ok(Some((hardware, runs)))
    }

    /// Exactly one measured system.
    pub fn resolve_one(&self, catalog: &Catalog) -> Result<StudyMember> {
        let mut measured = self.resolve(catalog)?;
        match (measured.members.pop(), measured.members.is_empty()) {
            (Some(member), true) => Ok(member),
            (_, _) => Err(Error::input("this command takes one scenario at a time").help("run it once for each")),
        }
    }

    fn folders(&self, catalog: &Catalog) -> Result<Vec<ScenarioFolder>> {
        let mut folders = Vec::new();
        for name in &self.scenario {
            for id in matching("scenario", name, &catalog.ids(Kind::Scenario))? {
                folders.push(catalog.scenario_folder(&id)?);
            }
        }
        for dir in &self.scenario_dir {
            folders.push(Catalog::scenario_folder_at(dir)?);
        }
        Ok(folders)
    }

    fn bare_file(&self, catalog: &Catalog, path: &Path) -> Result<StudyMember> {
        let (Some(model), Some(hardware), Some(weights), Some(kv)) =
            (&self.model, &self.hardware, self.weights, self.kv)
        else {
            return Err(
                Error::input("no scenario is named").help("give --scenario ID, --scenario-dir DIR or --measured FILE")
            );
        };
        let load = self.load.unwrap_or_default();
        let dataset = read_measurements(&SpecFile::open(path)?, load)?;
        let deployment = Deployment {
            formats: Formats { compute: self.compute, kv, ..Formats::of_weights(weights) },
            limits: Limits {
                max_sequences: self.max_sequences,
                max_tokens_per_step: self.max_tokens_per_step,
                ..Limits::default()
            },
            ..Deployment::new(self.tp.unwrap_or(1), weights)?
        };
        let system =
            System::new(names::hardware(catalog, hardware)?, names::model_or_config(catalog, model)?, deployment)?;
        let stem = path.file_stem().map_or_else(|| "measured".into(), |stem| stem.to_string_lossy());
        // Two files of one name on different systems must not overwrite each other's results.
        let id = format!("{stem}_{}_{}_tp{}", system.model.id, system.hardware.id, system.deployment.parallelism.tp());
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

    fn table(&self, catalog: &Catalog, path: &Path) -> Result<Measured> {
        let load = self.load.unwrap_or_default();
        let file = SpecFile::open(path)?;
        let mut members = Vec::new();
        let mut unknown = Vec::new();
        let matches = |patterns: &[String], id: &str| patterns.iter().any(|p| WildMatch::new(p).matches(id));
        for group in read_table(&file, load)? {
            let line = group.line;
            let name = format!("{} on {}", group.key.model, group.key.hardware);
            match table_member(catalog, group, load) {
                Ok(member) => {
                    let wanted = self.only.is_empty() || matches(&self.only, &member.id);
                    if wanted && !matches(&self.without, &member.id) {
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
            return Err(Error::input("no system of the table is left")
                .at(path)
                .help("loosen --only and --without; the names are made like llama2_7b_h100_sxm_80gb_fp8_tp1"));
        }
        let stem = path.file_stem().map_or_else(|| "table".into(), |stem| stem.to_string_lossy());
        Ok(Measured { id: stem.into_owned(), members, unknown })
    }
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
    let scenario = names::resolve(catalog, folder)?;
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
fn table_member(catalog: &Catalog, group: TableGroup, load: LoadKind) -> Result<StudyMember> {
    let key = group.key;
    let (hardware, model) = (names::hardware(catalog, &key.hardware)?, names::model(catalog, &key.model)?);
    let deployment = Deployment {
        formats: Formats { kv: key.kv, ..Formats::of_weights(key.weights) },
        ..Deployment::new(key.tensor_parallel, key.weights)?
    };
    let system = System::new(hardware, model, deployment)?;
    Ok(StudyMember {
        id: format!("{}_{}_{}_tp{}", system.model.id, system.hardware.id, key.weights, key.tensor_parallel),
        title: system.title(),
        system,
        load,
        dataset: group.dataset,
        provenance: Provenance::default(),
        campaign: 0,
    })
}
