//! Result files of the popular measuring tools, converted to measurements of ours.
//!
//! Tools agree on names and not on what they mean: an "inter-token latency" may leave out the first token or not, a "TPOT" may
//! include it, times are in seconds or milliseconds, lengths requested or counted. [`Tool::conversions`] says for each tool what was taken and
//! how it was converted; a reader is one file.

mod aiperf;
mod bench_serving;
mod guidellm;
mod inference_perf;
mod inferencemax;
mod json;
mod llmeter;
mod point;
mod read;
mod rows;
mod tool;

pub use point::{Facts, Latency, Load, Point};
pub use read::{Imported, parse, read};
pub use rows::{Row, Rows, rows};
pub use tool::Tool;
