//! What an interval of a relative change says.

use serde::Serialize;

/// A relative change held against the smallest one that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// Higher, by more than what matters.
    Higher,
    /// Lower, by more than what matters.
    Lower,
    /// Any change is smaller than what matters.
    Equivalent,
    /// Higher, by how much is open.
    HigherMaybeLittle,
    /// Lower, by how much is open.
    LowerMaybeLittle,
    /// Open.
    Undecided,
}

impl Verdict {
    /// Of the interval of a ratio, second to first, and the smallest relative change that matters.
    pub fn of(low: f64, high: f64, smallest: f64) -> Self {
        if low > 1.0 + smallest {
            Self::Higher
        } else if high < 1.0 - smallest {
            Self::Lower
        } else if low >= 1.0 - smallest && high <= 1.0 + smallest {
            Self::Equivalent
        } else if low > 1.0 {
            Self::HigherMaybeLittle
        } else if high < 1.0 {
            Self::LowerMaybeLittle
        } else {
            Self::Undecided
        }
    }

    /// Its name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Higher => "higher",
            Self::Lower => "lower",
            Self::Equivalent => "equivalent",
            Self::HigherMaybeLittle => "higher_maybe_little",
            Self::LowerMaybeLittle => "lower_maybe_little",
            Self::Undecided => "undecided",
        }
    }

    /// In words, of a latency or of another quantity.
    pub fn words(self, latency: bool, smallest: f64) -> String {
        let percent = 100.0 * smallest;
        let (up, down) = if latency { ("slower", "faster") } else { ("higher", "lower") };
        match self {
            Self::Higher => format!("{up} by more than {percent} %"),
            Self::Lower => format!("{down} by more than {percent} %"),
            Self::Equivalent => format!("the same within {percent} %"),
            Self::HigherMaybeLittle => format!("{up}, maybe by less than {percent} %"),
            Self::LowerMaybeLittle => format!("{down}, maybe by less than {percent} %"),
            Self::Undecided => "undecided".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_has_one_verdict() {
        for (low, high, want) in [
            (1.06, 1.2, Verdict::Higher),
            (1.01, 1.2, Verdict::HigherMaybeLittle),
            (0.97, 1.2, Verdict::Undecided),
            (0.97, 1.03, Verdict::Equivalent),
            (1.01, 1.03, Verdict::Equivalent),
            (0.8, 0.99, Verdict::LowerMaybeLittle),
            (0.8, 0.9, Verdict::Lower),
        ] {
            assert_eq!(Verdict::of(low, high, 0.05), want, "{low} to {high}");
        }
    }
}
