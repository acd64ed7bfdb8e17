//! What must hold of the models whatever their weights.

use candle_core::{DType, Device, IndexOp, Tensor};
use perfmodel::live::weights::Weights;
use perfmodel::live::{Heads, Hydra, ModelShape};
use perfmodel::poe::Distribution;

use crate::{HEADS, assert_close, base, difference, hydra, prompt, shape, weights};

fn last(model: &mut Hydra, ids: &[u32]) -> Tensor {
    let ids = model.ids(ids).unwrap();
    model.forward(&ids, None, true).unwrap().i((.., 0)).unwrap()
}

/// A model whose query heads share key/value heads.
fn grouped() -> ModelShape {
    ModelShape { kv_heads: 2, ..shape() }
}

#[test]
fn a_prompt_may_be_cut_anywhere_and_processed_in_pieces() {
    let prompt = prompt();
    let random = Weights::random(3, DType::F32, Device::Cpu);
    for mut model in [base(), hydra(), Hydra::new(&grouped(), Heads::BASE, &random, 64).unwrap()] {
        let whole = last(&mut model, &prompt);
        for cut in 1..prompt.len() {
            model.rewind(0);
            last(&mut model, &prompt[..cut]);
            assert_close(&last(&mut model, &prompt[cut..]), &whole, &format!("pieces of {cut} and the rest"));
        }
        model.rewind(0);
        let pieces: Vec<Tensor> = prompt.chunks(3).map(|piece| last(&mut model, piece)).collect();
        assert_close(pieces.last().unwrap(), &whole, "pieces of three");
    }
}

#[test]
fn grouped_queries_equal_full_heads_with_repeated_keys_and_values() {
    // The law that defines grouped-query attention, on the weights themselves: repeat the rows of each key/value head.
    let (many, few) = (shape(), grouped());
    let random = Weights::random(5, DType::F32, Device::Cpu);
    let mut shared = Hydra::new(&few, Heads::BASE, &random, 32).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut tensors = std::collections::HashMap::new();
    let source = |name: &str, shape: &[usize]| random.named(name, shape).unwrap();
    for (name, dims) in tensor_names(&few) {
        let tensor = source(&name, &dims);
        let repeated = ["k_proj", "v_proj"].iter().any(|part| name.contains(part));
        let tensor = if repeated {
            let heads = tensor.reshape((2, 1, 16, 64)).unwrap();
            heads.broadcast_as((2, 2, 16, 64)).unwrap().reshape((64, 64)).unwrap()
        } else if name.contains("k_norm") {
            Tensor::ones(64, DType::F32, &Device::Cpu).unwrap()
        } else {
            tensor
        };
        tensors.insert(name, tensor.contiguous().unwrap());
    }
    candle_core::safetensors::save(&tensors, folder.path().join("model.safetensors")).unwrap();
    let repeated = Weights::from_folder(folder.path(), DType::F32, Device::Cpu).unwrap();
    let mut full = Hydra::new(&many, Heads::BASE, &repeated, 32).unwrap();
    // The norm over all key heads is the same, because each stands there twice.
    assert_close(&last(&mut shared, &prompt()), &last(&mut full, &prompt()), "grouped and repeated heads");
}

/// Names and shapes of all tensors of a model.
fn tensor_names(shape: &ModelShape) -> Vec<(String, Vec<usize>)> {
    let (d, f, v) = (shape.hidden, shape.ffn, shape.vocabulary);
    let (q, kv) = (shape.query_width(), shape.kv_width());
    let layer = [
        ("self_attn.q_proj", vec![q, d]),
        ("self_attn.k_proj", vec![kv, d]),
        ("self_attn.v_proj", vec![kv, d]),
        ("self_attn.o_proj", vec![d, q]),
        ("self_attn.q_norm", vec![q]),
        ("self_attn.k_norm", vec![kv]),
        ("post_attention_layernorm", vec![d]),
        ("post_feedforward_layernorm", vec![d]),
        ("mlp.gate_proj", vec![f, d]),
        ("mlp.up_proj", vec![f, d]),
        ("mlp.down_proj", vec![d, f]),
    ];
    let mut all: Vec<(String, Vec<usize>)> = (0..shape.layers)
        .flat_map(|i| layer.iter().map(move |(name, dims)| (format!("model.layers.{i}.{name}.weight"), dims.clone())))
        .collect();
    all.push(("model.embed_tokens.weight".to_owned(), vec![v, d]));
    all.push(("lm_head.weight".to_owned(), vec![v, d]));
    all.push(("model.norm.weight".to_owned(), vec![d]));
    all
}

#[test]
fn the_formula_for_parameters_is_the_sum_over_all_tensors() {
    for shape in [shape(), grouped()] {
        let sum: usize = tensor_names(&shape).iter().map(|(_, dims)| dims.iter().product::<usize>()).sum();
        assert_eq!(shape.parameters(shape.layers), sum as u64);
    }
    let file = candle_core::safetensors::load(crate::fixture().join("model.safetensors"), &Device::Cpu).unwrap();
    let sum: usize = file.values().map(Tensor::elem_count).sum();
    assert_eq!(shape().parameters(shape().layers), sum as u64);
    // Published: 1B, 9 heads of 3 layers.
    let olmo = perfmodel::spec::Catalog::built_in().model("olmo2_1b").unwrap();
    let shape = ModelShape::new(&olmo).unwrap();
    assert_eq!(shape.parameters(16), 1_484_916_736);
    assert_eq!(shape.parameters(Heads { count: 9, depth: 3 }.layer_instances(16)), 3_095_726_080);
}

#[test]
fn what_was_rewound_never_happened() {
    let prompt = prompt();
    let mut clean = hydra();
    last(&mut clean, &prompt[..8]);
    let want = last(&mut clean, &prompt[8..12]);
    let mut strayed = hydra();
    last(&mut strayed, &prompt[..8]);
    last(&mut strayed, &[9, 9, 9, 9, 9, 9]);
    strayed.rewind(8);
    assert_eq!(difference(&last(&mut strayed, &prompt[8..12]), &want), 0.0, "not bit-equal");
}

#[test]
fn a_full_cache_is_an_error_and_a_context_cannot_be_exceeded() {
    let mut model = Hydra::new(&shape(), Heads::BASE, &weights(), 10).unwrap();
    let ids = model.ids(&prompt()[..10]).unwrap();
    model.forward(&ids, None, true).unwrap();
    let next = model.ids(&[1]).unwrap();
    let message = model.forward(&next, None, true).unwrap_err().to_string();
    assert!(message.starts_with("11 tokens do not fit into a cache of 10"), "{message}");
    let message = Hydra::new(&shape(), Heads::BASE, &weights(), 129).unwrap_err().to_string();
    assert!(message.starts_with("129 tokens exceed the context of olmo2_tiny, 128 tokens"), "{message}");
}

#[test]
fn equal_heads_are_the_base_and_so_is_one_head_of_any_depth() {
    let mut model = base();
    let want = last(&mut model, &prompt());
    for depth in 1..4 {
        let mut one = Hydra::new(&shape(), Heads { count: 1, depth }, &weights(), 64).unwrap();
        assert_close(&last(&mut one, &prompt()), &want, "one head");
        let mut five = Hydra::new(&shape(), Heads { count: 5, depth }, &weights(), 64).unwrap();
        let all = last(&mut five, &prompt());
        for head in 0..5 {
            assert_close(&all.i(head..=head).unwrap(), &want, "equal heads");
        }
        assert_close(&all.mean_keepdim(0).unwrap(), &want, "their mean");
    }
}

#[test]
fn the_last_row_alone_is_the_last_row_of_all_and_hidden_states_give_the_logits() {
    let mut model = hydra();
    let ids = model.ids(&prompt()).unwrap();
    let all = model.forward(&ids, None, false).unwrap();
    model.rewind(0);
    let (logits, hidden) = model.residual_forward(&ids, &[0, 1, 2, 3], &[3, 1], true).unwrap();
    assert_close(&logits.i((.., 0)).unwrap(), &all.i((.., 15)).unwrap(), "last rows");
    let again = model.logits(&hidden, true).unwrap();
    assert_close(&again.i(0).unwrap(), &logits.i(3).unwrap(), "logits of hidden states");
    assert_close(&again.i(1).unwrap(), &logits.i(1).unwrap(), "logits of hidden states");
}

#[test]
fn the_mean_of_logits_and_the_product_of_all_experts_have_one_maximum() {
    let mut model = hydra();
    for start in 0..12 {
        model.rewind(0);
        let logits: Vec<Vec<f32>> = last(&mut model, &prompt()[start..]).to_vec2().unwrap();
        let heads: Vec<&[f32]> = logits.iter().map(Vec::as_slice).collect();
        let product = perfmodel::poe::product(&heads, 0.7, 1.0).argmax();
        let by_hand: Vec<f64> =
            (0..320).map(|v| heads.iter().map(|head| Distribution::softmax(head, 1.0).of(v).ln()).sum()).collect();
        let best = (0..320).max_by(|a, b| by_hand[*a].total_cmp(&by_hand[*b])).unwrap();
        model.rewind(0);
        let ids = model.ids(&prompt()[start..]).unwrap();
        let mean = model.next_token(&ids).unwrap().to_vec1::<u32>().unwrap()[0];
        assert_eq!((product, best as u32), (mean, mean));
    }
}

#[test]
fn trunk_and_heads_have_cursors_of_their_own() {
    let mut model = hydra();
    let states = model.trunk(&model.ids(&prompt()).unwrap()).unwrap();
    model.hidden(&states, &[2, 0]).unwrap();
    assert_eq!(model.cursors(), [16, 16, 0, 16, 0]);
    model.rewind(5);
    assert_eq!(model.cursors(), [5, 5, 0, 5, 0]);
}

#[test]
fn selections_that_make_no_sense_are_refused() {
    let mut model = hydra();
    let ids = model.ids(&[1]).unwrap();
    for (message, want) in [
        (model.forward(&ids, Some(&[]), true).unwrap_err(), "no heads selected"),
        (model.forward(&ids, Some(&[4]), true).unwrap_err(), "head 4 of 4"),
        (model.residual_forward(&ids, &[0, 1], &[2], true).unwrap_err(), "hidden states of head 2, which is not run"),
    ] {
        assert!(message.to_string().starts_with(want), "{message}");
    }
    for (heads, want) in [
        (Heads { count: 0, depth: 1 }, "a model of 0 heads"),
        (Heads { count: 2, depth: 0 }, "heads of 0 layers"),
        (Heads { count: 2, depth: 4 }, "heads of 4 layers"),
    ] {
        let message = Hydra::new(&shape(), heads, &weights(), 8).unwrap_err().to_string();
        assert!(message.starts_with(want), "{message}");
    }
}

#[test]
fn perturbed_heads_leave_the_base_and_grow_apart_with_the_scale() {
    let spread = |scale: f64| {
        let weights = weights().perturbed(scale, 9).unwrap();
        let mut model = Hydra::new(&shape(), HEADS, &weights, 64).unwrap();
        let all = last(&mut model, &prompt());
        let apart = difference(&all.i(1).unwrap(), &all.i(2).unwrap());
        (apart, all.i(0..=0).unwrap())
    };
    let (none, base_head) = spread(0.0);
    assert_eq!(none, 0.0);
    assert_close(&base_head, &last(&mut base(), &prompt()), "head 0");
    let [little, much] = [0.05, 0.5].map(|scale| spread(scale).0);
    assert!(0.0 < little && little < much, "{little} {much}");
}
