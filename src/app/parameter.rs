//! A parameter as answers show it.

use serde::Serialize;

use crate::calibration::{FittedParameter, Flag, Origin};
use crate::forecast::Forecaster;
use crate::parameter::Owner;

/// A parameter with its value. What a command does not know of it is left out.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ParameterAnswer {
    /// Name in flags and files.
    pub name: &'static str,
    /// Whom it belongs to: all scenarios of a fit share what belongs to the hardware and the engine.
    pub owner: Owner,
    /// The scenario whose campaign it belongs to; null where all share it.
    pub scenario: Option<String>,
    /// Unit.
    pub unit: &'static str,
    /// Smallest value that a fit gives it.
    pub lower: f64,
    /// Largest value.
    pub upper: f64,
    /// Value before a fit: the median of its prior (priors.toml), or the value at which it was held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<f64>,
    /// Value.
    pub value: f64,
    /// Standard error in its unit; null where undefined.
    pub std_error: Option<f64>,
    /// What the data of a fit say of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flag: Option<Flag>,
    /// Where the value comes from, of predictions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

impl ParameterAnswer {
    /// Of a fit; `scenario` is the one whose campaign it belongs to.
    pub fn fitted(fitted: &FittedParameter, scenario: Option<String>) -> Self {
        let parameter = &fitted.parameter;
        Self {
            name: parameter.name,
            owner: parameter.owner,
            scenario,
            unit: parameter.unit,
            lower: parameter.lower,
            upper: parameter.upper,
            start: Some(fitted.start()),
            value: fitted.value,
            std_error: fitted.std_error,
            flag: Some(fitted.flag),
            origin: None,
        }
    }

    /// Those of predictions.
    pub fn carried(forecaster: &Forecaster) -> Vec<Self> {
        let carried = forecaster.carried();
        let of = |index: usize| {
            let (parameter, value) = (&forecaster.parameters()[index], carried.values[index]);
            let deviation = carried.covariance[(index, index)].sqrt();
            Self {
                name: parameter.name,
                owner: parameter.owner,
                scenario: None,
                unit: parameter.unit,
                lower: parameter.lower,
                upper: parameter.upper,
                start: None,
                value,
                std_error: (deviation > 0.0).then(|| deviation * parameter.value_slope(value)),
                flag: None,
                origin: Some(carried.origins[index]),
            }
        };
        (0..forecaster.parameters().len()).map(of).collect()
    }
}
