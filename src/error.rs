//! The crate's error: where, what, and how to mend it.
//!
//! ```
//! use perfmodel::error::{Error, did_you_mean};
//!
//! let error = Error::input("cannot read `N/A`").at("measured.csv").line(3).help("write a number");
//! assert_eq!(error.to_string(), "measured.csv:3: cannot read `N/A`\n  help: write a number");
//! assert_eq!((error.place().line, error.message()), (Some(3), "cannot read `N/A`"));
//! assert_eq!(error.exit_code(), 2); // wrong input; a computation that failed has 1
//! assert_eq!(did_you_mean("lama31_8b", ["llama31_8b", "qwen3_32b"]), Some("llama31_8b"));
//! ```

use std::error::Error as StdError;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What kind of failure it is. The exit code of the command line is 1 for [`ErrorKind::Failed`], 2 for all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Something given is missing or wrong.
    Input,
    /// A file or folder cannot be read or written.
    File,
    /// Nothing has this name: a device, a model, a scenario, a parameter, a format.
    UnknownName,
    /// Weights or the cache of a request take more memory than there is.
    DoesNotFit,
    /// A device has no peak for a number format.
    NoPeak,
    /// What is asked for can be, and is not modelled yet.
    NotModelled,
    /// The computation ran and did not succeed, such as a fit that did not converge.
    Failed,
}

/// Where an error is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// The file.
    pub file: Option<PathBuf>,
    /// Its line, from 1.
    pub line: Option<usize>,
    /// The column of that line in characters, from 1.
    pub column: Option<usize>,
}

/// An error with its place, its message and its remedy.
///
/// The message begins in lower case and ends without a full stop; [`fmt::Display`] prints
/// `file:line:column: message` and, on a line of its own, `help: remedy`. Two errors are equal if they say the same.
#[derive(Clone)]
pub struct Error(Box<Details>);

#[derive(Clone)]
struct Details {
    kind: ErrorKind,
    place: Place,
    message: String,
    help: Option<String>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
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
        Self(Box::new(Details { kind, place: Place::default(), message, help: None, source: None }))
    }

    /// Says of which kind it is.
    pub fn of(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Keeps the error that caused it for [`StdError::source`]; what it says belongs into the message, too.
    pub fn because(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// Names the file.
    pub fn at(mut self, path: impl AsRef<Path>) -> Self {
        self.0.place.file = Some(path.as_ref().to_owned());
        self
    }

    /// Names the file if none is named yet: what a caller knows of an error from further down.
    pub fn or_at(self, path: impl AsRef<Path>) -> Self {
        if self.0.place.file.is_some() { self } else { self.at(path) }
    }

    /// Names the line if none is named yet.
    pub fn or_line(self, line: usize) -> Self {
        if self.0.place.line.is_some() { self } else { self.line(line) }
    }

    /// Where it is.
    pub fn place(&self) -> &Place {
        &self.0.place
    }

    /// Names the line, from 1.
    pub fn line(mut self, line: usize) -> Self {
        self.0.place.line = Some(line);
        self
    }

    /// Names the column (in characters, from 1) of the line given with [`Error::line`].
    pub fn column(mut self, column: usize) -> Self {
        self.0.place.column = Some(column);
        self
    }

    /// Says which column of a table it is about.
    pub fn column_named(mut self, name: &str) -> Self {
        self.0.message = format!("column `{name}`: {}", self.0.message);
        self
    }

    /// Says how to mend it.
    pub fn help(mut self, remedy: impl Into<String>) -> Self {
        self.0.help = Some(remedy.into());
        self
    }

    /// What is wrong, without place and remedy.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// How to mend it.
    pub fn remedy(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Process exit code: 1 for a computation that failed, 2 for wrong input.
    pub fn exit_code(&self) -> u8 {
        match self.0.kind {
            ErrorKind::Failed => 1,
            ErrorKind::Input
            | ErrorKind::File
            | ErrorKind::UnknownName
            | ErrorKind::DoesNotFit
            | ErrorKind::NoPeak
            | ErrorKind::NotModelled => 2,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.0.place.file {
            write!(f, "{}:", path.display())?;
            for number in [self.0.place.line, self.0.place.column].into_iter().flatten() {
                write!(f, "{number}:")?;
            }
            f.write_str(" ")?;
        }
        f.write_str(&self.0.message)?;
        if let Some(help) = &self.0.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        let (own, other) = (&self.0, &other.0);
        own.kind == other.kind && own.place == other.place && own.message == other.message && own.help == other.help
    }
}

impl Eq for Error {}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|source| source.as_ref() as _)
    }
}

/// As [`fmt::Display`]: it is what `fn main() -> Result<()>` and `unwrap` show.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The one of `known` that is closest to `given`, if any is close enough to be meant. Case, blanks, `-` and `_` do not count.
pub fn did_you_mean<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = plain(given);
    known
        .into_iter()
        .map(|name| (plain(name), name))
        .filter(|(spelt, _)| is_near(&given, spelt))
        .map(|(spelt, name)| (strsim::jaro_winkler(&given, &spelt), name))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// Lower case, with one sign between words.
fn plain(name: &str) -> String {
    name.trim().to_lowercase().replace([' ', '-'], "_")
}

/// Whether one may be meant by the other: it begins with all of its words, or differs by a slip in four letters. A slip swaps
/// digits or types one twice; another number is another thing (`H20` is no `H200`, `8b` no `70b`), and a zero too many is one.
fn is_near(given: &str, name: &str) -> bool {
    let more_words = |long: &str, short: &str| long.strip_prefix(short).is_some_and(|rest| rest.starts_with('_'));
    if more_words(name, given) {
        return true;
    }
    if ![digits(given, false), digits(given, true)].contains(&digits(name, false)) {
        return false;
    }
    let half = |part: &str, whole: &str| 2 * part.len() >= whole.len();
    (more_words(given, name) && half(name, given))
        || (name.starts_with(given) && half(given, name))
        || 4 * strsim::osa_distance(given, name) <= given.len().max(name.len())
}

/// The digits of a name in order of size; on request those that follow an equal one only once, but for zeros.
fn digits(name: &str, once: bool) -> Vec<char> {
    let mut digits = Vec::new();
    let mut before = None;
    for sign in name.chars() {
        if sign.is_ascii_digit() && !(once && sign != '0' && before == Some(sign)) {
            digits.push(sign);
        }
        before = Some(sign);
    }
    digits.sort_unstable();
    digits
}

/// `did you mean …? ` where a known name is close enough to be meant, else nothing: the beginning of a remedy.
pub fn nearest_hint<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    did_you_mean(given, known).map_or_else(String::new, |near| format!("did you mean `{near}`? "))
}

/// The one of `all` that `text` names, in any case of letters.
///
/// # Errors
/// There is none; `wrong` begins the message, the remedy shows the nearest and all names.
pub fn named<T: Copy>(all: &[T], name: impl Fn(T) -> &'static str, text: &str, wrong: &str) -> Result<T> {
    all.iter().copied().find(|item| name(*item).eq_ignore_ascii_case(text)).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|item| name(*item)).collect();
        let near = nearest_hint(text, names.iter().copied());
        Error::input(format!("{wrong} `{text}`"))
            .of(ErrorKind::UnknownName)
            .help(format!("{near}known: {}", names.join(", ")))
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
        let cause = std::io::Error::other("broken disk");
        let error = Error::input("cannot read it (broken disk)").of(ErrorKind::File).because(cause);
        assert_eq!((error.kind(), error.exit_code()), (ErrorKind::File, 2));
        assert_eq!(StdError::source(&error).unwrap().to_string(), "broken disk");
        assert_eq!(error, Error::input("cannot read it (broken disk)").of(ErrorKind::File));
    }

    #[test]
    fn a_misspelling_finds_the_nearest_name_and_another_thing_finds_none() {
        let models =
            ["deepseek-r1", "deepseek_v3", "llama2_7b", "llama31_8b", "llama31_70b", "qwen3_32b", "qwen3_30b_a3b"];
        let devices = ["a10g_24gb", "a10g", "h100_sxm_80gb", "h100_pcie_80gb", "h200_sxm_141gb", "h200", "l4_24gb"];
        let parameters = ["memory_efficiency", "compute_efficiency", "burst_factor", "step_overhead_ms"];
        let loads = ["closed_loop", "open_loop", "static_batch"];
        let cases: [(&[&str], &str, Option<&str>); 29] = [
            (&models, "lama31_8b", Some("llama31_8b")),
            (&models, "llama31_8", Some("llama31_8b")),
            (&models, "Llama31-8b", Some("llama31_8b")),
            (&models, "qwen3_23b", Some("qwen3_32b")),
            (&models, "qwen3_30b", Some("qwen3_30b_a3b")),
            (&models, "llama-4-maverick", None),
            (&models, "deepseek-r1-distill-qwen-32b", None),
            (&models, "deepseek-v3.1", None),
            (&models, "llama2_13b", None),
            (&models, "zzzz", None),
            (&models, "", None),
            (&devices, "h100_sxm_80g", Some("h100_sxm_80gb")),
            (&devices, "h100_pice_80gb", Some("h100_pcie_80gb")),
            (&devices, "l4_42gb", Some("l4_24gb")),
            (&devices, "A100", None),
            (&devices, "H20", None),
            (&devices, "H2000", None),
            (&devices, "H800", None),
            (&parameters, "burst_facto", Some("burst_factor")),
            (&parameters, "memory-eficiency", Some("memory_efficiency")),
            (&parameters, "memory_eff", Some("memory_efficiency")),
            (&parameters, "step_overhead", Some("step_overhead_ms")),
            (&parameters, "link_efficiency", None),
            (&loads, "static-batch", Some("static_batch")),
            (&loads, "static", Some("static_batch")),
            (&loads, "closed", Some("closed_loop")),
            (&loads, "poisson", None),
            (&["fp64", "fp8", "int8"], "fp88", Some("fp8")),
            (&["fp64", "fp8", "fp4", "int8"], "fp6", None),
        ];
        for (known, given, want) in cases {
            assert_eq!(did_you_mean(given, known.iter().copied()), want, "{given}");
        }
    }

    #[test]
    fn a_name_counts_in_any_case_of_letters() {
        let all = ["vllm", "genai-perf"];
        assert_eq!(named(&all, |name| name, "vLLM", "unknown tool"), Ok("vllm"));
        let message = named(&all, |name| name, "genai_perf", "unknown tool").unwrap_err().to_string();
        assert_eq!(message, "unknown tool `genai_perf`\n  help: did you mean `genai-perf`? known: vllm, genai-perf");
    }
}
