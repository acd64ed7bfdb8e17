//! Which loads are of the system that is asked for, where files are of several.

use std::collections::BTreeSet;

use super::point::{Facts, Point};
use crate::error::{Error, Result};
use crate::spec::{Catalog, Precision};

/// What the user says of the system; what is `None`, files tell.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// Model id or one of its other names.
    pub model: Option<&'a str>,
    /// Hardware id or one of its other names.
    pub hardware: Option<&'a str>,
    /// Devices that share every layer.
    pub tensor_parallel: Option<u32>,
    /// Format of the weights.
    pub weights: Option<Precision>,
}

/// The loads whose files say nothing else than what is wanted, and of the others why they are left out.
///
/// # Errors
/// A wanted name is not known, or nothing is left.
pub fn of_system(catalog: &Catalog, points: &[Point], wanted: Wanted<'_>) -> Result<(Vec<Point>, Vec<String>)> {
    let model = wanted.model.map(|name| catalog.model(name)).transpose()?.map(|model| model.id);
    let hardware = wanted.hardware.map(|name| catalog.hardware(name)).transpose()?.map(|hardware| hardware.id);
    let mut left_out = Vec::new();
    let mut chosen = Vec::new();
    for point in points {
        let Facts { model: named, tensor_parallel, .. } = &point.facts;
        // A name that is not known may be that of any model; what is wanted says of which.
        let other_model =
            differs(model.as_deref(), named.as_ref().and_then(|name| catalog.model(name).ok()).map(|m| m.id));
        let other_device = differs(hardware.as_deref(), device(catalog, &point.facts)).filter(|_| {
            let family = |id: &str| id.split('_').next() == point.facts.family.as_deref();
            !hardware.as_deref().is_some_and(family)
        });
        let other_degree = differs(wanted.tensor_parallel, *tensor_parallel).map(|degree| format!("TP {degree}"));
        let other_weights =
            differs(wanted.weights, precision(&point.facts)).map(|weights| format!("{weights} weights"));
        match other_model.or(other_device).or(other_degree).or(other_weights) {
            Some(other) => left_out.push(format!("{}: its file says {other}", point.origin)),
            None => chosen.push(point.clone()),
        }
    }
    match (chosen.is_empty(), left_out.first()) {
        (true, Some(first)) => Err(Error::input(format!("nothing is of the system that is asked for: {first}"))
            .help("--model, --hardware, --tp and --weights choose among what the files say, they do not overrule it")),
        _ => Ok((chosen, left_out)),
    }
}

/// What was found if it is not what is wanted, where both are known.
fn differs<T: PartialEq<U>, U>(wanted: Option<T>, found: Option<U>) -> Option<U> {
    let (wanted, found) = (wanted?, found?);
    (wanted != found).then_some(found)
}

/// Id of the device that a file names, if it is known.
fn device(catalog: &Catalog, facts: &Facts) -> Option<String> {
    catalog.hardware(facts.hardware.as_deref()?).ok().map(|hardware| hardware.id)
}

/// Format of the weights that a file names, if it is one that is known.
pub fn precision(facts: &Facts) -> Option<Precision> {
    facts.precision.as_ref()?.to_lowercase().parse().ok()
}

/// What files say differently of the system, with the flag that chooses: one sentence each.
pub fn mixed(catalog: &Catalog, points: &[Point]) -> Vec<(&'static str, String)> {
    let model = |facts: &Facts| {
        let name = facts.model.as_ref()?;
        Some(catalog.model(name).map_or_else(|_| name.clone(), |model| model.id))
    };
    let hardware = |facts: &Facts| device(catalog, facts).or(facts.hardware.clone());
    let degree = |facts: &Facts| facts.tensor_parallel.map(|degree| degree.to_string());
    let weights = |facts: &Facts| precision(facts).map(|p| p.to_string()).or(facts.precision.clone());
    let all = |of: &dyn Fn(&Facts) -> Option<String>| -> BTreeSet<String> {
        points.iter().filter_map(|point| of(&point.facts)).collect()
    };
    [
        ("--model", "model", all(&model)),
        ("--hardware", "device", all(&hardware)),
        ("--tp", "tensor-parallel degree", all(&degree)),
        ("--weights", "precision of weights", all(&weights)),
        ("--engine", "engine", all(&|facts| facts.engine.as_ref().map(|engine| engine.to_lowercase()))),
    ]
    .into_iter()
    .filter(|(.., names)| names.len() > 1)
    .map(|(flag, what, names)| {
        let names: Vec<String> = names.into_iter().collect();
        (flag, format!("the files name more than one {what}: {}", names.join(", ")))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::super::point::Load;
    use super::*;

    fn point(tensor_parallel: u32, precision: &str) -> Point {
        let facts = Facts {
            model: Some("llama31_8b".into()),
            hardware: Some("h100_sxm_80gb".into()),
            family: Some("h100".into()),
            tensor_parallel: Some(tensor_parallel),
            precision: Some(precision.into()),
            engine: Some("vllm".into()),
        };
        Point { facts, ..Point::at(format!("tp{tensor_parallel}"), Load::Clients(4.0)) }
    }

    #[test]
    fn what_is_wanted_chooses_and_does_not_overrule() {
        let catalog = Catalog::built_in();
        let points = [point(4, "fp8"), point(8, "FP8")];
        assert_eq!(mixed(&catalog, &points).into_iter().map(|(flag, _)| flag).collect::<Vec<_>>(), ["--tp"]);
        let (chosen, left_out) =
            of_system(&catalog, &points, Wanted { tensor_parallel: Some(8), ..Wanted::default() }).unwrap();
        assert_eq!((chosen.len(), left_out), (1, vec!["tp4: its file says TP 4".to_owned()]));
        assert!(mixed(&catalog, &chosen).is_empty());
        let refused = of_system(&catalog, &points, Wanted { weights: Some(Precision::Bf16), ..Wanted::default() });
        assert!(refused.unwrap_err().message().contains("its file says fp8 weights"));
    }

    #[test]
    fn a_family_of_devices_leaves_the_device_open() {
        let catalog = Catalog::built_in();
        let wanted = |hardware| Wanted { hardware: Some(hardware), ..Wanted::default() };
        assert_eq!(of_system(&catalog, &[point(1, "fp8")], wanted("h100_pcie_80gb")).unwrap().0.len(), 1);
        assert!(of_system(&catalog, &[point(1, "fp8")], wanted("h200_sxm_141gb")).is_err());
    }
}
