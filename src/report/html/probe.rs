//! The page of a probe: bandwidths and rates over sizes, and the roofline that they make.

use plotly::Scatter;
use plotly::common::{DashType, Line, Mode};

use crate::app::{About, ResultKind};
use crate::bench::{Probe, RatePoint};
use crate::number::number;
use crate::report::html::figure::{Figure, axis, colour, layout, plot};
use crate::report::html::page::{page, section, table};

const HEIGHT: usize = 420;

/// The page.
pub fn probe_page(probe: &Probe, figures: &[Figure]) -> String {
    let title = format!("{} · probed roofs", probe.name);
    let about = About {
        kind: ResultKind::Probe,
        title,
        below: format!("{}, {}", probe.device, probe.vendor),
        findings: words(probe),
        cautions: Vec::new(),
    };
    let mut body = String::new();
    let points =
        |points: &[RatePoint]| points.iter().map(|p| vec![p.size.to_string(), number(p.rate)]).collect::<Vec<_>>();
    body += &section("Reading", &table(&["bytes", "GB/s"], points(&probe.read)));
    body += &section("Copying", &table(&["bytes", "GB/s, read and written"], points(&probe.copy)));
    for gemm in &probe.gemm {
        let title = format!("Products of square {} matrices", gemm.dtype.name());
        body += &section(&title, &table(&["rows", "TFLOP/s"], points(&gemm.points)));
    }
    page(&about, &body, figures)
}

/// What was found, in words.
pub fn words(probe: &Probe) -> Vec<String> {
    let mut words = vec![format!(
        "Memory is read at {} GB/s; the smallest operation takes {} µs.",
        number(probe.bandwidth_gb_per_s()),
        number(probe.launch_us)
    )];
    for gemm in &probe.gemm {
        if let Some(peak) = probe.peak_tflop_per_s(gemm.dtype) {
            words.push(format!(
                "Products in {} reach {} TFLOP/s; below {} FLOP per byte, memory binds.",
                gemm.dtype.name(),
                number(peak),
                number(1e3 * peak / probe.bandwidth_gb_per_s())
            ));
        }
    }
    words
}

/// The figures of the page.
pub fn probe_figures(probe: &Probe) -> Vec<Figure> {
    vec![roofline(probe), bandwidth(probe), gemm(probe)]
}

fn line(points: &[RatePoint], index: usize, name: String) -> Box<Scatter<f64, f64>> {
    Scatter::new(points.iter().map(|p| p.size as f64).collect(), points.iter().map(|p| p.rate).collect())
        .mode(Mode::LinesMarkers)
        .line(Line::new().color(colour(index)).width(2.0))
        .name(name)
}

fn bandwidth(probe: &Probe) -> Figure {
    let all = || probe.read.iter().chain(&probe.copy);
    let mut chart = plot(
        layout(HEIGHT)
            .x_axis(axis("bytes", all().map(|p| p.size as f64)))
            .y_axis(axis("GB/s", all().map(|p| p.rate).chain([1e-3]))),
    );
    chart.add_trace(line(&probe.read, 0, "reading".to_owned()));
    chart.add_trace(line(&probe.copy, 1, "copying, read and written together".to_owned()));
    Figure {
        id: "bandwidth".to_owned(),
        title: "Bandwidth over size".to_owned(),
        caption: "The fastest of repeated calls. Small sizes lie in caches; the largest is the memory's.".to_owned(),
        height: HEIGHT,
        wide: false,
        plot: chart,
    }
}

fn gemm(probe: &Probe) -> Figure {
    let all = || probe.gemm.iter().flat_map(|gemm| &gemm.points);
    let mut chart = plot(
        layout(HEIGHT)
            .x_axis(axis("rows of square matrices", all().map(|p| p.size as f64)))
            .y_axis(axis("TFLOP/s", all().map(|p| p.rate))),
    );
    for (index, gemm) in probe.gemm.iter().enumerate() {
        chart.add_trace(line(&gemm.points, index, gemm.dtype.name().to_owned()));
    }
    Figure {
        id: "gemm".to_owned(),
        title: "Matrix products over size".to_owned(),
        caption: "The fastest of repeated products.".to_owned(),
        height: HEIGHT,
        wide: false,
        plot: chart,
    }
}

fn roofline(probe: &Probe) -> Figure {
    let bandwidth = probe.bandwidth_gb_per_s() / 1e3;
    let peaks: Vec<(String, f64)> = probe
        .gemm
        .iter()
        .filter_map(|gemm| Some((gemm.dtype.name().to_owned(), probe.peak_tflop_per_s(gemm.dtype)?)))
        .collect();
    let highest = peaks.iter().map(|(_, peak)| *peak).fold(0.0, f64::max);
    let right = 16.0 * highest / bandwidth;
    let left = right / 4096.0;
    let mut chart = plot(
        layout(HEIGHT)
            .x_axis(axis("arithmetic intensity, FLOP/byte", [left, right].into_iter()))
            .y_axis(axis("TFLOP/s", [left * bandwidth, highest].into_iter())),
    );
    for (index, (name, peak)) in peaks.iter().enumerate() {
        let ridge = peak / bandwidth;
        chart.add_trace(
            Scatter::new(vec![left, ridge, right], vec![left * bandwidth, *peak, *peak])
                .mode(Mode::Lines)
                .line(Line::new().color(colour(index)).width(2.0))
                .name(format!("{name}: {} TFLOP/s, ridge at {} FLOP/byte", number(*peak), number(ridge))),
        );
    }
    let cached = probe.read.iter().map(|p| p.rate).fold(0.0, f64::max) / 1e3;
    if cached > 1.2 * bandwidth {
        let ridge = highest / cached;
        chart.add_trace(
            Scatter::new(vec![left, ridge.max(left)], vec![left * cached, ridge.max(left) * cached])
                .mode(Mode::Lines)
                .line(Line::new().color("#8A9199").width(1.5).dash(DashType::Dot))
                .name(format!("out of cache: {} GB/s", number(cached * 1e3))),
        );
    }
    Figure {
        id: "roofline".to_owned(),
        title: "Measured roofline".to_owned(),
        caption: "The slope is the read bandwidth of the memory, the ceilings the fastest products; dotted, the fastest read out of a \
                  cache."
            .to_owned(),
        height: HEIGHT,
        wide: false,
        plot: chart,
    }
}
