//! How long pages take until their text is seen, until they are loaded and until every figure is drawn, in headless Chromium:
//! `cargo bench --bench pages`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// Openings of each page, each in a browser with an empty profile.
const OPENINGS: usize = 5;

/// What is timed, in milliseconds since the browser went to the page; one may take this long.
const MOMENTS: [&str; 3] = ["text seen", "loaded", "all drawn"];
const LONGEST_MS: usize = 30_000;

/// Writes `PAGE moment ms` to the console at each moment.
fn probe() -> String {
    let [seen, loaded, drawn] = MOMENTS;
    format!(
        "<script type=\"module\">\n\
         const say = (moment, ms) => console.log(`PAGE ${{moment}} ${{Math.round(ms)}}.`);\n\
         const count = (name) => document.getElementsByClassName(name).length;\n\
         addEventListener('load', () => say('{loaded}', performance.now()));\n\
         const timer = setInterval(() => {{\n\
         if (count('plot-container') < count('plot')) return;\n\
         clearInterval(timer);\n\
         say('{seen}', performance.getEntriesByName('first-contentful-paint')[0].startTime);\n\
         say('{drawn}', performance.now());\n\
         }}, 5);\n\
         setTimeout(() => console.log('PAGE gave up'), {LONGEST_MS});\n\
         </script>\n</body>"
    )
}

/// Opens a page once; the moments in milliseconds, in the order of [`MOMENTS`].
fn opened(page: &Path, dark: bool) -> [f64; 3] {
    let profile = tempfile::tempdir().expect("a folder for temporary files");
    let mut browser = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"])
        .args([
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--enable-unsafe-swiftshader",
        ])
        .args(["--window-size=1280,900", "--enable-logging=stderr", "--remote-debugging-port=0"])
        .arg(format!("--blink-settings=preferredColorScheme={}", u8::from(!dark)))
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("file://{}", page.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("chromium is on PATH");
    let log = BufReader::new(browser.stderr.take().expect("it is piped"));
    let mut times = [None; 3];
    for line in log.lines().map_while(Result::ok) {
        let Some((_, said)) = line.split_once("PAGE ") else { continue };
        for (moment, time) in MOMENTS.iter().zip(&mut times) {
            if let Some((ms, _)) = said.strip_prefix(moment).and_then(|rest| rest.trim().split_once('.')) {
                *time = ms.parse().ok();
            }
        }
        if times.iter().all(Option::is_some) || said.starts_with("gave up") {
            break;
        }
    }
    // It does not end by itself.
    let _ = browser.kill();
    let _ = browser.wait();
    times.map(|time| time.expect("the page loads and draws every figure"))
}

fn main() -> std::io::Result<()> {
    let home = tempfile::tempdir()?;
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
    for (arguments, page) in [
        ("fit --scenario llama31_8b_fp8_tp1 --out fit".to_owned(), "fit/report.html"),
        ("roofline --scenario llama31_8b_fp8_tp1 --plot --out roofline".to_owned(), "roofline/roofline.html"),
        (format!("compare {fixtures}/llmeter/loadtest --plot --out compare"), "compare/compare.html"),
        (
            format!("insights {fixtures}/insights/benchmark_results.csv --hardware l4_24gb --plot --out insights"),
            "insights/insights.html",
        ),
    ] {
        let made = Command::new(env!("CARGO_BIN_EXE_perfmodel"))
            .args(arguments.split(' '))
            .current_dir(home.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        assert!(made.success(), "perfmodel {arguments}");
        let page = home.path().join(page);
        let html = fs::read_to_string(&page)?;
        let figures = html.matches("class=\"plot\"").count();
        fs::write(&page, html.replace("</body>", &probe()))?;
        for (dark, scheme) in [(false, "light"), (true, "dark")] {
            let mut times: Vec<[f64; 3]> = (0..OPENINGS).map(|_| opened(&page, dark)).collect();
            let median = |moment: usize, times: &mut Vec<[f64; 3]>| {
                times.sort_by(|a, b| a[moment].total_cmp(&b[moment]));
                format!("{} {:.0} ms", MOMENTS[moment], times[OPENINGS / 2][moment])
            };
            let medians: Vec<String> = (0..MOMENTS.len()).map(|moment| median(moment, &mut times)).collect();
            let command = arguments.split(' ').next().unwrap_or_default();
            println!("{command}, {figures} figures, {scheme}: {} (medians of {OPENINGS})", medians.join(", "));
        }
    }
    Ok(())
}
