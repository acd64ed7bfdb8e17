//! What a benchmark runs. One configuration makes all rows, so that they can be compared.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Budget;
use crate::error::{Error, Result, named};
use crate::poe::Rule;
use crate::spec::SpecFile;

/// A way to run a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Variant {
    /// Plain OLMo-2.
    Baseline,
    /// All heads at every step, their logits averaged.
    Hydra,
    /// One head drafts, the others judge.
    Poe,
}

impl Variant {
    /// Every variant, in the order in which they run.
    pub const ALL: [Self; 3] = [Self::Baseline, Self::Hydra, Self::Poe];

    /// Name in flags, files and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Hydra => "hydra",
            Self::Poe => "poe",
        }
    }

    /// Name in charts.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Baseline => "Baseline OLMo",
            Self::Hydra => "Hydra (naive avg)",
            Self::Poe => "Hydra + PoE",
        }
    }
}

impl std::str::FromStr for Variant {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        named(&Self::ALL, Self::name, text, "unknown variant")
    }
}

/// Number format of weights, states and caches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum DataType {
    /// 32 bit.
    Float32,
    /// 16 bit with 8 bits of exponent.
    BFloat16,
    /// 16 bit with 5 bits of exponent.
    Float16,
}

impl DataType {
    const NAMES: [(&'static str, Self); 6] = [
        ("float32", Self::Float32),
        ("bfloat16", Self::BFloat16),
        ("float16", Self::Float16),
        ("f32", Self::Float32),
        ("bf16", Self::BFloat16),
        ("f16", Self::Float16),
    ];

    /// Name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Float32 => "float32",
            Self::BFloat16 => "bfloat16",
            Self::Float16 => "float16",
        }
    }

    /// Bytes of an element.
    pub const fn bytes(self) -> u64 {
        match self {
            Self::Float32 => 4,
            Self::BFloat16 | Self::Float16 => 2,
        }
    }
}

impl std::str::FromStr for DataType {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        named(&Self::NAMES, |(name, _)| name, text, "unknown number format").map(|(_, found)| found)
    }
}

/// More tokens, heads or layers than this look like a slip, and their products must stay numbers.
const MOST: usize = 1_000_000;

/// More drafts than this a round do not pay on any device.
pub const MOST_DRAFTS: usize = 4096;

/// Everything that sets a benchmark.
#[derive(Debug, Clone, PartialEq)]
pub struct BenchConfig {
    /// Model: an id, or a path.
    pub model: String,
    /// What is run.
    pub variants: Vec<Variant>,
    /// Heads N of Hydra and PoE.
    pub heads: usize,
    /// Layers of each.
    pub heads_depth: usize,
    /// Tokens of the prompt, shared by all rows.
    pub prompt_length: usize,
    /// Tokens generated after it.
    pub generation_length: usize,
    /// Every so many of them a decode step is timed.
    pub step_interval: usize,
    /// Time for warm-up calls and for measured calls of a row in a round.
    pub budget: Budget,
    /// Time for measured calls of a PoE row, whose call is a whole generation.
    pub poe_rep_ms: f64,
    /// Number format; `None`: that of the device.
    pub dtype: Option<DataType>,
    /// Drafts of a round, one row each.
    pub gammas: Vec<usize>,
    /// Exponent of each expert.
    pub beta: f64,
    /// When drafts are accepted.
    pub rule: Rule,
    /// Temperature of sampled drafts; `None`: argmax drafts.
    pub temperature: Option<f64>,
    /// The head that drafts.
    pub draft_head: usize,
    /// Tokens of a generation.
    pub max_new_tokens: usize,
    /// How far heads are perturbed, in standard deviations of their matrices.
    pub perturbation: f64,
    /// Rounds: each measures every row, and the calls of all count together. A machine whose speed drifts between rows is
    /// evened out.
    pub rounds: usize,
    /// Seed of prompt, random weights and acceptance.
    pub seed: u64,
}

impl Default for BenchConfig {
    fn default() -> Self {
        Self {
            model: "olmo2_tiny".to_owned(),
            variants: Variant::ALL.to_vec(),
            heads: 9,
            heads_depth: 3,
            prompt_length: 128,
            generation_length: 64,
            step_interval: 8,
            budget: Budget { warmup_ms: 100.0, rep_ms: 500.0 },
            poe_rep_ms: 3000.0,
            dtype: None,
            gammas: vec![1, 2, 4, 8],
            beta: 1.0,
            rule: Rule::Exact,
            temperature: None,
            draft_head: 0,
            max_new_tokens: 64,
            perturbation: 0.05,
            rounds: 1,
            seed: 42,
        }
    }
}

/// The configuration of a benchmark, `bench --config`. Keys up to `poe_prompt`, but for `model`, are the original's, and what a file
/// leaves out has the original's meaning.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfigFile {
    /// `1b` or `7b`; 1b by default.
    size: Option<String>,
    /// Model: an id, or a path; instead of a size.
    model: Option<String>,
    /// Heads of Hydra and PoE; 9 by default.
    n_heads: Option<usize>,
    /// Layers of each head; 3 by default.
    heads_depth: Option<usize>,
    /// Tokens of the prompt; 512 by default.
    prompt_length: Option<usize>,
    /// Tokens generated after it; 128 by default.
    generation_length: Option<usize>,
    /// A decode step is timed at every so many of them; 8 by default.
    decode_step_interval: Option<usize>,
    /// Warm-up of a row in ms; 100 by default.
    warmup_ms: Option<f64>,
    /// Measuring of a row in ms; 1000 by default.
    rep_ms: Option<f64>,
    /// Number format; that of the device by default.
    #[cfg_attr(feature = "schema", schemars(with = "Option<DataType>"))]
    dtype: Option<String>,
    /// Whether plain OLMo-2 runs; no by default.
    baseline: Option<bool>,
    /// Whether PoE runs; no by default.
    poe: Option<bool>,
    /// Drafts of a PoE round; 4 by default.
    poe_gamma: Option<usize>,
    /// Drafts of PoE rounds, a row each; `poe_gamma` alone by default.
    poe_gammas: Option<Vec<usize>>,
    /// Exponent of each expert; 1 by default.
    poe_beta: Option<f64>,
    /// Tokens of a PoE generation; 64 by default.
    poe_max_new_tokens: Option<usize>,
    /// Measuring of a PoE row in ms; `rep_ms` by default.
    poe_rep_ms: Option<f64>,
    /// Read and not used: PoE runs on the prompt of the other rows.
    #[serde(rename = "poe_prompt")]
    _poe_prompt: Option<String>,
    /// When PoE accepts a draft; exact by default.
    #[cfg_attr(feature = "schema", schemars(with = "Option<Rule>"))]
    rule: Option<String>,
    /// Temperature of sampled drafts; by default the draft is the most probable token.
    temperature: Option<f64>,
    /// The head that drafts, from 0; 0 by default.
    draft_head: Option<usize>,
    /// How far heads are perturbed, in standard deviations of their matrices; 0.05 by default.
    perturbation: Option<f64>,
    /// Measure every row so many times over; 1 by default.
    rounds: Option<usize>,
    /// Seed of prompt, random weights and acceptance; 42 by default.
    seed: Option<u64>,
}

impl BenchConfig {
    /// Reads a configuration file: JSON with the original's keys (`size`, `n_heads`, `poe_gammas` …) or ours. What it leaves out has
    /// the original's meaning: size 1b, no baseline, no PoE, `poe_gammas` that of `poe_gamma`, `poe_rep_ms` that of `rep_ms`.
    ///
    /// # Errors
    /// The file cannot be read, is not such JSON, or holds a value without meaning.
    pub fn read(path: &Path) -> Result<Self> {
        Self::parse(&SpecFile::open(path)?)
    }

    /// As [`BenchConfig::read`], of a file that is read.
    ///
    /// # Errors
    /// It is not such JSON, or holds a value without meaning.
    pub fn parse(file: &SpecFile) -> Result<Self> {
        let raw: ConfigFile = serde_json::from_str(&file.text).map_err(|error| {
            let what = error.to_string();
            let what = what.split(" at line ").next().unwrap_or_default();
            Error::input(format!("is not a benchmark configuration: {what}"))
                .at(&file.label)
                .line(error.line())
                .column(error.column())
                .help("the keys are in docs/schema/bench_config.schema.json")
        })?;
        let config = Self::of(raw).and_then(|config| config.check().map(|()| config));
        config.map_err(|error| error.or_at(&file.label))
    }

    fn of(raw: ConfigFile) -> Result<Self> {
        let default = Self::default();
        let model = match (raw.model, raw.size.as_deref()) {
            (Some(model), _) => model,
            (None, Some("7b")) => "olmo2_7b".to_owned(),
            (None, Some("1b") | None) => "olmo2_1b".to_owned(),
            (None, Some(other)) => {
                return Err(Error::input(format!("size `{other}`")).help("write 1b or 7b, or name a `model`"));
            }
        };
        let on = [(Variant::Baseline, raw.baseline), (Variant::Hydra, Some(true)), (Variant::Poe, raw.poe)];
        let gamma = raw.poe_gamma.unwrap_or(4);
        let rep_ms = raw.rep_ms.unwrap_or(1000.0);
        Ok(Self {
            model,
            variants: on.into_iter().filter(|(_, on)| on.unwrap_or(false)).map(|(variant, _)| variant).collect(),
            heads: raw.n_heads.unwrap_or(default.heads),
            heads_depth: raw.heads_depth.unwrap_or(default.heads_depth),
            prompt_length: raw.prompt_length.unwrap_or(512),
            generation_length: raw.generation_length.unwrap_or(128),
            step_interval: raw.decode_step_interval.unwrap_or(default.step_interval),
            budget: Budget { warmup_ms: raw.warmup_ms.unwrap_or(100.0), rep_ms },
            poe_rep_ms: raw.poe_rep_ms.unwrap_or(rep_ms),
            dtype: raw.dtype.map(|name| name.parse()).transpose()?,
            gammas: raw.poe_gammas.filter(|gammas| !gammas.is_empty()).unwrap_or_else(|| vec![gamma]),
            beta: raw.poe_beta.unwrap_or(default.beta),
            rule: raw.rule.map_or(Ok(default.rule), |rule| rule.parse())?,
            temperature: raw.temperature,
            draft_head: raw.draft_head.unwrap_or(default.draft_head),
            max_new_tokens: raw.poe_max_new_tokens.unwrap_or(default.max_new_tokens),
            perturbation: raw.perturbation.unwrap_or(default.perturbation),
            rounds: raw.rounds.unwrap_or(default.rounds),
            seed: raw.seed.unwrap_or(default.seed),
        })
    }

    /// The variants as they run, round by round.
    pub fn schedule(&self) -> impl Iterator<Item = Variant> {
        let variants = Variant::ALL.into_iter().filter(|variant| self.runs(*variant));
        (0..self.rounds).flat_map(move |_| variants.clone())
    }

    /// Whether a variant is run.
    pub fn runs(&self, variant: Variant) -> bool {
        self.variants.contains(&variant)
    }

    /// Steps after the prompt at which a decode step is timed: 0, i, 2i … below the generation's length.
    pub fn steps(&self) -> Vec<usize> {
        (0..self.generation_length).step_by(self.step_interval.max(1)).collect()
    }

    /// Tokens that the caches of a variant must hold.
    pub fn cache_tokens(&self, variant: Variant) -> usize {
        let decode = self.prompt_length + self.generation_length;
        match variant {
            Variant::Baseline | Variant::Hydra => decode,
            Variant::Poe => self.prompt_length + self.max_new_tokens + self.gammas.iter().max().copied().unwrap_or(0),
        }
    }

    /// Checks what does not depend on the model.
    ///
    /// # Errors
    /// Nothing to run, a length or budget of 0, γ of 0 or twice the same, PoE with one head.
    pub fn check(&self) -> Result<()> {
        if self.variants.is_empty() {
            return Err(
                Error::input("there is no variant to run").help("give --variants baseline,hydra,poe or some of them")
            );
        }
        for (name, flag, value) in [
            ("the prompt", "--prompt-length", self.prompt_length),
            ("the generation", "--generation-length", self.generation_length),
            ("the step interval", "--step-interval", self.step_interval),
            ("the number of heads", "--heads", self.heads),
            ("the depth of the heads", "--heads-depth", self.heads_depth),
            ("the number of new tokens", "--max-new-tokens", self.max_new_tokens),
            ("the number of rounds", "--rounds", self.rounds),
        ] {
            if !(1..=MOST).contains(&value) {
                return Err(Error::input(format!("{name} is {value}")).help(format!("give {flag} from 1 to {MOST}")));
            }
        }
        for (name, value) in
            [("warm-up", self.budget.warmup_ms), ("measuring", self.budget.rep_ms), ("PoE measuring", self.poe_rep_ms)]
        {
            if !(0.0..=1e9).contains(&value) {
                return Err(Error::input(format!("{value} ms for {name}")).help("give a time from 0 to 1e9 ms"));
            }
        }
        if !(self.perturbation >= 0.0 && self.perturbation.is_finite()) {
            return Err(
                Error::input(format!("heads perturbed by {}", self.perturbation)).help("give a number of 0 or more")
            );
        }
        if self.runs(Variant::Poe) {
            self.check_poe()?;
        }
        Ok(())
    }

    fn check_poe(&self) -> Result<()> {
        if self.heads < 2 {
            return Err(Error::input("PoE with one head: there is no jury to judge its drafts")
                .help("give --heads 2 or more, or --variants baseline,hydra"));
        }
        if self.draft_head >= self.heads {
            return Err(Error::input(format!("draft head {} of {} heads", self.draft_head, self.heads))
                .help("heads are counted from 0"));
        }
        let mut gammas = self.gammas.clone();
        gammas.sort_unstable();
        let all = gammas.len();
        gammas.dedup();
        let possible = gammas.iter().all(|gamma| (1..=MOST_DRAFTS).contains(gamma));
        if gammas.is_empty() || !possible || gammas.len() < all {
            return Err(Error::input(format!("γ must be from 1 to {MOST_DRAFTS}, each once"))
                .help("give --gammas such as 1,2,4,8"));
        }
        for (name, value) in [("beta", self.beta), ("temperature", self.temperature.unwrap_or(1.0))] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(Error::input(format!("{name} is {value}")).help("give a number above 0"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<BenchConfig> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        BenchConfig::read(file.path())
    }

    #[test]
    fn the_original_s_shipped_configuration_is_read() {
        let config = read(
            r#"{"size": "7b", "n_heads": 9, "heads_depth": 3, "prompt_length": 512, "generation_length": 128,
            "decode_step_interval": 8, "warmup_ms": 100.0, "rep_ms": 1000.0, "dtype": "bfloat16", "baseline": true,
            "poe": true, "poe_gamma": 4, "poe_gammas": [1, 2, 4, 8], "poe_beta": 1.0, "poe_max_new_tokens": 64,
            "poe_rep_ms": 8000.0, "poe_prompt": "Why?"}"#,
        )
        .unwrap();
        assert_eq!((config.model.as_str(), config.dtype), ("olmo2_7b", Some(DataType::BFloat16)));
        assert_eq!(config.variants, Variant::ALL);
        assert_eq!((config.poe_rep_ms, config.steps().len(), config.steps()[15]), (8000.0, 16, 120));
        assert_eq!(config.cache_tokens(Variant::Poe), 512 + 64 + 8);
    }

    #[test]
    fn what_a_file_leaves_out_has_the_original_s_meaning() {
        let config = read(r#"{"poe": true, "poe_gamma": 2, "poe_gammas": [], "rep_ms": 7.0}"#).unwrap();
        assert_eq!(
            (config.model.as_str(), config.variants.as_slice()),
            ("olmo2_1b", &[Variant::Hydra, Variant::Poe][..])
        );
        assert_eq!((config.gammas.as_slice(), config.poe_rep_ms), (&[2][..], 7.0));
    }

    #[test]
    fn a_broken_file_says_where_and_what() {
        for (text, want) in [
            ("{\"n_head\": 3}", ":1:9: is not a benchmark configuration: unknown field `n_head`"),
            ("{\"n_heads\": -3}", ":1:14: is not a benchmark configuration: invalid value: integer `-3`"),
            ("{\"size\": \"9b\"}", ": size `9b`"),
            ("{\"dtype\": \"int8\"}", ": unknown number format `int8`"),
            ("{\"n_heads\": 1, \"poe\": true}", ": PoE with one head"),
            ("{\"poe\": true, \"poe_gammas\": [2, 2]}", ": γ must be from 1 to 4096, each once"),
            ("{\"decode_step_interval\": 0}", ": the step interval is 0"),
        ] {
            let message = read(text).unwrap_err().to_string();
            assert!(message.contains(want) && message.contains("help: "), "{message}");
        }
    }
}
