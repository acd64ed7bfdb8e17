//! Several tests at once.

/// p values adjusted by Holm's step-down method: in rising order the i-th of m is multiplied by m − i + 1, never falls below the
/// one before it, and ends at 1. Rejecting where the adjusted value is below α keeps the chance of any false rejection below α.
///
/// Source: Holm 1979, Scandinavian Journal of Statistics 6:65.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut floor: f64 = 0.0;
    for (rank, index) in order.into_iter().enumerate() {
        floor = floor.max(p_values[index] * (p_values.len() - rank) as f64).min(1.0);
        adjusted[index] = floor;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_counts_most_and_order_is_kept() {
        // R: p.adjust(c(0.04, 0.01, 0.03, 0.5), "holm") = 0.09 0.04 0.09 0.50
        let got = holm(&[0.04, 0.01, 0.03, 0.5]);
        for (got, want) in got.iter().zip([0.09, 0.04, 0.09, 0.5]) {
            assert!((got - want).abs() < 1e-12, "{got} instead of {want}");
        }
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }
}
