//! How near a decode step on the CPU comes to the bandwidth of the memory: `cargo bench --features live --bench decode`.

use perfmodel::bench::{BenchConfig, Budget, DeviceChoice, Variant, Watch};
use perfmodel::error::Result;
use perfmodel::live::{LiveDevice, LiveTarget, ModelShape, ProbePlan, WeightPaths, probe};
use perfmodel::spec::Catalog;

/// Nobody waits for it.
struct Patience;

impl Watch for Patience {
    fn row(&mut self, _: &str) {}

    fn estimated(&mut self, _: f64) {}

    fn stopped(&self) -> bool {
        false
    }
}

fn main() -> Result<()> {
    let device = LiveDevice::open(DeviceChoice::Cpu)?;
    let dtype = device.dtype(None)?;
    let roof = probe(&device, &ProbePlan::quick(&device, dtype)?, &mut Patience)?.bandwidth_gb_per_s();
    println!("{}: memory is read at {roof:.1} GB/s", device.name);
    for model in ["olmo2_60m", "olmo2_190m"] {
        let architecture = Catalog::built_in().model(model)?;
        let target = LiveTarget {
            shape: ModelShape::new(&architecture)?,
            weights: WeightPaths { folder: None, heads: None },
            device: device.clone(),
            dtype,
            dtype_requested: None,
        };
        let config = BenchConfig {
            model: model.to_owned(),
            variants: vec![Variant::Baseline],
            generation_length: 1,
            budget: Budget { warmup_ms: 200.0, rep_ms: 4000.0 },
            ..BenchConfig::default()
        };
        let results = target.run(&config, &mut Patience)?.results;
        // Every weight but the embedding table, of which a step reads one row; caches of 128 tokens are below a hundredth.
        let elements =
            architecture.parameters() - u64::from(architecture.hidden_size) * u64::from(architecture.vocab_size);
        let bytes = (elements * dtype.bytes()) as f64;
        for point in results.decode(Variant::Baseline) {
            let rate = bytes / point.timing.median_ms / 1e6;
            println!(
                "{model}: a step takes {:.1} ms ({:.1} to {:.1}), reads {:.0} MB: {rate:.1} GB/s, {:.0} % of the memory's",
                point.timing.median_ms,
                point.timing.p20_ms,
                point.timing.p80_ms,
                bytes / 1e6,
                100.0 * rate / roof
            );
        }
    }
    Ok(())
}
