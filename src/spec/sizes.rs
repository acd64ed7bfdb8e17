//! The largest sizes that a model may have.
//!
//! They are several times those of any published model, and keep every count of weights within 64 bits: 2^12 layers of 2^13
//! experts of 3 matrices of 2^17 x 2^19 are 3 x 2^61.

pub const MOST_LAYERS: u32 = 1 << 12;
pub const MOST_HEADS: u32 = 1 << 12;
pub const MOST_EXPERTS: u32 = 1 << 12;
pub const MOST_WIDTH: u32 = 1 << 17;
pub const MOST_FFN_WIDTH: u32 = 1 << 19;
pub const MOST_VOCABULARY: u32 = 1 << 24;
pub const MOST_NORMS: u32 = 1 << 6;
