//! Printing: progress, remarks, and standard output that may be closed early.

use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::error::{Error, Result};
use crate::report::text::written_lines;

/// How much is said on standard error besides errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Talk {
    /// Nothing.
    Quiet,
    /// Progress and remarks.
    Normal,
    /// Also what was read from where, and how long it took.
    Verbose,
}

/// Set once, when the command line was parsed.
static TALK: OnceLock<Talk> = OnceLock::new();

fn talk() -> Talk {
    TALK.get().copied().unwrap_or(Talk::Normal)
}

/// Sets how much is said, once for the process.
pub fn set_talk(talk: Talk) {
    TALK.get_or_init(|| talk);
}

/// Says something to those who asked for all (`--verbose`).
pub fn note(text: impl FnOnce() -> String) {
    if talk() == Talk::Verbose {
        say(&format!("note: {}", text()));
    }
}

/// Says to those who asked for all what was read from where.
pub fn notes(texts: &[String]) {
    for text in texts {
        note(|| text.clone());
    }
}

/// Says what names were taken for.
pub fn remarks(texts: &[String]) {
    texts.iter().for_each(|text| remark(text));
}

/// Says something on standard error, unless nothing is wanted there (`--quiet`).
pub fn remark(text: &str) {
    if talk() != Talk::Quiet {
        say(text);
    }
}

/// The value of a flag that had another name, which is still read; where that was used, the new one is said.
pub fn renamed<T>(value: Option<T>, name: &str, of_old: Option<T>, old: &str) -> Option<T> {
    if of_old.is_some() {
        remark(&format!("{old} is now called {name}"));
    }
    value.or(of_old)
}

/// Writes a line to standard error. Where nobody can read it, what is done still counts.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// The bar, or one that nobody sees.
pub fn shown(bar: ProgressBar) -> ProgressBar {
    if talk() == Talk::Quiet {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    bar
}

/// Prints to standard output. A reader that has gone (`| head`) is no error.
///
/// # Errors
/// Anything else that keeps standard output from being written.
pub fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Error::input(format!("cannot write to standard output ({error})"))
                .help("check where it is redirected to"))
        }
        _ => Ok(()),
    }
}

/// A spinner on standard error for work that takes a while.
pub fn spinner(message: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})");
    let bar = shown(ProgressBar::new_spinner()).with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(Duration::from_millis(100));
    bar.set_message(message);
    bar
}

/// Cautions on standard error, where standard output is for machines.
pub fn caution_remarks(cautions: &[String]) {
    for caution in cautions {
        remark(&format!("caution: {caution}"));
    }
}

/// Says which files were written, where standard output holds something else.
pub fn files_remark(files: &[PathBuf]) {
    written_lines(files).lines().for_each(remark);
}

/// A bar on standard error for work in countable pieces.
pub fn progress_bar(message: &'static str, pieces: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {bar:30} {pos} of {len}, {eta} left");
    shown(ProgressBar::new(pieces as u64))
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_message(message)
}
