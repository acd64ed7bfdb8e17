//! `perfmodel bench`: times OLMo-2, Hydra and product-of-experts decoding on this machine.

pub mod probe;
mod progress;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use chrono::Local;
use clap::Args;

use self::progress::{Counter, Progress, interruption};
use super::live_text::results_text;
use super::names;
use super::terminal::{print, remark};
use super::{Format, json::json_line};
use crate::bench::{BenchConfig, DataType, Results, Variant, next_run};
use crate::error::{Error, Result};
use crate::evaluation::live::{DevicePeaks, LiveRecord, LiveRun, live_run, predict_results};
use crate::live::{DeviceChoice, LiveDevice, LiveTarget, ModelShape, Outcome, ProbePlan, WeightPaths};
use crate::passes::LiveParameters;
use crate::poe::Rule;
use crate::report::text::written_lines;
use crate::report::{browser, write_live_page, write_live_rows};
use crate::spec::{Catalog, Kind, hf_config_at};
use crate::units::{BytesPerSec, FlopsPerSec};

/// Folder of all live runs.
const RUNS: &str = "evaluations_results/live";

/// Arguments of `bench`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    perfmodel bench                                          the tiny model, all variants, under a minute\n  \
    perfmodel bench --model olmo2_190m --heads 3 --prompt-length 128 --generation-length 64\n  \
    perfmodel bench --model olmo2_1b --variants baseline --device cuda:0\n  \
    perfmodel bench --model ~/models/OLMo-2-0425-1B          a local folder with config.json and safetensors\n  \
    perfmodel bench --config config.json --png               a configuration of the original benchmark\n\n\
    Weights are random unless --model or --weights names a folder that has some; nothing is downloaded. Without a manifest\n\
    the heads are copies of the last layers, perturbed so far that they agree more or less often (--perturbation).\n\
    Ctrl-C ends the run and keeps the rows that were measured.\n\n\
    Exit codes: 0 done, 1 the device failed, 2 wrong input.")]
pub struct BenchArgs {
    /// JSON file with the keys of the original benchmark, or ours; flags override it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// A model of the OLMo-2 family: an id, a config.json, or a folder with one [default: olmo2_tiny]
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,

    /// Folder with model.safetensors, or with several files and their index
    #[arg(long, value_name = "DIR")]
    weights: Option<PathBuf>,

    /// Manifest of heads: whole layers or low-rank adapters for each (TOML)
    #[arg(long, value_name = "FILE")]
    heads_manifest: Option<PathBuf>,

    /// What to run: baseline, hydra, poe [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    variants: Option<Vec<Variant>>,

    /// Heads of Hydra and PoE [default: 9]
    #[arg(long, value_name = "N")]
    heads: Option<usize>,

    /// Layers of each head; the trunk has the others [default: 3]
    #[arg(long, value_name = "N")]
    heads_depth: Option<usize>,

    /// Tokens of the prompt [default: 128]
    #[arg(long, value_name = "N")]
    prompt_length: Option<usize>,

    /// Tokens generated after it [default: 64]
    #[arg(long, value_name = "N")]
    generation_length: Option<usize>,

    /// Time a decode step at every N-th of them [default: 8]
    #[arg(long, value_name = "N")]
    step_interval: Option<usize>,

    /// Drafts of a PoE round, a row each [default: 1,2,4,8]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    gammas: Option<Vec<usize>>,

    /// When PoE accepts a draft: exact (output distributed as the product of experts), argmax (greedy decoding of the product) or
    /// orig (the original's test) [default: exact]
    #[arg(long, value_name = "RULE")]
    rule: Option<Rule>,

    /// Temperature of sampled drafts [default: the draft is the most probable token]
    #[arg(long, allow_negative_numbers = true, value_name = "T")]
    temperature: Option<f64>,

    /// Exponent of each expert in the product [default: 1]
    #[arg(long, allow_negative_numbers = true, value_name = "BETA")]
    beta: Option<f64>,

    /// The head that drafts, from 0 [default: 0]
    #[arg(long, value_name = "HEAD")]
    draft_head: Option<usize>,

    /// Tokens of a PoE generation [default: 64]
    #[arg(long, value_name = "N")]
    max_new_tokens: Option<usize>,

    /// How far heads are perturbed, in standard deviations of their matrices: less, and they agree more often [default: 0.05]
    #[arg(long, allow_negative_numbers = true, value_name = "SCALE")]
    perturbation: Option<f64>,

    /// Warm-up of a row in ms [default: 100]
    #[arg(long, allow_negative_numbers = true, value_name = "MS")]
    warmup_ms: Option<f64>,

    /// Measure every row so many times over and pool the calls; evens out a machine whose speed drifts [default: 1]
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,

    /// Measuring of a row in ms; five calls at least [default: 500]
    #[arg(long, allow_negative_numbers = true, value_name = "MS")]
    rep_ms: Option<f64>,

    /// Measuring of a PoE row in ms; five calls at least [default: 3000]
    #[arg(long, allow_negative_numbers = true, value_name = "MS")]
    poe_rep_ms: Option<f64>,

    /// auto (a GPU if there is one), cpu, cuda, cuda:0
    #[arg(long, value_name = "DEVICE", default_value_t = DeviceChoice::Auto)]
    device: DeviceChoice,

    /// Number format: float32, bfloat16, float16 [default: float32 on a CPU, bfloat16 on a GPU]
    #[arg(long, value_name = "TYPE")]
    dtype: Option<DataType>,

    /// Threads of a CPU run; candle's own products take RAYON_NUM_THREADS, or all cores [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,

    /// Seed of prompt, random weights and acceptance [default: 42]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Predict the rows with the roofs of this device: an id, or the .toml that `perfmodel probe` wrote [default: probe the
    /// machine for some seconds]
    #[arg(long, value_name = "ID")]
    hardware: Option<String>,

    /// Predict with the parameters of this calibration, which `perfmodel fit --live` wrote [default: priors]
    #[arg(long, value_name = "FILE")]
    calibration: Option<PathBuf>,

    /// Folder for the results [default: evaluations_results/live/<date>_run<NN>]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Also draw graph.png (needs a Chromium on PATH)
    #[arg(long)]
    png: bool,

    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

impl BenchArgs {
    /// The configuration: the file or the defaults, and the flags above it.
    fn configuration(&self) -> Result<BenchConfig> {
        let mut config = self.config.as_deref().map_or_else(|| Ok(BenchConfig::default()), BenchConfig::read)?;
        fn set<T: Clone>(field: &mut T, flag: Option<&T>) {
            if let Some(value) = flag {
                *field = value.clone();
            }
        }
        set(&mut config.model, self.model.as_ref());
        set(&mut config.variants, self.variants.as_ref());
        set(&mut config.heads, self.heads.as_ref());
        set(&mut config.heads_depth, self.heads_depth.as_ref());
        set(&mut config.prompt_length, self.prompt_length.as_ref());
        set(&mut config.generation_length, self.generation_length.as_ref());
        set(&mut config.step_interval, self.step_interval.as_ref());
        set(&mut config.gammas, self.gammas.as_ref());
        set(&mut config.rule, self.rule.as_ref());
        set(&mut config.beta, self.beta.as_ref());
        set(&mut config.draft_head, self.draft_head.as_ref());
        set(&mut config.max_new_tokens, self.max_new_tokens.as_ref());
        set(&mut config.perturbation, self.perturbation.as_ref());
        set(&mut config.budget.warmup_ms, self.warmup_ms.as_ref());
        set(&mut config.budget.rep_ms, self.rep_ms.as_ref());
        set(&mut config.poe_rep_ms, self.poe_rep_ms.as_ref());
        set(&mut config.rounds, self.rounds.as_ref());
        set(&mut config.seed, self.seed.as_ref());
        config.temperature = self.temperature.or(config.temperature);
        config.dtype = self.dtype.or(config.dtype);
        config.check()?;
        Ok(config)
    }
}

/// Runs the command.
pub fn run(catalog: &Catalog, args: BenchArgs) -> Result<()> {
    let config = args.configuration()?;
    if args.png {
        // Better now than after the run.
        browser()?;
    }
    if let Some(threads) = args.threads {
        use_threads(threads)?;
    }
    let device = LiveDevice::open(args.device)?;
    if let Some(note) = &device.note {
        remark(&format!("Note: {note}"));
    }
    let target = target(catalog, &args, &config, device)?;
    target.check(&config)?;
    let flag = interruption("rows measured so far are kept")?;
    let prediction = Prediction::new(catalog, &args, &target, Arc::clone(&flag))?;
    // A folder that cannot be written is found before the run, too.
    let folder = RunFolder::make(args.out.as_deref())?;
    let mut progress = Progress::new(&config, flag);
    let outcome = target.run(&config, &mut progress).and_then(|outcome| {
        if outcome.results.rows() > 0 {
            Ok(outcome)
        } else {
            Err(Error::failed("stopped before the first row was measured"))
        }
    });
    progress.finish();
    let Outcome { mut results, failure } = outcome.inspect_err(|_| folder.abandon())?;
    results.metadata.timestamp = Some(Local::now().naive_local().format("%Y-%m-%dT%H:%M:%S%.6f").to_string());
    // What was measured is safe before anything else can fail.
    write_live_rows(&results, &folder.path)?;
    let results = predict_results(&prediction.run(catalog, results)?, prediction.parameters, &prediction.basis);
    let mut files = write_live_rows(&results, &folder.path)?;
    files.extend(write_live_page(&results, &folder.path, args.png)?);
    match args.format {
        Format::Json => print(&json_line(&Output { folder: &folder.path, results: &results, files: &files })?)?,
        Format::Table => print(&format!("{}\n{}", results_text(&results), written_lines(&files)))?,
    }
    failure.map_or(Ok(()), |error| Err(error.help("the rows measured before are kept")))
}

/// What the rows are predicted from.
struct Prediction {
    peaks: DevicePeaks,
    parameters: LiveParameters,
    basis: String,
}

impl Prediction {
    fn new(catalog: &Catalog, args: &BenchArgs, target: &LiveTarget, flag: Arc<AtomicBool>) -> Result<Self> {
        let (peaks, roofs) = match &args.hardware {
            Some(hardware) => {
                let hardware = names::hardware(catalog, hardware)?;
                (DevicePeaks::of(&hardware, target.dtype)?, hardware.name)
            }
            None => (quick_peaks(target, flag)?, "roofs probed before the run".to_owned()),
        };
        let (parameters, shares) = match &args.calibration {
            Some(path) => (LiveRecord::open(path)?.parameters(), format!("the calibration {}", path.display())),
            None => (LiveParameters::default(), "priors, without a calibration".to_owned()),
        };
        Ok(Self { peaks, parameters, basis: format!("{roofs}; {shares}") })
    }

    fn run(&self, catalog: &Catalog, results: Results) -> Result<LiveRun> {
        live_run("bench", results, self.peaks, None, catalog)
    }
}

fn quick_peaks(target: &LiveTarget, flag: Arc<AtomicBool>) -> Result<DevicePeaks> {
    let plan = ProbePlan::quick(&target.device, target.dtype)?;
    let mut counter = Counter::new(plan.points(), flag);
    let found = crate::live::probe(&target.device, &plan, &mut counter)?;
    counter.finish();
    Ok(DevicePeaks {
        bandwidth: BytesPerSec::from_giga(found.bandwidth_gb_per_s()),
        compute: FlopsPerSec::from_tera(found.peak_tflop_per_s(target.dtype).unwrap_or(f64::MIN_POSITIVE)),
    })
}

/// The JSON object on stdout.
#[derive(serde::Serialize)]
struct Output<'a> {
    folder: &'a Path,
    results: &'a Results,
    files: &'a [PathBuf],
}

fn use_threads(threads: usize) -> Result<()> {
    let wrong = |what: String| Error::input(what).help("give --threads from 1 to the number of cores");
    if threads == 0 || threads > 1024 {
        return Err(wrong(format!("{threads} threads")));
    }
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .map_err(|error| wrong(format!("cannot start {threads} threads ({error})")))
}

/// Shape, weights and number format.
fn target(catalog: &Catalog, args: &BenchArgs, config: &BenchConfig, device: LiveDevice) -> Result<LiveTarget> {
    let given = Path::new(&config.model);
    let configuration = if given.is_dir() { given.join("config.json") } else { given.to_owned() };
    let shape = match hf_config_at(&config.model)? {
        Some(architecture) => ModelShape::new(&architecture)?.with_constants_of(&configuration)?,
        None => {
            let model = catalog.model(&config.model)?;
            names::remark_on(catalog, Kind::Model, &config.model);
            ModelShape::new(&model)?
        }
    };
    let has_weights = given.is_dir()
        && ["model.safetensors", "model.safetensors.index.json"].iter().any(|name| given.join(name).is_file());
    let folder = args.weights.clone().or_else(|| has_weights.then(|| given.to_owned()));
    // A flag that the device cannot follow is an error, a configuration file is translated.
    let wish = if args.dtype.is_some() || !device.is_cpu() { config.dtype } else { None };
    let dtype = device.dtype(wish)?;
    Ok(LiveTarget {
        shape,
        weights: WeightPaths { folder, heads: args.heads_manifest.clone() },
        dtype_requested: config.dtype.filter(|requested| *requested != dtype),
        dtype,
        device,
    })
}

/// The folder of a run.
struct RunFolder {
    path: PathBuf,
    /// The folders that were made for it, the outermost last.
    made: Vec<PathBuf>,
}

impl RunFolder {
    /// Makes it, new unless it is given.
    fn make(given: Option<&Path>) -> Result<Self> {
        let failed = |path: &Path, error: &std::io::Error| {
            Error::input(format!("cannot make the folder ({error})"))
                .at(path)
                .help("choose a folder that you may write")
        };
        let parent = given.unwrap_or(Path::new(RUNS));
        let mut made: Vec<PathBuf> = parent.ancestors().take_while(|path| !path.exists()).map(Path::to_owned).collect();
        fs::create_dir_all(parent).map_err(|error| failed(parent, &error))?;
        if given.is_some() {
            return Ok(Self { path: parent.to_owned(), made });
        }
        let date = Local::now().format("%Y-%m-%d").to_string();
        loop {
            let entries: Vec<String> = fs::read_dir(parent)
                .map_err(|error| failed(parent, &error))?
                .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
                .collect();
            let path = parent.join(next_run(&date, entries.iter().map(String::as_str)));
            match fs::create_dir(&path) {
                Ok(()) => {
                    made.insert(0, path.clone());
                    return Ok(Self { path, made });
                }
                // Another run has just taken the number.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(&path, &error)),
            }
        }
    }

    /// Takes the folders away that were made for nothing.
    fn abandon(&self) {
        for path in &self.made {
            // One that is not empty stays.
            let _ = fs::remove_dir(path);
        }
    }
}
