//! What one device of a system reaches of its peaks.

use crate::units::{BytesPerSec, FlopsPerSec, Seconds};

/// Shares of the peaks that a system reaches, and the costs outside the roofs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Efficiencies {
    /// Share of peak memory bandwidth.
    pub memory: f64,
    /// Share of peak arithmetic rate in matrix products.
    pub gemm: f64,
    /// Share of peak arithmetic rate in attention.
    pub attention: f64,
    /// Share of the time of long matrix products that goes with the power demand of the device.
    pub power_share: f64,
    /// Reads and writes of a layer's activations in prefill.
    pub activation_passes: f64,
    /// Launch and synchronisation cost of one layer and step.
    pub layer: Seconds,
    /// Cost of one running sequence in one layer and step.
    pub sequence: Seconds,
    /// Latency of one all-reduce.
    pub link_latency: Seconds,
    /// Share of the link bandwidth.
    pub link: f64,
}

impl Efficiencies {
    /// The peaks themselves, and no cost outside the roofs.
    pub const PEAK: Self = Self {
        memory: 1.0,
        gemm: 1.0,
        attention: 1.0,
        power_share: 0.0,
        activation_passes: 0.0,
        layer: Seconds::ZERO,
        sequence: Seconds::ZERO,
        link_latency: Seconds::ZERO,
        link: 1.0,
    };
}

/// What one device reaches.
#[derive(Debug, Clone, Copy)]
pub struct Rates {
    /// Memory bandwidth.
    pub bandwidth: BytesPerSec,
    /// Share of the peak in matrix products.
    pub gemm: f64,
    /// Arithmetic rate in attention.
    pub attention: FlopsPerSec,
    /// Factor by which long matrix products run slower.
    pub slowdown: f64,
    /// Reads and writes of a layer's activations in prefill.
    pub activation_passes: f64,
}
