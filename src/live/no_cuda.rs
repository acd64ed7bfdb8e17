//! GPUs in a build without CUDA: there are none.

use candle_core::Device;

use super::{GpuProperties, LiveDevice};
use crate::bench::Clock;
use crate::error::{Error, Result};

fn none() -> Error {
    Error::input("this build has no CUDA").help("build with `ci/build-cuda.sh`, or give --device cpu")
}

/// Opens a GPU.
pub(super) fn open(_: usize) -> Result<LiveDevice> {
    Err(none())
}

/// What the driver says of a GPU.
pub(super) fn properties(_: &Device) -> Result<GpuProperties> {
    Err(none())
}

/// The clock of a GPU.
pub(super) fn clock(_: &Device) -> Result<Box<dyn Clock>> {
    Err(none())
}

/// Free memory of a GPU.
pub(super) fn free_bytes(_: &Device) -> Result<u64> {
    Err(none())
}
