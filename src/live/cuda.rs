//! GPUs through cudarc, on candle's own stream: properties, free memory, a clock of events that empties the second-level cache.

use std::sync::Arc;

use candle_core::Device;
use cudarc::driver::sys::{CUdevice_attribute as Attribute, CUevent_flags};
use cudarc::driver::{CudaEvent, CudaSlice, CudaStream, DriverError};

use super::{GpuProperties, LiveDevice};
use crate::bench::Clock;
use crate::error::{Error, Result};

/// Bytes overwritten to empty the second-level cache: twice its size, and this at least.
const LEAST_FLUSH_BYTES: u64 = 64 << 20;

fn failed(error: DriverError) -> Error {
    Error::failed(format!("CUDA: {error}"))
}

fn stream(device: &Device) -> Result<Arc<CudaStream>> {
    Ok(device.as_cuda_device()?.cuda_stream())
}

/// Opens a GPU.
pub(super) fn open(number: usize) -> Result<LiveDevice> {
    let device = Device::new_cuda(number).map_err(|error| {
        let text = error.to_string();
        // The driver's name of the error; its description is not to be had without a driver.
        let name =
            text.split(|c: char| c != '_' && !c.is_ascii_uppercase()).find(|part| part.starts_with("CUDA_ERROR"));
        let what = name.or(text.lines().next()).unwrap_or_default();
        Error::input(format!("there is no GPU cuda:{number} ({what})"))
            .help("give --device cpu, or a machine with an NVIDIA driver and a GPU")
    })?;
    let name = stream(&device)?.context().name().map_err(failed)?;
    Ok(LiveDevice { device, id: format!("cuda:{number}"), name, threads: None, note: None })
}

/// What the driver says of a GPU.
pub(super) fn properties(device: &Device) -> Result<GpuProperties> {
    let stream = stream(device)?;
    let context = stream.context();
    let attribute = |which: Attribute| context.attribute(which).map(|value| f64::from(value.max(0))).map_err(failed);
    Ok(GpuProperties {
        memory_bytes: context.total_mem().map_err(failed)? as u64,
        multiprocessors: attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)? as u32,
        l2_cache_bytes: attribute(Attribute::CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE)? as u64,
        clock_mhz: attribute(Attribute::CU_DEVICE_ATTRIBUTE_CLOCK_RATE)? / 1e3,
        memory_clock_mhz: attribute(Attribute::CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE)? / 1e3,
        memory_bus_bits: attribute(Attribute::CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH)? as u32,
    })
}

/// Free memory of a GPU.
pub(super) fn free_bytes(device: &Device) -> Result<u64> {
    let (free, _) = stream(device)?.context().mem_get_info().map_err(failed)?;
    Ok(free as u64)
}

/// The clock of a GPU.
pub(super) fn clock(device: &Device) -> Result<Box<dyn Clock>> {
    let stream = stream(device)?;
    let flush_bytes = (2 * properties(device)?.l2_cache_bytes).max(LEAST_FLUSH_BYTES);
    let flush = stream.alloc_zeros::<u8>(flush_bytes as usize).map_err(failed)?;
    Ok(Box::new(EventClock { stream, flush, flush_bytes, started: None }))
}

/// A pair of timing events around the call, on the stream that candle computes on.
struct EventClock {
    stream: Arc<CudaStream>,
    flush: CudaSlice<u8>,
    flush_bytes: u64,
    started: Option<CudaEvent>,
}

impl EventClock {
    fn mark(&self) -> Result<CudaEvent> {
        // Without flags an event does not keep time.
        self.stream.record_event(Some(CUevent_flags::CU_EVENT_DEFAULT)).map_err(failed)
    }
}

impl Clock for EventClock {
    fn name(&self) -> &'static str {
        "cuda_events"
    }

    fn flush_bytes(&self) -> u64 {
        self.flush_bytes
    }

    fn prepare(&mut self) -> Result<()> {
        self.stream.memset_zeros(&mut self.flush).map_err(failed)?;
        self.stream.synchronize().map_err(failed)
    }

    fn start(&mut self) -> Result<()> {
        self.started = Some(self.mark()?);
        Ok(())
    }

    fn stop(&mut self) -> Result<f64> {
        let end = self.mark()?;
        let start = self.started.take().ok_or_else(|| Error::failed("a window ended that had not begun"))?;
        // This waits for both events.
        start.elapsed_ms(&end).map(f64::from).map_err(failed)
    }
}
