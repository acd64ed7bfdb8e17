//! Fits the model to measurements and predicts a load that was not among them: parameters with what the data say of
//! each, errors in sample and with workloads left out, a prediction with its interval.
//!
//! `cargo run --release --example fit_your_csv`, for the rows of the shipped scenario, or
//! `cargo run --release --example fit_your_csv -- measured.csv` with the columns `input_tokens`, `output_tokens`,
//! `concurrency`, `ttft_ms`, `itl_ms`; then say in `run` which system it is.

use std::path::Path;

use perfmodel::calibration::{FitOptions, Provenance, Target};
use perfmodel::dataset::read_measurements;
use perfmodel::error::Result;
use perfmodel::estimator;
use perfmodel::evaluation::{StudyInput, StudyMember, run_study};
use perfmodel::forecast::Forecaster;
use perfmodel::spec::{Catalog, SpecFile};
use perfmodel::workload::{LoadKind, Workload};

fn main() {
    if let Err(error) = run() {
        eprintln!("error: {error}");
        std::process::exit(error.exit_code().into());
    }
}

fn run() -> Result<()> {
    let catalog = Catalog::built_in();
    let shipped = catalog.scenario_folder("llama31_8b_fp8_tp1")?;
    // Model, device and deployment that were measured; `System::new` makes others.
    let system = catalog.resolve(&shipped)?.system;
    let file = match std::env::args_os().nth(1) {
        Some(path) => SpecFile::open(Path::new(&path))?,
        None => shipped.measured,
    };
    let (estimator, load) = (estimator::by_name("serving")?, LoadKind::ClosedLoop);
    let member = StudyMember {
        id: file.label.clone(),
        title: system.title(),
        system: system.clone(),
        load,
        dataset: read_measurements(&file, load)?,
        provenance: Provenance::default(),
        campaign: 0,
    };
    let input = StudyInput {
        id: file.label.clone(),
        members: vec![member],
        keep: Vec::new(),
        exclude: Vec::new(),
        estimator,
        options: FitOptions::default(),
        validate: true,
        leave_out: Vec::new(),
    };
    let study = run_study(input, &|_done, _all| ())?;

    let scenario = &study.scenarios[0];
    println!("{}, {} rows of {}\n", scenario.title, scenario.rows.len(), scenario.id);
    println!("{:22} {:>5} {:>10} {:>10}  flag", "parameter", "unit", "value", "± error");
    for p in &study.fit.parameters {
        let error = p.std_error.map_or_else(|| "–".to_owned(), |error| format!("{error:.3}"));
        println!("{:22} {:>5} {:>10.3} {error:>10}  {}", p.parameter.name, p.parameter.unit, p.value, p.flag.name());
    }
    println!("\n{:26} {:>8} {:>8}", "mean absolute error", "TTFT %", "ITL %");
    for (what, errors) in scenario.error_lines() {
        println!("{what:26} {:>8.2} {:>8.2}", errors.ttft.mape_pct, errors.itl.mape_pct);
    }

    let target = Target { scenario: Some(&scenario.id), system: &system, load, campaign: None };
    let asked = Workload::new(2000.0, 300.0, 40.0)?;
    let forecast = Forecaster::new(estimator, &target, Some(&study.record))?.forecast(&asked);
    println!("\n40 clients, 2000 tokens in, 300 out, with 90 % intervals");
    for (name, mean, interval) in
        [("TTFT", forecast.prediction.ttft, forecast.ttft), ("ITL", forecast.prediction.itl, forecast.itl)]
    {
        println!("{name:4} {:>7.2} ms ({:.2} – {:.2})", mean.as_ms(), interval.low.as_ms(), interval.high.as_ms());
    }
    for caution in study.cautions() {
        println!("Caution: {caution}");
    }
    Ok(())
}
