//! The roofline fitted to live runs: one set of parameters for the baseline, Hydra and PoE, of one or several runs on one
//! device.

mod record;
mod rows;
mod study;

pub use record::{LiveErrors, LiveRecord, RecordedRun};
pub use rows::{DevicePeaks, KindErrors, LiveMetric, LiveRow, LiveRun, data_type, live_run};
pub use study::{BreakEven, LiveStudy, LiveStudyInput, Unseen, predict_results, run_live_study};
