//! `plot`: the results of a live run, drawn again.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::bench::Results;
use crate::error::Result;

/// Which results are drawn.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct PlotRequest {
    /// The results.json of `perfmodel bench` or of the original benchmark.
    pub results: PathBuf,
}

/// What was read; `--format json` prints it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PlotAnswer {
    /// The rows.
    pub results: Results,
    /// Files that were written.
    pub files: Vec<PathBuf>,
}

/// Reads the results of a live run.
///
/// # Errors
/// The file cannot be read, or holds no such results.
pub fn plot(request: &PlotRequest) -> Result<PlotAnswer> {
    Ok(PlotAnswer { results: Results::open(&request.results)?, files: Vec::new() })
}
