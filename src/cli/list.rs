//! `perfmodel list`.

use std::fmt::Write;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::{Format, terminal};
use crate::dataset::read_measurements;
use crate::error::Result;
use crate::spec::{Catalog, Kind, Precision};

/// What to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    Scenarios,
    Hardware,
    Models,
}

/// Arguments of `list`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  perfmodel list\n  perfmodel list hardware --format json")]
pub struct ListArgs {
    /// What to show [default: everything]
    what: Option<What>,

    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// A table of one kind: heading, header, rows for people, objects for machines.
struct Listing {
    key: &'static str,
    header: &'static [&'static str],
    rows: Vec<Vec<String>>,
    objects: Vec<Value>,
    numbers: std::ops::Range<usize>,
}

/// Prints the lists.
pub fn run(catalog: &Catalog, args: &ListArgs) -> Result<()> {
    let wanted = args.what.map_or_else(|| vec![What::Scenarios, What::Hardware, What::Models], |what| vec![what]);
    let listings: Vec<Listing> = wanted
        .into_iter()
        .map(|what| match what {
            What::Scenarios => scenarios(catalog),
            What::Hardware => hardware(catalog),
            What::Models => models(catalog),
        })
        .collect::<Result<_>>()?;
    match args.format {
        Format::Json => {
            let object: serde_json::Map<String, Value> =
                listings.into_iter().map(|listing| (listing.key.to_owned(), listing.objects.into())).collect();
            terminal::print(&format!("{}\n", Value::Object(object)))
        }
        Format::Table => {
            let mut text = String::new();
            for (index, listing) in listings.into_iter().enumerate() {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{}{}", if index > 0 { "\n" } else { "" }, listing.key);
                text += &crate::report::text::table(listing.header, listing.rows, listing.numbers);
            }
            terminal::print(&text)
        }
    }
}

fn scenarios(catalog: &Catalog) -> Result<Listing> {
    let (mut rows, mut objects) = (Vec::new(), Vec::new());
    for id in catalog.ids(Kind::Scenario) {
        let folder = catalog.scenario_folder(&id)?;
        let scenario = catalog.resolve(&folder)?;
        let measured = read_measurements(&folder.measured, scenario.file.campaign.load)?.rows.len();
        let engine = &scenario.file.campaign.engine;
        objects.push(json!({
            "id": id, "title": scenario.file.title, "model": scenario.file.model, "hardware": scenario.file.hardware,
            "tensor_parallel": scenario.file.deployment.tensor_parallel, "engine": engine, "rows": measured,
        }));
        rows.push(vec![id, measured.to_string(), engine.clone(), scenario.file.title]);
    }
    Ok(Listing { key: "scenarios", header: &["id", "rows", "engine", "title"], rows, objects, numbers: 1..2 })
}

fn hardware(catalog: &Catalog) -> Result<Listing> {
    let (mut rows, mut objects) = (Vec::new(), Vec::new());
    for id in catalog.ids(Kind::Hardware) {
        let device = catalog.hardware(&id)?;
        let peak = |precision: Precision| device.known_peak(precision).map(|peak| peak.get() / 1e12);
        let bandwidth = device.bandwidth.get() / 1e9;
        let peaks: serde_json::Map<String, Value> = Precision::ALL
            .into_iter()
            .filter_map(|precision| Some((precision.name().to_owned(), peak(precision)?.into())))
            .collect();
        objects.push(json!({
            "id": id, "name": device.name, "memory_bytes": device.memory.get(),
            "memory_bandwidth_gb_per_s": bandwidth, "peak_tflop_per_s": peaks,
            "interconnect_gb_per_s": device.interconnect.map(|link| link.bandwidth.get() / 1e9),
            "interconnect_gpus": device.interconnect.map(|link| link.gpus),
            "pcie_gb_per_s": device.pcie.map(|pcie| pcie.get() / 1e9),
            "usd_per_gpu_hour": device.price.as_ref().map(|price| price.usd_per_gpu_hour),
        }));
        let tflops = |precision| peak(precision).map_or_else(|| "–".to_owned(), |peak| format!("{peak:.0}"));
        rows.push(vec![
            id,
            format!("{:.1}", device.memory.as_gib()),
            format!("{bandwidth:.0}"),
            tflops(Precision::Bf16),
            tflops(Precision::Fp8),
            device.interconnect.map_or_else(|| "PCIe".to_owned(), |link| format!("{:.0}", link.bandwidth.get() / 1e9)),
            device.name,
        ]);
    }
    let header = &["id", "GiB", "GB/s", "bf16 TFLOP/s", "fp8 TFLOP/s", "link GB/s", "name"];
    Ok(Listing { key: "hardware", header, rows, objects, numbers: 1..6 })
}

fn models(catalog: &Catalog) -> Result<Listing> {
    let (mut rows, mut objects) = (Vec::new(), Vec::new());
    for id in catalog.ids(Kind::Model) {
        let model = catalog.model(&id)?;
        objects.push(json!({
            "id": id, "name": model.name, "family": model.family, "parameters": model.parameters(),
            "layers": model.layer_count(), "hidden_size": model.hidden_size,
            "max_context_tokens": model.max_context_tokens,
        }));
        rows.push(vec![
            id,
            format!("{:.2}", model.parameters() as f64 / 1e9),
            model.layer_count().to_string(),
            model.hidden_size.to_string(),
            model.max_context_tokens.to_string(),
            model.name,
        ]);
    }
    let header = &["id", "10⁹ parameters", "layers", "hidden", "context", "name"];
    Ok(Listing { key: "models", header, rows, objects, numbers: 1..5 })
}
