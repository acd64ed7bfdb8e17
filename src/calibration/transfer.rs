//! Carrying a calibration to a system that it never saw.

use nalgebra::DMatrix;

use super::identifiability::Flag;
use super::propagation::Spread;
use super::record::{CalibrationRecord, FittedScenario, RecordedParameter};
use crate::parameter::{Owner, Parameter, Scale};
use crate::spec::{Campaign, System};
use crate::workload::{LoadKind, Workload};

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Origin {
    /// Fitted by the calibration, for the hardware, engine or campaign at hand.
    Calibrated,
    /// As [`Origin::Calibrated`], but where the fit ran into a bound: not a measurement.
    OnBound,
    /// Fitted by the calibration on another device or campaign.
    Carried,
    /// The median of its documented prior: the calibration says nothing of it, or there is none.
    Prior,
    /// As [`Origin::Prior`], of a parameter of which nothing is known beforehand: where fits of it begin.
    Unfitted,
    /// Fitted to the scenario at hand with `--refit`.
    Refitted,
    /// Given by the user.
    Given,
}

impl Origin {
    /// Where the value of a parameter comes from before any fit.
    fn unfitted(parameter: &Parameter) -> Self {
        if parameter.spread.is_some() { Self::Prior } else { Self::Unfitted }
    }

    /// Name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Calibrated => "calibrated",
            Self::OnBound => "calibrated, on a bound",
            Self::Carried => "carried over",
            Self::Prior => "prior",
            Self::Unfitted => "not fitted",
            Self::Refitted => "refitted",
            Self::Given => "given",
        }
    }
}

/// What is to be predicted, as far as it decides what a calibration says of it.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Scenario, if it is one.
    pub scenario: Option<&'a str>,
    /// The system.
    pub system: &'a System,
    /// The load.
    pub load: LoadKind,
    /// Who measures it, if anybody does.
    pub campaign: Option<&'a Campaign>,
}

/// Values of a predictor's parameters, how sure they are, and where each comes from.
#[derive(Debug, Clone)]
pub struct Transferred {
    /// Values in the order of the predictor's parameters.
    pub values: Vec<f64>,
    /// Covariance of their coordinates.
    pub covariance: DMatrix<f64>,
    /// Where each comes from.
    pub origins: Vec<Origin>,
}

impl Transferred {
    /// The priors alone; what has none stands where a fit begins.
    pub fn priors(parameters: &[Parameter]) -> Self {
        let variances = parameters.iter().map(|parameter| parameter.spread.map_or(0.0, |spread| spread * spread));
        Self {
            values: parameters.iter().map(|parameter| parameter.default).collect(),
            covariance: DMatrix::from_diagonal(&nalgebra::DVector::from_iterator(parameters.len(), variances)),
            origins: parameters.iter().map(Origin::unfitted).collect(),
        }
    }

    /// What a calibration says of a target; priors for what it does not say.
    ///
    /// Hardware and engine parameters are taken as they are; a device that the calibration did not see adds the spread of
    /// the prior to their uncertainty. Those of a campaign belong to it: a scenario of another campaign has the mean of the
    /// calibrated campaigns and of one more at the prior, which is what they say of a new one if the prior is as uncertain
    /// as campaigns differ. (The two shipped ones predict each other better so than with each other's values: ITL 4.3
    /// instead of 5.4 %, median TTFT 32 instead of 54 %.) A system that is no scenario is taken to be loaded as the
    /// calibrated ones were, with the mean of their campaigns.
    pub fn of(record: &CalibrationRecord, parameters: &[Parameter], target: &Target<'_>) -> Self {
        let mut carried = Self::priors(parameters);
        let same_device = record.scenarios.iter().any(|s| s.hardware == target.system.hardware().name);
        let own_campaign =
            record.scenarios.iter().find(|s| target.scenario == Some(s.scenario.as_str())).map(|s| s.campaign);
        // For each parameter the recorded ones that it is the mean of.
        let mut places: Vec<Vec<usize>> = Vec::new();
        for (index, parameter) in parameters.iter().enumerate() {
            let named: Vec<usize> =
                (0..record.parameters.len()).filter(|&i| record.parameters[i].name == parameter.name).collect();
            let own: Vec<usize> =
                named.iter().copied().filter(|&i| record.parameters[i].campaign == own_campaign).collect();
            let is_own = parameter.owner != Owner::Campaign || (own_campaign.is_some() && !own.is_empty());
            let used = match parameter.owner {
                Owner::Campaign if is_own => own,
                _ => named,
            };
            let home = match parameter.owner {
                Owner::Hardware => same_device,
                Owner::Engine => true,
                Owner::Campaign => is_own,
            };
            let shrunk = parameter.owner == Owner::Campaign && !is_own && target.scenario.is_some();
            let recorded: Vec<_> = used.iter().map(|&i| &record.parameters[i]).collect();
            carried.adopt(index, parameter, &recorded, home, shrunk);
            places.push(used);
        }
        carried.add_recorded_covariance(record, parameters, &places);
        carried
    }

    /// Takes a parameter's value from recorded ones, `shrunk` with the prior as one more of them, and sets the variance that
    /// does not come from their covariance.
    fn adopt(
        &mut self,
        index: usize,
        parameter: &Parameter,
        recorded: &[&RecordedParameter],
        home: bool,
        shrunk: bool,
    ) {
        if recorded.is_empty() {
            return;
        }
        let prior = parameter.spread.map_or(0.0, |spread| spread * spread);
        let coordinate = |value: f64| match parameter.scale {
            Scale::Linear => value,
            Scale::Log => value.max(f64::MIN_POSITIVE).ln(),
        };
        let count = recorded.len() as f64;
        let mean = recorded.iter().map(|p| coordinate(p.value)).sum::<f64>() / count;
        let value = if shrunk { (count * mean + coordinate(parameter.default)) / (count + 1.0) } else { mean };
        self.values[index] = match (recorded, parameter.scale) {
            ([only], _) if !shrunk => only.value,
            (_, Scale::Linear) => value,
            (_, Scale::Log) => value.exp(),
        };
        let held = recorded.iter().all(|p| p.flag == Flag::Fixed.name());
        let at_prior = held && recorded.iter().all(|p| p.value.to_bits() == parameter.default.to_bits());
        let bounded = recorded.iter().any(|p| p.flag == Flag::AtBound.name());
        let between = recorded.iter().map(|p| (coordinate(p.value) - mean).powi(2)).sum::<f64>() / count;
        let origin = match (at_prior, held, home) {
            (true, ..) => Origin::unfitted(parameter),
            (false, true, _) => Origin::Given,
            (false, false, true) if bounded => Origin::OnBound,
            (false, false, true) => Origin::Calibrated,
            (false, false, false) => Origin::Carried,
        };
        self.covariance[(index, index)] = if origin == Origin::Carried { prior.max(between) } else { 0.0 };
        self.origins[index] = origin;
    }

    /// Adds the covariance of the calibration, means of several campaigns included.
    fn add_recorded_covariance(&mut self, record: &CalibrationRecord, parameters: &[Parameter], places: &[Vec<usize>]) {
        for row in 0..parameters.len() {
            for column in 0..parameters.len() {
                let pairs = places[row].iter().flat_map(|&i| places[column].iter().map(move |&j| (i, j)));
                let count = (places[row].len() * places[column].len()) as f64;
                let sum: f64 = pairs.map(|(i, j)| record.covariance[i][j]).sum();
                if count > 0.0 {
                    self.covariance[(row, column)] += sum / count;
                }
            }
            // A calibration made without priors does not say how far a held value may be off.
            if self.origins[row] == Origin::Prior && self.covariance[(row, row)] == 0.0 {
                self.covariance[(row, row)] = parameters[row].spread.map_or(0.0, |spread| spread * spread);
            }
        }
    }

    /// The values and how uncertain they are.
    pub fn spread(&self) -> Spread {
        Spread::new(&self.values, &self.covariance)
    }

    /// Holds a parameter at a value that is known for sure.
    pub fn give(&mut self, index: usize, value: f64) {
        self.values[index] = value;
        self.origins[index] = Origin::Given;
        self.covariance.row_mut(index).fill(0.0);
        self.covariance.column_mut(index).fill(0.0);
    }
}

/// An axis on which a target lies outside what a calibration saw.
#[derive(Debug, Clone, PartialEq)]
pub struct Outside {
    /// Name of the axis.
    pub axis: &'static str,
    /// What was seen and what is asked, in words.
    pub what: String,
}

/// Axes of the system on which it differs from all that a calibration saw.
pub fn system_outside(scenarios: &[FittedScenario], target: &Target<'_>) -> Vec<Outside> {
    let mut outside = Vec::new();
    let mut compare = |axis: &'static str, asked: String, seen: &dyn Fn(&FittedScenario) -> Option<String>| {
        let mut known: Vec<String> = scenarios.iter().filter_map(seen).collect();
        known.dedup();
        if !known.is_empty() && !known.contains(&asked) {
            outside
                .push(Outside { axis, what: format!("{axis}: calibrated on {}, asked for {asked}", known.join(", ")) });
        }
    };
    let deployment = target.system.deployment();
    compare("model", target.system.model().name.clone(), &|s| Some(s.model.clone()));
    compare("hardware", target.system.hardware().name.clone(), &|s| Some(s.hardware.clone()));
    compare("tensor_parallel", deployment.parallelism.tp().to_string(), &|s| {
        Some(s.deployment.tensor_parallel.to_string())
    });
    compare("weight_precision", deployment.formats.weights.to_string(), &|s| {
        Some(s.deployment.weight_precision.to_string())
    });
    compare("kv_precision", deployment.formats.kv.to_string(), &|s| Some(s.deployment.kv_precision.to_string()));
    compare("load", target.load.to_string(), &|s| Some(s.load.to_string()));
    if let Some(campaign) = target.campaign {
        compare("engine", campaign.engine.clone(), &|s| Some(s.provenance.campaign.as_ref()?.engine.clone()));
    }
    outside
}

/// Axes of the workloads that leave the range that a calibration saw.
pub fn workload_outside<'a>(
    scenarios: &[FittedScenario],
    workloads: impl Iterator<Item = &'a Workload> + Clone,
) -> Vec<Outside> {
    let mut outside = Vec::new();
    let kind = workloads.clone().next().map(Workload::kind);
    let mut compare = |axis, range: Option<[f64; 2]>, value: fn(&Workload) -> f64| {
        let Some([low, high]) = range else { return };
        let [least, most] = together(workloads.clone().map(|workload| [value(workload); 2]));
        if least < low || most > high {
            let asked = if least == most { format!("{least}") } else { format!("{least} – {most}") };
            outside.push(Outside { axis, what: format!("{axis}: calibrated on {low} – {high}, asked for {asked}") });
        }
    };
    let [inputs, outputs, loads] = ranges(scenarios, kind);
    compare("input_tokens", inputs, Workload::input_tokens);
    compare("output_tokens", outputs, Workload::output_tokens);
    let axis = match kind {
        Some(LoadKind::OpenLoop) => "rate_rps",
        Some(LoadKind::StaticBatch) => "batch",
        _ => "concurrency",
    };
    compare(axis, loads, Workload::amount);
    outside
}

/// The workload in the calibrated range that is nearest to one outside it; `None` for one inside.
pub fn nearest_inside(scenarios: &[FittedScenario], workload: &Workload) -> Option<Workload> {
    let inside = |value: f64, range: Option<[f64; 2]>| range.map_or(value, |[low, high]| value.max(low).min(high));
    let [inputs, outputs, loads] = ranges(scenarios, Some(workload.kind()));
    let nearest = Workload::under(
        workload.kind(),
        inside(workload.input_tokens(), inputs),
        inside(workload.output_tokens(), outputs),
        inside(workload.amount(), loads),
    );
    nearest.ok().filter(|nearest| nearest != workload)
}

/// Ranges of input tokens, output tokens and load that a calibration saw; the load only under its own kind.
fn ranges(scenarios: &[FittedScenario], kind: Option<LoadKind>) -> [Option<[f64; 2]>; 3] {
    let over = |of: &dyn Fn(&FittedScenario) -> Option<[f64; 2]>| {
        let mut seen = scenarios.iter().filter_map(of).peekable();
        seen.peek().is_some().then(|| together(seen))
    };
    [
        over(&|s| Some(s.input_tokens)),
        over(&|s| Some(s.output_tokens)),
        over(&|s| (Some(s.load) == kind).then_some(s.load_range)),
    ]
}

/// The range that holds several.
fn together(ranges: impl Iterator<Item = [f64; 2]>) -> [f64; 2] {
    ranges.fold([f64::INFINITY, 0.0], |[low, high], [a, b]| [low.min(a), high.max(b)])
}
