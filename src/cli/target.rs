//! From flags to a system that is to be predicted, and the calibration that predicts it.

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use serde::Serialize;

use super::terminal::{note, shell_word};
use crate::calibration::{CalibrationRecord, Target};
use crate::dataset::sha256;
use crate::error::{Error, Result};
use crate::estimator::{self, Estimator};
use crate::forecast::Forecaster;
use crate::spec::{Campaign, Catalog, Deployment, Hardware, ModelArchitecture, Precision, ScenarioFolder, System};
use crate::workload::LoadKind;

/// Flags that name a system to predict. One of the first three must be there, unless a command makes the group `system` optional.
#[derive(Debug, Clone, Args)]
#[command(group(ArgGroup::new("system").args(["scenario", "scenario_dir", "model"]).required(true).multiple(true)))]
pub struct TargetArgs {
    /// System of a scenario, see `perfmodel list scenarios`
    #[arg(long, value_name = "ID")]
    scenario: Option<String>,

    /// System of a scenario folder anywhere
    #[arg(long, value_name = "DIR", conflicts_with = "scenario")]
    scenario_dir: Option<PathBuf>,

    /// Model id, one of its other names, or a Hugging Face config.json (the file or its folder)
    #[arg(long, value_name = "ID", conflicts_with_all = ["scenario", "scenario_dir"], requires = "hardware")]
    model: Option<String>,

    /// Hardware id or one of its other names; with --scenario instead of its own, as all that follow
    #[arg(long, value_name = "ID")]
    hardware: Option<String>,

    /// Tensor-parallel degree [default: that of the scenario, else 1]
    #[arg(long, value_name = "N")]
    tp: Option<u32>,

    /// Precision of the weights [default: that of the scenario, else as the model is published if that is 16 bit or
    /// narrower, else bf16]
    #[arg(long, value_name = "PRECISION")]
    weights: Option<Precision>,

    /// Precision in which linear layers compute, for weight-only quantisation [default: that of the weights; without --weights
    /// 16 bit where the device has no peak for the format in which the model is published]
    #[arg(long, value_name = "PRECISION")]
    compute: Option<Precision>,

    /// Precision of the KV cache [default: that of the scenario, else fp16 for fp16 weights and bf16 for all others]
    #[arg(long, value_name = "PRECISION")]
    kv: Option<Precision>,

    /// Most sequences the engine runs at once
    #[arg(long, value_name = "N")]
    max_sequences: Option<u32>,

    /// Most tokens of one engine step
    #[arg(long, value_name = "N")]
    max_tokens_per_step: Option<u32>,

    #[command(flatten)]
    calibration: CalibrationArgs,
}

/// Flags that say where parameter values come from.
#[derive(Debug, Clone, Args)]
pub struct CalibrationArgs {
    /// calibration.toml of a fit, of this system or another [default: that of the scenario under evaluations_results, else
    /// the priors alone]
    #[arg(long, value_name = "FILE")]
    calibration: Option<PathBuf>,

    /// Use the documented priors alone (priors.toml)
    #[arg(long, conflicts_with = "calibration")]
    uncalibrated: bool,

    /// Set a parameter, such as burst_factor=0 for independent users; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = super::fit::name_and_value)]
    set: Vec<(String, f64)>,
}

impl CalibrationArgs {
    /// The calibration that is named, or the one beside the results of a scenario in the current folder.
    ///
    /// # Errors
    /// The file is no calibration.
    pub fn open(
        &self,
        scenario: Option<&str>,
        estimator: &dyn Estimator,
    ) -> Result<Option<(PathBuf, CalibrationRecord)>> {
        if self.uncalibrated {
            return Ok(None);
        }
        let path = match (&self.calibration, scenario) {
            (Some(path), _) => path.clone(),
            (None, Some(scenario)) => {
                let beside: PathBuf =
                    ["evaluations_results", scenario, estimator.name(), "calibration.toml"].iter().collect();
                if !beside.is_file() {
                    note(|| format!("no calibration at {}", beside.display()));
                    return Ok(None);
                }
                beside
            }
            (None, None) => return Ok(None),
        };
        let record = CalibrationRecord::open(&path)?;
        note(|| {
            let names: Vec<&str> = record.scenarios.iter().map(|scenario| scenario.scenario.as_str()).collect();
            format!("calibration {}, fitted to {}", path.display(), names.join(", "))
        });
        Ok(Some((path, record)))
    }

    /// Whether the priors alone are asked for.
    pub fn is_uncalibrated(&self) -> bool {
        self.uncalibrated
    }

    /// Values that the user sets.
    pub fn set(&self) -> &[(String, f64)] {
        &self.set
    }
}

/// What is predicted and from what, at the head of JSON objects.
#[derive(Debug, Serialize)]
pub struct TargetOutput<'a> {
    system: &'a str,
    model: &'a str,
    hardware: &'a str,
    tensor_parallel: u32,
    weight_precision: String,
    kv_precision: String,
    calibration: Option<&'a Path>,
}

/// A system to predict.
pub struct ResolvedTarget {
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
    set: Vec<(String, f64)>,
}

impl TargetArgs {
    /// Whether a system is named.
    pub fn is_named(&self) -> bool {
        self.scenario.is_some() || self.scenario_dir.is_some() || self.model.is_some()
    }

    /// Checks that no flag describes a system where none is named.
    ///
    /// # Errors
    /// Names the first such flag.
    pub fn check_unused(&self) -> Result<()> {
        let calibration = &self.calibration;
        let given = [
            ("--hardware", self.hardware.is_some()),
            ("--tp", self.tp.is_some()),
            ("--weights", self.weights.is_some()),
            ("--compute", self.compute.is_some()),
            ("--kv", self.kv.is_some()),
            ("--max-sequences", self.max_sequences.is_some()),
            ("--max-tokens-per-step", self.max_tokens_per_step.is_some()),
            ("--calibration", calibration.calibration.is_some()),
            ("--uncalibrated", calibration.uncalibrated),
            ("--set", !calibration.set.is_empty()),
        ];
        match given.iter().find(|(_, given)| *given) {
            Some((flag, _)) => Err(Error::input(format!("{flag} describes a system, and none is named"))
                .help("give --scenario ID, or --model and --hardware")),
            None => Ok(()),
        }
    }

    /// Reads and checks everything that the flags name.
    pub fn resolve(&self, catalog: &Catalog) -> Result<ResolvedTarget> {
        let folder = match (&self.scenario, &self.scenario_dir, &self.model) {
            (Some(id), ..) => catalog.scenario_folder(id)?,
            (None, Some(dir), _) => Catalog::scenario_folder_at(dir)?,
            (None, None, Some(model)) => return self.named(catalog, model),
            (None, None, None) => {
                return Err(Error::input("no system is named").help("give --scenario ID, or --model and --hardware"));
            }
        };
        let scenario = catalog.resolve(&folder)?;
        let calibration = self.calibration.open(Some(&scenario.id), default_estimator())?;
        let changed = calibration
            .as_ref()
            .and_then(|(_, record)| changed_since_fit(record, &folder, self.scenario_dir.as_deref()));
        let own = scenario.system.deployment.clone();
        let weights = self.weights.unwrap_or(own.weight_precision);
        let deployment = Deployment {
            tensor_parallel: self.tp.unwrap_or(own.tensor_parallel),
            weight_precision: weights,
            // Other weights are computed with in their own precision.
            compute_precision: self.compute.or(own.compute_precision.filter(|_| self.weights.is_none())),
            kv_precision: self.kv.unwrap_or(own.kv_precision),
            max_sequences: self.max_sequences.or(own.max_sequences),
            max_tokens_per_step: self.max_tokens_per_step.or(own.max_tokens_per_step),
        };
        let hardware = match &self.hardware {
            Some(name) => catalog.hardware(name)?,
            None => scenario.system.hardware.clone(),
        };
        let as_measured = deployment == own && hardware.id == scenario.system.hardware.id;
        let system = System::new(hardware, scenario.system.model, deployment)?;
        Ok(ResolvedTarget {
            title: if as_measured { scenario.file.title } else { system.title() },
            id: if as_measured { scenario.id.clone() } else { named_after(&system) },
            system,
            campaign: Some(scenario.file.campaign),
            calibration,
            changed,
            set: self.calibration.set.clone(),
            scenario: Some(scenario.id),
            folder: self.scenario_dir.clone(),
        })
    }

    fn named(&self, catalog: &Catalog, model: &str) -> Result<ResolvedTarget> {
        let Some(hardware) = &self.hardware else {
            return Err(Error::input("--model comes without --hardware").help("see `perfmodel list hardware`"));
        };
        let architecture = catalog.model_or_config(model)?;
        let weights = served_precision(&architecture, self.weights)?;
        let hardware = catalog.hardware(hardware)?;
        let stored_only = computed_wider(&hardware, weights).filter(|_| self.weights.is_none());
        let deployment = Deployment {
            tensor_parallel: self.tp.unwrap_or(1),
            weight_precision: weights,
            compute_precision: self.compute.or(stored_only),
            kv_precision: self.kv.unwrap_or(weights.unquantised()),
            max_sequences: self.max_sequences,
            max_tokens_per_step: self.max_tokens_per_step,
        };
        let system = System::new(hardware, architecture, deployment)?;
        let calibration = self.calibration.open(None, default_estimator())?;
        Ok(ResolvedTarget {
            id: named_after(&system),
            title: system.title(),
            system,
            scenario: None,
            folder: None,
            campaign: None,
            calibration,
            changed: None,
            set: self.calibration.set.clone(),
        })
    }
}

/// The command that fits a scenario, in the way in which it was named.
pub fn fit_command(id: &str, dir: Option<&Path>) -> String {
    match dir {
        Some(dir) => format!("`perfmodel fit --scenario-dir {}`", shell_word(dir)),
        None => format!("`perfmodel fit --scenario {id}`"),
    }
}

/// Says so where the measurements of a scenario are not those to which a calibration was fitted.
pub fn changed_since_fit(record: &CalibrationRecord, folder: &ScenarioFolder, dir: Option<&Path>) -> Option<String> {
    let id = &folder.id;
    let fitted = record.scenarios.iter().find(|scenario| scenario.scenario == *id)?;
    (fitted.measured_sha256 != sha256(&folder.measured)).then(|| {
        format!(
            "the measurements of `{id}` have changed since this calibration was fitted; {} fits it again",
            fit_command(id, dir)
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
fn named_after(system: &System) -> String {
    let deployment = &system.deployment;
    format!(
        "{}_{}_{}_tp{}",
        system.model.id, system.hardware.id, deployment.weight_precision, deployment.tensor_parallel
    )
}

/// The estimator that predicts systems; the others are there to be compared with in fits.
pub fn default_estimator() -> &'static dyn Estimator {
    estimator::all()[0]
}

impl ResolvedTarget {
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

    /// The target at the head of a JSON object.
    pub fn output(&self) -> TargetOutput<'_> {
        let deployment = &self.system.deployment;
        TargetOutput {
            system: &self.id,
            model: &self.system.model.name,
            hardware: &self.system.hardware.name,
            tensor_parallel: deployment.tensor_parallel,
            weight_precision: deployment.weight_precision.to_string(),
            kv_precision: deployment.kv_precision.to_string(),
            calibration: self.calibration.as_ref().map(|(path, _)| path.as_path()),
        }
    }

    /// Where the values come from, in words.
    pub fn basis(&self) -> String {
        match &self.calibration {
            Some((path, record)) => {
                let scenarios: Vec<&str> = record.scenarios.iter().map(|s| s.scenario.as_str()).collect();
                format!("{}, fitted to {}", display(path), scenarios.join(", "))
            }
            None => "the priors alone (priors.toml)".to_owned(),
        }
    }
}

fn display(path: &Path) -> String {
    path.display().to_string()
}
