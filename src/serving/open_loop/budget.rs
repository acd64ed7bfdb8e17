//! Waiting for the token budget of a step (chunked prefill).

use super::Engine;
use crate::units::Seconds;

/// A budget of T tokens leaves room for `c = (T − B)/I` prompts in a step: prompts are a queue of their own, served in
/// `s = P + D(B)/c` each.
///
/// A request waits behind others of an M/D/1 queue of that service (Pollaczek and Khinchine), less what it would wait
/// behind their P anyway, which [`super::boundary`] has: `x = λ/2·(s²/(1 − λs) − P²/(1 − ρ))`. Its variance is that of an
/// exponential with an atom at 0. A prompt of more than one step takes 1/c − 1 further ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    /// Mean wait x in s.
    pub mean: f64,
    /// Its variance in s².
    pub variance: f64,
    /// Steps beyond the first that the own prompt takes.
    pub extra_chunks: f64,
    /// Probability that the queue is empty, 1 − λs.
    pub idle: f64,
}

impl Budget {
    /// At a rate below capacity and the batch there.
    pub fn of<D: Fn(f64) -> Seconds>(engine: &Engine<D>, rate: f64, batch: f64) -> Self {
        let p = engine.prefill.get();
        let Some(tokens) = engine.step_tokens else {
            return Self { mean: 0.0, variance: 0.0, extra_chunks: 0.0, idle: 1.0 - rate * p };
        };
        let steps_per_prompt = engine.input_tokens / (tokens - batch);
        let s = p + engine.decode(batch) * steps_per_prompt;
        // Below capacity λs < 1; at it, up to rounding.
        let idle = (1.0 - rate * s).max(f64::EPSILON);
        let mean = 0.5 * rate * (s * s / idle - p * p / (1.0 - rate * p));
        Self { mean, variance: mean * s / idle - mean * mean, extra_chunks: (steps_per_prompt - 1.0).max(0.0), idle }
    }
}
