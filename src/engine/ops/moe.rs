//! Mixture of experts: how many experts a batch touches.

/// Routed experts of a matrix.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Experts {
    /// All.
    pub total: f64,
    /// Those that a token uses.
    pub active: f64,
    /// Ranks of attention whose tokens meet in them: for each token of a rank there are so many in the experts.
    pub ranks: f64,
}

/// Expected number of distinct routed experts that `tokens` tokens touch, `E·(1 − (1 − k/E)^n)`.
///
/// Assumes that every token picks its k of E experts evenly and independently of the others.
pub fn touched_experts(experts: f64, active: f64, tokens: f64) -> f64 {
    if active >= experts {
        // ln(0) below; and a batch of no tokens still reads them in a dense layer.
        return experts;
    }
    -experts * (tokens * (-active / experts).ln_1p()).exp_m1()
}

/// Share of the weights of an operator that `tokens` tokens of each rank need: all of a dense one, of routed experts those
/// that are touched.
pub fn read_share(experts: Option<Experts>, tokens: f64) -> f64 {
    experts.map_or(1.0, |Experts { total, active, ranks }| touched_experts(total, active, tokens * ranks) / total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_token_touches_k_experts_and_many_touch_all() {
        assert!((touched_experts(8.0, 2.0, 1.0) - 2.0).abs() < 1e-12);
        assert!((touched_experts(8.0, 2.0, 2.0) - 3.5).abs() < 1e-12); // 8 (1 - 0.75^2)
        assert!((touched_experts(128.0, 8.0, 1e5) - 128.0).abs() < 1e-9);
        assert_eq!(touched_experts(4.0, 4.0, 1.0), 4.0);
    }
}
