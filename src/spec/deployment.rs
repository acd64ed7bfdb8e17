//! How a model is placed on devices and run: degrees of parallelism, formats, limits of the engine, drafts.

use serde::{Deserialize, Serialize};

use super::{Parallelism, Precision};
use crate::error::{Error, ErrorKind, Result};

/// Number formats of a placed model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Formats {
    /// Of the linear weights of the layers. Embedding, head, norms and biases stay in 16 bit (32 bit if the weights are).
    pub weights: Precision,
    /// Of routed experts; `None`: that of the other weights.
    pub experts: Option<Precision>,
    /// In which the linear layers compute, for weight-only quantisation (4-bit weights multiplied in 16 bit); `None`: the
    /// format of the weights.
    pub compute: Option<Precision>,
    /// Of the KV cache.
    pub kv: Precision,
}

impl Formats {
    /// What engines take unless they are told otherwise: they compute in the format of the weights and keep the KV cache in
    /// the format that the model had before its weights were quantised.
    pub const fn of_weights(weights: Precision) -> Self {
        Self { weights, experts: None, compute: None, kv: weights.unquantised() }
    }

    /// Format in which the linear layers compute.
    pub fn linear(&self) -> Precision {
        self.compute.unwrap_or(self.weights)
    }

    /// Format of attention, head and activations.
    pub const fn wide(&self) -> Precision {
        self.weights.unquantised()
    }
}

/// Limits and habits of the engine; `None`: those of an engine that has none.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    /// Most sequences that run at once; only memory limits them otherwise.
    pub max_sequences: Option<u32>,
    /// Most tokens of one step, prompts and decode together; longer prompts are cut into chunks. Otherwise a prompt is
    /// processed in one step.
    pub max_tokens_per_step: Option<u32>,
    /// Share of the whole device memory that the engine takes, as vLLM and SGLang do.
    pub memory_share: Option<f64>,
    /// New requests are looked for every so many steps.
    pub polling_steps: Option<u32>,
}

/// Speculative decoding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speculation {
    /// Tokens drafted for each step.
    pub draft_tokens: u32,
    /// Chance that a drafted token is accepted, if all before it were.
    pub acceptance: f64,
}

impl Speculation {
    /// Tokens that a step gives in the mean: the drafted ones up to the first that is rejected, and one of the model's own,
    /// `1 + α + α² + … + αᵞ`.
    pub fn tokens_per_step(&self) -> f64 {
        (0..=self.draft_tokens).map(|place| self.acceptance.powf(f64::from(place))).sum()
    }
}

/// How a model is placed on the devices of a replica, and how its engine runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Deployment {
    /// How layers are split over devices.
    pub parallelism: Parallelism,
    /// Number formats.
    pub formats: Formats,
    /// Limits of the engine.
    pub limits: Limits,
    /// Speculative decoding; `None`: one token a step.
    pub speculation: Option<Speculation>,
}

impl Deployment {
    /// On so many devices among which every layer is split, with an engine without limits of its own.
    ///
    /// # Errors
    /// No device.
    pub fn new(tensor_parallel: u32, weights: Precision) -> Result<Self> {
        Ok(Self {
            parallelism: Parallelism::tensor(tensor_parallel)?,
            formats: Formats::of_weights(weights),
            limits: Limits::default(),
            speculation: None,
        })
    }

    /// Tokens that a decode step gives a sequence in the mean: 1 without speculation.
    pub fn tokens_per_step(&self) -> f64 {
        self.speculation.map_or(1.0, |speculation| speculation.tokens_per_step())
    }

    /// Ranks that decode sequences of their own: those of attention, and a pipeline has as many batches under way as it has stages.
    /// Limits of the engine are those of one rank.
    pub fn ranks(&self) -> f64 {
        f64::from(self.parallelism.attention_dp() * self.parallelism.pp())
    }

    /// Devices in use.
    pub fn gpus(&self) -> f64 {
        f64::from(self.parallelism.devices())
    }

    /// Checks that the step can compute it.
    ///
    /// # Errors
    /// Names what it cannot compute yet.
    pub fn check_modelled(&self) -> Result<()> {
        let limits = self.limits;
        let experts_apart = self.formats.experts.is_some_and(|experts| experts != self.formats.weights);
        let what = [
            (experts_apart, "experts in another format than the other weights are"),
            (limits.memory_share.is_some(), "a share of the whole memory (memory_share) is"),
            (limits.polling_steps.is_some(), "polling for new requests (polling_steps) is"),
            (self.speculation.is_some(), "speculative decoding is"),
        ];
        match what.into_iter().find(|(given, _)| *given) {
            Some((_, what)) => {
                Err(Error::input(format!("{what} not modelled yet")).of(ErrorKind::NotModelled).help("leave it out"))
            }
            None => Ok(()),
        }
    }
}

const fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_one(degree: &u32) -> bool {
    *degree == 1
}

/// A deployment as files have it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DeploymentFile {
    /// Devices among which every matrix and the heads of attention are split.
    pub tensor_parallel: u32,
    /// Pipeline stages.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub pipeline_parallel: u32,
    /// Ranks of attention that decode sequences of their own.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub attention_data_parallel: u32,
    /// Ranks that hold experts of their own.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub expert_parallel: u32,
    /// Format of the linear weights.
    pub weight_precision: Precision,
    /// Format of routed experts, if another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expert_precision: Option<Precision>,
    /// Format in which the linear layers compute, if another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute_precision: Option<Precision>,
    /// Format of the KV cache.
    pub kv_precision: Precision,
    /// Most sequences that the engine runs at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_sequences: Option<u32>,
    /// Most tokens of one engine step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens_per_step: Option<u32>,
    /// Share of the whole device memory that the engine takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_share: Option<f64>,
    /// New requests are looked for every so many steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub polling_steps: Option<u32>,
    /// Tokens drafted for each step; needs `draft_acceptance`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft_tokens: Option<u32>,
    /// Chance that a drafted token is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft_acceptance: Option<f64>,
}

impl From<&Deployment> for DeploymentFile {
    fn from(deployment: &Deployment) -> Self {
        let Deployment { parallelism, formats, limits, speculation } = deployment;
        Self {
            tensor_parallel: parallelism.tp(),
            pipeline_parallel: parallelism.pp(),
            attention_data_parallel: parallelism.attention_dp(),
            expert_parallel: parallelism.moe_ep(),
            weight_precision: formats.weights,
            expert_precision: formats.experts,
            compute_precision: formats.compute,
            kv_precision: formats.kv,
            max_sequences: limits.max_sequences,
            max_tokens_per_step: limits.max_tokens_per_step,
            memory_share: limits.memory_share,
            polling_steps: limits.polling_steps,
            draft_tokens: speculation.map(|speculation| speculation.draft_tokens),
            draft_acceptance: speculation.map(|speculation| speculation.acceptance),
        }
    }
}

impl TryFrom<&DeploymentFile> for Deployment {
    type Error = Error;

    fn try_from(file: &DeploymentFile) -> Result<Self> {
        let counts = [
            ("max_sequences", file.max_sequences),
            ("max_tokens_per_step", file.max_tokens_per_step),
            ("draft_tokens", file.draft_tokens),
        ];
        if let Some((name, _)) = counts.iter().find(|(_, count)| *count == Some(0)) {
            return Err(Error::input(format!("{name} is 0")).help("give a whole number, 1 or more"));
        }
        for (name, share) in [("memory_share", file.memory_share), ("draft_acceptance", file.draft_acceptance)] {
            if let Some(share) = share.filter(|share| !(0.0..=1.0).contains(share)) {
                return Err(Error::input(format!("{name} is {share}")).help("give a share from 0 to 1"));
            }
        }
        let speculation = match (file.draft_tokens, file.draft_acceptance) {
            (Some(draft_tokens), Some(acceptance)) => Some(Speculation { draft_tokens, acceptance }),
            (None, None) => None,
            (Some(_), None) => {
                return Err(Error::input("draft_tokens comes without draft_acceptance")
                    .help("give the measured share of drafted tokens that are accepted; it is not guessed"));
            }
            (None, Some(_)) => {
                return Err(Error::input("draft_acceptance comes without draft_tokens").help("give both, or none"));
            }
        };
        Ok(Self {
            parallelism: Parallelism::new(
                file.tensor_parallel,
                file.pipeline_parallel,
                file.attention_data_parallel,
                file.expert_parallel,
            )?,
            formats: Formats {
                weights: file.weight_precision,
                experts: file.expert_precision,
                compute: file.compute_precision,
                kv: file.kv_precision,
            },
            limits: Limits {
                max_sequences: file.max_sequences,
                max_tokens_per_step: file.max_tokens_per_step,
                memory_share: file.memory_share,
                polling_steps: file.polling_steps,
            },
            speculation,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> DeploymentFile {
        toml::from_str(&format!("tensor_parallel = 8\nweight_precision = \"fp8\"\nkv_precision = \"bf16\"\n{text}"))
            .unwrap()
    }

    #[test]
    fn a_deployment_of_today_and_one_with_every_key_read_back() {
        let all = "pipeline_parallel = 2\nattention_data_parallel = 2\nexpert_parallel = 16\nexpert_precision = \"fp4\"\n\
                   compute_precision = \"bf16\"\nmax_sequences = 64\nmax_tokens_per_step = 8192\nmemory_share = 0.9\n\
                   polling_steps = 4\ndraft_tokens = 3\ndraft_acceptance = 0.7\n";
        for text in ["", all] {
            let deployment = Deployment::try_from(&file(text)).unwrap();
            assert_eq!(DeploymentFile::from(&deployment), file(text));
        }
        let plain = Deployment::try_from(&file("")).unwrap();
        assert_eq!((plain.gpus(), toml::to_string(&DeploymentFile::from(&plain)).unwrap().lines().count()), (8.0, 3));
    }

    #[test]
    fn what_the_step_cannot_compute_yet_is_refused_by_name() {
        assert!(Deployment::try_from(&file("")).unwrap().check_modelled().is_ok());
        for (text, want) in [
            ("expert_precision = \"fp4\"", "experts in another format than the other weights are not modelled yet"),
            ("memory_share = 0.9", "a share of the whole memory (memory_share) is not modelled yet"),
            ("polling_steps = 10", "polling for new requests (polling_steps) is not modelled yet"),
            ("draft_tokens = 1\ndraft_acceptance = 0.5", "speculative decoding is not modelled yet"),
        ] {
            let error = Deployment::try_from(&file(text)).unwrap().check_modelled().unwrap_err();
            assert_eq!(error.message(), want);
        }
    }

    #[test]
    fn what_cannot_be_is_said() {
        for (text, want) in [
            ("max_sequences = 0", "max_sequences is 0"),
            ("memory_share = 1.5", "memory_share is 1.5"),
            ("draft_tokens = 2", "draft_tokens comes without draft_acceptance"),
            ("draft_acceptance = 0.5", "draft_acceptance comes without draft_tokens"),
            ("expert_parallel = 3", "expert_parallel = 3 does not divide the 8 devices"),
        ] {
            let message = Deployment::try_from(&file(text)).unwrap_err().to_string();
            assert!(message.starts_with(want), "{message}");
        }
    }
}
