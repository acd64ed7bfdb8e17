//! A quantity that a fit may change.

/// How a fit moves a parameter between its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// In equal differences; for parameters that may be 0.
    Linear,
    /// In equal ratios.
    Log,
}

/// Name, unit, bounds and meaning of a parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameter {
    /// Name in files, flags and tables.
    pub name: &'static str,
    /// Unit.
    pub unit: &'static str,
    /// Smallest value.
    pub lower: f64,
    /// Largest value.
    pub upper: f64,
    /// Smallest value at which a user may hold it; a fit on a log scale cannot reach 0, a planner may want it.
    pub least: f64,
    /// Value before any fit.
    pub default: f64,
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

    /// Change of the value per change of position.
    pub fn slope(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => self.upper - self.lower,
            Scale::Log => value * (self.upper / self.lower).ln(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_round_trip_on_both_scales() {
        for scale in [Scale::Linear, Scale::Log] {
            let parameter = Parameter {
                name: "p",
                unit: "1",
                lower: 0.5,
                upper: 8.0,
                least: 0.5,
                default: 1.0,
                fitted: true,
                scale,
                meaning: "",
            };
            for value in [0.5, 1.0, 2.0, 8.0] {
                let unit = parameter.to_unit(value);
                assert!((parameter.from_unit(unit) - value).abs() < 1e-12);
                let step = 1e-6;
                let numeric = (parameter.from_unit(unit + step) - parameter.from_unit(unit - step)) / (2.0 * step);
                assert!((parameter.slope(value) / numeric - 1.0).abs() < 1e-6);
            }
        }
    }
}
