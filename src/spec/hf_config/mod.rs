//! Reading the `config.json` that Hugging Face keeps beside the weights of a model.
//!
//! The file describes a shape for one class of transformers, which has defaults of its own for what the file leaves
//! out. One family here stands for one such class:
//!
//! | part | file |
//! |---|---|
//! | which families are known, and their defaults | `family.rs` |
//! | heads, windows, biases and norms of attention | `attention.rs` |
//! | dense and expert feed-forward blocks | `ffn.rs` |
//! | number format of the stored weights | `precision.rs` |
//! | names and limits of keys; problems with their values | `keys.rs` |
//! | JSON with places | `object.rs` |
//!
//! A size that transformers has a default for must be given nevertheless, for that default is the size of one model;
//! where published files leave a size out, the default stands in `family.rs`.

mod attention;
mod family;
mod ffn;
mod keys;
mod object;
mod precision;

use std::path::{Path, PathBuf, absolute};

use self::attention::read_attention;
use self::family::Family;
use self::ffn::read_ffn;
use self::keys::{CONTEXT, HIDDEN_SIZE, Keys, LAYERS, VOCAB_SIZE};
use self::object::Object;
use self::precision::stored_precision;
use super::{Attention, Ffn, LayerGroup, ModelArchitecture, SpecFile};
use crate::error::{Error, ErrorKind, Result};

const CONFIG_FILE: &str = "config.json";

/// Reads and checks a `config.json`; `id` becomes the id and the name of the model.
///
/// A model for more than text keeps its language model in `text_config`; that is the one read.
///
/// # Errors
/// Broken JSON, an unknown architecture, keys that are missing or hold something else than a count in its range,
/// and counts that do not go together. All problems with keys come at once.
pub fn read_hf_config(id: &str, file: &SpecFile) -> Result<ModelArchitecture> {
    let top = Object::read(file)?;
    let text = top.nested("text_config")?;
    let objects: Vec<&Object<'_>> = text.iter().chain([&top]).collect();
    let family = Family::of(&objects)?;
    let (stored_precision, unknown_format) = stored_precision(&objects);
    let mut keys = Keys::new(text.unwrap_or(top));

    let traits = family.traits();
    let hidden_size = keys.required(&HIDDEN_SIZE);
    let layers = keys.required(&LAYERS);
    let vocab_size = keys.size(&VOCAB_SIZE, traits.sizes.map(|sizes| sizes.vocabulary));
    let max_context_tokens = keys.size(&CONTEXT, traits.sizes.map(|sizes| sizes.context));
    let tied_embeddings = keys.flag_or("tie_word_embeddings", traits.tied_embeddings);
    let attention = read_attention(&mut keys, &traits, hidden_size, layers);
    let ffn = read_ffn(&mut keys, &traits, layers);
    keys.finish()?;

    Ok(ModelArchitecture {
        id: id.to_owned(),
        name: id.to_owned(),
        aliases: Vec::new(),
        same_shape: Vec::new(),
        family: family.name().to_owned(),
        hidden_size,
        vocab_size,
        tied_embeddings,
        max_context_tokens,
        norms_per_layer: traits.norms_per_layer,
        parallel_blocks: false,
        stored_precision,
        unknown_format,
        published_parameters: None,
        layers: groups(attention.into_iter().zip(ffn)),
        extra: Vec::new(),
        sources: Vec::new(),
    })
}

/// The configuration that a text is the path of: a file that ends in `.json`, or a folder that holds `config.json`. `None` for
/// every other text, which may be the name of a model.
pub(super) fn config_path(name_or_path: &str) -> Option<PathBuf> {
    let given = Path::new(name_or_path);
    if given.is_dir() && given.join(CONFIG_FILE).is_file() {
        Some(given.join(CONFIG_FILE))
    } else {
        given.extension().is_some_and(|ending| ending == "json").then(|| given.to_owned())
    }
}

/// Reads the configuration that a text is the path of: a file that ends in `.json`, or a folder that holds
/// `config.json`. The id is the name of the folder, or of the file if it is not called `config.json`.
///
/// `None` for every other text, which may be the id of a model.
///
/// # Errors
/// A `.json` file that is not there or cannot be read, or anything wrong with its content.
pub fn hf_config_at(id_or_path: &str) -> Result<Option<ModelArchitecture>> {
    let Some(path) = config_path(id_or_path) else { return Ok(None) };
    // Not resolved further: in the cache of Hugging Face the file is a link to one named after its hash.
    let full = absolute(&path).map_err(|error| {
        Error::input(format!("cannot find the file ({error})")).of(ErrorKind::File).because(error).at(&path)
    })?;
    let name = match full.file_name() {
        Some(name) if name != CONFIG_FILE => full.file_stem(),
        _ => full.parent().and_then(Path::file_name),
    };
    let id = name.map_or_else(|| "model".to_owned(), |name| name.to_string_lossy().into_owned());
    read_hf_config(&id, &SpecFile::open(&path)?).map(Some)
}

/// Equal layers as groups, in the order of their first layers.
fn groups(layers: impl Iterator<Item = (Attention, Ffn)>) -> Vec<LayerGroup> {
    let mut groups: Vec<LayerGroup> = Vec::new();
    for (attention, ffn) in layers {
        match groups.iter_mut().find(|group| group.attention == attention && group.ffn == ffn) {
            Some(group) => group.count += 1,
            None => groups.push(LayerGroup { count: 1, attention, ffn }),
        }
    }
    groups
}
