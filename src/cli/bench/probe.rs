//! `perfmodel probe`: measures the roofs of this machine and writes them as a hardware file.

use std::fs;
use std::path::{Path, PathBuf};

use chrono::Local;
use clap::Args;

use super::progress::{Counter, interruption};
use super::use_threads;
use crate::bench::{PROBE_SOURCE, Probe};
use crate::cli::Format;
use crate::cli::json::json_line;
use crate::cli::terminal::{print, remark};
use crate::error::{Error, Result};
use crate::live::{DeviceChoice, LiveDevice, ProbePlan, probe};
use crate::number::number;
use crate::report::text::{table, written_lines};
use crate::report::{browser, probe_words, write_probe};

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

/// The JSON object on stdout.
#[derive(serde::Serialize)]
struct Output<'a> {
    #[serde(flatten)]
    probe: &'a Probe,
    memory_bandwidth_gb_per_s: f64,
    files: Vec<PathBuf>,
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
    let device = LiveDevice::open(args.device)?;
    if let Some(note) = &device.note {
        remark(&format!("Note: {note}"));
    }
    let name = args.name.clone().unwrap_or_else(|| slug(&device.name));
    if name.is_empty() || slug(&name) != name {
        return Err(Error::input(format!("`{name}` cannot be an id"))
            .help("give --name in small letters, digits and underscores, such as my_machine"));
    }
    let target = args.out.join("hardware").join(format!("{name}.toml"));
    if fs::read_to_string(&target).is_ok_and(|text| !text.contains(PROBE_SOURCE)) {
        return Err(Error::input("would replace a file that no probe wrote").at(&target).help("give another --name"));
    }
    let plan = ProbePlan::full(&device);
    let mut counter = Counter::new(plan.points(), interruption("nothing is written")?);
    let found = probe(&device, &plan, &mut counter)?;
    counter.finish();

    let date = Local::now().format("%Y-%m-%d").to_string();
    let files = write_probe(&found, &found.to_hardware_toml(&date), &name, &args.out, args.png)?;
    match args.format {
        Format::Json => {
            let memory_bandwidth_gb_per_s = found.bandwidth_gb_per_s();
            print(&json_line(&Output { probe: &found, memory_bandwidth_gb_per_s, files })?)
        }
        Format::Table => print(&text(&found, &files)),
    }
}

fn text(probe: &Probe, files: &[PathBuf]) -> String {
    let mut text = format!("{}\n", probe.name);
    for line in probe_words(probe) {
        text += &format!("  {line}\n");
    }
    let rows = probe
        .read
        .iter()
        .zip(&probe.copy)
        .map(|(read, copy)| vec![format!("{} KiB", read.size / 1024), number(read.rate), number(copy.rate)]);
    text += "\n";
    text += &table(&["size", "read GB/s", "copy GB/s"], rows, 0..3);
    for gemm in &probe.gemm {
        let rows = gemm.points.iter().map(|point| vec![point.size.to_string(), number(point.rate)]);
        text += "\n";
        text += &table(&["rows", &format!("{} TFLOP/s", gemm.dtype.name())], rows, 0..2);
    }
    text += "\n";
    text += &written_lines(files);
    if let Some(file) = files.first() {
        text += &format!("\nUse it with --hardware {}\n", shown(file));
    }
    text
}

fn shown(file: &Path) -> String {
    file.strip_prefix(".").unwrap_or(file).display().to_string()
}

/// A name as an id: small letters and digits, everything else one underscore.
fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.to_lowercase().chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.ends_with('_') && !slug.is_empty() {
            slug.push('_');
        }
    }
    slug.trim_end_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_ids() {
        for (name, want) in [
            ("AMD EPYC (2 threads)", "amd_epyc_2_threads"),
            ("NVIDIA H100 80GB HBM3", "nvidia_h100_80gb_hbm3"),
            ("my_gpu", "my_gpu"),
        ] {
            assert_eq!(slug(name), want);
        }
    }
}
