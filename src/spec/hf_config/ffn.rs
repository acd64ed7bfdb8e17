//! The feed-forward block of each layer.

use super::family::{Experts, Traits};
use super::keys::{
    ACTIVE_EXPERTS, Count, DENSE_LAYERS, EXPERTS, INTERMEDIATE_SIZE, Keys, MOE_INTERMEDIATE_SIZE, MOE_LAYER_FREQ,
    SHARED_EXPERTS, SHARED_INTERMEDIATE_SIZE, SPARSE_STEP,
};
use crate::spec::{DenseFfn, Ffn, MoeFfn};

/// Reads the feed-forward block of every layer, the first layer first.
pub fn read_ffn(keys: &mut Keys<'_>, traits: &Traits, layers: u32) -> Vec<Ffn> {
    let has_experts: Vec<bool> = match traits.experts {
        Experts::Nowhere => vec![false; layers as usize],
        Experts::Everywhere { .. } => vec![true; layers as usize],
        Experts::Stepped { .. } => {
            let dense = keys.layer_numbers("mlp_only_layers");
            let step = keys.count_or(&SPARSE_STEP, None).unwrap_or(1);
            (0..layers).map(|layer| !dense.contains(&layer) && (layer + 1).is_multiple_of(step)).collect()
        }
        Experts::AfterDense { dense, .. } => {
            let dense = keys.count_or(&DENSE_LAYERS, None).unwrap_or(dense);
            let every = keys.count_or(&MOE_LAYER_FREQ, None).unwrap_or(1);
            (0..layers).map(|layer| layer >= dense && layer.is_multiple_of(every)).collect()
        }
    };
    // Keys of a kind of block that no layer has are not read: files leave them out, or keep what they were copied from.
    let moe = if has_experts.contains(&true) { moe(keys, traits) } else { None };
    let dense = has_experts.contains(&false).then(|| {
        let bias = traits.mlp_bias && keys.flag_or("mlp_bias", false);
        Ffn::Dense(DenseFfn { intermediate_size: keys.required(&INTERMEDIATE_SIZE), gated: true, bias })
    });
    has_experts.into_iter().filter_map(|experts| if experts { moe } else { dense }).collect()
}

fn moe(keys: &mut Keys<'_>, traits: &Traits) -> Option<Ffn> {
    let moe = match traits.experts {
        Experts::Nowhere => return None,
        Experts::Everywhere { bias, corrected } => MoeFfn {
            bias,
            router_bias: bias || keys.flag_or("use_routing_bias", corrected),
            ..routed_experts(keys, &INTERMEDIATE_SIZE)
        },
        Experts::Stepped { shared } => {
            let routed = routed_experts(keys, &MOE_INTERMEDIATE_SIZE);
            match if shared { keys.required(&SHARED_INTERMEDIATE_SIZE) } else { 0 } {
                0 => routed,
                width => {
                    MoeFfn { shared_experts: 1, shared_intermediate_size: Some(width), shared_gate: true, ..routed }
                }
            }
        }
        Experts::AfterDense { corrected, .. } => MoeFfn {
            shared_experts: keys.count_or(&SHARED_EXPERTS, None).unwrap_or(0),
            router_bias: keys.text("topk_method").map_or(corrected, |method| method == "noaux_tc"),
            ..routed_experts(keys, &MOE_INTERMEDIATE_SIZE)
        },
    };
    Some(Ffn::Moe(moe))
}

/// Routed experts and nothing else; `width` is the key of their width.
fn routed_experts(keys: &mut Keys<'_>, width: &Count) -> MoeFfn {
    let experts = keys.required(&EXPERTS);
    let active_experts = keys.required(&ACTIVE_EXPERTS);
    keys.require(active_experts <= experts, ACTIVE_EXPERTS.name(), || {
        format!("is {active_experts}, more than the {experts} experts there are")
    });
    MoeFfn {
        experts,
        active_experts,
        shared_experts: 0,
        intermediate_size: keys.required(width),
        shared_intermediate_size: None,
        shared_gate: false,
        gated: true,
        bias: false,
        router_bias: false,
    }
}
