//! The command line: parse, run, print what went wrong, exit.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match perfmodel::cli::run(perfmodel::cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            perfmodel::cli::say(&format!("error: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}
