//! What a generation does on average, in closed form.

/// Means of rounds of γ drafts of which each test accepts with probability α, independently of the others.
///
/// | symbol | here | meaning |
/// |---|---|---|
/// | α | `acceptance` | probability that a tested draft is accepted |
/// | γ | `gamma` | drafts of a round |
/// | X | | tokens that a round emits: accepted ones, and one more if a draft was rejected |
///
/// Real acceptance differs by position in the round; compare the measured acceptance by position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expectation {
    acceptance: f64,
    gamma: f64,
}

impl Expectation {
    /// For an acceptance from 0 to 1 (held there) and a number of drafts.
    pub fn new(acceptance: f64, gamma: usize) -> Self {
        Self { acceptance: acceptance.clamp(0.0, 1.0), gamma: gamma as f64 }
    }

    /// Tokens of a round, `E[X] = Σ_{k<γ} α^k`.
    pub fn tokens_per_round(&self) -> f64 {
        self.powers(|_| 1.0)
    }

    /// Accepted tokens of a round, `α·(1 − α^γ)/(1 − α)`.
    pub fn accepted_per_round(&self) -> f64 {
        self.acceptance * self.tokens_per_round()
    }

    /// Probability that a round ends with a rejection, `1 − α^γ`.
    pub fn rejection(&self) -> f64 {
        1.0 - self.acceptance.powf(self.gamma)
    }

    /// `E[X²] = Σ_{k=1}^{γ} (2k − 1)·α^{k−1}`.
    pub fn squared_tokens_per_round(&self) -> f64 {
        self.powers(|k| 2.0 * k + 1.0)
    }

    /// Mean number of tokens beyond the budget when a call of many tokens stops at the end of a round,
    /// `(E[X²]/E[X] − 1)/2`.
    pub fn overshoot(&self) -> f64 {
        (self.squared_tokens_per_round() / self.tokens_per_round() - 1.0) / 2.0
    }

    /// Cost of a round, `γ·draft + verify + (1 − α^γ)·refill + host`, in the unit of what is given.
    pub fn round_cost(&self, draft: f64, verify: f64, refill: f64, host: f64) -> f64 {
        self.gamma * draft + verify + self.rejection() * refill + host
    }

    fn powers(&self, factor: impl Fn(f64) -> f64) -> f64 {
        let mut power = 1.0;
        let mut sum = 0.0;
        for k in 0..self.gamma as u32 {
            sum += factor(f64::from(k)) * power;
            power *= self.acceptance;
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_agree_with_their_closed_forms() {
        for (alpha, gamma) in [(0.5, 1), (0.5, 4), (0.8, 8), (0.95, 2)] {
            let e = Expectation::new(alpha, gamma);
            let want = (1.0 - alpha.powi(gamma as i32)) / (1.0 - alpha);
            assert!((e.tokens_per_round() - want).abs() < 1e-12);
            assert!((e.accepted_per_round() + e.rejection() - e.tokens_per_round()).abs() < 1e-12);
            // The share of replaced tokens does not depend on γ.
            assert!((e.rejection() / e.tokens_per_round() - (1.0 - alpha)).abs() < 1e-12);
        }
    }

    #[test]
    fn certain_and_impossible_acceptance() {
        let (all, none) = (Expectation::new(1.0, 8), Expectation::new(0.0, 8));
        assert_eq!((all.tokens_per_round(), all.rejection(), all.overshoot()), (8.0, 0.0, 3.5));
        assert_eq!((none.tokens_per_round(), none.rejection(), none.overshoot()), (1.0, 1.0, 0.0));
    }
}
