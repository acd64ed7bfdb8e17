//! Tables that the terminal and the pages both show.

pub(super) mod compare;
pub(super) mod compare_model;
pub(super) mod dial;
pub(super) mod insights;
pub(super) mod roofline;
pub(super) mod variants;

/// Header and rows.
pub struct ReportTable {
    /// Names of the columns.
    pub header: Vec<String>,
    /// Cells.
    pub rows: Vec<Vec<String>>,
}

impl ReportTable {
    /// With such columns.
    pub fn new(header: &[&str], rows: Vec<Vec<String>>) -> Self {
        Self { header: header.iter().map(|name| (*name).to_owned()).collect(), rows }
    }
}
