//! Which device serves a demand within limits on TTFT and ITL, and what it costs: every device of the catalogue, one or
//! two in tensor parallelism, up to eight of them, predicted from priors alone.
//!
//! `cargo run --release --example which_gpu`

use perfmodel::error::Result;
use perfmodel::estimator;
use perfmodel::planning::{Placement, Question, Slo, plan};
use perfmodel::spec::{Catalog, Deployment, Kind, Precision, System};
use perfmodel::units::Seconds;
use perfmodel::workload::Workload;

const MODEL: &str = "qwen3_8b";

fn main() -> Result<()> {
    let catalog = Catalog::built_in();
    let model = catalog.model(MODEL)?;
    let mut placements = Vec::new();
    for id in catalog.ids(Kind::Hardware) {
        let hardware = catalog.hardware(&id)?;
        let Some(usd_per_gpu_hour) = hardware.price.as_ref().map(|price| price.usd_per_gpu_hour) else { continue };
        for tensor_parallel in [1, 2] {
            let deployment = Deployment::new(tensor_parallel, Precision::Bf16)?;
            let system = System::new(hardware.clone(), model.clone(), deployment)?;
            placements.push(Placement { hardware: id.clone(), system, usd_per_gpu_hour: Some(usd_per_gpu_hour) });
        }
    }

    let question = Question {
        demand: Workload::new(1000.0, 200.0, 100.0)?,
        slo: Slo { ttft: Some(Seconds::from_ms(1000.0)), itl: Some(Seconds::from_ms(30.0)), ..Slo::default() },
        replicas: (1..=8).collect(),
        most_gpus: 8,
        estimator: estimator::by_name("serving")?,
        calibration: None,
        scenario: None,
        campaign: None,
        given: Vec::new(),
    };
    let plan = plan(placements, &question, &|_, _| ())?;

    println!("{}: 100 clients, 1000 tokens in, 200 out; TTFT up to 1000 ms, ITL up to 30 ms", model.name);
    println!("(in brackets the upper ends of 90 % intervals, which must hold the limits)\n");
    println!("{:26} {:>13} {:>6} {:>16} {:>14}", "device", "replicas x TP", "$/h", "TTFT ms", "ITL ms");
    for option in &plan.options {
        let Some(fitting) = option.fitting() else { continue };
        let (best, forecast) = (&fitting.configuration, &fitting.configuration.forecast);
        let with_high = |value: Seconds, high: Seconds| format!("{:.1} ({:.1})", value.as_ms(), high.as_ms());
        println!(
            "{:26} {:>13} {:>6.2} {:>16} {:>14}",
            option.placement.system.hardware().name,
            format!("{} x {}", best.replicas, option.placement.system.deployment().parallelism.tp()),
            best.usd_per_hour.unwrap_or(f64::NAN),
            with_high(forecast.prediction.ttft, forecast.ttft.high),
            with_high(forecast.prediction.itl, forecast.itl.high),
        );
    }
    match plan.options.first().and_then(|first| Some((first.placement.system.title(), first.fitting()?.configuration)))
    {
        Some((title, best)) => println!("\nThe cheapest: {} replicas of {title}", best.replicas),
        None => println!("\nNone of {} configurations holds the limits", plan.configurations()),
    }
    Ok(())
}
