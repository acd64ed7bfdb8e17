//! What the forward passes of OLMo-2, Hydra and product-of-experts decoding cost: FLOPs and bytes in closed form, their times under
//! the roofline of [`crate::roofline`], and the parameters of those times.
//!
//! A pass is a list of stacks (trunk, heads, output layer) over n new tokens behind c cached ones, batch 1. Work is counted in
//! `cost`, put together to passes in `model`, to rounds of PoE in `rounds`, and timed in `time` with the parameters of `parameters`.
//!
//! ```
//! use perfmodel::passes::{Kernels, LiveModel, LiveParameters, LiveRoofs, Timer};
//! use perfmodel::spec::Catalog;
//! use perfmodel::units::{BytesPerSec, FlopsPerSec};
//!
//! let architecture = Catalog::built_in().model("olmo2_1b")?;
//! let model = LiveModel::new(&architecture, 5, 2, 2.0)?; // five heads of two layers, bf16
//! let roofs = LiveRoofs {
//!     bandwidth: BytesPerSec::from_giga(3350.0),
//!     compute: FlopsPerSec::from_tera(989.4),
//!     kernels: Kernels::Gpu,
//! };
//! let timer = Timer { model: &model, roofs, parameters: LiveParameters::default() };
//! let plain = timer.pass(model.baseline_decode(512.0));
//! let all_heads = timer.pass(model.hydra_decode(512.0));
//! assert!(all_heads > plain); // 16 − 2 + 5·2 blocks instead of 16
//! // Four drafts a round, each as long as a plain step: even if the jury accepts all, it comes on top.
//! assert!(timer.round(4, 512.0).per_token(1.0) > plain);
//! # Ok::<(), perfmodel::error::Error>(())
//! ```

mod cost;
mod model;
mod parameters;
mod rounds;
mod time;

pub use model::{LiveModel, Pass};
pub use parameters::{COUNT, LiveParameters, LiveQuantity};
pub use rounds::RoundTimes;
pub use time::{Kernels, LiveRoofs, Timer};
