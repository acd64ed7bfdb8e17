//! Compared runs held against the model.

use clap::Args;

use crate::app::ResolvedSystem;
use crate::app::cautions;
use crate::cli::names;
use crate::cli::system_args::SystemArgs;
use crate::comparison::{Asked, CompareReport, HeldModel, ModelLatencies, Predicted};
use crate::error::{Error, Result};
use crate::forecast::{Capacity, Forecast, Forecaster};
use crate::spec::Catalog;
use crate::workload::{LoadKind, Workload};

/// Lengths of prompts at which TTFT is predicted for the scatter.
const LENGTHS: u32 = 24;

/// Flags that name a system to hold the runs against.
#[derive(Debug, Args)]
#[command(mut_group("system", |group| group.required(false)))]
pub struct ModelArgs {
    #[command(flatten)]
    system: SystemArgs,

    /// Clients of the runs that do not tell, for the prediction
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000_000))]
    clients: Option<u32>,
}

impl ModelArgs {
    /// Clients of the runs that do not tell.
    pub fn clients(&self) -> Option<u32> {
        self.clients
    }

    /// The system that is named; `None` where none is.
    ///
    /// # Errors
    /// Flags of a system without one, or one that cannot be.
    pub fn resolve(&self, catalog: &Catalog) -> Result<Option<ResolvedSystem>> {
        let request = self.system.request();
        if request.is_named() {
            names::remark_on_request(catalog, &request);
            return request.resolve(catalog).map(Some);
        }
        request.check_unused()?;
        match self.clients {
            Some(_) => Err(Error::input("--clients is for predictions, and no system is named")
                .help("give --scenario ID, or --model and --hardware")),
            None => Ok(None),
        }
    }
}

/// Predicts every side of a report under its own workload; a side that cannot be is a caution.
///
/// # Errors
/// The system cannot be predicted.
pub fn hold(report: &mut CompareReport, target: &ResolvedSystem) -> Result<()> {
    let forecaster = target.forecaster(LoadKind::ClosedLoop)?;
    let capacity = Capacity::of(&target.system, &forecaster)?;
    let mut workloads = Vec::new();
    let mut unheld = Vec::new();
    for group in &mut report.groups {
        for side in &group.sides {
            let predicted = Asked::of(side).and_then(|asked| {
                predict(&forecaster, &capacity, asked, &mut workloads)
                    .map_err(|error| format!("{}: {}", side.name, error.message()))
            });
            if let Err(why) = &predicted {
                unheld.push(format!("not held against the model, {why}"));
            }
            group.model.push(predicted.ok());
        }
    }
    unheld.extend(cautions(target, &forecaster, &workloads));
    report.model = Some(HeldModel { title: target.title.clone(), basis: target.basis(), cautions: unheld });
    Ok(())
}

fn predict(
    forecaster: &Forecaster,
    capacity: &Capacity,
    asked: Asked,
    workloads: &mut Vec<Workload>,
) -> Result<ModelLatencies> {
    let at = |input: f64| Workload::new(input, asked.output_tokens, f64::from(asked.clients));
    let workload = at(asked.input_tokens)?;
    capacity.check(&workload)?;
    workloads.push(workload);
    let forecast: Forecast = forecaster.forecast(&workload);
    let (first, last) = asked.input_range;
    let mut ttft_over_input = Vec::new();
    for k in 0..LENGTHS {
        let input = first + (last - first) * f64::from(k) / f64::from(LENGTHS - 1);
        ttft_over_input.push((input, forecaster.forecast(&at(input)?).prediction.ttft.get()));
    }
    let ends = |value: crate::units::Seconds, interval: crate::calibration::Interval| Predicted {
        value: value.get(),
        low: interval.low.get(),
        high: interval.high.get(),
    };
    Ok(ModelLatencies {
        asked,
        ttft: ends(forecast.prediction.ttft, forecast.ttft),
        tpot: ends(forecast.prediction.itl, forecast.itl),
        ttlt: ends(forecast.end_to_end(), forecast.end_to_end_interval()),
        ttft_over_input,
    })
}
