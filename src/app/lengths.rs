//! Lengths to go through: numbers, ranges of them, and distributions.

use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use super::numbers::Numbers;
use crate::error::{Error, Result};
use crate::workload::LengthDistribution;

/// Lengths of prompts or answers to go through, in the order in which they were given; none where nothing was given. In JSON a number,
/// a text, or a list of them; a text is a list of [`Numbers`] or holds distributions, such as `500,lognormal:1000:cv=1.2`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LengthList(Vec<LengthDistribution>);

impl LengthList {
    /// Whether nothing was given.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The lengths.
    pub fn values(&self) -> &[LengthDistribution] {
        &self.0
    }

    fn extend(&mut self, numbers: &str) -> Result<()> {
        let numbers: Numbers = numbers.parse()?;
        self.0.extend(numbers.into_iter().map(LengthDistribution::Fixed));
        Ok(())
    }
}

impl From<Numbers> for LengthList {
    fn from(numbers: Numbers) -> Self {
        Self(numbers.into_iter().map(LengthDistribution::Fixed).collect())
    }
}

impl From<LengthDistribution> for LengthList {
    fn from(length: LengthDistribution) -> Self {
        Self(vec![length])
    }
}

impl FromStr for LengthList {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut list = Self::default();
        // Numbers that stand together make their ranges together.
        let mut numbers: Vec<&str> = Vec::new();
        for part in text.split(',') {
            if part.contains(':') {
                if !numbers.is_empty() {
                    list.extend(&std::mem::take(&mut numbers).join(","))?;
                }
                list.0.push(part.parse()?);
            } else {
                numbers.push(part);
            }
        }
        if !numbers.is_empty() {
            list.extend(&numbers.join(","))?;
        }
        Ok(list)
    }
}

/// The forms in JSON.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
enum Form {
    /// Tokens of all.
    One(f64),
    /// Numbers, ranges and distributions as a text.
    Text(String),
    /// Several.
    Several(Vec<LengthDistribution>),
}

impl<'de> Deserialize<'de> for LengthList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        match Form::deserialize(deserializer)? {
            Form::One(tokens) => Ok(LengthDistribution::Fixed(tokens).into()),
            Form::Text(text) => text.parse().map_err(serde::de::Error::custom),
            Form::Several(list) => Ok(Self(list)),
        }
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for LengthList {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "LengthList".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Form::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_ranges_and_distributions_stand_beside_each_other() {
        let list: LengthList = "100,200..800,uniform:5..9,7,lognormal:10:cv=1".parse().unwrap();
        let texts: Vec<String> = list.values().iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["100", "200", "400", "800", "uniform:5..9", "7", "lognormal:10:cv=1"]);
        assert_eq!("1,2..4,9".parse::<LengthList>().unwrap(), "1,2..4,9".parse::<Numbers>().unwrap().into());
    }

    #[test]
    fn every_form_in_json_is_read_and_what_is_written_reads_back() {
        let read = |text| serde_json::from_str::<LengthList>(text).unwrap();
        assert_eq!(read("800"), LengthDistribution::Fixed(800.0).into());
        assert_eq!(read("\"1,2..4\""), read("[1, 2, 4]"));
        let mixed = read("[1000, \"lognormal:1000:cv=1.2\"]");
        assert_eq!(read(&serde_json::to_string(&mixed).unwrap()), mixed);
        assert!(serde_json::from_str::<LengthList>("\"uniform:9..3\"").is_err());
    }
}
