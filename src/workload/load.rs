//! How many requests reach an engine: from clients in a closed loop, at a rate, or as one batch.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, named};
use crate::units::Seconds;

/// How requests reach the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LoadKind {
    /// A number of clients, each of which sends its next request when its last one ends.
    #[default]
    ClosedLoop,
    /// Independent users: Poisson arrivals at a rate.
    OpenLoop,
    /// One fixed batch run to the end without a server: TTFT is the prefill of the whole batch.
    StaticBatch,
}

impl LoadKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::ClosedLoop, Self::OpenLoop, Self::StaticBatch];

    /// Name in files and flags.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClosedLoop => "closed_loop",
            Self::OpenLoop => "open_loop",
            Self::StaticBatch => "static_batch",
        }
    }

    /// Name of the column that holds the load in files.
    pub const fn column(self) -> &'static str {
        match self {
            Self::ClosedLoop => "concurrency",
            Self::OpenLoop => "rate_rps",
            Self::StaticBatch => "batch",
        }
    }

    /// Name of the quantity that sets the load, in tables and charts.
    pub const fn axis(self) -> &'static str {
        match self {
            Self::ClosedLoop => "concurrency",
            Self::OpenLoop => "requests/s",
            Self::StaticBatch => "batch",
        }
    }
}

impl fmt::Display for LoadKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for LoadKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        named(&Self::ALL, Self::name, text, "unknown load")
    }
}

/// When the clients of a closed loop send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Arrivals {
    /// They start together and keep in step, as those of a benchmark do; how far, the campaign's burst parameters say.
    #[default]
    Lockstep,
    /// Each by itself, as people do.
    Independent,
}

/// A load.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Load {
    /// Clients of a closed loop: each sends its next request some time after its last one has ended.
    Clients {
        /// How many.
        count: f64,
        /// Time between the end of an answer and the next request.
        think_time: Seconds,
        /// When they send.
        arrivals: Arrivals,
    },
    /// Poisson arrivals, in requests per second.
    Rate(f64),
    /// Sequences of one batch that is run to its end.
    Batch(f64),
}

impl Load {
    /// A load of a kind by its number: clients of a benchmark that do not think, requests per second, or sequences.
    pub const fn new(kind: LoadKind, amount: f64) -> Self {
        match kind {
            LoadKind::ClosedLoop => {
                Self::Clients { count: amount, think_time: Seconds::ZERO, arrivals: Arrivals::Lockstep }
            }
            LoadKind::OpenLoop => Self::Rate(amount),
            LoadKind::StaticBatch => Self::Batch(amount),
        }
    }

    /// Its kind.
    pub const fn kind(&self) -> LoadKind {
        match self {
            Self::Clients { .. } => LoadKind::ClosedLoop,
            Self::Rate(_) => LoadKind::OpenLoop,
            Self::Batch(_) => LoadKind::StaticBatch,
        }
    }

    /// Clients, requests per second, or sequences.
    pub const fn amount(&self) -> f64 {
        match self {
            Self::Clients { count: amount, .. } | Self::Rate(amount) | Self::Batch(amount) => *amount,
        }
    }

    /// The least amount of a kind that has a meaning.
    pub(super) const fn least(kind: LoadKind) -> f64 {
        match kind {
            LoadKind::ClosedLoop | LoadKind::StaticBatch => 1.0,
            LoadKind::OpenLoop => 1e-6,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_keeps_its_kind_and_its_amount() {
        for kind in LoadKind::ALL {
            let load = Load::new(kind, 8.0);
            assert_eq!((load.kind(), load.amount()), (kind, 8.0));
        }
    }

    #[test]
    fn every_kind_of_load_reads_back_and_a_misspelt_one_gets_the_nearest() {
        for kind in LoadKind::ALL {
            assert_eq!(kind.name().parse::<LoadKind>().unwrap(), kind);
        }
        let message = "static-batch".parse::<LoadKind>().unwrap_err().to_string();
        assert!(message.contains("did you mean `static_batch`?"), "{message}");
    }
}
