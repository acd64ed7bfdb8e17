//! A scenario that a calibration never saw: predicted as it is, and with some parameters refitted.

use super::errors::{Errors, EvaluatedRow, overloaded};
use super::run::sorted;
use super::study::StudyMember;
use crate::calibration::{CalibrationRecord, FitOptions, Flag, Member, Origin, Outside, Target, Transferred, fit};
use crate::dataset::{Measurement, RowFilter};
use crate::error::{Error, Result, nearest_hint};
use crate::estimator::Estimator;
use crate::forecast::Forecaster;
use crate::parameter::{Owner, Parameter};
use crate::serving::Quantity;

/// Parameters that are refitted together.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refit {
    /// Everything that belongs to an owner.
    Owner(Owner),
    /// Latency and bandwidth of the link between devices.
    Link,
    /// One parameter.
    Named(String),
}

impl Refit {
    /// Reads `campaign`, `hardware`, `engine`, `link` or the name of a parameter.
    pub fn parse(text: &str) -> Self {
        match text {
            "campaign" => Self::Owner(Owner::Campaign),
            "hardware" => Self::Owner(Owner::Hardware),
            "engine" => Self::Owner(Owner::Engine),
            "link" => Self::Link,
            name => Self::Named(name.to_owned()),
        }
    }

    /// Name in tables.
    pub fn name(&self) -> &str {
        match self {
            Self::Owner(owner) => owner.name(),
            Self::Link => "link",
            Self::Named(name) => name,
        }
    }

    fn covers(&self, parameter: &Parameter) -> bool {
        match self {
            Self::Owner(owner) => parameter.owner == *owner && parameter.fitted,
            Self::Link => is_link(parameter),
            Self::Named(name) => parameter.name == name,
        }
    }
}

fn is_link(parameter: &Parameter) -> bool {
    Quantity::LINKS.iter().any(|quantity| quantity.parameter().name == parameter.name)
}

/// What to evaluate.
pub struct TransferInput<'a> {
    /// The scenario.
    pub member: StudyMember,
    /// Rows to keep.
    pub keep: Vec<RowFilter>,
    /// Rows to leave out.
    pub exclude: Vec<RowFilter>,
    /// The estimator.
    pub estimator: &'static dyn Estimator,
    /// The calibration; `None`: priors alone.
    pub calibration: Option<&'a CalibrationRecord>,
    /// Values that the user gives.
    pub given: Vec<(String, f64)>,
    /// What to refit on the scenario, together.
    pub refit: Vec<Refit>,
    /// How to refit.
    pub options: FitOptions,
}

/// A way to predict the scenario, and how well it does.
pub struct Variant {
    /// What was refitted; empty: nothing.
    pub refit: Vec<String>,
    /// Its predictions.
    pub forecaster: Forecaster,
    /// Its errors.
    pub errors: Errors,
}

impl Variant {
    /// Name in tables.
    pub fn name(&self) -> String {
        match self.refit.as_slice() {
            [] if self.forecaster.is_calibrated() => "as calibrated".to_owned(),
            [] if self.forecaster.has_priors() => "priors alone".to_owned(),
            [] => "before any fit".to_owned(),
            names => format!("refit {}", names.join(" + ")),
        }
    }
}

/// A scenario predicted by a calibration.
pub struct TransferStudy {
    /// The scenario.
    pub member: StudyMember,
    /// The estimator.
    pub estimator: &'static dyn Estimator,
    /// Every way that was tried, the plain one first. Those besides the one asked for are there to compare.
    pub variants: Vec<Variant>,
    /// Which of them was asked for.
    pub asked: usize,
    /// Every row as the one that was asked for predicts it.
    pub rows: Vec<EvaluatedRow>,
    /// Axes on which the scenario leaves what was calibrated.
    pub outside: Vec<Outside>,
}

impl TransferStudy {
    /// The way that was asked for.
    pub fn asked(&self) -> &Variant {
        &self.variants[self.asked]
    }

    /// Whether a calibration is behind it.
    pub fn is_calibrated(&self) -> bool {
        self.asked().forecaster.is_calibrated()
    }

    /// Share of rows whose TTFT and ITL lie inside their intervals, in percent.
    pub fn interval_coverage_pct(&self) -> [f64; 2] {
        let share = |inside: fn(&EvaluatedRow) -> bool| {
            100.0 * self.rows.iter().filter(|row| inside(row)).count() as f64 / self.rows.len() as f64
        };
        [share(|row| row.ttft_interval.holds(row.measured.ttft)), share(|row| row.itl_interval.holds(row.measured.itl))]
    }

    /// What a reader must know before trusting the predictions, one sentence each.
    pub fn cautions(&self) -> Vec<String> {
        let mut cautions = Vec::new();
        let forecaster = &self.asked().forecaster;
        match (forecaster.is_calibrated(), forecaster.has_priors()) {
            (true, _) => {}
            (false, true) => {
                cautions.push("no calibration is behind these predictions, only documented priors".to_owned());
            }
            (false, false) => cautions.push(
                "no calibration is behind these predictions, and the estimator has no priors: its parameters stand where a \
                 fit begins, and nothing says how far the predictions are off"
                    .to_owned(),
            ),
        }
        if forecaster.has_seen(&self.member.dataset.sha256) {
            cautions.push("the calibration was fitted to these very measurements; the errors are in sample".to_owned());
        }
        cautions.extend(forecaster.priors_in_words());
        let carried = forecaster.from_origin(Origin::Carried);
        if !carried.is_empty() {
            cautions.push(format!("carried over from another device or campaign: {}", carried.join(", ")));
        }
        cautions.extend(overloaded(self.rows.iter()));
        cautions.extend(self.outside.iter().map(|outside| format!("outside the calibrated range, {}", outside.what)));
        cautions
    }
}

/// Predicts a scenario from a calibration: as it is, with the link refitted where there is one, with the campaign
/// refitted, and with what was asked for.
///
/// # Errors
/// No row passes the filters, the system or the rows cannot be predicted, a refit names nothing that matters here or does
/// not converge.
pub fn run_transfer(input: TransferInput<'_>) -> Result<TransferStudy> {
    let TransferInput { member, keep, exclude, estimator, calibration, given, refit, options } = input;
    let rows = sorted(member.dataset.passing(&keep, &exclude));
    if rows.is_empty() {
        return Err(Error::input("no row is left after --rows and --exclude")
            .at(&member.dataset.label)
            .help("loosen the filters"));
    }
    // Rows that cannot be predicted are named with their lines.
    estimator
        .prepare(&member.system, member.load, &rows)
        .map_err(|error| if error.place().line.is_some() { error.or_at(&member.dataset.label) } else { error })?;
    let target = Target {
        scenario: Some(&member.id),
        system: &member.system,
        load: member.load,
        campaign: member.provenance.campaign.as_ref(),
    };
    let plain = || Forecaster::new(estimator, &target, calibration)?.given(&given);
    let has_link = plain()?.parameters().iter().any(is_link);
    let mut wanted: Vec<Vec<Refit>> = vec![Vec::new()];
    if has_link {
        wanted.push(vec![Refit::Link]);
    }
    wanted.push(vec![Refit::Owner(Owner::Campaign)]);
    let asked = wanted.iter().position(|one| *one == refit).unwrap_or_else(|| {
        wanted.push(refit);
        wanted.len() - 1
    });
    let variants = wanted
        .into_iter()
        .enumerate()
        .map(|(index, refit)| {
            let forecaster = plain()?;
            let forecaster = match refitted(estimator, &member, &rows, &forecaster, &refit, &options) {
                Ok(None) => forecaster,
                Ok(Some(carried)) => forecaster.with(carried),
                Err(error) if index == asked => return Err(error),
                // What was not asked for is only shown where it can be.
                Err(_) => return Ok(None),
            };
            let predicted: Vec<_> = rows.iter().map(|row| (*row, forecaster.predict(&row.workload))).collect();
            let errors = Errors::of(estimator.loss(), &predicted);
            let refit = refit.iter().map(|one| one.name().to_owned()).collect();
            Ok(Some((index, Variant { refit, forecaster, errors })))
        })
        .collect::<Result<Vec<_>>>()?;
    let variants: Vec<(usize, Variant)> = variants.into_iter().flatten().collect();
    let asked = variants.iter().position(|(index, _)| *index == asked).expect("the one asked for did not fail");
    let variants: Vec<Variant> = variants.into_iter().map(|(_, variant)| variant).collect();
    let forecaster = &variants[asked].forecaster;
    let evaluated = rows
        .iter()
        .map(|row| {
            let forecast = forecaster.forecast(&row.workload);
            EvaluatedRow {
                measured: *row,
                predicted: forecast.prediction,
                ttft_interval: forecast.ttft,
                itl_interval: forecast.itl,
            }
        })
        .collect();
    let outside = forecaster.outside(rows.iter().map(|row| &row.workload));
    Ok(TransferStudy { member, estimator, variants, asked, rows: evaluated, outside })
}

/// The values after a refit; `None` if nothing is to be refitted.
fn refitted(
    estimator: &dyn Estimator,
    member: &StudyMember,
    rows: &[Measurement],
    forecaster: &Forecaster,
    refit: &[Refit],
    options: &FitOptions,
) -> Result<Option<Transferred>> {
    let parameters = forecaster.parameters();
    for one in refit {
        if !parameters.iter().any(|parameter| one.covers(parameter)) {
            let known: Vec<&str> = parameters.iter().map(|parameter| parameter.name).collect();
            let near = match one {
                Refit::Named(name) => {
                    nearest_hint(name, known.iter().copied().chain(["campaign", "link", "hardware", "engine"]))
                }
                Refit::Owner(_) | Refit::Link => String::new(),
            };
            return Err(Error::input(format!("nothing here is `{}` to refit", one.name()))
                .help(format!("{near}give campaign, link, hardware, engine or one of {}", known.join(", "))));
        }
    }
    let freed = |parameter: &Parameter| refit.iter().any(|one| one.covers(parameter));
    if !parameters.iter().any(freed) {
        return Ok(None);
    }
    let carried = forecaster.carried();
    let options = FitOptions {
        fixed: parameters
            .iter()
            .zip(&carried.values)
            .filter(|(parameter, _)| !freed(parameter))
            .map(|(parameter, value)| (parameter.name.to_owned(), *value))
            .collect(),
        freed: parameters.iter().filter(|p| freed(p)).map(|parameter| parameter.name.to_owned()).collect(),
        ..options.clone()
    };
    let members = [Member { id: &member.id, system: &member.system, load: member.load, rows, campaign: 0 }];
    let fitted = fit(estimator, &members, &options)
        .map_err(|error| error.help("refit fewer parameters, or keep more rows of the scenario"))?;
    let mut after = carried.clone();
    for (index, parameter) in fitted.parameters.iter().enumerate().filter(|(_, p)| p.flag != Flag::Fixed) {
        after.give(index, parameter.value);
        after.origins[index] = Origin::Refitted;
    }
    let covariance = &fitted.members[0].covariance;
    for row in 0..parameters.len() {
        for column in 0..parameters.len() {
            if after.origins[row] == Origin::Refitted && after.origins[column] == Origin::Refitted {
                after.covariance[(row, column)] = covariance[(row, column)];
            }
        }
    }
    Ok(Some(after))
}
