//! Flags of the commands that write a page when asked.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::app::results_folder;
use crate::error::Result;
use crate::report::browser;

/// Whether to write a page, where, and with which pictures.
#[derive(Debug, Args)]
pub struct PageArgs {
    /// Write a page with the charts
    #[arg(long)]
    plot: bool,

    /// Folder for the page [default: one of its own under evaluations_results]
    #[arg(long, value_name = "DIR", requires = "plot")]
    out: Option<PathBuf>,

    /// Also write every figure as PNG (needs a Chromium on PATH)
    #[arg(long, requires = "plot")]
    png: bool,
}

impl PageArgs {
    /// Checks that pictures can be made, before any work is done.
    ///
    /// # Errors
    /// They are asked for and no Chromium is on PATH.
    pub fn check(&self) -> Result<()> {
        if self.png { browser().map(|_| ()) } else { Ok(()) }
    }

    /// Calls `write` with the folder and whether pictures are wanted, if a page is; the folder is
    /// `evaluations_results/<kind>/<id>` unless it is named. Returns what was written.
    ///
    /// # Errors
    /// Those of `write`.
    pub fn write(
        &self,
        kind: &str,
        id: &str,
        write: impl FnOnce(&Path, bool) -> Result<Vec<PathBuf>>,
    ) -> Result<Vec<PathBuf>> {
        if !self.plot {
            return Ok(Vec::new());
        }
        let folder = self.out.clone().unwrap_or_else(|| results_folder(&[kind, id]));
        write(&folder, self.png)
    }
}
