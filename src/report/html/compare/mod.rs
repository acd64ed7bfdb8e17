//! The page of compared runs.

pub(in crate::report) mod charts;
pub(in crate::report) mod load_test;
pub(in crate::report) mod model;
pub(in crate::report) mod page;
pub(in crate::report) mod scatter;
