//! What the devices of a replica exchange in a step.

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

/// Bytes of a number on its way to an expert (8 bit) and of a result on its way back (16 bit).
const DISPATCH_BYTES: f64 = 1.0;
const COMBINE_BYTES: f64 = 2.0;

/// Tokens to their experts and back where each rank of attention has sequences of its own, as a function of the tokens r of a rank:
/// `m·(2λ + min( 2(g − 1)/g·n·d·2, n/g·k_r·d·(1 + 2) )/N)` with `n = r·Δ` and `k_r = e·(1 − (1 − 1/e)^k)·(e − 1)/e`.
///
/// | symbol | meaning | unit |
/// |---|---|---|
/// | `m` | layers with experts | 1 |
/// | `λ`, `N` | latency of an exchange; attainable link bandwidth of one device, one direction | s, byte/s |
/// | `g`, `Δ`, `e` | devices of a stage, ranks of attention, ranks of experts | 1 |
/// | `k_r` | ranks other than its own to which a token with k experts goes | 1 |
///
/// Either every rank gets all tokens and the results are summed (all-gather and reduce-scatter), or each token goes to its experts'
/// ranks alone; engines take what is faster.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Exchange {
    fixed: Seconds,
    per_token: Seconds,
}

/// Devices and experts between which tokens are exchanged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExpertRanks {
    /// Devices of a stage.
    pub devices: f64,
    /// Ranks of attention that have tokens.
    pub attention: f64,
    /// Ranks that hold experts of their own.
    pub experts: f64,
}

impl Exchange {
    /// Adds that of `count` layers whose tokens use `active` experts.
    pub fn add(
        &mut self,
        ranks: ExpertRanks,
        active: f64,
        hidden_size: f64,
        count: f64,
        (latency, link): (Seconds, BytesPerSec),
    ) {
        let ExpertRanks { devices, attention, experts } = ranks;
        if attention <= 1.0 || devices <= 1.0 {
            return;
        }
        let gather = 2.0 * (devices - 1.0) / devices * ACTIVATION_BYTES;
        let others = experts * (1.0 - (1.0 - 1.0 / experts).powf(active)) * (experts - 1.0) / experts;
        let dispatch = others / devices * (DISPATCH_BYTES + COMBINE_BYTES);
        // One rank of experts has all of them on every device: nothing can be dispatched.
        let bytes = if experts > 1.0 { gather.min(dispatch) } else { gather };
        self.fixed += latency * (2.0 * count);
        self.per_token += Seconds::new(count * attention * hidden_size * bytes / link.get());
    }

    /// Time of a step of `tokens` tokens of each rank.
    pub fn time(&self, tokens: f64) -> Seconds {
        self.fixed + self.per_token * tokens
    }
}

/// Everything that the devices of a replica exchange in a step.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Collectives {
    /// Of the devices that share matrices.
    pub all_reduce: AllReduce,
    /// Of ranks of attention with the experts.
    pub exchange: Exchange,
    /// From one pipeline stage to the next.
    pub hops: Exchange,
}

impl Collectives {
    /// Adds the activations that go from stage to stage.
    pub fn add_hops(&mut self, stages: f64, hidden_size: f64, latency: Seconds, link: BytesPerSec) {
        if stages > 1.0 {
            self.hops.fixed += latency * (stages - 1.0);
            self.hops.per_token += Seconds::new((stages - 1.0) * hidden_size * ACTIVATION_BYTES / link.get());
        }
    }

    /// Time of a step of `tokens` tokens of each rank. It rises with them and falls per token.
    pub fn time(&self, tokens: f64) -> Seconds {
        self.all_reduce.time(tokens) + self.exchange.time(tokens) + self.hops.time(tokens)
    }

    /// Time that one more token of each rank adds to a large step.
    pub fn per_token(&self) -> Seconds {
        self.all_reduce.per_token() + self.exchange.per_token + self.hops.per_token
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

    #[test]
    fn ranks_with_sequences_of_their_own_send_tokens_to_experts_and_back() {
        let link = (Seconds::from_us(10.0), BytesPerSec::from_giga(200.0));
        let exchange = |experts: f64, active: f64| {
            let mut exchange = Exchange::default();
            exchange.add(ExpertRanks { devices: 8.0, attention: 8.0, experts }, active, 7168.0, 58.0, link);
            exchange
        };
        // 58 layers, twice a latency; n/8 tokens a device, each to 8·(1 − (7/8)⁸)·7/8 other ranks in 3 bytes, are more than 2·7/8 of
        // 8 in 2: the gather is not.
        let others = 8.0 * (1.0 - 0.875_f64.powi(8)) * 0.875;
        let bytes = (others / 8.0 * 3.0_f64).min(2.0 * 0.875 * 2.0);
        let want = 58.0 * (20e-6 + 64.0 * 8.0 * 7168.0 * bytes / 200e9);
        assert!((exchange(8.0, 8.0).time(64.0).get() / want - 1.0).abs() < 1e-12);
        assert!(exchange(8.0, 1.0).time(64.0) < exchange(8.0, 8.0).time(64.0));
        assert!(exchange(1.0, 8.0).time(64.0) > exchange(8.0, 8.0).time(64.0));
        let mut alone = Exchange::default();
        alone.add(ExpertRanks { devices: 8.0, attention: 1.0, experts: 8.0 }, 8.0, 7168.0, 58.0, link);
        assert_eq!(alone, Exchange::default());
    }
}
