//! `perfmodel plan`: which devices, how many and how arranged serve a demand within latency limits.

mod answer;
mod machine;
mod text;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{ArgGroup, Args, ValueEnum, builder::PossibleValue};

use super::page_args::PageArgs;
use super::system_args::ParametersArgs;
use super::terminal::{caution_remarks, files_remark, print, progress_bar, remark};
use super::{TableFormat, names};
use crate::app::Numbers;
use crate::app::shell_word;
use crate::app::{NamedScenario, changed_since_fit, default_estimator, matching};
use crate::calibration::CalibrationRecord;
use crate::error::{Error, Result, nearest_hint};
use crate::planning::{Placement, Question, Slo, TtftStatistic, plan};
use crate::report::write_plan;
use crate::spec::{Campaign, Catalog, Deployment, Hardware, Kind, ModelArchitecture, Precision, System};
use crate::units::Seconds;
use crate::workload::{LoadKind, Workload};
use answer::Answer;
use machine::{csv, json};
use text::{nearest, text};

impl ValueEnum for TtftStatistic {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    perfmodel plan --model llama33_70b --users 200 --input-tokens 1000 --output-tokens 500 \\\n      \
        --slo-ttft-ms 2000 --slo-itl-ms 50\n  \
    perfmodel plan --model ./config.json --hardware 'h100*,l40s_48gb' --weights fp8 --rate 4 --input-tokens 2000 \\\n      \
        --output-tokens 300 --slo-ttft-ms 1000 --slo-ttft-at p99 --slo-itl-ms 60\n  \
    perfmodel plan --scenario llama31_8b_fp8_tp1 --hardware h100_sxm_80gb --price 2.1 --users 500 \\\n      \
        --input-tokens 500 --output-tokens 500 --slo-itl-ms 30 --plot\n\n\
    --users are clients in a closed loop: each sends its next request when its last one ends. --rate is of independent\n\
    users (Poisson arrivals). A limit must hold at the pessimistic end of the 90 % interval of the latency.\n\n\
    Exit codes: 0 something meets the limits, 1 nothing does, 2 wrong input.")]
#[command(allow_negative_numbers = true, group = ArgGroup::new("demand").args(["users", "rate"]).required(true))]
pub struct PlanArgs {
    /// Model id, one of its other names, or a Hugging Face config.json (the file or its folder)
    #[arg(long, value_name = "ID", required_unless_present = "scenario")]
    model: Option<String>,

    /// Take model, campaign and calibration of a scenario: its id or its folder
    #[arg(long, value_name = "ID", visible_alias = "scenario-dir", conflicts_with = "model")]
    scenario: Option<String>,

    /// Clients in a closed loop, all replicas together
    #[arg(long, value_name = "N")]
    users: Option<u32>,

    /// Requests per second of independent users, all replicas together
    #[arg(long, value_name = "RPS")]
    rate: Option<f64>,

    /// Prompt length
    #[arg(long, value_name = "N")]
    input_tokens: f64,

    /// Answer length
    #[arg(long, value_name = "N")]
    output_tokens: f64,

    #[command(flatten)]
    limits: LimitArgs,

    /// Devices to choose from: ids, other names, * for any text; may be repeated, or names with commas [default: all]
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    hardware: Vec<String>,

    /// Tensor-parallel degrees to choose from
    #[arg(long, value_name = "LIST", default_value = "1,2,4,8")]
    tp: Numbers,

    /// Precisions of the weights to choose from
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_values = ["bf16", "fp8"])]
    weights: Vec<Precision>,

    /// Precision in which linear layers compute, for weight-only quantisation [default: that of the weights]
    #[arg(long, value_name = "PRECISION")]
    compute: Option<Precision>,

    /// Precisions of the KV cache to choose from
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_values = ["bf16", "fp8"])]
    kv: Vec<Precision>,

    /// Numbers of replicas to choose from [default: all that --max-gpus allows]
    #[arg(long, value_name = "LIST")]
    replicas: Option<Numbers>,

    /// Most GPUs of a configuration
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    max_gpus: u32,

    /// Price of a GPU hour in US dollars, of all devices or of one (h100_sxm_80gb=2.1); may be repeated [default: the
    /// dated figure of the hardware file]
    #[arg(long, value_name = "[ID=]USD", value_parser = price)]
    price: Vec<(Option<String>, f64)>,

    /// Most sequences the engine runs at once on a replica
    #[arg(long, value_name = "N")]
    max_sequences: Option<u32>,

    /// Most tokens of one engine step
    #[arg(long, value_name = "N")]
    max_tokens_per_step: Option<u32>,

    #[command(flatten)]
    parameters: ParametersArgs,

    /// Options to print for people; json and csv hold all
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,

    /// Output format
    #[arg(long, value_enum, default_value_t = TableFormat::Table)]
    format: TableFormat,

    #[command(flatten)]
    page: PageArgs,
}

/// Service-level objective.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct LimitArgs {
    /// Largest time to first token
    #[arg(long, value_name = "MS", value_parser = milliseconds)]
    slo_ttft_ms: Option<Seconds>,

    /// Largest mean time between later tokens
    #[arg(long, value_name = "MS", value_parser = milliseconds)]
    slo_itl_ms: Option<Seconds>,

    /// Largest mean time from request to last token
    #[arg(long, value_name = "MS", value_parser = milliseconds)]
    slo_e2e_ms: Option<Seconds>,

    /// Which time to first token --slo-ttft-ms limits; percentiles need --rate [default: mean]
    #[arg(long, value_name = "STATISTIC", requires = "slo_ttft_ms")]
    slo_ttft_at: Option<TtftStatistic>,
}

fn milliseconds(text: &str) -> std::result::Result<Seconds, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value.is_finite() => Ok(Seconds::from_ms(value)),
        _ => Err("give a number of milliseconds above 0".to_owned()),
    }
}

fn price(text: &str) -> std::result::Result<(Option<String>, f64), String> {
    let (id, value) = text.split_once('=').map_or((None, text), |(id, value)| (Some(id.trim().to_owned()), value));
    match value.trim().parse::<f64>() {
        Ok(usd) if usd >= 0.0 && usd.is_finite() => Ok((id, usd)),
        _ => Err("write US dollars for one GPU and one hour, such as 2.1 or h100_sxm_80gb=2.1".to_owned()),
    }
}

/// What is placed, and what is known of it.
struct Subject {
    model: ModelArchitecture,
    scenario: Option<String>,
    campaign: Option<Campaign>,
    /// How the scenario places it; its limits of the engine hold unless flags say otherwise.
    deployment: Option<Deployment>,
    calibration: Option<(PathBuf, CalibrationRecord)>,
    /// Says so where the scenario's measurements have changed since the fit.
    changed: Option<String>,
}

impl PlanArgs {
    fn subject(&self, catalog: &Catalog) -> Result<Subject> {
        let named = self.scenario.as_ref().map(|name| NamedScenario::find(catalog, name)).transpose()?;
        let scenario = named.as_ref().map(|named| named.files.id.clone());
        let calibration = self.parameters.request().open(scenario.as_deref(), default_estimator())?.calibration;
        let Some(named) = named else {
            let Some(name) = &self.model else {
                return Err(Error::input("no model is named").help("give --model or --scenario"));
            };
            let model = names::model_or_config(catalog, name)?;
            return Ok(Subject { model, scenario, campaign: None, deployment: None, calibration, changed: None });
        };
        let changed = calibration.as_ref().and_then(|(_, record)| changed_since_fit(record, &named));
        let resolved = names::resolve(catalog, &named.files)?;
        let (model, deployment) = (resolved.system.model, Some(resolved.system.deployment));
        Ok(Subject { model, scenario, campaign: Some(resolved.file.campaign), deployment, calibration, changed })
    }

    /// The flags that name the same to `predict`.
    fn named(&self, catalog: &Catalog, model: &ModelArchitecture) -> String {
        let data = match catalog.root() {
            Some(root) if root != Path::new(".") || !Catalog::is_project_folder(root) => {
                format!("--data-dir {} ", shell_word(root))
            }
            _ => String::new(),
        };
        let system = match &self.scenario {
            Some(name) => format!("--scenario {}", shell_word(Path::new(name))),
            None => format!("--model {}", shell_word(Path::new(self.model.as_deref().unwrap_or(&model.id)))),
        };
        data + &system
    }

    fn demand(&self) -> Result<Workload> {
        let (kind, load) = match (self.users, self.rate) {
            (Some(users), _) => (LoadKind::ClosedLoop, f64::from(users)),
            (None, Some(rate)) => (LoadKind::OpenLoop, rate),
            (None, None) => return Err(Error::input("no load is given").help("give --users or --rate")),
        };
        Workload::under(kind, self.input_tokens, self.output_tokens, load)
    }

    fn slo(&self) -> Result<Slo> {
        let statistic = self.limits.slo_ttft_at.unwrap_or_default();
        if self.rate.is_none() && statistic != TtftStatistic::Mean {
            return Err(Error::input(format!("--slo-ttft-at {} comes with --users", statistic.name()))
                .help("percentiles are predicted for independent users only: give --rate, or limit the mean"));
        }
        Ok(Slo {
            ttft: self.limits.slo_ttft_ms,
            statistic,
            itl: self.limits.slo_itl_ms,
            end_to_end: self.limits.slo_e2e_ms,
        })
    }

    /// Devices to choose from, each once.
    fn devices(&self, catalog: &Catalog) -> Result<Vec<Hardware>> {
        let known = catalog.ids(Kind::Hardware);
        let mut ids = Vec::new();
        for name in &self.hardware {
            ids.extend(matching("hardware", name, &known)?);
        }
        if self.hardware.is_empty() {
            ids = known;
        }
        let mut devices: Vec<Hardware> = Vec::new();
        for id in ids {
            let device = names::hardware(catalog, &id)?;
            if !devices.iter().any(|known| known.id == device.id) {
                devices.push(device);
            }
        }
        Ok(devices)
    }

    fn prices(&self, catalog: &Catalog, devices: &[Hardware]) -> Result<Vec<Option<f64>>> {
        let mut prices: Vec<Option<f64>> =
            devices.iter().map(|device| device.price.as_ref().map(|price| price.usd_per_gpu_hour)).collect();
        let mut priced = BTreeSet::new();
        // The price of one device counts more than that of all, in whichever order they are given.
        let (all, own): (Vec<_>, Vec<_>) = self.price.iter().partition(|(id, _)| id.is_none());
        for (id, usd) in all.into_iter().chain(own) {
            let id = id.as_ref().map(|id| names::hardware(catalog, id)).transpose()?.map(|device| device.id);
            if !priced.insert(id.clone()) {
                let of = id.map_or_else(|| "all devices".to_owned(), |id| format!("`{id}`"));
                return Err(Error::input(format!("--price gives two prices of {of}")).help("give one"));
            }
            let Some(id) = id else {
                prices.fill(Some(*usd));
                continue;
            };
            let Some(index) = devices.iter().position(|device| device.id == id) else {
                let near = nearest_hint(&id, devices.iter().map(|device| device.id.as_str()));
                return Err(Error::input(format!("--price names `{id}`, which is not among the devices"))
                    .help(format!("{near}add it to --hardware, or drop the price")));
            };
            prices[index] = Some(*usd);
        }
        Ok(prices)
    }

    /// All placements, and what is wrong with those that cannot be.
    fn placements(&self, catalog: &Catalog, subject: &Subject) -> Result<(Vec<Placement>, Vec<Refused>)> {
        let devices = self.devices(catalog)?;
        let prices = self.prices(catalog, &devices)?;
        let own = subject.deployment.as_ref();
        let degrees = whole("tp", &self.tp)?;
        let (mut placements, mut refused) = (Vec::new(), Vec::new());
        for (device, usd_per_gpu_hour) in devices.iter().zip(prices) {
            for &tensor_parallel in &degrees {
                for &weights in &self.weights {
                    for &kv in &self.kv {
                        let deployment = Deployment {
                            tensor_parallel,
                            weight_precision: weights,
                            compute_precision: self.compute,
                            kv_precision: kv,
                            max_sequences: self.max_sequences.or(own.and_then(|own| own.max_sequences)),
                            max_tokens_per_step: self
                                .max_tokens_per_step
                                .or(own.and_then(|own| own.max_tokens_per_step)),
                        };
                        match System::new(device.clone(), subject.model.clone(), deployment.clone()) {
                            Ok(system) => {
                                placements.push(Placement { hardware: device.id.clone(), system, usd_per_gpu_hour })
                            }
                            Err(error) => refused.push(Refused {
                                hardware: device.id.clone(),
                                deployment,
                                reason: error.message().to_owned(),
                            }),
                        }
                    }
                }
            }
        }
        Ok((placements, refused))
    }

    fn counts(&self) -> Result<Vec<u32>> {
        let mut counts = match &self.replicas {
            Some(list) => whole("replicas", list)?,
            None => (1..=self.max_gpus).collect(),
        };
        counts.sort_unstable();
        Ok(counts)
    }
}

/// A placement that is none: the model does not divide, or the device cannot compute so.
pub struct Refused {
    /// Id of the device.
    pub hardware: String,
    /// How the model was to be placed.
    pub deployment: Deployment,
    /// What is wrong.
    pub reason: String,
}

fn whole(flag: &str, list: &Numbers) -> Result<Vec<u32>> {
    list.values()
        .iter()
        .map(|&value| {
            if value >= 1.0 && value.fract() == 0.0 && value <= 1e6 {
                Ok(value as u32)
            } else {
                Err(Error::input(format!("--{flag} holds {value}")).help("give whole numbers from 1 to 1000000"))
            }
        })
        .collect()
}

/// Runs the command.
pub fn run(catalog: &Catalog, args: &PlanArgs) -> Result<()> {
    let started = Instant::now();
    let subject = args.subject(catalog)?;
    let (placements, refused) = args.placements(catalog, &subject)?;
    args.page.check()?;
    let given = args.parameters.request().set.to_vec();
    let question = Question {
        demand: args.demand()?,
        slo: args.slo()?,
        replicas: args.counts()?,
        most_gpus: args.max_gpus,
        estimator: default_estimator(),
        calibration: subject.calibration.as_ref().map(|(_, record)| record),
        scenario: subject.scenario.as_deref(),
        campaign: subject.campaign.as_ref(),
        given: &given,
    };
    let bar = progress_bar("planning", placements.len());
    let plan = plan(placements, &question, &|| bar.inc(1))?;
    bar.finish_and_clear();
    let answer = Answer {
        model: &subject.model,
        subject: args.named(catalog, &subject.model),
        question: &question,
        calibration: subject.calibration.as_ref().map(|(path, _)| path.as_path()),
        changed: subject.changed.as_deref(),
        plan: &plan,
        refused: &refused,
        elapsed_s: started.elapsed().as_secs_f64(),
    };
    let files = args.page.write("plans", &subject.model.id, |folder, png| write_plan(&answer.report(), folder, png))?;
    match args.format {
        TableFormat::Table => print(&text(&answer, args.top, &files))?,
        TableFormat::Json => print(&json(&answer, &files)?)?,
        TableFormat::Csv => {
            if plan.options.is_empty() {
                remark(&nearest(&answer));
            }
            caution_remarks(&answer.cautions());
            files_remark(&files);
            print(&csv(&answer))?;
        }
    }
    if plan.options.is_empty() {
        return Err(Error::failed("nothing meets the limits").help(answer.remedy()));
    }
    Ok(())
}
