//! `perfmodel roofline`: the operators of a system under the roofs of its device, and where steps turn compute bound.

mod output;

use std::fmt::Write;

use clap::Args;

use self::output::output;
use super::Format;
use super::json::json_line;
use super::names;
use super::page_args::PageArgs;
use super::system_args::SystemArgs;
use super::terminal::print;
use crate::app::Numbers;
use crate::app::ResolvedSystem;
use crate::app::cautions;
use crate::calibration::Origin;
use crate::engine::memory::kv_bytes;
use crate::engine::ops::linear::PADDING_ROWS;
use crate::engine::{Phase, StepLoad, StepModel};
use crate::error::{Error, Result};
use crate::forecast::{Capacity, Forecaster};
use crate::report::text::{caution_lines, report_table, written_lines};
use crate::report::{
    RooflineReport, batch_axis, crossings_table, operators_table, roofs_table, sweep_table, write_roofline,
};
use crate::roofline::{Crossing, DeviceRoofs, Step, Sweep};
use crate::spec::Catalog;
use crate::workload::LoadKind;

/// More steps than this in one sweep look like a slip.
const MOST_STEPS: usize = 10_000;

/// Batches and contexts of the sweep unless given; contexts end where those of the model do.
const BATCHES: &str = "1,2,4..1024";
const CONTEXTS: &str = "128,256..32768";

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
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    batch: f64,

    /// Mean context of the decode step, and length of the prompts, in tokens
    #[arg(long, value_name = "N", default_value_t = 1000.0)]
    context: f64,

    /// Batches of the sweep
    #[arg(long, value_name = "LIST", default_value = BATCHES)]
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
    /// Contexts of the sweep.
    fn contexts(&self, target: &ResolvedSystem) -> Result<Vec<f64>> {
        if let Some(contexts) = &self.contexts {
            return Ok(contexts.values().to_vec());
        }
        let most = f64::from(target.system.model.max_context_tokens);
        let all: Numbers = CONTEXTS.parse()?;
        Ok(all.into_iter().filter(|tokens| *tokens <= most).collect())
    }

    /// Checks that every batch and context can be one.
    fn check(&self, contexts: &[f64]) -> Result<()> {
        let one = |name: &'static str, value: f64| (name, vec![value]);
        for (name, values) in [
            one("--batch", self.batch),
            one("--context", self.context),
            ("--batches", self.batches.values().to_vec()),
            ("--contexts", contexts.to_vec()),
        ] {
            if let Some(value) = values.iter().find(|value| !(1.0..=1e9).contains(*value)) {
                return Err(Error::input(format!("{name} is {value}")).help("give a number from 1 to 1e9"));
            }
        }
        let steps = self.batches.values().len() * contexts.len();
        if steps > MOST_STEPS {
            return Err(Error::input(format!("the lists make {steps} steps"))
                .help(format!("give shorter --batches and --contexts, {MOST_STEPS} steps at most")));
        }
        Ok(())
    }
}

/// Runs the command.
pub fn run(catalog: &Catalog, args: &RooflineArgs) -> Result<()> {
    let request = args.system.request();
    names::remark_on_request(catalog, &request);
    let target = request.resolve(catalog)?;
    let contexts = args.contexts(&target)?;
    args.check(&contexts)?;
    args.page.check()?;
    let forecaster = target.forecaster(load(&target))?;
    let report = report(args, &target, &forecaster, &contexts)?;
    let files = args.page.write("rooflines", &target.id, |folder, png| write_roofline(&report, folder, png))?;
    match args.format {
        Format::Json => print(&json_line(&output(&target, &forecaster, &report, files))?),
        Format::Table => {
            let mut text = tables(&target, &report, forecaster.is_calibrated());
            text += &caution_lines(&report.cautions);
            text += &written_lines(&files);
            print(&text)
        }
    }
}

/// The load of the calibration: the operators do not depend on it, their parameters do.
fn load(target: &ResolvedSystem) -> LoadKind {
    let fitted = target.calibration.as_ref().and_then(|(_, record)| record.scenarios.first());
    fitted.map_or(LoadKind::ClosedLoop, |scenario| scenario.load)
}

fn report(
    args: &RooflineArgs,
    target: &ResolvedSystem,
    forecaster: &Forecaster,
    contexts: &[f64],
) -> Result<RooflineReport> {
    let system = &target.system;
    let efficiencies = forecaster.efficiencies().expect("the default estimator puts steps together from operators");
    let kv_cache = Capacity::of(system, forecaster)?.kv_cache;
    let model = StepModel::new(system)?;
    let steps = Phase::ALL
        .map(|phase| Step::new(&model, &StepLoad { phase, batch: args.batch, tokens: args.context }, &efficiencies));
    let sweeps = Phase::ALL
        .map(|phase| Sweep::run(system, &model, phase, args.batches.values(), contexts, kv_cache, &efficiencies));
    let mut cautions = cautions(target, forecaster, &[]);
    let bounded = forecaster.from_origin(Origin::OnBound);
    if !bounded.is_empty() {
        cautions.push(format!("at a bound of their fit, so not measured: {}", bounded.join(", ")));
    }
    let longest = contexts.iter().copied().fold(args.context, f64::max);
    cautions.extend(system.model.beyond_context(longest));
    let [_, decode] = &sweeps;
    if decode.contexts.iter().any(|line| line.crossing == Crossing::Always) {
        cautions.push(format!(
            "decode is compute bound from one sequence on because kernels are taken to compute whole tiles, {PADDING_ROWS} rows more \
             than sequences run; kernels for narrow weights with smaller tiles stay memory bound"
        ));
    }
    let cache = kv_bytes(system, args.context) * args.batch;
    if cache > kv_cache {
        cautions.push(format!(
            "a decode step of {} at {} tokens cannot be: their KV cache takes {:.1} GiB, there are {:.1} GiB for it",
            args.batch,
            args.context,
            cache.as_gib(),
            kv_cache.as_gib()
        ));
    }
    let prompts = args.batch * args.context;
    if let Some(budget) = system.deployment.limits.max_tokens_per_step.filter(|budget| prompts > f64::from(*budget)) {
        cautions
            .push(format!("the prefill of {prompts} tokens is shown as one step; the engine takes {budget} at once"));
    }
    Ok(RooflineReport {
        title: target.title.clone(),
        basis: target.basis(),
        gpus: system.deployment.parallelism.tp(),
        batch: args.batch,
        tokens: args.context,
        roofs: DeviceRoofs::new(system, &efficiencies, &steps),
        steps,
        sweeps,
        cautions,
    })
}

fn tables(target: &ResolvedSystem, report: &RooflineReport, calibrated: bool) -> String {
    let mut text = format!(
        "{}\n{}from {}\n\nRoofs. {}\n\n",
        target.system.title(),
        if calibrated { "" } else { "UNCALIBRATED, " },
        target.basis(),
        report.roofs_in_words()
    );
    text += &report_table(roofs_table(&report.roofs), 1..6);
    if let Some(scope) = report.scope() {
        let _ = writeln!(text, "\n{scope}.");
    }
    for step in &report.steps {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\n{}\n", report.step_title(step));
        text += &report_table(operators_table(step), 3..12);
    }
    for sweep in &report.sweeps {
        let content = sweep_table(sweep);
        let columns = content.header.len();
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "\nMemory/compute time of a {} step in ms, {} across; * where the KV cache does not hold them\n",
            sweep.phase.name(),
            batch_axis(sweep.phase)
        );
        text += &report_table(content, 0..columns);
    }
    text += "\nBatch from which a step is compute bound\n\n";
    text + &report_table(crossings_table(&report.sweeps), 0..4)
}
