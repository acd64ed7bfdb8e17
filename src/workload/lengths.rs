//! Lengths of prompts and answers: as they are distributed, and the moments that the model takes.
//!
//! ```
//! use perfmodel::workload::LengthDistribution;
//!
//! let answers: LengthDistribution = "lognormal:400:cv=1".parse()?;
//! let moments = answers.moments();
//! assert_eq!(moments.mean(), 400.0);
//! assert!((moments.second() / (2.0 * 400.0 * 400.0) - 1.0).abs() < 1e-12); // E[x²] = mean² · (1 + cv²)
//! # Ok::<(), perfmodel::error::Error>(())
//! ```

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Result};

/// Longest request, in tokens.
const MOST: f64 = 1e9;

/// Largest coefficient of variation: beyond it nearly all tokens are in a few requests.
const WIDEST: f64 = 100.0;

/// How the lengths of requests are distributed, in tokens. As a text `1000`, `uniform:800..1200` or `lognormal:1000:cv=1.2`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum LengthDistribution {
    /// All alike.
    Fixed(f64),
    /// Evenly from the first to the second.
    Uniform(f64, f64),
    /// Log-normal.
    Lognormal {
        /// Arithmetic mean.
        mean: f64,
        /// Coefficient of variation: standard deviation over mean.
        cv: f64,
    },
}

/// First two moments of a length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    mean: f64,
    second: f64,
}

impl Moments {
    /// Of lengths that are all alike.
    pub const fn fixed(length: f64) -> Self {
        Self { mean: length, second: length * length }
    }

    /// Mean in tokens.
    pub const fn mean(self) -> f64 {
        self.mean
    }

    /// Mean of the square in tokens²; that of the mean, where all are alike.
    pub const fn second(self) -> f64 {
        self.second
    }

    /// Whether all are alike.
    pub fn is_fixed(self) -> bool {
        self.second <= self.mean * self.mean * (1.0 + 1e-12)
    }
}

/// Lengths of the requests of a workload, as moments.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Lengths {
    /// Of prompts.
    pub input: Moments,
    /// Of answers.
    pub output: Moments,
    /// Mean number of prompt tokens whose cache is there already.
    pub cached_tokens: f64,
}

impl Lengths {
    /// All prompts and all answers alike, nothing cached.
    pub const fn fixed(input_tokens: f64, output_tokens: f64) -> Self {
        Self::of(Moments::fixed(input_tokens), Moments::fixed(output_tokens))
    }

    /// Of such moments, nothing cached.
    pub const fn of(input: Moments, output: Moments) -> Self {
        Self { input, output, cached_tokens: 0.0 }
    }
}

impl LengthDistribution {
    /// Its first two moments.
    pub fn moments(self) -> Moments {
        match self {
            Self::Fixed(length) => Moments::fixed(length),
            Self::Uniform(low, high) => {
                Moments { mean: f64::midpoint(low, high), second: (low * low + low * high + high * high) / 3.0 }
            }
            Self::Lognormal { mean, cv } => Moments { mean, second: mean * mean * (1.0 + cv * cv) },
        }
    }

    /// Checks what was given; whether a single length can be one, the workload knows.
    fn checked(self) -> Result<Self> {
        let bad = |what: String, remedy: &str| Err(Error::input(what).help(remedy.to_owned()));
        let possible = |tokens: f64| (1.0..=MOST).contains(&tokens);
        match self {
            Self::Uniform(low, high) if low > high => {
                bad(format!("uniform:{low}..{high} falls"), "write it from the shorter to the longer length")
            }
            Self::Lognormal { cv, .. } if !(0.0..=WIDEST).contains(&cv) => bad(
                format!("the coefficient of variation is {cv}"),
                "give a number from 0 to 100: standard deviation over mean",
            ),
            Self::Lognormal { mean, .. } if !possible(mean) => {
                bad(format!("a mean length is {mean}"), "give tokens from 1 to 1e9")
            }
            Self::Uniform(low, high) if !(possible(low) && possible(high)) => {
                bad(format!("a length of uniform:{low}..{high} is no length"), "give tokens from 1 to 1e9")
            }
            Self::Fixed(_) | Self::Uniform(..) | Self::Lognormal { .. } => Ok(self),
        }
    }
}

impl From<f64> for LengthDistribution {
    fn from(tokens: f64) -> Self {
        Self::Fixed(tokens)
    }
}

impl fmt::Display for LengthDistribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(length) => write!(f, "{length}"),
            Self::Uniform(low, high) => write!(f, "uniform:{low}..{high}"),
            Self::Lognormal { mean, cv } => write!(f, "lognormal:{mean}:cv={cv}"),
        }
    }
}

impl FromStr for LengthDistribution {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let unread = || {
            Error::input(format!("cannot read `{text}` as lengths"))
                .help("write tokens such as 1000, uniform:800..1200 or lognormal:1000:cv=1.2")
        };
        let number = |text: &str| text.trim().parse::<f64>().map_err(|_| unread());
        let parsed = match text.trim().split_once(':') {
            None => Self::Fixed(number(text)?),
            Some(("uniform", range)) => {
                let (low, high) = range.split_once("..").ok_or_else(unread)?;
                Self::Uniform(number(low)?, number(high)?)
            }
            Some(("lognormal", rest)) => {
                let (mean, cv) = rest.split_once(":cv=").ok_or_else(unread)?;
                Self::Lognormal { mean: number(mean)?, cv: number(cv)? }
            }
            Some(_) => return Err(unread()),
        };
        parsed.checked()
    }
}

/// In JSON a number, or one of the texts.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
enum Form {
    /// Tokens of every request.
    Tokens(f64),
    /// `uniform:800..1200` or `lognormal:1000:cv=1.2`.
    Text(String),
}

impl Serialize for LengthDistribution {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Self::Fixed(length) => Form::Tokens(*length),
            Self::Uniform(..) | Self::Lognormal { .. } => Form::Text(self.to_string()),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for LengthDistribution {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let read = match Form::deserialize(deserializer)? {
            Form::Tokens(length) => Ok(Self::Fixed(length)),
            Form::Text(text) => text.parse(),
        };
        read.map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for LengthDistribution {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "LengthDistribution".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Form::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn distribution() -> impl Strategy<Value = LengthDistribution> {
        prop_oneof![
            (1.0..1e5).prop_map(LengthDistribution::Fixed),
            (1.0..1e5, 0.0..1e5).prop_map(|(low, more)| LengthDistribution::Uniform(low, low + more)),
            (1.0..1e5, 0.0..5.0).prop_map(|(mean, cv)| LengthDistribution::Lognormal { mean, cv }),
        ]
    }

    proptest! {
        #[test]
        fn the_mean_square_is_never_below_the_square_of_the_mean(lengths in distribution()) {
            let moments = lengths.moments();
            prop_assert!(moments.second() >= moments.mean() * moments.mean() * (1.0 - 1e-12));
        }

        #[test]
        fn what_is_written_reads_back(lengths in distribution()) {
            prop_assert_eq!(lengths.to_string().parse::<LengthDistribution>().unwrap(), lengths);
            let json = serde_json::to_string(&lengths).unwrap();
            prop_assert_eq!(serde_json::from_str::<LengthDistribution>(&json).unwrap(), lengths);
        }
    }

    #[test]
    fn without_spread_every_distribution_is_fixed() {
        for text in ["900", "uniform:900..900", "lognormal:900:cv=0"] {
            let moments = text.parse::<LengthDistribution>().unwrap().moments();
            assert!((moments.mean(), moments.second()) == (900.0, 810_000.0) && moments.is_fixed(), "{text}");
        }
        assert!(!"uniform:800..1000".parse::<LengthDistribution>().unwrap().moments().is_fixed());
    }

    #[test]
    fn what_is_no_length_is_said_with_what_to_write() {
        for (text, want) in [
            ("many", "cannot read `many` as lengths"),
            ("normal:5", "cannot read `normal:5` as lengths"),
            ("lognormal:1000", "cannot read `lognormal:1000` as lengths"),
            ("uniform:9..3", "uniform:9..3 falls"),
            ("uniform:0..3", "a length of uniform:0..3 is no length"),
            ("lognormal:10:cv=-1", "the coefficient of variation is -1"),
            ("lognormal:inf:cv=1", "a mean length is inf"),
        ] {
            let message = text.parse::<LengthDistribution>().unwrap_err().to_string();
            assert!(message.starts_with(want), "{message}");
        }
    }
}
