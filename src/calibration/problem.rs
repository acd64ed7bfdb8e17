//! What a fit works on: one or several systems with measurements, and the parameters that they share.

use super::loss::residuals;
use crate::dataset::Measurement;
use crate::error::Result;
use crate::estimator::{Estimator, Loss, Predictor};
use crate::parameter::{Owner, Parameter};
use crate::prediction::Prediction;
use crate::spec::System;
use crate::workload::LoadKind;

/// One system with its measurements.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// The system that was measured.
    pub system: &'a System,
    /// How it was loaded.
    pub load: LoadKind,
    /// What was measured.
    pub rows: &'a [Measurement],
    /// Which campaign measured it; members of one campaign share its parameters.
    pub campaign: usize,
}

/// A parameter of a fit and whose it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slot {
    /// Which parameter.
    pub parameter: Parameter,
    /// The campaign that it belongs to; `None`: all members share it.
    pub campaign: Option<usize>,
}

/// Members with their predictors, and the slots from which each takes its values.
pub struct Problem {
    /// Every parameter of the fit.
    pub slots: Vec<Slot>,
    predictors: Vec<Box<dyn Predictor>>,
    /// For each member, the slot of each of its predictor's parameters.
    places: Vec<Vec<usize>>,
    loss: Loss,
}

impl Problem {
    /// Prepares the members.
    ///
    /// # Errors
    /// A system or a row cannot be predicted.
    pub fn new(estimator: &dyn Estimator, members: &[Member<'_>]) -> Result<Self> {
        let predictors: Vec<Box<dyn Predictor>> = members
            .iter()
            .map(|member| estimator.prepare(member.system, member.load, member.rows))
            .collect::<Result<_>>()?;
        let mut slots: Vec<Slot> = Vec::new();
        let mut places = Vec::new();
        for (member, predictor) in members.iter().zip(&predictors) {
            let member_places = predictor
                .parameters()
                .iter()
                .map(|parameter| {
                    let campaign = (parameter.owner == Owner::Campaign).then_some(member.campaign);
                    let known = slots.iter().position(|s| s.parameter.name == parameter.name && s.campaign == campaign);
                    known.unwrap_or_else(|| {
                        slots.push(Slot { parameter: *parameter, campaign });
                        slots.len() - 1
                    })
                })
                .collect();
            places.push(member_places);
        }
        Ok(Self { slots, predictors, places, loss: estimator.loss() })
    }

    /// The predictor of a member.
    pub fn predictor(&self, member: usize) -> &dyn Predictor {
        self.predictors[member].as_ref()
    }

    /// The values of a member's predictor, in its order, from those of all slots.
    pub fn member_values(&self, member: usize, slots: &[f64]) -> Vec<f64> {
        self.places[member].iter().map(|&slot| slots[slot]).collect()
    }

    /// For each parameter of a member's predictor, its slot.
    pub fn member_slots(&self, member: usize) -> &[usize] {
        &self.places[member]
    }

    /// Predicts one workload of a member.
    pub fn predict(&self, member: usize, row: &Measurement, slots: &[f64]) -> Prediction {
        self.predictors[member].predict(&row.workload, &self.member_values(member, slots))
    }

    /// Residuals of all rows of all members.
    pub fn residuals(&self, members: &[Member<'_>], slots: &[f64]) -> Vec<f64> {
        let mut all = Vec::with_capacity(2 * members.iter().map(|member| member.rows.len()).sum::<usize>());
        for (index, member) in members.iter().enumerate() {
            let values = self.member_values(index, slots);
            for row in member.rows {
                all.extend(residuals(self.loss, row, &self.predictors[index].predict(&row.workload, &values)));
            }
        }
        all
    }
}
