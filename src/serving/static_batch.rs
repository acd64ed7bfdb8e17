//! One fixed batch run to the end, without a server: the roofline part alone.

use super::model::{RankLoad, ServingModel};
use super::parameters::{Quantity, ServingParameters};
use crate::prediction::{Limit, Part, Prediction};
use crate::units::{Seconds, TokensPerSec};

/// `TTFT = t_b + prefill of all prompts in one step`, `ITL = D(B)`, `X = B·O / (TTFT + (O − 1)·ITL)`.
///
/// The batch is taken to fit: whoever ran it had the memory.
pub fn predict(model: &ServingModel, load: &RankLoad, parameters: &ServingParameters) -> Prediction {
    let workload = &load.workload;
    let costs = model.costs(load, parameters);
    let batch = workload.amount();
    let mut ttft_parts = costs.prefill_step(batch);
    ttft_parts.add(Part::Overhead, Seconds::from_ms(parameters.get(Quantity::BatchOverhead)));
    let step = costs.decode_step(batch);
    let (ttft, itl) = (ttft_parts.total(), step.parts.total());
    let run = ttft + itl * model.decode_steps(workload);
    let running = batch * (itl * model.decode_steps(workload) / run);
    Prediction {
        ttft,
        itl,
        throughput: TokensPerSec::new(batch * workload.output_tokens() / run.get()),
        running,
        waiting: batch - running,
        ttft_parts,
        itl_parts: step.parts,
        roof: step.roof,
        limit: Limit::Clients,
        open_loop: None,
    }
}
