//! How many weights an architecture has.

use super::model::{Attention, DenseFfn, Ffn, ModelArchitecture, MoeFfn, QkNorm};

impl ModelArchitecture {
    /// All weights that a forward pass uses: layers, final norm, embedding and head.
    pub fn parameters(&self) -> u64 {
        let d = u64::from(self.hidden_size);
        let layers: u64 = self
            .layers
            .iter()
            .map(|group| {
                let block = group.attention.linear_weights(d)
                    + group.attention.small_weights(d)
                    + group.ffn.linear_weights(d)
                    + group.ffn.small_weights(d)
                    + u64::from(self.norms_per_layer) * d;
                u64::from(group.count) * block
            })
            .sum();
        layers + d + self.vocabulary_matrix() * if self.tied_embeddings { 1 } else { 2 }
    }
}

impl Attention {
    /// Query heads H.
    pub fn query_heads(&self) -> u32 {
        match self {
            Self::Grouped(a) => a.query_heads,
            Self::Latent(a) => a.query_heads,
        }
    }

    /// Elements of the projection matrices of one layer with hidden width `d`.
    pub fn linear_weights(&self, d: u64) -> u64 {
        self.qkv_weights(d) + self.output_weights(d)
    }

    /// Elements of the matrices that make queries, keys and values; those of latent attention go down and up again.
    pub fn qkv_weights(&self, d: u64) -> u64 {
        match self {
            Self::Grouped(a) => {
                let (h, k, w) = (u64::from(a.query_heads), u64::from(a.kv_heads), u64::from(a.head_dim));
                d * h * w + 2 * d * k * w
            }
            Self::Latent(a) => {
                let heads = u64::from(a.query_heads);
                let (rkv, n, r, v) = (
                    u64::from(a.kv_lora_rank),
                    u64::from(a.qk_nope_head_dim),
                    u64::from(a.qk_rope_head_dim),
                    u64::from(a.v_head_dim),
                );
                let queries = a.q_lora_rank.map_or(d * heads * (n + r), |rank| {
                    let rank = u64::from(rank);
                    d * rank + rank * heads * (n + r)
                });
                queries + d * (rkv + r) + rkv * heads * (n + v)
            }
        }
    }

    /// Elements of the output projection.
    pub fn output_weights(&self, d: u64) -> u64 {
        match self {
            Self::Grouped(a) => u64::from(a.query_heads) * u64::from(a.head_dim) * d,
            Self::Latent(a) => u64::from(a.query_heads) * u64::from(a.v_head_dim) * d,
        }
    }

    /// Norm weights, biases and sinks of one layer.
    pub fn small_weights(&self, d: u64) -> u64 {
        match self {
            Self::Grouped(a) => {
                let (h, k, w) = (u64::from(a.query_heads), u64::from(a.kv_heads), u64::from(a.head_dim));
                let norm = match a.qk_norm {
                    QkNorm::None => 0,
                    QkNorm::PerHead => 2 * w,
                    QkNorm::FullWidth => (h + k) * w,
                };
                norm + if a.qkv_bias { (h + 2 * k) * w } else { 0 }
                    + if a.output_bias { d } else { 0 }
                    + if a.sinks { h } else { 0 }
            }
            Self::Latent(a) => u64::from(a.q_lora_rank.unwrap_or(0)) + u64::from(a.kv_lora_rank),
        }
    }
}

/// Matrices of one feed-forward block: gate, up and down, or up and down.
const fn matrices(gated: bool) -> u64 {
    if gated { 3 } else { 2 }
}

/// Bias elements of one feed-forward block of width `f`.
const fn ffn_biases(gated: bool, f: u64, d: u64) -> u64 {
    (matrices(gated) - 1) * f + d
}

impl Ffn {
    /// Width of the hidden layer that one token passes through: all of a dense block, the active and the shared experts
    /// of a mixture.
    pub fn active_width(&self) -> u64 {
        match self {
            Self::Dense(ffn) => ffn.intermediate_size.into(),
            Self::Moe(moe) => {
                u64::from(moe.active_experts) * u64::from(moe.intermediate_size)
                    + u64::from(moe.shared_experts) * u64::from(moe.shared_width())
            }
        }
    }

    /// Whether a gate makes a third matrix of two.
    pub fn is_gated(&self) -> bool {
        match self {
            Self::Dense(ffn) => ffn.gated,
            Self::Moe(moe) => moe.gated,
        }
    }

    /// Elements of the matrices of one layer, router and all experts included.
    pub fn linear_weights(&self, d: u64) -> u64 {
        match self {
            Self::Dense(ffn) => ffn.up_weights(d) + ffn.down_weights(d),
            Self::Moe(moe) => moe.routed_weights(d) + moe.every_token_weights(d),
        }
    }

    /// Biases of one layer.
    pub fn small_weights(&self, d: u64) -> u64 {
        match self {
            Self::Dense(ffn) if ffn.bias => ffn_biases(ffn.gated, ffn.intermediate_size.into(), d),
            Self::Dense(_) => 0,
            Self::Moe(moe) => {
                let biases = |experts: u32, f: u32| u64::from(experts) * ffn_biases(moe.gated, f.into(), d);
                let biases = if moe.bias {
                    biases(moe.experts, moe.intermediate_size) + biases(moe.shared_experts, moe.shared_width())
                } else {
                    0
                };
                biases + if moe.router_bias { u64::from(moe.experts) } else { 0 }
            }
        }
    }
}

impl DenseFfn {
    /// Elements of the matrices into the hidden layer: gate and up, or up alone.
    pub fn up_weights(&self, d: u64) -> u64 {
        (matrices(self.gated) - 1) * d * u64::from(self.intermediate_size)
    }

    /// Elements of the matrix out of the hidden layer.
    pub fn down_weights(&self, d: u64) -> u64 {
        d * u64::from(self.intermediate_size)
    }
}

impl MoeFfn {
    /// Elements of the matrices of one routed expert.
    pub fn expert_weights(&self, d: u64) -> u64 {
        matrices(self.gated) * d * u64::from(self.intermediate_size)
    }

    /// Elements of the matrices that work on every token: the shared experts, their gate and the router.
    pub fn every_token_weights(&self, d: u64) -> u64 {
        self.shared_weights(d) + self.router_weights(d)
    }

    /// Elements of the shared experts and their gate.
    pub fn shared_weights(&self, d: u64) -> u64 {
        let experts = u64::from(self.shared_experts) * matrices(self.gated) * d * u64::from(self.shared_width());
        experts + if self.shared_gate { d } else { 0 }
    }

    /// Elements of the matrices of all routed experts.
    pub fn routed_weights(&self, d: u64) -> u64 {
        u64::from(self.experts) * self.expert_weights(d)
    }

    /// Elements of the router.
    pub fn router_weights(&self, d: u64) -> u64 {
        d * u64::from(self.experts)
    }

    /// Width of one shared expert.
    fn shared_width(&self) -> u32 {
        self.shared_intermediate_size.unwrap_or(self.intermediate_size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wide_shared_expert_weighs_as_much_as_several_narrow_ones_but_for_its_output_bias_and_gate() {
        let narrow = MoeFfn {
            experts: 64,
            active_experts: 8,
            shared_experts: 4,
            intermediate_size: 1408,
            shared_intermediate_size: None,
            shared_gate: false,
            gated: true,
            bias: true,
            router_bias: false,
        };
        let wide = MoeFfn { shared_experts: 1, shared_intermediate_size: Some(4 * 1408), ..narrow };
        assert_eq!(Ffn::Moe(narrow).linear_weights(2048), Ffn::Moe(wide).linear_weights(2048));
        assert_eq!(Ffn::Moe(narrow).small_weights(2048), Ffn::Moe(wide).small_weights(2048) + 3 * 2048);
        let gate = MoeFfn { shared_gate: true, ..wide };
        assert_eq!(gate.every_token_weights(2048), wide.every_token_weights(2048) + 2048);
    }
}
