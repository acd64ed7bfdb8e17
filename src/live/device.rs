//! The device that a model runs on.

use candle_core::{DType, Device};
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

use super::cuda;
use crate::bench::{Clock, DataType, DeviceChoice, WallClock};
use crate::error::{Error, Result};

/// A device that is there.
#[derive(Debug, Clone)]
pub struct LiveDevice {
    /// candle's.
    pub device: Device,
    /// `cpu` or `cuda:0`.
    pub id: String,
    /// Name of the product.
    pub name: String,
    /// Threads of a CPU; none of a GPU.
    pub threads: Option<usize>,
    /// Why it is another one than the best that `auto` could mean.
    pub note: Option<String>,
}

impl LiveDevice {
    /// Opens a device.
    ///
    /// # Errors
    /// A GPU was asked for and cannot be used.
    pub fn open(choice: DeviceChoice) -> Result<Self> {
        match choice {
            DeviceChoice::Cpu => Ok(Self::cpu(None)),
            DeviceChoice::Cuda(number) => cuda::open(number),
            DeviceChoice::Auto => match cuda::open(0) {
                Ok(device) => Ok(device),
                Err(error) => Ok(Self::cpu(Some(format!("on the CPU: {}", error.message())))),
            },
        }
    }

    fn cpu(note: Option<String>) -> Self {
        let system = System::new_with_specifics(RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing()));
        let brand = system.cpus().first().map(|cpu| cpu.brand().trim().to_owned()).filter(|brand| !brand.is_empty());
        let threads = rayon::current_num_threads();
        Self {
            device: Device::Cpu,
            id: "cpu".to_owned(),
            name: format!("{} ({threads} threads)", brand.unwrap_or_else(|| "CPU".to_owned())),
            threads: Some(threads),
            note,
        }
    }

    /// The number format to run in. Without a wish it is that of the device: 32 bit on a CPU, bfloat16 on a GPU.
    ///
    /// # Errors
    /// A CPU is asked for 16 bit: candle has no such products there, and widens whole matrices at each call.
    pub fn dtype(&self, wish: Option<DataType>) -> Result<DataType> {
        match (self.is_cpu(), wish) {
            (true, None | Some(DataType::Float32)) => Ok(DataType::Float32),
            (true, Some(narrow)) => Err(Error::input(format!("{} on a CPU", narrow.name()))
                .help("give --dtype float32, or a GPU; candle has no 16-bit products on a CPU")),
            (false, wish) => Ok(wish.unwrap_or(DataType::BFloat16)),
        }
    }

    /// Whether it is a CPU.
    pub fn is_cpu(&self) -> bool {
        matches!(self.device, Device::Cpu)
    }

    /// What the driver says of a GPU; `None` for a CPU.
    ///
    /// # Errors
    /// The device failed.
    pub fn properties(&self) -> Result<Option<GpuProperties>> {
        if self.is_cpu() { Ok(None) } else { cuda::properties(&self.device).map(Some) }
    }

    /// The clock for it.
    ///
    /// # Errors
    /// The device failed.
    pub fn clock(&self) -> Result<Box<dyn Clock>> {
        if self.is_cpu() { Ok(Box::new(WallClock::default())) } else { cuda::clock(&self.device) }
    }

    /// Free memory in bytes, and on a machine with a limit for this process no more than that.
    ///
    /// # Errors
    /// The device failed.
    pub fn free_bytes(&self) -> Result<u64> {
        if !self.is_cpu() {
            return cuda::free_bytes(&self.device);
        }
        let system = System::new_with_specifics(RefreshKind::nothing().with_memory(MemoryRefreshKind::everything()));
        // What files left in the cache counts as used there, and can be had.
        let limit = system.cgroup_limits().map_or(u64::MAX, |limits| limits.total_memory.saturating_sub(limits.rss));
        Ok(system.available_memory().min(limit))
    }
}

/// What the driver says of a GPU.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GpuProperties {
    /// Memory.
    pub memory_bytes: u64,
    /// Streaming multiprocessors.
    pub multiprocessors: u32,
    /// Second-level cache.
    pub l2_cache_bytes: u64,
    /// Clock of the multiprocessors.
    pub clock_mhz: f64,
    /// Clock of the memory, of which each cycle moves two words.
    pub memory_clock_mhz: f64,
    /// Width of the memory bus.
    pub memory_bus_bits: u32,
}

/// candle's name of a number format.
pub(super) const fn candle_dtype(dtype: DataType) -> DType {
    match dtype {
        DataType::Float32 => DType::F32,
        DataType::BFloat16 => DType::BF16,
        DataType::Float16 => DType::F16,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_have_names_and_a_wrong_one_a_remedy() {
        for (text, want) in [
            ("auto", DeviceChoice::Auto),
            ("cpu", DeviceChoice::Cpu),
            ("cuda", DeviceChoice::Cuda(0)),
            ("cuda:3", DeviceChoice::Cuda(3)),
        ] {
            assert_eq!(text.parse::<DeviceChoice>().unwrap(), want);
        }
        for text in ["gpu", "cuda:", "cuda:x", ""] {
            let message = text.parse::<DeviceChoice>().unwrap_err().to_string();
            assert!(message.starts_with(&format!("unknown device `{text}`")), "{message}");
        }
    }

    #[test]
    fn a_cpu_runs_in_32_bit_and_refuses_less() {
        let cpu = LiveDevice::open(DeviceChoice::Cpu).unwrap();
        assert_eq!(cpu.dtype(None).unwrap(), DataType::Float32);
        assert!(cpu.dtype(Some(DataType::BFloat16)).unwrap_err().to_string().starts_with("bfloat16 on a CPU"));
        assert!(cpu.free_bytes().unwrap() > 1 << 20 && cpu.threads.unwrap() >= 1);
    }
}
