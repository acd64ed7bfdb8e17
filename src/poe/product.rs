//! The product of experts, and what is drawn from a distribution.

/// A distribution over the vocabulary. The weights sum to [`Distribution::total`], which rounding may leave off 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    weights: Vec<f64>,
    total: f64,
}

impl Distribution {
    /// `softmax(z·scale)` of logits, by log-sum-exp.
    pub fn softmax(logits: &[f32], scale: f64) -> Self {
        Self::of_scores(logits.iter().map(|z| f64::from(*z) * scale).collect())
    }

    fn of_scores(mut scores: Vec<f64>) -> Self {
        let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for score in &mut scores {
            *score = (*score - largest).exp();
        }
        let sum: f64 = scores.iter().sum();
        for score in &mut scores {
            *score /= sum;
        }
        Self::of_weights(scores)
    }

    /// From weights that need not sum to 1.
    fn of_weights(weights: Vec<f64>) -> Self {
        let total = weights.iter().sum();
        Self { weights, total }
    }

    /// Probability of a token.
    pub fn of(&self, token: u32) -> f64 {
        self.weights[token as usize]
    }

    /// Sum of all weights.
    pub const fn total(&self) -> f64 {
        self.total
    }

    /// All weights.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// The most probable token; of equal ones the lowest.
    pub fn argmax(&self) -> u32 {
        argmax(&self.weights)
    }

    /// The token that a uniform number picks: the smallest k with `Σ_{i≤k} w_i > u·Σ w`.
    pub fn at(&self, uniform: f64) -> u32 {
        let goal = uniform * self.total;
        let mut sum = 0.0;
        let mut last = 0;
        for (token, &weight) in self.weights.iter().enumerate() {
            sum += weight;
            if weight > 0.0 {
                last = token;
                if sum > goal {
                    break;
                }
            }
        }
        last as u32
    }

    /// `max(P − q, 0)`.
    pub fn beyond(&self, proposal: &Self) -> Self {
        let excess = self.weights.iter().zip(&proposal.weights).map(|(p, q)| (p - q).max(0.0)).collect();
        Self::of_weights(excess)
    }

    /// P with the mass of one token taken away.
    pub fn without(&self, token: u32) -> Self {
        let mut weights = self.weights.clone();
        weights[token as usize] = 0.0;
        Self::of_weights(weights)
    }

    /// Entropy in nats.
    pub fn entropy(&self) -> f64 {
        self.weights.iter().filter(|w| **w > 0.0).map(|w| -w * w.ln()).sum()
    }

    /// The most probable token's lead over the next.
    pub fn margin(&self) -> f64 {
        let (mut first, mut second) = (0.0_f64, 0.0_f64);
        for &weight in &self.weights {
            if weight > first {
                (first, second) = (weight, first);
            } else {
                second = second.max(weight);
            }
        }
        first - second
    }
}

/// The place of the largest value; of equal ones the lowest.
pub(super) fn argmax<T: PartialOrd + Copy>(values: &[T]) -> u32 {
    let mut best = 0;
    for (place, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = place;
        }
    }
    best as u32
}

/// Scores of the product, `β/τ·Σ_h z_h`: its logarithm up to a constant, since a log-softmax differs from its logits by one
/// constant a head.
pub(super) fn product_scores(logits: &[&[f32]], beta: f64, temperature: f64) -> Vec<f64> {
    let scale = beta / temperature;
    let mut scores = vec![0.0; logits.first().map_or(0, |head| head.len())];
    for head in logits {
        for (score, z) in scores.iter_mut().zip(*head) {
            *score += scale * f64::from(*z);
        }
    }
    scores
}

/// The product of experts `P(v) ∝ Π_h softmax(z_h/τ)(v)^β`, normalised by log-sum-exp.
///
/// Multiplying probabilities and dividing by their sum, as the original does in 32 bit with a guard of 1e-10, is wrong where the
/// experts are unsure: with 8 of them at 0.05 the sum is 4e-11.
pub fn product(logits: &[&[f32]], beta: f64, temperature: f64) -> Distribution {
    Distribution::of_scores(product_scores(logits, beta, temperature))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_product_is_that_of_the_softmaxes() {
        let (a, b) = ([0.3_f32, -1.0, 2.0], [1.5_f32, 0.1, -0.4]);
        let (beta, temperature) = (0.7, 1.3);
        let [p, q] = [&a, &b].map(|z| Distribution::softmax(z, 1.0 / temperature));
        let naive: Vec<f64> = (0..3).map(|v| (p.of(v) * q.of(v)).powf(beta)).collect();
        let sum: f64 = naive.iter().sum();
        let got = product(&[&a, &b], beta, temperature);
        for v in 0..3_u32 {
            assert!((got.of(v) - naive[v as usize] / sum).abs() < 1e-12);
        }
    }

    #[test]
    fn eight_flat_experts_over_a_large_vocabulary_do_not_underflow() {
        let flat = vec![0.0_f32; 100_352];
        let got = product(&[flat.as_slice(); 8], 1.0, 1.0);
        assert!((got.total() - 1.0).abs() < 1e-9 && (got.of(77) * 100_352.0 - 1.0).abs() < 1e-9);
        // The example of the original's error: each gives the best token 0.05.
        let mut peaked = vec![0.0_f32; 1001];
        peaked[5] = (0.05_f32 / 0.95 * 1000.0).ln();
        let got = product(&[peaked.as_slice(); 8], 1.0, 1.0);
        assert!(got.of(5) > 0.9999, "{}", got.of(5));
    }

    #[test]
    fn a_uniform_number_picks_by_the_inverse_of_the_cumulative_sum() {
        let d = Distribution::of_weights(vec![0.0, 0.2, 0.0, 0.3, 0.5, 0.0]);
        for (uniform, want) in [(0.0, 1), (0.199, 1), (0.2, 3), (0.49, 3), (0.51, 4), (0.999_999, 4)] {
            assert_eq!(d.at(uniform), want, "{uniform}");
        }
    }

    #[test]
    fn margin_entropy_and_argmax_by_hand() {
        let d = Distribution::of_weights(vec![0.25, 0.5, 0.25]);
        assert_eq!((d.margin(), d.argmax()), (0.25, 1));
        assert!((d.entropy() - 1.5 * 2_f64.ln()).abs() < 1e-12);
        assert_eq!(Distribution::of_weights(vec![0.4, 0.4, 0.2]).argmax(), 0);
        assert_eq!(Distribution::of_weights(vec![0.4, 0.4, 0.2]).margin(), 0.0);
    }
}
