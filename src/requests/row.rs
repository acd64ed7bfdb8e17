//! One line of responses.jsonl.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::log::Request;
use super::source::unix_seconds;
use super::{Dimension, json};

/// The fields that count; every other is skipped, whatever it holds.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Row {
    time_to_first_token: Option<f64>,
    time_to_last_token: Option<f64>,
    time_per_output_token: Option<f64>,
    num_tokens_input: Option<f64>,
    num_tokens_output: Option<f64>,
    num_tokens_input_cached: Option<f64>,
    num_tokens_output_reasoning: Option<f64>,
    retries: Option<f64>,
    error: Option<IgnoredAny>,
    request_time: Option<String>,
}

/// Why a line is no request, and in which column.
pub(super) struct BadRow {
    pub message: String,
    pub column: Option<usize>,
}

impl BadRow {
    /// Of a line that is not the JSON that it should be.
    pub fn of(error: &serde_json::Error) -> Self {
        Self { column: Some(error.column()), message: json::without_place(error) }
    }
}

/// Reads a line. Python's bare `NaN` and `Infinity`, which JSON does not know, stand for nothing.
pub(super) fn parse(line: &[u8]) -> Result<Request, BadRow> {
    let row: Row = json::lenient(line).map_err(|error| BadRow::of(&error))?;
    let mut request = Request { failed: row.error.is_some(), ..Request::default() };
    let fields = [
        row.time_to_first_token,
        row.time_to_last_token,
        row.time_per_output_token,
        row.num_tokens_input,
        row.num_tokens_output,
        row.num_tokens_input_cached,
        row.num_tokens_output_reasoning,
        row.retries,
    ];
    for (dimension, value) in Dimension::ALL.into_iter().zip(fields) {
        if let Some(value) = value.filter(|value| *value < 0.0) {
            return Err(BadRow { message: format!("`{dimension}` is {value}, below 0"), column: None });
        }
        request.set(dimension, value);
    }
    if let Some(text) = &row.request_time {
        let sent = unix_seconds(text);
        if sent.is_none() {
            return Err(BadRow { message: format!("`request_time` is `{text}`, no ISO 8601 time"), column: None });
        }
        request.sent = sent;
    }
    Ok(request.completed())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(text: &str, dimension: Dimension) -> Option<f64> {
        parse(text.as_bytes()).ok().unwrap().get(dimension)
    }

    #[test]
    fn numbers_of_python_and_of_custom_endpoints_are_read() {
        let text = r#"{"time_to_first_token": NaN, "time_to_last_token": 2, "num_tokens_output": 12.0, "x": "a \"NaN", "y": -Infinity}"#;
        assert_eq!(get(text, Dimension::TimeToFirstToken), None);
        assert_eq!(get(text, Dimension::TimeToLastToken), Some(2.0));
        assert_eq!(get(text, Dimension::OutputTokens), Some(12.0));
    }

    #[test]
    fn unknown_keys_are_skipped_and_missing_ones_are_unknown() {
        let request = parse(br#"{"cost_total": {"a": [1]}, "error": "boom"}"#).ok().unwrap();
        assert!(request.failed && request.values.iter().all(Option::is_none));
        assert!(!parse(b"{}").ok().unwrap().failed);
    }

    #[test]
    fn wrong_values_are_named() {
        for (text, want) in [
            (r#"{"time_to_first_token": -1}"#, "`time_to_first_token` is -1, below 0"),
            (r#"{"request_time": "yesterday"}"#, "`request_time` is `yesterday`, no ISO 8601 time"),
            (r#"{"retries": "two"}"#, "invalid type: string \"two\", expected f64"),
            (r#"{"retries": 1"#, "EOF while parsing an object"),
        ] {
            assert_eq!(parse(text.as_bytes()).err().unwrap().message, want);
        }
    }
}
