//! How many passes a generation took.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// Passes of one stage of a generation. A pass goes through one stack of layers (the trunk, or one head) or the output layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Stage {
    /// Passes through the trunk.
    pub trunk_passes: u64,
    /// Tokens of all of them.
    pub trunk_tokens: u64,
    /// Passes through a head.
    pub head_passes: u64,
    /// Tokens of all of them.
    pub head_tokens: u64,
    /// Passes through the output layer.
    pub lm_head_passes: u64,
    /// Rows of logits of all of them.
    pub lm_head_rows: u64,
}

impl Stage {
    /// One pass of `tokens` through the trunk (if `trunk`) and `heads` heads, with `rows` rows of logits.
    pub(super) const fn pass(trunk: bool, heads: usize, tokens: usize, rows: usize) -> Self {
        let trunk = trunk as u64;
        Self {
            trunk_passes: trunk,
            trunk_tokens: trunk * tokens as u64,
            head_passes: heads as u64,
            head_tokens: (heads * tokens) as u64,
            lm_head_passes: 1,
            lm_head_rows: rows as u64,
        }
    }
}

impl AddAssign for Stage {
    fn add_assign(&mut self, other: Self) {
        self.trunk_passes += other.trunk_passes;
        self.trunk_tokens += other.trunk_tokens;
        self.head_passes += other.head_passes;
        self.head_tokens += other.head_tokens;
        self.lm_head_passes += other.lm_head_passes;
        self.lm_head_rows += other.lm_head_rows;
    }
}

/// All passes of a generation by stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ledger {
    /// The prompt through the trunk and all heads.
    pub prefill: Stage,
    /// Drafted tokens, one by one through the trunk and the draft head.
    pub draft: Stage,
    /// All drafts of a round through the jury, without the trunk.
    pub verify: Stage,
    /// A replaced token through the trunk and all heads.
    pub refill: Stage,
}

impl AddAssign for Ledger {
    fn add_assign(&mut self, other: Self) {
        self.prefill += other.prefill;
        self.draft += other.draft;
        self.verify += other.verify;
        self.refill += other.refill;
    }
}
