//! From a request to a system that is to be predicted, and the calibration that predicts it.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::request::Values;
use crate::calibration::{CalibrationRecord, Target};
use crate::dataset::sha256;
use crate::error::{Error, Result};
use crate::estimator::{self, Estimator};
use crate::forecast::Forecaster;
use crate::spec::{
    Campaign, Catalog, Deployment, DeploymentFile, Formats, Hardware, ModelArchitecture, Pool, Precision,
    ScenarioFolder, System, Topology,
};
use crate::workload::LoadKind;

/// Which system: that of a scenario, or a model on a device. What is given beside a scenario stands in for its own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct SystemRequest {
    /// Id of a scenario, or a folder with scenario.toml and measured.csv.
    pub scenario: Option<String>,
    /// Model id, one of its other names, or the path of a Hugging Face config.json or its folder.
    pub model: Option<String>,
    /// Hardware id, one of its other names, or the path of a hardware file.
    pub hardware: Option<String>,
    /// How the model is placed on devices.
    #[serde(flatten)]
    pub placement: PlacementRequest,
    /// Where parameter values come from.
    #[serde(flatten)]
    pub parameters: ParametersRequest,
}

/// How a model is placed on devices; what is left out is as in the scenario, else the default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct PlacementRequest {
    /// Tensor-parallel degree; 1 by default.
    pub tp: Option<u32>,
    /// Pipeline stages; 1 by default.
    pub pp: Option<u32>,
    /// Ranks of attention that decode sequences of their own (data parallelism of attention, never replicas); 1 by default.
    pub dp: Option<u32>,
    /// Ranks that hold experts of their own; 1 by default.
    pub ep: Option<u32>,
    /// Pool of workers that process prompts, such as `2xtp4`.
    pub prefill: Option<Pool>,
    /// Pool of workers that decode, such as `1xdp8,ep8`.
    pub decode: Option<Pool>,
    /// Format of the weights; as the model is published if that is 16 bit or narrower, else bf16.
    pub weights: Option<Precision>,
    /// Format in which linear layers compute, for weight-only quantisation; that of the weights, or 16 bit where the device
    /// has no peak for the format in which the model is published.
    pub compute: Option<Precision>,
    /// Format of the KV cache; fp16 for fp16 weights, bf16 for all others.
    pub kv: Option<Precision>,
    /// Most sequences that the engine runs at once on one rank.
    pub max_sequences: Option<u32>,
    /// Most tokens of one engine step.
    pub max_tokens_per_step: Option<u32>,
}

/// Where parameter values come from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct ParametersRequest {
    /// calibration.toml of a fit, of this system or another; that of the scenario under evaluations_results if there is one.
    pub calibration: Option<PathBuf>,
    /// The documented priors alone.
    pub uncalibrated: bool,
    /// Values of single parameters, such as `burst_factor` 0 for independent users.
    pub set: Values,
}

/// A calibration, and what is worth knowing of where it was looked for.
pub struct OpenedCalibration {
    /// The calibration and where it was read.
    pub calibration: Option<(PathBuf, CalibrationRecord)>,
    /// What was found or not found, for those who want to know.
    pub notes: Vec<String>,
}

impl ParametersRequest {
    /// The calibration that is named, or the one beside the results of a scenario in the current folder.
    ///
    /// # Errors
    /// The file is no calibration.
    pub fn open(&self, scenario: Option<&str>, estimator: &dyn Estimator) -> Result<OpenedCalibration> {
        let none = |notes| Ok(OpenedCalibration { calibration: None, notes });
        if self.uncalibrated {
            return none(Vec::new());
        }
        let path = match (&self.calibration, scenario) {
            (Some(path), _) => path.clone(),
            (None, Some(scenario)) => {
                let beside = results_folder(&[scenario, estimator.name()]).join("calibration.toml");
                if !beside.is_file() {
                    return none(vec![format!("no calibration at {}", beside.display())]);
                }
                beside
            }
            (None, None) => return none(Vec::new()),
        };
        let record = CalibrationRecord::open(&path)?;
        let names: Vec<&str> = record.scenarios.iter().map(|scenario| scenario.scenario.as_str()).collect();
        let note = format!("calibration {}, fitted to {}", path.display(), names.join(", "));
        Ok(OpenedCalibration { calibration: Some((path, record)), notes: vec![note] })
    }

    /// As [`Self::open`], where one must be named or the priors be wanted.
    ///
    /// # Errors
    /// As there, or neither is.
    pub(super) fn open_named(&self, estimator: &dyn Estimator) -> Result<OpenedCalibration> {
        let opened = self.open(None, estimator)?;
        if opened.calibration.is_none() && !self.uncalibrated {
            return Err(Error::input("no calibration is named").help(
                "give --calibration FILE, the calibration.toml that `perfmodel fit` writes; or --uncalibrated for the priors alone",
            ));
        }
        Ok(opened)
    }
}

/// The folder of results of a kind, below the current one.
pub fn results_folder(parts: &[&str]) -> PathBuf {
    std::iter::once("evaluations_results").chain(parts.iter().copied()).collect()
}

/// What is predicted and from what.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SystemAnswer {
    /// Id of the scenario, or a name made of model, hardware and placement.
    pub system: String,
    /// Name of the model.
    pub model: String,
    /// Name of the device.
    pub hardware: String,
    /// Devices: tensor_parallel · attention_data_parallel · pipeline_parallel.
    pub gpus: u32,
    /// Devices among which every matrix and the heads of attention are split.
    pub tensor_parallel: u32,
    /// Stages among which the layers are split.
    pub pipeline_parallel: u32,
    /// Ranks of attention that decode sequences of their own.
    pub attention_data_parallel: u32,
    /// Ranks that hold experts of their own; experts are split tensor_parallel · attention_data_parallel / expert_parallel ways
    /// inside.
    pub expert_parallel: u32,
    /// Format of the weights.
    pub weight_precision: Precision,
    /// Format of the KV cache.
    pub kv_precision: Precision,
    /// Path of the calibration; null: uncalibrated, from documented priors alone.
    pub calibration: Option<PathBuf>,
}

/// A system to predict.
#[derive(Debug, Clone)]
pub struct ResolvedSystem {
    /// Scenario id, or a name made of model, hardware and placement.
    pub id: String,
    /// Title for reports.
    pub title: String,
    /// The system.
    pub system: System,
    /// The scenario, if it is one.
    pub scenario: Option<String>,
    /// Its folder, if it was named by that.
    pub folder: Option<PathBuf>,
    /// Who measured it, if anybody did.
    pub campaign: Option<Campaign>,
    /// The calibration and where it was read.
    pub calibration: Option<(PathBuf, CalibrationRecord)>,
    /// Says so where the scenario's measurements have changed since the fit.
    pub changed: Option<String>,
    /// What was read from where.
    pub notes: Vec<String>,
    set: Values,
}

/// A scenario by its id, or by its folder.
#[derive(Debug, Clone)]
pub struct NamedScenario {
    /// Its files.
    pub files: ScenarioFolder,
    /// The folder, if it was named by that.
    pub folder: Option<PathBuf>,
}

impl NamedScenario {
    /// Finds a scenario: a name is an id of the catalogue, else a folder that is there.
    ///
    /// # Errors
    /// There is neither, or its files cannot be read.
    pub fn find(catalog: &Catalog, name: &str) -> Result<Self> {
        let path = Path::new(name);
        let is_path = name.contains(['/', '\\']) || name == "." || name == "..";
        if is_path || (path.is_dir() && !catalog.has_scenario(name)) {
            let folder = Some(name.trim_end_matches('/')).filter(|folder| !folder.is_empty()).map_or(path, Path::new);
            return Ok(Self { files: Catalog::scenario_folder_at(folder)?, folder: Some(path.to_owned()) });
        }
        let files = catalog.scenario_folder(name).map_err(|error| {
            let remedy = error.remedy().map_or_else(String::new, |remedy| format!("{remedy}; "));
            error.help(format!(
                "{remedy}a folder with scenario.toml and measured.csv will do, too: `perfmodel init DIR` writes one"
            ))
        })?;
        Ok(Self { files, folder: None })
    }
}

impl SystemRequest {
    /// Whether a system is named.
    pub fn is_named(&self) -> bool {
        self.scenario.is_some() || self.model.is_some()
    }

    /// Checks that nothing describes a system where none is named.
    ///
    /// # Errors
    /// Names the first that does.
    pub fn check_unused(&self) -> Result<()> {
        let (placement, parameters) = (&self.placement, &self.parameters);
        let given = [
            ("--hardware", self.hardware.is_some()),
            ("--tp", placement.tp.is_some()),
            ("--pp", placement.pp.is_some()),
            ("--dp", placement.dp.is_some()),
            ("--ep", placement.ep.is_some()),
            ("--prefill", placement.prefill.is_some()),
            ("--decode", placement.decode.is_some()),
            ("--weights", placement.weights.is_some()),
            ("--compute", placement.compute.is_some()),
            ("--kv", placement.kv.is_some()),
            ("--max-sequences", placement.max_sequences.is_some()),
            ("--max-tokens-per-step", placement.max_tokens_per_step.is_some()),
            ("--calibration", parameters.calibration.is_some()),
            ("--uncalibrated", parameters.uncalibrated),
            ("--set", !parameters.set.is_empty()),
        ];
        match given.iter().find(|(_, given)| *given) {
            Some((flag, _)) => Err(Error::input(format!("{flag} describes a system, and none is named"))
                .help("give --scenario ID, or --model and --hardware")),
            None => Ok(()),
        }
    }

    /// Reads and checks everything that is named.
    ///
    /// # Errors
    /// A name that is not known, a file that cannot be read, or a system that cannot be.
    pub fn resolve(&self, catalog: &Catalog) -> Result<ResolvedSystem> {
        let name = match (&self.scenario, &self.model) {
            (Some(_), Some(_)) => {
                return Err(Error::input("both a scenario and a model are named").help("give one of them"));
            }
            (Some(name), None) => name,
            (None, Some(model)) => return self.of_model(catalog, model),
            (None, None) => {
                return Err(Error::input("no system is named").help("give --scenario ID, or --model and --hardware"));
            }
        };
        let named = NamedScenario::find(catalog, name)?;
        let scenario = catalog.resolve(&named.files)?;
        let opened = self.parameters.open(Some(&scenario.id), default_estimator())?;
        let changed = opened.calibration.as_ref().and_then(|(_, record)| changed_since_fit(record, &named));
        let own = *scenario.system.deployment();
        let deployment = self.placement.over(&own)?;
        let hardware = match &self.hardware {
            Some(name) => catalog.hardware(name)?,
            None => scenario.system.hardware().clone(),
        };
        let as_measured = deployment == own && hardware.id == scenario.system.hardware().id;
        let system = System::new(hardware, scenario.system.model().clone(), deployment)?;
        Ok(ResolvedSystem {
            title: if as_measured { scenario.file.title } else { system.title() },
            id: if as_measured { scenario.id.clone() } else { named_after(&system) },
            system,
            campaign: Some(scenario.file.campaign),
            calibration: opened.calibration,
            notes: opened.notes,
            changed,
            set: self.parameters.set.clone(),
            scenario: Some(scenario.id),
            folder: named.folder,
        })
    }

    fn of_model(&self, catalog: &Catalog, model: &str) -> Result<ResolvedSystem> {
        let Some(hardware) = &self.hardware else {
            return Err(Error::input("--model comes without --hardware").help("see `perfmodel list hardware`"));
        };
        let architecture = catalog.model_or_config(model)?;
        let hardware = catalog.hardware(hardware)?;
        let deployment = self.placement.of_model(&architecture, &hardware)?;
        let system = System::new(hardware, architecture, deployment)?;
        let opened = self.parameters.open(None, default_estimator())?;
        Ok(ResolvedSystem {
            id: named_after(&system),
            title: system.title(),
            system,
            scenario: None,
            folder: None,
            campaign: None,
            calibration: opened.calibration,
            changed: None,
            notes: opened.notes,
            set: self.parameters.set.clone(),
        })
    }
}

impl PlacementRequest {
    /// The placement of a model that no scenario places.
    ///
    /// # Errors
    /// Nobody says in which precision the model is served and its own is not known, or degrees that do not go together.
    pub fn of_model(&self, model: &ModelArchitecture, hardware: &Hardware) -> Result<Deployment> {
        let weights = served_precision(model, self.weights)?;
        let stored_only = computed_wider(hardware, weights).filter(|_| self.weights.is_none());
        let formats = Formats { compute: stored_only, ..Formats::of_weights(weights) };
        self.over(&Deployment { formats, ..Deployment::new(1, weights)? })
    }

    /// A placement with what is given in place of its own.
    ///
    /// # Errors
    /// Degrees that do not go together, a limit of 0, or pools of their own.
    pub fn over(&self, own: &Deployment) -> Result<Deployment> {
        if let (Some(pool), _) | (_, Some(pool)) = (self.prefill, self.decode) {
            let (prefill, decode) = (self.prefill.unwrap_or(pool), self.decode.unwrap_or(pool));
            Topology::Disaggregated { prefill, decode }.check_modelled()?;
        }
        let mut file = DeploymentFile::from(own);
        if let Some(weights) = self.weights {
            // Other weights are computed with in their own precision.
            (file.weight_precision, file.compute_precision) = (weights, None);
        }
        file.compute_precision = self.compute.or(file.compute_precision);
        for (slot, given) in [
            (&mut file.tensor_parallel, self.tp),
            (&mut file.pipeline_parallel, self.pp),
            (&mut file.attention_data_parallel, self.dp),
            (&mut file.expert_parallel, self.ep),
        ] {
            *slot = given.unwrap_or(*slot);
        }
        file.kv_precision = self.kv.unwrap_or(file.kv_precision);
        file.max_sequences = self.max_sequences.or(file.max_sequences);
        file.max_tokens_per_step = self.max_tokens_per_step.or(file.max_tokens_per_step);
        Deployment::try_from(&file)
    }
}

/// A path as it stands in a command that is printed to be used: quoted where a shell would take it apart.
pub fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    // Only a zero byte cannot be quoted, and no path has one.
    shlex::try_quote(&text).map_or_else(|_| text.clone(), Cow::into_owned)
}

/// The command that fits a scenario, in the way in which it was named.
pub fn fit_command(id: &str, folder: Option<&Path>) -> String {
    let name = folder.map_or_else(|| id.to_owned(), as_scenario);
    format!("`perfmodel fit --scenario {name}`")
}

/// A folder as it names a scenario on the command line: with a separator, so that it is no id.
pub fn as_scenario(folder: &Path) -> String {
    let is_name = folder.components().count() == 1 && !folder.display().to_string().ends_with('/');
    if is_name { shell_word(&Path::new(".").join(folder)) } else { shell_word(folder) }
}

/// Says so where the measurements of a scenario are not those to which a calibration was fitted.
pub fn changed_since_fit(record: &CalibrationRecord, named: &NamedScenario) -> Option<String> {
    let id = &named.files.id;
    let fitted = record.scenarios.iter().find(|scenario| scenario.scenario == *id)?;
    (fitted.measured_sha256 != sha256(&named.files.measured)).then(|| {
        format!(
            "the measurements of `{id}` have changed since this calibration was fitted; {} fits it again",
            fit_command(id, named.folder.as_deref())
        )
    })
}

/// In which precision a model is served: as wanted; if nobody says so as it was published, but 32-bit weights in 16 bit, as engines
/// do.
///
/// # Errors
/// Nobody says so, and it was published in a format that is not known.
pub fn served_precision(model: &ModelArchitecture, wanted: Option<Precision>) -> Result<Precision> {
    let narrow = |precision: &Precision| precision.bytes() <= Precision::Bf16.bytes();
    match (wanted, &model.unknown_format) {
        (Some(wanted), _) => Ok(wanted),
        (None, Some(format)) => Err(Error::input(format!(
            "`quantization_config` of {} is {format}, of which the precision of the weights is not known",
            model.id
        ))
        .help("give --weights; for 4-bit weights that are computed in 16 bit `--weights int4 --compute bf16`")),
        (None, None) => Ok(model.stored_precision.filter(narrow).unwrap_or(Precision::Bf16)),
    }
}

/// The precision to compute in where a device cannot in that of the weights: engines multiply weights that are only stored narrow in
/// 16 bit.
pub fn computed_wider(hardware: &Hardware, weights: Precision) -> Option<Precision> {
    hardware.known_peak(weights).is_none().then_some(weights.unquantised())
}

/// A name for a system that is no scenario.
pub(super) fn named_after(system: &System) -> String {
    let deployment = system.deployment();
    let layout = deployment.parallelism.label().replace(' ', "_");
    format!("{}_{}_{}_{layout}", system.model().id, system.hardware().id, deployment.formats.weights)
}

/// The estimator that predicts systems; the others are there to be compared with in fits.
pub fn default_estimator() -> &'static dyn Estimator {
    estimator::all()[0]
}

impl ResolvedSystem {
    /// The system ready to be predicted under a load.
    ///
    /// # Errors
    /// It cannot be predicted, or the calibration or a given value does not suit it.
    pub fn forecaster(&self, load: LoadKind) -> Result<Forecaster> {
        let target =
            Target { scenario: self.scenario.as_deref(), system: &self.system, load, campaign: self.campaign.as_ref() };
        let record = self.calibration.as_ref().map(|(_, record)| record);
        Forecaster::new(default_estimator(), &target, record)?.given(&self.set)
    }

    /// What an answer says of it.
    pub fn answer(&self) -> SystemAnswer {
        let deployment = self.system.deployment();
        SystemAnswer {
            system: self.id.clone(),
            model: self.system.model().name.clone(),
            hardware: self.system.hardware().name.clone(),
            gpus: deployment.parallelism.devices(),
            tensor_parallel: deployment.parallelism.tp(),
            pipeline_parallel: deployment.parallelism.pp(),
            attention_data_parallel: deployment.parallelism.attention_dp(),
            expert_parallel: deployment.parallelism.moe_ep(),
            weight_precision: deployment.formats.weights,
            kv_precision: deployment.formats.kv,
            calibration: self.calibration.as_ref().map(|(path, _)| path.clone()),
        }
    }

    /// Where the values come from, in words.
    pub fn basis(&self) -> String {
        match &self.calibration {
            Some((path, record)) => {
                let scenarios: Vec<&str> = record.scenarios.iter().map(|s| s.scenario.as_str()).collect();
                format!("{}, fitted to {}", path.display(), scenarios.join(", "))
            }
            None => "the priors alone (priors.toml)".to_owned(),
        }
    }
}
