//! Specifications as data: devices, models, deployments and scenarios, read from TOML and checked once. A model may
//! also come as the `config.json` of Hugging Face.
//!
//! A raw file becomes a checked type here; everything behind takes only checked types.
//!
//! ```
//! use perfmodel::spec::{Catalog, Precision, SpecFile, read_hf_config};
//!
//! let text = r#"{"architectures": ["LlamaForCausalLM"], "hidden_size": 4096, "intermediate_size": 14336,
//!     "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256,
//!     "max_position_embeddings": 131072, "tie_word_embeddings": false}"#;
//! let file = SpecFile { label: "config.json".to_owned(), text: text.to_owned() };
//! let model = read_hf_config("my_llama", &file)?;
//! assert_eq!(model.parameters(), 8_030_261_248); // what is published of Llama-3.1-8B
//!
//! let h100 = Catalog::built_in().hardware("h100_sxm_80gb")?;
//! assert!(h100.peak(Precision::Fp8)? > h100.peak(Precision::Bf16)?);
//! # Ok::<(), perfmodel::error::Error>(())
//! ```

mod catalog;
mod deployment;
mod file;
mod hardware;
mod hf_config;
mod model;
mod names;
mod parallelism;
mod precision;
mod scenario;
pub(crate) mod sizes;
mod source;
mod topology;
mod weights;

pub use catalog::{Catalog, Kind, ScenarioFolder};
pub use deployment::{Deployment, DeploymentFile, Formats, Limits, Speculation};
pub use file::{Problems, SpecFile, check_size};
pub use hardware::{Hardware, Interconnect, Link, LinkClass, Node, Price};
pub use hf_config::{hf_config_at, read_hf_config};
pub use model::{
    Attention, DenseFfn, ExtraTensors, Ffn, GroupedAttention, LatentAttention, LayerGroup, ModelArchitecture, MoeFfn,
    QkNorm,
};
pub use parallelism::Parallelism;
pub use precision::Precision;
pub use scenario::{Campaign, NotebookConstants, ScenarioFile, Statistic};
pub use source::Source;
pub use topology::{Pool, Topology};

use crate::error::{Error, Result};

/// A model on devices: all that a prediction needs besides the workload and the parameters.
#[derive(Debug, Clone)]
pub struct System {
    hardware: Hardware,
    model: ModelArchitecture,
    deployment: Deployment,
    notebook: Option<NotebookConstants>,
}

impl System {
    /// Puts checked specifications together.
    ///
    /// # Errors
    /// Query heads that the tensor-parallel degree does not divide, a group that nothing joins, or a precision that the device has no peak for.
    pub fn new(hardware: Hardware, model: ModelArchitecture, deployment: Deployment) -> Result<Self> {
        for group in &model.layers {
            let heads = group.attention.query_heads();
            if !heads.is_multiple_of(deployment.parallelism.tp()) {
                return Err(Error::input(format!(
                    "tensor_parallel = {} does not divide the {heads} query heads of {}",
                    deployment.parallelism.tp(),
                    model.name
                ))
                .help("choose a tensor-parallel degree that divides the heads"));
            }
        }
        if !hardware.joins(deployment.parallelism.tp()) {
            return Err(Error::input(format!(
                "tensor_parallel = {}, and nothing joins {} to another device",
                deployment.parallelism.tp(),
                hardware.name
            ))
            .help("give a tensor-parallel degree of 1, or add `pcie_gb_per_s` with its source to the device's file"));
        }
        hardware.peak(deployment.formats.linear())?;
        hardware.peak(deployment.formats.wide())?;
        Ok(Self { hardware, model, deployment, notebook: None })
    }

    /// With constants of the `roofline` estimator, where a scenario gives them.
    pub fn with_notebook(self, constants: Option<NotebookConstants>) -> Self {
        Self { notebook: constants, ..self }
    }

    /// The device.
    pub const fn hardware(&self) -> &Hardware {
        &self.hardware
    }

    /// The architecture.
    pub const fn model(&self) -> &ModelArchitecture {
        &self.model
    }

    /// How it is placed.
    pub const fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// Constants of the `roofline` estimator, if the scenario gives them.
    pub const fn notebook(&self) -> Option<&NotebookConstants> {
        self.notebook.as_ref()
    }

    /// Says so where the device has an interconnect that does not join the whole tensor-parallel group.
    pub fn slow_link(&self) -> Option<String> {
        let Interconnect { gpus, .. } = self.hardware.interconnect?;
        let group = self.deployment.parallelism.tp();
        (group > gpus).then(|| {
            format!(
                "tensor parallelism over {group} devices goes over PCIe: the interconnect of {} joins {gpus}",
                self.hardware.name
            )
        })
    }

    /// One line that names the system, such as `Llama-3.1-8B on 2x NVIDIA L4 24GB, fp8 weights, fp8 KV`.
    pub fn title(&self) -> String {
        let deployment = &self.deployment;
        let compute = deployment.formats.compute.filter(|compute| *compute != deployment.formats.weights);
        format!(
            "{} on {}x {}, {} weights{}, {} KV",
            self.model.name,
            deployment.parallelism.tp(),
            self.hardware.name,
            deployment.formats.weights,
            compute.map_or_else(String::new, |compute| format!(" computed in {compute}")),
            deployment.formats.kv
        )
    }
}

/// A scenario with all that it names resolved.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Scenario {
    /// Folder name.
    pub id: String,
    /// The file as written.
    pub file: ScenarioFile,
    /// The resolved system.
    pub system: System,
}
