//! JSON as Python programs write it: several values in a file, bare `NaN` and `Infinity`, a byte order mark.

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::error::Error;

/// Every value of a text: one, or one after another, as tools write that append.
///
/// # Errors
/// It is no JSON, or lacks what `T` needs.
pub(crate) fn values<T: DeserializeOwned>(text: &[u8]) -> serde_json::Result<Vec<T>> {
    mended(without_mark(text), |text| serde_json::Deserializer::from_slice(text).into_iter().collect())
}

/// The one value of a text.
///
/// # Errors
/// It is no JSON, or lacks what `T` needs.
pub(super) fn lenient<T: DeserializeOwned>(text: &[u8]) -> serde_json::Result<T> {
    mended(text, |text| serde_json::from_slice(text))
}

/// The text without the byte order mark that may stand before it.
pub(crate) fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text)
}

/// Whether a text is a list; serde would take one for the fields of an object in their order.
pub(crate) fn is_list(text: &[u8]) -> bool {
    without_mark(text).trim_ascii_start().starts_with(b"[")
}

/// Reads a text as it is, and where that fails without Python's numbers.
fn mended<T>(text: &[u8], read: impl Fn(&[u8]) -> serde_json::Result<T>) -> serde_json::Result<T> {
    read(text).or_else(|error| read(&without_python_numbers(text).ok_or(error)?))
}

/// An error that says `what` a file is not, and where; the remedy is the caller's.
pub(crate) fn wrong(error: &serde_json::Error, path: &Path, what: &str) -> Error {
    Error::input(format!("this is no {what} ({})", without_place(error)))
        .at(path)
        .line(error.line())
        .column(error.column())
}

/// What a JSON error says, without the line and column at its end.
pub(super) fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

/// The text with `NaN`, `Infinity` and `-Infinity` outside of strings replaced by `null`; `None` where there is none of them.
fn without_python_numbers(text: &[u8]) -> Option<Vec<u8>> {
    let mut mended = Vec::with_capacity(text.len());
    let (mut quoted, mut found, mut at) = (false, false, 0);
    while at < text.len() {
        let rest = &text[at..];
        let word = [&b"-Infinity"[..], b"Infinity", b"NaN"].into_iter().find(|word| !quoted && rest.starts_with(word));
        if let Some(word) = word {
            mended.extend_from_slice(b"null");
            found = true;
            at += word.len();
            continue;
        }
        if quoted && rest[0] == b'\\' {
            // The escaped character too, which may be a quote.
            mended.extend_from_slice(&rest[..rest.len().min(2)]);
            at += 2;
            continue;
        }
        quoted ^= rest[0] == b'"';
        mended.push(rest[0]);
        at += 1;
    }
    found.then_some(mended)
}
