//! What a plan is asked, and what it has to choose from.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::answer::Refused;
use crate::app::numbers::Numbers;
use crate::app::predict::workload;
use crate::app::request::{Values, matching};
use crate::app::system::{
    NamedScenario, OpenedCalibration, ParametersRequest, changed_since_fit, default_estimator, shell_word,
};
use crate::error::{Error, Result, nearest_hint};
use crate::planning::{Placement, Slo, TtftStatistic};
use crate::spec::{
    Campaign, Catalog, Deployment, Formats, Hardware, Kind, Limits, ModelArchitecture, Precision, System,
};
use crate::units::Seconds;
use crate::workload::{LengthDistribution, LoadKind, Workload};

/// More devices or replicas than this look like a slip.
const MOST: u32 = 1_000_000;

/// What is to be served, within which limits, and what there is to choose from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct PlanRequest {
    /// Model id, one of its other names, or the path of a Hugging Face config.json or its folder.
    pub model: Option<String>,
    /// Instead of a model: the id of a scenario or its folder, whose model, campaign, engine limits and calibration are taken.
    pub scenario: Option<String>,
    /// Clients of a closed loop, all replicas together.
    pub users: Option<u32>,
    /// Instead of users: requests per second of independent users, all replicas together.
    pub rate: Option<f64>,
    /// Prompt length in tokens.
    pub input_tokens: Option<LengthDistribution>,
    /// Answer length in tokens.
    pub output_tokens: Option<LengthDistribution>,
    /// Largest time to first token. One limit at least must be given; each holds at the pessimistic end of the 90 % interval.
    pub slo_ttft_ms: Option<f64>,
    /// Which time to first token that limits; percentiles need a rate. The mean by default.
    pub slo_ttft_at: Option<TtftStatistic>,
    /// Largest mean time between later tokens.
    pub slo_itl_ms: Option<f64>,
    /// Largest mean time from request to last token.
    pub slo_e2e_ms: Option<f64>,
    /// Devices to choose from: ids, other names, `*` for any text; none: all that are known.
    pub hardware: Vec<String>,
    /// Tensor-parallel degrees to choose from.
    pub tp: Numbers,
    /// Formats of the weights to choose from.
    pub weights: Vec<Precision>,
    /// Format in which linear layers compute, for weight-only quantisation; that of the weights by default.
    pub compute: Option<Precision>,
    /// Formats of the KV cache to choose from.
    pub kv: Vec<Precision>,
    /// Numbers of replicas to choose from; none: all that `max_gpus` allows.
    pub replicas: Numbers,
    /// Most devices of a configuration.
    pub max_gpus: u32,
    /// US dollars for one device and one hour by the names of devices, or of all devices as `all`, instead of the dated figures of
    /// hardware files.
    pub prices: Values,
    /// Most sequences that the engine runs at once on a replica.
    pub max_sequences: Option<u32>,
    /// Most tokens of one engine step.
    pub max_tokens_per_step: Option<u32>,
    /// Where parameter values come from.
    #[serde(flatten)]
    pub parameters: ParametersRequest,
}

impl PlanRequest {
    /// Tensor-parallel degrees unless others are given.
    pub const DEGREES: &str = "1,2,4,8";

    /// The name of all devices among the prices.
    pub const ALL: &str = "all";
}

impl Default for PlanRequest {
    fn default() -> Self {
        Self {
            model: None,
            scenario: None,
            users: None,
            rate: None,
            input_tokens: None,
            output_tokens: None,
            slo_ttft_ms: None,
            slo_ttft_at: None,
            slo_itl_ms: None,
            slo_e2e_ms: None,
            hardware: Vec::new(),
            tp: Self::DEGREES.parse().expect("this is a list"),
            weights: vec![Precision::Bf16, Precision::Fp8],
            compute: None,
            kv: vec![Precision::Bf16, Precision::Fp8],
            replicas: Numbers::default(),
            max_gpus: 256,
            prices: Values::default(),
            max_sequences: None,
            max_tokens_per_step: None,
            parameters: ParametersRequest::default(),
        }
    }
}

/// What is placed, and what is known of it.
pub struct Subject {
    /// The model.
    pub model: ModelArchitecture,
    /// Id of the scenario, if one is named.
    pub scenario: Option<String>,
    /// Who measured it.
    pub campaign: Option<Campaign>,
    /// How the scenario places it; its limits of the engine hold unless others are given.
    deployment: Option<Deployment>,
    /// The calibration, and where it was looked for.
    pub opened: OpenedCalibration,
    /// Says so where the scenario's measurements have changed since the fit.
    pub changed: Option<String>,
}

impl PlanRequest {
    /// The model with what is known of it.
    pub(super) fn subject(&self, catalog: &Catalog) -> Result<Subject> {
        if let (Some(_), Some(_)) = (&self.model, &self.scenario) {
            return Err(Error::input("both a model and a scenario are named").help("give one of them"));
        }
        let named = self.scenario.as_ref().map(|name| NamedScenario::find(catalog, name)).transpose()?;
        let scenario = named.as_ref().map(|named| named.files.id.clone());
        let opened = self.parameters.open(scenario.as_deref(), default_estimator())?;
        let Some(named) = named else {
            let Some(name) = &self.model else {
                return Err(Error::input("no model is named").help("give --model or --scenario"));
            };
            let model = catalog.model_or_config(name)?;
            return Ok(Subject { model, scenario, campaign: None, deployment: None, opened, changed: None });
        };
        let changed = opened.calibration.as_ref().and_then(|(_, record)| changed_since_fit(record, &named));
        let resolved = catalog.resolve(&named.files)?;
        let (model, deployment) = (resolved.system.model().clone(), Some(*resolved.system.deployment()));
        Ok(Subject { model, scenario, campaign: Some(resolved.file.campaign), deployment, opened, changed })
    }

    /// The flags that name the same to `predict`.
    pub(super) fn named(&self, catalog: &Catalog, model: &ModelArchitecture) -> String {
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
        // Else `predict` takes the calibration beside the results of the scenario.
        let alone = if self.parameters.uncalibrated { " --uncalibrated" } else { "" };
        data + &system + alone
    }

    /// Lengths, and the load of all replicas together.
    pub(super) fn demand(&self) -> Result<Workload> {
        let (Some(input_tokens), Some(output_tokens)) = (self.input_tokens, self.output_tokens) else {
            return Err(Error::input("no lengths are given").help("give --input-tokens and --output-tokens"));
        };
        let (kind, load) = match (self.users, self.rate) {
            (Some(users), None) => (LoadKind::ClosedLoop, f64::from(users)),
            (None, Some(rate)) => (LoadKind::OpenLoop, rate),
            (Some(_), Some(_)) => {
                return Err(Error::input("more than one load is given").help("give --users or --rate"));
            }
            (None, None) => return Err(Error::input("no load is given").help("give --users or --rate")),
        };
        workload(input_tokens, output_tokens, kind, load)
    }

    /// The limits.
    pub(super) fn slo(&self) -> Result<Slo> {
        let limit = |flag: &str, milliseconds: Option<f64>| match milliseconds {
            Some(value) if !(value > 0.0 && value.is_finite()) => {
                Err(Error::input(format!("{flag} is {value}")).help("give a number of milliseconds above 0"))
            }
            given => Ok(given.map(Seconds::from_ms)),
        };
        let slo = Slo {
            ttft: limit("--slo-ttft-ms", self.slo_ttft_ms)?,
            statistic: self.slo_ttft_at.unwrap_or_default(),
            itl: limit("--slo-itl-ms", self.slo_itl_ms)?,
            end_to_end: limit("--slo-e2e-ms", self.slo_e2e_ms)?,
        };
        if [slo.ttft, slo.itl, slo.end_to_end].iter().all(Option::is_none) {
            return Err(Error::input("no latency is limited").help("give --slo-ttft-ms, --slo-itl-ms or --slo-e2e-ms"));
        }
        match self.slo_ttft_at {
            Some(statistic) if slo.ttft.is_none() => {
                Err(Error::input(format!("--slo-ttft-at {} comes without --slo-ttft-ms", statistic.name()))
                    .help("limit the time to first token, or leave it out"))
            }
            Some(statistic) if self.rate.is_none() && statistic != TtftStatistic::Mean => {
                Err(Error::input(format!("--slo-ttft-at {} comes with --users", statistic.name()))
                    .help("percentiles are predicted for independent users only: give --rate, or limit the mean"))
            }
            _ => Ok(slo),
        }
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
            let device = catalog.hardware(&id)?;
            if !devices.iter().any(|known| known.id == device.id) {
                devices.push(device);
            }
        }
        Ok(devices)
    }

    /// The price of each device: as given, else as its file has it.
    fn prices_of(&self, catalog: &Catalog, devices: &[Hardware]) -> Result<Vec<Option<f64>>> {
        let mut prices: Vec<Option<f64>> =
            devices.iter().map(|device| device.price.as_ref().map(|price| price.usd_per_gpu_hour)).collect();
        let mut priced = BTreeSet::new();
        // The price of one device counts more than that of all, in whichever order they are given.
        let (all, own): (Vec<_>, Vec<_>) = self.prices.iter().partition(|(name, _)| name == Self::ALL);
        for (name, usd) in all.into_iter().chain(own) {
            let id = if name == Self::ALL { None } else { Some(catalog.hardware(name)?.id) };
            let of = id.as_ref().map_or_else(|| "all devices".to_owned(), |id| format!("`{id}`"));
            if !(*usd >= 0.0 && usd.is_finite()) {
                return Err(Error::input(format!("--price of {of} is {usd}"))
                    .help("give US dollars for one GPU and one hour, such as 2.1"));
            }
            if !priced.insert(id.clone()) {
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
    pub(super) fn placements(&self, catalog: &Catalog, subject: &Subject) -> Result<(Vec<Placement>, Vec<Refused>)> {
        let choices =
            [("--tp", self.tp.is_empty()), ("--weights", self.weights.is_empty()), ("--kv", self.kv.is_empty())];
        if let Some((flag, _)) = choices.iter().find(|(_, is_empty)| *is_empty) {
            return Err(Error::input(format!("{flag} is an empty list")).help("give what there is to choose from"));
        }
        let devices = self.devices(catalog)?;
        let prices = self.prices_of(catalog, &devices)?;
        let own = subject.deployment.as_ref();
        let degrees = whole("tp", &self.tp)?;
        let (mut placements, mut refused) = (Vec::new(), Vec::new());
        for (device, usd_per_gpu_hour) in devices.iter().zip(prices) {
            for &tensor_parallel in &degrees {
                for &weights in &self.weights {
                    for &kv in &self.kv {
                        let limits = own.map_or_else(Limits::default, |own| own.limits);
                        let deployment = Deployment {
                            formats: Formats { compute: self.compute, kv, ..Formats::of_weights(weights) },
                            limits: Limits {
                                max_sequences: self.max_sequences.or(limits.max_sequences),
                                max_tokens_per_step: self.max_tokens_per_step.or(limits.max_tokens_per_step),
                                ..limits
                            },
                            ..Deployment::new(tensor_parallel, weights)?
                        };
                        match System::new(device.clone(), subject.model.clone(), deployment) {
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

    /// Numbers of replicas to try, rising.
    pub(super) fn counts(&self) -> Result<Vec<u32>> {
        if !(1..=MOST).contains(&self.max_gpus) {
            return Err(Error::input(format!("--max-gpus is {}", self.max_gpus))
                .help(format!("give a whole number from 1 to {MOST}")));
        }
        if self.replicas.is_empty() {
            return Ok((1..=self.max_gpus).collect());
        }
        let mut counts = whole("replicas", &self.replicas)?;
        counts.sort_unstable();
        Ok(counts)
    }
}

fn whole(flag: &str, list: &Numbers) -> Result<Vec<u32>> {
    list.values()
        .iter()
        .map(|&value| {
            if value >= 1.0 && value.fract() == 0.0 && value <= f64::from(MOST) {
                Ok(value as u32)
            } else {
                Err(Error::input(format!("--{flag} holds {value}"))
                    .help(format!("give whole numbers from 1 to {MOST}")))
            }
        })
        .collect()
}
