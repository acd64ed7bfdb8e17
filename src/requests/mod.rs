//! Logs of single requests as measuring tools write them: LLMeter's result folders of every version, AIPerf's records, the details of
//! vLLM, SGLang, GuideLLM and inference-perf, and tables.
//!
//! ```
//! use perfmodel::requests::{Dimension, Measured, open};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("log.csv");
//! std::fs::write(&path, "time_to_first_token,time_to_last_token,num_tokens_output\n0.2,1.2,51\n0.3,1.3,101\n")?;
//! let Measured::Run(run) = open(&path)? else { panic!("a file holds one run") };
//! assert_eq!(run.log.counts().rows, 2);
//! // One second for the 50 tokens behind the first, and for 100.
//! let tpot: Vec<f64> = run.log.dimension(Dimension::TimePerOutputToken).flatten().collect();
//! assert_eq!(tpot, [0.02, 0.01]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cell;
mod column;
mod dimension;
mod folder;
mod foreign;
mod inference_perf;
pub(crate) mod json;
mod jsonl;
mod log;
mod metadata;
#[cfg(not(feature = "frames"))]
#[path = "no_parquet.rs"]
mod parquet;
#[cfg(feature = "frames")]
mod parquet;
mod row;
mod source;
mod table;

pub use dimension::Dimension;
pub(crate) use folder::shown;
pub use folder::{LoadTest, Measured, Run, holds_requests, open};
pub use log::{Counts, RequestLog};
pub use metadata::{LlmeterVersion, RunInfo};
pub(crate) use source::{plain_name, read_bytes};
