//! Reading a specification file: one place for TOML errors and for collecting all problems of a file.

use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorKind, Result};

/// What a figure can be in the unit of its key. Products and quotients of several stay finite and above 0.
const FIGURES: RangeInclusive<f64> = 1e-9..=1e24;

/// Bytes of the largest file of specifications, results or measurements that is read whole.
const MOST_BYTES: u64 = 64 << 20;

/// Checks that a file is small enough to be what it is taken for, before it is read.
///
/// # Errors
/// It is not. A file that cannot be asked for its size is left to the reader.
pub fn check_size(path: &Path) -> Result<()> {
    match fs::metadata(path) {
        Ok(data) if data.len() > MOST_BYTES => Err(Error::input(format!(
            "this file has {} MB; a file of this kind has {} at most",
            data.len() / 1_000_000,
            MOST_BYTES / 1_000_000
        ))
        .at(path)
        .help("check that it is the right file")),
        _ => Ok(()),
    }
}

/// A specification file as text, with the name by which errors call it.
#[derive(Debug, Clone)]
pub struct SpecFile {
    /// Path on disk, or `built-in:hardware/x.toml` for an embedded file.
    pub label: String,
    /// Content.
    pub text: String,
}

impl SpecFile {
    /// Reads a file from disk.
    ///
    /// # Errors
    /// The file cannot be read or is not UTF-8.
    pub fn open(path: &Path) -> Result<Self> {
        check_size(path)?;
        let text = fs::read_to_string(path).map_err(|error| {
            let help = match error.kind() {
                std::io::ErrorKind::InvalidData => "save the file as UTF-8 text",
                _ => "check the path and its permissions",
            };
            Error::input(format!("cannot read the file ({error})"))
                .of(ErrorKind::File)
                .because(error)
                .at(path)
                .help(help)
        })?;
        // Editors of Windows put a byte order mark first.
        let text = match text.strip_prefix('\u{feff}') {
            Some(rest) => rest.to_owned(),
            None => text,
        };
        Ok(Self { label: path.display().to_string(), text })
    }

    /// Line and column (in characters), both from 1, of the byte at `offset`.
    pub fn place(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// Deserialises the file.
    ///
    /// # Errors
    /// Names line and column of broken TOML, of an unknown key and of a value of the wrong type.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        toml::from_str(&self.text).map_err(|error| {
            let mut own = Error::input(error.message().trim_end().replace('\n', ", ")).at(&self.label);
            if let Some(span) = error.span() {
                let (line, column) = self.place(span.start);
                own = own.line(line).column(column);
            }
            own.help("the files that `perfmodel list` shows and `perfmodel init DIR` writes are examples of the format")
        })
    }

    /// Line (from 1) of a key such as `peak_tflop_per_s.fp8`, for messages about its value.
    fn line_of(&self, key: &str) -> Option<usize> {
        let (table, name) = key.rsplit_once('.').unwrap_or(("", key));
        let mut current = String::new();
        for (index, line) in self.text.lines().enumerate() {
            let line = line.trim();
            if let Some(header) = line.strip_prefix('[') {
                current = header.trim_matches(|c| c == '[' || c == ']').trim().to_owned();
                if current == key {
                    return Some(index + 1);
                }
            } else if current == table && line.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with('='))
            {
                return Some(index + 1);
            }
        }
        None
    }

    /// Starts a list of problems of this file.
    pub fn problems(&self) -> Problems<'_> {
        Problems { file: self, found: Vec::new() }
    }
}

/// Everything found wrong with one file, reported together.
#[derive(Debug)]
pub struct Problems<'a> {
    file: &'a SpecFile,
    found: Vec<Problem>,
}

#[derive(Debug)]
struct Problem {
    line: Option<usize>,
    column: Option<usize>,
    what: String,
}

impl Problems<'_> {
    /// Notes a problem with the value of `key`.
    pub fn note(&mut self, key: &str, what: impl AsRef<str>) {
        let what = format!("`{key}` {}", what.as_ref());
        self.found.push(Problem { line: self.file.line_of(key), column: None, what });
    }

    /// Notes a problem with the value of `key` at the byte `offset`, or with a value that is not there.
    pub fn note_at(&mut self, offset: Option<usize>, key: &str, what: impl AsRef<str>) {
        let (line, column) = offset.map(|offset| self.file.place(offset)).unzip();
        self.found.push(Problem { line, column, what: format!("`{key}` {}", what.as_ref()) });
    }

    /// Notes a value that is not a finite number above zero, or none that a figure can be.
    pub fn require_positive(&mut self, key: &str, value: f64) {
        if !(value.is_finite() && value > 0.0) {
            self.note(key, format!("is {value}; it must be a number above 0"));
        } else if !FIGURES.contains(&value) {
            self.note(key, format!("is {value:e}, which no figure is; check its unit"));
        }
    }

    /// Notes a count of zero.
    pub fn require_count(&mut self, key: &str, value: u64) {
        if value == 0 {
            self.note(key, "is 0; it must be at least 1");
        }
    }

    /// Notes a count of zero, or one above the most that there can be.
    pub fn require_count_to(&mut self, key: &str, value: u64, most: u32) {
        self.require_count(key, value);
        self.require_at_most(key, value, most);
    }

    /// Notes a count above the most that there can be.
    pub fn require_at_most(&mut self, key: &str, value: u64, most: u32) {
        if value > most.into() {
            self.note(key, format!("is {value}; it must be at most {most}"));
        }
    }

    /// Notes sources that are missing or have no address, or no day of the form YYYY-MM-DD.
    pub fn require_sources(&mut self, sources: &[super::Source]) {
        if sources.is_empty() {
            self.note("source", "is missing; say where the figures come from: [[source]] with url, retrieved, note");
        }
        for source in sources {
            if source.url.trim().is_empty() {
                self.note("source", "has an empty url");
            }
            if !is_date(&source.retrieved) {
                self.note("source", format!("has retrieved = \"{}\"; write the day as YYYY-MM-DD", source.retrieved));
            }
        }
    }

    /// `Ok` if nothing was noted.
    ///
    /// # Errors
    /// The first problem with its line; any further ones in the help.
    pub fn finish(self) -> Result<()> {
        let Some((first, rest)) = self.found.split_first() else { return Ok(()) };
        let mut error = Error::input(first.what.clone()).at(&self.file.label);
        if let Some(line) = first.line {
            error = error.line(line);
        }
        if let Some(column) = first.column {
            error = error.column(column);
        }
        let mut help = "mend the value in this file".to_owned();
        if !rest.is_empty() {
            help = format!("{help}; {} more: ", rest.len());
            let more: Vec<String> = rest
                .iter()
                .map(|Problem { line, what, .. }| {
                    line.map_or_else(|| what.clone(), |line| format!("line {line}: {what}"))
                })
                .collect();
            help += &more.join("; ");
        }
        Err(error.help(help))
    }
}

/// Whether a text has the form YYYY-MM-DD.
pub fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    matches!(parts.as_slice(), [y, m, d] if y.len() == 4 && m.len() == 2 && d.len() == 2)
        && parts.iter().all(|part| part.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_finds_the_line_of_a_nested_key() {
        let file = SpecFile { label: "x".into(), text: "a = 1\n[peak]\n# note\nfp8 = 2\n".into() };
        assert_eq!(file.line_of("a"), Some(1));
        assert_eq!(file.line_of("peak.fp8"), Some(4));
        assert_eq!(file.line_of("peak.fp4"), None);
    }

    #[test]
    fn all_problems_come_at_once() {
        let file = SpecFile { label: "x.toml".into(), text: "a = 0\nb = -1\n".into() };
        let mut problems = file.problems();
        problems.require_positive("a", 0.0);
        problems.require_positive("b", -1.0);
        assert_eq!(
            problems.finish().unwrap_err().to_string(),
            "x.toml:1: `a` is 0; it must be a number above 0\n  help: mend the value in this file; 1 more: line 2: `b` is -1; it must be a number above 0"
        );
    }

    #[test]
    fn a_date_has_ten_digits_and_dashes() {
        assert!(is_date("2026-11-21"));
        assert!(!is_date("21.11.2026"));
        assert!(!is_date("2026-11-2x"));
    }
}
