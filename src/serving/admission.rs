//! How many requests an engine runs at once.

use crate::engine::memory::places;
use crate::prediction::Limit;
use crate::units::Bytes;

/// Requests that may hold cache at once, and what limits them.
///
/// The engine reserves cache for all I + O tokens of a request before it starts it, so at most
/// `κ·(g·M − weights) / kv_bytes(I + O)` run ([`places`]), or the engine's own cap; one request always runs (a prompt that
/// fits the device at all is served, alone). Below the limit every client runs.
/// Source: measured saturation of the shipped scenarios, 934k and 474k cached tokens at any request size.
pub fn admitted(clients: f64, free: Bytes, kv_share: f64, kv_per_request: Bytes, cap: Option<u32>) -> (f64, Limit) {
    let by_memory = places(free * kv_share / kv_per_request);
    let by_engine = cap.map_or(f64::INFINITY, f64::from);
    if clients <= by_memory.min(by_engine) {
        (clients, Limit::Clients)
    } else if by_engine < by_memory {
        (by_engine, Limit::MaxSequences)
    } else {
        (by_memory, Limit::KvMemory)
    }
}

/// Sequences that decode where every step has as many tokens as the engine's budget T allows, `T·n/(I + n)`; endless without a
/// budget.
pub fn batch_of_full_steps(step_tokens: Option<f64>, input_tokens: f64, decode_steps: f64) -> f64 {
    step_tokens.map_or(f64::INFINITY, |tokens| tokens * decode_steps / (input_tokens + decode_steps))
}

/// Mean wait for admission in units of one request's service time, for `waiting` of `clients` requests beyond the
/// `admitted` ones: `Q/A · (1 − Q / (2·c·n_w))`.
///
/// Little's law gives `Q/A` in steady state. A run of `n_w` requests per client ends with a queue that drains: the last
/// Q of its `c·n_w` requests find it half as long on average. With n_w = 5 this reproduces the saturated rows of both
/// shipped scenarios to about 1 % with one cache size.
pub fn queue_wait_share(clients: f64, admitted: f64, waves: f64) -> f64 {
    let waiting = (clients - admitted).max(0.0);
    waiting / admitted * (1.0 - waiting / (2.0 * clients * waves))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tightest_limit_binds_and_is_named() {
        let free = Bytes::new(100.0);
        let one = Bytes::new(1.0);
        assert_eq!(admitted(10.0, free, 0.5, one, None), (10.0, Limit::Clients));
        assert_eq!(admitted(80.0, free, 0.5, one, None), (50.0, Limit::KvMemory));
        assert_eq!(admitted(80.0, free, 0.5, one, Some(20)), (20.0, Limit::MaxSequences));
        assert_eq!(admitted(80.0, free, 0.5, Bytes::new(1e3), None), (1.0, Limit::KvMemory));
    }

    #[test]
    fn the_wait_starts_at_zero_and_grows_with_clients() {
        assert_eq!(queue_wait_share(10.0, 10.0, 5.0), 0.0);
        let waits: Vec<f64> = (10..200).map(|c| queue_wait_share(f64::from(c), 10.0, 5.0)).collect();
        assert!(waits.is_sorted());
        // One wave: c = 20, A = 10: the ten that wait are served as the first ten leave; in the mean a quarter of all.
        assert!((queue_wait_share(20.0, 10.0, 1.0) - 0.75).abs() < 1e-12);
    }
}
