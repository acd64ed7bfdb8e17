//! Row filters such as `concurrency<=128 and input_tokens>200`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Measurement;
use crate::error::{Error, Result, did_you_mean};

/// A column that a filter may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Input,
    Output,
    Load,
    Ttft,
    Itl,
}

impl Column {
    const ALL: [(&'static str, Self); 7] = [
        ("input_tokens", Self::Input),
        ("output_tokens", Self::Output),
        ("concurrency", Self::Load),
        ("batch", Self::Load),
        ("rate_rps", Self::Load),
        ("ttft_ms", Self::Ttft),
        ("itl_ms", Self::Itl),
    ];

    fn value(self, row: &Measurement) -> f64 {
        match self {
            Self::Input => row.workload.input_tokens(),
            Self::Output => row.workload.output_tokens(),
            Self::Load => row.workload.amount(),
            Self::Ttft => row.ttft.as_ms(),
            Self::Itl => row.itl.as_ms(),
        }
    }
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    LessOrEqual,
    GreaterOrEqual,
    NotEqual,
    Equal,
    Less,
    Greater,
}

impl Operator {
    /// Longer spellings first, so that `<=` is not read as `<`.
    const ALL: [(&'static str, Self); 7] = [
        ("<=", Self::LessOrEqual),
        (">=", Self::GreaterOrEqual),
        ("!=", Self::NotEqual),
        ("==", Self::Equal),
        ("=", Self::Equal),
        ("<", Self::Less),
        (">", Self::Greater),
    ];

    #[expect(clippy::float_cmp, reason = "the user asks for exactly the number that the file holds")]
    fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::LessOrEqual => left <= right,
            Self::GreaterOrEqual => left >= right,
            Self::NotEqual => left != right,
            Self::Equal => left == right,
            Self::Less => left < right,
            Self::Greater => left > right,
        }
    }
}

/// Comparisons that must all hold, as given to `--rows` and `--exclude`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RowFilter {
    text: String,
    comparisons: Vec<(Column, Operator, f64)>,
}

impl RowFilter {
    /// Whether a row passes.
    pub fn matches(&self, row: &Measurement) -> bool {
        self.comparisons.iter().all(|(column, operator, value)| operator.holds(column.value(row), *value))
    }
}

impl TryFrom<String> for RowFilter {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<RowFilter> for String {
    fn from(filter: RowFilter) -> Self {
        filter.text
    }
}

impl fmt::Display for RowFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for RowFilter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let comparisons: Result<Vec<_>> = text
            .split(',')
            .flat_map(|part| part.split(" and "))
            .map(|part| {
                comparison(part.trim()).map_err(|error| {
                    error.help(
                "write comparisons such as `concurrency<=128` or `input_tokens==200 and concurrency>1`; columns: \
                 input_tokens, output_tokens, concurrency (batch, rate_rps), ttft_ms, itl_ms",
            )
                })
            })
            .collect();
        Ok(Self { text: text.to_owned(), comparisons: comparisons? })
    }
}

fn comparison(text: &str) -> Result<(Column, Operator, f64)> {
    let (at, spelling, operator) = Operator::ALL
        .into_iter()
        .filter_map(|(spelling, operator)| Some((text.find(spelling)?, spelling, operator)))
        .min_by_key(|(at, spelling, _)| (*at, std::cmp::Reverse(spelling.len())))
        .ok_or_else(|| Error::input(format!("`{text}` is not a comparison")))?;
    let (name, value) = (text[..at].trim(), text[at + spelling.len()..].trim());
    let column = Column::ALL.into_iter().find(|(known, _)| *known == name).ok_or_else(|| {
        let near = did_you_mean(name, Column::ALL.map(|(known, _)| known));
        Error::input(match near {
            Some(near) => format!("unknown column `{name}` in `{text}`; did you mean `{near}`?"),
            None => format!("unknown column `{name}` in `{text}`"),
        })
    })?;
    let value = value.parse().map_err(|_| Error::input(format!("`{value}` in `{text}` is not a number")))?;
    Ok((column.1, operator, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Seconds;
    use crate::workload::Workload;

    fn row(input: f64, clients: f64) -> Measurement {
        Measurement {
            workload: Workload::new(input, 200.0, clients).unwrap(),
            ttft: Seconds::from_ms(10.0),
            itl: Seconds::from_ms(5.0),
            throughput: None,
            line: 2,
        }
    }

    #[test]
    fn every_comparison_must_hold() {
        for (text, want) in [
            ("concurrency<=128", true),
            ("concurrency<100", false),
            ("concurrency>=100 and input_tokens==200", true),
            ("concurrency>1, input_tokens!=200", false),
            ("output_tokens=200", true),
            ("ttft_ms>9.5", true),
        ] {
            assert_eq!(text.parse::<RowFilter>().unwrap().matches(&row(200.0, 100.0)), want, "{text}");
        }
    }

    #[test]
    fn a_broken_filter_says_what_is_wrong() {
        for (text, want) in [
            ("concurency<=128", "unknown column `concurency` in `concurency<=128`; did you mean `concurrency`?"),
            ("concurrency", "`concurrency` is not a comparison"),
            ("concurrency<=many", "`many` in `concurrency<=many` is not a number"),
        ] {
            let message = text.parse::<RowFilter>().unwrap_err().to_string();
            assert!(message.starts_with(want), "{message}");
        }
    }
}
