//! `perfmodel init`.

use std::path::PathBuf;

use clap::Args;

use super::terminal;
use crate::app::as_scenario;
use crate::dataset::COLUMNS;
use crate::error::{Error, Result};
use crate::report::OutputFolder;

const SCENARIO: &str = include_str!("scenario_template.toml");

/// Arguments of `init`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  perfmodel init my_server")]
pub struct InitArgs {
    /// Folder to write scenario.toml and measured.csv into
    dir: PathBuf,
}

/// Writes the folder; never over files that are there.
pub fn run(args: &InitArgs) -> Result<()> {
    for name in ["scenario.toml", "measured.csv"] {
        let path = args.dir.join(name);
        if path.exists() {
            return Err(Error::input("the file is there already")
                .at(path)
                .help("choose another folder, or move it away"));
        }
    }
    let mut output = OutputFolder::create(&args.dir)?;
    output.stage("scenario.toml", SCENARIO.as_bytes())?;
    output.stage("measured.csv", format!("{}\n", COLUMNS.join(",")).as_bytes())?;
    output.commit()?;
    let dir = args.dir.display();
    terminal::print(&format!(
        "wrote {dir}/scenario.toml   what ran where; fill it in\n\
         wrote {dir}/measured.csv    one row for each workload, times in ms; throughput_tok_s may stay empty;\n\
         {:width$}a fit of all 13 parameters needs 13 rows or more, better 30 over several lengths and concurrencies\n\n\
         then: perfmodel fit --scenario {word}\n",
        "",
        word = as_scenario(&args.dir),
        width = "wrote /measured.csv    ".len() + args.dir.as_os_str().len(),
    ))
}
