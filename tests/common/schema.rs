//! JSON output against docs/schema.

use serde_json::Value;

/// The single object on standard output.
pub fn json(text: &str) -> Value {
    assert_eq!(text.lines().count(), 1, "one object on one line: {text}");
    serde_json::from_str(text).expect("stdout is JSON")
}

/// Checks a value against a schema of docs/schema.
pub fn assert_matches_schema(name: &str, value: &Value) {
    let path = format!("docs/schema/{name}");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(value).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:?}");
}
