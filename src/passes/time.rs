//! Times of passes under the roofline.

use super::cost::{PassOperator, PassOperatorKind, operators};
use super::{LiveModel, LiveParameters, LiveQuantity, Pass, RoundTimes};
use crate::engine::cost::{Cost, OpTime, Roofs};
use crate::units::{BytesPerSec, FlopsPerSec, Seconds};

/// How a device multiplies matrices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kernels {
    /// Few rows stream the weights through all cores; for many they are packed first.
    Cpu,
    /// Products of any number of rows are alike.
    Gpu,
}

/// Up to so many rows a product on the CPU is one of few rows; as in `live`.
const FEW_ROWS: f64 = 16.0;

/// How often packing moves the weights, before the product begins: they are read and written. With 2, TTFT of OLMo-2-190m for
/// prompts of 17 to 512 tokens is met better than with 1, 3 or no move.
const PACKING_MOVES: f64 = 2.0;

/// Roofs of a device.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LiveRoofs {
    /// Bandwidth of the memory.
    pub bandwidth: BytesPerSec,
    /// Arithmetic rate in the number format of the run.
    pub compute: FlopsPerSec,
    /// How it multiplies.
    pub kernels: Kernels,
}

/// Times of a model on a device.
#[derive(Debug, Clone, Copy)]
pub struct Timer<'a> {
    /// The model.
    pub model: &'a LiveModel,
    /// The device.
    pub roofs: LiveRoofs,
    /// How near it comes to its roofs.
    pub parameters: LiveParameters,
}

impl Timer<'_> {
    fn get(&self, quantity: LiveQuantity) -> f64 {
        self.parameters.get(quantity)
    }

    /// An operator in all its instances, one after the other.
    fn operator(&self, operator: &PassOperator) -> Seconds {
        let one = match operator.kind {
            PassOperatorKind::Product { rows } => self.product(operator.work, rows),
            PassOperatorKind::Attention => self.under(LiveQuantity::AttentionEfficiency, operator.work),
        };
        one * operator.count
    }

    /// A product with weights over some rows.
    fn product(&self, cost: Cost, rows: f64) -> Seconds {
        match self.roofs.kernels {
            Kernels::Gpu => self.under(LiveQuantity::GemmEfficiency, cost),
            Kernels::Cpu if rows <= FEW_ROWS => self.under(LiveQuantity::FewRowsEfficiency, cost),
            Kernels::Cpu => {
                let packing = Cost { bytes: cost.bytes * PACKING_MOVES, ..Cost::default() };
                let product = Cost { flops: cost.flops, ..Cost::default() };
                self.under(LiveQuantity::GemmEfficiency, packing) + self.under(LiveQuantity::GemmEfficiency, product)
            }
        }
    }

    fn under(&self, efficiency: LiveQuantity, cost: Cost) -> Seconds {
        let roofs = Roofs {
            compute: self.roofs.compute * self.get(efficiency),
            bandwidth: self.roofs.bandwidth * self.get(LiveQuantity::MemoryEfficiency),
        };
        let time: OpTime = roofs.times(cost);
        time.total()
    }

    /// A pass: its blocks one after the other, then the output layer. The cores of a CPU launch what they compute; a GPU computes what
    /// the host has launched while that launches more, so the longer of both counts, with the round corner of [`OpTime::total`].
    pub fn pass(&self, pass: Pass) -> Seconds {
        let device: Seconds = operators(self.model, &pass).map(|operator| self.operator(&operator)).sum();
        let host = Seconds::from_us(self.get(LiveQuantity::LayerOverhead)) * pass.blocks;
        match self.roofs.kernels {
            Kernels::Cpu => device + host,
            Kernels::Gpu => Seconds::new(device.get().hypot(host.get())),
        }
    }

    /// The passes of a round of γ drafts with so many tokens in the caches.
    pub fn round(&self, gamma: usize, cached: f64) -> RoundTimes {
        RoundTimes {
            draft: self.pass(self.model.baseline_decode(cached)),
            verify: self.pass(self.model.verify(gamma as f64, cached)),
            refill: self.pass(self.model.hydra_decode(cached)),
            host: Seconds::from_us(self.get(LiveQuantity::DraftOverhead)),
            gamma,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Catalog;

    fn model() -> LiveModel {
        LiveModel::new(&Catalog::built_in().model("olmo2_190m").unwrap(), 9, 3, 4.0).unwrap()
    }

    const ROOFS: LiveRoofs = LiveRoofs {
        bandwidth: BytesPerSec::from_giga(14.0),
        compute: FlopsPerSec::from_tera(0.13),
        kernels: Kernels::Cpu,
    };

    #[test]
    fn decode_is_the_reading_of_the_weights_and_a_longer_cache_never_faster() {
        let model = model();
        let parameters = LiveParameters::default()
            .with(LiveQuantity::MemoryEfficiency, 1.0)
            .with(LiveQuantity::FewRowsEfficiency, 1.2)
            .with(LiveQuantity::AttentionEfficiency, 1.0)
            .with(LiveQuantity::LayerOverhead, 0.0);
        let timer = Timer { model: &model, roofs: ROOFS, parameters };
        let step = timer.pass(model.baseline_decode(0.0));
        // 190.35 M elements of 4 bytes at 14 GB/s: 54.4 ms.
        assert!((step.as_ms() / 54.4 - 1.0).abs() < 0.01, "{}", step.as_ms());
        let steps: Vec<f64> = (0..50).map(|i| timer.pass(model.baseline_decode(f64::from(i) * 40.0)).get()).collect();
        assert!(steps.is_sorted());
    }

    #[test]
    fn a_gpu_computes_while_its_host_launches() {
        let model = model();
        let gpu = LiveRoofs { kernels: Kernels::Gpu, ..ROOFS };
        let step = |overhead_us: f64| {
            let parameters = LiveParameters::default().with(LiveQuantity::LayerOverhead, overhead_us);
            Timer { model: &model, roofs: gpu, parameters }.pass(model.baseline_decode(100.0)).as_ms()
        };
        let (device, host) = (step(0.0), 0.01 * device_blocks(&model));
        assert!((step(10.0) / device.hypot(host) - 1.0).abs() < 1e-9);
        // Whatever takes much longer hides the other.
        assert!(step(1e6) / (1e3 * device_blocks(&model)) < 1.01);
    }

    fn device_blocks(model: &LiveModel) -> f64 {
        model.baseline_decode(100.0).blocks
    }

    #[test]
    fn better_shares_are_faster_and_more_overhead_slower() {
        let model = model();
        let time = |parameters| {
            let timer = Timer { model: &model, roofs: ROOFS, parameters };
            timer.pass(model.hydra_prefill(100.0)) + timer.round(4, 100.0).per_token(0.7)
        };
        let base = LiveParameters::default();
        for quantity in LiveQuantity::ALL {
            let more = time(base.with(quantity, base.get(quantity) * 1.1));
            let share = quantity.parameter().unit == "1";
            assert!(if share { more < time(base) } else { more > time(base) }, "{quantity:?}");
        }
    }
}
