//! Collectives of tensor parallelism.

use crate::engine::ops::activations::ACTIVATION_BYTES;
use crate::units::{BytesPerSec, Seconds};

/// All-reduces of one layer: after attention and after the feed-forward block, or one for both where they run side by side.
pub fn all_reduces_per_layer(parallel_blocks: bool) -> f64 {
    if parallel_blocks { 1.0 } else { 2.0 }
}

/// Latencies that a ring takes where the one-step exchange takes one.
const RING_LATENCIES: f64 = 3.0;

/// All-reduces of one step as a function of its tokens n:
/// `m·min( λ + (g − 1)·s/N, 3λ + 2(g − 1)/g·s/N )` with `s = n·d·2 bytes`.
///
/// | symbol | meaning | unit |
/// |---|---|---|
/// | `m` | all-reduces of all layers, [`all_reduces_per_layer`] | 1 |
/// | `λ` | latency of an exchange | s |
/// | `g` | devices | 1 |
/// | `s` | message: the activations of n tokens in 16 bit | byte |
/// | `N` | attainable link bandwidth of one device, one direction | byte/s |
///
/// Small messages are exchanged in one step (each device sends its part to all others), large ones on a ring.
/// Source of the volumes: Thakur, Rabenseifner, Gropp 2005, <https://doi.org/10.1177/1094342005051521>, section 4.4.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct AllReduce {
    one_step: (Seconds, Seconds),
    ring: (Seconds, Seconds),
}

impl AllReduce {
    /// Prepares `count` all-reduces. One device needs none.
    pub fn new(gpus: f64, hidden_size: f64, count: f64, latency: Seconds, link: BytesPerSec) -> Self {
        if gpus <= 1.0 {
            return Self::default();
        }
        let token = Seconds::new(count * hidden_size * ACTIVATION_BYTES / link.get());
        let fixed = latency * count;
        Self {
            one_step: (fixed, token * (gpus - 1.0)),
            ring: (fixed * RING_LATENCIES, token * (2.0 * (gpus - 1.0) / gpus)),
        }
    }

    /// Time of a step of `tokens` tokens. It rises with them and falls per token.
    pub fn time(&self, tokens: f64) -> Seconds {
        (self.one_step.0 + self.one_step.1 * tokens).min(self.ring.0 + self.ring.1 * tokens)
    }

    /// Time that one more token adds to a large step.
    pub fn per_token(&self) -> Seconds {
        self.ring.1.min(self.one_step.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_reduce(gpus: f64) -> AllReduce {
        AllReduce::new(
            gpus,
            8192.0,
            all_reduces_per_layer(false),
            Seconds::from_us(10.0),
            BytesPerSec::from_giga(200.0),
        )
    }

    #[test]
    fn one_device_needs_none() {
        assert_eq!(all_reduce(1.0).time(1e6), Seconds::ZERO);
    }

    #[test]
    fn blocks_side_by_side_share_one() {
        assert_eq!([false, true].map(all_reduces_per_layer), [2.0, 1.0]);
    }

    #[test]
    fn a_small_message_takes_one_latency_and_a_large_one_rides_the_ring() {
        // 2 all-reduces of 8192·2 bytes a token over 200 GB/s: 0.16384 µs a token for each time it is sent.
        let token = 2.0 * 8192.0 * 2.0 / 200e9;
        let eight = all_reduce(8.0);
        assert!((eight.time(1.0).get() - (20e-6 + 7.0 * token)).abs() < 1e-15);
        assert!((eight.time(1e4).get() - (60e-6 + 1.75e4 * token)).abs() < 1e-12);
        // Two devices send the same either way; the one step has the smaller latency.
        assert!((all_reduce(2.0).time(1e4).get() - (20e-6 + 1e4 * token)).abs() < 1e-12);
    }
}
