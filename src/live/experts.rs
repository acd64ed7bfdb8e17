//! A Hydra as the experts of [`crate::poe`].

use candle_core::{DType, Tensor};

use super::Hydra;
use crate::error::Result;
use crate::poe::Experts;

/// Logits `[heads, rows, V]` as numbers on the host.
fn on_host(logits: &Tensor) -> Result<Vec<Vec<Vec<f32>>>> {
    Ok(logits.to_dtype(DType::F32)?.to_vec3()?)
}

/// The last rows of `[heads, 1, V]`.
fn last_rows(logits: &Tensor) -> Result<Vec<Vec<f32>>> {
    Ok(on_host(logits)?.into_iter().filter_map(|rows| rows.into_iter().next_back()).collect())
}

impl Experts for Hydra {
    fn heads(&self) -> usize {
        self.head_count()
    }

    fn prefill(&mut self, prompt: &[u32]) -> Result<Vec<Vec<f32>>> {
        self.rewind(0);
        let ids = self.ids(prompt)?;
        last_rows(&self.forward(&ids, None, true)?)
    }

    fn draft(&mut self, head: usize, token: u32) -> Result<Vec<f32>> {
        let ids = self.ids(&[token])?;
        let state = self.trunk(&ids)?;
        let hidden = self.hidden(&state, &[head])?;
        self.kept.push(state);
        Ok(last_rows(&self.logits(&hidden, true)?)?.remove(0))
    }

    fn verify(&mut self, jury: &[usize]) -> Result<Vec<Vec<Vec<f32>>>> {
        let states = Tensor::cat(&std::mem::take(&mut self.kept), 1)?;
        let hidden = self.hidden(&states, jury)?;
        on_host(&self.logits(&hidden, false)?)
    }

    fn truncate(&mut self, tokens: usize) {
        self.rewind(tokens);
    }

    fn refill(&mut self, token: u32) -> Result<Vec<Vec<f32>>> {
        let ids = self.ids(&[token])?;
        last_rows(&self.forward(&ids, None, true)?)
    }
}
