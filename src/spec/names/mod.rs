//! What a name that somebody types means: the names in the files of the catalogue, and how far others may differ from them.

mod device;
mod model;

pub(super) use self::device::{DeviceWords, letters};
use self::model::ModelName;
use super::{Kind, Precision};
use crate::error::{Error, Result, did_you_mean};

/// The names that one file gives.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Named {
    #[serde(skip)]
    pub id: String,
    name: String,
    aliases: Vec<String>,
    usual_for: Vec<String>,
    same_shape: Vec<String>,
    stored_precision: Option<Precision>,
}

impl Named {
    /// Whether a name is its id or one of its aliases, in any case of letters.
    pub fn is_called(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        self.id.to_lowercase() == name || self.aliases.iter().any(|alias| alias.to_lowercase() == name)
    }

    fn all(&self) -> impl Iterator<Item = &str> {
        [&self.id, &self.name].into_iter().chain(&self.aliases).map(String::as_str)
    }

    fn words(&self) -> DeviceWords {
        DeviceWords::of(&self.id, [&self.name].into_iter().chain(&self.aliases).map(String::as_str))
    }
}

/// What a name means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Meaning {
    /// The file.
    pub id: String,
    /// The format that the name of a model gives its weights, if it is another than that of the file.
    pub format: Option<Precision>,
    /// What somebody who types this name should know.
    pub remark: Option<String>,
}

impl Meaning {
    /// A file whose name needs no remark.
    pub fn plain(id: &str) -> Self {
        Self { id: id.to_owned(), format: None, remark: None }
    }
}

/// What a name means that is no id; the first of `files` that has it counts.
///
/// # Errors
/// It fits several devices, none of which is the usual one.
pub(super) fn meaning(kind: Kind, name: &str, files: &[Named]) -> Result<Option<Meaning>> {
    if let Some(file) = files.iter().find(|file| file.is_called(name)) {
        return Ok(Some(Meaning::plain(&file.id)));
    }
    match kind {
        Kind::Hardware => device(name, files),
        Kind::Model => Ok(model(name, files)),
        Kind::Scenario => Ok(None),
    }
}

/// A device whose words the name is made of: the only one, or the usual one.
fn device(name: &str, files: &[Named]) -> Result<Option<Meaning>> {
    let typed = letters(name);
    if let Some(file) = files.iter().find(|file| file.all().any(|known| letters(known) == typed)) {
        return Ok(Some(Meaning::plain(&file.id)));
    }
    let fitting: Vec<&Named> = files.iter().filter(|file| file.words().spell(&typed)).collect();
    // "H100" fits where "H100 80GB" is typed, and "A100 PCIe" does not where "A100" is.
    let suits = |usual: &&String| device::words(usual).all(|word| typed.contains(&word));
    let usual = |file: &&&Named| file.usual_for.iter().filter(suits).map(String::len).max();
    match (fitting.as_slice(), fitting.iter().max_by_key(usual).filter(|file| usual(file).is_some())) {
        ([], _) => Ok(None),
        ([only], _) => Ok(Some(Meaning::plain(&only.id))),
        (several, Some(file)) => {
            let others: Vec<&str> = several.iter().map(|other| other.id.as_str()).filter(|id| *id != file.id).collect();
            let remark =
                format!("`{name}` is taken as {}; there {} also {}", file.id, is_or_are(&others), listed(&others));
            Ok(Some(Meaning { remark: Some(remark), ..Meaning::plain(&file.id) }))
        }
        (several, None) => {
            let ids: Vec<&str> = several.iter().map(|file| file.id.as_str()).collect();
            Err(Error::input(format!("`{name}` fits several devices")).help(format!("name one: {}", listed(&ids))))
        }
    }
}

/// A model of the same name but for what says nothing of the shape, or one that a file says to have its shape.
fn model(name: &str, files: &[Named]) -> Option<Meaning> {
    // The last part of a path is no name.
    if name.starts_with(['.', '/', '~']) || name.matches('/').count() > 1 {
        return None;
    }
    let typed = ModelName::of(name);
    let (file, same_name) = files
        .iter()
        .find(|file| file.all().any(|known| ModelName::of(known).is_of_one_shape_with(&typed)))
        .map(|file| (file, true))
        .or_else(|| {
            let has_it =
                |file: &&Named| file.same_shape.iter().any(|known| ModelName::of(known).is_of_one_shape_with(&typed));
            files.iter().find(has_it).map(|file| (file, false))
        })?;
    let format = typed.format.filter(|format| *format != file.stored_precision.unwrap_or(Precision::Bf16));
    let remark = match (same_name, format) {
        (true, None) => None,
        (true, Some(format)) => Some(format!("`{name}` is taken as {} with weights published in {format}", file.id)),
        (false, None) => Some(format!("`{name}` has the shape of {}", file.id)),
        (false, Some(format)) => {
            Some(format!("`{name}` has the shape of {}; its weights are published in {format}", file.id))
        }
    };
    Some(Meaning { id: file.id.clone(), format, remark })
}

/// The remedy for a name that means nothing.
pub(super) fn hint(kind: Kind, name: &str, ids: &[String], files: &[Named]) -> String {
    let mut known: Vec<(&str, &str)> = ids.iter().map(|id| (id.as_str(), id.as_str())).collect();
    known.extend(files.iter().flat_map(|file| file.aliases.iter().map(|alias| (alias.as_str(), file.id.as_str()))));
    if kind == Kind::Hardware {
        // GB200, B200 and H200 are one letter apart, and three products.
        let codes = device::codes(name);
        known.retain(|(spelt, _)| device::codes(spelt) == codes);
    }
    if let Some(near) = did_you_mean(name, known.iter().map(|(spelt, _)| *spelt)) {
        let meant = known.iter().find(|(spelt, _)| *spelt == near).map_or(near, |(_, id)| id);
        return format!("did you mean `{meant}`? `perfmodel list` shows all");
    }
    match kind {
        Kind::Hardware => {
            let relatives: Vec<&str> =
                files.iter().filter(|file| file.words().is_product_in(name)).map(|file| file.id.as_str()).collect();
            let there = |ids: &[&str]| format!("of this name there {} {}; ", is_or_are(ids), listed(ids));
            let of_it = if relatives.is_empty() { String::new() } else { there(&relatives) };
            format!(
                "{of_it}`perfmodel list hardware` shows all; another one is described by a TOML file, whose path can be given"
            )
        }
        Kind::Model => {
            "`perfmodel list models` shows all; another one is described by its config.json of Hugging Face".to_owned()
        }
        Kind::Scenario => "`perfmodel list scenarios` shows all".to_owned(),
    }
}

/// `a`, `a and b`, `a, b and c`.
fn listed(ids: &[&str]) -> String {
    match ids.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

fn is_or_are(ids: &[&str]) -> &'static str {
    if ids.len() == 1 { "is" } else { "are" }
}
