//! Timing the three variants, one after the other, from one configuration.

use std::path::PathBuf;

use candle_core::Tensor;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::device::candle_dtype;
use super::memory::{Footprint, Tokens};
use super::weights::Weights;
use super::{Heads, Hydra, LiveDevice, ModelShape};
use crate::bench::{
    BenchConfig, Budget, Clock, DataType, Metadata, ModelDims, Pool, Results, Row, SCHEMA_VERSION, Subject, Timed,
    Variant, Watch, bench,
};
use crate::error::{Error, Result};
use crate::poe::{Generation, Options, Schedule, Seeded, generate};

/// Seeds of calls that are not measured lie behind those of measured ones.
const UNMEASURED_SEEDS: u64 = 1 << 32;

/// Where weights come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightPaths {
    /// A folder in the layout of Hugging Face; `None`: random weights.
    pub folder: Option<PathBuf>,
    /// A manifest of heads; `None`: perturbed copies.
    pub heads: Option<PathBuf>,
}

/// What a run has measured.
#[derive(Debug)]
pub struct Outcome {
    /// The rows.
    pub results: Results,
    /// What ended it before all were measured, other than a stop.
    pub failure: Option<Error>,
}

/// A model and the device to time it on.
#[derive(Debug)]
pub struct LiveTarget {
    /// Its shape.
    pub shape: ModelShape,
    /// Its weights.
    pub weights: WeightPaths,
    /// The device.
    pub device: LiveDevice,
    /// Number format.
    pub dtype: DataType,
    /// Number format that was asked for, if the device has another.
    pub dtype_requested: Option<DataType>,
}

impl LiveTarget {
    fn heads(config: &BenchConfig, variant: Variant) -> Heads {
        match variant {
            Variant::Baseline => Heads::BASE,
            Variant::Hydra | Variant::Poe => Heads { count: config.heads, depth: config.heads_depth },
        }
    }

    fn weights(&self, config: &BenchConfig, variant: Variant) -> Result<Weights> {
        let (dtype, device) = (candle_dtype(self.dtype), self.device.device.clone());
        let weights = match &self.weights.folder {
            Some(folder) => Weights::from_folder(folder, dtype, device)?,
            None => Weights::random(config.seed, dtype, device),
        };
        match (&self.weights.heads, variant) {
            (_, Variant::Baseline) => Ok(weights),
            (Some(manifest), _) => weights.with_heads(manifest),
            (None, _) => weights.perturbed(config.perturbation, config.seed),
        }
    }

    fn build(&self, config: &BenchConfig, variant: Variant) -> Result<Hydra> {
        let weights = self.weights(config, variant)?;
        Hydra::new(&self.shape, Self::heads(config, variant), &weights, config.cache_tokens(variant))
    }

    /// Checks a configuration against the model and the device, before anything is allocated.
    ///
    /// # Errors
    /// Heads that do not go with the model, more tokens than its context, or too little memory.
    pub fn check(&self, config: &BenchConfig) -> Result<()> {
        config.check()?;
        for &variant in &config.variants {
            let heads = Self::heads(config, variant);
            heads.check(&self.shape)?;
            let tokens = config.cache_tokens(variant);
            if tokens > self.shape.context {
                return Err(Error::input(format!(
                    "prompt and answer of {} take {tokens} tokens; the context of {} is {}",
                    variant.name(),
                    self.shape.name,
                    self.shape.context
                ))
                .help("give a shorter --prompt-length, --generation-length or --max-new-tokens"));
            }
            let logits = match variant {
                Variant::Baseline => 1,
                Variant::Hydra => config.heads,
                Variant::Poe => (config.heads - 1) * config.gammas.iter().max().copied().unwrap_or(1) + config.heads,
            };
            let prompt = config.prompt_length;
            let footprint = Footprint::new(&self.shape, heads, Tokens { capacity: tokens, prompt, logits }, self.dtype);
            footprint.check(&self.device, &format!("{} as {}", self.shape.name, variant.name()))?;
        }
        Ok(())
    }

    /// The prompt of all rows: ids uniform over the vocabulary.
    fn prompt(&self, config: &BenchConfig) -> Vec<u32> {
        let mut random = ChaCha8Rng::seed_from_u64(config.seed);
        (0..config.prompt_length).map(|_| random.random_range(0..self.shape.vocabulary as u32)).collect()
    }

    /// Times what the configuration asks for. A stop keeps the rows measured so far, and so does a failure behind the first.
    ///
    /// # Errors
    /// As [`LiveTarget::check`]; weights that cannot be read, or a device that failed before a row was measured.
    pub fn run(&self, config: &BenchConfig, watch: &mut dyn Watch) -> Result<Outcome> {
        self.check(config)?;
        let mut clock = self.device.clock()?;
        let mut metadata = self.metadata(config, clock.as_ref())?;
        let mut pool = Pool::default();
        let failure = self.rounds(config, clock.as_mut(), watch, &mut pool).err();
        metadata.stopped = Some(failure.is_some() || watch.stopped());
        let results = pool.results(metadata);
        match failure {
            Some(error) if results.rows() == 0 => Err(error),
            failure => Ok(Outcome { results, failure }),
        }
    }

    fn rounds(
        &self,
        config: &BenchConfig,
        clock: &mut dyn Clock,
        watch: &mut dyn Watch,
        pool: &mut Pool,
    ) -> Result<()> {
        let prompt = self.prompt(config);
        for variant in config.schedule() {
            if watch.stopped() {
                break;
            }
            watch.row(&format!("building {}", variant.name()));
            let mut model = self.build(config, variant)?;
            let mut bencher = Bencher {
                config,
                clock: &mut *clock,
                watch: &mut *watch,
                pool: &mut *pool,
                variant,
                prompt: &prompt,
                stopped: false,
            };
            bencher.ttft(&mut model)?;
            match variant {
                Variant::Baseline | Variant::Hydra => bencher.decode(&mut model)?,
                Variant::Poe => bencher.generations(&mut model)?,
            }
        }
        Ok(())
    }

    fn metadata(&self, config: &BenchConfig, clock: &dyn Clock) -> Result<Metadata> {
        let count = |n: usize| Some(n as u64);
        let poe = config.runs(Variant::Poe);
        let with_heads = poe || config.runs(Variant::Hydra);
        let first = config.variants.iter().copied().max_by_key(|variant| *variant as u8);
        let weights = self.weights(config, first.unwrap_or(Variant::Baseline))?;
        let shape = &self.shape;
        Ok(Metadata {
            timestamp: None,
            gpu: Some(self.device.name.clone()),
            size: Some(config.model.clone()),
            dtype: Some(self.dtype.name().to_owned()),
            n_heads: count(config.heads).filter(|_| with_heads),
            heads_depth: count(config.heads_depth).filter(|_| with_heads),
            prompt_length: count(config.prompt_length),
            generation_length: count(config.generation_length),
            decode_step_interval: count(config.step_interval),
            poe_gamma: config.gammas.first().filter(|_| poe).map(|gamma| *gamma as u64),
            poe_beta: poe.then_some(config.beta),
            poe_max_new_tokens: count(config.max_new_tokens).filter(|_| poe),
            schema_version: Some(SCHEMA_VERSION),
            perfmodel_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            dims: Some(ModelDims {
                hidden_size: shape.hidden as u64,
                intermediate_size: shape.ffn as u64,
                layers: shape.layers as u64,
                query_heads: shape.query_heads as u64,
                kv_heads: shape.kv_heads as u64,
                head_dim: shape.head_dim as u64,
                vocab_size: shape.vocabulary as u64,
            }),
            device: Some(self.device.id.clone()),
            threads: self.device.threads.map(|threads| threads as u64),
            clock: Some(clock.name().to_owned()),
            l2_flush_bytes: Some(clock.flush_bytes()),
            rounds: count(config.rounds),
            seed: Some(config.seed),
            weights: Some(weights.kind().to_owned()),
            perturbation: (weights.kind() == "perturbed").then_some(config.perturbation),
            dtype_requested: self.dtype_requested,
            rule: poe.then(|| config.rule.name().to_owned()),
            temperature: config.temperature.filter(|_| poe),
            draft_head: count(config.draft_head).filter(|_| poe),
            poe_gammas: poe.then(|| config.gammas.iter().map(|gamma| *gamma as u64).collect()),
            warmup_ms: Some(config.budget.warmup_ms),
            rep_ms: Some(config.budget.rep_ms),
            poe_rep_ms: Some(config.poe_rep_ms).filter(|_| poe),
            stopped: None,
            prediction: None,
        })
    }
}

/// What the rows of a variant share.
struct Bencher<'a> {
    config: &'a BenchConfig,
    clock: &'a mut dyn Clock,
    watch: &'a mut dyn Watch,
    pool: &'a mut Pool,
    variant: Variant,
    prompt: &'a [u32],
    stopped: bool,
}

impl Bencher<'_> {
    fn time(&mut self, name: &str, subject: &mut dyn Subject, budget: Budget) -> Result<Timed> {
        self.watch.row(&format!("{} {name}", self.variant.name()));
        let timed = bench(subject, self.clock, budget, self.watch)?;
        self.stopped = timed.stopped;
        Ok(timed)
    }

    fn ttft(&mut self, model: &mut Hydra) -> Result<()> {
        let ids = model.ids(self.prompt)?;
        let heads: Vec<usize> = (0..model.head_count()).collect();
        let mut subject = Prefill { model, ids, poe_heads: (self.variant == Variant::Poe).then_some(heads) };
        let timed = self.time("TTFT", &mut subject, self.config.budget)?;
        self.pool.add(self.variant, Row::Ttft, &timed, Vec::new());
        Ok(())
    }

    /// Decode steps. The sequence goes on by real steps between the timed ones.
    fn decode(&mut self, model: &mut Hydra) -> Result<()> {
        if self.stopped {
            return Ok(());
        }
        model.rewind(0);
        let mut token = model.next_token(&model.ids(self.prompt)?)?;
        for step in 0..self.config.generation_length {
            let position = self.prompt.len() + step;
            if step.is_multiple_of(self.config.step_interval) {
                let mut subject = Step { model, token: token.clone(), position };
                let timed = self.time(&format!("decode at {position}"), &mut subject, self.config.budget)?;
                self.pool.add(self.variant, Row::Decode(position), &timed, Vec::new());
                if self.stopped {
                    break;
                }
                model.rewind(position);
            }
            token = model.next_token(&token)?;
        }
        Ok(())
    }

    fn generations(&mut self, model: &mut Hydra) -> Result<()> {
        let budget = Budget { rep_ms: self.config.poe_rep_ms, ..self.config.budget };
        for &gamma in &self.config.gammas {
            if self.stopped {
                break;
            }
            let options = Options {
                gamma,
                beta: self.config.beta,
                temperature: self.config.temperature,
                max_new_tokens: self.config.max_new_tokens,
                rule: self.config.rule,
                draft_head: self.config.draft_head,
                eos: None,
                vocabulary: Some(model.known_ids()),
                schedule: Schedule::default(),
                detail: false,
            };
            let row = Row::Generation(gamma);
            let first_seed = self.config.seed.wrapping_add(self.pool.calls(self.variant, row) as u64);
            let mut subject = Generate::new(model, self.prompt, options, first_seed);
            let timed = self.time(&format!("γ = {gamma}"), &mut subject, budget)?;
            self.pool.add(self.variant, row, &timed, subject.measured);
        }
        Ok(())
    }
}

/// The prompt through all layers, and the choice of the first token; for PoE the states of all heads are kept too.
struct Prefill<'a> {
    model: &'a mut Hydra,
    ids: Tensor,
    poe_heads: Option<Vec<usize>>,
}

impl Subject for Prefill<'_> {
    fn setup(&mut self, _: Option<usize>) -> Result<()> {
        self.model.rewind(0);
        Ok(())
    }

    fn call(&mut self) -> Result<()> {
        match &self.poe_heads {
            Some(heads) => self.model.residual_forward(&self.ids, heads, heads, true).map(|_| ()),
            None => self.model.next_token(&self.ids).map(|_| ()),
        }
    }
}

/// One decode step at a position, always of the same token.
struct Step<'a> {
    model: &'a mut Hydra,
    token: Tensor,
    position: usize,
}

impl Subject for Step<'_> {
    fn setup(&mut self, _: Option<usize>) -> Result<()> {
        self.model.rewind(self.position);
        Ok(())
    }

    fn call(&mut self) -> Result<()> {
        self.model.next_token(&self.token).map(|_| ())
    }
}

/// A whole generation. Every γ has the same seeds for its measured calls, counted over all rounds, and the same draft head.
struct Generate<'a> {
    model: &'a mut Hydra,
    prompt: &'a [u32],
    options: Options,
    seed: u64,
    repetition: Option<usize>,
    unmeasured: u64,
    measured: Vec<Generation>,
}

impl<'a> Generate<'a> {
    fn new(model: &'a mut Hydra, prompt: &'a [u32], options: Options, seed: u64) -> Self {
        Self { model, prompt, options, seed, repetition: None, unmeasured: 0, measured: Vec::new() }
    }
}

impl Subject for Generate<'_> {
    fn setup(&mut self, repetition: Option<usize>) -> Result<()> {
        self.repetition = repetition;
        Ok(())
    }

    fn call(&mut self) -> Result<()> {
        let offset = self.repetition.map_or_else(
            || {
                self.unmeasured += 1;
                UNMEASURED_SEEDS + self.unmeasured
            },
            |repetition| repetition as u64,
        );
        let mut source = Seeded::new(self.seed.wrapping_add(offset));
        let generation = generate(self.model, self.prompt, &self.options, &mut source)?;
        if self.repetition.is_some() {
            self.measured.push(generation);
        }
        Ok(())
    }
}
