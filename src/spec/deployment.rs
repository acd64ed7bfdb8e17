//! How a model is placed on devices.

use serde::{Deserialize, Serialize};

use super::Precision;

/// Tensor parallelism, precisions and the limits of the engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// Devices among which every layer is split.
    pub tensor_parallel: u32,
    /// Format of the linear weights of the layers. Embedding, head, norms and biases stay in 16 bit (32 bit if the
    /// weights are).
    pub weight_precision: Precision,
    /// Format in which the linear layers compute, for weight-only quantisation (4-bit weights multiplied in 16 bit);
    /// `None`: the format of the weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute_precision: Option<Precision>,
    /// Format of the KV cache.
    pub kv_precision: Precision,
    /// Most sequences the engine runs at once; `None`: only memory limits them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_sequences: Option<u32>,
    /// Most tokens of one engine step, prompts and decode together; longer prompts are cut into chunks.
    /// `None`: a prompt is processed in one step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens_per_step: Option<u32>,
}

impl Deployment {
    /// An engine without limits of its own: it computes in the format of the weights and keeps the KV cache in the
    /// format that the model had before its weights were quantised, as engines do unless they are told otherwise.
    pub fn new(tensor_parallel: u32, weight_precision: Precision) -> Self {
        Self {
            tensor_parallel,
            weight_precision,
            compute_precision: None,
            kv_precision: weight_precision.unquantised(),
            max_sequences: None,
            max_tokens_per_step: None,
        }
    }

    /// Format in which the linear layers compute.
    pub fn linear_precision(&self) -> Precision {
        self.compute_precision.unwrap_or(self.weight_precision)
    }

    /// Devices in use.
    pub fn gpus(&self) -> f64 {
        f64::from(self.tensor_parallel)
    }
}
