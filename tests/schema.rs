//! docs/schema is what the types of requests and answers say.

use std::fs;

/// Set to write the files again instead.
const UPDATE: &str = "PERFMODEL_UPDATE_SCHEMAS";

#[test]
fn the_files_of_docs_schema_are_those_of_the_types() {
    let mut drifted = Vec::new();
    for (name, schema) in perfmodel::app::schemas() {
        let path = format!("docs/schema/{name}");
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if std::env::var_os(UPDATE).is_some() {
            fs::write(&path, &text).unwrap();
        } else if fs::read_to_string(&path).unwrap_or_default() != text {
            drifted.push(path);
        }
    }
    let how = format!("{UPDATE}=1 cargo test --features schema --test schema");
    assert!(drifted.is_empty(), "not what the types say: {}; `{how}` writes them again", drifted.join(", "));
}
