//! Waiting behind prompts that arrive together.

use crate::units::Seconds;

/// Mean wait behind the prompts of a burst, `σ·(B−1)·P/2 / (1 + (ρ/ρ₀)⁴)^¼` with `ρ = B·P/(O·D)`.
///
/// | symbol | here | unit |
/// |---|---|---|
/// | `σ` | `factor`: lock-step of the clients | 1 |
/// | `B` | `batch`: running sequences | 1 |
/// | `P` | `prefill`: work of one prompt | s |
/// | `O·D` | `decode`: decode time of one request | s |
/// | `ρ₀` | `saturation` | 1 |
///
/// Clients with requests of fixed length stay in lock-step: prompts come in bursts and the mean one waits behind half
/// of its burst. When prefill takes a larger share of the time, requests finish apart and the burst stops growing: the
/// wait tends to `σ·ρ₀·O·D/2`. The form rises in B and in P, which keeps TTFT from falling with more clients or longer
/// prompts; the fourth power is the sharpness of the bend and not fitted.
pub fn burst_wait(factor: f64, saturation: f64, batch: f64, prefill: Seconds, decode: Seconds) -> Seconds {
    let others = (batch - 1.0).max(0.0);
    let ratio = (prefill / decode) * batch / saturation;
    let squared = ratio * ratio;
    prefill * (0.5 * factor * others / (1.0 + squared * squared).sqrt().sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_half_the_burst_at_first_and_a_share_of_decode_time_in_the_end() {
        let wait = |batch: f64| burst_wait(1.0, 0.3, batch, Seconds::from_ms(10.0), Seconds::new(10.0)).get();
        assert_eq!(wait(1.0), 0.0);
        assert!((wait(3.0) / 0.010 - 1.0).abs() < 1e-4);
        assert!((wait(1e6) / (0.3 * 10.0 / 2.0) - 1.0).abs() < 1e-5);
    }

    #[test]
    fn it_rises_with_batch_and_prompt() {
        let wait = |batch: f64, ms: f64| burst_wait(1.0, 0.3, batch, Seconds::from_ms(ms), Seconds::new(1.0)).get();
        assert!((1..400).map(|b| wait(f64::from(b), 5.0)).is_sorted());
        assert!((1..400).map(|ms| wait(40.0, f64::from(ms))).is_sorted());
    }
}
