//! What a generation needs of a model.

use crate::error::Result;

/// A model with several heads over one trunk, each stack of layers with a cache of its own that can be rewound.
///
/// Cursors: the trunk and every head count the tokens in their caches. Logits are those of the output layer, one per id of
/// the vocabulary, before any temperature.
pub trait Experts {
    /// Number of heads N.
    fn heads(&self) -> usize;

    /// Empties all caches, processes a prompt by all heads, and returns each head's logits after its last token.
    ///
    /// # Errors
    /// The prompt is longer than the caches, or the device failed.
    fn prefill(&mut self, prompt: &[u32]) -> Result<Vec<Vec<f32>>>;

    /// One token through the trunk and one head; returns its logits and keeps the trunk's state for
    /// [`Experts::verify`].
    ///
    /// # Errors
    /// The caches are full, or the device failed.
    fn draft(&mut self, head: usize, token: u32) -> Result<Vec<f32>>;

    /// The trunk states kept since the last call, in one pass through each jury head: logits `[jury][state][vocabulary]`. The
    /// trunk is not run again.
    ///
    /// # Errors
    /// The caches are full, or the device failed.
    fn verify(&mut self, jury: &[usize]) -> Result<Vec<Vec<Vec<f32>>>>;

    /// Rewinds every cache that holds more to `tokens` tokens, and forgets kept states.
    fn truncate(&mut self, tokens: usize);

    /// One token through the trunk and all heads; returns their logits.
    ///
    /// # Errors
    /// The caches are full, or the device failed.
    fn refill(&mut self, token: u32) -> Result<Vec<Vec<f32>>>;
}
