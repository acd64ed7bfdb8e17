//! Traffic of activations in prefill: norms, residuals, quantisation, rotary embedding, gating.

/// Bytes of an activation between kernels; engines keep them in 16 bit.
pub const ACTIVATION_BYTES: f64 = 2.0;

/// Bytes that one token of a prompt moves through the memory of one device in all layers,
/// `passes · 2 bytes · L · (d + f/g)`.
///
/// | symbol | meaning | unit |
/// |---|---|---|
/// | `passes` | reads and writes of a layer's activations | 1 |
/// | `L` | layers | 1 |
/// | `d` | hidden width: every device of a group holds all of it | 1 |
/// | `f/g` | feed-forward width of one device | 1 |
///
/// Decode moves them too, but there they stay in the second-level cache.
pub fn activation_bytes(passes: f64, layers: f64, hidden_size: f64, ffn_width_per_device: f64) -> f64 {
    passes * ACTIVATION_BYTES * layers * (hidden_size + ffn_width_per_device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_passes_times_two_bytes_times_widths() {
        assert_eq!(activation_bytes(9.0, 32.0, 4096.0, 14336.0), 9.0 * 2.0 * 32.0 * 18432.0);
    }
}
