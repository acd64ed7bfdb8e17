//! Real models on candle: OLMo-2, Hydra and product-of-experts decoding, on the CPU and, with the feature `cuda`, on a GPU.
//!
//! The blocks are our own, because a shared trunk with several heads and caches that can be rewound are not to be had
//! from candle-transformers:
//!
//! | part | file |
//! |---|---|
//! | shape of a model, from our files or from `config.json` | `shape.rs` |
//! | one decoder block, and a stack of them with its cache | `block.rs`, `stack.rs`, `cache.rs` |
//! | matrix products; on the CPU a kernel for few rows | `linear.rs` |
//! | rotary embedding | `rope.rs` |
//! | trunk, heads and output layer | `hydra.rs`; as [`crate::poe::Experts`] in `experts.rs` |
//! | random, perturbed and loaded weights | `weights` |
//! | the device, its free memory, its clock | `device.rs`, `memory.rs`, `cuda.rs` |
//! | what is timed | `bench.rs` |
//! | the roofs of the device, measured | `probe.rs` |
//!
//! A measurement must not lean on what it tests: nothing here uses the roofline.
//!
//! ```
//! use candle_core::{DType, Device};
//! use perfmodel::live::weights::Weights;
//! use perfmodel::live::{Heads, Hydra, ModelShape};
//! use perfmodel::spec::Catalog;
//!
//! let shape = ModelShape::new(&Catalog::built_in().model("olmo2_tiny")?)?;
//! let weights = Weights::random(1, DType::F32, Device::Cpu);
//! let mut model = Hydra::new(&shape, Heads::BASE, &weights, 16)?; // caches for 16 tokens
//! let prompt = model.ids(&[1, 2, 3])?;
//! let at_once = model.next_token(&prompt)?;
//! model.rewind(0);
//! let first = model.ids(&[1, 2])?;
//! model.next_token(&first)?;
//! let last = model.ids(&[3])?;
//! let in_two_passes = model.next_token(&last)?;
//! // The cache stands for the tokens before.
//! assert_eq!(at_once.flatten_all()?.to_vec1::<u32>()?, in_two_passes.flatten_all()?.to_vec1::<u32>()?);
//! # Ok::<(), perfmodel::error::Error>(())
//! ```

mod bench;
mod block;
mod cache;
#[cfg(feature = "cuda")]
mod cuda;
#[cfg(not(feature = "cuda"))]
#[path = "no_cuda.rs"]
mod cuda;
mod device;
mod experts;
mod hydra;
mod linear;
mod memory;
mod probe;
mod rope;
mod shape;
mod stack;
pub mod weights;

pub use bench::{LiveTarget, Outcome, WeightPaths};
pub use device::{GpuProperties, LiveDevice};
pub use hydra::{Heads, Hydra};
pub use memory::{Footprint, Tokens};
pub use probe::{ProbePlan, probe};
pub use shape::ModelShape;

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::spec::SpecFile;

/// Reads a JSON file; `what` it should be begins with an article where it needs one.
fn read_json<T: DeserializeOwned>(path: &Path, what: &str) -> Result<T> {
    serde_json::from_str(&SpecFile::open(path)?.text)
        .map_err(|error| Error::input(format!("is not {what}: {error}")).at(path).line(error.line()))
}

impl From<candle_core::Error> for Error {
    /// A failed operation of candle. Its first line says what failed; a backtrace may follow.
    fn from(error: candle_core::Error) -> Self {
        let text = error.to_string();
        Self::failed(format!("candle: {}", text.lines().next().unwrap_or_default()))
    }
}
