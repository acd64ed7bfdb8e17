//! All that there is to say of compared runs.

use super::{Comparison, LevelFigures, ModelLatencies, Settings, Side};

/// Runs that were compared, or the runs of load tests at one number of clients.
#[derive(Debug, Clone)]
pub struct CompareGroup {
    /// Clients, for a level of load tests.
    pub clients: Option<u32>,
    /// What was compared; the first is the base.
    pub sides: Vec<Side>,
    /// The result.
    pub comparison: Comparison,
    /// What a reader must know.
    pub cautions: Vec<String>,
    /// What the model predicts for each side; none at all where no system is named.
    pub model: Vec<Option<ModelLatencies>>,
}

/// The system that runs are held against.
#[derive(Debug, Clone)]
pub struct HeldModel {
    /// Its name.
    pub title: String,
    /// Where its parameters come from.
    pub basis: String,
    /// What a reader must know of the predictions.
    pub cautions: Vec<String>,
}

/// All that there is to say of compared runs.
#[derive(Debug, Clone)]
pub struct CompareReport {
    /// How they were compared.
    pub settings: Settings,
    /// One group for runs, one for each level of load tests.
    pub groups: Vec<CompareGroup>,
    /// Load tests with the rates of their levels; none for runs.
    pub load_tests: Vec<(String, Vec<LevelFigures>)>,
    /// What a reader must know of all of it.
    pub cautions: Vec<String>,
    /// The system that the runs are held against, if one is named.
    pub model: Option<HeldModel>,
}
