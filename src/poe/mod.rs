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
