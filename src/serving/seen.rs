//! What a decoding sequence sees of the others.

/// The batch that a decoding sequence sees, itself included, where `batch` decode in the mean and at most `most` can:
/// `B₁ = 1 + (1 − 1/most)·B`.
///
/// It is in every step that it sees, and sees the others as often as they decode. In an open loop their arrivals do not
/// depend on it (Poisson arrivals see time averages), but for the places: at capacity they are all taken and the batch is B*
/// for everybody. In a closed loop it is one of the A that are admitted, so it sees A − 1.
pub fn seen_batch(batch: f64, most: f64) -> f64 {
    1.0 + (1.0 - 1.0 / most) * batch
}
