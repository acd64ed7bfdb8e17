//! `perfmodel probe`: measures the roofs of this machine and writes them as a hardware file.

use std::fs;
use std::path::PathBuf;

use clap::Args;

use super::progress::{Counter, interruption};
use super::use_threads;
use crate::app::{ProbeRequest, ProbeRun};
use crate::bench::{DeviceChoice, PROBE_SOURCE};
use crate::cli::Format;
use crate::cli::json::json_line;
use crate::cli::terminal::{print, remark};
use crate::error::{Error, Result};
use crate::report::text::probe::text;
use crate::report::{browser, write_probe};

/// Arguments of `probe`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    perfmodel probe                                       this machine, hardware/<name>.toml\n  \
    perfmodel probe --device cuda:0 --name my_gpu --png\n  \
    perfmodel bench --model olmo2_190m --hardware hardware/my_gpu.toml\n  \
    perfmodel fit --live evaluations_results/live/<run>/results.json --hardware hardware/my_gpu.toml\n\n\
    The file holds what kernels reach, not the peaks of a datasheet. A quiet machine gives better numbers.")]
pub struct ProbeArgs {
    /// auto (a GPU if there is one), cpu, cuda, cuda:0
    #[arg(long, value_name = "DEVICE", default_value_t = DeviceChoice::Auto)]
    device: DeviceChoice,

    /// Threads of a CPU [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,

    /// Name of the file, the id of the device [default: made of the device's name]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Folder in which hardware/<name>.toml and evaluations_results/probes/<name> are written
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,

    /// Also write every figure as PNG (needs a Chromium on PATH)
    #[arg(long)]
    png: bool,

    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Runs the command.
///
/// # Errors
/// The device failed, or a file cannot be written.
pub fn run(args: &ProbeArgs) -> Result<()> {
    if args.png {
        browser()?;
    }
    if let Some(threads) = args.threads {
        use_threads(threads)?;
    }
    let probe = ProbeRun::open(&ProbeRequest { device: args.device, name: args.name.clone() })?;
    if let Some(note) = &probe.device.note {
        remark(&format!("Note: {note}"));
    }
    let target = args.out.join("hardware").join(format!("{}.toml", probe.id));
    if fs::read_to_string(&target).is_ok_and(|text| !text.contains(PROBE_SOURCE)) {
        return Err(Error::input("would replace a file that no probe wrote").at(&target).help("give another --name"));
    }
    let mut counter = Counter::new(probe.points(), interruption("nothing is written")?);
    let mut answer = probe.run(&mut counter)?;
    counter.finish();
    answer.files = write_probe(&answer, &args.out, args.png)?;
    match args.format {
        Format::Json => print(&json_line(&answer)?),
        Format::Table => print(&text(&answer)),
    }
}
