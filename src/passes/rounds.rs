//! Rounds of product-of-experts decoding.

use crate::poe::Expectation;
use crate::units::Seconds;

/// Times of the passes of a round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RoundTimes {
    /// One draft, equal to a decode step of the plain model.
    pub draft: Seconds,
    /// The jury over all drafts.
    pub verify: Seconds,
    /// The step of all heads after a rejection.
    pub refill: Seconds,
    /// What the host does for a draft: logits, product, test.
    pub host: Seconds,
    /// Drafts.
    pub gamma: usize,
}

impl RoundTimes {
    /// With the step of all heads after a share of the rejections only.
    pub fn refilled(self, share: f64) -> Self {
        Self { refill: self.refill * share, ..self }
    }

    /// Time of an emitted token at an acceptance α, `C/E[X]` with `C = γ·(draft + host) + verify + (1 − α^γ)·refill`.
    ///
    /// As α → 1 it goes to `draft + host + verify/γ`: the plain model's step is never beaten, only the jury is shared.
    pub fn per_token(&self, acceptance: f64) -> Seconds {
        let expectation = Expectation::new(acceptance, self.gamma);
        let host = self.host.get() * self.gamma as f64;
        let cost = expectation.round_cost(self.draft.get(), self.verify.get(), self.refill.get(), host);
        Seconds::new(cost / expectation.tokens_per_round())
    }

    /// The acceptance from which on a token takes no longer than `other`; `None` if none does. The time falls with α.
    pub fn break_even(&self, other: Seconds) -> Option<f64> {
        if self.per_token(1.0) > other {
            return None;
        }
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if self.per_token(middle) > other { low = middle } else { high = middle }
        }
        Some(high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_draft_a_round_is_never_faster_than_all_heads() {
        // draft + verify(1) is a step of all heads and one more reading of the output matrix.
        let ms = Seconds::from_ms;
        let times = RoundTimes { draft: ms(4.0), verify: ms(3.5), refill: ms(7.0), host: Seconds::ZERO, gamma: 1 };
        assert_eq!(times.break_even(ms(7.0)), None);
        assert!((times.per_token(1.0).as_ms() - 7.5).abs() < 1e-12);
        assert!((times.per_token(0.0).as_ms() - 14.5).abs() < 1e-12);
    }

    #[test]
    fn a_higher_acceptance_is_never_slower() {
        let ms = Seconds::from_ms;
        let times = RoundTimes { draft: ms(4.0), verify: ms(3.5), refill: ms(7.0), host: ms(0.1), gamma: 8 };
        let all: Vec<f64> = (0..=100).map(|i| times.per_token(f64::from(i) / 100.0).as_ms()).collect();
        assert!(all.is_sorted_by(|a, b| a >= b));
    }
}
