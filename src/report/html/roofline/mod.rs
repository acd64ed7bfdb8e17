//! The page of a roofline.

pub(in crate::report) mod charts;
pub(in crate::report) mod page;
