//! Logs of single requests as measuring tools write them: LLMeter's result folders of every version, AIPerf's records, the details of
//! vLLM, SGLang, GuideLLM and inference-perf, and tables.

mod column;
mod dimension;
mod folder;
mod foreign;
mod inference_perf;
pub(crate) mod json;
mod jsonl;
mod log;
mod metadata;
#[cfg(not(feature = "parquet"))]
#[path = "no_parquet.rs"]
mod parquet;
#[cfg(feature = "parquet")]
mod parquet;
mod row;
mod source;
mod table;

pub use dimension::Dimension;
pub use folder::{LoadTest, Measured, Run, is_measured, open};
pub use log::{Counts, RequestLog};
pub use metadata::{LlmeterVersion, RunInfo};
pub(crate) use source::{plain_name, read_bytes};
