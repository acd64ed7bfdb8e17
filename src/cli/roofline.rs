//! `perfmodel roofline`: the operators of a system under the roofs of its device, and where steps turn compute bound.

use clap::Args;

use super::Format;
use super::json::json_line;
use super::page_args::PageArgs;
use super::system_args::SystemArgs;
use super::terminal::{notes, print, remarks};
use crate::app::{self, Numbers, RooflineRequest};
use crate::error::Result;
use crate::report::text::roofline::text;
use crate::report::write_roofline;
use crate::spec::Catalog;

/// Arguments of `roofline`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    perfmodel roofline --scenario llama31_8b_fp8_tp1\n  \
    perfmodel roofline --scenario llama31_8b_fp8_tp1 --batch 32 --context 4000 --plot\n  \
    perfmodel roofline --model llama33_70b --hardware h200_sxm_141gb --tp 2 --batch 64 --format json\n  \
    perfmodel roofline --model deepseek_v3 --hardware h200_sxm_141gb --tp 8 --weights fp8 --batch 128 \\\n      \
        --batches 1,4..4096*4 --contexts 1000,2000..16000\n\n\
    FLOP, bytes and rates are those of one device. Lists such as 1,2,4..256 go on as they begin.")]
pub struct RooflineArgs {
    #[command(flatten)]
    system: SystemArgs,

    /// Sequences of the decode step, and prompts of the prefill step
    #[arg(long, value_name = "N", default_value_t = RooflineRequest::default().batch)]
    batch: f64,

    /// Mean context of the decode step, and length of the prompts, in tokens
    #[arg(long, value_name = "N", default_value_t = RooflineRequest::default().context)]
    context: f64,

    /// Batches of the sweep
    #[arg(long, value_name = "LIST", default_value = RooflineRequest::BATCHES)]
    batches: Numbers,

    /// Contexts and prompt lengths of the sweep [default: 128,256..32768, up to the context of the model]
    #[arg(long, value_name = "LIST")]
    contexts: Option<Numbers>,

    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,

    #[command(flatten)]
    page: PageArgs,
}

impl RooflineArgs {
    fn request(&self) -> RooflineRequest {
        RooflineRequest {
            system: self.system.request(),
            batch: self.batch,
            context: self.context,
            batches: self.batches.clone(),
            contexts: self.contexts.clone().unwrap_or_default(),
        }
    }
}

/// Runs the command.
pub fn run(catalog: &Catalog, args: &RooflineArgs) -> Result<()> {
    args.page.check()?;
    let mut answer = app::roofline(catalog, &args.request())?;
    remarks(&answer.remarks);
    notes(&answer.notes);
    answer.files =
        args.page.write("rooflines", &answer.system.system, |folder, png| write_roofline(&answer, folder, png))?;
    match args.format {
        Format::Json => print(&json_line(&answer)?),
        Format::Table => print(&text(&answer)),
    }
}
