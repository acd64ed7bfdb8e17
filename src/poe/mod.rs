//! Speculative decoding of a product of experts (PoE): one head drafts, the others judge.
//!
//! A model with N heads over a shared trunk emits tokens of the product of its *jury*, the N − 1 heads that do not draft:
//! `P(v) ∝ Π_h softmax(z_h/τ)(v)^β`. The draft head proposes γ tokens, one trunk and one head pass each; the jury judges all γ in
//! one pass on the trunk states that drafting left behind. A rejected token is replaced by one of the jury, all caches are
//! rewound to the last accepted token, and every head sees the replacement.
//!
//! The algorithm knows the model only as [`Experts`]: logits in, tokens out. So its laws are tested on models of a few
//! lines, and `live` runs it on candle. The three ways to accept are in [`Rule`], what a run costs in [`Ledger`], and what
//! it would cost at an acceptance α in [`Expectation`].
//!
//! ```
//! use perfmodel::error::Result;
//! use perfmodel::poe::{Experts, Options, Seeded, generate};
//!
//! /// Heads of one opinion: after each token comes the next of five.
//! struct Agreed {
//!     kept: Vec<u32>,
//! }
//!
//! fn logits(token: u32) -> Vec<f32> {
//!     (0..5).map(|next| if next == (token + 1) % 5 { 9.0 } else { 0.0 }).collect()
//! }
//!
//! impl Experts for Agreed {
//!     fn heads(&self) -> usize {
//!         3
//!     }
//!     fn prefill(&mut self, prompt: &[u32]) -> Result<Vec<Vec<f32>>> {
//!         self.refill(prompt[prompt.len() - 1])
//!     }
//!     fn draft(&mut self, _head: usize, token: u32) -> Result<Vec<f32>> {
//!         self.kept.push(token);
//!         Ok(logits(token))
//!     }
//!     fn verify(&mut self, jury: &[usize]) -> Result<Vec<Vec<Vec<f32>>>> {
//!         let states: Vec<Vec<f32>> = self.kept.drain(..).map(logits).collect();
//!         Ok(vec![states; jury.len()])
//!     }
//!     fn truncate(&mut self, _tokens: usize) {
//!         self.kept.clear();
//!     }
//!     fn refill(&mut self, token: u32) -> Result<Vec<Vec<f32>>> {
//!         Ok(vec![logits(token); 3])
//!     }
//! }
//!
//! let options = Options { gamma: 4, max_new_tokens: 8, ..Options::default() };
//! let generation = generate(&mut Agreed { kept: Vec::new() }, &[0], &options, &mut Seeded::new(1))?;
//! assert_eq!(generation.tokens, [1, 2, 3, 4, 0, 1, 2, 3]);
//! assert_eq!(generation.accepted(), 8); // nobody objects
//! # Ok::<(), perfmodel::error::Error>(())
//! ```

mod expectation;
mod experts;
mod explain;
mod generate;
mod ledger;
mod product;
mod rule;
mod source;

pub use expectation::Expectation;
pub use experts::Experts;
pub use explain::{Emission, Suppression, stability_radius, validity_radius};
pub use generate::{Generation, Options, Round, Schedule, Test, generate};
pub use ledger::{Ledger, Stage};
pub use product::{Distribution, product};
pub use rule::Rule;
pub use source::{Replay, Seeded, Uniforms};
