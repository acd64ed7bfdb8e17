//! Running the real binary from outside.

use std::path::Path;
use std::process::{Command, Output};

/// Exit code and both streams of a run.
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("the process ended by itself"),
            stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
        }
    }
}

/// The binary, to run in a folder that holds no specifications of its own.
pub fn perfmodel(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_perfmodel"));
    command.current_dir(folder);
    command
}

/// Runs the binary with arguments separated by blanks.
pub fn run(folder: &Path, arguments: &str) -> Run {
    perfmodel(folder).args(arguments.split_whitespace()).output().expect("the binary runs").into()
}
