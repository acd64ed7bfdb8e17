//! Rows that a fit did not see, predicted by it.

use super::propagation::Sides;
use crate::dataset::Measurement;
use crate::prediction::Prediction;

/// A left-out row: its prediction by a fit that did not see it, and how sure that fit was.
#[derive(Debug, Clone, Copy)]
pub struct LeftOut {
    /// What was measured.
    pub measured: Measurement,
    /// The prediction.
    pub prediction: Prediction,
    /// Scales of the errors that the fold's fit expects of ln TTFT and of ln ITL.
    pub scales: [Sides; 2],
    /// Which fold left it out.
    pub fold: usize,
}

/// Out-of-sample predictions of the rows of a member, in their order.
#[derive(Debug, Clone, Default)]
pub struct LeftOutRows {
    /// Each row predicted by a fit to the other workloads (input and output tokens).
    pub by_workload: Option<Vec<LeftOut>>,
    /// Each row predicted by a fit to the other loads.
    pub by_load: Option<Vec<LeftOut>>,
}
