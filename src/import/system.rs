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
    /// Format of the KV cache.
    pub kv: Option<Precision>,
    /// Serving engine.
    pub engine: Option<&'a str>,
}

/// Loads of one system.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OfSystem {
    /// The loads.
    pub points: Vec<Point>,
    /// Why others are left out, one sentence each.
    pub left_out: Vec<String>,
    /// Names that nobody knows and that stand for what is wanted, one sentence each.
    pub taken: Vec<String>,
}

/// Something that files say of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fact {
    Model,
    Hardware,
    TensorParallel,
    Weights,
    Kv,
    Engine,
}

impl Fact {
    const ALL: [Self; 6] = [Self::Model, Self::Hardware, Self::TensorParallel, Self::Weights, Self::Kv, Self::Engine];

    /// In words, and the flag that chooses.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Model => ("model", "--model"),
            Self::Hardware => ("device", "--hardware"),
            Self::TensorParallel => ("tensor-parallel degree", "--tp"),
            Self::Weights => ("precision of weights", "--weights"),
            Self::Kv => ("precision of the KV cache", "--kv"),
            Self::Engine => ("engine", "--engine"),
        }
    }

    /// What a file says, and whether it is a name that we know.
    fn of(self, catalog: &Catalog, facts: &Facts) -> Option<(String, bool)> {
        let known = |id: Option<String>, name: &Option<String>| {
            id.map(|id| (id, true)).or_else(|| name.clone().map(|name| (name, false)))
        };
        match self {
            Self::Model => {
                let id = facts.model.as_ref().and_then(|name| catalog.model(name).ok()).map(|model| model.id);
                known(id, &facts.model)
            }
            Self::Hardware => {
                let id = facts.hardware.as_ref().and_then(|name| catalog.hardware(name).ok()).map(|device| device.id);
                known(id, &facts.hardware)
            }
            Self::TensorParallel => facts.tensor_parallel.map(|degree| (degree.to_string(), true)),
            Self::Weights => known(precision(facts.precision.as_ref()).map(|p| p.to_string()), &facts.precision),
            Self::Kv => known(precision(facts.kv_precision.as_ref()).map(|p| p.to_string()), &facts.kv_precision),
            // A label: what files say may be another name of the same.
            Self::Engine => facts.engine.as_ref().map(|engine| (engine.to_lowercase(), false)),
        }
    }

    /// What is wanted, as files are understood.
    fn wanted(self, catalog: &Catalog, wanted: &Wanted<'_>) -> Result<Option<String>> {
        Ok(match self {
            Self::Model => wanted.model.map(|name| catalog.model(name)).transpose()?.map(|model| model.id),
            Self::Hardware => wanted.hardware.map(|name| catalog.hardware(name)).transpose()?.map(|device| device.id),
            Self::TensorParallel => wanted.tensor_parallel.map(|degree| degree.to_string()),
            Self::Weights => wanted.weights.map(|weights| weights.to_string()),
            Self::Kv => wanted.kv.map(|kv| kv.to_string()),
            Self::Engine => wanted.engine.map(str::to_lowercase),
        })
    }

    /// Every name of it in some loads.
    fn all(self, catalog: &Catalog, points: &[Point]) -> BTreeSet<String> {
        points.iter().filter_map(|point| self.of(catalog, &point.facts)).map(|(name, _)| name).collect()
    }
}

/// The loads whose files say nothing else than what is wanted. A name that is not known stands for what is wanted where the files
/// have no other.
///
/// # Errors
/// A wanted name is not known, or nothing is left.
pub fn of_system(catalog: &Catalog, points: &[Point], wanted: Wanted<'_>) -> Result<OfSystem> {
    let mut found = OfSystem { points: points.to_vec(), ..OfSystem::default() };
    for fact in Fact::ALL {
        let Some(asked) = fact.wanted(catalog, &wanted)? else { continue };
        let (what, flag) = fact.names();
        let names = fact.all(catalog, &found.points);
        let is_family = |facts: &Facts| {
            fact == Fact::Hardware
                && facts.family.as_deref().is_some_and(|family| asked.split('_').next() == Some(family))
        };
        let mut left_out = Vec::new();
        let mut taken = BTreeSet::new();
        found.points.retain(|point| match fact.of(catalog, &point.facts) {
            Some((name, known)) if name != asked && !is_family(&point.facts) => {
                let stands_for_it = !known && names.len() == 1;
                if stands_for_it {
                    taken.insert(name);
                } else {
                    left_out.push(format!("{}: its file says {what} {name}", point.origin));
                }
                stands_for_it
            }
            _ => true,
        });
        if let (true, Some(first)) = (found.points.is_empty(), left_out.first()) {
            return Err(Error::input(format!("nothing is of the system that is asked for: {first}")).help(
                "--model, --hardware, --tp, --weights, --kv and --engine choose among what the files say, they do not overrule it; \
                 import files with names that are not known by themselves",
            ));
        }
        found.left_out.extend(left_out);
        found.taken.extend(
            taken
                .into_iter()
                .map(|name| format!("the files name the {what} `{name}`; {asked} is taken for it ({flag})")),
        );
    }
    Ok(found)
}

/// A precision by the names that engines have for it, if it is known.
pub fn precision(name: Option<&String>) -> Option<Precision> {
    let name = name?.to_lowercase();
    match name.as_str() {
        "bfloat16" => Some(Precision::Bf16),
        "float16" | "half" => Some(Precision::Fp16),
        // fp8_e4m3, fp8_e5m2
        name if name.starts_with("fp8_") => Some(Precision::Fp8),
        name => name.parse().ok(),
    }
}

/// What files say differently of the system, with the flag that chooses: one sentence each.
pub fn mixed(catalog: &Catalog, points: &[Point]) -> Vec<(&'static str, String)> {
    let all = Fact::ALL.into_iter().map(|fact| (fact.names(), fact.all(catalog, points)));
    all.filter(|(_, names)| names.len() > 1)
        .map(|((what, flag), names)| {
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
            kv_precision: None,
        };
        Point { facts, ..Point::at(format!("tp{tensor_parallel}"), Load::Clients(4.0)) }
    }

    #[test]
    fn what_is_wanted_chooses_and_does_not_overrule() {
        let catalog = Catalog::built_in();
        let points = [point(4, "fp8"), point(8, "FP8")];
        assert_eq!(mixed(&catalog, &points).into_iter().map(|(flag, _)| flag).collect::<Vec<_>>(), ["--tp"]);
        let chosen = of_system(&catalog, &points, Wanted { tensor_parallel: Some(8), ..Wanted::default() }).unwrap();
        assert_eq!(chosen.points, points[1..]);
        assert_eq!(chosen.left_out, ["tp4: its file says tensor-parallel degree 4"]);
        assert!(mixed(&catalog, &chosen.points).is_empty());
        let refused = of_system(&catalog, &points, Wanted { weights: Some(Precision::Bf16), ..Wanted::default() });
        assert!(refused.unwrap_err().message().contains("its file says precision of weights fp8"));
    }

    #[test]
    fn a_name_that_is_not_known_stands_for_what_is_wanted_only_by_itself() {
        let catalog = Catalog::built_in();
        let served = |model: &str, engine: &str| {
            let mut point = point(1, "fp8");
            point.facts.model = Some(model.into());
            point.facts.engine = Some(engine.into());
            point
        };
        let wanted = Wanted { model: Some("llama31_8b"), engine: Some("vLLM"), ..Wanted::default() };
        let alone = of_system(&catalog, &[served("my-model", "vllm")], wanted).unwrap();
        assert_eq!(alone.taken, ["the files name the model `my-model`; llama31_8b is taken for it (--model)"]);
        let points = [served("my-model", "vllm"), served("llama31_8b", "vllm"), served("llama31_8b", "sglang")];
        let chosen = of_system(&catalog, &points, wanted).unwrap();
        assert_eq!(chosen.points, points[1..2]);
        assert!(chosen.taken.is_empty() && chosen.left_out.len() == 2, "{chosen:?}");
        assert!(of_system(&catalog, &[served("a", "vllm"), served("b", "vllm")], wanted).is_err());
    }

    #[test]
    fn a_family_of_devices_leaves_the_device_open() {
        let catalog = Catalog::built_in();
        let wanted = |hardware| Wanted { hardware: Some(hardware), ..Wanted::default() };
        assert_eq!(of_system(&catalog, &[point(1, "fp8")], wanted("h100_pcie_80gb")).unwrap().points.len(), 1);
        assert!(of_system(&catalog, &[point(1, "fp8")], wanted("h200_sxm_141gb")).is_err());
    }
}
