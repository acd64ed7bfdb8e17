//! Waiting behind prompts that arrive together.

use crate::units::Seconds;

/// What bounds the prompts that one request waits behind, as times of prefill work.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Burst {
    /// Prompts of all other admitted requests, `(A − 1)·P`.
    pub others: Seconds,
    /// Work of as many prompt tokens as clients keep in step, `X₀` times the prefill time of one token.
    pub token_limit: Seconds,
    /// Share of a request's decode time within which clients keep in step, `ρ₀·O·D`.
    pub decode_limit: Seconds,
}

/// Mean wait behind the prompts of a burst, `σ/2 · ((1 − φ)·‖a, b, c‖₋₆ + φ·a)`, never more than all others.
///
/// | symbol | meaning | unit |
/// |---|---|---|
/// | `σ` | `factor`: lock-step of the clients; 0 for independent ones, 1 if all of a burst arrive at once, 2 if they also finish at once | 1 |
/// | `φ` | `tail`: share of bursts that nothing limits, such as the first of a run | 1 |
/// | `a` | prompts of all other admitted requests, `(A − 1)·P` | s |
/// | `b` | `X₀·p`: prompt tokens of the largest burst × prefill time of one token | s |
/// | `c` | `ρ₀·O·D`: largest burst as a share of the decode time of one request × that time | s |
/// | `‖a, b, c‖₋₆` | `(a⁻⁶ + b⁻⁶ + c⁻⁶)^(−1/6)`, the smallest of the three with round corners | s |
///
/// Clients with requests of one fixed length stay in lock-step: they finish together, so their next prompts come in
/// bursts, and the mean one waits behind half of its burst, or all of it where a step finishes its prompts together. The
/// burst stops growing when its own prefill spreads the clients apart: by queued tokens in some campaigns, by the share
/// of time spent in prefill in others. Every bound rises with the batch and with the prompt, so TTFT never falls with
/// either.
pub fn burst_wait(factor: f64, tail: f64, burst: &Burst) -> Seconds {
    let Burst { others, token_limit, decode_limit } = *burst;
    if others <= Seconds::ZERO {
        return Seconds::ZERO;
    }
    let inverse = [others, token_limit, decode_limit].map(|bound| {
        let square = 1.0 / (bound.get() * bound.get());
        square * square * square
    });
    let limited = Seconds::new(1.0 / inverse.iter().sum::<f64>().sqrt().cbrt());
    ((limited * (1.0 - tail) + others * tail) * (0.5 * factor)).min(others)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(factor: f64, tail: f64, bounds: [f64; 3]) -> f64 {
        let [others, token_limit, decode_limit] = bounds.map(Seconds::new);
        burst_wait(factor, tail, &Burst { others, token_limit, decode_limit }).get()
    }

    #[test]
    fn far_from_the_corners_the_smallest_bound_sets_the_wait() {
        for (bounds, want) in [([4.0, 1e3, 1e3], 2.0), ([4e3, 10.0, 2e4], 5.0), ([4e3, 1e5, 6.0], 3.0)] {
            assert!((wait(1.0, 0.0, bounds) / want - 1.0).abs() < 1e-8, "{bounds:?}");
        }
    }

    #[test]
    fn equal_bounds_round_the_corner_and_a_tail_goes_past_it() {
        assert!((wait(2.0, 0.0, [1.0; 3]) - 3f64.powf(-1.0 / 6.0)).abs() < 1e-12);
        assert!((wait(1.0, 0.1, [1e6, 10.0, 1e9]) - 0.5 * (0.9 * 10.0 + 0.1 * 1e6)).abs() < 1e-3);
    }

    #[test]
    fn a_single_request_waits_for_none_and_nobody_for_more_than_all_others() {
        assert_eq!(wait(1.0, 0.5, [0.0, 10.0, 6.0]), 0.0);
        assert!(wait(2.0, 1.0, [3.0, 1e9, 1e9]) <= 3.0);
    }
}
