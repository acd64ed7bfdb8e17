//! A quantity that a fit may change: its name, whom it belongs to, its bounds and what is known of it beforehand.
//!
//! ```
//! use perfmodel::parameter::{Owner, Scale};
//! use perfmodel::serving::Quantity;
//!
//! let bandwidth = Quantity::MemoryEfficiency.parameter();
//! assert_eq!((bandwidth.name, bandwidth.owner), ("memory_efficiency", Owner::Hardware));
//! assert!(bandwidth.lower < bandwidth.default && bandwidth.default < bandwidth.upper);
//! // Halfway on a scale of equal ratios lies the geometric mean of the bounds.
//! assert_eq!(bandwidth.scale, Scale::Log);
//! assert!((bandwidth.from_unit(0.5) - (bandwidth.lower * bandwidth.upper).sqrt()).abs() < 1e-12);
//! ```

/// Whom a parameter belongs to. Fits of several scenarios share what belongs to the hardware and the engine; what belongs
/// to a measuring campaign is each campaign's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Owner {
    /// The device: how near it comes to its peaks.
    Hardware,
    /// The serving engine and its version: launches, scheduling, memory it keeps for itself, collectives.
    Engine,
    /// The measuring campaign and its client.
    Campaign,
}

impl Owner {
    /// Name in tables, files and flags.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hardware => "hardware",
            Self::Engine => "engine",
            Self::Campaign => "campaign",
        }
    }
}

/// How a fit moves a parameter between its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Scale {
    /// In equal differences; for parameters that may be 0.
    Linear,
    /// In equal ratios.
    Log,
}

/// Name, unit, owner, bounds, prior and meaning of a parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameter {
    /// Name in files, flags and tables.
    pub name: &'static str,
    /// Unit.
    pub unit: &'static str,
    /// Whom it belongs to.
    pub owner: Owner,
    /// Smallest value.
    pub lower: f64,
    /// Largest value.
    pub upper: f64,
    /// Smallest value at which a user may hold it; a fit on a log scale cannot reach 0, a planner may want it.
    pub least: f64,
    /// Value before any fit; with a spread, the centre of its prior.
    pub default: f64,
    /// Standard deviation of the logarithm of what is known beforehand; `None`: nothing is known.
    pub spread: Option<f64>,
    /// Whether a fit changes it; otherwise it keeps its default unless the user sets it.
    pub fitted: bool,
    /// How a fit moves it.
    pub scale: Scale,
    /// What it is.
    pub meaning: &'static str,
}

impl Parameter {
    /// Position of a value between the bounds, 0 to 1, on the parameter's scale.
    pub fn to_unit(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => (value - self.lower) / (self.upper - self.lower),
            Scale::Log => (value / self.lower).ln() / (self.upper / self.lower).ln(),
        }
    }

    /// The value at a position between the bounds.
    pub fn from_unit(&self, unit: f64) -> f64 {
        match self.scale {
            Scale::Linear => self.lower + unit * (self.upper - self.lower),
            Scale::Log => self.lower * (unit * (self.upper / self.lower).ln()).exp(),
        }
    }

    /// The standard error, in positions, from which on the data do not determine the parameter: half of its range, or
    /// on a log scale a factor of two.
    pub fn widest_error(&self) -> f64 {
        match self.scale {
            Scale::Linear => 0.5,
            Scale::Log => (2.0_f64.ln() / (self.upper / self.lower).ln()).min(0.5),
        }
    }

    /// Change of the coordinate (the value on a linear scale, its logarithm on a log scale) per change of position.
    pub fn coordinate_slope(&self) -> f64 {
        match self.scale {
            Scale::Linear => self.upper - self.lower,
            Scale::Log => (self.upper / self.lower).ln(),
        }
    }

    /// Change of the value per change of the coordinate.
    pub fn value_slope(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => 1.0,
            Scale::Log => value,
        }
    }

    /// The value at a distance from another in the coordinate, within what the parameter can be.
    pub fn moved(&self, value: f64, by: f64) -> f64 {
        let moved = match self.scale {
            Scale::Linear => value + by,
            Scale::Log => value * by.exp(),
        };
        moved.clamp(self.least, self.upper)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(scale: Scale) -> Parameter {
        Parameter {
            name: "p",
            unit: "1",
            owner: Owner::Engine,
            lower: 0.5,
            upper: 8.0,
            least: 0.5,
            default: 1.0,
            spread: None,
            fitted: true,
            scale,
            meaning: "",
        }
    }

    #[test]
    fn positions_round_trip_on_both_scales() {
        for scale in [Scale::Linear, Scale::Log] {
            let parameter = parameter(scale);
            for value in [0.5, 1.0, 2.0, 8.0] {
                let unit = parameter.to_unit(value);
                assert!((parameter.from_unit(unit) - value).abs() < 1e-12);
                let step = 1e-6;
                let numeric = (parameter.from_unit(unit + step) - parameter.from_unit(unit - step)) / (2.0 * step);
                let slope = parameter.coordinate_slope() * parameter.value_slope(value);
                assert!((slope / numeric - 1.0).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn a_move_is_a_difference_or_a_ratio_and_ends_at_a_bound() {
        assert_eq!(parameter(Scale::Linear).moved(2.0, 0.5), 2.5);
        assert!((parameter(Scale::Log).moved(2.0, 3f64.ln()) - 6.0).abs() < 1e-12);
        assert_eq!([parameter(Scale::Log).moved(2.0, 9.0), parameter(Scale::Linear).moved(2.0, -9.0)], [8.0, 0.5]);
    }
}
