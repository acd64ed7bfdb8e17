//! Result files of the popular measuring tools, converted to measurements of ours.
//!
//! Tools agree on names and not on what they mean: an "inter-token latency" may leave out the first token or not, a "TPOT" may
//! include it, times are in seconds or milliseconds, lengths requested or counted. [`Tool::conversions`] says for each tool what was taken and
//! how it was converted; a reader is one file.
//!
//! ```
//! use perfmodel::import::{Tool, read, rows};
//! use perfmodel::workload::LoadKind;
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("vllm.json");
//! let text = r#"{"backend": "vllm", "endpoint_type": "openai", "model_id": "llama31_8b", "max_concurrency": 2,
//!     "completed": 10, "total_input_tokens": 1000, "total_output_tokens": 500, "output_throughput": 90.0,
//!     "mean_ttft_ms": 56.0, "mean_tpot_ms": 10.5}"#;
//! std::fs::write(&path, text)?;
//! let imported = read(&path, None)?;
//! assert!(imported.tools.contains(&Tool::Vllm)); // the file told
//! let found = rows(&imported.points, None, None, None)?;
//! assert_eq!((found.load, found.rows[0].workload.amount()), (LoadKind::ClosedLoop, 2.0));
//! assert_eq!(found.rows[0].workload.output_tokens(), 50.0); // 500 tokens in 10 answers
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod aiperf;
mod bench_serving;
mod guidellm;
mod imported;
mod inference_perf;
mod inferencemax;
mod json;
mod llmeter;
mod point;
mod read;
mod reader;
mod rows;
mod system;
mod tool;

pub use imported::Imported;
pub use point::{Facts, Latency, Load, Point};
pub use read::{parse, read};
pub use rows::{Row, Rows, rows};
pub use system::{OfSystem, Wanted, mixed, of_system, precision};
pub use tool::Tool;
