//! Timing a live model: what to run, how often, and the record of it.
//!
//! `config` says what is timed, `harness` how a call becomes a list of timings, `pool` puts rounds together, `results` is
//! `results.json` (read and written, the original's files too), `measured` its rows as `measured.csv`, and `run_folder` names the
//! folder of a run. No model is known here: `live` brings them, and whoever draws or fits results needs none.

mod config;
mod harness;
mod measured;
mod pool;
mod probe;
mod results;
mod run_folder;

pub use config::{BenchConfig, DataType, MOST_DRAFTS, Variant};
pub use harness::{Budget, Clock, FEWEST_CALLS, Subject, Timed, WallClock, Watch, bench};
pub use measured::{measured_csv, rows_csv};
pub use pool::{Pool, Row};
pub use probe::{GemmRates, PROBE_SOURCE, Probe, RatePoint};
pub use results::{
    Counts, DecodePoint, GammaRun, Metadata, ModelDims, PoeRun, Results, SCHEMA_VERSION, Timing, VariantRun,
};
pub use run_folder::next_run;
