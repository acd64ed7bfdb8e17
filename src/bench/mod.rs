//! Timing a live model: what to run, how often, and the record of it.
//!
//! `config` says what is timed, `harness` how a call becomes a list of timings, `pool` puts rounds together, `results` is
//! `results.json` (read and written, the original's files too), `measured` its rows as `measured.csv`, and `run_folder` names the
//! folder of a run. No model is known here: `live` brings them, and whoever draws or fits results needs none.
//!
//! ```
//! use perfmodel::bench::{Budget, Subject, WallClock, Watch, bench};
//! use perfmodel::error::Result;
//!
//! /// What is timed: the sum of some numbers.
//! struct Sum(Vec<f64>);
//!
//! impl Subject for Sum {
//!     fn setup(&mut self, _repetition: Option<usize>) -> Result<()> {
//!         Ok(())
//!     }
//!     fn call(&mut self) -> Result<()> {
//!         std::hint::black_box(self.0.iter().sum::<f64>());
//!         Ok(())
//!     }
//! }
//!
//! /// Whom no progress interests.
//! struct Nobody;
//!
//! impl Watch for Nobody {
//!     fn row(&mut self, _name: &str) {}
//!     fn estimated(&mut self, _call_ms: f64) {}
//!     fn stopped(&self) -> bool {
//!         false
//!     }
//! }
//!
//! let budget = Budget { warmup_ms: 1.0, rep_ms: 5.0 };
//! let timed = bench(&mut Sum(vec![1.0; 100_000]), &mut WallClock::default(), budget, &mut Nobody)?;
//! assert!(timed.raw_ms.iter().all(|ms| *ms > 0.0));
//! // One call untimed, five from which the number of the others follows.
//! assert_eq!(timed.calls, 1 + 5 + timed.warmup_calls + timed.raw_ms.len());
//! # Ok::<(), perfmodel::error::Error>(())
//! ```

mod config;
mod device;
mod harness;
mod measured;
mod pool;
mod probe;
mod results;
mod run_folder;

#[cfg(feature = "schema")]
pub(crate) use config::ConfigFile;
pub use config::{BenchConfig, DataType, MOST_DRAFTS, Variant};
pub use device::DeviceChoice;
pub use harness::{Budget, Clock, FEWEST_CALLS, Subject, Timed, WallClock, Watch, bench};
pub use measured::{measured_csv, rows_csv};
pub use pool::{Pool, Row};
pub use probe::{GemmRates, PROBE_SOURCE, Probe, RatePoint};
pub use results::{
    Counts, DecodePoint, GammaRun, Metadata, ModelDims, PoeRun, Results, SCHEMA_VERSION, Timing, VariantRun,
};
pub use run_folder::next_run;
