//! The report in a real browser: every figure drawn, no error on the console. Without a Chromium the test says so and
//! skips, unless PERFMODEL_REQUIRE_BROWSER is set (continuous integration sets it).

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::run;
use perfmodel::app::ProbeAnswer;
use perfmodel::bench::{DataType, GemmRates, Probe, RatePoint};
use perfmodel::report::write_probe;

const FIGURES: [&str; 10] = [
    "ttft_error_heatmap",
    "itl_error_heatmap",
    "ttft_over_concurrency",
    "itl_over_concurrency",
    "ttft_over_context",
    "itl_over_context",
    "parity",
    "itl_breakdown",
    "ttft_breakdown",
    "loss_history",
];

fn chromium() -> Option<PathBuf> {
    let found = std::env::split_paths(&std::env::var_os("PATH")?)
        .flat_map(|folder| ["chromium", "chromium-browser", "google-chrome"].map(|name| folder.join(name)))
        .find(|path| path.is_file());
    if found.is_none() {
        assert!(std::env::var_os("PERFMODEL_REQUIRE_BROWSER").is_none(), "a Chromium is required and there is none");
        eprintln!("skipped: there is no Chromium on PATH");
    }
    found
}

/// What a browser leaves of a page: the document after its scripts ran, and its log.
fn open(browser: &Path, page: &Path, width: usize) -> (String, String) {
    open_with(browser, page, width, &[])
}

fn open_with(browser: &Path, page: &Path, width: usize, flags: &[&str]) -> (String, String) {
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"])
        .args(["--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--enable-logging=stderr"])
        .args(["--virtual-time-budget=20000", "--dump-dom", &format!("--window-size={width},1200")])
        .arg("--enable-unsafe-swiftshader")
        .args(flags)
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn every_figure_is_drawn_without_an_error_on_wide_and_narrow_screens() {
    let Some(browser) = chromium() else { return };
    let home = tempfile::tempdir().unwrap();
    for estimator in ["serving", "roofline"] {
        let fit = format!("fit --scenario llama33_70b_fp8_tp2 --estimator {estimator} --no-validate --out {estimator}");
        let result = run(home.path(), &fit);
        assert!(result.code == 0 && result.stdout.contains("report.html"), "{}", result.stderr);
        let page = home.path().join(estimator).join("report.html");
        for width in [1280, 500] {
            let (dom, log) = open(&browser, &page, width);
            for id in FIGURES {
                let at = dom.find(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("{estimator}: {id} is missing"));
                let drawn = dom[at..].find("class=\"main-svg\"").is_some_and(|to| to < 2000);
                assert!(drawn, "{estimator}: {id} is not drawn at {width} px");
            }
            let console: Vec<&str> = log.lines().filter(|line| line.contains("CONSOLE")).collect();
            assert!(console.is_empty(), "{console:?}");
        }
        // Self-contained: nothing is loaded from anywhere.
        let html = fs::read_to_string(&page).unwrap();
        assert!(!html.contains("<script src") && !html.contains("<link"));
        assert!(html.len() < 6_000_000, "{} bytes", html.len());
    }
}

#[test]
fn a_roofline_draws_every_figure() {
    let Some(browser) = chromium() else { return };
    let home = tempfile::tempdir().unwrap();
    let result = run(home.path(), "roofline --scenario llama31_8b_fp8_tp1 --plot");
    assert_eq!(result.code, 0, "{}", result.stderr);
    let page = home.path().join("evaluations_results/rooflines/llama31_8b_fp8_tp1/roofline.html");
    let (dom, log) = open(&browser, &page, 1280);
    for id in ["roofline", "decode_ratio", "decode_times", "prefill_ratio", "prefill_times"] {
        let at = dom.find(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("{id} is missing"));
        assert!(dom[at..].find("class=\"main-svg\"").is_some_and(|to| to < 2000), "{id} is not drawn");
    }
    // Surfaces make the browser advise on its canvas; that is no error.
    let errors: Vec<&str> = log.lines().filter(|line| line.contains("Uncaught") || line.contains("WebGL is")).collect();
    assert!(errors.is_empty(), "{errors:?}");
}

#[test]
fn compared_runs_and_load_tests_draw_every_figure() {
    let Some(browser) = chromium() else { return };
    let home = tempfile::tempdir().unwrap();
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/llmeter");
    for (arguments, figures) in [
        (format!("{fixtures}/run_a {fixtures}/run_b --out page"), 14),
        (format!("{fixtures}/run_a {fixtures}/run_b --log --bins 20 --filter not-null --out page"), 14),
        (format!("{fixtures}/run_a --model llama31_8b --hardware h100_sxm_80gb --out page"), 11),
        // Seven over clients, three for each latency and two clouds for each of two levels.
        (format!("old={fixtures}/loadtest --slo-ttft-ms 400 --out page"), 7 + 2 * 11),
    ] {
        let result = run(home.path(), &format!("compare {arguments} --plot"));
        assert_eq!(result.code, 0, "{}", result.stderr);
        let (dom, log) = open(&browser, &home.path().join("page/compare.html"), 1280);
        let drawn = dom.matches("class=\"main-svg\"").count();
        // Each figure has three layers.
        assert_eq!(drawn, 3 * figures, "{arguments}");
        let console: Vec<&str> = log.lines().filter(|line| line.contains("CONSOLE")).collect();
        assert!(console.is_empty(), "{console:?}");
    }
}

#[test]
fn insights_draw_every_figure() {
    let Some(browser) = chromium() else { return };
    let home = tempfile::tempdir().unwrap();
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/insights");
    for (arguments, figures) in [
        // Two fronts, two of a budget, two of the dial, cache and loss of three architectures, four of a device.
        (format!("{fixtures}/benchmark_results.csv --hardware l4_24gb --log"), 16),
        (format!("{fixtures}/benchmark_results.csv --original"), 6),
        (format!("{fixtures}/inference_sweep.csv"), 2),
        ("--model deepseek_v2_lite --hardware h200_sxm_141gb --min-tps-per-seq 20".to_owned(), 4),
    ] {
        let result = run(home.path(), &format!("insights {arguments} --plot --out page"));
        assert_eq!(result.code, 0, "{}", result.stderr);
        let page = home.path().join("page/insights.html");
        let (dom, log) = open(&browser, &page, 1280);
        let drawn = dom.matches("class=\"plot-container").count();
        assert_eq!((drawn, dom.matches("class=\"figure").count()), (figures, figures), "{arguments}");
        let console: Vec<&str> = log.lines().filter(|line| line.contains("CONSOLE")).collect();
        assert!(console.is_empty(), "{console:?}");
        let html = fs::read_to_string(&page).unwrap();
        assert!(!html.contains("<script src") && !html.contains("<link") && html.len() < 6_000_000);
    }
}

#[test]
fn every_other_page_draws_every_figure_in_light_and_dark() {
    let Some(browser) = chromium() else { return };
    let home = tempfile::tempdir().unwrap();
    let project = env!("CARGO_MANIFEST_DIR");
    let live = format!("{project}/evaluations_results/live/olmo2_190m_cpu");
    let results = "evaluations_results";
    for (command, page, figures) in [
        ("predict --scenario llama31_8b_fp8_tp1 --input-tokens 500 --output-tokens 200 --concurrency 1,8,64 --plot".to_owned(), "predictions/llama31_8b_fp8_tp1/prediction.html", 4),
        (
            "plan --scenario llama31_8b_fp8_tp1 --hardware h100_sxm_80gb --users 100 --input-tokens 500 --output-tokens 200 \
             --slo-itl-ms 30 --plot"
                .to_owned(),
            "plans/llama31_8b/plan.html",
            1,
        ),
        (format!("plot {live}/results.json --out {results}/live"), "live/graph.html", 3),
        (format!("fit --live {live}/results.json --hardware {live}/machine.toml"), "live_fits/olmo2_190m_cpu/report.html", 4),
        (
            format!("evaluate --scenario llama33_70b_fp8_tp2 --calibration {project}/{results}/llama31_8b_fp8_tp1/serving/calibration.toml --out {results}/transfer"),
            "transfer/report.html",
            6,
        ),
    ] {
        let result = run(home.path(), &command);
        assert_eq!(result.code, 0, "{command}: {}", result.stderr);
        let page = home.path().join(results).join(page);
        for scheme in ["0", "1"] {
            let (dom, log) = open_with(&browser, &page, 500, &[&format!("--blink-settings=preferredColorScheme={scheme}")]);
            let drawn = dom.matches("class=\"plot-container").count();
            assert_eq!(drawn, dom.matches("class=\"figure").count(), "{command}");
            assert!(drawn >= figures, "{command}: {drawn} figures");
            let console: Vec<&str> = log.lines().filter(|line| line.contains("CONSOLE")).collect();
            assert!(console.is_empty(), "{command}: {console:?}");
            // Numbers in the cells of a map stay dark, as the cells stay pale.
            assert_eq!(dom.contains("fill: rgb(32, 32, 32)"), dom.contains("error_heatmap\""), "{command}");
            // The text of figures, as plotly writes it into their pictures.
            assert_eq!(dom.contains("fill: rgb(195, 204, 213)"), scheme == "0", "{command}");
        }
        assert!(fs::metadata(&page).unwrap().len() < 6_000_000);
    }
    let result = run(home.path(), "report");
    assert_eq!(result.code, 0, "{}", result.stderr);
    let (dom, log) = open(&browser, &home.path().join(results).join("index.html"), 500);
    assert_eq!(dom.matches("<article>").count(), 5, "{}", result.stdout);
    assert!(!log.contains("CONSOLE"), "{log}");
}

/// Rates that span less than two powers of ten, and more than three.
#[test]
fn every_axis_of_predictions_has_three_labels_at_least() {
    let Some(browser) = chromium() else { return };
    let home = tempfile::tempdir().unwrap();
    for load in ["--rate 1,2,4..32", "--concurrency 1,2,4..4096"] {
        let result = run(
            home.path(),
            &format!(
                "predict --scenario llama31_8b_fp8_tp1 --input-tokens 1000 --output-tokens 200 {load} --plot --out page"
            ),
        );
        assert_eq!(result.code, 0, "{}", result.stderr);
        let (dom, _) = open(&browser, &home.path().join("page/prediction.html"), 1280);
        let charts: Vec<&str> = dom.split("class=\"plot-container").skip(1).collect();
        assert_eq!(charts.len(), 5);
        for chart in charts {
            let labels = ["<g class=\"xtick\">", "<g class=\"ytick\">"].map(|tick| chart.matches(tick).count());
            assert!(labels.iter().all(|count| *count >= 3), "{load}: {labels:?}");
        }
    }
}

#[test]
fn a_probe_draws_every_figure() {
    let Some(browser) = chromium() else { return };
    let home = tempfile::tempdir().unwrap();
    let points = |rates: [f64; 3]| {
        let point = |(place, rate)| RatePoint { size: 1_u64 << (16 + 4 * place), rate };
        rates.into_iter().enumerate().map(point).collect::<Vec<_>>()
    };
    let probe = Probe {
        device: "cpu".into(),
        name: "Some <CPU> & more".into(),
        vendor: "some".into(),
        threads: Some(2),
        memory_bytes: 8 << 30,
        l2_cache_bytes: None,
        multiprocessors: None,
        clocks: None,
        read: points([90.0, 40.0, 25.0]),
        copy: points([50.0, 20.0, 15.0]),
        gemm: vec![GemmRates { dtype: DataType::Float32, points: points([0.01, 0.05, 0.09]) }],
        launch_us: 3.5,
    };
    write_probe(&ProbeAnswer::new(probe, "some_cpu".to_owned(), "2026-11-27"), home.path(), false).unwrap();
    let (dom, log) = open(&browser, &home.path().join("evaluations_results/probes/some_cpu/probe.html"), 1280);
    assert_eq!(dom.matches("class=\"plot-container").count(), 3);
    assert!(!log.contains("CONSOLE"), "{log}");
}

#[test]
fn printing_draws_every_figure_in_the_width_of_paper_before_it_is_scrolled_to() {
    let Some(browser) = chromium() else { return };
    let home = tempfile::tempdir().unwrap();
    assert_eq!(run(home.path(), "fit --scenario llama31_8b_fp8_tp1 --no-validate --out r").code, 0);
    let page = home.path().join("r/report.html");
    // A module that follows the page's own runs before anything is drawn.
    let at_print = "<script type=\"module\">dispatchEvent(new Event('beforeprint'));\
        const drawn = document.querySelectorAll('.plot-container');\
        document.body.dataset.printed = drawn.length;\
        document.body.dataset.widths = [...new Set([...drawn].map((plot) => plot.querySelector('.main-svg').getAttribute('width')))];\
        </script></body>";
    let html = fs::read_to_string(&page).unwrap();
    fs::write(&page, html.replace("</body>", at_print)).unwrap();
    let (dom, log) = open(&browser, &page, 1280);
    assert!(dom.contains(&format!("data-printed=\"{}\" data-widths=\"680\"", FIGURES.len())), "{log}");
}

#[test]
fn a_script_error_would_be_seen_on_the_console() {
    let Some(browser) = chromium() else { return };
    let home = tempfile::tempdir().unwrap();
    let page = home.path().join("broken.html");
    fs::write(&page, "<body><script>missingFunction()</script>").unwrap();
    assert!(open(&browser, &page, 1280).1.contains("CONSOLE"));
}

#[test]
fn png_writes_one_picture_for_each_figure() {
    if chromium().is_none() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let result = run(home.path(), "fit --scenario llama31_8b_fp8_tp1 --no-validate --png --out r");
    assert_eq!(result.code, 0, "{}", result.stderr);
    // Pictures stay beside tables of the same fit and go with those of another.
    let fit = "fit --scenario llama31_8b_fp8_tp1 --no-validate --out r";
    let parity = home.path().join("r/parity.png");
    assert_eq!(run(home.path(), fit).code, 0);
    assert!(parity.is_file());
    for id in FIGURES {
        let picture = fs::read(home.path().join("r").join(format!("{id}.png"))).unwrap();
        assert!(picture.starts_with(b"\x89PNG\r\n") && picture.len() > 10_000, "{id}: {} bytes", picture.len());
    }
    assert_eq!(run(home.path(), &format!("{fit} --rows concurrency<=100")).code, 0);
    assert!(!parity.exists());
}
