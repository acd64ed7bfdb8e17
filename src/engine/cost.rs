//! The roofline itself: the time of one operator.

use std::ops::{AddAssign, Mul};

use crate::units::{Bytes, BytesPerSec, Flops, FlopsPerSec, Seconds};

/// Work of an operator.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Cost {
    /// Arithmetic; a multiply-add counts 2.
    pub flops: Flops,
    /// Traffic to and from device memory.
    pub bytes: Bytes,
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.flops += other.flops;
        self.bytes += other.bytes;
    }
}

impl Mul<f64> for Cost {
    type Output = Self;
    fn mul(self, factor: f64) -> Self {
        Self { flops: self.flops * factor, bytes: self.bytes * factor }
    }
}

/// The two roofs over an operator, efficiencies included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Roofs {
    /// Attainable arithmetic rate.
    pub compute: FlopsPerSec,
    /// Attainable bandwidth.
    pub bandwidth: BytesPerSec,
}

impl Roofs {
    /// Time that the traffic and the arithmetic of a cost take, each by itself.
    pub fn times(self, cost: Cost) -> OpTime {
        OpTime { memory: cost.bytes / self.bandwidth, compute: cost.flops / self.compute }
    }
}

/// Traffic and arithmetic of one operator as times.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct OpTime {
    /// Traffic alone.
    pub memory: Seconds,
    /// Arithmetic alone.
    pub compute: Seconds,
}

impl OpTime {
    /// Time of the operator, `t = √(m² + c²)`.
    ///
    /// | symbol | here | unit |
    /// |---|---|---|
    /// | `m` | `memory` = bytes / attainable bandwidth | s |
    /// | `c` | `compute` = FLOP / attainable rate | s |
    ///
    /// The roofline of Williams, Waterman and Patterson 2009, <https://doi.org/10.1145/1498765.1498785>, is `max(m, c)`:
    /// traffic and arithmetic overlap fully. Near the ridge they do not, and the corner is round. On static batches of
    /// seven GPUs the exponent 2 predicts left-out devices better than the sharp corner (ITL 6.3 against 7.3 %); freed,
    /// it comes back as 1.95.
    pub fn total(self) -> Seconds {
        let (m, c) = (self.memory.get(), self.compute.get());
        Seconds::new((m * m + c * c).sqrt())
    }

    /// The total split between the two roofs in proportion to their squares: traffic, arithmetic.
    pub fn shares(self) -> (Seconds, Seconds) {
        let total = self.total();
        if total.get() == 0.0 {
            return (Seconds::ZERO, Seconds::ZERO);
        }
        let memory = self.memory * (self.memory / total);
        (memory, total - memory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const H100: Roofs = Roofs { compute: FlopsPerSec::from_tera(989.0), bandwidth: BytesPerSec::from_giga(3350.0) };

    #[test]
    fn far_from_the_ridge_the_larger_roof_sets_the_time() {
        for (name, flops, bytes, want_ms) in [("memory bound", 1e9, 3.35e9, 1.0), ("compute bound", 989e9, 1e6, 1.0)] {
            let time = H100.times(Cost { flops: Flops::new(flops), bytes: Bytes::new(bytes) }).total();
            assert!((time.as_ms() - want_ms).abs() < 1e-5, "{name}: {} ms", time.as_ms());
        }
    }

    #[test]
    fn at_the_ridge_it_takes_the_root_of_two_and_the_shares_are_equal() {
        let op = H100.times(Cost { flops: Flops::new(989e9), bytes: Bytes::new(3.35e9) });
        assert!((op.total().as_ms() - 2f64.sqrt()).abs() < 1e-12);
        let (memory, compute) = op.shares();
        assert!((memory / compute - 1.0).abs() < 1e-12 && ((memory + compute) / op.total() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn no_work_takes_no_time() {
        assert_eq!(OpTime::default().total(), Seconds::ZERO);
        assert_eq!(OpTime::default().shares(), (Seconds::ZERO, Seconds::ZERO));
    }
}
