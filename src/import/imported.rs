//! What was read of the files of one or more tools.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::point::{Facts, Point};
use super::tool::Tool;
use crate::workload::LoadKind;

/// What was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The tools that wrote it.
    pub tools: BTreeSet<Tool>,
    /// Every load.
    pub points: Vec<Point>,
    /// What to beware of.
    pub warnings: Vec<String>,
    /// Files that no reader knows.
    pub unknown: Vec<PathBuf>,
}

impl Imported {
    /// Nothing yet, of a tool.
    pub(super) fn of(tool: Tool) -> Self {
        Self { tools: BTreeSet::from([tool]), ..Self::nothing() }
    }

    /// Nothing yet, of no tool.
    pub(super) fn nothing() -> Self {
        Self { tools: BTreeSet::new(), points: Vec::new(), warnings: Vec::new(), unknown: Vec::new() }
    }

    /// Adds what a file says of the system: of the loads read since the last one.
    pub(super) fn add_facts(&mut self, facts: &Facts) {
        for point in self.points.iter_mut().filter(|point| point.facts == Facts::default()) {
            point.facts = facts.clone();
        }
    }

    /// What was taken for what, of every tool, where loads of that kind were taken.
    pub fn conversions(&self, load: LoadKind) -> Vec<String> {
        let of = |tool: &Tool| {
            let whose = if self.tools.len() > 1 { format!("{}: ", tool.title()) } else { String::new() };
            tool.conversions(load).map(move |conversion| format!("{whose}{conversion}"))
        };
        self.tools.iter().flat_map(of).collect()
    }

    /// What the files say of the system, of each thing the first that says it.
    pub fn facts(&self) -> Facts {
        self.points.iter().map(|point| point.facts.clone()).fold(Facts::default(), |known, found| Facts {
            model: known.model.or(found.model),
            engine: known.engine.or(found.engine),
            hardware: known.hardware.or(found.hardware),
            family: known.family.or(found.family),
            tensor_parallel: known.tensor_parallel.or(found.tensor_parallel),
            precision: known.precision.or(found.precision),
            kv_precision: known.kv_precision.or(found.kv_precision),
        })
    }

    /// With another one's results behind its own.
    pub fn with(mut self, other: Self) -> Self {
        self.add(other);
        self
    }

    /// Adds another one's results.
    pub(super) fn add(&mut self, other: Self) {
        self.tools.extend(other.tools);
        self.points.extend(other.points);
        for warning in other.warnings {
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
        self.unknown.extend(other.unknown);
    }
}
