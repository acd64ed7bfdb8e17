//! The crate's error: where, what, and how to mend it.
//!
//! ```
//! use perfmodel::error::{Error, did_you_mean};
//!
//! let error = Error::input("cannot read `N/A`").at("measured.csv").line(3).help("write a number");
//! assert_eq!(error.to_string(), "measured.csv:3: cannot read `N/A`\n  help: write a number");
//! assert_eq!(error.exit_code(), 2); // wrong input; a computation that failed has 1
//! assert_eq!(did_you_mean("lama31_8b", ["llama31_8b", "qwen3_32b"]), Some("llama31_8b"));
//! ```

use std::fmt;
use std::path::{Path, PathBuf};

/// What kind of failure it is; it decides the exit code of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Something given to the program is missing, unreadable or wrong: exit code 2.
    Input,
    /// The computation ran and did not succeed (a fit that did not converge): exit code 1.
    Failed,
}

/// An error with its place, its message and its remedy.
///
/// The message begins in lower case and ends without a full stop; [`fmt::Display`] prints
/// `file:line:column: message` and, on a line of its own, `help: remedy`.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
pub struct Error {
    kind: ErrorKind,
    path: Option<PathBuf>,
    line: Option<usize>,
    column: Option<usize>,
    message: String,
    help: Option<String>,
}

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Wrong or missing input.
    pub fn input(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Input, message.into())
    }

    /// A computation that did not succeed.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Failed, message.into())
    }

    fn new(kind: ErrorKind, message: String) -> Self {
        Self { kind, path: None, line: None, column: None, message, help: None }
    }

    /// Names the file.
    pub fn at(mut self, path: impl AsRef<Path>) -> Self {
        self.path = Some(path.as_ref().to_owned());
        self
    }

    /// Names the file if none is named yet: what a caller knows of an error from further down.
    pub fn or_at(self, path: impl AsRef<Path>) -> Self {
        if self.path.is_some() { self } else { self.at(path) }
    }

    /// Names the line if none is named yet.
    pub fn or_line(self, line: usize) -> Self {
        if self.line.is_some() { self } else { self.line(line) }
    }

    /// Whether it is about a line of a file.
    pub fn has_line(&self) -> bool {
        self.line.is_some()
    }

    /// Names the line, from 1.
    pub fn line(mut self, line: usize) -> Self {
        self.line = Some(line);
        self
    }

    /// Names the column (in characters, from 1) of the line given with [`Error::line`].
    pub fn column(mut self, column: usize) -> Self {
        self.column = Some(column);
        self
    }

    /// Says which column of a table it is about.
    pub fn column_named(mut self, name: &str) -> Self {
        self.message = format!("column `{name}`: {}", self.message);
        self
    }

    /// Says how to mend it.
    pub fn help(mut self, remedy: impl Into<String>) -> Self {
        self.help = Some(remedy.into());
        self
    }

    /// What is wrong, without place and remedy.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// How to mend it.
    pub fn remedy(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Process exit code: 1 for a computation that failed, 2 for wrong input.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            ErrorKind::Failed => 1,
            ErrorKind::Input => 2,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{}:", path.display())?;
            for number in [self.line, self.column].into_iter().flatten() {
                write!(f, "{number}:")?;
            }
            f.write_str(" ")?;
        }
        f.write_str(&self.message)?;
        if let Some(help) = &self.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

/// As [`fmt::Display`]: it is what `fn main() -> Result<()>` and `unwrap` show.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The one of `known` that is closest to `given`, if any is close enough to be meant.
pub fn did_you_mean<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(given, name), name))
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// `did you mean …? ` where a known name is close enough to be meant, else nothing: the beginning of a remedy.
pub fn nearest_hint<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    did_you_mean(given, known).map_or_else(String::new, |near| format!("did you mean `{near}`? "))
}

/// The one of `all` that `text` names.
///
/// # Errors
/// There is none; `wrong` begins the message, the remedy shows the nearest and all names.
pub fn named<T: Copy>(all: &[T], name: impl Fn(T) -> &'static str, text: &str, wrong: &str) -> Result<T> {
    all.iter().copied().find(|item| name(*item) == text).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|item| name(*item)).collect();
        let near = nearest_hint(text, names.iter().copied());
        Error::input(format!("{wrong} `{text}`")).help(format!("{near}known: {}", names.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_prints_place_message_and_help() {
        let error = Error::input("cannot read `N/A`").at("a.csv").line(3).column(7).help("write a number");
        assert_eq!(error.to_string(), "a.csv:3:7: cannot read `N/A`\n  help: write a number");
        assert_eq!(format!("{error:?}"), error.to_string());
        assert_eq!(error.exit_code(), 2);
        assert_eq!(Error::failed("no start converged").exit_code(), 1);
    }

    #[test]
    fn a_misspelling_finds_the_nearest_name_and_noise_finds_none() {
        let known = ["llama31_8b", "llama31_70b", "qwen3_32b"];
        assert_eq!(did_you_mean("lama31_8b", known), Some("llama31_8b"));
        assert_eq!(did_you_mean("zzzz", known), None);
    }
}
