//! Laws of the serving model, over random systems, workloads and parameters.

use std::sync::LazyLock;

use perfmodel::engine::{StepModel, memory::kv_bytes};
use perfmodel::prediction::{Limit, Part, Prediction};
use perfmodel::serving::{Quantity, ServingModel, ServingParameters};
use perfmodel::spec::{
    Attention, Catalog, DenseFfn, Deployment, Ffn, Formats, Hardware, Limits, LinkClass, ModelArchitecture, MoeFfn,
    Precision, SpecFile, System,
};
use perfmodel::workload::{LoadKind, Workload};
use proptest::prelude::*;

/// Models of every kind of layer, with a tensor-parallel degree at which their bf16 weights fit.
const MODELS: [(&str, u32); 6] = [
    ("llama31_8b", 1),
    ("llama33_70b", 4),
    ("mixtral_8x7b", 2),
    ("deepseek_v3", 32),
    ("gpt_oss_120b", 8),
    ("qwen3_30b_a3b", 2),
];

static ARCHITECTURES: LazyLock<Vec<(ModelArchitecture, u32)>> =
    LazyLock::new(|| MODELS.map(|(id, tp)| (Catalog::built_in().model(id).unwrap(), tp)).to_vec());

/// An H100 with other bandwidth and peaks.
fn device(bandwidth: f64, compute: f64) -> Hardware {
    let text = format!(
        "name = \"x\"\nvendor = \"x\"\nmemory_bytes = 85520809984\nmemory_bandwidth_gb_per_s = {}\n\
         interconnect_gb_per_s = 450.0\ninterconnect = \"x\"\ninterconnect_gpus = 8\npcie_gb_per_s = 63.0\n[peak_tflop_per_s]\nbf16 = {}\n\
         [[source]]\nurl = \"x\"\nretrieved = \"2026-01-01\"\ncovers = [\"memory_bytes\", \
         \"memory_bandwidth_gb_per_s\", \"interconnect_gb_per_s\", \"interconnect_gpus\", \"pcie_gb_per_s\", \"peak_tflop_per_s.bf16\"]\n",
        3350.0 * bandwidth,
        989.4 * compute
    );
    Hardware::read("x", &SpecFile { label: "x".into(), text }).unwrap()
}

fn deployment(tensor_parallel: u32) -> Deployment {
    Deployment::new(tensor_parallel, Precision::Bf16).unwrap()
}

fn system(model: usize, bandwidth: f64, compute: f64, budget: Option<u32>) -> System {
    let (architecture, tp) = &ARCHITECTURES[model];
    let limits = Limits { max_tokens_per_step: budget, ..Limits::default() };
    let placed = Deployment { limits, ..deployment(*tp) };
    System::new(device(bandwidth, compute), architecture.clone(), placed).unwrap()
}

/// A case: model, parameters, input, output, clients, token budget.
type Case = (usize, ServingParameters, f64, f64, f64, Option<u32>);

fn case() -> impl Strategy<Value = Case> {
    let parameters: Vec<_> =
        Quantity::ALL.iter().map(|q| (0.0..=1.0_f64).prop_map(|u| q.parameter().from_unit(u))).collect();
    (
        0..MODELS.len(),
        parameters.prop_map(|values| {
            let pairs = Quantity::ALL.into_iter().zip(values);
            pairs.fold(ServingParameters::default(), |parameters, (q, value)| parameters.with(q, value))
        }),
        (0.0..10.0_f64).prop_map(|x| x.exp().round()),
        (0.7..8.5_f64).prop_map(|x| x.exp().round().max(2.0)),
        (0.0..7.0_f64).prop_map(|x| x.exp().round()),
        prop_oneof![Just(None), Just(Some(8192)), Just(Some(512))],
    )
}

fn predict(system: &System, parameters: &ServingParameters, input: f64, output: f64, clients: f64) -> Prediction {
    ServingModel::new(system).unwrap().predict(&Workload::new(input, output, clients).unwrap(), parameters)
}

/// `less` is not above `more`, up to rounding of the solved batch.
fn at_most(less: f64, more: f64) -> bool {
    less <= more * (1.0 + 1e-9)
}

/// As measured in an endless run. In a short one the mean request waits less where fewer run at once: the first ones end earlier, and the
/// queue drains at the end.
fn steady(parameters: &ServingParameters) -> ServingParameters {
    parameters.with(Quantity::BenchmarkWaves, f64::INFINITY)
}

fn request_time(p: &Prediction, output: f64) -> f64 {
    p.end_to_end(output - 1.0).get()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parts_sum_to_the_whole_and_none_is_negative((model, parameters, input, output, clients, budget) in case()) {
        let p = predict(&system(model, 1.0, 1.0, budget), &parameters, input, output, clients);
        for (parts, total) in [(p.ttft_parts, p.ttft), (p.itl_parts, p.itl)] {
            prop_assert!((parts.total() / total - 1.0).abs() < 1e-9, "{parts:?} {total:?}");
            for part in Part::ALL {
                prop_assert!(parts.get(part).get() >= -1e-12 * total.get(), "{part:?} {parts:?}");
            }
        }
        prop_assert!(p.ttft.get().is_finite() && p.itl.get().is_finite() && p.throughput.get().is_finite());
    }

    #[test]
    fn littles_law_holds((model, parameters, input, output, clients, budget) in case()) {
        // Clients are running or waiting; X·(time of a request) = c·O.
        let endless = steady(&parameters);
        let p = predict(&system(model, 1.0, 1.0, budget), &endless, input, output, clients);
        prop_assert!((p.running + p.waiting - clients).abs() < 1e-9 * clients);
        prop_assert!(p.running > 0.0 && p.waiting >= -1e-9 * clients);
        let law = p.throughput.get() * request_time(&p, output) / (clients * output);
        prop_assert!((law - 1.0).abs() < 1e-7, "{law}");
        // The same for decoding sequences alone: B = X/O · (O − 1)·ITL.
        let decoding = p.throughput.get() / output * (output - 1.0) * p.itl.get() / p.running;
        prop_assert!((decoding - 1.0).abs() < 1e-7, "{decoding}");
    }

    #[test]
    fn more_input_tokens_never_lower_ttft((model, parameters, input, output, clients, budget) in case(), factor in 1.0001..4.0_f64) {
        let endless = steady(&parameters);
        let s = system(model, 1.0, 1.0, budget);
        let (short, long) = (predict(&s, &endless, input, output, clients), predict(&s, &endless, input * factor, output, clients));
        prop_assert!(at_most(short.ttft.get(), long.ttft.get()), "{:?} {:?}", short.ttft, long.ttft);
    }

    #[test]
    fn more_clients_never_lower_ttft_nor_raise_the_share_of_each((model, parameters, input, output, clients, budget) in case(), more in 1.0001..4.0_f64) {
        let s = system(model, 1.0, 1.0, budget);
        let (few, many) = (predict(&s, &parameters, input, output, clients), predict(&s, &parameters, input, output, clients * more));
        prop_assert!(at_most(few.ttft.get(), many.ttft.get()), "TTFT {:?} {:?}", few.ttft, many.ttft);
        prop_assert!(at_most(many.throughput.get() / (clients * more), few.throughput.get() / clients));
        prop_assert!(at_most(few.throughput.get(), many.throughput.get()), "total {:?} {:?}", few.throughput, many.throughput);
    }

    #[test]
    fn more_output_tokens_never_shorten_the_request((model, parameters, input, output, clients, budget) in case(), more in 1.0001..4.0_f64) {
        let endless = steady(&parameters);
        let s = system(model, 1.0, 1.0, budget);
        let (short, long) = (predict(&s, &endless, input, output, clients), predict(&s, &endless, input, output * more, clients));
        prop_assert!(at_most(request_time(&short, output), request_time(&long, output * more)));
    }

    #[test]
    fn twice_the_bandwidth_or_arithmetic_never_slows_a_request((model, parameters, input, output, clients, budget) in case(), bandwidth in any::<bool>()) {
        let slow = predict(&system(model, 1.0, 1.0, budget), &parameters, input, output, clients);
        let better = if bandwidth { system(model, 2.0, 1.0, budget) } else { system(model, 1.0, 2.0, budget) };
        let fast = predict(&better, &parameters, input, output, clients);
        prop_assert!(at_most(request_time(&fast, output), request_time(&slow, output)));
        prop_assert!(at_most(slow.throughput.get(), fast.throughput.get()));
        // One latency alone may rise, for three reasons: where a token budget is full, another number of requests fills it; in a closed loop, clients that wait less decode more, so more sequences
        // run at once; and prompts of others may lengthen the steps before the first token instead of those after it.
        let boundary = |p: &Prediction| p.ttft_parts.get(Part::BoundaryWait);
        prop_assert!(
            at_most(fast.ttft.get(), slow.ttft.get())
                || fast.running > slow.running
                || boundary(&fast) > boundary(&slow)
                || fast.limit == Limit::TokenBudget,
            "{slow:?} {fast:?}"
        );
        prop_assert!(
            at_most(fast.itl.get(), slow.itl.get()) || fast.running > slow.running || fast.limit == Limit::TokenBudget,
            "{slow:?} {fast:?}"
        );
    }

    #[test]
    fn twice_the_bandwidth_slows_no_latency_of_an_ordinary_server((model, _, input, output, clients, budget) in case()) {
        // Independent clients and answers of 64 tokens or more: the feedback through the batch is then too small to show.
        let parameters = ServingParameters::default().with(Quantity::BurstFactor, 0.0);
        let output = output.max(64.0);
        let slow = predict(&system(model, 1.0, 1.0, budget), &parameters, input, output, clients);
        let fast = predict(&system(model, 2.0, 1.0, budget), &parameters, input, output, clients);
        // Where a token budget is full, another number of requests fills it.
        let is_full = fast.limit == Limit::TokenBudget;
        prop_assert!(is_full || at_most(fast.ttft.get(), slow.ttft.get()), "TTFT {:?} {:?}", slow.ttft, fast.ttft);
        prop_assert!(is_full || at_most(fast.itl.get(), slow.itl.get()), "ITL {:?} {:?}", slow.itl, fast.itl);
    }

    #[test]
    fn a_step_gets_no_slower_with_better_hardware_and_no_cheaper_with_more_sequences((model, parameters, input, output, _, _) in case(), batch in 1.0..2000.0_f64, more in 1.0..4.0_f64) {
        let workload = Workload::new(input, output, 1.0).unwrap();
        let step = |bandwidth, compute, batch: f64| {
            let costs = StepModel::new(&system(model, bandwidth, compute, None)).unwrap().costs(&workload, &parameters.efficiencies(LinkClass::Direct), 1.0);
            let step = costs.decode_step(batch);
            assert!((step.parts.total().get() / costs.decode_time(batch).get() - 1.0).abs() < 1e-9);
            step.parts.total().get()
        };
        let now = step(1.0, 1.0, batch);
        prop_assert!(at_most(step(2.0, 1.0, batch), now) && at_most(step(1.0, 2.0, batch), now));
        let larger = step(1.0, 1.0, batch * more);
        prop_assert!(at_most(now, larger), "D rises: {now} {larger}");
        prop_assert!(at_most(larger / (batch * more), now / batch), "D/B falls: {now} {larger}");
    }

    #[test]
    fn one_device_has_no_link_time((_, parameters, input, output, clients, budget) in case()) {
        let p = predict(&system(0, 1.0, 1.0, budget), &parameters, input, output, clients);
        prop_assert_eq!((p.ttft_parts.get(Part::Link).get(), p.itl_parts.get(Part::Link).get()), (0.0, 0.0));
    }

    #[test]
    fn experts_that_are_all_active_equal_a_dense_block((_, parameters, input, output, _, _) in case(), batch in 1.0..2000.0_f64) {
        // Two experts of width f, both active, against one block of width 2f; the router is the only difference.
        let (mut dense, mut moe) = (ARCHITECTURES[0].0.clone(), ARCHITECTURES[0].0.clone());
        dense.layers[0].ffn = Ffn::Dense(DenseFfn { intermediate_size: 2 * 14336, gated: true, bias: false });
        moe.layers[0].ffn = Ffn::Moe(MoeFfn {
            experts: 2,
            active_experts: 2,
            shared_experts: 0,
            intermediate_size: 14336,
            shared_intermediate_size: None,
            shared_gate: false,
            gated: true,
            bias: false,
            router_bias: false,
        });
        let workload = Workload::new(input, output, 1.0).unwrap();
        let [dense, moe] = [dense, moe].map(|model| {
            let system = System::new(device(1.0, 1.0), model, deployment(1)).unwrap();
            let costs = StepModel::new(&system).unwrap().costs(&workload, &parameters.efficiencies(LinkClass::Direct), 1.0);
            (costs.decode_time(batch), costs.prefill())
        });
        prop_assert!((moe.0 / dense.0 - 1.0).abs() < 1e-4, "{:?} {:?}", moe.0, dense.0);
        prop_assert!((moe.1 / dense.1 - 1.0).abs() < 1e-4, "{:?} {:?}", moe.1, dense.1);
    }
}

/// Two ways to the same engine: as many clients as fill its steps, and the rate that it keeps up with.
#[test]
fn a_token_budget_bounds_a_closed_loop_as_it_bounds_an_open_one() {
    for (model, input, output, budget) in
        [(0, 1000.0, 200.0, 256), (0, 1000.0, 200.0, 2048), (2, 4000.0, 100.0, 512), (0, 100.0, 1000.0, 32)]
    {
        let server = system(model, 1.0, 1.0, Some(budget));
        let parameters = steady(&ServingParameters::default());
        let few = predict(&server, &parameters, input, output, 1.0);
        let many = predict(&server, &parameters, input, output, 1e4);
        let open = Workload::under(LoadKind::OpenLoop, input, output, 0.01).unwrap();
        let capacity = ServingModel::new(&server).unwrap().predict(&open, &parameters).open_loop.unwrap().capacity_rps;
        let reached = many.throughput.get() / output / capacity;
        assert!((0.8..1.1).contains(&reached), "{}: {reached}", MODELS[model].0);
        assert_eq!((few.limit, many.limit), (Limit::Clients, Limit::TokenBudget));
        assert!(many.running <= f64::from(budget), "{} sequences in steps of {budget} tokens", many.running);
    }
}

/// Where a step costs much more with each sequence, as with experts, and a prompt waits for more steps than an answer has.
#[test]
fn more_clients_of_short_answers_never_lower_the_total_throughput() {
    for (model, output, wait) in (0..MODELS.len())
        .flat_map(|model| [2.0, 3.0, 5.0, 10.0].map(|output| (model, output)))
        .flat_map(|(model, output)| [1.0, 5.0, 20.0].map(|wait| (model, output, wait)))
    {
        let parameters = ServingParameters::default()
            .with(Quantity::BoundaryWaitSteps, wait)
            .with(Quantity::FirstTokenOverhead, 0.01)
            .with(Quantity::LayerOverhead, 5.0);
        let system = system(model, 1.0, 1.0, None);
        let clients: Vec<f64> = (10..100).map(|tenths| f64::from(tenths) / 10.0).collect();
        let throughput =
            clients.iter().map(|clients| predict(&system, &parameters, 1.0, output, *clients).throughput.get());
        let throughput: Vec<f64> = throughput.collect();
        let falls = throughput.windows(2).position(|pair| !at_most(pair[0], pair[1]));
        assert_eq!(falls.map(|at| clients[at]), None, "{}, {output} tokens, {wait} steps", MODELS[model].0);
    }
}

#[test]
fn weights_in_four_bit_that_compute_in_sixteen_are_read_faster_and_not_multiplied_faster() {
    let costs = |weight_precision| {
        let formats = Formats { weights: weight_precision, compute: Some(Precision::Bf16), ..deployment(1).formats };
        let placed = Deployment { formats, ..deployment(1) };
        let system = System::new(device(1.0, 1.0), ARCHITECTURES[0].0.clone(), placed).unwrap();
        let workload = Workload::new(1000.0, 200.0, 1.0).unwrap();
        StepModel::new(&system).unwrap().costs(
            &workload,
            &ServingParameters::default().efficiencies(LinkClass::Direct),
            1.0,
        )
    };
    let (int4, bf16) = (costs(Precision::Int4), costs(Precision::Bf16));
    assert_eq!(int4.prefill(), bf16.prefill());
    let read = |costs: perfmodel::engine::StepCosts| costs.decode_step(1.0).parts.get(Part::Weights).get();
    assert!(read(int4) < 0.4 * read(bf16));
}

#[test]
fn kv_cache_is_replicated_beyond_the_key_value_heads() {
    let (model, _) = &ARCHITECTURES[0];
    let bytes = |tp| kv_bytes(&System::new(device(1.0, 1.0), model.clone(), deployment(tp)).unwrap(), 1000.0).get();
    assert_eq!(bytes(8), bytes(1));
    assert_eq!(bytes(16), 2.0 * bytes(1));
}

#[test]
fn a_window_as_wide_as_the_context_changes_nothing_and_a_narrow_one_frees_cache() {
    let with_window = |window: Option<u32>, clients: f64| {
        let mut model = ARCHITECTURES[0].0.clone();
        let Attention::Grouped(attention) = &mut model.layers[0].attention else {
            panic!("Llama has grouped attention")
        };
        attention.sliding_window_tokens = window;
        let system = System::new(device(1.0, 1.0), model, deployment(1)).unwrap();
        predict(&system, &ServingParameters::default(), 8000.0, 200.0, clients)
    };
    assert_eq!(with_window(Some(1 << 20), 100.0), with_window(None, 100.0));
    let (narrow, full) = (with_window(Some(512), 1.0), with_window(None, 1.0));
    assert!(narrow.itl < full.itl && narrow.ttft < full.ttft);
    let (narrow, full) = (with_window(Some(512), 100.0), with_window(None, 100.0));
    assert!(narrow.running > full.running && narrow.throughput > full.throughput);
}
