//! Runs that differ in nothing but their attention.

use super::table::Run;
use crate::spec::sizes::{MOST_HEADS, MOST_LAYERS, MOST_WIDTH};

/// Width, layers, heads and context that runs share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slice {
    /// Hidden width.
    pub dim: u32,
    /// Layers.
    pub layers: u32,
    /// Query heads.
    pub heads: u32,
    /// Longest context in tokens.
    pub context: u32,
}

/// Contexts beyond this are none of a model.
const LONGEST: u32 = 1 << 30;

/// A whole number up to `most`, where a column holds one: more would be no size of a model.
pub(super) fn whole(value: Option<f64>, most: u32) -> Option<u32> {
    value.filter(|value| value.fract() == 0.0 && (1.0..=most.into()).contains(value)).map(|value| value as u32)
}

impl Slice {
    /// That of a run; `None` where the table does not tell.
    pub fn of(run: &Run) -> Option<Self> {
        Some(Self {
            dim: whole(run.dim, MOST_WIDTH)?,
            layers: whole(run.layers, MOST_LAYERS)?,
            heads: whole(run.heads, MOST_HEADS)?,
            context: whole(run.context, LONGEST)?,
        })
    }

    /// Every slice of some runs with them, the one with most runs first.
    pub fn all<'a>(runs: impl Iterator<Item = &'a Run>) -> Vec<(Self, Vec<&'a Run>)> {
        let mut slices: Vec<(Self, Vec<&Run>)> = Vec::new();
        for run in runs {
            let Some(slice) = Self::of(run) else { continue };
            match slices.iter_mut().find(|(known, _)| *known == slice) {
                Some((_, runs)) => runs.push(run),
                None => slices.push((slice, vec![run])),
            }
        }
        slices.sort_by(|a, b| b.1.len().cmp(&a.1.len()).then(a.0.cmp(&b.0)));
        slices
    }

    /// In words.
    pub fn label(&self) -> String {
        format!("{} wide, {} layers, {} heads, {} tokens", self.dim, self.layers, self.heads, self.context)
    }
}
