//! Attention insights against values computed with pandas and numpy: tests/fixtures/insights.
//!
//! `reference_insights.json` holds the figures as they were first published (`original`) and as they should be;
//! `reference_roofline.json` the decode steps of three variants on three devices.

use std::path::{Path, PathBuf};

use perfmodel::insights::budget::{TypeSpeed, budgets_mb};
use perfmodel::insights::dial::{Dial, SliceDial};
use perfmodel::insights::pareto::{original_front, strict_front};
use perfmodel::insights::quality::panels;
use perfmodel::insights::serving::{Memory, ServingRates, ServingSystem, StepBound};
use perfmodel::insights::variant::{LatentShape, Variant, VariantKind};
use perfmodel::insights::{AttentionType, BenchmarkTable, Rule, Run};
use perfmodel::spec::{Catalog, Deployment, Hardware, ModelArchitecture, Precision, SpecFile, System};
use perfmodel::units::Bytes;
use serde_json::Value;

const RELATIVE: f64 = 1e-9;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/insights").join(name)
}

fn reference(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(fixture(name)).unwrap()).unwrap()
}

fn table() -> BenchmarkTable {
    BenchmarkTable::open(&fixture("benchmark_results.csv")).unwrap()
}

#[track_caller]
fn assert_close(found: f64, want: &Value, what: &str) {
    let want = want.as_f64().unwrap_or_else(|| panic!("{what}: the reference holds no number"));
    assert!((found - want).abs() <= RELATIVE * want.abs(), "{what}: {found}, not {want}");
}

fn numbers(values: &Value) -> Vec<f64> {
    values.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

fn rows(values: &Value) -> Vec<usize> {
    values.as_array().unwrap().iter().map(|value| value.as_u64().unwrap() as usize).collect()
}

fn rows_of(runs: &[&Run]) -> Vec<usize> {
    runs.iter().map(|run| run.row).collect()
}

fn texts(values: &Value) -> Vec<&str> {
    values.as_array().unwrap().iter().map(|value| value.as_str().unwrap()).collect()
}

#[test]
fn rows_and_missing_cells_are_counted() {
    let (table, reference) = (table(), reference("reference_insights.json"));
    let meta = &reference["_meta"];
    assert_eq!(table.runs.len() as u64, meta["rows"].as_u64().unwrap());
    for (key, count) in meta["counts"].as_object().unwrap() {
        let (attention, moe) = key.split_once("|moe=").unwrap();
        let moe = Some(moe == "True");
        assert_eq!(table.count(&AttentionType::named(attention), moe) as u64, count.as_u64().unwrap(), "{key}");
    }
    for column in ["params_m", "val_loss", "theoretical_cache_mb", "tps_512", "down_dim_kv"] {
        let found = table.dirty.iter().find(|count| count.column == column).map_or(0, |count| count.missing());
        assert_eq!(found as u64, meta["missing_counts"][column].as_u64().unwrap(), "{column}");
    }
    let speeds = table.dirty.iter().find(|count| count.column == "tps_512").unwrap();
    assert_eq!((speeds.blank, speeds.unreadable, speeds.example.as_deref()), (4, 1, Some("OOM")));
}

#[test]
fn fronts_match_strict_and_as_published() {
    let (table, reference) = (table(), reference("reference_insights.json"));
    let figure = &reference["fig1"];
    let (right, original) = (panels(&table, Rule::Right), panels(&table, Rule::Original));
    for ((right, original), name) in right.iter().zip(&original).zip(["dense", "dense_plus_moe"]) {
        let want = &figure[name];
        assert_eq!(right.runs.len() as u64, want["n"].as_u64().unwrap());
        assert_eq!(rows_of(&right.front), rows(&want["strict_front_csv_rows_sorted_by_cache"]), "{name}");
        assert_eq!(rows_of(&original.front), rows(&want["original_front_csv_rows_in_sweep_order"]), "{name}");
        assert_eq!(rows_of(&right.painted), rows_of(&right.front));
        assert_eq!(rows_of(&original.painted), rows(&want["csv_rows_painted_opaque_by_original_bug"]), "{name}");
        let types: Vec<String> = right.types.iter().map(ToString::to_string).collect();
        let mut wanted = texts(&want["types_on_strict_front"]);
        wanted.sort_by_key(|name| AttentionType::named(name));
        assert_eq!(types, wanted);
        let (x, y): (Vec<f64>, Vec<f64>) = right.stairs.iter().copied().unzip();
        assert_eq!((x, y), (numbers(&want["staircase_x"]), numbers(&want["staircase_y"])), "{name}");
        assert_close(right.reference.0, &want["hypervolume_ref_point"][0], name);
        assert_close(right.reference.1, &want["hypervolume_ref_point"][1], name);
        assert_close(right.hypervolume, &want["hypervolume"], name);
        for (run, point) in right.front.iter().zip(want["strict_front_points"].as_array().unwrap()) {
            assert_eq!((run.cache_mb, run.loss), (point[0].as_f64(), point[1].as_f64()));
            assert_eq!(
                (run.attention.to_string().as_str(), run.name.as_str()),
                (texts(&Value::from(vec![point[2].clone()]))[0], point[3].as_str().unwrap())
            );
        }
    }
    assert_eq!(right[1].runs.len() as u64, figure["rows_after_dropna"].as_u64().unwrap());
    let largest = right[1].runs.iter().filter_map(|run| run.params_m).fold(0.0, f64::max);
    assert_eq!(Some(largest), figure["max_params_m"].as_f64());
}

#[test]
fn small_fronts_match() {
    for (name, case) in reference("reference_insights.json")["pareto_micro"].as_object().unwrap() {
        let points: Vec<(f64, f64)> =
            case["points"].as_array().unwrap().iter().map(numbers).map(|p| (p[0], p[1])).collect();
        assert_eq!(original_front(&points), rows(&case["original"]), "{name}");
        let mut strict = strict_front(&points);
        strict.sort_unstable();
        assert_eq!(strict, rows(&case["strict"]), "{name}");
    }
}

#[test]
fn speeds_at_a_budget_match() {
    let (table, reference) = (table(), reference("reference_insights.json"));
    let figure = &reference["fig2"];
    let budgets = budgets_mb();
    assert_eq!(budgets.len() as u64, figure["budgets_mb"]["n"].as_u64().unwrap());
    for (index, place) in [0, 1, 2].into_iter().chain([297, 298, 299]).enumerate() {
        let key = if index < 3 { "first3" } else { "last3" };
        assert_close(budgets[place], &figure["budgets_mb"][key][index % 3], key);
    }
    let speeds = TypeSpeed::all(&table);
    assert_eq!(speeds.len(), 3);
    let base = speeds.iter().find(|speed| speed.attention == AttentionType::Mha).unwrap();
    for speed in &speeds {
        let name = speed.attention.to_string();
        assert_eq!(speed.count() as u64, figure["rows_used"][&name].as_u64().unwrap());
        let stats = &figure["stats"][&name];
        for (found, key) in [
            (speed.speed.median, "tps_median"),
            (speed.speed.low, "tps_q25"),
            (speed.speed.high, "tps_q75"),
            (speed.cache.median, "cache_median"),
            (speed.cache.low, "cache_q25"),
            (speed.cache.high, "cache_q75"),
            (speed.per_mb.median, "tps_per_mb_median_of_ratios"),
            (speed.per_mb.low, "tps_per_mb_q25"),
            (speed.per_mb.high, "tps_per_mb_q75"),
            (speed.speed.median / speed.cache.median, "tps_per_mb_ratio_of_medians"),
        ] {
            assert_close(found, &stats[key], &format!("{name} {key}"));
        }
        for (budget, want) in figure["naive_total"][&name].as_object().unwrap() {
            let mb: f64 = budget.parse().unwrap();
            let total = speed.total(mb, Rule::Original);
            assert_close(total.median, &want["naive_total_tps"], budget);
            assert_close(total.low, &want["band_low"], budget);
            assert_close(total.high, &want["band_high"], budget);
            assert_close(speed.sequences(mb), &want["sequences_fractional"], budget);
            assert_close(speed.sequences(mb).floor(), &want["sequences_floor"], budget);
            assert_close(speed.sequences(mb).floor() * speed.speed.median, &want["floor_total_tps"], budget);
        }
        for budget in [500.0, 80_000.0] {
            let ratio = speed.total(budget, Rule::Original).median / base.total(budget, Rule::Original).median;
            assert_close(ratio, &figure["ratio_vs_mha_at_80000mb"][&name], &name);
        }
        // Whole sequences of each run never serve more than parts of them.
        assert!(speed.total(500.0, Rule::Right).median <= 500.0 * speed.per_mb.median);
    }
}

#[test]
fn the_dial_matches() {
    let (table, reference) = (table(), reference("reference_insights.json"));
    let figure = &reference["fig3"];
    let dial = Dial::of(&table).unwrap();
    let want = figure["mla_aggregate"].as_array().unwrap();
    assert_eq!(dial.points.len(), want.len());
    for (point, want) in dial.points.iter().zip(want) {
        assert_eq!((Some(point.rank), Some(point.count as u64)), (want["down_dim_kv"].as_f64(), want["n"].as_u64()));
        let cache = point.cache.unwrap();
        for (found, key) in [(cache.mean, "cache_mean"), (cache.low, "cache_min"), (cache.high, "cache_max")] {
            assert_close(found, &want[key], key);
        }
        match point.loss {
            Some(loss) => {
                for (found, key) in
                    [(loss.mean, "val_loss_mean"), (loss.low, "val_loss_min"), (loss.high, "val_loss_max")]
                {
                    assert_close(found, &want[key], key);
                }
            }
            None => assert!(want["val_loss_mean"].is_null() && point.count == 0),
        }
    }
    let (best, loss) = dial.best().unwrap();
    assert_eq!(Some(best.rank), figure["best"]["down_dim_kv"].as_f64());
    assert_close(loss.mean, &figure["best"]["val_loss_mean"], "best");
    for reference in &dial.references {
        let name = reference.attention.to_string();
        let medians = &figure["reference_medians"];
        assert_eq!(reference.loss, medians[format!("{name}_loss")].as_f64());
        assert_eq!(reference.cache, medians[format!("{name}_cache")].as_f64());
        let cache = reference.cache.unwrap();
        assert_eq!(dial.original_crossover(cache), figure["original_crossover_dkv"][&name].as_f64());
        let crossings = dial.crossings(cache);
        let want = numbers(&figure["polyline_crossings"][&name]);
        assert_eq!(crossings.len(), want.len(), "{name}");
        for (found, want) in crossings.iter().zip(want) {
            assert!((found - want).abs() < 1e-9, "{found} {want}");
        }
    }
}

#[test]
fn within_one_architecture_the_cache_is_a_line_and_meets_other_attention_where_algebra_says() {
    let (table, reference) = (table(), reference("reference_insights.json"));
    let want = &reference["fig3"]["controlled_slice_dim256_L12_ctx512"];
    let dials = SliceDial::all(&table);
    let dial =
        dials.iter().find(|dial| (dial.slice.dim, dial.slice.layers, dial.slice.context) == (256, 12, 512)).unwrap();
    assert_eq!(dial.points.iter().map(|point| point.rank).collect::<Vec<_>>(), numbers(&want["dkv"]));
    let caches: Vec<f64> = dial.points.iter().map(|point| point.cache.unwrap().mean).collect();
    for (found, want) in caches.iter().zip(numbers(&want["cache_mb"])) {
        assert!((found - want).abs() < 1e-9);
    }
    // The reference fits one point a rank, this the runs; the slope of the architecture lies within both.
    let line = dial.cache_line.unwrap();
    for found in [line.slope, want["fit_slope_mb_per_dim"].as_f64().unwrap()] {
        assert!((found / want["exact_slope"].as_f64().unwrap() - 1.0).abs() < 2e-3, "{found}");
    }
    assert_eq!(dial.rope, Some(16.0));
    let ranks: Vec<(f64, Option<f64>)> = dial.equal.iter().map(|equal| (equal.kv_heads, equal.rank)).collect();
    let analytic = &reference["fig3"]["analytic_equal_cache_dkv"];
    assert_eq!(ranks[0], (8.0, analytic["MHA dim256 rope16"].as_f64()));
    for (kv_heads, rank) in &ranks[1..] {
        let key = format!("GQA kv{kv_heads} hs32 rope16");
        assert_eq!(*rank, analytic[key.as_str()].as_f64().or(Some(2.0 * kv_heads * 32.0 - 16.0)), "{key}");
        let found = &dial.equal.iter().find(|equal| equal.kv_heads == *kv_heads).unwrap().crossings;
        assert!(found.iter().all(|found| (found - rank.unwrap()).abs() < 1.0), "{found:?} {rank:?}");
    }
    assert!(dial.equal[0].crossings.is_empty(), "no rank of the slice has the cache of multi-head attention");
}

#[test]
fn caches_follow_from_the_architecture() {
    let (table, reference) = (table(), reference("reference_insights.json"));
    for run in &table.runs {
        let Some(elements) = run.expected_elements() else { continue };
        let mb = elements * run.layers.unwrap() * run.context.unwrap() * 4.0 / 1e6;
        assert!((mb - run.cache_mb.unwrap()).abs() <= 0.005 + 1e-9, "{}", run.name);
    }
    for want in reference["derived"]["rows"].as_array().unwrap() {
        let run = &table.runs[want["row"].as_u64().unwrap() as usize];
        assert_close(run.elements_per_token_and_layer().unwrap(), &want["elems_per_token_per_layer"], &run.name);
        assert_eq!(run.expected_elements(), want["expected_mha_gqa"].as_f64());
        assert_eq!(run.rope_dim(), want["mla_rope_dim_recovered"].as_f64());
    }
}

/// Weights and cache of 16 bit on so many devices.
fn bf16(gpus: u32) -> Deployment {
    Deployment::new(gpus, Precision::Bf16).unwrap()
}

/// The model and the devices of the reference as files of ours.
fn reference_model(base: &Value) -> ModelArchitecture {
    let text = format!(
        "name = \"reference\"\nfamily = \"llama\"\nhidden_size = {}\nvocab_size = {}\ntied_embeddings = false\n\
         max_context_tokens = 131072\nnorms_per_layer = 2\n\
         [attention.all]\ntype = \"grouped\"\nquery_heads = {}\nkv_heads = {}\nhead_dim = {}\n\
         [ffn.all]\ntype = \"dense\"\nintermediate_size = {}\n\
         [[layers]]\ncount = {}\nattention = \"all\"\nffn = \"all\"\n\
         [[source]]\nurl = \"https://example.org\"\nretrieved = \"2026-01-01\"\ncovers = [\"all\"]\n",
        base["d_model"], base["vocab"], base["n_heads"], base["n_heads"], base["d_head"], base["d_ff"], base["layers"]
    );
    ModelArchitecture::read("reference", &SpecFile { label: "reference.toml".into(), text }).unwrap()
}

fn reference_device(gpu: &Value) -> Hardware {
    let mut device = Catalog::built_in().hardware("h100_sxm_80gb").unwrap();
    device.memory = Bytes::new(gpu["vram_bytes"].as_f64().unwrap());
    device.bandwidth = perfmodel::units::BytesPerSec::new(gpu["bw"].as_f64().unwrap());
    device
}

#[test]
fn decode_steps_of_every_variant_and_device_match() {
    let reference = reference("reference_roofline.json");
    let share = |key: &str| reference["efficiency"][key].as_f64().unwrap();
    let model = reference_model(&reference["base_model"]);
    let defaults = ServingRates::default();
    assert_eq!((defaults.memory, defaults.compute, defaults.usable), (share("bw"), share("flops"), share("vram_util")));
    assert_close(defaults.overhead.get(), &reference["efficiency"]["overhead_s"], "overhead");
    assert_close(defaults.reserve.get(), &reference["efficiency"]["reserve_bytes"], "reserve");
    let mut checked = 0;
    for case in reference["cases"].as_array().unwrap() {
        let name = case["variant"].as_str().unwrap();
        let kind = match name {
            "MHA" => VariantKind::MultiHead,
            "GQA8" => VariantKind::Grouped(8),
            "MLA512" => VariantKind::Latent(LatentShape { rank: 512, rope: 64, query_rank: Some(1536) }),
            other => panic!("{other}"),
        };
        let gpu = &reference["gpus"][case["gpu"].as_str().unwrap()];
        let device = reference_device(gpu);
        // Every peak of ours is scaled to the one of the reference.
        let scale = device.peak(Precision::Bf16).unwrap().get() / gpu["peak"].as_f64().unwrap();
        let rates = ServingRates { compute: defaults.compute / scale, ..defaults };
        let variant = Variant::of(&model, kind).unwrap();
        let system = ServingSystem::new(System::new(device, variant.model, bf16(1)).unwrap(), rates).unwrap();
        let context = case["context"].as_f64().unwrap();
        let stored = reference["kv"][name]["params_stored"].as_f64().unwrap() * 2.0;
        // The reference leaves out norms, which are 0.01 % of the weights.
        let weights = system.weights().get();
        assert!(weights >= stored && weights < stored * 1.0001, "{name}: {weights} {stored}");
        let budget = rates.cache_budget(system.system().hardware().memory, Bytes::new(stored), 1.0);
        assert_close(budget.get(), &case["kv_budget_bytes"], name);
        let per_token = reference["kv"][name]["kv_bytes_per_token"].as_f64().unwrap();
        assert_eq!(system.sequence_bytes(context).get(), per_token * context);
        assert_eq!(Some(per_token * context), case["kv_bytes_per_seq"].as_f64());
        let alone = system.step(1.0, context).time.get();
        assert_close(alone, &case["t_batch1"], name);
        assert_close(1.0 / alone, &case["tps_batch1"], name);
        let fits = system.fits(budget, context);
        assert_eq!(Some(fits), case["max_batch"].as_u64());
        let Some(point) = system.point(fits, context, None) else {
            assert!(case["t_step"].is_null());
            continue;
        };
        assert_eq!(Some(point.bound.name()), case["bound"].as_str());
        for (found, key) in [
            (point.step.get(), "t_step"),
            (point.intensity, "intensity"),
            (point.per_sequence, "tps_per_seq"),
            (point.total, "tps_total"),
            (point.linear, "naive_linear_tps"),
            (point.linear / point.total, "naive_overestimate"),
        ] {
            assert_close(found, &case[key], &format!("{case} {key}"));
        }
        checked += 1;
    }
    assert!(checked > 20, "{checked}");
}

#[test]
fn all_reduces_lengthen_steps_over_pcie_more_than_over_a_link_and_can_bind() {
    let catalog = Catalog::built_in();
    let step = |hardware: &str, gpus: u32| {
        let system =
            System::new(catalog.hardware(hardware).unwrap(), catalog.model("llama31_8b").unwrap(), bf16(gpus)).unwrap();
        ServingSystem::new(system, ServingRates::default()).unwrap().step(2000.0, 512.0)
    };
    assert_eq!(step("h100_sxm_80gb", 1).link.get(), 0.0);
    let (direct, pcie) = (step("h100_sxm_80gb", 4), step("l40s_48gb", 4));
    assert!(pcie.link > direct.link * 5.0, "{:?} {:?}", pcie.link, direct.link);
    assert_eq!((pcie.bound, direct.bound.name()), (StepBound::Link, "memory"));
}

#[test]
fn a_limit_on_speed_takes_the_largest_batch_that_keeps_it_and_the_linear_rule_ends_where_it_is_said() {
    let catalog = Catalog::built_in();
    let model = catalog.model("llama2_7b").unwrap();
    for kind in [VariantKind::MultiHead, VariantKind::Grouped(8), VariantKind::MultiQuery] {
        let model = Variant::of(&model, kind).unwrap().model;
        let hardware = catalog.hardware("h100_sxm_80gb").unwrap();
        let memory = hardware.memory;
        let system =
            ServingSystem::new(System::new(hardware, model, bf16(1)).unwrap(), ServingRates::default()).unwrap();
        let fits = system.fits(system.cache_budget(memory, Memory::Devices), 4096.0);
        let free = system.point(fits, 4096.0, None).unwrap();
        assert_eq!(free.sequences, fits);
        let limited = system.point(fits, 4096.0, Some(50.0)).unwrap();
        assert!(limited.per_sequence >= 50.0 && limited.sequences < fits, "{kind}");
        assert!(1.0 / system.step((limited.sequences + 1) as f64, 4096.0).time.get() < 50.0);
        assert_eq!(system.point(fits, 4096.0, Some(1e6)), None);
        let until = system.linear_until(4096.0).unwrap();
        // The memory that is said to hold one more holds it, and hardly more.
        let held = |memory: Bytes| system.fits(system.cache_budget(memory, Memory::Devices), 4096.0);
        let ends = system.memory_for(until + 1, 4096.0);
        assert!(held(ends * 1.0001) > until && held(ends * 0.9999) <= until, "{kind}");
        let over = |batch: u64| system.step(batch as f64, 4096.0).time / system.step(1.0, 4096.0).time;
        assert!(over(until) <= 1.1 && over(until + 1) > 1.1, "{kind}: {until}");
    }
}
