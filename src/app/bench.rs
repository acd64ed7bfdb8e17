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
#[non_exhaustive]
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
