//! `list`: the scenarios, devices and models there are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::dataset::read_measurements;
use crate::error::Result;
use crate::spec::{Catalog, Kind, Precision};

/// What is to be listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct ListRequest {
    /// One kind; everything by default.
    pub what: Option<ListedKind>,
}

/// What can be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ListedKind {
    /// Measured systems.
    Scenarios,
    /// Devices.
    Hardware,
    /// Architectures.
    Models,
}

/// What there is; a key for each kind that was asked for. `--format json` prints it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ListAnswer {
    /// Devices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hardware: Option<Vec<HardwareListed>>,
    /// Architectures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<ModelListed>>,
    /// Measured systems.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scenarios: Option<Vec<ScenarioListed>>,
}

/// A device.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct HardwareListed {
    /// Its id.
    pub id: String,
    /// One direction; null where there is only PCIe.
    pub interconnect_gb_per_s: Option<f64>,
    /// Devices that one link domain joins; null where there is only PCIe.
    pub interconnect_gpus: Option<u32>,
    /// Bandwidth of its memory.
    pub memory_bandwidth_gb_per_s: f64,
    /// Its memory.
    pub memory_bytes: f64,
    /// Its name.
    pub name: String,
    /// To the host, one direction.
    pub pcie_gb_per_s: Option<f64>,
    /// Dense peaks by format.
    pub peak_tflop_per_s: BTreeMap<&'static str, f64>,
    /// Dated price of an hour in US dollars; null where none is known.
    pub usd_per_gpu_hour: Option<f64>,
}

/// An architecture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ModelListed {
    /// What it belongs to.
    pub family: String,
    /// Width of the hidden state.
    pub hidden_size: u32,
    /// Its id.
    pub id: String,
    /// Layers.
    pub layers: u32,
    /// Longest context that it is made for.
    pub max_context_tokens: u32,
    /// Its name.
    pub name: String,
    /// Parameters, all experts included.
    pub parameters: u64,
}

/// A measured system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ScenarioListed {
    /// What served it.
    pub engine: String,
    /// Id of the device.
    pub hardware: String,
    /// Its id.
    pub id: String,
    /// Id of the model.
    pub model: String,
    /// Measured workloads.
    pub rows: usize,
    /// Devices among which every layer is split.
    pub tensor_parallel: u32,
    /// Its title.
    pub title: String,
}

/// Lists what the catalogue holds.
///
/// # Errors
/// A file of it cannot be read.
pub fn list(catalog: &Catalog, request: &ListRequest) -> Result<ListAnswer> {
    let wants = |kind| request.what.is_none_or(|what| what == kind);
    let scenarios = wants(ListedKind::Scenarios).then(|| each(catalog, Kind::Scenario, scenario)).transpose()?;
    let hardware = wants(ListedKind::Hardware).then(|| each(catalog, Kind::Hardware, hardware)).transpose()?;
    let models = wants(ListedKind::Models).then(|| each(catalog, Kind::Model, model)).transpose()?;
    Ok(ListAnswer { hardware, models, scenarios })
}

fn each<T>(catalog: &Catalog, kind: Kind, listed: fn(&Catalog, String) -> Result<T>) -> Result<Vec<T>> {
    catalog.ids(kind).into_iter().map(|id| listed(catalog, id)).collect()
}

fn scenario(catalog: &Catalog, id: String) -> Result<ScenarioListed> {
    let folder = catalog.scenario_folder(&id)?;
    let file = catalog.resolve(&folder)?.file;
    let rows = read_measurements(&folder.measured, file.campaign.load)?.rows.len();
    Ok(ScenarioListed {
        engine: file.campaign.engine,
        hardware: file.hardware,
        id,
        model: file.model,
        rows,
        tensor_parallel: file.deployment.tensor_parallel,
        title: file.title,
    })
}

fn hardware(catalog: &Catalog, id: String) -> Result<HardwareListed> {
    let device = catalog.hardware(&id)?;
    let peak = |precision: Precision| Some((precision.name(), device.known_peak(precision)?.get() / 1e12));
    Ok(HardwareListed {
        id,
        interconnect_gb_per_s: device.interconnect.map(|link| link.bandwidth.get() / 1e9),
        interconnect_gpus: device.interconnect.map(|link| link.gpus),
        memory_bandwidth_gb_per_s: device.bandwidth.get() / 1e9,
        memory_bytes: device.memory.get(),
        pcie_gb_per_s: device.pcie.map(|pcie| pcie.get() / 1e9),
        peak_tflop_per_s: Precision::ALL.into_iter().filter_map(peak).collect(),
        usd_per_gpu_hour: device.price.as_ref().map(|price| price.usd_per_gpu_hour),
        name: device.name,
    })
}

fn model(catalog: &Catalog, id: String) -> Result<ModelListed> {
    let model = catalog.model(&id)?;
    Ok(ModelListed {
        hidden_size: model.hidden_size,
        id,
        layers: model.layer_count(),
        max_context_tokens: model.max_context_tokens,
        parameters: model.parameters(),
        family: model.family,
        name: model.name,
    })
}
