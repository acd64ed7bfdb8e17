//! What can be asked: for every command a request, a function, and an answer.
//!
//! A request has the keys of the command's flags and comes as a struct or as JSON. An answer serialises to what
//! `--format json` prints, with units in its names; what is not known is null, and a [`Status`] says why. The command line
//! turns words into requests and answers into text and pages; other front ends do the same.
//!
//! ```
//! use perfmodel::app::{self, PredictRequest};
//! use perfmodel::spec::Catalog;
//!
//! let catalog = Catalog::built_in();
//! let request: PredictRequest = app::from_json(
//!     r#"{"model": "qwen3_32b", "hardware": "h200_sxm_141gb", "tp": 2,
//!         "input_tokens": 1000, "output_tokens": 200, "concurrency": [1, 8, 64]}"#,
//! )?;
//! let answer = app::predict(&catalog, &request)?;
//! for row in &answer.predictions {
//!     println!("{:?} clients: ITL {:.1} ms", row.concurrency, row.itl_ms);
//! }
//! assert!(answer.predictions.is_sorted_by(|few, many| few.throughput_tok_s < many.throughput_tok_s));
//! # Ok::<(), perfmodel::error::Error>(())
//! ```
//!
//! What takes a while reports how far it is:
//!
//! ```
//! use perfmodel::app::{self, PlanRequest};
//! use perfmodel::spec::Catalog;
//!
//! let request: PlanRequest = app::from_json(
//!     r#"{"model": "llama31_8b", "users": 200, "input_tokens": 1000, "output_tokens": 200,
//!         "slo_ttft_ms": 2000, "slo_itl_ms": 30, "hardware": ["h100*", "l40s_48gb"], "prices": {"l40s_48gb": 0.9}}"#,
//! )?;
//! let as_struct = PlanRequest {
//!     model: Some("llama31_8b".to_owned()),
//!     users: Some(200),
//!     input_tokens: Some(1000.0.into()),
//!     output_tokens: Some(200.0.into()),
//!     slo_ttft_ms: Some(2000.0),
//!     slo_itl_ms: Some(30.0),
//!     hardware: vec!["h100*".to_owned(), "l40s_48gb".to_owned()],
//!     prices: app::Values(vec![("l40s_48gb".to_owned(), 0.9)]),
//!     ..PlanRequest::default()
//! };
//! assert_eq!(request, as_struct);
//! let answer = app::plan(&Catalog::built_in(), &request, &|done, of| eprintln!("{done} of {of} placements"))?;
//! let first = &answer.options[0].configuration;
//! println!("{} × {} for {:?} USD/h", first.gpus, first.placement.hardware, first.usd_per_hour);
//! assert!(first.itl_high_ms <= 30.0 && first.ttft_high_ms.is_some_and(|high| high <= 2000.0));
//! # Ok::<(), perfmodel::error::Error>(())
//! ```
//!
//! A fit, asked for as JSON and as a struct:
//!
//! ```
//! use perfmodel::app::{self, FitRequest, MeasuredRequest};
//! use perfmodel::spec::Catalog;
//!
//! let from_json: FitRequest = app::from_json(
//!     r#"{"scenario": ["llama31_8b_fp8_tp1"], "rows": ["concurrency<=50"], "fix": {"burst_tail_share": 0.03}, "validate": false}"#,
//! )?;
//! let measured = MeasuredRequest { scenario: vec!["llama31_8b_fp8_tp1".to_owned()], ..MeasuredRequest::default() };
//! let request = FitRequest {
//!     measured,
//!     rows: vec!["concurrency<=50".parse()?],
//!     fix: app::Values(vec![("burst_tail_share".to_owned(), 0.03)]),
//!     validate: false, // `true` predicts each workload by a fit to the others
//!     ..FitRequest::default()
//! };
//! assert_eq!(from_json, request);
//!
//! let answer = app::fit(&Catalog::built_in(), &request, &|_done, _folds| ())?;
//! for parameter in &answer.parameters {
//!     println!("{:24} {:10.4} {}", parameter.name, parameter.value, parameter.unit);
//! }
//! let errors = &answer.fitted.together;
//! assert!(errors.optimized.loss < errors.baseline.loss);
//! # Ok::<(), perfmodel::error::Error>(())
//! ```

mod bench;
#[cfg(feature = "live")]
mod bench_run;
mod check;
#[cfg(feature = "logs")]
pub mod compare;
mod evaluate;
mod evaluate_table;
mod fit;
mod fit_live;
#[cfg(feature = "logs")]
pub mod import;
mod init;
mod insights;
mod lengths;
mod list;
mod measured;
mod numbers;
mod parameter;
mod plan;
mod plot;
mod predict;
mod probe;
#[cfg(feature = "live")]
mod probe_run;
mod remarks;
mod report;
mod request;
mod roofline;
#[cfg(feature = "schema")]
mod schema;
pub(crate) mod system;

use serde::{Deserialize, Serialize};

pub use bench::{BenchAnswer, BenchRequest};
#[cfg(feature = "live")]
pub use bench_run::{BenchRun, bench};
pub use check::{CheckAnswer, CheckRequest, CheckedScenario, ComparisonAnswer, LimitsRequest, check};
#[cfg(feature = "logs")]
pub use compare::{CompareAnswer, CompareRequest, compare};
pub use evaluate::{EvaluateAnswer, EvaluateRequest, IntervalCoverageAnswer, VariantAnswer, evaluate};
pub use evaluate_table::{
    EvaluateTableAnswer, EvaluateTableRequest, PredictedRow, RefusedRow, TableCell, TableErrors, evaluate_table,
};
pub use fit::{
    FitAnswer, FitRequest, FittedScenarios, GroupAnswer, LeftOutAnswer, MOST_STARTS, ScenarioAnswer, TogetherAnswer,
    ValidationAnswer, fit,
};
pub use fit_live::{BreakEvenAnswer, FitLiveAnswer, LiveRunAnswer, UnseenAnswer, fit_live};
#[cfg(feature = "logs")]
pub use import::{ImportAnswer, ImportRequest, import};
pub use init::{InitAnswer, init};
pub use insights::{
    ArchitectureAnswer, BatchLineAnswer, BatchSeriesAnswer, BatchStepAnswer, BatchSweepAnswer, DialAnswer,
    DialPointAnswer, EqualCacheAnswer, FrontRunAnswer, InsightsAnswer, InsightsRequest, InsightsTableAnswer,
    MissingAnswer, PanelAnswer, QuartilesAnswer, RatioAnswer, ReferenceAnswer, SliceAnswer, SpeedAnswer, SpreadAnswer,
    TotalAnswer, VariantCurveAnswer, VariantPointAnswer, VariantsAnswer, insights,
};
pub use lengths::LengthList;
pub use list::{HardwareListed, ListAnswer, ListRequest, ListedKind, ModelListed, ScenarioListed, list};
pub use measured::{LiveMeasured, Measured, MeasuredRequest};
pub use numbers::Numbers;
pub use parameter::ParameterAnswer;
pub use plan::{
    ConfigurationAnswer, ParetoPoint, PlacementAnswer, PlanAnswer, PlanFailure, PlanOption, PlanRequest, PlanStudy,
    Refused, SloAnswer, TightestAnswer, plan,
};
pub use plot::{PlotAnswer, PlotRequest, plot};
pub use predict::{
    OpenLoopAnswer, PartsMs, PredictAnswer, PredictRequest, PredictStudy, PredictedWorkload, WorkloadRequest, predict,
};
pub use probe::{ProbeAnswer, ProbeRequest};
#[cfg(feature = "live")]
pub use probe_run::{ProbeRun, probe};
pub use report::{About, FoundResult, ReportAnswer, ReportRequest, ResultKind, report};
pub use request::{Values, from_json};
pub use roofline::{
    CeilingAnswer, OperatorAnswer, RoofAnswer, RooflineAnswer, RooflineRequest, RooflineStudy, StepAnswer, SweepAnswer,
    SweepCell, SweepContext, roofline,
};
#[cfg(feature = "schema")]
pub use schema::schemas;
pub use system::{
    NamedScenario, OpenedCalibration, ParametersRequest, PlacementRequest, ResolvedSystem, SystemAnswer, SystemRequest,
    results_folder,
};

use crate::forecast::Forecast;

/// Why a number of an answer may be null.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Status {
    /// Nothing is unbounded.
    Ok,
    /// As predicted it can be served; at the pessimistic end of the interval more requests arrive than can be.
    MayBeOverloaded,
    /// More requests arrive than can be served; the queue is unbounded.
    Overloaded,
}

impl Status {
    /// Of a predicted operating point.
    pub fn of(forecast: &Forecast) -> Self {
        if forecast.prediction.is_overloaded() {
            Self::Overloaded
        } else if forecast.may_be_overloaded() {
            Self::MayBeOverloaded
        } else {
            Self::Ok
        }
    }

    /// Name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::MayBeOverloaded => "may_be_overloaded",
            Self::Overloaded => "overloaded",
        }
    }
}

/// A number that JSON can hold; what is unbounded becomes null.
fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}
