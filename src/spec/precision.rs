//! Number formats of weights, KV cache and arithmetic.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::error::{Error, ErrorKind, Result, named};

/// A number format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Precision {
    /// IEEE double precision.
    Fp64,
    /// IEEE single precision.
    Fp32,
    /// 19-bit tensor-core format, stored as 32 bit.
    Tf32,
    /// Brain float.
    Bf16,
    /// IEEE half precision.
    Fp16,
    /// 8-bit float (E4M3 or E5M2).
    Fp8,
    /// 8-bit integer.
    Int8,
    /// 4-bit float (MXFP4, NVFP4).
    Fp4,
    /// 4-bit integer.
    Int4,
}

impl Precision {
    /// Every precision, widest first.
    pub const ALL: [Self; 9] =
        [Self::Fp64, Self::Fp32, Self::Tf32, Self::Bf16, Self::Fp16, Self::Fp8, Self::Int8, Self::Fp4, Self::Int4];

    /// Bytes of one stored element; block scales of the 4-bit and 8-bit formats are not counted.
    pub const fn bytes(self) -> f64 {
        match self {
            Self::Fp64 => 8.0,
            Self::Fp32 | Self::Tf32 => 4.0,
            Self::Bf16 | Self::Fp16 => 2.0,
            Self::Fp8 | Self::Int8 => 1.0,
            Self::Fp4 | Self::Int4 => 0.5,
        }
    }

    /// The format in which an engine that stores weights like this computes attention and the output head:
    /// 32-bit weights stay in 32 bit, everything narrower uses 16 bit.
    pub const fn unquantised(self) -> Self {
        match self {
            Self::Fp64 => Self::Fp64,
            Self::Fp32 => Self::Fp32,
            Self::Tf32 => Self::Tf32,
            Self::Fp16 => Self::Fp16,
            Self::Bf16 | Self::Fp8 | Self::Int8 | Self::Fp4 | Self::Int4 => Self::Bf16,
        }
    }

    /// Name as written in files and flags.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fp64 => "fp64",
            Self::Fp32 => "fp32",
            Self::Tf32 => "tf32",
            Self::Bf16 => "bf16",
            Self::Fp16 => "fp16",
            Self::Fp8 => "fp8",
            Self::Int8 => "int8",
            Self::Fp4 => "fp4",
            Self::Int4 => "int4",
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Precision {
    type Err = Error;

    /// By name, in any case of letters.
    fn from_str(text: &str) -> Result<Self> {
        match instead_of(&text.to_lowercase()) {
            Some(instead) => {
                Err(Error::input(format!("`{text}` is not modelled yet")).of(ErrorKind::NotModelled).help(instead))
            }
            None => named(&Self::ALL, Self::name, text, "unknown precision"),
        }
    }
}

impl<'de> Deserialize<'de> for Precision {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error: Error| de::Error::custom(error.to_string().replace("\n  help: ", "; ")))
    }
}

/// What can be taken instead of a format that is known by name alone. It is never taken in silence: the scales of blocks and groups
/// add bytes, and weights that are only stored narrow are computed with in 16 bit.
fn instead_of(format: &str) -> Option<String> {
    let blocks = |ours: Precision, values: u32| {
        format!("use `{ours}`, which leaves out the scales: one byte for {values} values")
    };
    let stored = |ours: Precision| {
        format!(
            "use `--weights {ours} --compute bf16`, in a scenario `weight_precision = \"{ours}\"` and \
                 `compute_precision = \"bf16\"`; the scales of groups are left out"
        )
    };
    match format {
        "nvfp4" => Some(blocks(Precision::Fp4, 16)),
        "mxfp4" => Some(blocks(Precision::Fp4, 32)),
        "mxfp8" => Some(blocks(Precision::Fp8, 32)),
        "awq" | "gptq" | "w4a16" | "nf4" => Some(stored(Precision::Int4)),
        "w8a16" => Some(stored(Precision::Int8)),
        // int4_g128, int4-g64
        _ if format.starts_with("int4_g") || format.starts_with("int4-g") => Some(stored(Precision::Int4)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        for precision in Precision::ALL {
            assert_eq!(precision.name().parse::<Precision>().unwrap(), precision);
            assert_eq!(precision.name().to_uppercase().parse::<Precision>().unwrap(), precision);
            let json = serde_json::to_string(&precision).unwrap();
            assert_eq!(serde_json::from_str::<Precision>(&json).unwrap(), precision);
            assert_eq!(serde_json::from_str::<Precision>(&json.to_uppercase()).unwrap(), precision);
        }
    }

    #[test]
    fn formats_of_later_are_known_by_name_and_taken_for_no_other() {
        for (text, instead) in [
            ("nvfp4", "use `fp4`, which leaves out the scales: one byte for 16 values"),
            ("MXFP4", "use `fp4`, which leaves out the scales: one byte for 32 values"),
            ("mxfp8", "use `fp8`, which leaves out the scales: one byte for 32 values"),
            ("AWQ", "use `--weights int4 --compute bf16`"),
            ("gptq", "use `--weights int4 --compute bf16`"),
            ("W4A16", "use `--weights int4 --compute bf16`"),
            ("nf4", "use `--weights int4 --compute bf16`"),
            ("int4_g128", "use `--weights int4 --compute bf16`"),
            ("w8a16", "use `--weights int8 --compute bf16`"),
        ] {
            let message = text.parse::<Precision>().unwrap_err().to_string();
            assert!(message.starts_with(&format!("`{text}` is not modelled yet\n  help: {instead}")), "{message}");
        }
        let message = serde_json::from_str::<Precision>("\"awq\"").unwrap_err().to_string();
        assert!(message.starts_with("`awq` is not modelled yet; use `--weights int4"), "{message}");
    }

    #[test]
    fn an_unknown_name_lists_what_there_is() {
        let message = "fp88".parse::<Precision>().unwrap_err().to_string();
        assert!(message.starts_with("unknown precision `fp88`\n  help: did you mean `fp8`?"), "{message}");
    }
}
