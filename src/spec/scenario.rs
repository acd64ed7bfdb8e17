//! A measured scenario: what ran where, who measured it, and the constants of the `roofline` estimator.

use serde::{Deserialize, Serialize};

use super::file::SpecFile;
use super::{DeploymentFile, Source};
use crate::error::Result;
use crate::workload::LoadKind;

/// Which statistic of the requests the measured columns hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Statistic {
    /// Arithmetic mean over requests.
    Mean,
    /// Median over requests.
    Median,
}

impl Statistic {
    /// Name in files and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Median => "median",
        }
    }
}

fn is_closed_loop(load: &LoadKind) -> bool {
    *load == LoadKind::ClosedLoop
}

/// Who measured, and what the columns mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Campaign {
    /// Serving engine.
    pub engine: String,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine_version: Option<String>,
    /// Statistic of the measured columns.
    pub statistic: Statistic,
    /// How requests reached the engine.
    #[serde(default, skip_serializing_if = "is_closed_loop")]
    pub load: LoadKind,
    /// Anything worth knowing of the campaign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Constants of the `roofline` estimator, which keeps its own (a published notebook's) and not those of the
/// hardware and model files.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotebookConstants {
    /// Hidden width d.
    pub hidden_size: f64,
    /// Layers L.
    pub layers: f64,
    /// r = MLP width / d.
    pub mlp_ratio: f64,
    /// Parameters of the model.
    pub model_size: f64,
    /// Peak arithmetic rate F in FLOP/s (the notebook uses the figure with sparsity).
    pub flop_per_s: f64,
    /// Memory bandwidth W in byte/s.
    pub memory_bandwidth_b_per_s: f64,
    /// Bytes of an element.
    pub bytes_per_element: f64,
    /// Activation traffic in elements per token and hidden unit.
    pub activation_factor: f64,
    /// NVLink in byte/s, both directions.
    pub nvlink_b_per_s: f64,
    /// PCIe in byte/s, both directions.
    pub pcie_b_per_s: f64,
    /// Memory of one device in bytes.
    pub hbm_bytes: f64,
    /// Devices g.
    pub gpus: f64,
    /// Start value of the decode token cap.
    pub decode_cap_tokens: f64,
    /// Start value of the prefill token cap (it has no effect on the result).
    pub prefill_cap_tokens: f64,
}

/// `scenario.toml` as written.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScenarioFile {
    /// Title for reports.
    pub title: String,
    /// Id of a file under `models/`.
    pub model: String,
    /// Id of a file under `hardware/`.
    pub hardware: String,
    /// Anything worth knowing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Placement.
    pub deployment: DeploymentFile,
    /// Campaign.
    pub campaign: Campaign,
    /// Where the measurements come from.
    #[serde(default)]
    pub source: Vec<Source>,
    /// Constants of the notebook; without them the `roofline` estimator derives its own from the model and hardware files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roofline: Option<NotebookConstants>,
}

impl ScenarioFile {
    /// Reads and checks a scenario file (the specs that it names are resolved by the catalogue).
    ///
    /// # Errors
    /// Broken TOML, an unknown key, a count of zero, no source.
    pub fn read(file: &SpecFile) -> Result<Self> {
        let raw: Self = file.parse()?;
        let mut problems = file.problems();
        problems.require_count("deployment.tensor_parallel", raw.deployment.tensor_parallel.into());
        for (key, limit) in [
            ("deployment.max_sequences", raw.deployment.max_sequences),
            ("deployment.max_tokens_per_step", raw.deployment.max_tokens_per_step),
        ] {
            if let Some(limit) = limit {
                problems.require_count(key, limit.into());
            }
        }
        problems.require_sources(&raw.source);
        if let Some(constants) = &raw.roofline {
            for (key, value) in [
                ("hidden_size", constants.hidden_size),
                ("layers", constants.layers),
                ("mlp_ratio", constants.mlp_ratio),
                ("model_size", constants.model_size),
                ("flop_per_s", constants.flop_per_s),
                ("memory_bandwidth_b_per_s", constants.memory_bandwidth_b_per_s),
                ("bytes_per_element", constants.bytes_per_element),
                ("activation_factor", constants.activation_factor),
                ("nvlink_b_per_s", constants.nvlink_b_per_s),
                ("pcie_b_per_s", constants.pcie_b_per_s),
                ("hbm_bytes", constants.hbm_bytes),
                ("gpus", constants.gpus),
                ("decode_cap_tokens", constants.decode_cap_tokens),
                ("prefill_cap_tokens", constants.prefill_cap_tokens),
            ] {
                problems.require_positive(&format!("roofline.{key}"), value);
            }
        }
        problems.finish()?;
        Ok(raw)
    }
}
