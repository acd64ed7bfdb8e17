//! How the layers of a model are split over the devices of one replica.

use crate::error::{Error, Result};

/// The degrees of a replica. One law holds: the experts of a layer lie on as many devices as its attention,
/// `tp · attention_dp = moe_tp · moe_ep`; times the pipeline stages these are the devices.
///
/// | degree | splits |
/// |---|---|
/// | `tp` | every matrix and the heads of attention |
/// | `attention_dp` | the sequences: each rank decodes its own, with all of the attention's weights |
/// | `moe_ep` | the experts: each rank has whole ones of its own |
/// | `moe_tp` | the matrices of each expert |
/// | `pp` | the layers: each stage has a part of them |
///
/// Flags give `--tp`, `--pp`, `--dp` (attention) and `--ep`; `moe_tp` follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Parallelism {
    tp: u32,
    pp: u32,
    attention_dp: u32,
    moe_ep: u32,
}

impl Parallelism {
    /// No device but one.
    pub const SINGLE: Self = Self { tp: 1, pp: 1, attention_dp: 1, moe_ep: 1 };

    /// Every layer is split over so many devices, experts like all other matrices.
    ///
    /// # Errors
    /// A degree of 0.
    pub fn tensor(tp: u32) -> Result<Self> {
        Self::new(tp, 1, 1, 1)
    }

    /// Of the degrees of tensor, pipeline, attention data and expert parallelism.
    ///
    /// # Errors
    /// A degree of 0, expert ranks that do not divide the devices of a stage, or more devices than can be counted.
    pub fn new(tp: u32, pp: u32, attention_dp: u32, moe_ep: u32) -> Result<Self> {
        for (name, degree) in [
            ("tensor_parallel", tp),
            ("pipeline_parallel", pp),
            ("attention_data_parallel", attention_dp),
            ("expert_parallel", moe_ep),
        ] {
            if degree == 0 {
                return Err(Error::input(format!("{name} is 0")).help("give a whole number, 1 or more"));
            }
        }
        let stage = tp.checked_mul(attention_dp).filter(|stage| stage.checked_mul(pp).is_some());
        let Some(stage) = stage else {
            return Err(Error::input(format!("{tp} · {attention_dp} · {pp} devices are more than there are"))
                .help("give smaller degrees"));
        };
        if !stage.is_multiple_of(moe_ep) {
            return Err(Error::input(format!(
                "expert_parallel = {moe_ep} does not divide the {stage} devices of a stage (tensor_parallel {tp} · \
                 attention_data_parallel {attention_dp})"
            ))
            .help("experts lie on the same devices as attention: choose a degree that divides them"));
        }
        Ok(Self { tp, pp, attention_dp, moe_ep })
    }

    /// Tensor-parallel degree of attention and dense layers.
    pub const fn tp(self) -> u32 {
        self.tp
    }

    /// Pipeline stages.
    pub const fn pp(self) -> u32 {
        self.pp
    }

    /// Ranks of attention that decode sequences of their own.
    pub const fn attention_dp(self) -> u32 {
        self.attention_dp
    }

    /// Ranks that hold experts of their own.
    pub const fn moe_ep(self) -> u32 {
        self.moe_ep
    }

    /// Devices over which the matrices of an expert are split.
    pub const fn moe_tp(self) -> u32 {
        self.stage_devices() / self.moe_ep
    }

    /// Devices that hold the same layers.
    pub const fn stage_devices(self) -> u32 {
        self.tp * self.attention_dp
    }

    /// Devices of a replica.
    pub const fn devices(self) -> u32 {
        self.stage_devices() * self.pp
    }

    /// Whether there is nothing but tensor parallelism.
    pub const fn is_plain(self) -> bool {
        self.devices() == self.tp && self.moe_ep == 1
    }

    /// The law with its numbers, such as `8 GPUs a replica = tp 1 · dp 8 · pp 1; whole experts on 8 ranks`.
    pub fn in_words(self) -> String {
        let experts = if self.moe_tp() == 1 {
            format!("whole experts on {} ranks", self.moe_ep)
        } else if self.moe_ep == 1 {
            format!("every expert split {} ways", self.moe_tp())
        } else {
            format!("experts on {} ranks, split {} ways inside", self.moe_ep, self.moe_tp())
        };
        format!(
            "{} GPUs a replica = tp {} · dp {} · pp {}; {experts}",
            self.devices(),
            self.tp,
            self.attention_dp,
            self.pp
        )
    }

    /// The degrees above 1 in words, such as `tp4 dp2 ep8`; `tp1` for a single device.
    pub fn label(self) -> String {
        let degrees = [("tp", self.tp), ("pp", self.pp), ("dp", self.attention_dp), ("ep", self.moe_ep)];
        let above: Vec<String> =
            degrees.iter().filter(|(_, degree)| *degree > 1).map(|(name, degree)| format!("{name}{degree}")).collect();
        if above.is_empty() { "tp1".to_owned() } else { above.join(" ") }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn experts_and_attention_lie_on_the_same_devices(tp in 1_u32..=16, pp in 1_u32..=8, dp in 1_u32..=64, ep in 1_u32..=128) {
            match Parallelism::new(tp, pp, dp, ep) {
                Ok(p) => {
                    prop_assert_eq!(p.tp() * p.attention_dp(), p.moe_tp() * p.moe_ep());
                    prop_assert_eq!(p.devices(), tp * dp * pp);
                }
                Err(_) => prop_assert!(!(tp * dp).is_multiple_of(ep)),
            }
        }
    }

    #[test]
    fn the_law_is_said_with_its_numbers() {
        for (degrees, want) in [
            ([1, 1, 8, 8], "8 GPUs a replica = tp 1 · dp 8 · pp 1; whole experts on 8 ranks"),
            ([8, 2, 1, 2], "16 GPUs a replica = tp 8 · dp 1 · pp 2; experts on 2 ranks, split 4 ways inside"),
            ([4, 1, 2, 1], "8 GPUs a replica = tp 4 · dp 2 · pp 1; every expert split 8 ways"),
        ] {
            let [tp, pp, dp, ep] = degrees;
            let parallelism = Parallelism::new(tp, pp, dp, ep).unwrap();
            assert!(!parallelism.is_plain());
            assert_eq!(parallelism.in_words(), want);
        }
        assert!(Parallelism::tensor(8).unwrap().is_plain());
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_it_breaks() {
        for (degrees, want) in [
            ([0, 1, 1, 1], "tensor_parallel is 0"),
            ([1, 1, 1, 0], "expert_parallel is 0"),
            ([4, 1, 2, 3], "expert_parallel = 3 does not divide the 8 devices of a stage"),
            ([u32::MAX, 1, 2, 1], "devices are more than there are"),
        ] {
            let [tp, pp, dp, ep] = degrees;
            let message = Parallelism::new(tp, pp, dp, ep).unwrap_err().to_string();
            assert!(message.starts_with(want) || message.contains(want), "{message}");
        }
    }

    #[test]
    fn a_label_names_the_degrees_above_one() {
        for (degrees, want) in [([1, 1, 1, 1], "tp1"), ([4, 1, 2, 8], "tp4 dp2 ep8"), ([8, 2, 1, 1], "tp8 pp2")] {
            let [tp, pp, dp, ep] = degrees;
            assert_eq!(Parallelism::new(tp, pp, dp, ep).unwrap().label(), want);
        }
    }
}
