//! Waiting behind prompts that arrive together.

use crate::units::Seconds;

/// What bounds the prompts that one request waits behind, as times of prefill work.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Burst {
    /// Prompts of all other running sequences, `(B − 1)·P`.
    pub others: Seconds,
    /// Work of as many prompt tokens as clients keep in step, `X₀` times the prefill time of one token.
    pub token_limit: Seconds,
    /// Share of a request's decode time within which clients keep in step, `ρ₀·O·D`.
    pub decode_limit: Seconds,
}

/// Mean wait behind the prompts of a burst, `σ/2 · min((B − 1)·P, X₀·p, ρ₀·O·D)`.
///
/// | symbol | meaning | unit |
/// |---|---|---|
/// | `σ` | `factor`: lock-step of the clients; 0 for independent ones, 1 if all of a burst arrive at once | 1 |
/// | `B` | running sequences | 1 |
/// | `P` | prefill work of one prompt | s |
/// | `X₀`, `p` | prompt tokens of the largest burst, prefill time of one token | 1, s |
/// | `ρ₀`, `O·D` | largest burst as a share of the decode time of one request, that time | 1, s |
///
/// Clients with requests of one fixed length stay in lock-step: they finish together, so their next prompts come in
/// bursts, and the mean one waits behind half of its burst. The burst stops growing when its own prefill spreads the
/// clients apart: by queued tokens in some campaigns, by the share of time spent in prefill in others; whichever is
/// reached first binds. Every bound rises with the batch and with the prompt, so TTFT never falls with either.
pub fn burst_wait(factor: f64, burst: &Burst) -> Seconds {
    burst.others.max(Seconds::ZERO).min(burst.token_limit).min(burst.decode_limit) * (0.5 * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_bound_sets_the_wait_and_a_single_sequence_waits_for_none() {
        let wait = |others, tokens, decode| {
            let [others, token_limit, decode_limit] = [others, tokens, decode].map(Seconds::new);
            burst_wait(1.0, &Burst { others, token_limit, decode_limit }).get()
        };
        assert_eq!(wait(4.0, 10.0, 10.0), 2.0);
        assert_eq!(wait(40.0, 10.0, 20.0), 5.0);
        assert_eq!(wait(40.0, 10.0, 6.0), 3.0);
        assert_eq!(wait(-0.5, 10.0, 6.0), 0.0);
    }
}
