//! The roofs of a device: peaks, what a system reaches of them, and the machine balance.

use super::operator::{OperatorKind, OperatorPoint};
use super::step::Step;
use crate::engine::{Efficiencies, Phase};
use crate::spec::{Precision, System};
use crate::units::{BytesPerSec, FlopsPerSec};

/// Rates that differ by less than this share are one line on a chart.
const SAME: f64 = 0.005;

/// Arithmetic rate of one device in formats of equal peak.
#[derive(Debug, Clone, PartialEq)]
pub struct ComputeRoof {
    /// The formats, widest first.
    pub precisions: Vec<Precision>,
    /// Dense peak.
    pub peak: FlopsPerSec,
    /// What matrix products reach of it, on a board with the power of an H100 SXM.
    pub attainable: FlopsPerSec,
    /// Whether the system computes in one of the formats.
    pub used: bool,
}

impl ComputeRoof {
    /// The formats with commas.
    pub fn label(&self) -> String {
        self.precisions.iter().map(|precision| precision.name()).collect::<Vec<_>>().join(", ")
    }
}

/// A rate that only some operators are held to: attention, or matrix products under the power limit.
#[derive(Debug, Clone, PartialEq)]
pub struct Ceiling {
    /// Which operators.
    pub name: String,
    /// What they reach on one device.
    pub rate: FlopsPerSec,
}

/// The roofs of one device.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceRoofs {
    /// Peak memory bandwidth.
    pub bandwidth: BytesPerSec,
    /// What is reached of it.
    pub attainable_bandwidth: BytesPerSec,
    /// Arithmetic, the fastest first.
    pub compute: Vec<ComputeRoof>,
    /// Ceilings of some operators by themselves.
    pub ceilings: Vec<Ceiling>,
}

/// FLOP per byte at which arithmetic and traffic take equally long, `F / W`: the ridge of the roofline.
///
/// Source: Williams, Waterman, Patterson 2009, <https://doi.org/10.1145/1498765.1498785>.
pub fn machine_balance(compute: FlopsPerSec, bandwidth: BytesPerSec) -> f64 {
    compute.get() / bandwidth.get()
}

impl DeviceRoofs {
    /// The roofs of a system's device, and over the operators of its steps.
    pub fn new(system: &System, efficiencies: &Efficiencies, steps: &[Step]) -> Self {
        let hardware = system.hardware();
        let operators: Vec<&OperatorPoint> = steps.iter().flat_map(|step| &step.operators).collect();
        let mut compute: Vec<ComputeRoof> = Vec::new();
        for precision in Precision::ALL {
            let Some(peak) = hardware.known_peak(precision) else { continue };
            let used = operators.iter().any(|operator| operator.precision == precision);
            match compute.iter_mut().find(|roof| roof.peak == peak) {
                Some(roof) => {
                    roof.precisions.push(precision);
                    roof.used |= used;
                }
                None => compute.push(ComputeRoof {
                    precisions: vec![precision],
                    peak,
                    attainable: peak * efficiencies.gemm,
                    used,
                }),
            }
        }
        compute.sort_by(|a, b| b.peak.get().total_cmp(&a.peak.get()));
        let mut ceilings: Vec<Ceiling> = Vec::new();
        for operator in operators.iter().filter(|operator| operator.kind != OperatorKind::Activations) {
            let rate = operator.roofs.compute;
            let same = |other: FlopsPerSec| (rate / other - 1.0).abs() < SAME;
            let on_roof = compute.iter().any(|roof| {
                roof.precisions.contains(&operator.precision)
                    && same(roof.attainable)
                    && operator.kind != OperatorKind::Attention
            });
            let name = ceiling_name(operator);
            if !on_roof && !ceilings.iter().any(|known| known.name == name && same(known.rate)) {
                ceilings.push(Ceiling { name, rate });
            }
        }
        Self {
            bandwidth: hardware.bandwidth,
            attainable_bandwidth: hardware.bandwidth * efficiencies.memory,
            compute,
            ceilings,
        }
    }

    /// The roofs that the system computes under, the fastest first.
    pub fn used(&self) -> impl Iterator<Item = &ComputeRoof> {
        self.compute.iter().filter(|roof| roof.used)
    }
}

fn ceiling_name(operator: &OperatorPoint) -> String {
    let (phase, precision) = (operator.phase.name(), operator.precision);
    match (operator.kind, operator.phase) {
        (OperatorKind::Attention, Phase::Prefill) => format!("attention of prefill, {precision}"),
        (OperatorKind::Attention, Phase::Decode) => format!("{} of decode, {precision}", operator.name),
        (OperatorKind::Matrix(_) | OperatorKind::Activations, _) => format!("matrix products of {phase}, {precision}"),
    }
}
