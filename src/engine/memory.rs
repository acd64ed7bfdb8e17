//! Device memory: weights, KV cache, and how many requests fit.

use crate::engine::ops::attention::{kv_bytes_per_token, visible_tokens};
use crate::error::{Error, ErrorKind, Result};
use crate::spec::{Ffn, LayerGroup, ModelArchitecture, System};
use crate::units::Bytes;

/// Weights of the system in memory, all devices together: linear weights of the layers in the deployment's precision;
/// embedding, head, norms and biases unquantised.
pub fn weight_bytes(system: &System) -> Bytes {
    let deployment = system.deployment();
    let model = system.model();
    let d = u64::from(model.hidden_size);
    let linear: u64 = model
        .layers
        .iter()
        .map(|group| u64::from(group.count) * (group.attention.linear_weights(d) + group.ffn.linear_weights(d)))
        .sum();
    let other = model.parameters() - linear;
    let precision = deployment.formats.weights;
    // Ranks that decode sequences of their own hold all but the experts each.
    let experts = expert_weights(system.model()) as f64;
    let copies = f64::from(deployment.parallelism.attention_dp());
    let once = (linear as f64 - experts) * precision.bytes() + other as f64 * precision.unquantised().bytes();
    Bytes::new(once * copies + experts * precision.bytes())
}

/// Weights of all routed experts.
fn expert_weights(model: &ModelArchitecture) -> u64 {
    let d = u64::from(model.hidden_size);
    let of = |group: &LayerGroup| match group.ffn {
        Ffn::Moe(moe) => u64::from(group.count) * moe.routed_weights(d),
        Ffn::Dense(_) => 0,
    };
    model.layers.iter().map(of).sum()
}

/// KV cache of one sequence of `tokens` tokens, all layers and devices; sliding windows keep only their width.
pub fn kv_bytes(system: &System, tokens: f64) -> Bytes {
    let deployment = system.deployment();
    let on_device = system.model().layers.iter().map(|group| {
        f64::from(group.count)
            * kv_bytes_per_token(&group.attention, deployment.formats.kv, deployment.parallelism.tp())
            * visible_tokens(&group.attention, tokens)
    });
    Bytes::new(on_device.sum::<f64>() * f64::from(deployment.parallelism.tp()))
}

/// Memory left for the KV cache when the weights are loaded, all devices.
///
/// # Errors
/// The weights do not fit.
pub fn free_bytes(system: &System) -> Result<Bytes> {
    let memory = system.hardware().memory * system.deployment().gpus();
    let weights = weight_bytes(system);
    if weights >= memory {
        let needed = (weights / system.hardware().memory).ceil();
        let heads = || system.model().layers.iter().map(|group| group.attention.query_heads());
        let most = heads().min().unwrap_or(1);
        let degree = (1..=most)
            .find(|degree| f64::from(*degree) >= needed && heads().all(|heads| heads.is_multiple_of(*degree)));
        let split = degree.map_or_else(String::new, |degree| {
            format!("a tensor-parallel degree of at least {degree} (one that divides the heads), ")
        });
        return Err(Error::input(format!(
            "{} does not fit: its {} weights take {:.1} GiB, {} of {} have {:.1} GiB",
            system.model().name,
            system.deployment().formats.weights,
            weights.as_gib(),
            system.deployment().parallelism.tp(),
            system.hardware().name,
            memory.as_gib()
        ))
        .of(ErrorKind::DoesNotFit)
        .help(format!("use {split}a narrower weight precision or a larger device")));
    }
    Ok(memory - weights)
}

/// Places from which on a part of one is no longer cut off; it is worth less than 6 % then.
const MANY_PLACES: f64 = 16.0;

/// Requests that run where there is cache for `room` of them: a whole number while there are few, at least one. Of many the
/// part counts too, since lengths vary from request to request, and so that κ can be fitted.
pub fn places(room: f64) -> f64 {
    if room < MANY_PLACES { room.floor().max(1.0) } else { room }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_places_are_whole_and_their_number_never_falls_with_the_room() {
        for (room, want) in [(0.3, 1.0), (1.99, 1.0), (2.0, 2.0), (15.9, 15.0), (16.5, 16.5), (300.25, 300.25)] {
            assert_eq!(places(room), want);
        }
        assert!((0..4000).map(|i| places(f64::from(i) / 100.0)).is_sorted());
    }
}
