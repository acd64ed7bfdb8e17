//! Flags that name a system and say where parameter values come from.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use crate::app::{ParametersRequest, PlacementRequest, SystemRequest, Values};
use crate::spec::{Pool, Precision};

/// Flags that name a system to predict. A scenario or a model must be there, unless a command makes the group `system` optional.
#[derive(Debug, Clone, Args)]
#[command(group(ArgGroup::new("system").args(["scenario", "model"]).required(true).multiple(true)))]
pub struct SystemArgs {
    /// System of a scenario: its id, see `perfmodel list scenarios`, or its folder
    #[arg(long, value_name = "ID", visible_alias = "scenario-dir")]
    scenario: Option<String>,

    /// Model id, one of its other names, or a Hugging Face config.json (the file or its folder)
    #[arg(long, value_name = "ID", conflicts_with = "scenario", requires = "hardware")]
    model: Option<String>,

    /// Hardware id or one of its other names; with --scenario instead of its own, as all that follow
    #[arg(long, value_name = "ID")]
    hardware: Option<String>,

    #[command(flatten)]
    placement: PlacementArgs,

    #[command(flatten)]
    parameters: ParametersArgs,
}

impl SystemArgs {
    /// What is asked for.
    pub fn request(&self) -> SystemRequest {
        SystemRequest {
            scenario: self.scenario.clone(),
            model: self.model.clone(),
            hardware: self.hardware.clone(),
            placement: self.placement.request(),
            parameters: self.parameters.request(),
        }
    }
}

/// Flags that place a model on devices.
#[derive(Debug, Clone, Args)]
pub struct PlacementArgs {
    /// Tensor-parallel degree [default: that of the scenario, else 1]
    #[arg(long, value_name = "N")]
    tp: Option<u32>,

    /// Pipeline stages; a replica has tp · dp · pp devices [default: 1]
    #[arg(long, value_name = "N")]
    pp: Option<u32>,

    /// Ranks of attention that decode sequences of their own and share the experts; never replicas [default: 1]
    #[arg(long, value_name = "N")]
    dp: Option<u32>,

    /// Ranks that hold experts of their own: divides tp · dp; experts are split tp · dp / ep ways inside [default: 1]
    #[arg(long, value_name = "N")]
    ep: Option<u32>,

    /// Pool of workers that process prompts, such as 2xtp4
    #[arg(long, value_name = "POOL", hide = true)]
    prefill: Option<Pool>,

    /// Pool of workers that decode, such as 1xdp8,ep8
    #[arg(long, value_name = "POOL", hide = true)]
    decode: Option<Pool>,

    /// Precision of the weights [default: that of the scenario, else as the model is published if that is 16 bit or
    /// narrower, else bf16]
    #[arg(long, value_name = "PRECISION")]
    weights: Option<Precision>,

    /// Precision in which linear layers compute, for weight-only quantisation [default: that of the weights; without --weights
    /// 16 bit where the device has no peak for the format in which the model is published]
    #[arg(long, value_name = "PRECISION")]
    compute: Option<Precision>,

    /// Precision of the KV cache [default: that of the scenario, else fp16 for fp16 weights and bf16 for all others]
    #[arg(long, value_name = "PRECISION")]
    kv: Option<Precision>,

    /// Most sequences the engine runs at once
    #[arg(long, value_name = "N")]
    max_sequences: Option<u32>,

    /// Most tokens of one engine step
    #[arg(long, value_name = "N")]
    max_tokens_per_step: Option<u32>,
}

impl PlacementArgs {
    /// What is asked for.
    pub fn request(&self) -> PlacementRequest {
        PlacementRequest {
            tp: self.tp,
            pp: self.pp,
            dp: self.dp,
            ep: self.ep,
            prefill: self.prefill,
            decode: self.decode,
            weights: self.weights,
            compute: self.compute,
            kv: self.kv,
            max_sequences: self.max_sequences,
            max_tokens_per_step: self.max_tokens_per_step,
        }
    }
}

/// Flags that say where parameter values come from.
#[derive(Debug, Clone, Args)]
pub struct ParametersArgs {
    /// calibration.toml of a fit, of this system or another [default: that of the scenario under evaluations_results, else
    /// the priors alone]
    #[arg(long, value_name = "FILE")]
    calibration: Option<PathBuf>,

    /// Use the documented priors alone (priors.toml)
    #[arg(long, conflicts_with = "calibration")]
    uncalibrated: bool,

    /// Set a parameter, such as burst_factor=0 for independent users; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value)]
    set: Vec<(String, f64)>,
}

impl ParametersArgs {
    /// What is asked for.
    pub fn request(&self) -> ParametersRequest {
        ParametersRequest {
            calibration: self.calibration.clone(),
            uncalibrated: self.uncalibrated,
            set: Values(self.set.clone()),
        }
    }
}

/// Reads `NAME=VALUE`.
pub fn name_and_value(text: &str) -> std::result::Result<(String, f64), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE, such as burst_factor=0")?;
    let value = value.trim().parse().map_err(|_| format!("`{value}` is not a number"))?;
    Ok((name.trim().to_owned(), value))
}
