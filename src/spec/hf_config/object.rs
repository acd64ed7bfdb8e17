//! A JSON object whose values know their place in the file.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::{Error, Result};
use crate::spec::SpecFile;

/// The keys of one JSON object, values unread.
#[derive(Debug)]
pub struct Object<'a> {
    file: &'a SpecFile,
    /// Where the object stands, ending in a dot; empty for the file itself.
    prefix: String,
    values: BTreeMap<String, &'a RawValue>,
}

impl<'a> Object<'a> {
    /// The object that the file holds.
    ///
    /// # Errors
    /// Text that is not JSON, or JSON that is not an object.
    pub fn read(file: &'a SpecFile) -> Result<Self> {
        let text = file.text.trim_start_matches('\u{feff}');
        let values = serde_json::from_str(text).map_err(|error| {
            let message = error.to_string();
            let place = format!(" at line {} column {}", error.line(), error.column());
            let message = message.strip_suffix(&place).unwrap_or(&message);
            // serde_json counts bytes and puts an unexpected end of the text at column 0 of a new line.
            let line = text.lines().nth(error.line().saturating_sub(1)).unwrap_or("");
            let column = line.char_indices().take_while(|(at, _)| *at < error.column()).count().max(1);
            Error::input(format!("cannot read the JSON: {message}"))
                .at(&file.label)
                .line(error.line().max(1))
                .column(column)
                .help("give the config.json that came with the model")
        })?;
        Ok(Self { file, prefix: String::new(), values })
    }

    /// The object that stands at a key; `None` if there is none or null.
    ///
    /// # Errors
    /// Another value stands there.
    pub fn nested(&self, name: &str) -> Result<Option<Self>> {
        let Some(raw) = self.values.get(name).filter(|raw| raw.get() != "null") else { return Ok(None) };
        let values = serde_json::from_str(raw.get()).map_err(|_| {
            let mut problems = self.file.problems();
            problems.note_at(Some(self.offset(raw)), name, format!("is {}; it must be an object", shown(raw)));
            problems.finish().expect_err("a problem was noted")
        })?;
        Ok(Some(Self { file: self.file, prefix: format!("{}{name}.", self.prefix), values }))
    }

    /// The file that the object stands in.
    pub fn file(&self) -> &'a SpecFile {
        self.file
    }

    /// The key as messages call it.
    pub fn path(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// The first of these keys that is there, and its value.
    pub fn first<'n>(&self, names: &[&'n str]) -> Option<(&'n str, &'a RawValue)> {
        names.iter().find_map(|name| self.values.get(*name).map(|raw| (*name, *raw)))
    }

    /// The value at a key; null if there is none, or none that can be read.
    pub fn value(&self, name: &str) -> Value {
        self.values.get(name).and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or(Value::Null)
    }

    /// Byte of the file at which the value at a key begins.
    pub fn place(&self, name: &str) -> Option<usize> {
        self.values.get(name).map(|raw| self.offset(raw))
    }

    fn offset(&self, raw: &RawValue) -> usize {
        // A raw value is a slice of the text that it was read from.
        raw.get().as_ptr() as usize - self.file.text.as_ptr() as usize
    }
}

/// A value as written, on one line and shortened.
pub fn shown(raw: &RawValue) -> String {
    const MOST: usize = 40;
    let line = raw.get().split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= MOST { line } else { line.chars().take(MOST).collect::<String>() + "..." }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> SpecFile {
        SpecFile { label: "config.json".into(), text: text.into() }
    }

    #[test]
    fn a_value_knows_its_place_also_behind_a_byte_order_mark_and_inside_another_object() {
        let file = file("\u{feff}{\n  \"é\": 1, \"text_config\": {\"hidden_size\": 0}\n}");
        let top = Object::read(&file).unwrap();
        let text = top.nested("text_config").unwrap().unwrap();
        assert_eq!(text.path("hidden_size"), "text_config.hidden_size");
        assert_eq!(file.place(text.place("hidden_size").unwrap()), (2, 42));
    }

    #[test]
    fn broken_json_names_its_place() {
        for (text, want) in [
            ("", "config.json:1:1: cannot read the JSON: EOF while parsing a value"),
            ("[]", "config.json:1:1: cannot read the JSON: invalid type: sequence, expected a map"),
            ("{\n\"é\": 1,\n}", "config.json:3:1: cannot read the JSON: trailing comma"),
            ("{\"é\": nul}", "config.json:1:10: cannot read the JSON: expected ident"),
            ("{\"a\": 1", "config.json:1:7: cannot read the JSON: EOF while parsing an object"),
        ] {
            let message = Object::read(&file(text)).unwrap_err().to_string();
            let (first, help) = message.split_once('\n').unwrap();
            assert_eq!((first, help), (want, "  help: give the config.json that came with the model"), "{text:?}");
        }
    }
}
