//! What requests of every command have in common: values by name, and no keys that nobody reads.

use std::fmt;
use std::ops::Deref;

use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use wildmatch::WildMatch;

use crate::error::{Error, ErrorKind, Result, nearest_hint};

/// Reads a request from JSON.
///
/// # Errors
/// Text that is no JSON, a key that the request does not have (with the nearest), or a value of another kind.
pub fn from_json<T: DeserializeOwned + Serialize + Default>(text: &str) -> Result<T> {
    let wrong = |error: serde_json::Error| {
        Error::input(format!("this is no request: {error}"))
            .because(error)
            .help("write one JSON object with the keys of the request")
    };
    let given: Value = serde_json::from_str(text).map_err(wrong)?;
    let known = serde_json::to_value(T::default()).map_err(wrong)?;
    // Flattened parts cannot refuse keys themselves: each takes its own and leaves the others.
    if let (Value::Object(given), Value::Object(known)) = (&given, &known)
        && let Some(key) = given.keys().find(|key| !known.contains_key(*key))
    {
        let near = nearest_hint(key, known.keys().map(String::as_str));
        let known: Vec<&str> = known.keys().map(String::as_str).collect();
        return Err(Error::input(format!("this is no request: unknown key `{key}`"))
            .of(ErrorKind::UnknownName)
            .help(format!("{near}known: {}", known.join(", "))));
    }
    serde_json::from_str(text).map_err(wrong)
}

/// Values by the names of parameters, in the order in which they were given; an object in JSON.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Values(pub Vec<(String, f64)>);

impl Deref for Values {
    type Target = [(String, f64)];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Serialize for Values {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Values;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of numbers by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Values, A::Error> {
                let mut values = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    values.push(pair);
                }
                Ok(Values(values))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

/// The ids that a name with `*` or `?` matches; a name without them is returned as it is.
///
/// # Errors
/// It matches none of the known ids.
pub fn matching(kind: &str, name: &str, known: &[String]) -> Result<Vec<String>> {
    if !name.contains(['*', '?']) {
        return Ok(vec![name.to_owned()]);
    }
    let pattern = WildMatch::new(name);
    let ids: Vec<String> = known.iter().filter(|id| pattern.matches(id)).cloned().collect();
    if ids.is_empty() {
        return Err(Error::input(format!("no {kind} matches `{name}`")).help(format!("known: {}", known.join(", "))));
    }
    Ok(ids)
}

/// Whether a name is among those to take, all where none are named, and not among those to leave out; both are patterns.
pub fn is_chosen(name: &str, only: &[String], without: &[String]) -> bool {
    let matches = |patterns: &[String]| patterns.iter().any(|pattern| WildMatch::new(pattern).matches(name));
    (only.is_empty() || matches(only)) && !matches(without)
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Values {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Values".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        std::collections::BTreeMap::<String, f64>::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    struct Part {
        degree: Option<u32>,
    }

    /// A part with a part of its own, as systems have.
    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    struct Outer {
        name: Option<String>,
        #[serde(flatten)]
        part: Part,
    }

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    struct Whole {
        #[serde(flatten)]
        outer: Outer,
        set: Values,
    }

    #[test]
    fn a_flat_object_is_read_and_written_with_all_its_parts() {
        let read: Whole = from_json(r#"{"degree": 2, "set": {"b": 1, "a": 0.5}}"#).unwrap();
        assert_eq!((read.outer.part.degree, &read.set[0]), (Some(2), &("b".to_owned(), 1.0)));
        assert_eq!(serde_json::to_string(&read).unwrap(), r#"{"name":null,"degree":2,"set":{"b":1.0,"a":0.5}}"#);
        assert_eq!(from_json::<Whole>("{}").unwrap(), Whole::default());
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest() {
        let message = from_json::<Whole>(r#"{"degre": 2}"#).unwrap_err().to_string();
        assert!(message.starts_with("this is no request: unknown key `degre`"), "{message}");
        assert!(message.contains("did you mean `degree`?"), "{message}");
        let message = from_json::<Whole>("[1]").unwrap_err().to_string();
        assert!(message.contains("write one JSON object"), "{message}");
    }
}
