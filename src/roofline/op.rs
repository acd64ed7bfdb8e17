//! The roofline itself: the time of one operator.

use std::ops::AddAssign;

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

/// The two roofs over an operator, efficiencies included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Roofs {
    /// Attainable arithmetic rate.
    pub compute: FlopsPerSec,
    /// Attainable bandwidth.
    pub bandwidth: BytesPerSec,
}

/// Time of one operator under the roofline, `t = max(F / P, B / W)`.
///
/// | symbol | here | unit |
/// |---|---|---|
/// | `F` | `cost.flops` | FLOP |
/// | `P` | `roofs.compute` | FLOP/s |
/// | `B` | `cost.bytes` | byte |
/// | `W` | `roofs.bandwidth` | byte/s |
///
/// Assumes that arithmetic and traffic overlap fully.
/// Source: Williams, Waterman, Patterson 2009, <https://doi.org/10.1145/1498765.1498785>.
pub fn op_time(cost: Cost, roofs: Roofs) -> Seconds {
    (cost.flops / roofs.compute).max(cost.bytes / roofs.bandwidth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_larger_roof_sets_the_time() {
        let h100 = Roofs { compute: FlopsPerSec::from_tera(989.0), bandwidth: BytesPerSec::from_giga(3350.0) };
        for (name, flops, bytes, want_ms) in [("memory bound", 1e9, 3.35e9, 1.0), ("compute bound", 989e9, 1e6, 1.0)] {
            let time = op_time(Cost { flops: Flops::new(flops), bytes: Bytes::new(bytes) }, h100);
            assert!((time.as_ms() - want_ms).abs() < 1e-9, "{name}: {} ms", time.as_ms());
        }
    }
}
