//! Predicting systems that a fit did not see: one device, precision or degree left out of all others, or one half of the
//! systems predicted by the other.

use std::fmt;
use std::str::FromStr;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::fit::{Fit, fit_to};
use super::problem::{Member, Problem};
use super::solution::FitOptions;
use crate::dataset::Measurement;
use crate::error::{Error, Result, named};
use crate::estimator::{Estimator, Predictor};
use crate::parameter::Owner;
use crate::prediction::Prediction;

/// What systems that are left out together have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum GroupKind {
    /// Nothing: each system by itself.
    Scenario,
    /// The device.
    Hardware,
    /// The precision of the weights.
    Precision,
    /// The tensor-parallel degree.
    #[serde(rename = "tp")]
    TensorParallel,
    /// Chance: two halves, each predicted by a fit to the other.
    Half,
}

impl GroupKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Scenario, Self::Hardware, Self::Precision, Self::TensorParallel, Self::Half];

    /// Name in flags and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scenario => "scenario",
            Self::Hardware => "hardware",
            Self::Precision => "precision",
            Self::TensorParallel => "tp",
            Self::Half => "half",
        }
    }

    /// The group of each member.
    fn groups(self, members: &[Member<'_>], seed: u64) -> Vec<String> {
        let mut names: Vec<String> = members
            .iter()
            .enumerate()
            .map(|(index, member)| match self {
                Self::Scenario => member.id.to_owned(),
                Self::Hardware => member.system.hardware().id.clone(),
                Self::Precision => member.system.deployment().formats.weights.to_string(),
                Self::TensorParallel => format!("tp{}", member.system.deployment().parallelism.tp()),
                Self::Half => if index % 2 == 0 { "first half" } else { "second half" }.to_owned(),
            })
            .collect();
        if self == Self::Half {
            names.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        }
        names
    }
}

impl fmt::Display for GroupKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for GroupKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        named(&Self::ALL, Self::name, text, "cannot leave out")
    }
}

/// Systems that were left out together, predicted by a fit to all others.
#[derive(Debug, Clone)]
pub struct LeftOutGroup {
    /// What they have in common.
    pub name: String,
    /// Their rows, each with its prediction.
    pub rows: Vec<(Measurement, Prediction)>,
}

/// Fits once for each group, to all members outside it, and predicts those inside.
///
/// Parameters that the fit did not see, such as those of a campaign that was left out as a whole, have the medians of
/// their priors.
///
/// # Errors
/// There is only one group, or a fit is not possible.
pub fn leave_groups_out(
    estimator: &dyn Estimator,
    members: &[Member<'_>],
    kind: GroupKind,
    options: &FitOptions,
) -> Result<Vec<LeftOutGroup>> {
    let of_member = kind.groups(members, options.seed);
    let mut names: Vec<&String> = of_member.iter().collect();
    names.sort();
    names.dedup();
    if let [only] = names.as_slice() {
        return Err(Error::input(format!("cannot leave out each {kind} in turn: there is only one, `{only}`"))
            .help("fit more systems together, or drop --leave-out"));
    }
    names
        .into_par_iter()
        .map(|name| {
            let named = members.iter().zip(&of_member);
            let (out, seen): (Vec<_>, Vec<_>) = named.partition(|(_, of)| *of == name);
            let seen: Vec<Member<'_>> = seen.into_iter().map(|(member, _)| *member).collect();
            let fitted = fit_to(estimator, &seen, &known_there(estimator, &seen, options)?, false)?;
            let mut predicted = Vec::new();
            for (&Member { system, load, rows, campaign, .. }, _) in out {
                let predictor = estimator.prepare(system, load, rows)?;
                let values = values(&fitted, predictor.as_ref(), campaign, options);
                predicted.extend(rows.iter().map(|row| (*row, predictor.predict(&row.workload, &values))));
            }
            Ok(LeftOutGroup { name: name.clone(), rows: predicted })
        })
        .collect()
}

/// The options without parameters that these members do not have, such as the link of systems that were left out.
fn known_there(estimator: &dyn Estimator, members: &[Member<'_>], options: &FitOptions) -> Result<FitOptions> {
    let slots = Problem::new(estimator, members)?.slots;
    let known = |name: &str| slots.iter().any(|slot| slot.parameter.name == name);
    let mut options = options.clone();
    options.fixed.retain(|(name, _)| known(name));
    options.freed.retain(|name| known(name));
    Ok(options)
}

/// Values of a predictor's parameters from a fit that did not see its system.
fn values(fit: &Fit, predictor: &dyn Predictor, campaign: usize, options: &FitOptions) -> Vec<f64> {
    predictor
        .parameters()
        .iter()
        .map(|parameter| {
            let own = (parameter.owner == Owner::Campaign).then_some(campaign);
            let fitted = fit.parameters.iter().find(|p| p.parameter.name == parameter.name && p.campaign == own);
            let held = || options.fixed.iter().find(|(name, _)| name == parameter.name).map(|(_, value)| *value);
            fitted.map(|p| p.value).or_else(held).unwrap_or(parameter.default)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_back_and_a_misspelt_one_gets_the_nearest() {
        for kind in GroupKind::ALL {
            assert_eq!(kind.name().parse::<GroupKind>().unwrap(), kind);
        }
        let message = "hardwear".parse::<GroupKind>().unwrap_err().to_string();
        assert!(message.contains("did you mean `hardware`?"), "{message}");
    }
}
