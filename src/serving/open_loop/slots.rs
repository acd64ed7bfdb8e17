//! Waiting for one of the places that memory or the engine's cap allow.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use super::Engine;
use super::capacity::Capacity;
use super::normal::normal_tail;
use crate::units::Seconds;

/// Largest elasticity of D; at 1 the batch would have no restoring force.
const LARGEST_ELASTICITY: f64 = 0.999;

/// Share of B* from which on the secant of D to B* says nothing more than its slope.
const NEARLY_FULL: f64 = 0.999;

/// Probability C that a request waits for a place, and its mean wait w then.
///
/// The number of decoding sequences spreads around B: arrivals in step time have the dispersion `K = 1/(1 − ρ)²`, and with
/// e = d ln D/d ln B a larger batch slows itself down, so its variance is `V = B·K/(1 − e)`, within what fits in \[0, B*\].
/// On the scale of its root, where the spread does not depend on B, the distance to the last place is
/// `β = 2·√(B/V)·(√B* − √B)`, and with σ = λ/λ* (λ*: capacity of the places)
///
/// ```text
/// u = √(K·B/(√2·B*·V)) · φ(β)              C = min(σ, u / (u + (1 − σ)·Φ(β)))
/// w = (1 + k)/2 / (λ* − λ)                 k = min(1, (1 − σ)(A − 1)(√(4 + 5A) − 2)/(16·σ·A))
/// ```
///
/// For K = 1, e = 0 and without the √2 of fixed service times this is Halfin and Whitt 1981,
/// <https://doi.org/10.1287/opre.29.3.567>, for many servers; k is the correction of Cosmetatos to the wait of M/D/A. The
/// √2 and the bounds of V were chosen on simulations. No more requests wait than with one place, of which the share σ do:
/// with few places the normal distribution would have some wait at any rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slots {
    /// `C`.
    pub probability: f64,
    /// `w` in s.
    pub wait: f64,
    /// Variance of D that the batch makes, in s².
    pub step_variance: f64,
}

impl Slots {
    /// At a rate below capacity and the batch there.
    pub fn of<D: Fn(f64) -> Seconds>(engine: &Engine<D>, rate: f64, batch: f64, capacity: &Capacity) -> Self {
        let (a, p) = (engine.slots, engine.prefill.get());
        let (top, most) = (capacity.slots_batch, capacity.slots_rate);
        let decode = engine.decode(batch);
        let slope = (engine.decode(1.5 * batch) - engine.decode(0.5 * batch)) / batch;
        let mut elasticity = (batch * slope / decode).min(LARGEST_ELASTICITY);
        if batch < NEARLY_FULL * top {
            // Below 1; it binds where a roof changes between the batch and the last place.
            elasticity = elasticity.min((engine.decode(top) / decode).ln() / (top / batch).ln());
        }
        let dispersion = (1.0 - rate * p).powi(-2);
        let variance = (batch * dispersion / (1.0 - elasticity)).min(batch.max(0.25 * top * top));
        let beta = 2.0 * (batch / variance).sqrt() * (top.sqrt() - batch.sqrt());
        let used = rate / most;
        let density = (-0.5 * beta * beta).exp() / (2.0 * PI).sqrt();
        let up = (FRAC_1_SQRT_2 * dispersion * batch / (top * variance)).sqrt() * density;
        let fixed = (1.0 - used) * (a - 1.0) * ((4.0 + 5.0 * a).sqrt() - 2.0) / (16.0 * used * a);
        Self {
            probability: (up / (up + (1.0 - used) * normal_tail(-beta)).max(f64::MIN_POSITIVE)).min(used),
            wait: 0.5 * (1.0 + fixed.min(1.0)) / (most - rate),
            step_variance: slope * slope * variance,
        }
    }
}
