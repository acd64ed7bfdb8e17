//! Number formats of weights, KV cache and arithmetic.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, named};

/// A number format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
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

    fn from_str(text: &str) -> Result<Self> {
        named(&Self::ALL, Self::name, text, "unknown precision")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        for precision in Precision::ALL {
            assert_eq!(precision.name().parse::<Precision>().unwrap(), precision);
        }
    }

    #[test]
    fn an_unknown_name_lists_what_there_is() {
        let message = "fp88".parse::<Precision>().unwrap_err().to_string();
        assert!(message.starts_with("unknown precision `fp88`\n  help: did you mean `fp8`?"), "{message}");
    }
}
