//! Rotary position embedding, halves not interleaved.

use candle_core::{DType, Device, Tensor};
use candle_nn::rotary_emb;

use super::ModelShape;
use crate::error::Result;

/// Cosines and sines of all positions, in 32 bit whatever the model computes in.
#[derive(Debug, Clone)]
pub(super) struct Rope {
    cos: Tensor,
    sin: Tensor,
}

impl Rope {
    /// Angles `p·θ^(−2i/h)` for the positions p of a cache and i = 0 … h/2 − 1.
    pub fn new(shape: &ModelShape, positions: usize, device: &Device) -> Result<Self> {
        let half = shape.head_dim / 2;
        let inverse: Vec<f32> =
            (0..half).map(|i| shape.rope_theta.powf(-2.0 * i as f64 / shape.head_dim as f64) as f32).collect();
        let angles: Vec<f32> =
            (0..positions).flat_map(|position| inverse.iter().map(move |inverse| position as f32 * inverse)).collect();
        let angles = Tensor::from_vec(angles, (positions, half), device)?;
        Ok(Self { cos: angles.cos()?, sin: angles.sin()? })
    }

    /// Turns `[1, heads, n, h]` whose first token stands at `start`.
    pub fn turn(&self, x: &Tensor, start: usize) -> Result<Tensor> {
        let tokens = x.dim(2)?;
        let (cos, sin) = (self.cos.narrow(0, start, tokens)?, self.sin.narrow(0, start, tokens)?);
        let turned = rotary_emb::rope(&x.to_dtype(DType::F32)?.contiguous()?, &cos, &sin)?;
        Ok(turned.to_dtype(x.dtype())?)
    }
}
