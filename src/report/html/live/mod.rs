//! The pages of live runs and of fits to them.

pub(in crate::report) mod charts;
pub(in crate::report) mod page;
pub(in crate::report) mod study;
