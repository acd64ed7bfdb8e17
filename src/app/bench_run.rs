//! `bench` as it runs: the model, the device and their roofs.

use std::path::Path;

use chrono::Local;

use super::bench::{BenchAnswer, BenchRequest};
use super::remarks::Remarks;
use crate::bench::{BenchConfig, Results, Watch};
use crate::error::{Error, Result};
use crate::evaluation::live::{DevicePeaks, LiveRecord, live_run, predict_results};
use crate::live::{LiveDevice, LiveTarget, ModelShape, Outcome, ProbePlan, WeightPaths, probe};
use crate::passes::LiveParameters;
use crate::spec::{Catalog, Kind, hf_config_at};
use crate::units::{BytesPerSec, FlopsPerSec};

/// A benchmark that is ready to run: everything that was asked for is there and goes together.
#[derive(Debug)]
pub struct BenchRun {
    /// What is timed.
    pub config: BenchConfig,
    target: LiveTarget,
    /// Roofs of the device and whose they are.
    peaks: Option<(DevicePeaks, String)>,
    parameters: (LiveParameters, String),
    remarks: Vec<String>,
}

impl BenchRun {
    /// Opens model and device.
    ///
    /// # Errors
    /// A file that cannot be read, a name that is not known, a device that cannot be used, or too little memory.
    pub fn open(catalog: &Catalog, request: &BenchRequest) -> Result<Self> {
        let config = request.configuration()?;
        let target = target(catalog, request, &config, LiveDevice::open(request.device)?)?;
        target.check(&config)?;
        let peaks = match &request.hardware {
            Some(name) => {
                let hardware = catalog.hardware(name)?;
                Some((DevicePeaks::of(&hardware, target.dtype)?, hardware.name))
            }
            None => None,
        };
        let parameters = match &request.calibration {
            Some(path) => (LiveRecord::open(path)?.parameters(), format!("the calibration {}", path.display())),
            None => (LiveParameters::default(), "priors, without a calibration".to_owned()),
        };
        let remarks =
            Remarks::new(catalog).names(Kind::Model, [&config.model]).names(Kind::Hardware, &request.hardware).said();
        Ok(Self { config, target, peaks, parameters, remarks })
    }

    /// Why the device is another one than the best that `auto` could mean.
    pub fn note(&self) -> Option<&str> {
        self.target.device.note.as_deref()
    }

    /// What names were taken for.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// What must be measured before rows can be predicted; nothing where the device is named.
    ///
    /// # Errors
    /// The free memory is not known.
    pub fn probe_plan(&self) -> Result<Option<ProbePlan>> {
        if self.peaks.is_some() { Ok(None) } else { ProbePlan::quick(&self.target.device, self.target.dtype).map(Some) }
    }

    /// Measures that.
    ///
    /// # Errors
    /// The device failed, or it was stopped.
    pub fn probe(&mut self, plan: &ProbePlan, watch: &mut dyn Watch) -> Result<()> {
        let found = probe(&self.target.device, plan, watch)?;
        let peaks = DevicePeaks {
            bandwidth: BytesPerSec::from_giga(found.bandwidth_gb_per_s()),
            compute: FlopsPerSec::from_tera(found.peak_tflop_per_s(self.target.dtype).unwrap_or(f64::MIN_POSITIVE)),
        };
        self.peaks = Some((peaks, "roofs probed before the run".to_owned()));
        Ok(())
    }

    /// Times every row. A stop keeps those that were measured, and so does a failure behind the first.
    ///
    /// # Errors
    /// It failed or was stopped before the first row was measured.
    pub fn run(&self, watch: &mut dyn Watch) -> Result<Outcome> {
        let mut outcome = self.target.run(&self.config, watch)?;
        if outcome.results.rows() == 0 {
            return Err(Error::failed("stopped before the first row was measured"));
        }
        outcome.results.metadata.timestamp =
            Some(Local::now().naive_local().format("%Y-%m-%dT%H:%M:%S%.6f").to_string());
        Ok(outcome)
    }

    /// The rows with their predictions.
    ///
    /// # Errors
    /// The rows cannot be those of the model.
    ///
    /// # Panics
    /// The roofs are neither named nor probed.
    pub fn answer(&self, catalog: &Catalog, outcome: Outcome) -> Result<BenchAnswer> {
        let (peaks, roofs) = self.peaks.as_ref().expect("the roofs are probed before the run");
        let (parameters, shares) = &self.parameters;
        let run = live_run("bench", outcome.results, *peaks, None, catalog)?;
        let results: Results = predict_results(&run, *parameters, &format!("{roofs}; {shares}"));
        Ok(BenchAnswer {
            folder: None,
            results,
            remarks: self.remarks.clone(),
            files: Vec::new(),
            failure: outcome.failure,
        })
    }
}

/// Times OLMo-2, Hydra and product-of-experts decoding on this machine; `watch` sees the probing of the roofs, too.
///
/// # Errors
/// As [`BenchRun::open`], or it failed or was stopped before the first row was measured.
pub fn bench(catalog: &Catalog, request: &BenchRequest, watch: &mut dyn Watch) -> Result<BenchAnswer> {
    let mut run = BenchRun::open(catalog, request)?;
    if let Some(plan) = run.probe_plan()? {
        run.probe(&plan, watch)?;
    }
    let outcome = run.run(watch)?;
    run.answer(catalog, outcome)
}

/// Shape, weights and number format.
fn target(catalog: &Catalog, request: &BenchRequest, config: &BenchConfig, device: LiveDevice) -> Result<LiveTarget> {
    let given = Path::new(&config.model);
    let configuration = if given.is_dir() { given.join("config.json") } else { given.to_owned() };
    let shape = match hf_config_at(&config.model)? {
        Some(architecture) => ModelShape::new(&architecture)?.with_constants_of(&configuration)?,
        None => ModelShape::new(&catalog.model(&config.model)?)?,
    };
    let has_weights = given.is_dir()
        && ["model.safetensors", "model.safetensors.index.json"].iter().any(|name| given.join(name).is_file());
    let folder = request.weights.clone().or_else(|| has_weights.then(|| given.to_owned()));
    // A wish that the device cannot follow is an error, a configuration file is translated.
    let wish = if request.dtype.is_some() || !device.is_cpu() { config.dtype } else { None };
    let dtype = device.dtype(wish)?;
    Ok(LiveTarget {
        shape,
        weights: WeightPaths { folder, heads: request.heads_manifest.clone() },
        dtype_requested: config.dtype.filter(|requested| *requested != dtype),
        dtype,
        device,
    })
}
