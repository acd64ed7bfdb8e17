//! `priors.toml`: what is known of the parameters before any measurement, each with how it was derived.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::spec::SpecFile;

const TEXT: &str = include_str!("../../priors.toml");

/// What is known of one parameter.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prior {
    /// Name of the parameter.
    pub parameter: String,
    /// Median, in the parameter's unit.
    pub value: f64,
    /// Standard deviation of its logarithm.
    pub spread: f64,
    /// Where it comes from.
    pub derived: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PriorFile {
    prior: Vec<Prior>,
}

static BUILT_IN: LazyLock<Vec<Prior>> = LazyLock::new(|| {
    let file = SpecFile { label: "built-in:priors.toml".into(), text: TEXT.into() };
    read(&file).expect("a test reads the embedded priors")
});

/// The shipped priors, in the order of the file.
pub fn built_in() -> &'static [Prior] {
    &BUILT_IN
}

/// The shipped prior of a parameter.
///
/// # Panics
/// There is none: a test holds that every parameter has one.
pub fn of(parameter: &str) -> &'static Prior {
    BUILT_IN.iter().find(|prior| prior.parameter == parameter).expect("every parameter has a prior")
}

/// Reads and checks a file of priors.
///
/// # Errors
/// Broken TOML, a value or spread that is not above 0, a parameter named twice or without a derivation.
pub fn read(file: &SpecFile) -> Result<Vec<Prior>> {
    let priors = file.parse::<PriorFile>()?.prior;
    for (index, prior) in priors.iter().enumerate() {
        let fault = if !(prior.value.is_finite() && prior.value > 0.0) {
            format!("has the value {}; give a number above 0", prior.value)
        } else if !(prior.spread.is_finite() && prior.spread > 0.0) {
            format!("has the spread {}; give a number above 0", prior.spread)
        } else if prior.derived.trim().is_empty() {
            "does not say how it was derived".to_owned()
        } else if priors[..index].iter().any(|other| other.parameter == prior.parameter) {
            "is there twice".to_owned()
        } else {
            continue;
        };
        return Err(Error::input(format!("the prior of `{}` {fault}", prior.parameter))
            .at(&file.label)
            .help("mend it in this file"));
    }
    Ok(priors)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Vec<Prior>> {
        read(&SpecFile { label: "p.toml".into(), text: text.into() })
    }

    #[test]
    fn the_shipped_file_reads() {
        assert_eq!(read_text(TEXT).unwrap(), built_in());
    }

    #[test]
    fn a_prior_without_origin_spread_or_place_of_its_own_is_refused() {
        let good = "[[prior]]\nparameter = \"a\"\nvalue = 1.0\nspread = 0.1\nderived = \"x\"\n";
        assert!(read_text(good).is_ok());
        for (text, want) in [
            (good.replace("1.0", "0.0"), "has the value 0"),
            (good.replace("0.1", "-0.1"), "has the spread -0.1"),
            (good.replace("\"x\"", "\"\""), "does not say"),
            (good.repeat(2), "is there twice"),
        ] {
            let message = read_text(&text).unwrap_err().to_string();
            assert!(message.starts_with("p.toml: the prior of `a`") && message.contains(want), "{message}");
        }
    }
}
