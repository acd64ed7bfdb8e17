//! One accelerator: memory, bandwidth, dense peaks, links. One file under `hardware/` describes one device.

use serde::{Deserialize, Serialize};

use super::file::{SpecFile, is_date};
use super::names::{DeviceWords, letters};
use super::{Precision, Source};
use crate::error::{Error, ErrorKind, Result};
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
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    usual_for: Vec<String>,
    vendor: String,
    memory_bytes: u64,
    memory_bandwidth_gb_per_s: f64,
    l2_cache_mib: Option<f64>,
    multiprocessors: Option<u32>,
    tdp_w: Option<f64>,
    interconnect_gb_per_s: Option<f64>,
    interconnect: Option<String>,
    interconnect_gpus: Option<u32>,
    pcie_gb_per_s: Option<f64>,
    node: Option<NodeFile>,
    peak_tflop_per_s: Peaks,
    price: Option<Price>,
    #[serde(default)]
    source: Vec<Source>,
}

/// The node as written.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeFile {
    gpus: u32,
    network_gb_per_s: f64,
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

/// A link that joins devices without a host between them: NVLink, Infinity Fabric.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Interconnect {
    /// One direction, all links of one device together.
    pub bandwidth: BytesPerSec,
    /// How many devices one link domain joins.
    pub gpus: u32,
}

/// The machine in which devices stand, and what joins several of them.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Node {
    /// Devices of one.
    pub gpus: u32,
    /// Network to other nodes: one direction, of one device.
    pub network: BytesPerSec,
}

/// What the traffic between the devices of a group runs over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkClass {
    /// The interconnect of the devices.
    Direct,
    /// PCIe, through the host.
    Pcie,
}

/// The path between the devices of a group.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Link {
    /// What it runs over.
    pub class: LinkClass,
    /// One direction, of one device.
    pub bandwidth: BytesPerSec,
}

/// A checked device.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Hardware {
    /// File name without its ending.
    pub id: String,
    /// Name of the product.
    pub name: String,
    /// Other names under which people and tools know it.
    pub aliases: Vec<String>,
    /// Names that fit other devices too, and mean this one.
    pub usual_for: Vec<String>,
    /// Who makes it.
    pub vendor: String,
    /// Memory as the driver reports it.
    pub memory: Bytes,
    /// Peak bandwidth of the device memory.
    pub bandwidth: BytesPerSec,
    /// Link to the other devices of a group; `None`: only PCIe.
    pub interconnect: Option<Interconnect>,
    /// PCIe, one direction; `None`: nothing joins it to another device.
    pub pcie: Option<BytesPerSec>,
    /// The usual machine; `None`: not known, so no group spans several.
    pub node: Option<Node>,
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
        ];
        let optional = [
            ("pcie_gb_per_s", raw.pcie_gb_per_s),
            ("l2_cache_mib", raw.l2_cache_mib),
            ("multiprocessors", raw.multiprocessors.map(f64::from)),
            ("tdp_w", raw.tdp_w),
            ("interconnect_gb_per_s", raw.interconnect_gb_per_s),
            ("interconnect_gpus", raw.interconnect_gpus.map(f64::from)),
            ("node.gpus", raw.node.map(|node| node.gpus.into())),
            ("node.network_gb_per_s", raw.node.map(|node| node.network_gb_per_s)),
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
        let link = [
            ("interconnect_gb_per_s", raw.interconnect_gb_per_s.is_some(), "give its bandwidth"),
            ("interconnect", raw.interconnect.is_some(), "say what the link is"),
            ("interconnect_gpus", raw.interconnect_gpus.is_some(), "say how many devices it joins"),
        ];
        if let Some((present, ..)) = link.iter().find(|(_, given, _)| *given) {
            for (missing, _, remedy) in link.iter().filter(|(_, given, _)| !given) {
                problems.note(present, format!("comes without `{missing}`; {remedy}"));
            }
        }
        if raw.interconnect_gpus == Some(1) {
            problems.note(
                "interconnect_gpus",
                "is 1; count all devices that the link joins, or leave out its three keys if there is none",
            );
        }
        let words = DeviceWords::of(id, [&raw.name].into_iter().chain(&raw.aliases).map(String::as_str));
        for usual in raw.usual_for.iter().filter(|usual| !words.spell(&letters(usual))) {
            problems.note("usual_for", format!("has \"{usual}\", which does not fit this device"));
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
            aliases: raw.aliases,
            usual_for: raw.usual_for,
            vendor: raw.vendor,
            memory: Bytes::new(raw.memory_bytes as f64),
            bandwidth: BytesPerSec::from_giga(raw.memory_bandwidth_gb_per_s),
            interconnect: raw
                .interconnect_gb_per_s
                .zip(raw.interconnect_gpus)
                .map(|(bandwidth, gpus)| Interconnect { bandwidth: BytesPerSec::from_giga(bandwidth), gpus }),
            pcie: raw.pcie_gb_per_s.map(BytesPerSec::from_giga),
            node: raw.node.map(|node| Node { gpus: node.gpus, network: BytesPerSec::from_giga(node.network_gb_per_s) }),
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
            let wider = [Precision::Bf16, Precision::Fp16]
                .into_iter()
                .find(|wider| wider.bytes() > precision.bytes() && self.peaks.get(*wider).is_some());
            let stored = wider.map_or_else(String::new, |wider| {
                format!(
                    "; weights that are only stored as {precision} are computed with in {wider}: `--compute {wider}`, in a \
                     scenario `compute_precision = \"{wider}\"`"
                )
            });
            Error::input(format!("{} has no peak for {precision}", self.name)).of(ErrorKind::NoPeak).at(&self.label).help(format!(
                "choose one of {}, or add `peak_tflop_per_s.{precision}` with its source to the file{stored}",
                known.join(", ")
            ))
        })
    }

    /// Whether a path joins a group of `gpus` devices.
    pub fn joins(&self, gpus: u32) -> bool {
        gpus == 1 || self.pcie.is_some() || self.interconnect.is_some_and(|link| gpus <= link.gpus)
    }

    /// The path between the devices of a tensor-parallel group of `gpus`: the interconnect if it joins them all, else
    /// PCIe, or the network where that is slower and the group does not fit a node. Nothing crosses it where there is one device.
    pub fn group_link(&self, gpus: u32) -> Link {
        match self.interconnect {
            Some(Interconnect { bandwidth, gpus: joined }) if gpus <= joined => {
                Link { class: LinkClass::Direct, bandwidth }
            }
            _ => {
                let pcie = self.pcie.unwrap_or(BytesPerSec::new(f64::INFINITY));
                let network = self.node.filter(|node| gpus > node.gpus).map_or(pcie, |node| node.network);
                Link { class: LinkClass::Pcie, bandwidth: pcie.min(network) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Catalog;

    #[test]
    fn a_group_larger_than_the_link_domain_goes_over_pcie_or_the_network_of_the_nodes() {
        let catalog = Catalog::built_in();
        for (id, gpus, class, gb_per_s) in [
            ("h100_nvl_94gb", 2, LinkClass::Direct, 300.0),
            ("h100_nvl_94gb", 4, LinkClass::Pcie, 63.0),
            ("h100_sxm_80gb", 8, LinkClass::Direct, 450.0),
            ("h100_sxm_80gb", 16, LinkClass::Pcie, 50.0), // the network of the nodes
            ("l40s_48gb", 1, LinkClass::Pcie, 31.0),
            ("l40s_48gb", 2, LinkClass::Pcie, 31.0),
        ] {
            let link = catalog.hardware(id).unwrap().group_link(gpus);
            assert_eq!(link, Link { class, bandwidth: BytesPerSec::from_giga(gb_per_s) }, "{id} at {gpus}");
        }
    }

    #[test]
    fn a_node_needs_both_its_figures_with_their_source() {
        let read = |node: &str, covers: &str| {
            let text = format!(
                "name = \"x\"\nvendor = \"x\"\nmemory_bytes = 1\nmemory_bandwidth_gb_per_s = 1.0\n[peak_tflop_per_s]\n\
                 [node]\n{node}\n[[source]]\nurl = \"x\"\nretrieved = \"2026-01-01\"\ncovers = [\"memory_bytes\", \
                 \"memory_bandwidth_gb_per_s\"{covers}]\n"
            );
            Hardware::read("x", &SpecFile { label: "x".into(), text })
        };
        let covers = ", \"node.gpus\", \"node.network_gb_per_s\"";
        let both = "gpus = 8\nnetwork_gb_per_s = 50.0";
        let node = read(both, covers).unwrap().node;
        assert_eq!(node, Some(Node { gpus: 8, network: BytesPerSec::from_giga(50.0) }));
        for (node, covers, want) in [
            (both, "", "`node.gpus` has no source"),
            ("gpus = 0\nnetwork_gb_per_s = 50.0", covers, "`node.gpus` is 0"),
            ("gpus = 8", covers, "missing field `network_gb_per_s`"),
        ] {
            let message = read(node, covers).unwrap_err().to_string();
            assert!(message.contains(want), "{message}");
        }
    }

    #[test]
    fn each_key_of_a_link_needs_the_other_two() {
        let all = [
            ("interconnect_gb_per_s", "450.0", "give its bandwidth"),
            ("interconnect", "\"NVLink\"", "say what the link is"),
            ("interconnect_gpus", "8", "say how many devices it joins"),
        ];
        let read = |keys: &[(&str, &str)]| {
            let keys: String = keys.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
            let text = format!(
                "name = \"x\"\nvendor = \"x\"\nmemory_bytes = 1\nmemory_bandwidth_gb_per_s = 1.0\npcie_gb_per_s = 1.0\n\
                 {keys}[peak_tflop_per_s]\n[[source]]\nurl = \"x\"\nretrieved = \"2026-01-01\"\ncovers = \
                 [\"memory_bytes\", \"memory_bandwidth_gb_per_s\", \"pcie_gb_per_s\", \"interconnect_gb_per_s\", \
                 \"interconnect_gpus\"]\n"
            );
            Hardware::read("x", &SpecFile { label: "x".into(), text })
        };
        assert_eq!(read(&[]).unwrap().interconnect, None);
        assert_eq!(read(&all.map(|(key, value, _)| (key, value))).unwrap().interconnect.unwrap().gpus, 8);
        for (missing, _, remedy) in all {
            let given: Vec<_> = all.iter().filter(|(key, ..)| *key != missing).map(|(key, v, _)| (*key, *v)).collect();
            let message = read(&given).unwrap_err().to_string();
            let want = format!("x:6: `{}` comes without `{missing}`; {remedy}\n", given[0].0);
            assert!(message.starts_with(&want), "{message}");
        }
        let alone = read(&[("interconnect_gpus", "8")]).unwrap_err().to_string();
        assert!(
            alone.contains("without `interconnect_gb_per_s`") && alone.contains("without `interconnect`"),
            "{alone}"
        );
        for (count, want) in [("1", "is 1; count all devices"), ("0", "is 0; it must be a number above 0")] {
            let keys = [("interconnect_gb_per_s", "450.0"), ("interconnect", "\"x\""), ("interconnect_gpus", count)];
            let message = read(&keys).unwrap_err().to_string();
            assert!(message.starts_with(&format!("x:8: `interconnect_gpus` {want}")), "{message}");
        }
    }
}
