//! The page of attention insights.

pub(in crate::report) mod charts;
pub(in crate::report) mod dial;
pub(in crate::report) mod page;
pub(in crate::report) mod sweep;
pub(in crate::report) mod variants;
