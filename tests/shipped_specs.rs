//! Every shipped specification loads and obeys the laws of its kind.

use std::collections::BTreeMap;

use perfmodel::dataset::read_measurements;
use perfmodel::engine::memory::kv_bytes;
use perfmodel::estimator;
use perfmodel::spec::{Catalog, Deployment, Kind, Precision, System};
use perfmodel::workload::LoadKind;

const DEVICES: [&str; 14] = [
    "h100_sxm_80gb",
    "h100_pcie_80gb",
    "h100_nvl_94gb",
    "h200_sxm_141gb",
    "b200_sxm_180gb",
    "a100_sxm_80gb",
    "a100_sxm_40gb",
    "a10g_24gb",
    "l4_24gb",
    "l40s_48gb",
    "rtx4090_24gb",
    "mi300x_192gb",
    "l40_48gb",
    "gh200_96gb",
];

/// Published parameter totals and KV bytes of one token in bf16 (Hugging Face API totals; see models/README.md).
const MODELS: [(&str, u64, f64); 35] = [
    ("llama31_8b", 8_030_261_248, 131_072.0),
    ("llama31_70b", 70_553_706_496, 327_680.0),
    ("llama33_70b", 70_553_706_496, 327_680.0),
    ("llama31_405b", 405_853_388_800, 516_096.0),
    ("olmo2_1b", 1_484_916_736, 131_072.0),
    ("olmo2_7b", 7_298_617_344, 524_288.0),
    ("olmo2_13b", 13_716_198_400, 819_200.0),
    ("olmo2_32b", 32_234_279_936, 262_144.0),
    ("mistral_7b", 7_248_023_552, 131_072.0),
    ("mixtral_8x7b", 46_702_792_704, 131_072.0),
    ("qwen25_7b", 7_615_616_512, 57_344.0),
    ("qwen25_72b", 72_706_203_648, 327_680.0),
    ("qwen3_32b", 32_762_123_264, 262_144.0),
    ("qwen3_30b_a3b", 30_532_122_624, 98_304.0),
    ("qwen3_235b_a22b", 235_093_634_560, 192_512.0),
    ("deepseek_v3", 684_531_386_000, 70_272.0),
    ("gpt_oss_120b", 116_829_156_672, 73_728.0),
    ("gptj_6b", 6_050_882_784, 458_752.0),
    ("falcon_180b", 179_522_565_120, 163_840.0),
    ("gpt_oss_20b", 20_914_757_184, 49_152.0),
    ("llama2_7b", 6_738_415_616, 524_288.0),
    ("llama2_13b", 13_015_864_320, 819_200.0),
    ("llama2_70b", 68_976_648_192, 327_680.0),
    ("llama32_1b", 1_235_814_400, 32_768.0),
    ("llama32_3b", 3_212_749_824, 114_688.0),
    ("olmo2_tiny", 181_312, 1024.0),
    ("olmo2_60m", 95_957_376, 12_288.0),
    ("olmo2_190m", 267_424_512, 36_864.0),
    ("mistral_7b_v01", 7_241_732_096, 131_072.0),
    ("gemma2_9b", 9_241_705_984, 344_064.0),
    ("gemma2_27b", 27_227_128_320, 376_832.0),
    ("gemma3_27b", 27_432_406_640, 507_904.0),
    ("qwen3_8b", 8_190_735_360, 147_456.0),
    ("deepseek_v2_lite", 15_706_484_224, 31_104.0),
    ("minimax_m2", 228_689_764_864, 253_952.0),
];

#[test]
fn every_promised_id_is_there_and_no_other() {
    let catalog = Catalog::built_in();
    let sorted = |ids: &[&str]| {
        let mut ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        ids.sort();
        ids
    };
    assert_eq!(catalog.ids(Kind::Hardware), sorted(&DEVICES));
    assert_eq!(catalog.ids(Kind::Model), sorted(&MODELS.map(|(id, ..)| id)));
    assert_eq!(catalog.ids(Kind::Scenario), ["llama31_8b_fp8_tp1", "llama33_70b_fp8_tp2"]);
}

#[test]
fn fp8_is_twice_bf16_where_a_device_has_both() {
    // A with-sparsity figure in one of the two rows would show as 4 or 1.
    let catalog = Catalog::built_in();
    let mut seen = 0;
    for id in DEVICES {
        let device = catalog.hardware(id).unwrap();
        if let (Some(fp8), Some(bf16)) = (device.known_peak(Precision::Fp8), device.known_peak(Precision::Bf16)) {
            let ratio = fp8 / bf16;
            assert!((1.95..2.05).contains(&ratio), "{id}: {ratio}");
            seen += 1;
        }
    }
    assert!(seen >= 8, "only {seen} devices have both");
}

#[test]
fn a_missing_precision_is_an_error_and_never_a_guess() {
    let message = Catalog::built_in().hardware("a100_sxm_80gb").unwrap().peak(Precision::Fp8).unwrap_err().to_string();
    assert!(message.contains("NVIDIA A100 SXM4 80GB has no peak for fp8"), "{message}");
}

#[test]
fn weights_add_up_to_the_published_count_exactly() {
    let catalog = Catalog::built_in();
    for (id, published, _) in MODELS {
        let model = catalog.model(id).unwrap();
        assert_eq!(model.published_parameters, Some(published), "{id}");
        let extra: u64 = model.extra.iter().map(|extra| extra.parameters).sum();
        assert_eq!(model.parameters() + extra, published, "{id}");
    }
}

#[test]
fn the_extras_of_deepseek_v3_follow_from_its_shape() {
    // The multi-token-prediction module is one more MoE layer, a 2d × d projection and three norms; the checkpoint
    // also holds second copies of embedding and head.
    let model = Catalog::built_in().model("deepseek_v3").unwrap();
    let d = u64::from(model.hidden_size);
    let moe = model.layers.iter().find(|group| group.count == 58).unwrap();
    let layer = moe.attention.linear_weights(d)
        + moe.attention.small_weights(d)
        + moe.ffn.linear_weights(d)
        + moe.ffn.small_weights(d)
        + 2 * d;
    assert_eq!(model.extra[0].parameters, layer + 2 * d * d + 3 * d);
    assert_eq!(model.extra[1].parameters, 2 * model.vocabulary_matrix());
    assert_eq!(model.parameters(), 671_026_419_200);
}

#[test]
fn kv_bytes_of_a_token_are_the_published_ones() {
    let catalog = Catalog::built_in();
    for (id, _, want) in MODELS {
        let deployment = Deployment::new(1, Precision::Bf16).unwrap();
        let system =
            System::new(catalog.hardware("h100_sxm_80gb").unwrap(), catalog.model(id).unwrap(), deployment).unwrap();
        assert_eq!(kv_bytes(&system, 1.0).get(), want, "{id}");
    }
}

#[test]
fn every_scenario_resolves_reads_and_can_be_predicted() {
    let catalog = Catalog::built_in();
    for (id, rows) in [("llama31_8b_fp8_tp1", 40), ("llama33_70b_fp8_tp2", 39)] {
        let folder = catalog.scenario_folder(id).unwrap();
        let data = read_measurements(&folder.measured, LoadKind::ClosedLoop).unwrap();
        assert_eq!(data.rows.len(), rows, "{id}");
        assert!(data.rows.iter().all(|row| row.throughput.is_some()));
        let scenario = catalog.resolve(&folder).unwrap();
        assert!(!scenario.file.source.is_empty() && scenario.system.notebook().is_some());
        for estimator in estimator::all() {
            let predictor = estimator.prepare(&scenario.system, LoadKind::ClosedLoop, &data.rows).unwrap();
            let values: Vec<f64> = predictor.parameters().iter().map(|p| p.default).collect();
            for row in &data.rows {
                let prediction = predictor.predict(&row.workload, &values);
                assert!(prediction.ttft.get() > 0.0 && prediction.itl.get() > 0.0, "{id} {row:?}");
            }
        }
    }
}

#[test]
fn no_name_means_two_things() {
    let catalog = Catalog::built_in();
    for kind in [Kind::Hardware, Kind::Model] {
        let mut meanings = BTreeMap::new();
        for id in catalog.ids(kind) {
            let (aliases, others) = match kind {
                Kind::Hardware => {
                    let device = catalog.hardware(&id).unwrap();
                    (device.aliases, device.usual_for)
                }
                Kind::Model => {
                    let model = catalog.model(&id).unwrap();
                    (model.aliases, model.same_shape)
                }
                Kind::Scenario => unreachable!("not asked for"),
            };
            assert!(!aliases.is_empty(), "{id} has no alias");
            for name in aliases.into_iter().chain(others).chain([id.clone()]) {
                assert_eq!(name.trim(), name, "{id}");
                let taken = meanings.insert(name.to_lowercase(), id.clone());
                assert_eq!(taken, None, "`{name}` of {id}");
                for spelt in [name.to_uppercase(), name.replace(['-', '_'], " "), name.replace([' ', '_'], "-")] {
                    let found = match kind {
                        Kind::Hardware => catalog.hardware(&spelt).map(|device| device.id),
                        Kind::Model => catalog.model(&spelt).map(|model| model.id),
                        Kind::Scenario => unreachable!("not asked for"),
                    };
                    assert_eq!(found.as_ref(), Ok(&id), "`{spelt}`");
                }
            }
        }
    }
}

#[test]
fn names_of_public_benchmarks_resolve() {
    let catalog = Catalog::built_in();
    for (name, id) in [
        ("A100-SXM4-80GB", "a100_sxm_80gb"),
        ("GH200-96GB(120GB LPDDR)", "gh200_96gb"),
        ("H100-NVL-94GB", "h100_nvl_94gb"),
        ("H100-SXM5-80GB", "h100_sxm_80gb"),
        ("H200-SXM-141GB", "h200_sxm_141gb"),
        ("L40", "l40_48gb"),
        ("L40S", "l40s_48gb"),
    ] {
        assert_eq!(catalog.hardware(name).unwrap().id, id);
    }
    for (name, id) in [
        ("meta-llama/Llama-2-7b-hf", "llama2_7b"),
        ("meta-llama/Llama-2-13b-hf", "llama2_13b"),
        ("meta-llama/Llama-2-70b-hf", "llama2_70b"),
        ("mistralai/Mistral-7B-v0.1", "mistral_7b_v01"),
        ("mistralai/Mixtral-8x7B-v0.1", "mixtral_8x7b"),
    ] {
        assert_eq!(catalog.model(name).unwrap().id, id);
    }
}
