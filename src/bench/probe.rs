//! What a probe of a machine found: its roofs, measured.

use serde::Serialize;

use super::DataType;

/// What hardware files of probes name as their source.
pub const PROBE_SOURCE: &str = "perfmodel probe";

/// Rate of a kernel at a size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RatePoint {
    /// Bytes of the working set, or rows and columns of square matrices.
    pub size: u64,
    /// GB/s or TFLOP/s of the fastest call.
    pub rate: f64,
}

/// Products of square matrices in a number format.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GemmRates {
    /// Format.
    pub dtype: DataType,
    /// TFLOP/s by rows.
    pub points: Vec<RatePoint>,
}

/// The measured roofs of a device.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Probe {
    /// `cpu` or `cuda:0`.
    pub device: String,
    /// Name of the product.
    pub name: String,
    /// Who makes it.
    pub vendor: String,
    /// Threads of a CPU.
    pub threads: Option<u64>,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// Second-level cache of a GPU in bytes.
    pub l2_cache_bytes: Option<u64>,
    /// Multiprocessors of a GPU.
    pub multiprocessors: Option<u64>,
    /// What else the driver says, as text.
    pub clocks: Option<String>,
    /// Reading, GB/s by bytes.
    pub read: Vec<RatePoint>,
    /// Copying, GB/s read and written together, by bytes of the source.
    pub copy: Vec<RatePoint>,
    /// Matrix products.
    pub gemm: Vec<GemmRates>,
    /// Time of the smallest operation.
    pub launch_us: f64,
}

impl Probe {
    /// Read bandwidth of the memory in GB/s: that of the largest size, which no cache holds.
    pub fn bandwidth_gb_per_s(&self) -> f64 {
        self.read.iter().max_by_key(|point| point.size).map_or(0.0, |point| point.rate)
    }

    /// Best rate of matrix products in a format, in TFLOP/s.
    pub fn peak_tflop_per_s(&self, dtype: DataType) -> Option<f64> {
        let rates = self.gemm.iter().find(|gemm| gemm.dtype == dtype)?;
        rates.points.iter().map(|point| point.rate).max_by(f64::total_cmp)
    }

    /// As a hardware file whose source is this measurement, made on a date (YYYY-MM-DD).
    pub fn to_hardware_toml(&self, date: &str) -> String {
        #[derive(Serialize)]
        struct File<'a> {
            name: &'a str,
            vendor: &'a str,
            memory_bytes: u64,
            memory_bandwidth_gb_per_s: f64,
            #[serde(skip_serializing_if = "Option::is_none")]
            l2_cache_mib: Option<f64>,
            #[serde(skip_serializing_if = "Option::is_none")]
            multiprocessors: Option<u64>,
            peak_tflop_per_s: toml::Table,
            source: [Source; 1],
        }
        #[derive(Serialize)]
        struct Source {
            url: &'static str,
            retrieved: String,
            note: String,
            covers: Vec<String>,
        }
        let digits = |value: f64| crate::stats::rounded(value, 4);
        let mut covers = vec!["memory_bytes".to_owned(), "memory_bandwidth_gb_per_s".to_owned()];
        covers.extend(self.l2_cache_bytes.map(|_| "l2_cache_mib".to_owned()));
        covers.extend(self.multiprocessors.map(|_| "multiprocessors".to_owned()));
        let mut peaks = toml::Table::new();
        for gemm in &self.gemm {
            let key = match gemm.dtype {
                DataType::Float32 => "fp32",
                DataType::BFloat16 => "bf16",
                DataType::Float16 => "fp16",
            };
            if let Some(peak) = self.peak_tflop_per_s(gemm.dtype) {
                peaks.insert(key.to_owned(), toml::Value::Float(digits(peak)));
                covers.push(format!("peak_tflop_per_s.{key}"));
            }
        }
        let threads = self.threads.map_or_else(String::new, |threads| format!(", {threads} threads"));
        let clocks = self.clocks.as_ref().map_or_else(String::new, |clocks| format!(" {clocks}."));
        let file = File {
            name: &self.name,
            vendor: &self.vendor,
            memory_bytes: self.memory_bytes,
            memory_bandwidth_gb_per_s: digits(self.bandwidth_gb_per_s()),
            l2_cache_mib: self.l2_cache_bytes.map(|bytes| digits(bytes as f64 / f64::from(1 << 20))),
            multiprocessors: self.multiprocessors,
            peak_tflop_per_s: peaks,
            source: [Source {
                url: PROBE_SOURCE,
                retrieved: date.to_owned(),
                note: format!(
                    "Measured on the device itself ({}{threads}) with perfmodel {}: the fastest read of {} bytes, and the fastest \
                     products of square matrices. What kernels reach, not a datasheet's peaks.{clocks}",
                    self.device,
                    env!("CARGO_PKG_VERSION"),
                    self.read.iter().map(|point| point.size).max().unwrap_or(0)
                ),
                covers,
            }],
        };
        toml::to_string(&file).expect("a probe holds only numbers and texts")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Hardware, Precision, SpecFile};

    fn probe() -> Probe {
        let points =
            |rates: &[(u64, f64)]| rates.iter().map(|&(size, rate)| RatePoint { size, rate }).collect::<Vec<_>>();
        Probe {
            device: "cpu".to_owned(),
            name: "A \"quoted\" CPU (2 threads)".to_owned(),
            vendor: "AMD".to_owned(),
            threads: Some(2),
            memory_bytes: 24 << 30,
            l2_cache_bytes: None,
            multiprocessors: None,
            clocks: None,
            read: points(&[(1 << 14, 90.0), (1 << 28, 14.25), (1 << 20, 60.0)]),
            copy: points(&[(1 << 28, 11.0)]),
            gemm: vec![GemmRates {
                dtype: DataType::Float32,
                points: points(&[(256, 0.1), (1024, 0.13), (2048, 0.12)]),
            }],
            launch_us: 1.0,
        }
    }

    #[test]
    fn the_bandwidth_is_that_of_the_largest_size_and_the_peak_the_best_of_all() {
        assert_eq!(probe().bandwidth_gb_per_s(), 14.25);
        assert_eq!(probe().peak_tflop_per_s(DataType::Float32), Some(0.13));
        assert_eq!(probe().peak_tflop_per_s(DataType::BFloat16), None);
    }

    #[test]
    fn the_file_is_a_hardware_file() {
        let text = probe().to_hardware_toml("2026-11-26");
        let hardware = Hardware::read("mine", &SpecFile { label: "mine.toml".into(), text }).unwrap();
        assert_eq!(hardware.name, "A \"quoted\" CPU (2 threads)");
        assert_eq!(hardware.bandwidth.get(), 14.25e9);
        assert_eq!(hardware.peak(Precision::Fp32).unwrap().get(), 0.13e12);
        assert!(hardware.pcie.is_none() && hardware.joins(1) && !hardware.joins(2));
    }
}
