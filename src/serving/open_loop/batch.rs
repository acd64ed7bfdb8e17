//! How many sequences decode in the mean; with Little's law this is ITL.

use super::capacity::Capacity;
use super::{Engine, Seconds};
use crate::serving::root::{BATCH_TOLERANCE, bracketed};
use crate::serving::seen::seen_batch;

/// Mean batch at a rate below capacity, the root of
///
/// ```text
/// B = λ·n·ITL,    ITL = D(B₁)/(1 − ρ) + r·(1 − (B/B*)⁴),    r = (1 − ρⁿ)/(1 − ρ) · ρ·P / ((1 − ρ²)·n)
/// ```
///
/// A decode step takes D and the prompts that arrive during the step before, a share ρ of it. The prompt of a request
/// itself makes one step longer by P; the prompts that arrive in it lengthen the next step by ρ·P, and so on: r is this
/// ripple over the n steps of the request. At capacity the places thin it out; the fourth power was chosen on
/// simulations. The ratio of right to left falls in B, so there is one root, and it rises with λ up to B*.
pub fn mean_batch<D: Fn(f64) -> Seconds>(engine: &Engine<D>, rate: f64, capacity: &Capacity) -> f64 {
    let (n, p, top) = (engine.decode_steps, engine.prefill.get(), capacity.batch);
    let rho = rate * p;
    let ripple = (1.0 - rho.powf(n)) * rho * p / ((1.0 - rho).powi(2) * (1.0 + rho) * n);
    let excess = |batch: f64| {
        let share = (batch / top).powi(2);
        let itl = engine.decode(seen_batch(batch, top)) / (1.0 - rho) + ripple * (1.0 - share * share);
        batch / (rate * n * itl) - 1.0
    };
    let full = excess(top);
    if full <= 0.0 {
        return top; // The rate is the capacity up to rounding.
    }
    // First probe: the batch if steps took as long as at capacity.
    bracketed(excess, (top, full), (0.0, -1.0), full / (1.0 + full), BATCH_TOLERANCE)
}
