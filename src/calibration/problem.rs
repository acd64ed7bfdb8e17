//! What a fit works on: one or several systems with measurements, and the parameters that they share.

use super::loss::residuals;
use crate::dataset::Measurement;
use crate::error::Result;
use crate::estimator::{Estimator, Loss, Predictor};
use crate::parameter::{Owner, Parameter};
use crate::spec::System;
use crate::workload::LoadKind;

/// One system with its measurements.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// Its name.
    pub id: &'a str,
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

/// A member prepared for prediction.
pub struct Prepared {
    /// Its predictor.
    pub predictor: Box<dyn Predictor>,
    /// For each parameter of the predictor, the slot that holds its value.
    pub slots: Vec<usize>,
}

impl Prepared {
    /// The values of the predictor, in its order, from those of all slots.
    pub fn values(&self, slots: &[f64]) -> Vec<f64> {
        self.slots.iter().map(|&slot| slots[slot]).collect()
    }
}

/// What is fitted: the slots, and the members, which take their values from them.
pub struct Problem {
    /// Every parameter of the fit.
    pub slots: Vec<Slot>,
    /// The members in their order.
    pub members: Vec<Prepared>,
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
        let mut prepared = Vec::with_capacity(members.len());
        for (member, predictor) in members.iter().zip(predictors) {
            let own = predictor
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
            prepared.push(Prepared { predictor, slots: own });
        }
        Ok(Self { slots, members: prepared, loss: estimator.loss() })
    }

    /// Residuals of all rows of all members.
    pub fn residuals(&self, members: &[Member<'_>], slots: &[f64]) -> Vec<f64> {
        let mut all = Vec::with_capacity(2 * members.iter().map(|member| member.rows.len()).sum::<usize>());
        for (member, prepared) in members.iter().zip(&self.members) {
            let values = prepared.values(slots);
            for row in member.rows {
                all.extend(residuals(self.loss, row, &prepared.predictor.predict(&row.workload, &values)));
            }
        }
        all
    }
}
