//! Waiting for a step to end, and behind the prompts that wait with one.

/// Wait of a request that finds the engine busy, until its own step begins, less what its own step takes.
///
/// Steps are a gated queue: `S' = D + P·(arrivals during S)`. For Poisson arrivals the cumulants of a step are
///
/// ```text
/// mean S = D/(1 − ρ)    variance s₂ = ρ·P·S/(1 − ρ²)    third s₃ = (ρ·P²·S + 3ρ²·P·s₂)/(1 − ρ³)
/// ```
///
/// The step found in progress is length-biased: mean `L = S + s₂/S`, variance `v = s₂ + s₃/S − (s₂/S)²`. Of it a request
/// waits for a uniform rest, and with its own prompt those are processed that came during L: `mean = (½ + ρ)·L`.
///
/// The variance adds that of the step, of the uniform place in it, of the number of prompts, and of the batch
/// (`step_variance`, of D); a longer D passes through ρ into the steps that follow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Boundary {
    /// Probability of finding the engine busy, `1 − (1 − ρ)·e⁻ᴮ`.
    pub busy: f64,
    /// Mean step S in s.
    pub step: f64,
    /// Mean wait in s.
    pub mean: f64,
    /// Its variance in s².
    pub variance: f64,
}

impl Boundary {
    /// At a rate of arrivals, for P and D in s.
    pub fn of(rate: f64, p: f64, decode: f64, batch: f64, step_variance: f64) -> Self {
        let rho = rate * p;
        let step = decode / (1.0 - rho);
        let second = rho * p * step / (1.0 - rho * rho);
        let third = (rho * p * p * step + 3.0 * rho * rho * p * second) / (1.0 - rho * rho * rho);
        let found = step + second / step;
        let found_variance = second + third / step - (second / step).powi(2);
        let g = 0.5 + rho;
        Self {
            busy: 1.0 - (1.0 - rho) * (-batch).exp(),
            step,
            mean: g * found,
            variance: g * g * found_variance
                + (found_variance + found * found) / 12.0
                + rho * p * found
                + (1.0 + g / (1.0 - rho)).powi(2) * step_variance.min(decode * decode / 12.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_a_low_rate_a_request_waits_for_half_a_decode_step_if_one_runs() {
        let low = Boundary::of(1e-9, 0.1, 0.02, 1e-6, 0.0);
        assert!((low.mean / 0.01 - 1.0).abs() < 1e-6 && (low.busy / 1e-6 - 1.0).abs() < 1e-3);
        assert!((low.variance * 12.0 / 0.02f64.powi(2) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn the_wait_rises_with_the_rate_and_diverges_when_prompts_fill_the_time() {
        let waits: Vec<f64> =
            (1..1000).map(|i| Boundary::of(f64::from(i) / 100.0, 0.1, 0.02, 10.0, 0.0).mean).collect();
        assert!(waits.is_sorted() && waits[998] > 100.0 * waits[0]);
    }
}
