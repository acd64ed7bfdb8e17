//! Blocks that run one after the other over caches with one cursor.

use candle_core::{DType, Device, Tensor};

use super::ModelShape;
use super::block::{Block, Place};
use super::cache::LayerCache;
use super::rope::Rope;
use crate::error::{Error, Result};

/// A stack of blocks with its caches.
#[derive(Debug)]
pub(super) struct Stack {
    blocks: Vec<Block>,
    caches: Vec<LayerCache>,
    cursor: usize,
    capacity: usize,
}

impl Stack {
    /// With caches of `capacity` rows.
    pub fn new(shape: &ModelShape, blocks: Vec<Block>, capacity: usize, dtype: DType, device: &Device) -> Result<Self> {
        let caches = blocks.iter().map(|_| LayerCache::new(shape, capacity, dtype, device)).collect::<Result<_>>()?;
        Ok(Self { blocks, caches, cursor: 0, capacity })
    }

    /// Tokens in the caches.
    pub const fn cursor(&self) -> usize {
        self.cursor
    }

    /// Forgets all tokens from `tokens` on.
    pub fn truncate(&mut self, tokens: usize) {
        self.cursor = self.cursor.min(tokens);
    }

    /// Runs `[1, n, d]` through all blocks; `after` sees the state behind each. Moves the cursor.
    pub fn forward(
        &mut self,
        x: &Tensor,
        rope: &Rope,
        masks: &mut Masks,
        mut after: impl FnMut(&Tensor),
    ) -> Result<Tensor> {
        let tokens = x.dim(1)?;
        let end = self.cursor + tokens;
        if end > self.capacity {
            return Err(Error::input(format!("{end} tokens do not fit into a cache of {}", self.capacity))
                .help("give the cache more rows, or a shorter prompt or answer"));
        }
        let mask = masks.of(tokens, self.cursor, x.device())?;
        let place = Place { cursor: self.cursor, rope, mask: mask.as_ref() };
        let mut state = x.clone();
        for (block, cache) in self.blocks.iter().zip(&self.caches) {
            state = block.forward(&state, cache, &place)?;
            after(&state);
        }
        self.cursor = end;
        Ok(state)
    }

    /// Keys and values of every layer up to the cursor, each `[1, K, tokens, h]`.
    pub fn cached(&self) -> Result<Vec<(Tensor, Tensor)>> {
        self.caches.iter().map(|cache| cache.rows(self.cursor)).collect()
    }
}

/// Causal masks; the last one is kept, because a pass repeats over stacks and repetitions.
#[derive(Debug, Default)]
pub(super) struct Masks {
    last: Option<(usize, usize, Tensor)>,
}

impl Masks {
    /// Row i of n new rows at a cursor sees the columns up to cursor + i. One row sees all and needs no mask.
    fn of(&mut self, rows: usize, cursor: usize, device: &Device) -> Result<Option<Tensor>> {
        if rows == 1 {
            return Ok(None);
        }
        if let Some((_, _, mask)) = self.last.as_ref().filter(|(n, c, _)| (*n, *c) == (rows, cursor)) {
            return Ok(Some(mask.clone()));
        }
        let columns = cursor + rows;
        let values: Vec<f32> = (0..rows)
            .flat_map(|row| {
                (0..columns).map(move |column| if column <= cursor + row { 0.0 } else { f32::NEG_INFINITY })
            })
            .collect();
        let mask = Tensor::from_vec(values, (rows, columns), device)?;
        self.last = Some((rows, cursor, mask.clone()));
        Ok(Some(mask))
    }
}
