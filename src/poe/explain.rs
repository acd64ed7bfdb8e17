//! What the jury thought: entropy, margin and votes of emitted tokens, suppression of rejected ones.

use super::product::{Distribution, argmax};

/// An emitted token in the eyes of the jury.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Emission {
    /// Entropy of the product in nats.
    pub entropy: f64,
    /// Lead of the product's most probable token over the next.
    pub margin: f64,
    /// Votes that could change sides before another token has as many, see [`stability_radius`].
    pub stability_radius: usize,
}

/// A rejected draft in the eyes of the jury.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Suppression {
    /// The draft.
    pub token: u32,
    /// Its probability in the product.
    pub probability: f64,
    /// Votes that would have to move to it, see [`validity_radius`].
    pub validity_radius: usize,
}

/// Votes of the jury: the most probable token of each head.
pub(super) fn votes(logits: &[&[f32]]) -> Vec<u32> {
    logits.iter().map(|head| argmax(head)).collect()
}

impl Emission {
    pub(super) fn new(product: &Distribution, votes: &[u32], token: u32) -> Self {
        Self { entropy: product.entropy(), margin: product.margin(), stability_radius: stability_radius(votes, token) }
    }
}

/// Votes by token, other tokens than `token`, the most first.
fn rivals(votes: &[u32], token: u32) -> Vec<usize> {
    let mut others: Vec<u32> = votes.iter().copied().filter(|vote| *vote != token).collect();
    others.sort_unstable();
    let mut counts: Vec<usize> = others.chunk_by(|a, b| a == b).map(<[u32]>::len).collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    counts
}

/// `max(0, ⌊(n_e − n_o)/2⌋)`: n_e votes for the token, n_o for the strongest other.
pub fn stability_radius(votes: &[u32], token: u32) -> usize {
    let own = votes.iter().filter(|vote| **vote == token).count();
    let strongest = rivals(votes, token).first().copied().unwrap_or(0);
    own.saturating_sub(strongest) / 2
}

/// Least number of votes that must move to a token for it to have strictly more than any other, each taken from the
/// rival that is strongest at that moment.
pub fn validity_radius(votes: &[u32], token: u32) -> usize {
    let mut own = votes.iter().filter(|vote| **vote == token).count();
    let mut others = rivals(votes, token);
    let mut moved = 0;
    while let Some(strongest) = others.iter_mut().max().filter(|strongest| **strongest >= own && **strongest > 0) {
        *strongest -= 1;
        own += 1;
        moved += 1;
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    fn votes_of(counts: &[(u32, usize)]) -> Vec<u32> {
        counts.iter().flat_map(|(token, count)| vec![*token; *count]).collect()
    }

    #[test]
    fn validity_radii_by_hand() {
        const A: u32 = 7;
        const B: u32 = 3;
        const C: u32 = 5;
        for (counts, target, want) in [
            (vec![(A, 8)], B, 5),
            (vec![(A, 5), (B, 2), (C, 1)], A, 0),
            (vec![(A, 4), (B, 4)], C, 4),
            (vec![(A, 6), (B, 2)], C, 4),
            (vec![(A, 4), (B, 2), (C, 2)], C, 2),
        ] {
            assert_eq!(validity_radius(&votes_of(&counts), target), want, "{counts:?}");
        }
    }

    #[test]
    fn a_token_is_stable_by_half_of_its_lead() {
        for (counts, want) in [(vec![(1, 8)], 4), (vec![(1, 5), (2, 2)], 1), (vec![(1, 2), (2, 5)], 0), (vec![], 0)] {
            assert_eq!(stability_radius(&votes_of(&counts), 1), want, "{counts:?}");
        }
    }
}
