//! Collectives of tensor parallelism.

use crate::units::{BytesPerSec, Seconds};

/// Bytes of an activation on the link; engines reduce in 16 bit.
const ACTIVATION_BYTES: f64 = 2.0;

/// All-reduces of one layer: after attention and after the feed-forward block.
pub const ALL_REDUCES_PER_LAYER: f64 = 2.0;

/// Time of the all-reduces of one layer as a fixed part and a part per token: `2·(λ + 2(g−1)/g · n·d·2 / N)`.
///
/// | symbol | meaning | unit |
/// |---|---|---|
/// | `λ` | latency of one all-reduce | s |
/// | `g` | devices | 1 |
/// | `n` | tokens in the step | 1 |
/// | `d` | hidden width | 1 |
/// | `N` | attainable link bandwidth, one direction | byte/s |
///
/// Ring volume; one device needs no collective. Source: Thakur, Rabenseifner, Gropp 2005,
/// <https://doi.org/10.1177/1094342005051521>, section 4.4.
pub fn all_reduce_per_layer(gpus: f64, hidden_size: f64, latency: Seconds, link: BytesPerSec) -> (Seconds, Seconds) {
    if gpus <= 1.0 {
        return (Seconds::ZERO, Seconds::ZERO);
    }
    let bytes_per_token = 2.0 * (gpus - 1.0) / gpus * hidden_size * ACTIVATION_BYTES;
    (latency * ALL_REDUCES_PER_LAYER, Seconds::new(ALL_REDUCES_PER_LAYER * bytes_per_token / link.get()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_device_needs_none() {
        let none = all_reduce_per_layer(1.0, 4096.0, Seconds::from_us(16.0), BytesPerSec::from_giga(450.0));
        assert_eq!(none, (Seconds::ZERO, Seconds::ZERO));
    }

    #[test]
    fn two_devices_send_the_activation_once_per_all_reduce() {
        let (fixed, per_token) =
            all_reduce_per_layer(2.0, 8192.0, Seconds::from_us(16.0), BytesPerSec::from_giga(225.0));
        assert!((fixed.get() - 32e-6).abs() < 1e-18);
        assert!((per_token.get() - 2.0 * 8192.0 * 2.0 / 225e9).abs() < 1e-18);
    }
}
