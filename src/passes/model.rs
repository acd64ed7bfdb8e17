//! A model with heads, and its passes.

use crate::error::{Error, Result};
use crate::spec::{Attention, Ffn, ModelArchitecture};

/// Sizes of an OLMo-2 model with N heads of D layers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LiveModel {
    /// Hidden width d.
    pub hidden: f64,
    /// Feed-forward width F.
    pub ffn: f64,
    /// Width of all query heads.
    pub query_width: f64,
    /// Width of all key/value heads.
    pub kv_width: f64,
    /// Layers L.
    pub layers: f64,
    /// Vocabulary V.
    pub vocabulary: f64,
    /// Heads N of Hydra and PoE.
    pub heads: f64,
    /// Layers D of each.
    pub depth: f64,
    /// Bytes of an element.
    pub bytes: f64,
}

/// Stacks that one forward pass runs, and what through.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pass {
    /// Block instances.
    pub blocks: f64,
    /// New tokens of each.
    pub tokens: f64,
    /// Tokens in the caches before them.
    pub cached: f64,
    /// Rows of logits; 0: the output layer is not run.
    pub rows: f64,
}

impl LiveModel {
    /// From an architecture of dense, equal layers with grouped attention.
    ///
    /// # Errors
    /// Another architecture, or heads that leave the trunk or themselves without layers.
    pub fn new(model: &ModelArchitecture, heads: u32, depth: u32, bytes: f64) -> Result<Self> {
        let shape = match model.layers.as_slice() {
            [group] => match (group.attention, group.ffn) {
                (Attention::Grouped(attention), Ffn::Dense(ffn)) if ffn.gated => Some((group.count, attention, ffn)),
                _ => None,
            },
            _ => None,
        };
        let Some((layers, attention, ffn)) = shape else {
            return Err(Error::input(format!("{} is not of the OLMo-2 kind", model.name))
                .help("live runs are of dense models with equal layers"));
        };
        let made = Self {
            hidden: f64::from(model.hidden_size),
            ffn: f64::from(ffn.intermediate_size),
            query_width: f64::from(attention.query_heads * attention.head_dim),
            kv_width: f64::from(attention.kv_heads * attention.head_dim),
            layers: f64::from(layers),
            vocabulary: f64::from(model.vocab_size),
            heads: f64::from(heads),
            depth: f64::from(depth),
            bytes,
        };
        made.check()?;
        Ok(made)
    }

    /// Checks sizes and heads.
    ///
    /// # Errors
    /// A size of 0, no head, or a depth that leaves the trunk or the heads without layers.
    pub fn check(&self) -> Result<()> {
        let sizes = [self.hidden, self.ffn, self.query_width, self.kv_width, self.vocabulary];
        if sizes.iter().any(|size| *size < 1.0) {
            return Err(Error::input("a model with a size of 0").help("mend the sizes of the model"));
        }
        if self.heads < 1.0 || self.depth < 1.0 || self.depth >= self.layers {
            return Err(Error::input(format!(
                "{} heads of {} layers over a model of {} layers",
                self.heads, self.depth, self.layers
            ))
            .help("there must be a head, and trunk and heads must both have layers"));
        }
        Ok(())
    }

    /// Elements of the matrices of one block.
    pub fn block_matrices(&self) -> f64 {
        self.hidden * (2.0 * self.query_width + 2.0 * self.kv_width + 3.0 * self.ffn)
    }

    /// Elements of its norms.
    pub fn block_gains(&self) -> f64 {
        self.query_width + self.kv_width + 2.0 * self.hidden
    }

    /// Layer instances of all heads, L − D + N·D.
    pub fn hydra_blocks(&self) -> f64 {
        self.layers - self.depth + self.heads * self.depth
    }

    /// A prompt of `tokens` through the plain model.
    pub fn baseline_prefill(&self, tokens: f64) -> Pass {
        Pass { blocks: self.layers, tokens, cached: 0.0, rows: 1.0 }
    }

    /// A decode step of the plain model; a draft of PoE is the same.
    pub fn baseline_decode(&self, cached: f64) -> Pass {
        Pass { blocks: self.layers, tokens: 1.0, cached, rows: 1.0 }
    }

    /// A prompt through the trunk and all heads.
    pub fn hydra_prefill(&self, tokens: f64) -> Pass {
        Pass { blocks: self.hydra_blocks(), tokens, cached: 0.0, rows: self.heads }
    }

    /// A step of all heads; the refill of PoE is the same.
    pub fn hydra_decode(&self, cached: f64) -> Pass {
        Pass { blocks: self.hydra_blocks(), tokens: 1.0, cached, rows: self.heads }
    }

    /// The jury over γ drafts, without the trunk.
    pub fn verify(&self, gamma: f64, cached: f64) -> Pass {
        let jury = self.heads - 1.0;
        Pass { blocks: jury * self.depth, tokens: gamma, cached, rows: jury * gamma }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::cost::Cost;
    use crate::passes::cost::{block_attention, block_weights, output_layer};
    use crate::spec::Catalog;

    /// Whole work of a pass, logit writes left out, as the worked numbers of the specification have it.
    fn work(model: &LiveModel, pass: Pass) -> Cost {
        let mut cost = Cost::default();
        for part in [block_weights(model, pass.tokens), block_attention(model, pass.tokens, pass.cached)] {
            cost += Cost { flops: part.flops * pass.blocks, bytes: part.bytes * pass.blocks };
        }
        if pass.rows > 0.0 {
            cost += output_layer(model, pass.rows, false);
        }
        cost
    }

    fn olmo(id: &str) -> LiveModel {
        LiveModel::new(&Catalog::built_in().model(id).unwrap(), 9, 3, 2.0).unwrap()
    }

    /// Ideal time in ms with sharp corners on 3.35 TB/s and 989 TFLOP/s.
    fn ideal_ms(model: &LiveModel, pass: Pass) -> f64 {
        let cost = work(model, pass);
        1e3 * (cost.bytes.get() / 3.35e12).max(cost.flops.get() / 989e12)
    }

    #[test]
    fn the_worked_numbers_of_7b_and_1b_at_512_tokens() {
        let model = olmo("olmo2_7b");
        let near = |got: f64, want: f64| assert!((got / want - 1.0).abs() < 2e-3, "{got} {want}");
        for (pass, flop, bytes, ms) in [
            (model.baseline_decode(512.0), 1.404e10, 1.4045e10, 4.19),
            (model.hydra_decode(512.0), 3.054e10, 2.396e10, 7.15),
            (model.verify(4.0, 512.0), 6.60e10, 1.074e10, 3.21),
            (model.baseline_prefill(512.0), 6.70e12, 1.431e10, 6.78),
            (model.hydra_prefill(512.0), 1.173e13, 2.443e10, 11.86),
        ] {
            let cost = work(&model, pass);
            near(cost.flops.get(), flop);
            near(cost.bytes.get(), bytes);
            near(ideal_ms(&model, pass), ms);
        }
        let model = olmo("olmo2_1b");
        for (pass, ms) in [
            (model.baseline_decode(512.0), 0.784),
            (model.hydra_decode(512.0), 1.776),
            (model.verify(4.0, 512.0), 1.115),
            (model.baseline_prefill(512.0), 1.13),
            (model.hydra_prefill(512.0), 2.83),
        ] {
            let got = ideal_ms(&model, pass);
            assert!((got / ms - 1.0).abs() < 5e-3, "{got} {ms}");
        }
    }

    #[test]
    fn one_head_is_the_plain_model() {
        let model = LiveModel { heads: 1.0, ..olmo("olmo2_1b") };
        assert_eq!(model.hydra_decode(77.0), model.baseline_decode(77.0));
        assert_eq!(model.hydra_prefill(77.0), model.baseline_prefill(77.0));
    }

    #[test]
    fn the_break_even_table_of_the_specification() {
        use crate::passes::RoundTimes;
        use crate::units::Seconds;
        for (id, rows) in [
            (
                "olmo2_7b",
                [
                    (2, [11.30, 7.87, 6.30, 5.80], 0.868),
                    (4, [14.23, 8.20, 5.74, 4.99], 0.861),
                    (8, [22.02, 10.26, 5.82, 4.59], 0.901),
                ],
            ),
            (
                "olmo2_1b",
                [
                    (2, [2.68, 1.85, 1.46, 1.34], 0.827),
                    (4, [3.15, 1.80, 1.23, 1.06], 0.805),
                    (8, [4.60, 2.13, 1.19, 0.92], 0.852),
                ],
            ),
        ] {
            let model = olmo(id);
            let time = |pass| Seconds::from_ms(ideal_ms(&model, pass));
            for (gamma, want, break_even) in rows {
                let times = RoundTimes {
                    draft: time(model.baseline_decode(512.0)),
                    verify: time(model.verify(f64::from(gamma), 512.0)),
                    refill: time(model.hydra_decode(512.0)),
                    host: Seconds::ZERO,
                    gamma: gamma as usize,
                };
                for (alpha, want) in [0.5, 0.8, 0.95, 1.0].into_iter().zip(want) {
                    let got = times.per_token(alpha).as_ms();
                    assert!((got - want).abs() < 0.006 * want.max(1.0), "{id} γ {gamma} α {alpha}: {got} {want}");
                }
                let got = times.break_even(time(model.hydra_decode(512.0))).unwrap();
                assert!((got - break_even).abs() < 1.5e-3, "{id} γ {gamma}: {got} {break_even}");
                assert_eq!(times.break_even(time(model.baseline_decode(512.0))), None, "PoE cannot beat the baseline");
            }
        }
    }
}
