//! Parameters of the times of live passes. All configurations of a device share them.

use crate::parameter::{Owner, Parameter, Scale};

/// One fitted quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LiveQuantity {
    /// Share of the bandwidth in reading weights and caches.
    MemoryEfficiency,
    /// Share of the arithmetic rate in products of many rows.
    GemmEfficiency,
    /// Share of it in products of few rows, on a CPU.
    FewRowsEfficiency,
    /// Share of it in attention.
    AttentionEfficiency,
    /// Fixed cost of a block.
    LayerOverhead,
    /// Host work for a draft of PoE.
    DraftOverhead,
}

/// Number of parameters.
pub const COUNT: usize = 6;

impl LiveQuantity {
    /// Every parameter, in order.
    pub const ALL: [Self; COUNT] = [
        Self::MemoryEfficiency,
        Self::GemmEfficiency,
        Self::FewRowsEfficiency,
        Self::AttentionEfficiency,
        Self::LayerOverhead,
        Self::DraftOverhead,
    ];

    /// Its description. The priors are guesses of the order of magnitude, wide enough for any device; they hold what a run leaves
    /// open, such as `few_rows_efficiency` without PoE.
    pub fn parameter(self) -> Parameter {
        let (name, unit, owner, (lower, upper), default, spread, meaning) = match self {
            Self::MemoryEfficiency => (
                "memory_efficiency",
                "1",
                Owner::Hardware,
                (0.1, 1.5),
                0.8,
                0.3,
                "share of the read bandwidth in weights and caches; above 1 where caches hold a part",
            ),
            Self::GemmEfficiency => (
                "gemm_efficiency",
                "1",
                Owner::Hardware,
                (0.02, 1.2),
                0.6,
                0.5,
                "share of the arithmetic rate in products of many rows",
            ),
            Self::FewRowsEfficiency => (
                "few_rows_efficiency",
                "1",
                Owner::Hardware,
                (0.01, 1.2),
                0.3,
                0.5,
                "share of the arithmetic rate in products of up to 16 rows on a CPU",
            ),
            Self::AttentionEfficiency => (
                "attention_efficiency",
                "1",
                Owner::Hardware,
                (0.002, 1.0),
                0.1,
                1.0,
                "share of the arithmetic rate in attention, softmax and masks included",
            ),
            Self::LayerOverhead => (
                "layer_overhead_us",
                "us",
                Owner::Engine,
                (0.5, 2000.0),
                60.0,
                1.0,
                "fixed cost of a block: launches, small operations",
            ),
            Self::DraftOverhead => (
                "draft_overhead_us",
                "us",
                Owner::Engine,
                (1.0, 100_000.0),
                1000.0,
                1.5,
                "host work for a draft of PoE: logits, product, test",
            ),
        };
        Parameter {
            name,
            unit,
            owner,
            lower,
            upper,
            // A share of nothing would take for ever.
            least: if unit == "1" { 0.001 } else { 0.0 },
            default,
            spread: Some(spread),
            fitted: true,
            scale: Scale::Log,
            meaning,
        }
    }
}

/// Values of all parameters, each in its unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LiveParameters([f64; COUNT]);

impl LiveParameters {
    /// From values in the order of [`LiveQuantity::ALL`].
    ///
    /// # Panics
    /// Another number of values.
    pub fn from_values(values: &[f64]) -> Self {
        Self(values.try_into().expect("one value for each parameter"))
    }

    /// Value of a parameter.
    pub const fn get(&self, quantity: LiveQuantity) -> f64 {
        self.0[quantity as usize]
    }

    /// With another value of a parameter.
    pub const fn with(mut self, quantity: LiveQuantity, value: f64) -> Self {
        self.0[quantity as usize] = value;
        self
    }
}

impl Default for LiveParameters {
    /// The medians of the priors.
    fn default() -> Self {
        Self(LiveQuantity::ALL.map(|quantity| quantity.parameter().default))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_has_its_place_and_a_prior_inside_its_bounds() {
        for (index, quantity) in LiveQuantity::ALL.into_iter().enumerate() {
            let p = quantity.parameter();
            assert_eq!(quantity as usize, index);
            assert!(p.lower < p.default && p.default < p.upper, "{}", p.name);
        }
        let values: Vec<f64> = (0..COUNT).map(|i| i as f64 + 0.5).collect();
        let parameters = LiveParameters::from_values(&values).with(LiveQuantity::LayerOverhead, 9.0);
        assert_eq!(parameters.get(LiveQuantity::LayerOverhead), 9.0);
        assert_eq!(parameters.get(LiveQuantity::GemmEfficiency), 1.5);
    }
}
