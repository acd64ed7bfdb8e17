//! How emitted tokens are distributed, tested by χ² over many seeds.

use statrs::distribution::{ChiSquared, ContinuousCDF};

use crate::model::Toy;
use perfmodel::poe::{Distribution, Options, Rule, Seeded, generate, product};

const SEEDS: u64 = 20_000;

/// Probability of a χ² at least as large as that of these counts.
fn p_value(counts: &[f64], expected: &[f64]) -> f64 {
    let total: f64 = counts.iter().sum();
    let pairs = || counts.iter().zip(expected).filter(|(_, p)| **p > 0.0);
    for (count, p) in counts.iter().zip(expected) {
        assert!(*p > 0.0 || *count == 0.0, "an impossible token was emitted");
    }
    let chi: f64 = pairs().map(|(count, p)| (count - p * total).powi(2) / (p * total)).sum();
    ChiSquared::new(pairs().count() as f64 - 1.0).unwrap().sf(chi)
}

/// Logits of each head after token 0 (the prompt) and after any other.
fn heads() -> [[Vec<f32>; 2]; 3] {
    [
        [vec![1.0, 0.5, 0.0, -1.0, 0.2], vec![0.0, 1.0, 0.3, 0.0, -0.5]],
        [vec![0.2, 1.0, 0.4, -0.3, 0.0], vec![0.6, 0.0, 0.9, 0.1, 0.0]],
        [vec![-0.5, 0.8, 0.9, 0.0, 0.3], vec![0.1, 0.4, 0.5, -0.7, 0.2]],
    ]
}

fn toy() -> Toy {
    Toy::new(3, |head, history: &[u32]| heads()[head][usize::from(history != [0])].clone())
}

/// P after token 0, or after any other.
fn target(after: usize, beta: f64, temperature: f64) -> Distribution {
    let heads = heads();
    product(&[&heads[1][after], &heads[2][after]], beta, temperature)
}

#[test]
fn sampled_drafts_give_exactly_the_product() {
    for rule in [Rule::Exact, Rule::Orig] {
        let (beta, temperature) = (0.8, 0.9);
        let options =
            Options { gamma: 3, beta, temperature: Some(temperature), max_new_tokens: 2, rule, ..Options::default() };
        let (mut first, mut second) = ([0.0; 5], [0.0; 5]);
        for seed in 0..SEEDS {
            let out = generate(&mut toy(), &[0], &options, &mut Seeded::new(seed)).unwrap();
            first[out.tokens[0] as usize] += 1.0;
            // Given a first token, here the most frequent one.
            if out.tokens[0] == 1 {
                second[out.tokens[1] as usize] += 1.0;
            }
        }
        let p = [
            p_value(&first, target(0, beta, temperature).weights()),
            p_value(&second, target(1, beta, temperature).weights()),
        ];
        assert!(p.iter().all(|p| *p > 1e-3), "{rule}: {p:?}");
    }
}

#[test]
fn argmax_drafts_give_exactly_the_product_under_the_exact_rule() {
    let options = Options { gamma: 2, max_new_tokens: 2, rule: Rule::Exact, ..Options::default() };
    let (mut first, mut second) = ([0.0; 5], [0.0; 5]);
    for seed in 0..SEEDS {
        let out = generate(&mut toy(), &[0], &options, &mut Seeded::new(seed)).unwrap();
        first[out.tokens[0] as usize] += 1.0;
        second[out.tokens[1] as usize] += 1.0;
    }
    let p = [p_value(&first, target(0, 1.0, 1.0).weights()), p_value(&second, target(1, 1.0, 1.0).weights())];
    assert!(p.iter().all(|p| *p > 1e-3), "{p:?}");
}

#[test]
fn argmax_drafts_under_the_original_test_follow_its_own_law() {
    // q = (.4, .3, .2, .1), P = (.2, .5, .2, .1): the favourite of q is emitted with P/q = .5, the rest from max(P − q, 0).
    let logits = |p: [f32; 4]| p.map(f32::ln).to_vec();
    let options = Options { gamma: 1, max_new_tokens: 1, rule: Rule::Orig, ..Options::default() };
    let mut counts = [0.0; 4];
    for seed in 0..SEEDS {
        let mut model = Toy::constant(vec![logits([0.4, 0.3, 0.2, 0.1]), logits([0.2, 0.5, 0.2, 0.1])]);
        counts[generate(&mut model, &[0], &options, &mut Seeded::new(seed)).unwrap().tokens[0] as usize] += 1.0;
    }
    // What 32-bit logits leave of the mass of the other two is below 1e-7.
    assert!(counts[2] + counts[3] <= 1.0, "{counts:?}");
    let p = p_value(&counts[..2], &[0.5, 0.5]);
    assert!(p > 1e-3, "{counts:?}: {p}");
}
