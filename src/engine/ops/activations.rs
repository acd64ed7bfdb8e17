//! Traffic of activations in prefill: norms, residuals, quantisation, rotary embedding, gating.

use crate::spec::{Deployment, LayerGroup, ModelArchitecture, Precision};
use crate::units::Bytes;

/// Bytes of an activation between kernels; engines keep them in 16 bit.
pub const ACTIVATION_BYTES: f64 = 2.0;

/// Activations of the layers on one device.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Activations {
    /// Layers L.
    pub layers: u32,
    /// Their format.
    pub precision: Precision,
    /// Hidden width d: every device of a group holds all of it.
    hidden_size: f64,
    /// Mean over the layers of the feed-forward width that one token passes through on a device, f/g.
    ffn_width: f64,
}

impl Activations {
    /// Of a model on one device of its group.
    pub fn of(model: &ModelArchitecture, deployment: &Deployment) -> Self {
        let layers = model.layer_count();
        let width = |group: &LayerGroup| f64::from(group.count) * group.ffn.active_width() as f64;
        let ffn_width: f64 = model.layers.iter().map(width).sum();
        Self {
            layers,
            precision: deployment.formats.wide(),
            hidden_size: f64::from(model.hidden_size),
            ffn_width: ffn_width / f64::from(layers) / deployment.gpus(),
        }
    }

    /// Bytes that one token of a prompt moves through the memory of a device in all layers, `passes · 2 bytes · L · (d + f/g)`
    /// with so many reads and writes of the activations of a layer.
    ///
    /// Decode moves them too, but there they stay in the second-level cache.
    pub fn bytes(&self, passes: f64) -> Bytes {
        Bytes::new(passes * ACTIVATION_BYTES * f64::from(self.layers) * (self.hidden_size + self.ffn_width))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_passes_times_two_bytes_times_widths() {
        let activations =
            Activations { layers: 32, precision: Precision::Bf16, hidden_size: 4096.0, ffn_width: 14336.0 };
        assert_eq!(activations.bytes(9.0).get(), 9.0 * 2.0 * 32.0 * 18432.0);
    }
}
