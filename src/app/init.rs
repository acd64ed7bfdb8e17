//! `init`: a scenario to fill in.

use crate::dataset::COLUMNS;

/// The files of a scenario, commented and without values of anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitAnswer {
    /// Their names, and what they hold.
    pub contents: [(&'static str, String); 2],
}

/// Writes a scenario to fill in.
pub fn init() -> InitAnswer {
    let scenario = include_str!("scenario_template.toml").to_owned();
    InitAnswer { contents: [("scenario.toml", scenario), ("measured.csv", COLUMNS.join(",") + "\n")] }
}
