//! `perfmodel init`: a commented scenario folder to fill in.

use std::path::PathBuf;

use clap::Args;

use super::terminal::print;
use crate::app;
use crate::app::system::as_scenario;
use crate::error::{Error, Result};
use crate::report::OutputFolder;

/// Arguments of `init`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  perfmodel init my_server")]
pub struct InitArgs {
    /// Folder to write scenario.toml and measured.csv into
    dir: PathBuf,
}

/// Writes the folder; never over files that are there.
pub fn run(args: &InitArgs) -> Result<()> {
    let answer = app::init();
    for (name, _) in &answer.contents {
        let path = args.dir.join(name);
        if path.exists() {
            return Err(Error::input("the file is there already")
                .at(path)
                .help("choose another folder, or move it away"));
        }
    }
    let mut output = OutputFolder::create(&args.dir)?;
    for (name, text) in &answer.contents {
        output.stage(name, text.as_bytes())?;
    }
    output.commit()?;
    let dir = args.dir.display();
    print(&format!(
        "wrote {dir}/scenario.toml   what ran where; fill it in\n\
         wrote {dir}/measured.csv    one row for each workload, times in ms; throughput_tok_s may stay empty;\n\
         {:width$}a fit of all 13 parameters needs 13 rows or more, better 30 over several lengths and concurrencies\n\n\
         then: perfmodel fit --scenario {word}\n",
        "",
        word = as_scenario(&args.dir),
        width = "wrote /measured.csv    ".len() + args.dir.as_os_str().len(),
    ))
}
