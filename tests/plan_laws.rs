//! Laws of a plan, asked as a library: limits hold, nothing cheaper was skipped, prices only rank.

use std::sync::Mutex;

use perfmodel::app::{
    self, ConfigurationAnswer, Numbers, ParametersRequest, PlacementAnswer, PlacementRequest, PlanAnswer, PlanRequest,
    PredictRequest, PredictedWorkload, Status, SystemRequest, Values, plan, predict,
};
use perfmodel::planning::TtftStatistic;
use perfmodel::spec::{Catalog, Precision};

const DEVICES: [&str; 3] = ["a100_sxm_80gb", "h100_sxm_80gb", "l40s_48gb"];
const DEGREES: [u32; 2] = [1, 2];
const FORMATS: [Precision; 2] = [Precision::Bf16, Precision::Fp8];

fn question() -> PlanRequest {
    PlanRequest {
        model: Some("llama31_8b".to_owned()),
        users: Some(150),
        input_tokens: Some(1000.0.into()),
        output_tokens: Some(300.0.into()),
        slo_ttft_ms: Some(1500.0),
        slo_itl_ms: Some(25.0),
        hardware: DEVICES.map(str::to_owned).to_vec(),
        tp: "1,2".parse().unwrap(),
        max_gpus: 24,
        ..PlanRequest::default()
    }
}

fn questions() -> [PlanRequest; 3] {
    let rate = PlanRequest {
        users: None,
        rate: Some(12.0),
        slo_ttft_at: Some(TtftStatistic::P99),
        slo_ttft_ms: Some(3000.0),
        ..question()
    };
    let whole = PlanRequest { slo_ttft_ms: None, slo_itl_ms: None, slo_e2e_ms: Some(9000.0), ..question() };
    [question(), rate, whole]
}

fn asked(request: &PlanRequest) -> PlanAnswer {
    plan(&Catalog::built_in(), request, &|_, _| ()).unwrap()
}

fn placement(tp: u32, weights: Precision, kv: Precision) -> PlacementRequest {
    PlacementRequest { tp: Some(tp), weights: Some(weights), kv: Some(kv), ..PlacementRequest::default() }
}

/// A placement that was chosen, as it is asked for.
fn of(chosen: &PlacementAnswer) -> (&str, PlacementRequest) {
    (&chosen.hardware, placement(chosen.tensor_parallel, chosen.weight_precision, chosen.kv_precision))
}

/// What one replica does; `None` where the placement cannot be or does not hold a request.
fn replica(request: &PlanRequest, placed: (&str, PlacementRequest), replicas: u32) -> Option<PredictedWorkload> {
    let of_users = |users| Numbers::one((f64::from(users) / f64::from(replicas)).ceil());
    let request = PredictRequest {
        system: SystemRequest {
            model: request.model.clone(),
            hardware: Some(placed.0.to_owned()),
            placement: placed.1,
            parameters: ParametersRequest::default(),
            ..SystemRequest::default()
        },
        input_tokens: request.input_tokens.unwrap().into(),
        output_tokens: request.output_tokens.unwrap().into(),
        concurrency: request.users.map(of_users).unwrap_or_default(),
        rate: request.rate.map(|rate| Numbers::one(rate / f64::from(replicas))).unwrap_or_default(),
        ..PredictRequest::default()
    };
    predict(&Catalog::built_in(), &request).ok().map(|answer| answer.predictions[0].clone())
}

/// Whether a replica is within the limits at the pessimistic ends of its intervals.
fn holds(request: &PlanRequest, row: &PredictedWorkload) -> bool {
    let within =
        |limit: Option<f64>, high: Option<f64>| limit.is_none_or(|limit| high.is_some_and(|high| high <= limit));
    let ttft_high = match request.slo_ttft_at {
        Some(TtftStatistic::P99) => row.open_loop.unwrap().ttft_p99_high_ms,
        _ => row.ttft_high_ms,
    };
    row.status == Status::Ok
        && within(request.slo_ttft_ms, ttft_high)
        && within(request.slo_itl_ms, Some(row.itl_high_ms))
        && within(request.slo_e2e_ms, row.e2e_high_ms)
}

#[test]
fn limits_hold_at_the_pessimistic_end_of_what_predict_says_of_a_replica() {
    for request in questions() {
        let answer = asked(&request);
        assert!(answer.options.len() > 3 && answer.remedy.is_none(), "{request:?}");
        for option in &answer.options {
            let c: &ConfigurationAnswer = &option.configuration;
            let row = replica(&request, of(&c.placement), c.replicas).unwrap();
            assert!(holds(&request, &row), "{c:?}");
            assert_eq!((c.itl_ms, c.itl_high_ms, c.e2e_high_ms), (row.itl_ms, row.itl_high_ms, row.e2e_high_ms));
            assert!(c.status == Status::Ok && c.tightest.used_pct.unwrap() <= 100.0, "{c:?}");
        }
    }
}

#[test]
fn whatever_is_cheaper_or_smaller_misses_a_limit() {
    let catalog = Catalog::built_in();
    for request in questions() {
        let answer = asked(&request);
        let least = answer.options[0].configuration.usd_per_hour.unwrap();
        let chosen = |placed: &(&str, PlacementRequest)| {
            answer.options.iter().map(|option| &option.configuration).find(|c| of(&c.placement) == *placed)
        };
        for hardware in DEVICES {
            let price = catalog.hardware(hardware).unwrap().price.unwrap().usd_per_gpu_hour;
            for tensor_parallel in DEGREES {
                for (weights, kv) in FORMATS.into_iter().flat_map(|w| FORMATS.map(|kv| (w, kv))) {
                    let placed = (hardware, placement(tensor_parallel, weights, kv));
                    let smallest = chosen(&placed).map(|c| c.replicas);
                    for replicas in 1..=request.max_gpus / tensor_parallel {
                        let is_cheaper = price * f64::from(replicas * tensor_parallel) < least;
                        let is_smaller = smallest.is_some_and(|smallest| replicas < smallest);
                        if is_cheaper || is_smaller {
                            let row = replica(&request, placed.clone(), replicas);
                            assert!(row.is_none_or(|row| !holds(&request, &row)), "{replicas} × {placed:?}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn prices_change_the_order_and_the_cost_and_nothing_else() {
    let priced = |prices: &[(&str, f64)]| {
        let prices = Values(prices.iter().map(|(name, usd)| ((*name).to_owned(), *usd)).collect());
        asked(&PlanRequest { prices, ..question() })
    };
    let sorted = |answer: &PlanAnswer| {
        let mut options: Vec<String> = answer
            .options
            .iter()
            .map(|option| {
                format!("{:?} {} {}", option.configuration.placement, option.configuration.replicas, option.predict)
            })
            .collect();
        options.sort();
        options
    };
    let dated = asked(&question());
    // An alias is the device, and its price counts more than that of all, whichever comes first.
    for prices in [[("all", 3.0), ("NVIDIA L40S", 0.5)], [("l40s_48gb", 0.5), ("all", 3.0)]] {
        let answer = priced(&prices);
        assert_eq!(sorted(&answer), sorted(&dated));
        let costs: Vec<f64> = answer
            .options
            .iter()
            .map(|option| {
                let c = &option.configuration;
                let usd = if c.placement.hardware == "l40s_48gb" { 0.5 } else { 3.0 };
                assert_eq!(c.usd_per_hour, Some(usd * f64::from(c.gpus)));
                usd * f64::from(c.gpus)
            })
            .collect();
        assert!(costs.is_sorted(), "{costs:?}");
    }
}

#[test]
fn the_command_of_an_option_names_what_was_asked() {
    let command = |parameters: ParametersRequest| {
        let request = PlanRequest {
            model: None,
            scenario: Some("llama31_8b_fp8_tp1".to_owned()),
            hardware: vec!["h100_sxm_80gb".to_owned()],
            parameters,
            ..question()
        };
        asked(&request).options[0].predict.clone()
    };
    let calibration = "evaluations_results/llama31_8b_fp8_tp1/serving/calibration.toml";
    let fitted = command(ParametersRequest::default());
    assert!(fitted.starts_with("perfmodel predict --scenario llama31_8b_fp8_tp1 --hardware h100_sxm_80gb"), "{fitted}");
    assert!(fitted.contains(&format!(" --calibration {calibration} ")), "{fitted}");
    let alone = command(ParametersRequest { uncalibrated: true, ..ParametersRequest::default() });
    assert!(alone.contains(" --uncalibrated ") && !alone.contains("--calibration"), "{alone}");
}

#[test]
fn progress_counts_every_placement_once() {
    let seen = Mutex::new(Vec::new());
    let answer = plan(&Catalog::built_in(), &question(), &|done, of| seen.lock().unwrap().push((done, of))).unwrap();
    let mut seen = seen.into_inner().unwrap();
    seen.sort_unstable();
    let all = answer.options.len() + answer.failures.len() - answer.study.refused.len();
    assert_eq!(seen, (1..=all).map(|done| (done, all)).collect::<Vec<_>>());
}

#[test]
fn what_no_flag_could_ask_is_refused() {
    let base = r#""model": "llama31_8b", "hardware": ["l4_24gb"]"#;
    let lengths = r#""input_tokens": 500, "output_tokens": 200"#;
    for (json, message, help) in [
        (lengths.to_owned(), "no model is named", "--model or --scenario"),
        (
            format!(r#"{base}, "scenario": "llama31_8b_fp8_tp1""#),
            "both a model and a scenario are named",
            "one of them",
        ),
        (format!(r#"{base}, "users": 5, "slo_itl_ms": 9"#), "no lengths are given", "--input-tokens"),
        (format!(r#"{base}, {lengths}, "slo_itl_ms": 9"#), "no load is given", "--users or --rate"),
        (format!(r#"{base}, {lengths}, "users": 5, "rate": 2"#), "more than one load is given", "--users or --rate"),
        (format!(r#"{base}, {lengths}, "users": 5"#), "no latency is limited", "--slo-ttft-ms"),
        (format!(r#"{base}, {lengths}, "users": 5, "slo_itl_ms": -1"#), "--slo-itl-ms is -1", "above 0"),
        (
            format!(r#"{base}, {lengths}, "rate": 5, "slo_itl_ms": 9, "slo_ttft_at": "p90""#),
            "--slo-ttft-at p90 comes without --slo-ttft-ms",
            "leave it out",
        ),
        (format!(r#"{base}, {lengths}, "users": 5, "slo_itl_ms": 9, "tp": []"#), "--tp is an empty list", "choose"),
        (format!(r#"{base}, {lengths}, "users": 5, "slo_itl_ms": 9, "max_gpus": 0"#), "--max-gpus is 0", "1000000"),
        (
            format!(r#"{base}, {lengths}, "users": 5, "slo_itl_ms": 9, "prices": {{"all": 1, "all": 2}}"#),
            "--price gives two prices of all devices",
            "give one",
        ),
        (
            format!(r#"{base}, {lengths}, "users": 5, "slo_itl_ms": 9, "prices": {{"l4_24gb": -2}}"#),
            "--price of `l4_24gb` is -2",
            "US dollars",
        ),
    ] {
        let request: PlanRequest = app::from_json(&format!("{{{json}}}")).unwrap();
        let error = plan(&Catalog::built_in(), &request, &|_, _| ()).unwrap_err();
        assert_eq!((error.message(), error.exit_code()), (message, 2), "{json}");
        assert!(error.remedy().unwrap().contains(help), "{json}: {error}");
    }
    let unknown = app::from_json::<PlanRequest>(r#"{"user": 5}"#).unwrap_err().to_string();
    assert!(unknown.contains("did you mean `users`?"), "{unknown}");
}
