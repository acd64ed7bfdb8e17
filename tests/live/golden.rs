//! Every golden tensor of transformers' OLMo-2.

use candle_core::{IndexOp, Tensor};

use crate::{assert_close, base, hydra, json, prompt, shape, tensors, tokens};

#[test]
fn logits_and_states_of_every_layer() {
    let (golden, mut model) = (tensors(), base());
    let ids = model.ids(&prompt()).unwrap();
    let logits = model.forward(&ids, None, false).unwrap().i(0).unwrap();
    assert_close(&logits, &golden["logits"], "logits");
    model.rewind(0);
    let states = model.states(&ids, 0).unwrap();
    assert_close(&Tensor::cat(&states, 0).unwrap(), &golden["hidden"], "states");
}

#[test]
fn keys_after_norm_and_rotation_and_plain_values() {
    let (golden, mut model) = (tensors(), base());
    model.forward(&model.ids(&prompt()).unwrap(), None, true).unwrap();
    let (keys, values): (Vec<Tensor>, Vec<Tensor>) = model.cached(0).unwrap().into_iter().unzip();
    assert_close(&Tensor::cat(&keys, 0).unwrap(), &golden["k_cache"], "keys");
    assert_close(&Tensor::cat(&values, 0).unwrap(), &golden["v_cache"], "values");
}

#[test]
fn decoding_with_a_cache() {
    let (golden, mut model) = (tensors(), base());
    let prompt = prompt();
    let last = |logits: Tensor| logits.i((0, 0)).unwrap();
    let mut rows = vec![last(model.forward(&model.ids(&prompt[..10]).unwrap(), None, true).unwrap())];
    for token in &prompt[10..] {
        rows.push(last(model.forward(&model.ids(&[*token]).unwrap(), None, true).unwrap()));
    }
    assert_close(&Tensor::stack(&rows, 0).unwrap(), &golden["decode_logits"], "decoded logits");
}

#[test]
fn four_heads_their_mean_and_all_rows_of_one() {
    let (golden, mut model) = (tensors(), hydra());
    let ids = model.ids(&prompt()).unwrap();
    let last = model.forward(&ids, None, true).unwrap().i((.., 0)).unwrap();
    assert_close(&last, &golden["hydra_logits_last"], "last logits of four heads");
    assert_close(&last.mean(0).unwrap(), &golden["hydra_mean_last"], "their mean");
    model.rewind(0);
    let third = model.forward(&ids, Some(&[3]), false).unwrap().i(0).unwrap();
    assert_close(&third, &golden["hydra_logits_head3"], "logits of head 3");
}

#[test]
fn greedy_continuations_token_for_token() {
    for (mut model, key) in [(base(), "baseline_greedy_16"), (hydra(), "hydra_naive_greedy_16")] {
        let mut ids = model.ids(&prompt()).unwrap();
        let mut out = Vec::new();
        for _ in 0..16 {
            ids = model.next_token(&ids).unwrap();
            out.push(ids.to_vec1::<u32>().unwrap()[0]);
        }
        assert_eq!(out, tokens(&json()[key]), "{key}");
    }
}

#[test]
fn the_configuration_gives_shape_and_constants() {
    let shape = shape();
    assert_eq!((shape.hidden, shape.ffn, shape.layers, shape.vocabulary, shape.context), (64, 96, 4, 320, 128));
    assert_eq!((shape.norm_eps, shape.rope_theta, shape.eos), (1e-6, 500_000.0, Some(1)));
}
