//! `perfmodel completions`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, terminal};
use crate::error::Result;

/// Arguments of `completions`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  perfmodel completions bash > ~/.local/share/bash-completion/completions/perfmodel")]
pub struct CompletionsArgs {
    /// Which shell
    shell: Shell,
}

/// Prints the completions.
pub fn run(args: &CompletionsArgs) -> Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "perfmodel", &mut text);
    terminal::print(&String::from_utf8_lossy(&text))
}
