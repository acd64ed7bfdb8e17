//! Live commands in a build without live models.

use clap::Args;

use crate::error::{Error, Result};
use crate::spec::Catalog;

/// Whatever was given.
#[derive(Debug, Args)]
pub struct BenchArgs {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    rest: Vec<String>,
}

/// `perfmodel probe`, likewise.
pub mod probe {
    pub use super::BenchArgs as ProbeArgs;
    use super::{Error, Result, missing};

    /// Says what is missing.
    ///
    /// # Errors
    /// Always.
    pub fn run(_: &ProbeArgs) -> Result<()> {
        Err::<(), Error>(missing())
    }
}

fn missing() -> Error {
    Error::input("this build has no live models").help("build with `cargo build --release --features live`")
}

/// Says what is missing.
///
/// # Errors
/// Always.
pub fn run(_: &Catalog, _: BenchArgs) -> Result<()> {
    Err(missing())
}
