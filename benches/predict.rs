//! Speed of one prediction, of grids, of a plan and of a fit: `cargo bench`.

use perfmodel::calibration::{FitOptions, Member, Target, fit};
use perfmodel::dataset::{Dataset, read_measurements};
use perfmodel::estimator;
use perfmodel::forecast::Forecaster;
use perfmodel::planning::{Placement, Question, Slo, plan};
use perfmodel::serving::{ServingModel, ServingParameters};
use perfmodel::spec::{Catalog, Deployment, Formats, Kind, Precision, System};
use perfmodel::units::Seconds;
use perfmodel::workload::{LoadKind, Workload};

fn main() {
    divan::main();
}

const SCENARIOS: [&str; 2] = ["llama31_8b_fp8_tp1", "llama33_70b_fp8_tp2"];

fn shipped(id: &str) -> (System, Dataset) {
    let catalog = Catalog::built_in();
    let folder = catalog.scenario_folder(id).expect("the scenario is embedded");
    let system = catalog.resolve(&folder).expect("the scenario is sound").system;
    (system, read_measurements(&folder.measured, LoadKind::ClosedLoop).expect("the measurements are sound"))
}

/// A thousand workloads, closed loop solved and breakdown included; divan's items/s are predictions per second.
#[divan::bench(args = SCENARIOS)]
fn serving_predictions(bencher: divan::Bencher<'_, '_>, id: &str) {
    let model = ServingModel::new(&shipped(id).0).expect("the model fits");
    let parameters = ServingParameters::default();
    let workloads: Vec<Workload> = (0..1000)
        .map(|index| {
            let index = f64::from(index);
            let (input, output) = (100.0 + 37.0 * (index % 100.0), 100.0 + 13.0 * (index % 77.0));
            Workload::new(input, output, 1.0 + index % 256.0).expect("a sound workload")
        })
        .collect();
    bencher
        .counter(divan::counter::ItemsCount::new(workloads.len()))
        .bench_local(|| workloads.iter().map(|workload| model.predict(workload, &parameters).ttft).sum::<Seconds>());
}

/// The fit alone, without validation and files.
#[divan::bench(args = SCENARIOS, sample_count = 10)]
fn serving_fit(bencher: divan::Bencher<'_, '_>, id: &str) {
    let (system, data) = shipped(id);
    let estimator = estimator::by_name("serving").expect("there is one");
    let members = [Member { id: "it", system: &system, load: LoadKind::ClosedLoop, rows: &data.rows, campaign: 0 }];
    bencher.bench_local(|| fit(estimator, &members, &FitOptions::default()).expect("it converges").loss);
}

/// Ten thousand workloads through a forecaster with intervals: what `perfmodel predict` does with lists.
#[divan::bench(args = [LoadKind::ClosedLoop, LoadKind::OpenLoop], sample_count = 10)]
fn forecast_grid(bencher: divan::Bencher<'_, '_>, kind: LoadKind) {
    let (system, _) = shipped(SCENARIOS[0]);
    let target = Target { scenario: None, system: &system, load: kind, campaign: None };
    let forecaster = Forecaster::new(estimator::all()[0], &target, None).expect("the model fits");
    let workloads: Vec<Workload> = (0..10_000)
        .map(|index| {
            let index = f64::from(index);
            let (input, output) = (100.0 + 37.0 * (index % 100.0), 100.0 + 13.0 * (index % 77.0));
            Workload::under(kind, input, output, 1.0 + index % 64.0).expect("a sound workload")
        })
        .collect();
    bencher
        .counter(divan::counter::ItemsCount::new(workloads.len()))
        .bench_local(|| workloads.iter().map(|workload| forecaster.forecast(workload).itl.high).sum::<Seconds>());
}

/// A plan over 111 104 configurations: 14 devices, 4 tensor-parallel degrees, 4 precisions, up to 2048 GPUs.
#[divan::bench(args = [LoadKind::ClosedLoop, LoadKind::OpenLoop], sample_count = 10)]
fn plan_of_100k_configurations(bencher: divan::Bencher<'_, '_>, kind: LoadKind) {
    let catalog = Catalog::built_in();
    let model = catalog.model("llama33_70b").expect("the model is embedded");
    let mut placements = Vec::new();
    for hardware in catalog.ids(Kind::Hardware) {
        let device = catalog.hardware(&hardware).expect("the device is embedded");
        for tensor_parallel in [1, 2, 4, 8] {
            for weight_precision in [Precision::Bf16, Precision::Fp8] {
                for kv_precision in [Precision::Bf16, Precision::Fp8] {
                    let formats = Formats { kv: kv_precision, ..Formats::of_weights(weight_precision) };
                    let deployment = Deployment::new(tensor_parallel, weight_precision).expect("there is a device");
                    let deployment = Deployment { formats, ..deployment };
                    if let Ok(system) = System::new(device.clone(), model.clone(), deployment) {
                        placements.push(Placement { hardware: hardware.clone(), system, usd_per_gpu_hour: Some(2.0) });
                    }
                }
            }
        }
    }
    let load = if kind == LoadKind::OpenLoop { 100.0 } else { 5000.0 };
    let question = Question {
        demand: Workload::under(kind, 1000.0, 500.0, load).expect("a sound workload"),
        slo: Slo { ttft: Some(Seconds::from_ms(2000.0)), itl: Some(Seconds::from_ms(50.0)), ..Slo::default() },
        replicas: (1..=2048).collect(),
        most_gpus: 2048,
        estimator: estimator::all()[0],
        calibration: None,
        scenario: None,
        campaign: None,
        given: Vec::new(),
    };
    bencher.bench_local(|| plan(placements.clone(), &question, &|_, _| ()).expect("a sound question").options.len());
}
