//! The plain roofline of a published notebook, kept exact so that its numbers are reproduced.
//!
//! It has its own constants ([`NotebookConstants`]): FLOP/s with sparsity, every head a key/value head, an activation
//! term in the memory traffic. A batch of S = c sequences is taken as running at once; there is no queue.

use super::{Estimator, Loss, Predictor};
use crate::dataset::Measurement;
use crate::engine::memory::{free_bytes, kv_bytes};
use crate::error::{Error, Result};
use crate::parameter::{Owner, Parameter, Scale};
use crate::prediction::{Limit, Part, Parts, Prediction, Roof};
use crate::spec::{NotebookConstants, System};
use crate::units::{BytesPerSec, Seconds, TokensPerSec};
use crate::workload::{LoadKind, Workload};

/// See the module. Its flag and its block in a scenario are called `roofline`.
#[derive(Debug)]
pub struct Notebook;

/// Positions of the parameters in the vector.
const PREFILL_CAP: usize = 0;
const PREFILL_FACTOR: usize = 1;
const DECODE_CAP: usize = 2;
const T_MIN: usize = 3;
const DECODE_TRAFFIC: usize = 4;

struct Prepared {
    constants: NotebookConstants,
    derived: bool,
    parameters: Vec<Parameter>,
}

/// The terms of the notebook for one workload.
#[derive(Debug, Clone, Copy)]
struct Terms {
    prefill_compute: f64,
    prefill_memory: f64,
    hbm_wall: f64,
    tensor_parallel: f64,
    decode_compute: f64,
    decode_weights: f64,
    decode_kv: f64,
    decode_activations: f64,
    t_min: f64,
}

impl Terms {
    /// Prefill as the notebook reports it, without the memory roof.
    fn total_prefill(&self) -> f64 {
        self.prefill_compute + self.hbm_wall + self.tensor_parallel
    }

    fn decode_memory(&self) -> f64 {
        self.decode_weights + self.decode_kv + self.decode_activations + self.t_min
    }
}

impl Estimator for Notebook {
    fn name(&self) -> &'static str {
        "roofline"
    }

    fn summary(&self) -> &'static str {
        "plain analytical roofline of a published notebook, for comparison"
    }

    fn loss(&self) -> Loss {
        Loss::MeanSquaredRelativeError
    }

    fn prepare(&self, system: &System, load: LoadKind, rows: &[Measurement]) -> Result<Box<dyn Predictor>> {
        if load == LoadKind::OpenLoop {
            return Err(Error::input("the roofline estimator knows clients or a batch, not a rate of requests")
                .help("use --estimator serving"));
        }
        system.deployment().check_modelled()?;
        let constants = match system.notebook() {
            Some(constants) => *constants,
            None => derive(system)?,
        };
        let longest = rows.iter().map(|row| row.workload.input_tokens()).fold(1e4, f64::max);
        let parameter = |name, unit, owner, (lower, upper), default: f64, fitted, scale, meaning| Parameter {
            name,
            unit,
            owner,
            spread: None,
            lower,
            upper,
            least: lower,
            default: default.clamp(lower, upper),
            fitted,
            scale,
            meaning,
        };
        let caps = (longest, 1e8);
        let parameters = vec![
            parameter(
                "prefill_cap_tokens",
                "tokens",
                Owner::Campaign,
                caps,
                constants.prefill_cap_tokens,
                true,
                Scale::Log,
                "cap on prompt tokens in flight; a reported column, it enters no prediction",
            ),
            parameter(
                "prefill_mult_factor",
                "1",
                Owner::Engine,
                (0.1, 10.0),
                1.0,
                true,
                Scale::Log,
                "factor on the arithmetic of prefill",
            ),
            parameter(
                "decode_cap_tokens",
                "tokens",
                Owner::Campaign,
                caps,
                constants.decode_cap_tokens,
                true,
                Scale::Log,
                "cap on cached tokens that a decode step reads",
            ),
            parameter("t_min", "s", Owner::Engine, (0.0, 0.01), 0.0, true, Scale::Linear, "floor of a decode step"),
            parameter(
                "decode_traffic_factor",
                "1",
                Owner::Engine,
                (0.05, 2.0),
                1.0,
                false,
                Scale::Log,
                "factor on the memory traffic of decode (quantisation)",
            ),
        ];
        Ok(Box::new(Prepared { constants, derived: system.notebook().is_none(), parameters }))
    }
}

/// Constants from the model and hardware files, for systems without a `[roofline]` block.
fn derive(system: &System) -> Result<NotebookConstants> {
    let model = system.model();
    let hidden = f64::from(model.hidden_size);
    let layers = f64::from(model.layer_count());
    let d = u64::from(model.hidden_size);
    let ffn: u64 = model.layers.iter().map(|group| u64::from(group.count) * group.ffn.linear_weights(d)).sum();
    let one_token = kv_bytes(system, 1.0);
    Ok(NotebookConstants {
        hidden_size: hidden,
        layers,
        // The notebook counts two MLP matrices of width r·d.
        mlp_ratio: ffn as f64 / (2.0 * layers * hidden * hidden),
        model_size: model.parameters() as f64,
        flop_per_s: system.hardware().peak(system.deployment().formats.linear())?.get(),
        memory_bandwidth_b_per_s: system.hardware().bandwidth.get(),
        bytes_per_element: system.deployment().formats.weights.bytes(),
        activation_factor: 12.0,
        nvlink_b_per_s: 2.0 * system.hardware().group_link(system.deployment().parallelism.tp()).bandwidth.get(),
        pcie_b_per_s: 2.0 * system.hardware().pcie.map_or(f64::INFINITY, BytesPerSec::get),
        hbm_bytes: system.hardware().memory.get(),
        gpus: system.deployment().gpus(),
        decode_cap_tokens: free_bytes(system)? / one_token,
        prefill_cap_tokens: 1e5,
    })
}

impl Prepared {
    /// The notebook's formulas (section by section as published):
    /// - prefill compute `m·L·S·((8+4r)·I·d² + 4·I²·d)/(F·g)`, memory `L((4+2r)d² + (2+c_act)·S·I·d)·b/(W·g)`;
    /// - HBM wall `max(0, N·b + 2·L·S·I·d·b − HBM·g)/(pcie·g/2)`, tensor parallel `3(g−1)/g·L·S·I·d·b/(nvlink/2)`;
    /// - decode compute `L·S((8+4r)d² + 4·x·d)/(F·g)`,
    ///   memory `L((4+2r)d² + 2·S_eff·x·d + (2+c_act)·S_eff·d)·b·q/(W·g) + t_min`, `S_eff = min(S, cap/x)`, x = I + O.
    fn terms(&self, workload: &Workload, values: &[f64]) -> Terms {
        let NotebookConstants {
            hidden_size: d,
            layers: l,
            mlp_ratio: r,
            model_size,
            flop_per_s: f,
            memory_bandwidth_b_per_s: w,
            bytes_per_element: b,
            activation_factor: act,
            nvlink_b_per_s: nvlink,
            pcie_b_per_s: pcie,
            hbm_bytes: hbm,
            gpus: g,
            ..
        } = self.constants;
        let (s, i, x) = (workload.amount(), workload.input_tokens(), workload.total_tokens());
        let running = s.min(values[DECODE_CAP] / x);
        let traffic = l * b * values[DECODE_TRAFFIC] / (w * g);
        Terms {
            prefill_compute: values[PREFILL_FACTOR] * l * s * ((8.0 + 4.0 * r) * i * d * d + 4.0 * i * i * d) / (f * g),
            prefill_memory: l * ((4.0 + 2.0 * r) * d * d + (2.0 + act) * s * i * d) * b / (w * g),
            hbm_wall: (model_size * b + 2.0 * l * s * i * d * b - hbm * g).max(0.0) / (pcie * g / 2.0),
            tensor_parallel: 3.0 * (g - 1.0) / g * l * s * i * d * b / (nvlink / 2.0),
            decode_compute: l * s * ((8.0 + 4.0 * r) * d * d + 4.0 * x * d) / (f * g),
            decode_weights: traffic * (4.0 + 2.0 * r) * d * d,
            decode_kv: traffic * 2.0 * running * x * d,
            decode_activations: traffic * (2.0 + act) * running * d,
            t_min: values[T_MIN],
        }
    }
}

impl Predictor for Prepared {
    fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    fn predict(&self, workload: &Workload, values: &[f64]) -> Prediction {
        assert_eq!(values.len(), self.parameters.len(), "one value for each parameter");
        let terms = self.terms(workload, values);
        let mut ttft = Parts::default();
        if terms.prefill_memory > terms.total_prefill() {
            ttft.add(Part::Weights, Seconds::new(terms.prefill_memory));
        } else {
            ttft.add(Part::PrefillCompute, Seconds::new(terms.prefill_compute));
            ttft.add(Part::HostTransfer, Seconds::new(terms.hbm_wall));
            ttft.add(Part::Link, Seconds::new(terms.tensor_parallel));
        }
        let mut itl = Parts::default();
        let roof = if terms.decode_compute > terms.decode_memory() {
            itl.add(Part::Compute, Seconds::new(terms.decode_compute));
            Roof::Compute
        } else {
            itl.add(Part::Weights, Seconds::new(terms.decode_weights));
            itl.add(Part::KvReads, Seconds::new(terms.decode_kv));
            itl.add(Part::PerSequence, Seconds::new(terms.decode_activations));
            itl.add(Part::Launch, Seconds::new(terms.t_min));
            Roof::Memory
        };
        let decoding = itl.total() * workload.later_tokens();
        let request = ttft.total() + decoding;
        let clients = workload.amount();
        let running = clients * (decoding / request);
        Prediction {
            ttft: ttft.total(),
            itl: itl.total(),
            throughput: TokensPerSec::new(clients * workload.output_tokens() / request.get()),
            running,
            waiting: clients - running,
            ttft_parts: ttft,
            itl_parts: itl,
            roof,
            limit: Limit::Clients,
            open_loop: None,
        }
    }

    /// The columns of the notebook's evaluation table. Its `ttft_model_ms` is the total prefill alone, without the
    /// memory roof that the prediction and the fit apply.
    fn extra_columns(&self, row: &Measurement, values: &[f64]) -> Vec<(&'static str, f64)> {
        let workload = &row.workload;
        let terms = self.terms(workload, values);
        let ms = 1e3;
        let ttft = terms.total_prefill() * ms;
        let itl = terms.decode_compute.max(terms.decode_memory()) * ms;
        let (measured_ttft, measured_itl) = (row.ttft.as_ms(), row.itl.as_ms());
        let prompts = workload.amount() * workload.input_tokens();
        let cached = workload.amount() * workload.total_tokens();
        vec![
            ("prefill_compute_ms", terms.prefill_compute * ms),
            ("prefill_memory_ms", terms.prefill_memory * ms),
            ("prefill_memory_hbm_wall_ms", terms.hbm_wall * ms),
            ("ttft_model_ms", ttft),
            ("prefill_running_tokens", prompts.min(values[PREFILL_CAP])),
            ("decode_compute_ms", terms.decode_compute * ms),
            ("decode_memory_ms", terms.decode_memory() * ms),
            ("itl_model_ms", itl),
            ("decode_running_tokens", cached.min(values[DECODE_CAP])),
            ("ttft_delta_ms", ttft - measured_ttft),
            ("itl_delta_ms", itl - measured_itl),
            ("ttft_memory_wall_vs_compute_ratio", terms.hbm_wall * ms / ttft),
            ("ttft_rel_error_pct", 100.0 * (ttft - measured_ttft) / measured_ttft),
            ("itl_rel_error_pct", 100.0 * (itl - measured_itl) / measured_itl),
        ]
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = vec![
            "prefill_cap_tokens has no effect on any prediction; it only sets the reported prefill_running_tokens"
                .to_owned(),
        ];
        if self.derived {
            notes.push(
                "the scenario has no [roofline] block; this estimator's constants were derived from the model and \
                 hardware files"
                    .to_owned(),
            );
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{Dataset, read_measurements};
    use crate::spec::Catalog;

    fn shipped(id: &str) -> (Box<dyn Predictor>, Dataset) {
        let catalog = Catalog::built_in();
        let folder = catalog.scenario_folder(id).unwrap();
        let data = read_measurements(&folder.measured, LoadKind::ClosedLoop).unwrap();
        let scenario = catalog.resolve(&folder).unwrap();
        (Notebook.prepare(&scenario.system, LoadKind::ClosedLoop, &data.rows).unwrap(), data)
    }

    fn mape(errors: impl ExactSizeIterator<Item = f64>) -> f64 {
        let count = errors.len() as f64;
        errors.map(f64::abs).sum::<f64>() / count
    }

    /// The notebook's hand-set run: m 1.5, t_min 5 ms, q 0.4.
    fn hand_set(decode_cap: f64) -> [f64; 5] {
        [1e5, 1.5, decode_cap, 0.005, 0.4]
    }

    #[test]
    fn the_notebooks_evaluation_table_is_reproduced() {
        let (predictor, data) = shipped("llama31_8b_fp8_tp1");
        let values = hand_set(7.5e5);
        type Columns = &'static [(&'static str, f64)];
        let golden: [(f64, f64, f64, Columns); 4] = [
            (200.0, 200.0, 1.0, &[("ttft_model_ms", 0.903185), ("itl_model_ms", 5.717883)]),
            (200.0, 200.0, 100.0, &[("ttft_model_ms", 90.318476), ("itl_model_ms", 6.979085)]),
            (
                20000.0,
                2000.0,
                50.0,
                &[
                    ("ttft_model_ms", 11520.804100),
                    ("prefill_memory_hbm_wall_ms", 3070.733333),
                    ("itl_model_ms", 29.188195),
                ],
            ),
            (20000.0, 2000.0, 250.0, &[("ttft_model_ms", 62797.353835), ("prefill_memory_hbm_wall_ms", 20547.0)]),
        ];
        for (input, output, clients, columns) in golden {
            let workload = Workload::new(input, output, clients).unwrap();
            let row = data.rows.iter().find(|row| row.workload == workload).unwrap();
            let table = predictor.extra_columns(row, &values);
            for (name, want) in columns {
                let got = table.iter().find(|(column, _)| column == name).unwrap().1;
                assert!((got - want).abs() < 1e-6, "{input}/{output}/{clients} {name}: {got}, want {want}");
            }
        }
    }

    #[test]
    fn the_hand_set_run_has_the_published_errors() {
        for (id, cap, ttft_want, itl_want) in
            [("llama31_8b_fp8_tp1", 7.5e5, 67.93, 23.1), ("llama33_70b_fp8_tp2", 3.03e5, 216.98, 45.1)]
        {
            let (predictor, data) = shipped(id);
            let column = |name: &'static str| {
                let predictor = &predictor;
                data.rows.iter().map(move |row| {
                    let table = predictor.extra_columns(row, &hand_set(cap));
                    table.iter().find(|(column, _)| *column == name).unwrap().1
                })
            };
            let ttft = mape(column("ttft_rel_error_pct"));
            let itl = mape(column("itl_rel_error_pct"));
            assert!((ttft - ttft_want).abs() < 0.005, "{id} TTFT {ttft}");
            assert!((itl - itl_want).abs() < 0.05, "{id} ITL {itl}");
        }
    }
}
