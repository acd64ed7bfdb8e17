//! `bench`: OLMo-2, Hydra and product-of-experts decoding timed on this machine, beside what the roofline says.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::bench::{BenchConfig, DataType, DeviceChoice, Results, Variant};
use crate::error::{Error, Result};
use crate::poe::Rule;

/// What is timed. What is left out is as in the configuration, else the default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct BenchRequest {
    /// JSON file with the keys of the original benchmark, or ours.
    pub config: Option<PathBuf>,
    /// A model of the OLMo-2 family: an id, a config.json, or a folder with one.
    pub model: Option<String>,
    /// Folder with model.safetensors, or with several files and their index.
    pub weights: Option<PathBuf>,
    /// Manifest of heads (TOML).
    pub heads_manifest: Option<PathBuf>,
    /// What to run; all by default.
    pub variants: Option<Vec<Variant>>,
    /// Heads of Hydra and PoE.
    pub heads: Option<usize>,
    /// Layers of each head.
    pub heads_depth: Option<usize>,
    /// Tokens of the prompt.
    pub prompt_length: Option<usize>,
    /// Tokens generated after it.
    pub generation_length: Option<usize>,
    /// A decode step is timed at every so many of them.
    pub step_interval: Option<usize>,
    /// Drafts of a PoE round, a row each.
    pub gammas: Option<Vec<usize>>,
    /// When PoE accepts a draft.
    pub rule: Option<Rule>,
    /// Temperature of sampled drafts; by default the draft is the most probable token.
    pub temperature: Option<f64>,
    /// Exponent of each expert in the product.
    pub beta: Option<f64>,
    /// The head that drafts, from 0.
    pub draft_head: Option<usize>,
    /// Tokens of a PoE generation.
    pub max_new_tokens: Option<usize>,
    /// How far heads are perturbed, in standard deviations of their matrices.
    pub perturbation: Option<f64>,
    /// Warm-up of a row in ms.
    pub warmup_ms: Option<f64>,
    /// Measure every row so many times over and pool the calls.
    pub rounds: Option<usize>,
    /// Measuring of a row in ms.
    pub rep_ms: Option<f64>,
    /// Measuring of a PoE row in ms.
    pub poe_rep_ms: Option<f64>,
    /// `auto` (a GPU if there is one), `cpu`, `cuda`, `cuda:0`.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub device: DeviceChoice,
    /// Number format; float32 on a CPU, bfloat16 on a GPU by default.
    pub dtype: Option<DataType>,
    /// Seed of prompt, random weights and acceptance.
    pub seed: Option<u64>,
    /// Predict the rows with the roofs of this device: an id or a hardware file; by default the machine is probed.
    pub hardware: Option<String>,
    /// Predict with the parameters of this calibration of live runs; by default the priors.
    pub calibration: Option<PathBuf>,
}

impl BenchRequest {
    /// The configuration: the file or the defaults, and what is given above it.
    ///
    /// # Errors
    /// The file cannot be read, or a value has no meaning.
    pub fn configuration(&self) -> Result<BenchConfig> {
        let mut config = self.config.as_deref().map_or_else(|| Ok(BenchConfig::default()), BenchConfig::read)?;
        fn set<T: Clone>(field: &mut T, given: Option<&T>) {
            if let Some(value) = given {
                *field = value.clone();
            }
        }
        set(&mut config.model, self.model.as_ref());
        set(&mut config.variants, self.variants.as_ref());
        set(&mut config.heads, self.heads.as_ref());
        set(&mut config.heads_depth, self.heads_depth.as_ref());
        set(&mut config.prompt_length, self.prompt_length.as_ref());
        set(&mut config.generation_length, self.generation_length.as_ref());
        set(&mut config.step_interval, self.step_interval.as_ref());
        set(&mut config.gammas, self.gammas.as_ref());
        set(&mut config.rule, self.rule.as_ref());
        set(&mut config.beta, self.beta.as_ref());
        set(&mut config.draft_head, self.draft_head.as_ref());
        set(&mut config.max_new_tokens, self.max_new_tokens.as_ref());
        set(&mut config.perturbation, self.perturbation.as_ref());
        set(&mut config.budget.warmup_ms, self.warmup_ms.as_ref());
        set(&mut config.budget.rep_ms, self.rep_ms.as_ref());
        set(&mut config.poe_rep_ms, self.poe_rep_ms.as_ref());
        set(&mut config.rounds, self.rounds.as_ref());
        set(&mut config.seed, self.seed.as_ref());
        config.temperature = self.temperature.or(config.temperature);
        config.dtype = self.dtype.or(config.dtype);
        config.check()?;
        Ok(config)
    }
}

/// What was measured; `--format json` prints it.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BenchAnswer {
    /// Folder of the run; null: nothing was written.
    pub folder: Option<PathBuf>,
    /// The rows with their predictions.
    pub results: Results,
    /// What names were taken for.
    pub remarks: Vec<String>,
    /// Files that were written.
    pub files: Vec<PathBuf>,
    /// What ended the run before all rows were measured, other than a stop.
    #[serde(skip)]
    pub failure: Option<Error>,
}

#[cfg(feature = "live")]
mod live {
    use std::path::Path;

    use chrono::Local;

    use super::{BenchAnswer, BenchRequest};
    use crate::app::remarks::Remarks;
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
            let remarks = Remarks::new(catalog)
                .names(Kind::Model, [&config.model])
                .names(Kind::Hardware, &request.hardware)
                .said();
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
            if self.peaks.is_some() {
                Ok(None)
            } else {
                ProbePlan::quick(&self.target.device, self.target.dtype).map(Some)
            }
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
    fn target(
        catalog: &Catalog,
        request: &BenchRequest,
        config: &BenchConfig,
        device: LiveDevice,
    ) -> Result<LiveTarget> {
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
}

#[cfg(feature = "live")]
pub use live::{BenchRun, bench};
