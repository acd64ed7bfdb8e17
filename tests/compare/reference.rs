//! Values of scipy and numpy. Deterministic ones agree to 1e-9; intervals to a quarter of a standard error, which is several
//! times the scatter between seeds.

use std::sync::LazyLock;

use perfmodel::comparison::{
    BoxFigure, Comparison, DimensionStudy, Filter, PairStudy, Sample, SampleStudy, Settings, Side, compare,
};
use perfmodel::requests::Dimension;
use perfmodel::stats::{
    Bins, IntervalMethod, LeaveOneOut, Line, QuantileRule, acceleration, kolmogorov_smirnov, order_interval, spearman,
};
use serde_json::Value;

use super::{assert_close, reference, run};

const EXACT: f64 = 1e-9;
const STANDARD_ERRORS: f64 = 0.25;
const LATENCIES: [Dimension; 3] =
    [Dimension::TimePerOutputToken, Dimension::TimeToFirstToken, Dimension::TimeToLastToken];
const TOKENS: [Dimension; 2] = [Dimension::InputTokens, Dimension::OutputTokens];

fn sides() -> Vec<Side> {
    ["run_a", "run_b"].map(|name| Side { name: name.to_owned(), runs: vec![run(name)] }).to_vec()
}

/// Both runs compared in every dimension, once for each method.
fn compared(method: IntervalMethod) -> &'static Comparison {
    static COMPARED: LazyLock<[Comparison; 3]> = LazyLock::new(|| {
        let dimensions = [LATENCIES.to_vec(), TOKENS.to_vec()].concat();
        let with = |method| Settings { dimensions: dimensions.clone(), method, ..Settings::default() };
        IntervalMethod::ALL.map(|method| compare(&sides(), &with(method)))
    });
    let at = IntervalMethod::ALL.iter().position(|known| *known == method).unwrap();
    &COMPARED[at]
}

fn section(all: &Value, dimension: Dimension) -> &Value {
    if LATENCIES.contains(&dimension) { &all[dimension.name()] } else { &all["workload"][dimension.name()] }
}

fn both(study: &DimensionStudy) -> [(&'static str, &SampleStudy); 2] {
    let side = |index: usize| study.sides[index].as_ref().unwrap();
    [("run_a", side(0)), ("run_b", side(1))]
}

fn pair(study: &DimensionStudy) -> &PairStudy {
    study.pairs[0].as_ref().unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn each_sample_is_described_as_by_numpy() {
    let all = reference("reference_stats.json");
    for study in &compared(IntervalMethod::Bca).dimensions {
        for (name, side) in both(study) {
            let want = &section(&all, study.dimension)[name];
            let sorted = &side.sample.sorted;
            let what = |key: &str| format!("{} {name} {key}", study.dimension);
            assert_eq!(sorted.len() as f64, number(&want["n"]), "{}", what("n"));
            for (key, got) in [
                ("mean", side.moments.mean),
                ("sd_ddof1", side.moments.deviation()),
                ("skew_biased", side.moments.skewness),
                ("min", sorted[0]),
                ("max", sorted[sorted.len() - 1]),
                ("median", side.box_figure.median),
                ("mad_raw", side.median_deviation),
            ] {
                assert_close(&what(key), got, number(&want[key]), EXACT);
            }
            for rule in [QuantileRule::Linear, QuantileRule::Weibull, QuantileRule::Hazen] {
                for (p, value) in want[format!("quantile_{}", rule.name())].as_object().unwrap() {
                    let got = rule.of(sorted, p.parse().unwrap()).unwrap();
                    assert_close(&what(&format!("{} {p}", rule.name())), got, number(value), EXACT);
                }
            }
            let BoxFigure { q1, median, q3, lower_whisker, upper_whisker, outliers } = side.box_figure;
            for (key, got) in [
                ("q1", q1),
                ("median", median),
                ("q3", q3),
                ("lower_whisker", lower_whisker),
                ("upper_whisker", upper_whisker),
                ("n_outliers", outliers as f64),
            ] {
                assert_close(&what(key), got, number(&want["plotly_box"][key]), EXACT);
            }
            assert_eq!(side.box_figure.outside(sorted).len(), outliers, "{}", what("outside"));
            for (p, want) in want["order_stat_ci95"].as_object().unwrap() {
                let got = order_interval(sorted, p.parse().unwrap(), 0.95).unwrap();
                assert_eq!((got.lower_rank as f64, got.upper_rank as f64), (number(&want["l"]), number(&want["u"])));
                assert_eq!((got.low, got.high), (want["low"].as_f64(), want["high"].as_f64()), "{}", what(p));
                assert_close(&what("coverage"), got.coverage, number(&want["coverage"]), EXACT);
            }
        }
    }
}

#[test]
fn tests_and_effect_sizes_are_those_of_scipy() {
    let all = reference("reference_stats.json");
    for study in &compared(IntervalMethod::Bca).dimensions {
        let want = &section(&all, study.dimension)["a_vs_b"];
        let pair = pair(study);
        let what = |key: &str| format!("{} {key}", study.dimension);
        let (u_first, u_second) = pair.dominance.u();
        let hedges = 1.0 - 3.0 / (4.0 * (number(&want["n1"]) + number(&want["n2"]) - 2.0) - 1.0);
        let (welch, brunner_munzel) = (pair.welch.unwrap(), pair.brunner_munzel.unwrap());
        for (key, got, want) in [
            ("U1", u_first, &want["mannwhitney"]["U1_for_a"]),
            ("U2", u_second, &want["mannwhitney"]["U2_for_b"]),
            ("U p", pair.mann_whitney_p.unwrap(), &want["mannwhitney"]["p_two_sided_asymptotic_cc_tiecorr"]),
            ("P(b > a)", pair.dominance.probability_above(), &want["prob_b_gt_a"]),
            ("P(b = a)", pair.dominance.equal / pair.dominance.pairs, &want["prob_eq"]),
            ("A", pair.dominance.vargha_delaney(), &want["vargha_delaney_A_b_over_a"]),
            ("delta", pair.dominance.cliffs_delta(), &want["cliffs_delta_b_vs_a"]),
            ("shift", pair.shift.estimate, &want["hodges_lehmann_shift_b_minus_a"]),
            ("shift low", pair.shift.low, &want["hodges_lehmann_ci95"]["low"]),
            ("shift high", pair.shift.high, &want["hodges_lehmann_ci95"]["high"]),
            ("shift rank", pair.shift.rank as f64, &want["hodges_lehmann_ci95"]["k"]),
            ("D", pair.ks.distance, &want["ks"]["D"]),
            ("D at", pair.ks.location, &want["ks"]["location"]),
            ("D sign", if pair.ks.first_above { 1.0 } else { -1.0 }, &want["ks"]["sign_F_a_minus_F_b"]),
            ("BM", brunner_munzel.statistic, &want["brunner_munzel"]["statistic"]),
            ("BM p", brunner_munzel.p, &want["brunner_munzel"]["p"]),
            ("t", welch.t, &want["welch_t_b_minus_a"]["t"]),
            ("t df", welch.degrees, &want["welch_t_b_minus_a"]["df"]),
            ("t p", welch.p, &want["welch_t_b_minus_a"]["p"]),
            ("d", pair.cohen_d.unwrap(), &want["cohen_d_b_minus_a"]),
            ("g", pair.cohen_d.unwrap() * hedges, &want["hedges_g"]),
        ] {
            assert_close(&what(key), got, number(want), EXACT);
        }
        // scipy's own p values carry errors of about 1e-8 in far tails and of its approximations between them.
        assert_close(&what("D p"), pair.ks.p, number(&want["ks"]["p_exact"]), 1e-6);
        assert_close(&what("D p asymptotic"), pair.ks.p_asymptotic, number(&want["ks"]["p_asymp"]), 1e-6);
        for quantile in &pair.quantiles {
            let want = &want["quantile_diff_linear"][quantile.p.to_string()];
            let scale = quantile.difference.abs().max(1e-3);
            assert!((quantile.difference - number(want)).abs() < EXACT * scale, "{}", what("difference"));
        }
        let median = &pair.quantiles[0];
        assert_close(&what("ratio"), median.ratio, number(&want["median_ratio_b_over_a"]), EXACT);
    }
}

#[track_caller]
fn assert_interval(what: &str, got: (f64, f64), want: (f64, f64), error: f64) {
    assert_interval_within(what, got, want, (STANDARD_ERRORS * error, STANDARD_ERRORS * error));
}

#[track_caller]
fn assert_interval_within(what: &str, got: (f64, f64), want: (f64, f64), tolerance: (f64, f64)) {
    for (end, got, want, most) in [("low", got.0, want.0, tolerance.0), ("high", got.1, want.1, tolerance.1)] {
        assert!((got - want).abs() <= most, "{what} {end}: {got:e} instead of {want:e} (± {most:e})");
    }
}

/// Ends of high percentiles jump between single values, so that seeds scatter by up to a standard error; three times that
/// scatter is allowed on top.
fn tolerance(of: &Value, error: f64) -> (f64, f64) {
    let end = |key: &str| STANDARD_ERRORS * error + 3.0 * number(&of[key]);
    (end("low_sd"), end("high_sd"))
}

/// The value of many resamples where there is one, else the mean over seeds.
fn ends(of: &Value) -> (f64, f64) {
    let big = &of["big"];
    if big.is_object() {
        (number(&big["low"]), number(&big["high"]))
    } else {
        (number(&of["low_mean"]), number(&of["high_mean"]))
    }
}

#[test]
fn intervals_of_medians_and_differences_are_those_of_scipy() {
    let all = reference("reference_stats.json");
    for (method, key) in
        [(IntervalMethod::Bca, "BCa"), (IntervalMethod::Percentile, "percentile"), (IntervalMethod::Basic, "basic")]
    {
        for study in compared(method).dimensions.iter().filter(|study| study.dimension != Dimension::TimeToLastToken) {
            let want = section(&all, study.dimension);
            if want["bootstrap_median"].is_null() {
                continue;
            }
            let what = format!("{} {key}", study.dimension);
            for (name, side) in both(study) {
                let median = side.quantiles[0].bootstrap;
                let want = &want["bootstrap_median"][name][key];
                let lists = |end: &str| want[end].as_array().unwrap().iter().map(number).sum::<f64>();
                let seeds = want["seeds"].as_array().unwrap().len() as f64;
                let error = lists("se") / seeds;
                assert_interval(
                    &format!("{what} {name}"),
                    (median.low, median.high),
                    if want["big"].is_object() { ends(want) } else { (lists("low") / seeds, lists("high") / seeds) },
                    error,
                );
                // The spread of 9999 resamples is known to 0.7 %.
                assert_close(&format!("{what} {name} SE"), median.standard_error, error, 0.03);
            }
            let want = &want["bootstrap_median_diff_b_minus_a"][key];
            let got = pair(study).quantiles[0].interval;
            let error = number(&want["se_mean"]);
            assert_interval(&format!("{what} b − a"), (got.low, got.high), ends(want), error);
            assert_close(&format!("{what} b − a SE"), got.standard_error, error, 0.03);
        }
    }
}

#[test]
fn intervals_of_high_percentiles_are_those_of_scipy() {
    let all = reference("reference_stats.json");
    let reference = &all["time_per_output_token"]["bootstrap_quantiles"];
    for (method, key) in [(IntervalMethod::Bca, "BCa"), (IntervalMethod::Percentile, "percentile")] {
        let compared = compared(method);
        let study = &compared.dimensions[0];
        for (p, name) in [(0.9, "p90"), (0.99, "p99")] {
            for (side_name, side) in both(study) {
                let got = side.quantiles.iter().find(|quantile| quantile.p == p).unwrap();
                let want = &reference[name][side_name][key];
                let interval = (got.bootstrap.low, got.bootstrap.high);
                let most = tolerance(want, got.bootstrap.standard_error);
                assert_interval_within(&format!("{name} {side_name} {key}"), interval, ends(want), most);
            }
            let got = pair(study).quantiles.iter().find(|quantile| quantile.p == p).unwrap().interval;
            let want = &reference[name]["b_minus_a"][key];
            let most = tolerance(want, got.standard_error);
            assert_interval_within(&format!("{name} b − a {key}"), (got.low, got.high), ends(want), most);
        }
    }
    // The upper end of p99 of 298 values is the largest of them: known and marked, not relied on.
    let compared = compared(IntervalMethod::Bca);
    let (_, first) = both(&compared.dimensions[0])[0];
    assert!(!first.quantiles[3].reliable && first.quantiles[2].reliable);
}

#[test]
fn bias_and_acceleration_are_those_of_scipy() {
    let all = reference("reference_stats.json");
    for dimension in [Dimension::TimePerOutputToken, Dimension::TimeToFirstToken] {
        let medians = ["run_a", "run_b"].map(|name| {
            let sample = Sample::new([&run(name).log], dimension, Filter::Positive);
            let left_out = LeaveOneOut::of_quantile(&sample.sorted, 0.5, QuantileRule::Linear);
            let want = &all[dimension.name()]["bootstrap_median"][name]["bca_internals_seed0"]["acceleration"];
            assert!((acceleration(std::slice::from_ref(&left_out)) - number(want)).abs() < 1e-6, "{dimension} {name}");
            left_out
        });
        let want = &all[dimension.name()]["bootstrap_median_diff_b_minus_a"]["bca_internals_seed0"]["acceleration"];
        let [first, second] = medians;
        assert!((acceleration(&[first.map(|a| -a), second]) - number(want)).abs() < 1e-6, "{dimension}");
    }
}

/// For an odd number of values the distribution of the resampled median is known, so there is no scatter between seeds in what
/// is compared with.
#[test]
fn the_resampled_median_has_its_exact_spread() {
    let all = reference("reference_stats.json");
    let want = &all["time_per_output_token"]["bootstrap_median"]["run_b"]["exact_percentile"];
    let compared = compared(IntervalMethod::Percentile);
    let (_, second) = both(&compared.dimensions[0])[1];
    let got = second.quantiles[0].bootstrap;
    assert_close("SE", got.standard_error, number(&want["exact_se"]), 0.03);
    assert_interval(
        "percentile",
        (got.low, got.high),
        (number(&want["low"]), number(&want["high"])),
        got.standard_error,
    );
    let index = |key: &str| number(&want[key]) as usize - 1;
    assert_eq!(second.sample.sorted[index("k_low")], number(&want["low"]));
    assert_eq!(second.sample.sorted[index("k_high")], number(&want["high"]));
}

#[test]
fn zeros_stay_where_they_are_asked_for() {
    let all = reference("reference_stats.json");
    for name in ["run_a", "run_b"] {
        let want = &all["time_per_output_token"]["not_null"][name];
        let sample = Sample::new([&run(name).log], Dimension::TimePerOutputToken, Filter::NotNull);
        assert_eq!(sample.sorted.len() as f64, number(&want["n"]));
        assert_close(name, QuantileRule::Linear.of(&sample.sorted, 0.5).unwrap(), number(&want["median"]), EXACT);
    }
}

#[test]
fn lines_and_rank_correlations_are_those_of_scipy() {
    let all = reference("reference_stats.json");
    let comparison = compared(IntervalMethod::Bca);
    let adjusted = comparison.adjusted_ttft[0].unwrap();
    for (index, name) in ["run_a", "run_b"].into_iter().enumerate() {
        let want = &all["ttft_vs_input_tokens_ols"][name];
        let Line { intercept, slope, slope_error, correlation, count, .. } = adjusted.lines[index];
        for (key, got) in [
            ("slope_s_per_token", slope),
            ("intercept_s", intercept),
            ("slope_se", slope_error),
            ("r", correlation),
            ("n", count as f64),
        ] {
            assert_close(&format!("{name} {key}"), got, number(&want[key]), EXACT);
        }
        let want = &all["tpot_vs_output_tokens_spearman"][name];
        let (rho, p) = comparison.tpot_over_length[index].unwrap();
        assert_close(&format!("{name} rho"), rho, number(&want["spearman"]), EXACT);
        assert_close(&format!("{name} p"), p, number(&want["p"]), 1e-8);
    }
    assert!(spearman(&[]).is_none());
}

#[test]
fn the_workloads_of_both_runs_differ_in_their_prompts_alone() {
    let comparison = compared(IntervalMethod::Bca);
    let [input, output] = comparison.similarity[0][..] else { panic!("both token counts are known") };
    assert!(!input.is_similar() && output.is_similar());
    assert_close("ratio", input.median_ratio(), 1.122_009_569_378, 1e-9);
    assert_close("D", input.ks.distance, 0.161_042_183_62, 1e-9);
}

#[test]
fn bins_are_those_of_the_reference() {
    let all = reference("reference_stats.json");
    for (name, shift) in [("aligned_at_zero", 0.0), ("half_shifted_as_plotlyjs", -0.5)] {
        let want = &all["histograms"][name];
        let width = number(&want["size"]);
        let bins = Bins { start: shift * width, width, count: number(&want["n_bins"]) as usize };
        for (run_name, counts, shares) in
            [("run_a", "counts_a", "probability_a"), ("run_b", "counts_b", "probability_b")]
        {
            let sample = Sample::new([&run(run_name).log], Dimension::TimePerOutputToken, Filter::NotNull);
            let got = bins.counts(&sample.sorted);
            let total = got.iter().sum::<usize>() as f64;
            for (k, count) in got.iter().enumerate() {
                assert_eq!(*count as f64, number(&want[counts][k]), "{name} {run_name} bin {k}");
                assert_close("share", *count as f64 / total, number(&want[shares][k]), EXACT);
            }
        }
        if shift == 0.0 {
            let pooled: Vec<f64> = ["run_a", "run_b"]
                .iter()
                .flat_map(|name| Sample::new([&run(name).log], Dimension::TimePerOutputToken, Filter::NotNull).sorted)
                .collect();
            let (low, high) = pooled.iter().fold((f64::MAX, 0.0_f64), |(low, high), v| (low.min(*v), high.max(*v)));
            assert_eq!(Bins::over(low, high, width), bins, "our own bins are the aligned ones");
        }
    }
    for name in ["run_a", "run_b"] {
        let log = run(name).log;
        for (key, dimension) in
            [("num_tokens_output", Dimension::OutputTokens), ("tpot", Dimension::TimePerOutputToken)]
        {
            let want = &all["histograms"][format!("nice_bins_20_{name}")][key];
            let sorted = Sample::new([&log], dimension, Filter::NotNull).sorted;
            assert_close(key, (sorted[sorted.len() - 1] - sorted[0]) / 20.0, number(&want["raw_step"]), EXACT);
            assert_close(key, Bins::at_most(&sorted, 20).unwrap().width, number(&want["nice"]), EXACT);
        }
    }
}

#[test]
fn far_tails_of_the_distance_are_computed_not_lost() {
    // Samples of 300 that hardly overlap: 1 − CDF would be 0.
    let first: Vec<f64> = (0..300).map(f64::from).collect();
    let second: Vec<f64> = (0..300).map(|i| f64::from(i) + 200.5).collect();
    let got = kolmogorov_smirnov(&first, &second).unwrap();
    assert!(got.p > 0.0 && got.p < 1e-60 && got.p_asymptotic > 0.0, "{got:?}");
}
