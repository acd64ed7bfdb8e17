//! `perfmodel man`.

use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_mangen::Man;

use super::Cli;
use super::terminal::print;
use crate::error::{Error, Result};
use crate::report::OutputFolder;
use crate::report::text::written_lines;

/// Arguments of `man`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    perfmodel man | man -l -                         read it\n  \
    perfmodel man --out ~/.local/share/man/man1      perfmodel.1 and a page for each command, such as perfmodel-fit.1")]
pub struct ManArgs {
    /// Folder for the pages of all commands
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Prints the page of the program, or writes all.
pub fn run(args: &ManArgs) -> Result<()> {
    let mut program = Cli::command();
    program.build();
    let Some(folder) = &args.out else { return print(&String::from_utf8_lossy(&page(program)?)) };
    let mut output = OutputFolder::create(folder)?;
    for command in program.get_subcommands().filter(|command| command.get_name() != "help") {
        output.stage(&format!("perfmodel-{}.1", command.get_name()), &page(command.clone())?)?;
    }
    output.stage("perfmodel.1", &page(program)?)?;
    print(&written_lines(&output.commit()?))
}

fn page(command: clap::Command) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    Man::new(command).render(&mut text).map_err(|error| Error::failed(format!("cannot make the page ({error})")))?;
    Ok(text)
}
