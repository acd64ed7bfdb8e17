//! `fit`, the main job: an estimator fitted to measured systems.

use std::path::PathBuf;
use std::time::Instant;

use serde::{Deserialize, Serialize, Serializer};

use super::measured::MeasuredRequest;
use super::parameter::ParameterAnswer;
use super::remarks::Remarks;
use super::request::Values;
use super::system::default_estimator;
use crate::calibration::{Coverage, ErrorSummary, FitOptions, GroupKind};
use crate::dataset::RowFilter;
use crate::error::{Error, Result};
use crate::estimator;
use crate::evaluation::{Errors, GroupErrors, ScenarioStudy, Study, StudyInput, run_study};
use crate::spec::Catalog;

/// More starts than this never helped and look like a slip.
pub const MOST_STARTS: usize = 10_000;

/// What is fitted to which measurements, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct FitRequest {
    /// The measurements.
    #[serde(flatten)]
    pub measured: MeasuredRequest,
    /// Name of the estimator; live runs have one of their own.
    pub estimator: String,
    /// Parameters held at a value.
    pub fix: Values,
    /// Parameters to fit that are held by default.
    pub free: Vec<String>,
    /// Whether the data alone decide; else priors hold what the data leave open (priors.toml).
    pub no_priors: bool,
    /// Conditions that rows of the fit meet, such as `concurrency<=128`.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub rows: Vec<RowFilter>,
    /// Conditions of rows to leave out.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub exclude: Vec<RowFilter>,
    /// Seed of the random starts.
    pub seed: u64,
    /// Starts of the optimiser, the first from the defaults.
    pub starts: usize,
    /// Iterations of one start.
    pub max_iterations: u64,
    /// Whether to find errors out of sample, too.
    pub validate: bool,
    /// What to leave out in turn of several systems, which the fits to the others predict.
    pub leave_out: Vec<GroupKind>,
}

impl Default for FitRequest {
    fn default() -> Self {
        let FitOptions { seed, starts, max_iterations, fixed, freed, priors } = FitOptions::default();
        Self {
            measured: MeasuredRequest::default(),
            estimator: default_estimator().name().to_owned(),
            fix: Values(fixed),
            free: freed,
            no_priors: !priors,
            rows: Vec::new(),
            exclude: Vec::new(),
            seed,
            starts,
            max_iterations,
            validate: true,
            leave_out: Vec::new(),
        }
    }
}

impl FitRequest {
    /// How to fit.
    pub(super) fn options(&self) -> Result<FitOptions> {
        if !(1..=MOST_STARTS).contains(&self.starts) {
            return Err(
                Error::input(format!("{} starts", self.starts)).help(format!("give --starts from 1 to {MOST_STARTS}"))
            );
        }
        Ok(FitOptions {
            seed: self.seed,
            starts: self.starts,
            max_iterations: self.max_iterations,
            fixed: self.fix.to_vec(),
            freed: self.free.clone(),
            priors: !self.no_priors,
        })
    }
}

/// What was fitted, and how well it predicts; `--format json` prints it.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct FitAnswer {
    /// Errors of each scenario, and of all together.
    #[serde(flatten)]
    pub fitted: FittedScenarios,
    /// Name of the estimator.
    pub estimator: &'static str,
    /// Seed of the starts.
    pub seed: u64,
    /// Parameters.
    pub parameters: Vec<ParameterAnswer>,
    /// Errors of systems that fits did not see, one entry for each kind of group that was left out in turn.
    pub left_out: Vec<LeftOutAnswer>,
    /// Systems of a table that were left out because their model or device is not known here.
    pub unknown: Vec<String>,
    /// What to know before trusting the parameters.
    pub cautions: Vec<String>,
    /// What names were taken for.
    pub remarks: Vec<String>,
    /// Files that were written.
    pub files: Vec<PathBuf>,
    /// Time it took, files included.
    pub elapsed_s: f64,
    /// What tables and pages are made from.
    #[serde(skip)]
    pub study: Study,
}

/// Errors of scenarios that were fitted together. A single one is written as it is, several as a list.
#[derive(Debug, Clone, PartialEq)]
pub struct FittedScenarios {
    /// Each scenario.
    pub scenarios: Vec<ScenarioAnswer>,
    /// All their rows together.
    pub together: TogetherAnswer,
}

/// How [`FittedScenarios`] are written.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
enum Form<'a> {
    /// One scenario.
    One(&'a ScenarioAnswer),
    /// Several scenarios.
    Several {
        /// Each scenario.
        scenarios: &'a [ScenarioAnswer],
        /// All their rows together.
        together: &'a TogetherAnswer,
    },
}

impl Serialize for FittedScenarios {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let Self { scenarios, together } = self;
        match scenarios.as_slice() {
            [only] => Form::One(only),
            several => Form::Several { scenarios: several, together },
        }
        .serialize(serializer)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for FittedScenarios {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "FittedScenarios".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Form::json_schema(generator)
    }
}

/// A scenario of a fit.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ScenarioAnswer {
    /// Scenario id, folder name, or name of the measured file.
    pub scenario: String,
    /// Rows that the fit saw.
    pub rows: usize,
    /// With default parameters, before any fit.
    pub baseline: ErrorSummary,
    /// After the fit, in sample.
    pub optimized: ErrorSummary,
    /// Out of sample; null where that was not wanted.
    pub validation: Option<ValidationAnswer>,
    /// Share of left-out rows (one workload left out) inside their 90 % intervals; null without validation.
    pub coverage: Option<Coverage>,
}

impl From<&ScenarioStudy> for ScenarioAnswer {
    fn from(scenario: &ScenarioStudy) -> Self {
        let summary = |errors: Option<Errors>| errors.map(|errors| errors.summary());
        Self {
            scenario: scenario.id.clone(),
            rows: scenario.rows.len(),
            baseline: scenario.baseline.summary(),
            optimized: scenario.optimized.summary(),
            validation: scenario.validation.map(|validation| ValidationAnswer {
                leave_one_workload_out: summary(validation.leave_one_workload_out),
                leave_one_concurrency_out: summary(validation.leave_one_concurrency_out),
            }),
            coverage: scenario.coverage,
        }
    }
}

/// Errors out of sample; null where the rows do not allow such folds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ValidationAnswer {
    /// Each workload predicted by a fit to the others.
    pub leave_one_workload_out: Option<ErrorSummary>,
    /// Each load predicted by a fit to the others.
    pub leave_one_concurrency_out: Option<ErrorSummary>,
}

/// Errors over the rows of all scenarios.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct TogetherAnswer {
    /// Rows.
    pub rows: usize,
    /// With default parameters, before any fit.
    pub baseline: ErrorSummary,
    /// After the fit, in sample.
    pub optimized: ErrorSummary,
}

/// Errors of systems that fits did not see.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct LeftOutAnswer {
    /// What was left out in turn.
    pub by: GroupKind,
    /// Of all rows.
    pub errors: ErrorSummary,
    /// Mean over the groups.
    pub mean_ttft_mape_pct: f64,
    /// Mean over the groups.
    pub mean_itl_mape_pct: f64,
    /// Each group.
    pub groups: Vec<GroupAnswer>,
}

/// Systems that were left out together.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct GroupAnswer {
    /// What they have in common.
    pub name: String,
    /// Their rows.
    pub rows: usize,
    /// Errors of the fit to all others.
    pub errors: ErrorSummary,
}

impl From<&GroupErrors> for LeftOutAnswer {
    fn from(left_out: &GroupErrors) -> Self {
        let [mean_ttft_mape_pct, mean_itl_mape_pct] = left_out.mean_mape_pct();
        let group = |(name, rows, errors): &(String, usize, Errors)| GroupAnswer {
            name: name.clone(),
            rows: *rows,
            errors: errors.summary(),
        };
        Self {
            by: left_out.kind,
            errors: left_out.all.summary(),
            mean_ttft_mape_pct,
            mean_itl_mape_pct,
            groups: left_out.groups.iter().map(group).collect(),
        }
    }
}

/// Fits an estimator to measured systems and validates it; `progress` hears of finished folds and their number.
///
/// # Errors
/// The request cannot be; measurements are not known or cannot be read; the systems or the rows do not allow a fit, or it does
/// not converge.
pub fn fit(catalog: &Catalog, request: &FitRequest, progress: &(dyn Fn(usize, usize) + Sync)) -> Result<FitAnswer> {
    let started = Instant::now();
    let estimator = estimator::by_name(&request.estimator)?;
    let options = request.options()?;
    let measured = request.measured.resolve(catalog)?;
    let input = StudyInput {
        id: measured.id,
        members: measured.members,
        keep: request.rows.clone(),
        exclude: request.exclude.clone(),
        estimator,
        options,
        validate: request.validate,
        leave_out: request.leave_out.clone(),
    };
    let study = run_study(input, progress)?;
    let scenarios: Vec<ScenarioAnswer> = study.scenarios.iter().map(ScenarioAnswer::from).collect();
    let [baseline, optimized] = study.together.map(|errors| errors.summary());
    let rows = scenarios.iter().map(|scenario| scenario.rows).sum();
    let parameters = study.fit.parameters.iter();
    let parameters = parameters.map(|fitted| {
        let campaign = fitted.campaign.map(|campaign| study.campaign_name(campaign).to_owned());
        ParameterAnswer::fitted(fitted, campaign)
    });
    Ok(FitAnswer {
        fitted: FittedScenarios { scenarios, together: TogetherAnswer { rows, baseline, optimized } },
        estimator: estimator.name(),
        seed: study.record.seed,
        parameters: parameters.collect(),
        left_out: study.left_out.iter().map(LeftOutAnswer::from).collect(),
        unknown: measured.unknown,
        cautions: study.cautions(),
        remarks: Remarks::new(catalog).measured(&request.measured).said(),
        files: Vec::new(),
        elapsed_s: started.elapsed().as_secs_f64(),
        study,
    })
}
