//! `perfmodel list`: the scenarios, devices and models there are.

use clap::{Args, ValueEnum, builder::PossibleValue};

use super::Format;
use super::json::json_line;
use super::terminal::print;
use crate::app::{self, ListRequest, ListedKind};
use crate::error::Result;
use crate::report::text::list::text;
use crate::spec::Catalog;

impl ValueEnum for ListedKind {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Scenarios, Self::Hardware, Self::Models]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self {
            Self::Scenarios => "scenarios",
            Self::Hardware => "hardware",
            Self::Models => "models",
        }))
    }
}

/// Arguments of `list`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  perfmodel list\n  perfmodel list hardware --format json")]
pub struct ListArgs {
    /// What to show [default: everything]
    what: Option<ListedKind>,

    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Runs the command.
pub fn run(catalog: &Catalog, args: &ListArgs) -> Result<()> {
    let answer = app::list(catalog, &ListRequest { what: args.what })?;
    match args.format {
        Format::Json => print(&json_line(&answer)?),
        Format::Table => print(&text(&answer)),
    }
}
