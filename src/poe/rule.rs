//! When a drafted token is accepted.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, named};

/// How a draft x of the proposal q is tested against the jury's distribution P.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Rule {
    /// Every emitted token is distributed as P. A sampled draft is accepted with probability `min(1, P(x)/q(x))`, its
    /// replacement drawn from `max(P − q, 0)`; an argmax draft is accepted with probability P(x), its replacement drawn from P
    /// without x.
    #[default]
    Exact,
    /// Accept x if it is the most probable token of P, else emit that token: plain greedy decoding of the product, without
    /// randomness.
    Argmax,
    /// The original's: the test of sampled drafts for argmax drafts too, although their proposal is not q. The output is then
    /// neither P nor its argmax.
    Orig,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 3] = [Self::Exact, Self::Argmax, Self::Orig];

    /// Name in files and flags.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Argmax => "argmax",
            Self::Orig => "orig",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Rule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        named(&Self::ALL, Self::name, text, "unknown rule")
    }
}
