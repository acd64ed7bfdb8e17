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
        check_layout(&model, deployment.parallelism)?;
        let devices = deployment.parallelism.devices();
        if !hardware.joins(devices) {
            let what = if devices == deployment.parallelism.tp() {
                format!("tensor_parallel = {devices}")
            } else {
                format!("{devices} devices ({})", deployment.parallelism.label())
            };
            return Err(Error::input(format!("{what}, and nothing joins {} to another device", hardware.name)).help(
                "give a tensor-parallel degree of 1, or add `pcie_gb_per_s` with its source to the device's file",
            ));
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
        let parallelism = self.deployment.parallelism;
        let (what, group) = if parallelism.attention_dp() > 1 {
            ("the exchange with experts among", parallelism.stage_devices())
        } else {
            ("tensor parallelism over", parallelism.tp())
        };
        (group > gpus).then(|| {
            format!("{what} {group} devices goes over PCIe: the interconnect of {} joins {gpus}", self.hardware.name)
        })
    }

    /// One line that names the system, such as `Llama-3.1-8B on 2x NVIDIA L4 24GB, fp8 weights, fp8 KV`.
    pub fn title(&self) -> String {
        let deployment = &self.deployment;
        let compute = deployment.formats.compute.filter(|compute| *compute != deployment.formats.weights);
        let parallelism = deployment.parallelism;
        let layout = if parallelism.is_plain() { String::new() } else { format!(" ({})", parallelism.label()) };
        format!(
            "{} on {}x {}{layout}, {} weights{}, {} KV",
            self.model.name,
            parallelism.devices(),
            self.hardware.name,
            deployment.formats.weights,
            compute.map_or_else(String::new, |compute| format!(" computed in {compute}")),
            deployment.formats.kv
        )
    }
}

/// Checks that a model can be split so.
fn check_layout(model: &ModelArchitecture, parallelism: Parallelism) -> Result<()> {
    for group in &model.layers {
        let heads = group.attention.query_heads();
        if !heads.is_multiple_of(parallelism.tp()) {
            return Err(Error::input(format!(
                "tensor_parallel = {} does not divide the {heads} query heads of {}",
                parallelism.tp(),
                model.name
            ))
            .help("choose a tensor-parallel degree that divides the heads"));
        }
        if let Ffn::Moe(moe) = group.ffn
            && !moe.experts.is_multiple_of(parallelism.moe_ep())
        {
            return Err(Error::input(format!(
                "expert_parallel = {} does not divide the {} experts of {}",
                parallelism.moe_ep(),
                moe.experts,
                model.name
            ))
            .help("choose an expert-parallel degree that divides the experts"));
        }
    }
    let has_experts = model.layers.iter().any(|group| matches!(group.ffn, Ffn::Moe(_)));
    if !has_experts && parallelism.moe_ep() > 1 {
        return Err(Error::input(format!(
            "expert_parallel = {}, and {} has no experts",
            parallelism.moe_ep(),
            model.name
        ))
        .help("leave it out"));
    }
    if !has_experts && parallelism.attention_dp() > 1 {
        return Err(Error::input(format!(
            "attention_data_parallel = {}, and {} has no experts that its ranks could share",
            parallelism.attention_dp(),
            model.name
        ))
        .help("ranks without shared experts are replicas: predict one of them with its share of the load"));
    }
    if parallelism.pp() > model.layer_count() {
        return Err(Error::input(format!(
            "pipeline_parallel = {} is more than the {} layers of {}",
            parallelism.pp(),
            model.layer_count(),
            model.name
        ))
        .help("give every stage a layer"));
    }
    Ok(())
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
