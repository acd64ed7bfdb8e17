//! From flags to a system with measurements: a scenario by id, a folder, or a bare CSV with the system in flags.

use std::fs;
use std::path::PathBuf;

use clap::Args;

use crate::calibration::Provenance;
use crate::dataset::{Dataset, read_measurements};
use crate::error::{Error, Result};
use crate::spec::{Catalog, Deployment, Precision, SpecFile, System};

/// Flags that name a measured system.
#[derive(Debug, Args)]
pub struct MeasuredArgs {
    /// Scenario id, see `perfmodel list scenarios`
    #[arg(long, value_name = "ID", required_unless_present_any = ["scenario_dir", "measured"])]
    scenario: Option<String>,

    /// Folder with scenario.toml and measured.csv
    #[arg(long, value_name = "DIR", conflicts_with = "scenario")]
    scenario_dir: Option<PathBuf>,

    /// CSV of measurements without a scenario; --model, --hardware, --tp, --weights and --kv say what ran
    #[arg(long, value_name = "FILE", conflicts_with_all = ["scenario", "scenario_dir"], requires_all = ["model", "hardware", "weights", "kv"])]
    measured: Option<PathBuf>,

    /// Model id (with --measured)
    #[arg(long, value_name = "ID", requires = "measured")]
    model: Option<String>,

    /// Hardware id (with --measured)
    #[arg(long, value_name = "ID", requires = "measured")]
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

/// A system with its measurements.
pub struct Measured {
    /// Scenario id, or the name of the measured file.
    pub id: String,
    /// Title for reports.
    pub title: String,
    /// The system.
    pub system: System,
    /// Its measurements.
    pub dataset: Dataset,
    /// Who measured them, and how.
    pub provenance: Provenance,
}

impl MeasuredArgs {
    /// Reads and checks everything that the flags name.
    pub fn resolve(&self, catalog: &Catalog) -> Result<Measured> {
        let folder = match (&self.scenario, &self.scenario_dir) {
            (Some(id), _) => catalog.scenario_folder(id)?,
            (None, Some(dir)) => Catalog::scenario_folder_at(dir)?,
            (None, None) => return self.bare_file(catalog),
        };
        let scenario = catalog.resolve(&folder)?;
        let dataset = read_measurements(&folder.measured)?;
        Ok(Measured {
            id: scenario.id,
            title: scenario.file.title,
            system: scenario.system,
            dataset,
            provenance: Provenance { campaign: Some(scenario.file.campaign), sources: scenario.file.source },
        })
    }

    fn bare_file(&self, catalog: &Catalog) -> Result<Measured> {
        let (Some(path), Some(model), Some(hardware), Some(weights), Some(kv)) =
            (&self.measured, &self.model, &self.hardware, self.weights, self.kv)
        else {
            return Err(
                Error::input("no scenario is named").help("give --scenario ID, --scenario-dir DIR or --measured FILE")
            );
        };
        let text = fs::read_to_string(path).map_err(|error| {
            let help = match error.kind() {
                std::io::ErrorKind::InvalidData => "save the file as UTF-8 text",
                _ => "check the path and its permissions",
            };
            Error::input(format!("cannot read the file ({error})")).at(path).help(help)
        })?;
        let dataset = read_measurements(&SpecFile { label: path.display().to_string(), text })?;
        let deployment = Deployment {
            tensor_parallel: self.tp.unwrap_or(1),
            weight_precision: weights,
            compute_precision: self.compute,
            kv_precision: kv,
            max_sequences: self.max_sequences,
            max_tokens_per_step: self.max_tokens_per_step,
        };
        let system = System::new(catalog.hardware(hardware)?, catalog.model(model)?, deployment)?;
        let stem = path.file_stem().map_or_else(|| "measured".into(), |stem| stem.to_string_lossy());
        // Two files of one name on different systems must not overwrite each other's results.
        let id = format!("{stem}_{}_{}_tp{}", system.model.id, system.hardware.id, system.deployment.tensor_parallel);
        Ok(Measured { title: system.title(), id, system, dataset, provenance: Provenance::default() })
    }
}
