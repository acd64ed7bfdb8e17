//! Self-contained pages with their figures. A file, or a folder, is a page; the first ones are what all share.

pub(super) mod charts;
pub(super) mod coverage;
pub(super) mod error_map;
pub(super) mod figure;
pub(super) mod page;

pub(super) mod compare;
pub(super) mod front;
pub(super) mod insights;
pub(super) mod live;
pub(super) mod plan;
pub(super) mod prediction;
pub(super) mod probe;
pub(super) mod roofline;
pub(super) mod study;
pub(super) mod transfer;
