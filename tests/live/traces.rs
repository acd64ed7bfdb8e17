//! Six recorded generations, token for token, with every test and the ledger.

use perfmodel::poe::{Experts, Ledger, Options, Replay, Rule, Schedule, Uniforms, generate, product};
use serde_json::Value;

use crate::{TOLERANCE, hydra, json, prompt, tokens};

fn options(trace: &Value) -> Options {
    Options {
        gamma: trace["gamma"].as_u64().unwrap() as usize,
        beta: trace["beta"].as_f64().unwrap(),
        temperature: trace["temperature"].as_f64(),
        max_new_tokens: trace["max_new_tokens"].as_u64().unwrap() as usize,
        rule: trace["rule"].as_str().unwrap().parse::<Rule>().unwrap(),
        draft_head: trace["draft_head"].as_u64().unwrap() as usize,
        eos: None,
        vocabulary: None,
        schedule: Schedule { eager_refill: true, trim: false },
        detail: true,
    }
}

fn assert_ledger(ledger: &Ledger, want: &Value) {
    let Ledger { prefill, draft, verify, refill } = ledger;
    for (stage, counts) in [
        (
            "prefill",
            vec![
                ("trunk_tokens", prefill.trunk_tokens),
                ("head_tokens", prefill.head_tokens),
                ("lm_head_rows", prefill.lm_head_rows),
            ],
        ),
        (
            "draft_loop",
            vec![
                ("trunk_passes", draft.trunk_passes),
                ("draft_head_passes", draft.head_passes),
                ("lm_head_rows", draft.lm_head_rows),
            ],
        ),
        (
            "verify",
            vec![
                ("jury_passes", verify.lm_head_passes),
                ("head_tokens", verify.head_tokens),
                ("lm_head_rows", verify.lm_head_rows),
            ],
        ),
        (
            "refill",
            vec![
                ("trunk_passes", refill.trunk_passes),
                ("head_passes", refill.head_passes),
                ("lm_head_rows", refill.lm_head_rows),
            ],
        ),
    ] {
        for (name, count) in counts {
            assert_eq!(Some(count), want[stage][name].as_u64(), "{stage}.{name}");
        }
    }
}

#[test]
fn all_six_token_for_token_with_their_tests_and_ledgers() {
    let json = json();
    let traces = json["poe_traces"].as_array().unwrap();
    assert_eq!(traces.len(), 6);
    let mut model = hydra();
    for trace in traces {
        let uniforms: Vec<f64> = serde_json::from_value(trace["uniforms"].clone()).unwrap();
        let mut source = Replay::new(uniforms);
        let out = generate(&mut model, &prompt(), &options(trace), &mut source).unwrap();
        assert_eq!(source.left(), 0, "every recorded number is used");
        assert_eq!(out.tokens, tokens(&trace["new_tokens"]));
        let resampled: Vec<usize> = serde_json::from_value(trace["resampled_positions"].clone()).unwrap();
        assert_eq!(out.resampled_positions, resampled);
        assert_eq!(Some(out.accepted() as u64), trace["n_accepted"].as_u64());
        assert_ledger(&out.ledger, &trace["ledger"]);

        let rounds = trace["rounds"].as_array().unwrap();
        assert_eq!(out.rounds.len(), rounds.len());
        for (round, want) in out.rounds.iter().zip(rounds) {
            assert_eq!(Some(round.start as u64), want["L"].as_u64());
            assert_eq!(round.drafts, tokens(&want["draft"]));
            assert_eq!(round.resampled.map(u64::from), want["resampled"].as_u64());
            for (test, want) in round.tests.iter().zip(want["tests"].as_array().unwrap()) {
                let close = |got: Option<f64>, key: &str| {
                    let (got, want) = (got.unwrap(), want[key].as_f64().unwrap());
                    assert!((got - want).abs() < f64::from(TOLERANCE), "{key}: {got} {want}");
                };
                close(test.target, "p");
                close(test.proposal, "q");
                close(Some(test.accept_probability), "accept_prob");
                assert_eq!(test.uniform, want["u"].as_f64());
                assert_eq!(Some(test.accepted), want["accepted"].as_bool());
            }
        }
        let held = prompt().len() + out.tokens.len();
        assert_eq!(model.cursors(), vec![held; 5]);
    }
}

#[test]
fn without_detail_the_tokens_are_the_same() {
    let json = json();
    for trace in json["poe_traces"].as_array().unwrap() {
        let mut source = Replay::new(serde_json::from_value(trace["uniforms"].clone()).unwrap());
        let options = Options { detail: false, ..options(trace) };
        let out = generate(&mut hydra(), &prompt(), &options, &mut source).unwrap();
        assert_eq!(out.tokens, tokens(&trace["new_tokens"]));
        assert!(source.next().is_err(), "no recorded number is left");
    }
}

#[test]
fn the_product_of_three_heads_for_several_exponents() {
    let json = json();
    let logits = hydra().prefill(&prompt()).unwrap();
    let jury: Vec<&[f32]> = logits[1..].iter().map(Vec::as_slice).collect();
    for (beta, want) in json["jury_123_product_at_prompt_end"].as_object().unwrap() {
        let p = product(&jury, beta.parse().unwrap(), 1.0);
        assert!((p.entropy() - want["entropy_nats"].as_f64().unwrap()).abs() < 1e-3);
        for (id, probability) in tokens(&want["top_ids"]).iter().zip(want["top_probs"].as_array().unwrap()) {
            assert!((p.of(*id) - probability.as_f64().unwrap()).abs() < f64::from(TOLERANCE), "β {beta}, id {id}");
        }
    }
}

#[test]
fn the_argmax_rule_is_greedy_decoding_of_the_product() {
    let json = json();
    let want = tokens(&json["jury_greedy_draft0_24"]);
    for gamma in [1, 3, 8] {
        let options = Options { gamma, max_new_tokens: 24, rule: Rule::Argmax, ..Options::default() };
        let out = generate(&mut hydra(), &prompt(), &options, &mut Replay::new(Vec::new())).unwrap();
        assert_eq!(out.tokens[..24], want, "γ {gamma}");
    }
}
