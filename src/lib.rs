//! Predicts LLM inference latency from first principles and calibrates itself on measurements.
//!
//! The flow, lowest module first; each uses only those before it:
//!
//! ```text
//! units, error      quantities as types; errors with place and remedy
//! number            numbers as texts
//! stats             repeated timings: outliers, summary, density; samples compared: bootstrap, ranks, shifts
//! poe               speculative decoding of a product of experts, over any model
//! bench             timing a live model: configuration, harness, results
//! workload          prompt length, answer length, load: clients, a rate, a batch
//! spec              hardware, models, deployments, scenarios: TOML → checked types
//! dataset           measured.csv → measurements
//! prediction        what an estimator answers: latencies, named parts, what binds
//! parameter         what a fit may change: owner, bounds, prior
//! engine            one step: operators on devices → FLOPs and bytes → time; memory
//! roofline          the operators of a step under the roofs of a device
//! insights          what attention variants cost and buy: tables of training runs, and what a device serves with each
//! passes            forward passes of live models and rounds of PoE under the same roofline
//! serving           a continuously batching engine under a load: closed loop of clients, open loop, static batch
//! estimator         the trait, and its implementations
//! calibration       loss, optimiser, identifiability, left-out validation, intervals, transfer
//! forecast          a calibration or priors applied to a system, with intervals and what lies outside
//! planning          which devices, how many, at what cost, for a service-level objective
//! evaluation        errors; the main job and its relatives as functions
//! live    (feature) OLMo-2, Hydra and PoE on candle; nothing of the roofline
//! requests (logs)   logs of single requests: LLMeter's folders, JSON lines, tables
//! comparison (logs) measured runs held against each other
//! import  (logs)    result files of measuring tools → rows of a scenario
//! app               for every command a request, a function, an answer
//! report  (feature) answers as text, tables, charts, pages
//! cli     (feature) words → requests, answers → standard output
//! ```
//!
//! [`prelude`] has what most programs need, [`app`] what the command line can do. Below them a prediction needs a [`spec::System`],
//! a [`workload::Workload`] and [`serving::ServingParameters`]:
//!
//! ```
//! use perfmodel::serving::{ServingModel, ServingParameters};
//! use perfmodel::spec::{Catalog, Deployment, Precision, System};
//! use perfmodel::workload::Workload;
//!
//! let catalog = Catalog::built_in();
//! let deployment = Deployment::new(2, Precision::Bf16)?;
//! let system = System::new(catalog.hardware("h200_sxm_141gb")?, catalog.model("qwen3_32b")?, deployment)?;
//! let model = ServingModel::new(&system)?;
//! let few = model.predict(&Workload::new(1000.0, 200.0, 8.0)?, &ServingParameters::default());
//! let many = model.predict(&Workload::new(1000.0, 200.0, 64.0)?, &ServingParameters::default());
//! assert!(many.ttft > few.ttft && many.throughput > few.throughput);
//! # Ok::<(), perfmodel::error::Error>(())
//! ```

pub mod app;
pub mod bench;
pub mod calibration;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "logs")]
pub mod comparison;
pub mod dataset;
pub mod engine;
pub mod error;
pub mod estimator;
pub mod evaluation;
pub mod forecast;
#[cfg(feature = "logs")]
pub mod import;
pub mod insights;
#[cfg(feature = "live")]
pub mod live;
pub mod number;
pub mod parameter;
pub mod passes;
pub mod planning;
pub mod poe;
pub mod prediction;
pub mod prelude;
#[cfg(feature = "report")]
pub mod report;
#[cfg(feature = "logs")]
pub mod requests;
pub mod roofline;
pub mod serving;
pub mod spec;
pub mod stats;
pub mod units;
pub mod workload;

/// Compiles and runs the Rust examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExamples;
