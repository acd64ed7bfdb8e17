//! Tables that the terminal and the pages both show.

pub(super) mod compare;
pub(super) mod compare_model;
pub(super) mod dial;
pub(super) mod insights;
pub(super) mod roofline;
pub(super) mod variants;
