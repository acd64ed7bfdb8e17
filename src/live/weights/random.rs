//! Seeded random tensors.

use candle_core::{Device, Tensor};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use rayon::prelude::*;

use crate::error::Result;

/// Standard deviation of the logits. Random logits that spread by 1 over 100 352 ids are nearly flat; trained models are not.
const LOGIT_SPREAD: f64 = 3.0;

/// Elements that one stream of the generator makes.
const STREAM: usize = 1 << 16;

/// A tensor of a model: norms are 1, embeddings spread by 1, matrices keep the scale of their input.
pub(super) fn tensor(name: &str, shape: &[usize], seed: u64) -> Result<Tensor> {
    let &[_, width] = shape else { return Ok(Tensor::ones(shape, candle_core::DType::F32, &Device::Cpu)?) };
    let keeping = (width as f64).powf(-0.5);
    let spread = match name {
        "model.embed_tokens.weight" => 1.0,
        "lm_head.weight" => LOGIT_SPREAD * keeping,
        _ => keeping,
    };
    Ok((normal(name, shape, seed)? * spread)?)
}

/// Standard normal numbers that depend on name and seed alone, not on threads or on what was drawn before.
pub(super) fn normal(name: &str, shape: &[usize], seed: u64) -> Result<Tensor> {
    let mut values = vec![0.0_f32; shape.iter().product()];
    let own = seed ^ name_hash(name);
    values.par_chunks_mut(STREAM).enumerate().for_each(|(stream, chunk)| {
        let mut random = ChaCha8Rng::seed_from_u64(own);
        random.set_stream(stream as u64);
        chunk.iter_mut().for_each(|value| *value = random.sample(StandardNormal));
    });
    Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
}

/// FNV-1a, 64 bit: fixed for ever, unlike the hashes of the standard library.
fn name_hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_name_and_seed_and_are_normal() {
        let values = |name: &str, seed| {
            normal(name, &[300, 300], seed).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        let first = values("a", 1);
        assert_eq!(first, values("a", 1));
        assert!(first != values("b", 1) && first != values("a", 2));
        // A second stream does not repeat the first.
        assert!(first[..100] != first[STREAM..STREAM + 100]);
        let count = first.len() as f64;
        let mean = first.iter().map(|x| f64::from(*x)).sum::<f64>() / count;
        let variance = first.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / count;
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
    }
}
