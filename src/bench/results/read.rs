//! Reading `results.json`, ours or the original's.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Counts, DecodePoint, GammaRun, PoeRun, Results, Timing, VariantRun};
use crate::bench::MOST_DRAFTS;
use crate::error::{Error, Result};
use crate::spec::SpecFile;

impl Results {
    /// Reads a file, ours or the original's, whole or partial.
    ///
    /// # Errors
    /// It cannot be read, is not such JSON, or holds no row.
    pub fn open(path: &Path) -> Result<Self> {
        let file = SpecFile::open(path)?;
        Self::parse(&file.text).map_err(|error| error.at(path))
    }

    /// As [`Results::open`], of a text.
    ///
    /// # Errors
    /// It is not such JSON, or holds no row.
    pub fn parse(text: &str) -> Result<Self> {
        const HELP: &str = "give the results.json of `perfmodel bench`, or of the original benchmark";
        let json: Value = serde_json::from_str(text)
            .map_err(|error| Error::input(format!("is not JSON: {error}")).line(error.line()).help(HELP))?;
        let results = Self::of(&json).map_err(|what| Error::input(what).help(HELP))?;
        if results.rows() == 0 {
            return Err(Error::input("holds no measured row").help(HELP));
        }
        Ok(results)
    }

    fn of(json: &Value) -> std::result::Result<Self, String> {
        let poe = &json["hydra_poe"];
        let hydra_poe = if present(poe) {
            let mut per_gamma = Vec::new();
            for (gamma, value) in numbered(&poe["per_gamma"], "hydra_poe.per_gamma")? {
                let path = format!("hydra_poe.per_gamma.{gamma}");
                let Some(timing) = timing(value, &path)? else { continue };
                let figures: GammaFigures = required(value, &path)?;
                let counts: Option<Counts> = optional(&value["counts"], &format!("{path}.counts"))?;
                figures.check(gamma, counts.as_ref()).map_err(|what| format!("`{path}`: {what}"))?;
                per_gamma.push(GammaRun {
                    gamma,
                    timing,
                    avg_accepted_tokens_per_call: figures.avg_accepted_tokens_per_call,
                    resample_rate: figures.resample_rate,
                    effective_tps: figures.effective_tps,
                    n_calls: figures.n_calls,
                    counts,
                });
            }
            Some(PoeRun { ttft: timing(&poe["ttft"], "hydra_poe.ttft")?, per_gamma })
        } else {
            None
        };
        Ok(Self {
            baseline: variant(&json["baseline"], "baseline")?,
            hydra_naive: variant(&json["hydra_naive"], "hydra_naive")?,
            hydra_poe,
            metadata: optional(&json["metadata"], "metadata")?.unwrap_or_default(),
        })
    }
}

#[derive(Deserialize)]
struct GammaFigures {
    avg_accepted_tokens_per_call: f64,
    resample_rate: f64,
    effective_tps: f64,
    n_calls: u64,
}

impl GammaFigures {
    fn check(&self, gamma: u64, counts: Option<&Counts>) -> std::result::Result<(), String> {
        if !(1..=MOST_DRAFTS as u64).contains(&gamma) {
            return Err(format!("γ must be from 1 to {MOST_DRAFTS}"));
        }
        if !(0.0..=1.0).contains(&self.resample_rate) {
            return Err(format!("resample_rate is {}, and a share is from 0 to 1", self.resample_rate));
        }
        let figures = [self.avg_accepted_tokens_per_call, self.effective_tps];
        let counted = counts.map(|counts| [counts.tokens_per_call, counts.user_tps]);
        if figures.into_iter().chain(counted.into_iter().flatten()).all(|value| value.is_finite() && value >= 0.0) {
            Ok(())
        } else {
            Err("a mean or a rate is not a number from 0 up".to_owned())
        }
    }
}

/// Sections may be missing, null or empty.
fn present(value: &Value) -> bool {
    !value.is_null() && value.as_object().is_none_or(|object| !object.is_empty())
}

fn required<T: DeserializeOwned>(value: &Value, path: &str) -> std::result::Result<T, String> {
    T::deserialize(value).map_err(|error| format!("`{path}`: {error}"))
}

fn optional<T: DeserializeOwned>(value: &Value, path: &str) -> std::result::Result<Option<T>, String> {
    if present(value) { required(value, path).map(Some) } else { Ok(None) }
}

fn timing(value: &Value, path: &str) -> std::result::Result<Option<Timing>, String> {
    let timing: Option<Timing> = optional(value, path)?;
    match timing {
        Some(timing) if !timing.is_sound() => Err(format!("`{path}`: a time is not a number from 0 up")),
        timing => Ok(timing),
    }
}

/// Entries of an object whose keys are numbers, in their order.
fn numbered<'a>(value: &'a Value, path: &str) -> std::result::Result<BTreeMap<u64, &'a Value>, String> {
    let entries = value.as_object().into_iter().flatten();
    entries
        .map(|(key, value)| {
            key.parse().map(|number| (number, value)).map_err(|_| format!("`{path}`: `{key}` is not a whole number"))
        })
        .collect()
}

fn variant(value: &Value, path: &str) -> std::result::Result<Option<VariantRun>, String> {
    if !present(value) {
        return Ok(None);
    }
    let mut decode = Vec::new();
    for (position, value) in numbered(&value["decode"]["per_position"], &format!("{path}.decode.per_position"))? {
        let path = format!("{path}.decode.per_position.{position}");
        if let Some(timing) = timing(value, &path)? {
            let tps = value["tps"]
                .as_f64()
                .filter(|tps| *tps >= 0.0)
                .ok_or_else(|| format!("`{path}`: `tps` is missing, or not a number from 0 up"))?;
            decode.push(DecodePoint { position, timing, tps });
        }
    }
    Ok(Some(VariantRun { ttft: timing(&value["ttft"], &format!("{path}.ttft"))?, decode }))
}

#[cfg(test)]
mod tests {
    use super::super::Metadata;
    use super::*;
    use crate::bench::{Timed, Variant};

    fn timing_of(raw_ms: &[f64]) -> Timing {
        Timing::new(&Timed { raw_ms: raw_ms.to_vec(), warmup_calls: 3, calls: 20, stopped: false }).unwrap()
    }

    /// The example of the specification of the original's file, with its holes.
    const ORIGINAL: &str = r#"{"baseline": {"ttft": {"raw_ms": [41.3127, 41.0291], "filtered_ms": [41.3127, 41.0291],
        "mean_ms": 41.1709, "median_ms": 41.3127, "std_ms": 0.1418, "min_ms": 41.0291, "max_ms": 41.3127,
        "p20_ms": 41.0291, "p80_ms": 41.3127, "n": 2},
       "decode": {"positions": [0, 8], "per_position": {
          "520": {"raw_ms": [6.5], "filtered_ms": [6.5], "mean_ms": 6.5, "median_ms": 6.5, "std_ms": 0.0, "min_ms": 6.5,
                  "max_ms": 6.5, "p20_ms": 6.5, "p80_ms": 6.5, "n": 1, "tps": 153.85},
          "1024": {}, "99": {"raw_ms": [6.5], "filtered_ms": [6.5], "mean_ms": 6.5, "median_ms": 6.5, "std_ms": 0.0,
                  "min_ms": 6.5, "max_ms": 6.5, "p20_ms": 6.5, "p80_ms": 6.5, "n": 1, "tps": 153.85}}}},
     "hydra_naive": {"ttft": {}, "decode": {}},
     "hydra_poe": {"per_gamma": {"4": {"raw_ms": [902.1], "filtered_ms": [902.1], "mean_ms": 902.1,
          "median_ms": 902.1, "std_ms": 0.0, "min_ms": 902.1, "max_ms": 902.1, "p20_ms": 902.1, "p80_ms": 902.1, "n": 1,
          "avg_accepted_tokens_per_call": 57.5, "resample_rate": 0.1154, "effective_tps": 63.74, "n_calls": 8}}},
     "metadata": {"timestamp": "2026-05-01T12:00:00.000001", "gpu": "Some GPU", "size": "7b", "dtype": "bfloat16",
          "n_heads": 9, "heads_depth": 3, "prompt_length": 512, "generation_length": 128, "decode_step_interval": 8,
          "poe_gamma": 4, "poe_beta": 1.0, "poe_max_new_tokens": 64}}"#;

    #[test]
    fn the_original_s_file_is_read_with_what_it_has() {
        let results = Results::parse(ORIGINAL).unwrap();
        assert_eq!(results.ttft(Variant::Baseline).unwrap().median_ms, 41.3127);
        let positions: Vec<u64> = results.decode(Variant::Baseline).iter().map(|point| point.position).collect();
        assert_eq!(positions, [99, 520], "in numeric order, without the empty one");
        assert!(results.ttft(Variant::Hydra).is_none() && results.decode(Variant::Hydra).is_empty());
        assert!(results.ttft(Variant::Poe).is_none());
        assert_eq!((results.gammas()[0].n_calls, results.gammas()[0].counts.is_none()), (8, true));
        assert!((results.gammas()[0].acceptance() - 0.8846).abs() < 1e-12);
        assert_eq!((results.metadata.size.as_deref(), results.metadata.schema_version), (Some("7b"), None));
        assert_eq!(results.rows(), 4);
    }

    #[test]
    fn what_is_written_reads_back() {
        let results = Results::parse(ORIGINAL).unwrap();
        assert_eq!(Results::parse(&results.to_json()).unwrap(), results);
        let mut timing = timing_of(&[5.0, 5.1, 5.2, 5.3, 50.0, 5.2]);
        timing.predicted_ms = Some(4.9);
        let metadata = Metadata { schema_version: Some(1), prompt_length: Some(16), ..Metadata::default() };
        let run = VariantRun { ttft: Some(timing.clone()), decode: vec![DecodePoint::new(24, timing)] };
        let ours = Results { baseline: Some(run), metadata, ..Results::default() };
        let text = ours.to_json();
        assert_eq!(Results::parse(&text).unwrap(), ours);
        let json: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["baseline"]["decode"]["positions"], serde_json::json!([8]));
        assert_eq!(json["baseline"]["decode"]["per_position"]["24"]["tps"], 192.31);
    }

    #[test]
    fn a_broken_file_names_the_section() {
        for (text, want) in [
            ("{", "is not JSON: EOF while parsing"),
            ("{}", "holds no measured row"),
            ("[1]", "holds no measured row"),
            (r#"{"baseline": {"ttft": {"raw_ms": [1]}}}"#, "`baseline.ttft`: missing field `filtered_ms`"),
            (&ORIGINAL.replace("\"520\"", "\"x\""), "`baseline.decode.per_position`: `x` is not a whole number"),
            (&ORIGINAL.replacen("902.1", "-1.0", 1), "`hydra_poe.per_gamma.4`: a time is not a number from 0 up"),
            (&ORIGINAL.replace("\"n_calls\": 8", "\"n_calls\": \"8\""), "`hydra_poe.per_gamma.4`: invalid type"),
            (&ORIGINAL.replace(", \"tps\": 153.85", ""), "`baseline.decode.per_position.99`: `tps` is missing"),
            (
                &ORIGINAL.replace("\"4\": {", "\"4000000000\": {"),
                "`hydra_poe.per_gamma.4000000000`: γ must be from 1 to 4096",
            ),
            (
                &ORIGINAL.replace("\"resample_rate\": 0.1154", "\"resample_rate\": 5"),
                "resample_rate is 5, and a share is from 0 to 1",
            ),
        ] {
            let message = Results::parse(text).unwrap_err().to_string();
            assert!(message.contains(want) && message.contains("help: "), "{want}: {message}");
        }
    }
}
