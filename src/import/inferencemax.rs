//! InferenceMAX: `agg_<name>.json` of utils/process_result.py at 843c6254f, one object or a list of them. Times are in seconds.

use std::path::Path;

use serde::Deserialize;

use super::imported::Imported;
use super::json::{NumberOrText, objects};
use super::point::{Facts, Latency, Load, Point, drafted, unmodelled};
use super::reader::Reader;
use super::tool::Tool;
use crate::error::Result;

/// InferenceMAX.
pub const READER: Reader =
    Reader { tool: Tool::InferenceMax, tells: |keys| keys.tput_per_gpu.is_some(), read, csv: None };

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Aggregate {
    hw: Option<String>,
    conc: Option<NumberOrText>,
    model: Option<String>,
    framework: Option<String>,
    precision: Option<String>,
    isl: Option<NumberOrText>,
    osl: Option<NumberOrText>,
    tp: Option<NumberOrText>,
    ep: Option<NumberOrText>,
    pp: Option<NumberOrText>,
    dp_attention: Option<NumberOrBool>,
    disagg: Option<NumberOrBool>,
    is_multinode: Option<NumberOrBool>,
    spec_decoding: Option<String>,
    output_tput_per_gpu: Option<f64>,
    mean_ttft: Option<f64>,
    median_ttft: Option<f64>,
    mean_tpot: Option<f64>,
    median_tpot: Option<f64>,
}

/// A yes or no that may be written as a text.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum NumberOrBool {
    Bool(bool),
    Other(NumberOrText),
}

impl NumberOrBool {
    fn is_yes(&self) -> bool {
        match self {
            Self::Bool(yes) => *yes,
            Self::Other(NumberOrText::Number(number)) => *number != 0.0,
            Self::Other(NumberOrText::Text(text)) => text.eq_ignore_ascii_case("true"),
        }
    }
}

/// Devices by the short names of the project, whose nodes are those with the fastest links of each kind.
const DEVICES: [(&str, &str); 4] =
    [("h100", "h100_sxm_80gb"), ("h200", "h200_sxm_141gb"), ("b200", "b200_sxm_180gb"), ("mi300x", "mi300x_192gb")];

/// The device of a short name, which may carry the name of a cluster (`h100-cr`).
fn device(name: &str) -> Option<&'static str> {
    let short = name.split(['-', '_']).next().unwrap_or(name).to_lowercase();
    DEVICES.iter().find(|(known, _)| *known == short).map(|(_, id)| *id)
}

fn read(text: &[u8], path: &Path) -> Result<Imported> {
    let mut imported = Imported::of(Tool::InferenceMax);
    for aggregate in objects::<Aggregate>(text, path)? {
        let number = |value: &Option<NumberOrText>| value.as_ref().and_then(NumberOrText::finite);
        let clients = number(&aggregate.conc);
        let origin =
            format!("{}{}", path.display(), clients.map_or_else(String::new, |clients| format!(", {clients} clients")));
        for (what, flag) in [
            ("disaggregated prefill", &aggregate.disagg),
            ("several nodes", &aggregate.is_multinode),
            ("data-parallel attention", &aggregate.dp_attention),
        ] {
            if flag.as_ref().is_some_and(NumberOrBool::is_yes) {
                imported.warnings.push(unmodelled(&origin, what));
            }
        }
        for (what, degree) in [("expert", &aggregate.ep), ("pipeline", &aggregate.pp)] {
            if let Some(degree) = number(degree).filter(|degree| *degree > 1.0) {
                imported.warnings.push(unmodelled(&origin, &format!("{what} parallelism {degree}")));
            }
        }
        let speculative = |name: &&String| !matches!(name.to_lowercase().as_str(), "" | "none" | "false" | "off");
        if let Some(drafts) = aggregate.spec_decoding.as_ref().filter(speculative) {
            imported.warnings.push(drafted(&origin, drafts));
        }
        let known = aggregate.hw.as_deref().and_then(device);
        let tensor_parallel = number(&aggregate.tp).filter(|tp| *tp >= 1.0);
        imported.points.push(Point {
            input_tokens: number(&aggregate.isl),
            output_tokens: number(&aggregate.osl),
            ttft: Latency { mean: aggregate.mean_ttft, median: aggregate.median_ttft }.scaled(1e3),
            itl: Latency { mean: aggregate.mean_tpot, median: aggregate.median_tpot }.scaled(1e3),
            throughput: aggregate.output_tput_per_gpu.zip(tensor_parallel).map(|(each, gpus)| each * gpus),
            ..Point::at(origin, clients.map_or(Load::Unknown, Load::Clients))
        });
        imported.add_facts(&Facts {
            model: aggregate.model,
            engine: aggregate.framework,
            family: known.and(aggregate.hw.clone()),
            hardware: known.map(str::to_owned).or(aggregate.hw),
            tensor_parallel: tensor_parallel.map(|tp| tp as u32),
            precision: aggregate.precision,
            kv_precision: None,
        });
    }
    Ok(imported)
}
