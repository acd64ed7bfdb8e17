//! Keys and values of one layer.

use candle_core::{DType, Device, Tensor};

use super::ModelShape;
use crate::error::Result;

/// Keys and values `[1, K, capacity, h]`, allocated once. The cursor is that of the stack: all layers of a stack move
/// together. Rewinding moves only the cursor; what lies behind it is overwritten.
#[derive(Debug)]
pub(super) struct LayerCache {
    keys: Tensor,
    values: Tensor,
}

impl LayerCache {
    pub fn new(shape: &ModelShape, capacity: usize, dtype: DType, device: &Device) -> Result<Self> {
        let zeros = || Tensor::zeros((1, shape.kv_heads, capacity, shape.head_dim), dtype, device);
        Ok(Self { keys: zeros()?, values: zeros()? })
    }

    /// Writes rows at a cursor and returns all rows up to their end. The stack has checked that they fit.
    pub fn append(&self, cursor: usize, keys: &Tensor, values: &Tensor) -> Result<(Tensor, Tensor)> {
        self.keys.slice_set(&keys.contiguous()?, 2, cursor)?;
        self.values.slice_set(&values.contiguous()?, 2, cursor)?;
        self.rows(cursor + keys.dim(2)?)
    }

    /// The first rows.
    pub fn rows(&self, count: usize) -> Result<(Tensor, Tensor)> {
        Ok((self.keys.narrow(2, 0, count)?, self.values.narrow(2, 0, count)?))
    }
}
