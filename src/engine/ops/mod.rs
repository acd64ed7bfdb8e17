//! The operators of a step, one physical effect a file.

pub mod activations;
pub mod attention;
pub mod collective;
pub mod linear;
pub mod matrices;
pub mod moe;
pub mod power;
