//! Reading the keys of a configuration, with everything wrong collected.

use serde_json::Value;
use serde_json::value::RawValue;

use super::object::{Object, shown};
use crate::error::Result;
use crate::spec::file::Problems;
use crate::spec::sizes::{MOST_EXPERTS, MOST_FFN_WIDTH, MOST_HEADS, MOST_LAYERS, MOST_VOCABULARY, MOST_WIDTH};

/// A key that holds a whole number.
#[derive(Debug)]
pub struct Count {
    /// Names of the key; the first that a file has is read.
    names: &'static [&'static str],
    least: u32,
    most: u32,
}

impl Count {
    /// What the key is called in most files.
    pub const fn name(&self) -> &'static str {
        self.names[0]
    }
}

const fn from_1(names: &'static [&'static str], most: u32) -> Count {
    Count { names, least: 1, most }
}

const fn from_0(names: &'static [&'static str], most: u32) -> Count {
    Count { names, least: 0, most }
}

pub const HIDDEN_SIZE: Count = from_1(&["hidden_size"], MOST_WIDTH);
pub const VOCAB_SIZE: Count = from_1(&["vocab_size"], MOST_VOCABULARY);
pub const CONTEXT: Count = from_1(&["max_position_embeddings"], u32::MAX);
pub const LAYERS: Count = from_1(&["num_hidden_layers"], MOST_LAYERS);

pub const QUERY_HEADS: Count = from_1(&["num_attention_heads"], MOST_HEADS);
pub const KV_HEADS: Count = from_1(&["num_key_value_heads"], MOST_HEADS);
pub const HEAD_DIM: Count = from_1(&["head_dim"], MOST_HEADS);
pub const WINDOW: Count = from_1(&["sliding_window"], u32::MAX);
pub const WINDOW_PATTERN: Count = from_1(&["sliding_window_pattern", "_sliding_window_pattern"], MOST_LAYERS);
pub const MAX_WINDOW_LAYERS: Count = from_0(&["max_window_layers"], u32::MAX);

pub const Q_LORA_RANK: Count = from_1(&["q_lora_rank"], MOST_WIDTH);
pub const KV_LORA_RANK: Count = from_1(&["kv_lora_rank"], MOST_WIDTH);
pub const QK_NOPE_HEAD_DIM: Count = from_1(&["qk_nope_head_dim"], MOST_HEADS);
pub const QK_ROPE_HEAD_DIM: Count = from_1(&["qk_rope_head_dim"], MOST_HEADS);
pub const V_HEAD_DIM: Count = from_1(&["v_head_dim"], MOST_HEADS);

pub const INTERMEDIATE_SIZE: Count = from_1(&["intermediate_size"], MOST_FFN_WIDTH);
pub const MOE_INTERMEDIATE_SIZE: Count = from_1(&["moe_intermediate_size"], MOST_FFN_WIDTH);
pub const SHARED_INTERMEDIATE_SIZE: Count = from_0(&["shared_expert_intermediate_size"], MOST_FFN_WIDTH);
/// One name per family; newer releases of transformers write some of them under another family's name.
pub const EXPERTS: Count = from_1(&["num_experts", "num_local_experts", "n_routed_experts"], MOST_EXPERTS);
pub const ACTIVE_EXPERTS: Count = from_1(&["num_experts_per_tok", "experts_per_token"], MOST_EXPERTS);
pub const SHARED_EXPERTS: Count = from_0(&["n_shared_experts"], MOST_EXPERTS);
pub const DENSE_LAYERS: Count = from_0(&["first_k_dense_replace"], u32::MAX);
pub const MOE_LAYER_FREQ: Count = from_1(&["moe_layer_freq"], u32::MAX);
pub const SPARSE_STEP: Count = from_1(&["decoder_sparse_step"], u32::MAX);

/// An object being read.
///
/// A value that cannot be read is noted and replaced by one of the right kind, so that reading goes on and all problems
/// come at once; [`Keys::finish`] then fails.
#[derive(Debug)]
pub struct Keys<'a> {
    object: Object<'a>,
    problems: Problems<'a>,
    /// Some value was replaced: what follows from it says nothing about the file.
    replaced: bool,
}

impl<'a> Keys<'a> {
    /// Starts to read an object.
    pub fn new(object: Object<'a>) -> Self {
        let problems = object.file().problems();
        Self { object, problems, replaced: false }
    }

    /// A count that must be there.
    pub fn required(&mut self, key: &Count) -> u32 {
        self.count_or(key, None).unwrap_or_else(|| {
            let name = self.object.first(key.names).map_or(key.names[0], |(name, _)| name);
            let what = match self.object.place(name) {
                Some(_) => "is null; the published config.json of the model has a number there",
                None => "is missing; the published config.json of the model has it",
            };
            self.note(name, what);
            self.replaced = true;
            key.least
        })
    }

    /// A size: one that must be there if `absent` is `None`, else `absent` where the file does not give it.
    pub fn size(&mut self, key: &Count, absent: Option<u32>) -> u32 {
        match absent {
            Some(absent) => self.count_or(key, None).unwrap_or(absent),
            None => self.required(key),
        }
    }

    /// A count: what the file says, `absent` if it does not say, `None` if it says null.
    pub fn count_or(&mut self, key: &Count, absent: Option<u32>) -> Option<u32> {
        let Some((name, raw)) = self.object.first(key.names) else { return absent };
        match serde_json::from_str(raw.get()) {
            Ok(Value::Null) => return None,
            Ok(Value::Number(number)) => {
                let count = number.as_u64().and_then(|number| u32::try_from(number).ok());
                if let Some(count) = count.filter(|count| (key.least..=key.most).contains(count)) {
                    return Some(count);
                }
            }
            Ok(_) | Err(_) => {}
        }
        self.wrong(name, raw, &format!("a whole number from {} to {}", key.least, key.most));
        Some(key.least)
    }

    /// A switch; null counts as absent.
    pub fn flag_or(&mut self, name: &str, absent: bool) -> bool {
        self.typed(name, "true or false").unwrap_or(absent)
    }

    /// A text; null counts as absent.
    pub fn text(&mut self, name: &str) -> Option<String> {
        self.typed(name, "a text")
    }

    /// A list of texts; null counts as absent.
    pub fn texts(&mut self, name: &str) -> Option<Vec<String>> {
        self.typed(name, "a list of texts")
    }

    /// A list of layer numbers; empty if absent or null.
    pub fn layer_numbers(&mut self, name: &str) -> Vec<u32> {
        self.typed(name, "a list of layer numbers").unwrap_or_default()
    }

    fn typed<T: serde::de::DeserializeOwned>(&mut self, name: &str, kind: &str) -> Option<T> {
        let (_, raw) = self.object.first(&[name])?;
        serde_json::from_str(raw.get()).unwrap_or_else(|_| {
            self.wrong(name, raw, kind);
            None
        })
    }

    /// Notes that values do not go together. Not if some value could not be read, for then that says nothing.
    pub fn require(&mut self, holds: bool, name: &str, what: impl FnOnce() -> String) {
        if !holds && !self.replaced {
            self.note(name, &what());
        }
    }

    /// Notes a problem with the value of a key.
    pub fn note(&mut self, name: &str, what: &str) {
        self.problems.note_at(self.object.place(name), &self.object.path(name), what);
    }

    fn wrong(&mut self, name: &str, raw: &RawValue, kind: &str) {
        self.note(name, &format!("is {}; it must be {kind}", shown(raw)));
        self.replaced = true;
    }

    /// `Ok` if nothing was noted.
    ///
    /// # Errors
    /// Everything noted.
    pub fn finish(self) -> Result<()> {
        self.problems.finish()
    }
}
