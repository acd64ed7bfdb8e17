//! Laws of layouts: tensor, pipeline, expert parallelism, and ranks of attention with sequences of their own.

use perfmodel::engine::memory::{free_bytes, kv_bytes, weight_bytes};
use perfmodel::engine::{Efficiencies, Phase, StepLoad, StepModel};
use perfmodel::serving::{ServingModel, ServingParameters};
use perfmodel::spec::{Catalog, Deployment, Parallelism, Precision, System};
use perfmodel::workload::{LoadKind, Workload};
use proptest::prelude::*;

/// Mixtures of experts with and without shared ones, latent and grouped attention.
const MODELS: [&str; 3] = ["deepseek_v3", "qwen3_235b_a22b", "gpt_oss_120b"];

fn system(model: &str, [tp, pp, dp, ep]: [u32; 4]) -> System {
    let catalog = Catalog::built_in();
    let plain = Deployment::new(1, Precision::Fp8).unwrap();
    let deployment = Deployment { parallelism: Parallelism::new(tp, pp, dp, ep).unwrap(), ..plain };
    System::new(catalog.hardware("b200_sxm_180gb").unwrap(), catalog.model(model).unwrap(), deployment).unwrap()
}

fn predicted(system: &System, workload: &Workload) -> perfmodel::prediction::Prediction {
    ServingModel::new(system).unwrap().predict(workload, &ServingParameters::default())
}

fn degree(most: u32) -> impl Strategy<Value = u32> {
    (0..=most).prop_map(|power| 1 << power)
}

/// Work of all devices of a replica in a decode step of so many sequences on each rank.
fn group_work(system: &System, per_rank: f64) -> (f64, f64) {
    let model = StepModel::new(system).unwrap();
    let rates = model.rates(&Efficiencies::PEAK);
    let step = StepLoad { phase: Phase::Decode, batch: per_rank, tokens: 2000.0 };
    let devices = f64::from(system.deployment().parallelism.stage_devices());
    let work = model.operators().iter().filter(|op| op.is_in(step.phase)).map(|op| op.work(&step, &rates));
    work.fold((0.0, 0.0), |(flops, bytes), work| {
        (flops + devices * work.flops.get(), bytes + devices * work.bytes.get())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_arithmetic_of_all_devices_is_that_of_one(model in 0..MODELS.len(), tp in degree(3), dp in degree(3), per_rank in 1.0..200.0) {
        let stage = tp * dp;
        let (split, _) = group_work(&system(MODELS[model], [tp, 1, dp, stage]), per_rank);
        let (whole, _) = group_work(&system(MODELS[model], [1, 1, 1, 1]), per_rank * f64::from(dp));
        prop_assert!((split / whole - 1.0).abs() < 1e-9, "{split} {whole}");
    }

    #[test]
    fn along_one_axis_the_memory_of_a_device_never_rises(
        model in 0..MODELS.len(), tp in degree(3), pp in degree(2), dp in degree(3), ep in degree(5), axis in 0..2_usize,
    ) {
        prop_assume!((tp * dp).is_multiple_of(ep));
        let mut more = [tp, pp, dp, ep];
        more[axis] *= 2;
        prop_assume!(Parallelism::new(more[0], more[1], more[2], more[3]).is_ok() && more[0] <= 8);
        let of = |degrees| {
            let system = system(MODELS[model], degrees);
            weight_bytes(&system).get() / system.deployment().gpus()
        };
        prop_assert!(of(more) <= of([tp, pp, dp, ep]) * (1.0 + 1e-12));
    }

    #[test]
    fn copies_are_what_weights_of_ranks_with_sequences_of_their_own_add(model in 0..MODELS.len(), dp in degree(5)) {
        let (one, all) = (weight_bytes(&system(MODELS[model], [1; 4])), weight_bytes(&system(MODELS[model], [1, 1, dp, dp])));
        // All but the routed experts is held by every rank.
        let experts = {
            let two = weight_bytes(&system(MODELS[model], [1, 1, 2, 1]));
            one * 2.0 - two
        };
        let want = (one - experts) * f64::from(dp) + experts;
        prop_assert!((all / want - 1.0).abs() < 1e-9);
    }

    #[test]
    fn pipeline_stages_keep_the_weights_and_the_cache_of_a_sequence(model in 0..MODELS.len(), pp in degree(4)) {
        let (one, staged) = (system(MODELS[model], [2, 1, 1, 1]), system(MODELS[model], [2, pp, 1, 1]));
        prop_assert_eq!(weight_bytes(&one), weight_bytes(&staged));
        prop_assert_eq!(kv_bytes(&one, 1000.0), kv_bytes(&staged, 1000.0));
        prop_assert!(pp == 1 || free_bytes(&staged).unwrap() > free_bytes(&system(MODELS[model], [8, 1, 1, 1])).unwrap() || pp * 2 <= 8);
    }

    #[test]
    fn more_load_never_answers_faster_in_any_layout(
        model in 0..MODELS.len(), layout in 0..4_usize, load in 0.0..6.0, more in 0.01..2.0, open in any::<bool>(),
    ) {
        let layout = [[8, 1, 1, 8], [1, 1, 8, 8], [2, 1, 4, 8], [4, 2, 1, 4]][layout];
        let system = system(MODELS[model], layout);
        let kind = if open { LoadKind::OpenLoop } else { LoadKind::ClosedLoop };
        let at = |load: f64| {
            let amount = if open { 0.02 * load.exp() } else { load.exp() };
            predicted(&system, &Workload::under(kind, 1000.0, 200.0, amount).unwrap())
        };
        let (few, many) = (at(load), at(load + more));
        prop_assert!(many.itl >= few.itl * (1.0 - 1e-6), "{:?} {:?}", few.itl, many.itl);
        prop_assert!(many.ttft >= few.ttft * (1.0 - 1e-6), "{:?} {:?}", few.ttft, many.ttft);
        prop_assert!(many.throughput.get() >= few.throughput.get() * (1.0 - 1e-6));
    }

    #[test]
    fn little_s_law_holds_over_all_ranks(model in 0..MODELS.len(), layout in 0..4_usize, clients in 1.0..2000.0) {
        let layout = [[8, 1, 1, 8], [1, 1, 8, 8], [2, 1, 4, 8], [4, 2, 1, 4]][layout];
        let workload = Workload::new(1000.0, 200.0, clients).unwrap();
        let one = predicted(&system(MODELS[model], layout), &workload);
        let answers = one.throughput.get() / 200.0;
        let inside = answers * one.end_to_end(workload.later_tokens()).get();
        // Those that wait at the end of a run are counted out by the waves of a benchmark.
        prop_assert!(inside <= clients * (1.0 + 1e-9) && one.running <= clients, "{inside} of {clients}");
    }
}

#[test]
fn one_client_keeps_one_rank_busy_and_reads_only_its_own_experts() {
    let workload = Workload::new(1000.0, 200.0, 1.0).unwrap();
    let alone = |degrees| predicted(&system("deepseek_v3", degrees), &workload);
    let (split, ranks) = (alone([8, 1, 1, 8]), alone([1, 1, 8, 8]));
    // Every rank reads all of its attention, an eighth of which tensor parallelism would: one client is slower.
    assert!(ranks.itl > split.itl, "{:?} {:?}", ranks.itl, split.itl);
    let many = Workload::new(1000.0, 200.0, 2000.0).unwrap();
    let rate = |degrees| predicted(&system("deepseek_v3", degrees), &many).throughput.get();
    // The latent lies once on a rank, and eight times where heads are split: more requests fit.
    assert!(rate([1, 1, 8, 8]) > 1.5 * rate([8, 1, 1, 8]), "{} {}", rate([1, 1, 8, 8]), rate([8, 1, 1, 8]));
}

#[test]
fn a_client_alone_takes_no_less_time_for_more_stages() {
    let workload = Workload::new(1000.0, 200.0, 1.0).unwrap();
    let itl = |pp| predicted(&system("deepseek_v3", [8, pp, 1, 8]), &workload).itl;
    assert!(itl(1) < itl(2) && itl(2) < itl(4), "{:?} {:?} {:?}", itl(1), itl(2), itl(4));
}

#[test]
fn a_request_alone_has_the_memory_of_all_stages_and_of_one_rank() {
    let fits = |degrees, share: f64| {
        let system = system("gpt_oss_120b", degrees);
        let room = free_bytes(&system).unwrap() * share;
        // Beyond the windows every token takes as much.
        let (short, long) = (kv_bytes(&system, 1e4), kv_bytes(&system, 2e4));
        let tokens = 1e4 + (room - short).get() / (long - short).get() * 1e4;
        ServingModel::new(&system).unwrap().check(&Workload::new(tokens - 10.0, 5.0, 1.0).unwrap()).is_ok()
    };
    assert!(fits([1, 4, 1, 1], 0.9) && !fits([1, 4, 1, 1], 1.1));
    assert!(fits([1, 1, 4, 4], 0.24) && !fits([1, 1, 4, 4], 0.26));
}

#[test]
fn layouts_that_cannot_be_are_refused_with_the_reason() {
    let catalog = Catalog::built_in();
    let hardware = catalog.hardware("b200_sxm_180gb").unwrap();
    for (model, [tp, pp, dp, ep], want) in [
        (
            "llama31_8b",
            [1, 1, 2, 1],
            "attention_data_parallel = 2, and Llama-3.1-8B has no experts that its ranks could share",
        ),
        ("llama31_8b", [2, 1, 1, 2], "expert_parallel = 2, and Llama-3.1-8B has no experts"),
        ("llama31_8b", [1, 64, 1, 1], "pipeline_parallel = 64 is more than the 32 layers of Llama-3.1-8B"),
        ("mixtral_8x7b", [16, 1, 1, 16], "expert_parallel = 16 does not divide the 8 experts of Mixtral-8x7B"),
    ] {
        let deployment = Deployment {
            parallelism: Parallelism::new(tp, pp, dp, ep).unwrap(),
            ..Deployment::new(1, Precision::Bf16).unwrap()
        };
        let message = System::new(hardware.clone(), catalog.model(model).unwrap(), deployment).unwrap_err().to_string();
        assert!(message.starts_with(want), "{message}");
    }
}
