//! What the forward passes of OLMo-2, Hydra and product-of-experts decoding cost: FLOPs and bytes in closed form, their times under
//! the roofline of [`crate::roofline`], and the parameters of those times.
//!
//! A pass is a list of stacks (trunk, heads, output layer) over n new tokens behind c cached ones, batch 1. Work is counted in
//! `cost`, put together to passes in `model`, to rounds of PoE in `rounds`, and timed in `time` with the parameters of `parameters`.

mod cost;
mod model;
mod parameters;
mod rounds;
mod time;

pub use cost::{block_attention, block_weights, output_layer};
pub use model::{LiveModel, Pass};
pub use parameters::{COUNT, LiveParameters, LiveQuantity};
pub use rounds::RoundTimes;
pub use time::{Kernels, LiveRoofs, Timer};
