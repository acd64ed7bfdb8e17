//! The laws of product-of-experts decoding, on models of a few lines.

mod distribution;
mod model;

use model::{Toy, scrambled};
use perfmodel::poe::{Distribution, Expectation, Ledger, Options, Rule, Schedule, Seeded, Stage, generate, product};

const EAGER: Schedule = Schedule { eager_refill: true, trim: false };

fn options(gamma: usize, tokens: usize, rule: Rule) -> Options {
    Options { gamma, max_new_tokens: tokens, rule, schedule: EAGER, ..Options::default() }
}

/// Greedy decoding of the product without any drafting.
fn greedy_product(heads: usize, draft: usize, prompt: &[u32], tokens: usize) -> Vec<u32> {
    let logits = scrambled(13, 6.0);
    let mut history = prompt.to_vec();
    for _ in 0..tokens {
        let judges: Vec<Vec<f32>> = (0..heads).filter(|h| *h != draft).map(|h| logits(h, &history)).collect();
        let judges: Vec<&[f32]> = judges.iter().map(Vec::as_slice).collect();
        history.push(product(&judges, 1.0, 1.0).argmax());
    }
    history.split_off(prompt.len())
}

#[test]
fn the_argmax_rule_is_greedy_decoding_of_the_product_for_any_draft() {
    for heads in [2, 3, 5] {
        for gamma in [1, 2, 4, 8, 40] {
            for draft_head in 0..heads {
                let mut model = Toy::new(heads, scrambled(13, 6.0));
                let options = Options { draft_head, ..options(gamma, 30, Rule::Argmax) };
                let out = generate(&mut model, &[1, 2, 3], &options, &mut Seeded::new(1)).unwrap();
                assert_eq!(
                    out.tokens[..30],
                    greedy_product(heads, draft_head, &[1, 2, 3], 30),
                    "{heads} heads, γ {gamma}"
                );
            }
        }
    }
}

#[test]
fn a_jury_that_agrees_with_the_draft_accepts_everything() {
    // One judge with β 1, or J equal judges with β 1/J: P = q.
    for (heads, beta) in [(2, 1.0), (4, 1.0 / 3.0)] {
        for temperature in [None, Some(0.7)] {
            let mut model = Toy::new(heads, |_, history: &[u32]| scrambled(9, 4.0)(0, history));
            let options = Options { beta, temperature, ..options(4, 30, Rule::Orig) };
            let out = generate(&mut model, &[4], &options, &mut Seeded::new(3)).unwrap();
            assert!(out.resampled_positions.is_empty(), "β {beta}");
            assert_eq!((out.rounds.len(), out.tokens.len()), (30_usize.div_ceil(4), 32));
            assert!(out.rounds.iter().flat_map(|r| &r.tests).all(|t| t.accept_probability >= 1.0 - 1e-6));
            if temperature.is_none() {
                let mut history = vec![4];
                for &token in &out.tokens {
                    assert_eq!(token, Distribution::softmax(&scrambled(9, 4.0)(0, &history), 1.0).argmax());
                    history.push(token);
                }
            }
        }
    }
}

#[test]
fn equal_experts_sharpen_so_an_argmax_draft_passes_the_original_test_and_a_sampled_one_does_not() {
    let run = |temperature| {
        let mut model = Toy::new(5, |_, history: &[u32]| scrambled(9, 4.0)(0, history));
        let options = Options { temperature, ..options(4, 200, Rule::Orig) };
        generate(&mut model, &[4], &options, &mut Seeded::new(5)).unwrap()
    };
    assert!(run(None).resampled_positions.is_empty());
    assert!(!run(Some(1.0)).resampled_positions.is_empty());
}

#[test]
fn bookkeeping_adds_up() {
    for (rule, temperature) in [(Rule::Exact, Some(0.9)), (Rule::Exact, None), (Rule::Argmax, None), (Rule::Orig, None)]
    {
        for gamma in [1, 3, 8] {
            let heads = 4;
            let mut model = Toy::new(heads, scrambled(11, 5.0));
            let options = Options { temperature, detail: true, ..options(gamma, 50, rule) };
            let out = generate(&mut model, &[7, 7], &options, &mut Seeded::new(8)).unwrap();
            let rejections = out.rounds.iter().filter(|round| round.resampled.is_some()).count();
            let resampled = out.resampled_positions.len();
            assert_eq!(out.accepted() + resampled, out.tokens.len());
            assert_eq!(rejections, resampled);
            assert_eq!(out.rounds.iter().map(|round| round.accepted).sum::<usize>(), out.accepted());
            assert!(out.resampled_positions.is_sorted_by(|a, b| a < b));
            assert!((50..50 + gamma).contains(&out.tokens.len()));
            assert_eq!((out.emissions.len(), out.suppressions.len()), (out.tokens.len(), resampled));
            // Cursors: prompt and emitted tokens, in every cache, and the tokens themselves.
            let history: Vec<u32> = [7, 7].iter().chain(&out.tokens).copied().collect();
            assert_eq!(model.trunk, history);
            assert!(model.caches.iter().all(|cache| *cache == history));
            let mut emitted = 0;
            for round in &out.rounds {
                assert_eq!(round.start, 2 + emitted);
                emitted += round.accepted + usize::from(round.resampled.is_some());
            }
            assert_eq!(out.ledger, ledger(2, heads, gamma, out.rounds.len(), rejections));
        }
    }
}

/// Section 3.3 of the specification as a formula.
fn ledger(prompt: usize, heads: usize, gamma: usize, rounds: usize, rejections: usize) -> Ledger {
    let [prompt, n, gamma, rounds, rejections] = [prompt, heads, gamma, rounds, rejections].map(|count| count as u64);
    let jury = n - 1;
    let stage = |trunk: [u64; 2], head: [u64; 2], lm_head: [u64; 2]| Stage {
        trunk_passes: trunk[0],
        trunk_tokens: trunk[1],
        head_passes: head[0],
        head_tokens: head[1],
        lm_head_passes: lm_head[0],
        lm_head_rows: lm_head[1],
    };
    Ledger {
        prefill: stage([1, prompt], [n, n * prompt], [1, n]),
        draft: stage([gamma * rounds; 2], [gamma * rounds; 2], [gamma * rounds; 2]),
        verify: stage([0; 2], [jury * rounds, jury * gamma * rounds], [rounds, jury * gamma * rounds]),
        refill: stage([rejections; 2], [n * rejections; 2], [rejections, n * rejections]),
    }
}

#[test]
fn a_lazy_refill_spares_the_last_one_and_changes_no_token() {
    for seed in 0..20 {
        let run = |eager_refill| {
            let mut model = Toy::new(3, scrambled(11, 5.0));
            let schedule = Schedule { eager_refill, trim: false };
            let options = Options { schedule, temperature: Some(1.0), ..options(4, 20, Rule::Exact) };
            let out = generate(&mut model, &[1], &options, &mut Seeded::new(seed)).unwrap();
            (out, model.cursors())
        };
        let ((eager, full), (lazy, cursors)) = (run(true), run(false));
        assert_eq!((&eager.tokens, &eager.rounds), (&lazy.tokens, &lazy.rounds));
        let spared = u64::from(lazy.rounds.last().unwrap().resampled.is_some());
        assert_eq!(eager.ledger.refill.trunk_passes - lazy.ledger.refill.trunk_passes, spared);
        assert_eq!(full[0] - cursors[0], spared as usize);
    }
}

#[test]
fn trimming_cuts_the_output_and_the_caches_to_the_budget() {
    let mut model = Toy::new(3, |_, history: &[u32]| scrambled(9, 4.0)(0, history));
    let schedule = Schedule { eager_refill: false, trim: true };
    let options = Options { schedule, beta: 0.5, ..options(8, 9, Rule::Orig) };
    let out = generate(&mut model, &[1], &options, &mut Seeded::new(2)).unwrap();
    assert_eq!((out.tokens.len(), out.rounds.len()), (9, 2));
    assert_eq!(model.cursors(), [10; 4]);
}

#[test]
fn the_end_token_stops_as_a_draft_as_a_replacement_and_as_the_first_token() {
    // Judges want token 2 for sure, the draft head token `draft`.
    let run = |draft: u32, eos: u32, eager_refill: bool| {
        let peak = |token: u32| (0..4).map(|v| if v == token { 40.0 } else { 0.0 }).collect::<Vec<f32>>();
        let mut model = Toy::constant(vec![peak(draft), peak(2), peak(2)]);
        let schedule = Schedule { eager_refill, trim: false };
        let options = Options { eos: Some(eos), schedule, ..options(4, 20, Rule::Argmax) };
        let out = generate(&mut model, &[0, 1], &options, &mut Seeded::new(0)).unwrap();
        (out, model.cursors())
    };
    let (accepted, cursors) = run(2, 2, true);
    assert_eq!((accepted.tokens.as_slice(), accepted.ended, accepted.accepted()), (&[2][..], true, 1));
    assert_eq!(cursors, [3; 4]);
    let (replaced, cursors) = run(1, 2, true);
    assert_eq!((replaced.tokens.as_slice(), replaced.resampled_positions.as_slice()), (&[2][..], &[0][..]));
    assert_eq!((cursors, replaced.ledger.refill.trunk_passes), (vec![3; 4], 1));
    assert_eq!(run(1, 2, false).0.ledger.refill.trunk_passes, 0);
    assert!(!run(2, 3, true).0.ended);
}

#[test]
fn ids_that_the_tokeniser_does_not_know_are_never_emitted() {
    for (rule, temperature) in [(Rule::Exact, Some(1.0)), (Rule::Exact, None), (Rule::Argmax, None)] {
        let mut model = Toy::new(3, |head, history: &[u32]| {
            let mut logits = scrambled(9, 4.0)(head, history);
            logits[6..].fill(9.0);
            logits
        });
        let options = Options { vocabulary: Some(6), temperature, ..options(4, 60, rule) };
        let out = generate(&mut model, &[1], &options, &mut Seeded::new(2)).unwrap();
        assert!(out.tokens.iter().all(|token| *token < 6));
    }
}

#[test]
fn a_token_that_one_judge_excludes_is_never_emitted() {
    for (rule, temperature) in [(Rule::Exact, Some(1.0)), (Rule::Exact, None), (Rule::Argmax, None), (Rule::Orig, None)]
    {
        let mut model = Toy::constant(vec![
            vec![0.1, 3.0, 0.2, 0.0],
            vec![0.0, 1.0, 0.5, 0.0],
            vec![0.0, f32::NEG_INFINITY, 0.0, 0.4],
        ]);
        let options = Options { temperature, ..options(3, 300, rule) };
        let out = generate(&mut model, &[0], &options, &mut Seeded::new(4)).unwrap();
        assert!(!out.tokens.contains(&1), "{rule}");
    }
}

#[test]
fn means_are_those_of_the_closed_forms_for_independent_tests() {
    // Exact rule, argmax drafts: each is accepted with probability P(x) = α.
    for alpha in [0.5_f64, 0.8, 0.95] {
        for gamma in [1, 2, 4, 8] {
            let judge = vec![(alpha / (1.0 - alpha)).ln() as f32, 0.0];
            let (mut tokens, mut accepted, mut rounds, mut squares) = (0.0, 0.0, 0.0, 0.0);
            let mut overshoots = Vec::new();
            for seed in 0..200 {
                let mut model = Toy::constant(vec![vec![1.0, 0.0], judge.clone()]);
                let out =
                    generate(&mut model, &[0], &options(gamma, 100, Rule::Exact), &mut Seeded::new(seed)).unwrap();
                tokens += out.tokens.len() as f64;
                overshoots.push(out.tokens.len() as f64 - 100.0);
                accepted += out.accepted() as f64;
                rounds += out.rounds.len() as f64;
                squares += out.rounds.iter().map(|r| (r.tests.len() as f64).powi(2)).sum::<f64>();
            }
            let e = Expectation::new(alpha, gamma);
            let deviation = (e.squared_tokens_per_round() - e.tokens_per_round().powi(2)).sqrt() / f64::sqrt(rounds);
            assert!((tokens / rounds - e.tokens_per_round()).abs() <= 3.0 * deviation + 1e-12, "α {alpha} γ {gamma}");
            assert!((squares / rounds / e.squared_tokens_per_round() - 1.0).abs() < 0.05);
            let share = accepted / tokens;
            assert!((share - alpha).abs() < 3.0 * (alpha * (1.0 - alpha) / tokens).sqrt(), "{share} for {alpha}");
            // The overshoot is an asymptotic value, here within 5 %.
            let overshoot = overshoots.iter().sum::<f64>() / 200.0;
            let variance = overshoots.iter().map(|o| (o - overshoot).powi(2)).sum::<f64>() / 200.0;
            let reach = 3.0 * (variance / 200.0).sqrt() + 0.05 * e.overshoot();
            assert!((overshoot - e.overshoot()).abs() <= reach, "{overshoot} against {} ± {reach}", e.overshoot());
        }
    }
}

#[test]
fn what_has_no_meaning_is_refused_with_a_remedy() {
    let run = |heads: usize, change: &dyn Fn(&mut Options), prompt: &[u32]| {
        let mut model = Toy::new(heads, scrambled(5, 1.0));
        let mut options = options(2, 4, Rule::Exact);
        change(&mut options);
        generate(&mut model, prompt, &options, &mut Seeded::new(0)).unwrap_err().to_string()
    };
    for (message, want) in [
        (run(1, &|_| (), &[0]), "a product of experts needs two heads or more, one to draft and a jury; there is 1"),
        (run(2, &|o| o.gamma = 0, &[0]), "a round of 0 drafts"),
        (run(2, &|o| o.draft_head = 2, &[0]), "draft head 2 of 2 heads"),
        (run(2, &|o| o.beta = 0.0, &[0]), "beta is 0"),
        (run(2, &|o| o.temperature = Some(f64::NAN), &[0]), "temperature is NaN"),
        (run(2, &|_| (), &[]), "the prompt is empty"),
    ] {
        assert!(message.starts_with(want) && message.contains("help: "), "{message}");
    }
}
