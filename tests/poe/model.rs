//! A model of a few lines whose caches hold the tokens themselves, so that a wrong cursor changes the output.

use perfmodel::error::Result;
use perfmodel::poe::Experts;

/// Logits of a head after a history.
pub type Logits = Box<dyn Fn(usize, &[u32]) -> Vec<f32>>;

pub struct Toy {
    heads: usize,
    logits: Logits,
    pub trunk: Vec<u32>,
    pub caches: Vec<Vec<u32>>,
    kept: Vec<u32>,
}

impl Toy {
    pub fn new(heads: usize, logits: impl Fn(usize, &[u32]) -> Vec<f32> + 'static) -> Self {
        Self { heads, logits: Box::new(logits), trunk: Vec::new(), caches: vec![Vec::new(); heads], kept: Vec::new() }
    }

    /// Every head has the same distribution whatever the history.
    pub fn constant(heads: Vec<Vec<f32>>) -> Self {
        Self::new(heads.len(), move |head, _| heads[head].clone())
    }

    fn head(&mut self, head: usize, token: u32) -> Vec<f32> {
        self.caches[head].push(token);
        (self.logits)(head, &self.caches[head])
    }

    fn all(&mut self, token: u32) -> Vec<Vec<f32>> {
        self.trunk.push(token);
        (0..self.heads).map(|head| self.head(head, token)).collect()
    }

    /// Tokens in each cache: the trunk, then the heads.
    pub fn cursors(&self) -> Vec<usize> {
        std::iter::once(&self.trunk).chain(&self.caches).map(Vec::len).collect()
    }
}

impl Experts for Toy {
    fn heads(&self) -> usize {
        self.heads
    }

    fn prefill(&mut self, prompt: &[u32]) -> Result<Vec<Vec<f32>>> {
        self.truncate(0);
        Ok(prompt.iter().fold(Vec::new(), |_, &token| self.all(token)))
    }

    fn draft(&mut self, head: usize, token: u32) -> Result<Vec<f32>> {
        self.trunk.push(token);
        self.kept.push(token);
        Ok(self.head(head, token))
    }

    fn verify(&mut self, jury: &[usize]) -> Result<Vec<Vec<Vec<f32>>>> {
        let kept = std::mem::take(&mut self.kept);
        Ok(jury.iter().map(|&head| kept.iter().map(|&token| self.head(head, token)).collect()).collect())
    }

    fn truncate(&mut self, tokens: usize) {
        self.kept.clear();
        self.trunk.truncate(tokens);
        self.caches.iter_mut().for_each(|cache| cache.truncate(tokens));
    }

    fn refill(&mut self, token: u32) -> Result<Vec<Vec<f32>>> {
        Ok(self.all(token))
    }
}

/// Logits that depend on the whole history and on the head in no simple way.
pub fn scrambled(vocabulary: usize, scale: f32) -> impl Fn(usize, &[u32]) -> Vec<f32> {
    move |head, history| {
        let mut state = history.iter().fold(head as u64 + 1, |state, token| {
            (state ^ u64::from(*token)).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23)
        });
        (0..vocabulary)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                scale * ((state >> 40) as f32 / 16_777_216.0 - 0.5)
            })
            .collect()
    }
}
