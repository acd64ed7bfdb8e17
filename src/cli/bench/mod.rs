//! `perfmodel bench`: times OLMo-2, Hydra and product-of-experts decoding on this machine.

pub mod probe;
mod progress;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::Local;
use clap::Args;

use self::progress::{Counter, Progress, interruption};
use super::Format;
use super::json::json_line;
use super::terminal::{print, remark, remarks};
use crate::app::{BenchRequest, BenchRun, results_folder};
use crate::bench::{DataType, DeviceChoice, Variant, next_run};
use crate::error::{Error, Result};
use crate::poe::Rule;
use crate::report::text::live_run::text;
use crate::report::{browser, write_live_page, write_live_rows};
use crate::spec::Catalog;

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
    fn request(&self) -> BenchRequest {
        BenchRequest {
            config: self.config.clone(),
            model: self.model.clone(),
            weights: self.weights.clone(),
            heads_manifest: self.heads_manifest.clone(),
            variants: self.variants.clone(),
            heads: self.heads,
            heads_depth: self.heads_depth,
            prompt_length: self.prompt_length,
            generation_length: self.generation_length,
            step_interval: self.step_interval,
            gammas: self.gammas.clone(),
            rule: self.rule,
            temperature: self.temperature,
            beta: self.beta,
            draft_head: self.draft_head,
            max_new_tokens: self.max_new_tokens,
            perturbation: self.perturbation,
            warmup_ms: self.warmup_ms,
            rounds: self.rounds,
            rep_ms: self.rep_ms,
            poe_rep_ms: self.poe_rep_ms,
            device: self.device,
            dtype: self.dtype,
            seed: self.seed,
            hardware: self.hardware.clone(),
            calibration: self.calibration.clone(),
        }
    }
}

/// Runs the command.
pub fn run(catalog: &Catalog, args: BenchArgs) -> Result<()> {
    if args.png {
        browser()?;
    }
    if let Some(threads) = args.threads {
        use_threads(threads)?;
    }
    let mut bench = BenchRun::open(catalog, &args.request())?;
    if let Some(note) = bench.note() {
        remark(&format!("Note: {note}"));
    }
    remarks(bench.remarks());
    let flag = interruption("rows measured so far are kept")?;
    if let Some(plan) = bench.probe_plan()? {
        let mut counter = Counter::new(plan.points(), Arc::clone(&flag));
        bench.probe(&plan, &mut counter)?;
        counter.finish();
    }
    // A folder that cannot be written is found before the run, too.
    let folder = RunFolder::make(args.out.as_deref())?;
    let mut progress = Progress::new(&bench.config, flag);
    let outcome = bench.run(&mut progress);
    progress.finish();
    let outcome = outcome.inspect_err(|_| folder.abandon())?;
    // What was measured is safe before anything else can fail.
    write_live_rows(&outcome.results, &folder.path)?;
    let mut answer = bench.answer(catalog, outcome)?;
    answer.files = write_live_rows(&answer.results, &folder.path)?;
    answer.files.extend(write_live_page(&answer.results, &folder.path, args.png)?);
    answer.folder = Some(folder.path);
    match args.format {
        Format::Json => print(&json_line(&answer)?)?,
        Format::Table => print(&text(&answer.results, &answer.files))?,
    }
    answer.failure.map_or(Ok(()), |error| Err(error.help("the rows measured before are kept")))
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
        let runs = results_folder(&["live"]);
        let parent = given.unwrap_or(&runs);
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
