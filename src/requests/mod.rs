//! Logs of single requests as measuring tools write them: LLMeter's result folders of every version, and tables.

mod dimension;
mod folder;
mod jsonl;
mod log;
mod metadata;
mod row;
mod source;
mod table;

pub use dimension::Dimension;
pub use folder::{LoadTest, Measured, Run, open};
pub use log::{Counts, RequestLog};
pub use metadata::{LlmeterVersion, RunInfo};
