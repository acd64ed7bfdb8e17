//! Models by name: what is left of a name when everything that says nothing of the shape is looked through.

use crate::spec::Precision;

/// Words of names that say how a model was trained further or who wrote its files.
const LOOKED_THROUGH: [&str; 12] =
    ["base", "block", "chat", "dynamic", "hf", "instruct", "it", "kv", "meta", "pt", "quantized", "thinking"];

/// Formats of weights in names, those that tell the bits before those that tell the method. As in a `config.json`, methods are
/// taken as the bits that they have.
const FORMATS: [(&str, Precision); 12] = [
    ("fp8", Precision::Fp8),
    ("nvfp4", Precision::Fp4),
    ("mxfp4", Precision::Fp4),
    ("fp4", Precision::Fp4),
    ("w4a16", Precision::Int4),
    ("int4", Precision::Int4),
    ("w8a8", Precision::Int8),
    ("int8", Precision::Int8),
    ("bf16", Precision::Bf16),
    ("fp16", Precision::Fp16),
    ("awq", Precision::Int4),
    ("gptq", Precision::Int4),
];

/// A model's name taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelName {
    /// Family, version and all else that may say something of the shape, without signs between.
    family: String,
    /// Sizes such as `70b`, `8x7b`, `a3b`, in their order: kept apart from the family, so that Qwen2.5-7B is no Qwen2-57B.
    sizes: Vec<String>,
    /// The format that it gives the weights.
    pub format: Option<Precision>,
}

impl ModelName {
    /// Takes a name apart: the organisation before the last `/`, case and signs between words do not count.
    pub fn of(name: &str) -> Self {
        let own = name.rsplit('/').next().unwrap_or(name).to_lowercase();
        let words = words(&own);
        let has = |format: &&(&str, Precision)| words.contains(&format.0);
        let format = FORMATS.iter().find(has).map(|(_, format)| *format);
        let (sizes, others): (Vec<&str>, Vec<&str>) = words
            .into_iter()
            .filter(|word| !LOOKED_THROUGH.contains(word) && !FORMATS.iter().any(|(format, _)| format == word))
            .partition(|word| is_size(word));
        Self { family: others.concat().replace('.', ""), sizes: sizes.into_iter().map(str::to_owned).collect(), format }
    }

    /// Whether both have the same name but for the format.
    pub fn is_of_one_shape_with(&self, other: &Self) -> bool {
        self.family == other.family && self.sizes == other.sizes
    }
}

/// The words between signs; a point between digits is none.
fn words(name: &str) -> Vec<&str> {
    let bytes = name.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut words = Vec::new();
    let mut start = 0;
    for (at, sign) in name.char_indices().chain([(name.len(), ' ')]) {
        let in_number = sign == '.' && at > 0 && is_digit(at - 1) && is_digit(at + 1);
        if !sign.is_alphanumeric() && !in_number {
            if start < at {
                words.push(&name[start..at]);
            }
            start = at + sign.len_utf8();
        }
    }
    words
}

/// `70b`, `1.5b`, `190m`, `8x7b`, `a22b`
fn is_size(word: &str) -> bool {
    let number = word.strip_suffix(['b', 'm']).unwrap_or_default();
    let number = number.strip_prefix('a').unwrap_or(number);
    number.split('x').all(|part| {
        part.starts_with(|sign: char| sign.is_ascii_digit())
            && part.bytes().all(|sign| sign.is_ascii_digit() || sign == b'.')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_nothing_of_the_shape_is_looked_through() {
        for (typed, plain, format) in [
            ("RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic", "llama33_70b", Some(Precision::Fp8)),
            ("RedHatAI/Meta-Llama-3.1-8B-Instruct-quantized.w8a8", "llama31_8b", Some(Precision::Int8)),
            ("neuralmagic/Meta-Llama-3.1-8B-Instruct-quantized.w4a16", "llama31_8b", Some(Precision::Int4)),
            ("hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4", "llama31_8b", Some(Precision::Int4)),
            ("Qwen2.5-7B-Instruct-GPTQ-Int8", "qwen25_7b", Some(Precision::Int8)),
            ("nvidia/Llama-3.3-70B-Instruct-NVFP4", "llama33_70b", Some(Precision::Fp4)),
            ("Llama 3.1 8B", "llama31_8b", None),
            ("llama3.1:8b", "llama31_8b", None),
            ("google/gemma-2-9b-it", "gemma2_9b", None),
            ("mixtral-8x7b", "Mixtral_8x7B", None),
            ("Qwen3-235B-A22B-Thinking", "qwen3_235b_a22b", None),
        ] {
            let name = ModelName::of(typed);
            assert!(name.is_of_one_shape_with(&ModelName::of(plain)), "{typed}: {name:?}");
            assert_eq!(name.format, format, "{typed}");
        }
    }

    #[test]
    fn another_size_version_or_product_is_another_name() {
        for (one, other) in [
            ("llama33_70b", "Llama-3.3-8B"),
            ("llama33_70b", "Llama-3.3"),
            ("llama33_70b", "Llama-3.1-70B"),
            ("qwen25_7b", "Qwen2-57B"),
            ("qwen25_7b", "Qwen2.5-Coder-7B"),
            ("mixtral_8x7b", "Mixtral-8x22B"),
            ("qwen3_30b_a3b", "Qwen3-30B"),
            ("deepseek_v3", "DeepSeek-V3.1"),
            ("mistral_7b_v01", "Mistral-7B-v0.2"),
        ] {
            assert!(!ModelName::of(one).is_of_one_shape_with(&ModelName::of(other)), "{one} {other}");
        }
    }
}
