//! Whether a model fits, before it is built.

use super::{Heads, LiveDevice, ModelShape};
use crate::bench::DataType;
use crate::error::{Error, Result};

/// Rows that a model computes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tokens {
    /// Tokens that the caches hold.
    pub capacity: usize,
    /// Tokens of the prompt, which go through a layer at once.
    pub prompt: usize,
    /// Rows of logits at once.
    pub logits: usize,
}

/// Bytes that a model takes: its weights, its caches, and what a prompt and its logits need beside them at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Footprint {
    /// Weights of all layer instances, embedding and output matrix.
    pub weights: u64,
    /// Keys and values of all layer instances.
    pub caches: u64,
    /// Largest intermediate results: attention scores and feed-forward states of a layer, logits on the device, as 32 bit, and on the
    /// host, or the 32-bit copy of one matrix while it is loaded.
    pub scratch: u64,
}

impl Footprint {
    /// Of a model.
    pub fn new(shape: &ModelShape, heads: Heads, tokens: Tokens, dtype: DataType) -> Self {
        let instances = heads.layer_instances(shape.layers);
        let [capacity, prompt, logits] = [tokens.capacity, tokens.prompt, tokens.logits].map(|count| count as u64);
        let scores = 4 * 3 * shape.query_heads as u64 * prompt * prompt;
        let states = 4 * prompt * (3 * shape.ffn + 8 * shape.hidden) as u64;
        let logits = 3 * 4 * logits * shape.vocabulary as u64;
        let matrix = 4 * (shape.vocabulary as u64).max(shape.ffn as u64) * shape.hidden as u64;
        Self {
            weights: shape.parameters(instances) * dtype.bytes(),
            caches: 2 * (instances * shape.kv_width()) as u64 * capacity * dtype.bytes(),
            scratch: matrix.max(scores + states + logits),
        }
    }

    /// All of it.
    pub const fn total(&self) -> u64 {
        self.weights + self.caches + self.scratch
    }

    /// Refuses what the device has no room for.
    ///
    /// # Errors
    /// Too little free memory; says how much is needed for what.
    pub fn check(&self, device: &LiveDevice, what: &str) -> Result<()> {
        self.check_against(device.free_bytes()?, &device.name, what)
    }

    fn check_against(&self, free: u64, device: &str, what: &str) -> Result<()> {
        if self.total() <= free {
            return Ok(());
        }
        let gb = |bytes: u64| format!("{:.2} GB", bytes as f64 / 1e9);
        Err(Error::input(format!(
            "{what} needs {} (weights {}, caches {}, intermediate results {}), and {device} has {} free",
            gb(self.total()),
            gb(self.weights),
            gb(self.caches),
            gb(self.scratch),
            gb(free)
        ))
        .help("give a smaller --model, fewer --heads, a shorter prompt, or free memory"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Catalog;

    #[test]
    fn weights_and_caches_are_the_published_ones() {
        let catalog = Catalog::built_in();
        for (id, heads, weights, caches) in [
            ("olmo2_1b", Heads { count: 5, depth: 3 }, 2 * 2_290_321_408, 229_376 * 640),
            ("olmo2_7b", Heads { count: 9, depth: 3 }, 2 * 12_156_014_592, 917_504 * 640),
        ] {
            let shape = ModelShape::new(&catalog.model(id).unwrap()).unwrap();
            let footprint =
                Footprint::new(&shape, heads, Tokens { capacity: 640, prompt: 512, logits: 9 }, DataType::BFloat16);
            assert_eq!((footprint.weights, footprint.caches), (weights, caches), "{id}");
        }
    }

    #[test]
    fn too_little_memory_is_said_with_the_numbers() {
        let footprint = Footprint { weights: 6_000_000_000, caches: 500_000_000, scratch: 100_000_000 };
        assert!(footprint.check_against(6_600_000_000, "x", "y").is_ok());
        let message = footprint.check_against(6_599_999_999, "the CPU", "Hydra").unwrap_err().to_string();
        let want = "Hydra needs 6.60 GB (weights 6.00 GB, caches 0.50 GB, intermediate results 0.10 GB), and the CPU has 6.60 GB free";
        assert!(message.starts_with(want), "{message}");
    }
}
