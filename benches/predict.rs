//! Speed of one prediction and of a fit: `cargo bench`.

use perfmodel::calibration::{FitOptions, Member, fit};
use perfmodel::dataset::{Dataset, read_measurements};
use perfmodel::estimator;
use perfmodel::serving::{ServingModel, ServingParameters};
use perfmodel::spec::{Catalog, System};
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
    bencher.counter(divan::counter::ItemsCount::new(workloads.len())).bench_local(|| {
        workloads.iter().map(|workload| model.predict(workload, &parameters).ttft).sum::<perfmodel::units::Seconds>()
    });
}

/// The fit alone, without validation and files.
#[divan::bench(args = SCENARIOS, sample_count = 10)]
fn serving_fit(bencher: divan::Bencher<'_, '_>, id: &str) {
    let (system, data) = shipped(id);
    let estimator = estimator::by_name("serving").expect("there is one");
    let members = [Member { system: &system, load: LoadKind::ClosedLoop, rows: &data.rows, campaign: 0 }];
    bencher.bench_local(|| fit(estimator, &members, &FitOptions::default()).expect("it converges").loss);
}
