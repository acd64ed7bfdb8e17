//! `probe`: the roofs of this machine, measured.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::bench::{DeviceChoice, Probe};

/// Which device is measured.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct ProbeRequest {
    /// `auto` (a GPU if there is one), `cpu`, `cuda`, `cuda:0`.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub device: DeviceChoice,
    /// Id of the device; made of its name by default.
    pub name: Option<String>,
}

/// What was measured; `--format json` prints it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ProbeAnswer {
    /// The measurements.
    #[serde(flatten)]
    pub probe: Probe,
    /// Read bandwidth of the memory: that of the largest size.
    pub memory_bandwidth_gb_per_s: f64,
    /// Files that were written.
    pub files: Vec<PathBuf>,
    /// Id of the device.
    #[serde(skip)]
    pub id: String,
    /// It as a hardware file.
    #[serde(skip)]
    pub hardware_toml: String,
}

impl ProbeAnswer {
    /// Of a device with an id, measured on a day (YYYY-MM-DD).
    pub fn new(probe: Probe, id: String, date: &str) -> Self {
        Self {
            memory_bandwidth_gb_per_s: probe.bandwidth_gb_per_s(),
            files: Vec::new(),
            id,
            hardware_toml: probe.to_hardware_toml(date),
            probe,
        }
    }
}
