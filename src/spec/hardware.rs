//! One accelerator: memory, bandwidth, dense peaks, links. One file under `hardware/` describes one device.

use serde::{Deserialize, Serialize};

use super::file::{SpecFile, is_date};
use super::{Precision, Source};
use crate::error::{Error, Result};
use crate::units::{Bytes, BytesPerSec, FlopsPerSec};

/// Rental price of one device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// US dollars for one GPU and one hour.
    pub usd_per_gpu_hour: f64,
    /// Day of the quote, YYYY-MM-DD.
    pub date: String,
    /// Who quotes it.
    pub source: String,
}

/// The file as written; checked by [`Hardware::read`].
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HardwareFile {
    name: String,
    vendor: String,
    memory_bytes: u64,
    memory_bandwidth_gb_per_s: f64,
    l2_cache_mib: Option<f64>,
    multiprocessors: Option<u32>,
    tdp_w: Option<f64>,
    interconnect_gb_per_s: Option<f64>,
    interconnect: Option<String>,
    pcie_gb_per_s: f64,
    peak_tflop_per_s: Peaks,
    price: Option<Price>,
    #[serde(default)]
    source: Vec<Source>,
}

/// Dense peaks in TFLOP/s (TOP/s for the integer formats) by precision.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Peaks {
    fp64: Option<f64>,
    fp32: Option<f64>,
    tf32: Option<f64>,
    bf16: Option<f64>,
    fp16: Option<f64>,
    fp8: Option<f64>,
    int8: Option<f64>,
    fp4: Option<f64>,
    int4: Option<f64>,
}

impl Peaks {
    fn get(&self, precision: Precision) -> Option<f64> {
        match precision {
            Precision::Fp64 => self.fp64,
            Precision::Fp32 => self.fp32,
            Precision::Tf32 => self.tf32,
            Precision::Bf16 => self.bf16,
            Precision::Fp16 => self.fp16,
            Precision::Fp8 => self.fp8,
            Precision::Int8 => self.int8,
            Precision::Fp4 => self.fp4,
            Precision::Int4 => self.int4,
        }
    }
}

/// A checked device.
#[derive(Debug, Clone)]
pub struct Hardware {
    /// File name without its ending.
    pub id: String,
    /// Name of the product.
    pub name: String,
    /// Who makes it.
    pub vendor: String,
    /// Memory as the driver reports it.
    pub memory: Bytes,
    /// Peak bandwidth of the device memory.
    pub bandwidth: BytesPerSec,
    /// Link to the other devices of a group, one direction, all links of one device together; `None`: only PCIe.
    pub interconnect: Option<BytesPerSec>,
    /// PCIe, one direction.
    pub pcie: BytesPerSec,
    /// Second-level cache.
    pub l2_cache_mib: Option<f64>,
    /// Streaming multiprocessors or compute units.
    pub multiprocessors: Option<u32>,
    /// Board power in watt.
    pub tdp_w: Option<f64>,
    /// Rental price.
    pub price: Option<Price>,
    /// Where the figures come from.
    pub sources: Vec<Source>,
    label: String,
    peaks: Peaks,
}

impl Hardware {
    /// Reads and checks a device file; `id` is the name by which scenarios call it.
    ///
    /// # Errors
    /// Broken TOML, an unknown key, a value that is not above zero, a figure that no source covers.
    pub fn read(id: &str, file: &SpecFile) -> Result<Self> {
        let raw: HardwareFile = file.parse()?;
        let mut problems = file.problems();
        let mut figures = vec![
            ("memory_bytes".to_owned(), raw.memory_bytes as f64),
            ("memory_bandwidth_gb_per_s".to_owned(), raw.memory_bandwidth_gb_per_s),
            ("pcie_gb_per_s".to_owned(), raw.pcie_gb_per_s),
        ];
        let optional = [
            ("l2_cache_mib", raw.l2_cache_mib),
            ("multiprocessors", raw.multiprocessors.map(f64::from)),
            ("tdp_w", raw.tdp_w),
            ("interconnect_gb_per_s", raw.interconnect_gb_per_s),
        ];
        figures.extend(optional.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
        for precision in Precision::ALL {
            if let Some(peak) = raw.peak_tflop_per_s.get(precision) {
                figures.push((format!("peak_tflop_per_s.{precision}"), peak));
            }
        }
        problems.require_sources(&raw.source);
        for (key, value) in &figures {
            problems.require_positive(key, *value);
            if !raw.source.is_empty() && !raw.source.iter().any(|source| source.covers.contains(key)) {
                problems.note(key, "has no source; add it to the `covers` list of a [[source]]");
            }
        }
        match (&raw.interconnect_gb_per_s, &raw.interconnect) {
            (Some(_), None) => {
                problems.note("interconnect_gb_per_s", "comes without `interconnect`; say what the link is")
            }
            (None, Some(_)) => {
                problems.note("interconnect", "comes without `interconnect_gb_per_s`; give its bandwidth")
            }
            _ => {}
        }
        if let Some(price) = &raw.price {
            problems.require_positive("price.usd_per_gpu_hour", price.usd_per_gpu_hour);
            if !is_date(&price.date) {
                problems.note("price.date", format!("is \"{}\"; write the day as YYYY-MM-DD", price.date));
            }
        }
        problems.finish()?;
        Ok(Self {
            id: id.to_owned(),
            name: raw.name,
            vendor: raw.vendor,
            memory: Bytes::new(raw.memory_bytes as f64),
            bandwidth: BytesPerSec::from_giga(raw.memory_bandwidth_gb_per_s),
            interconnect: raw.interconnect_gb_per_s.map(BytesPerSec::from_giga),
            pcie: BytesPerSec::from_giga(raw.pcie_gb_per_s),
            l2_cache_mib: raw.l2_cache_mib,
            multiprocessors: raw.multiprocessors,
            tdp_w: raw.tdp_w,
            price: raw.price,
            sources: raw.source,
            label: file.label.clone(),
            peaks: raw.peak_tflop_per_s,
        })
    }

    /// Dense peak at a precision, if the file has one.
    pub fn known_peak(&self, precision: Precision) -> Option<FlopsPerSec> {
        self.peaks.get(precision).map(FlopsPerSec::from_tera)
    }

    /// Dense peak at a precision.
    ///
    /// # Errors
    /// The file has no figure for it. It is never guessed from another precision.
    pub fn peak(&self, precision: Precision) -> Result<FlopsPerSec> {
        self.known_peak(precision).ok_or_else(|| {
            let known: Vec<&str> =
                Precision::ALL.into_iter().filter(|p| self.peaks.get(*p).is_some()).map(Precision::name).collect();
            Error::input(format!("{} has no peak for {precision}", self.name)).at(&self.label).help(format!(
                "choose one of {}, or add `peak_tflop_per_s.{precision}` with its source to the file",
                known.join(", ")
            ))
        })
    }

    /// Bandwidth between the devices of a tensor-parallel group, one direction: the interconnect, else PCIe.
    pub fn group_link(&self) -> BytesPerSec {
        self.interconnect.unwrap_or(self.pcie)
    }
}
