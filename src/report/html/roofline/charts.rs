//! The figures of a roofline: the classic chart, and compute against memory time over batch and context.

use plotly::common::{
    ColorBar, ColorScale, ColorScaleElement, DashType, Font, HoverInfo, Line, Marker, MarkerSymbol, Mode, Orientation,
    Position, Title,
};
use plotly::contour::{Coloring, Contours};
use plotly::layout::{
    Annotation, AspectRatio, Axis, AxisType, Camera, CameraCenter, Eye, ItemSizing, LayoutScene, Legend,
};
use plotly::{Contour, HeatMap, Plot, Scatter, Surface};

use crate::app::RooflineStudy;
use crate::engine::Phase;
use crate::engine::ops::matrices::MatrixKind;
use crate::number::{number, short};
use crate::report::html::charts::distinct;
use crate::report::html::error_map::cell_number;
use crate::report::html::figure::{Figure, INK, axis, layout, plot};
use crate::roofline::{Cell, ContextLine, DeviceRoofs, OperatorKind, OperatorPoint, Step, Sweep, machine_balance};
use crate::units::{BytesPerSec, Flops, FlopsPerSec};

const UNUSED: &str = "#B3BAC2";
const CEILING: &str = "#8A9199";
const MEMORY: &str = "#2166AC";
const COMPUTE: &str = "#B2182B";

/// Diameter of a marker whose operator takes no time, and what the whole of a step adds, in pixels.
const SMALLEST_MARKER: f64 = 8.0;
const MARKER_GROWTH: f64 = 24.0;

/// Maps with more cells than this show no numbers in them.
const MOST_NUMBERS: usize = 200;

/// The colour scale of ratios ends at a factor of 10 either way.
const RATIO_DECADES: f64 = 1.0;

/// Where the names of roofs end, as a share of the width: those of peaks, those of what is attainable.
const PEAK_NAMES: f64 = 1.0;
const ATTAINABLE_NAMES: f64 = 0.78;

/// The figures of the page.
pub fn roofline_figures(study: &RooflineStudy) -> Vec<Figure> {
    let mut figures = vec![roofline(study)];
    for sweep in study.sweeps.iter().rev() {
        figures.push(ratio_map(sweep));
        figures.push(surfaces(sweep));
    }
    figures
}

/// The part of the plane that a roofline chart shows.
#[derive(Clone, Copy)]
struct Frame {
    /// FLOP/byte.
    intensity: [f64; 2],
    /// TFLOP/s.
    rate: [f64; 2],
}

fn tera(rate: FlopsPerSec) -> f64 {
    rate.get() / 1e12
}

impl Frame {
    /// The intensity at a share of the width.
    fn across(self, share: f64) -> f64 {
        let [left, right] = self.intensity;
        left * (right / left).powf(share)
    }

    /// All operators and all ridges.
    fn around(study: &RooflineStudy) -> Self {
        let roofs = &study.roofs;
        let operators = || operators(study).map(|(_, operator)| operator).filter(|o| o.work.flops > Flops::ZERO);
        let used = |roof: FlopsPerSec| machine_balance(roof, roofs.attainable_bandwidth);
        let ridges = roofs.compute.iter().map(|roof| used(roof.peak));
        let intensities = operators().filter_map(OperatorPoint::intensity).chain(ridges);
        let (low, high) = intensities.fold((f64::INFINITY, 0.0_f64), |(low, high), i| (low.min(i), high.max(i)));
        let slowest = operators().map(|o| tera(o.attained())).fold(f64::INFINITY, f64::min);
        let lowest_roof = roofs.compute.iter().map(|roof| tera(roof.attainable)).fold(f64::INFINITY, f64::min);
        let fastest = roofs.compute.iter().map(|roof| tera(roof.peak)).fold(0.0, f64::max);
        Self { intensity: [low / 2.0, high * 4.0], rate: [slowest.min(lowest_roof) / 2.0, fastest * 2.5] }
    }
}

/// Operators of both steps, each with the time of its step.
fn operators(study: &RooflineStudy) -> impl Iterator<Item = (&Step, &OperatorPoint)> {
    study.steps.iter().flat_map(|step| step.operators.iter().map(move |operator| (step, operator)))
}

fn roofline(study: &RooflineStudy) -> Figure {
    let height = 720;
    let frame = Frame::around(study);
    let log = |title: &str, [low, high]: [f64; 2]| {
        axis(title, [1.0, 1e6].into_iter()).type_(AxisType::Log).range(vec![low.log10(), high.log10()])
    };
    let mut chart = plot(
        layout(height)
            .legend(
                Legend::new().orientation(Orientation::Horizontal).y(-0.12).x(0.0).item_sizing(ItemSizing::Constant),
            )
            .x_axis(log("arithmetic intensity, FLOP/byte", frame.intensity))
            .y_axis(log("TFLOP/s of one device", frame.rate)),
    );
    add_roofs(&mut chart, &study.roofs, frame);
    for phase in Phase::ALL {
        // A symbol for the legend alone.
        chart.add_trace(operator_trace(f64::NAN, f64::NAN, phase, SMALLEST_MARKER, INK).name(phase.name()));
    }
    let computing = || operators(study).filter(|(_, operator)| operator.work.flops > Flops::ZERO);
    let names = distinct(computing().map(|(_, operator)| operator.name.as_str()));
    for name in names {
        for (nth, (step, operator)) in computing().filter(|(_, operator)| operator.name == name).enumerate() {
            add_operator(&mut chart, step, operator, frame, nth == 0);
        }
    }
    Figure {
        id: "roofline".to_owned(),
        title: format!("Roofline at batch {}, {} tokens", short(study.batch), short(study.tokens)),
        caption: "Solid lines are what is attainable, dashed ones peaks, dotted ones the ceilings of some operators; \
                  grey roofs are not used here. Circles are operators of the decode step, diamonds of the prefill, the \
                  larger the more of the step they take. A marker lies at the predicted rate, below its roof by padded \
                  tiles and the round corner. At the right edge stands attention of the prefill, whose traffic is counted \
                  with the activations."
            .to_owned(),
        height,
        wide: true,
        plot: chart,
    }
}

/// A line that rises with the bandwidth to its ridge and goes on level.
fn roof_line(bandwidth: BytesPerSec, rate: FlopsPerSec, frame: Frame) -> (Vec<f64>, Vec<f64>) {
    let [left, right] = frame.intensity;
    let ridge = machine_balance(rate, bandwidth);
    (vec![left, ridge, right], vec![tera(rate) * (left / ridge), tera(rate), tera(rate)])
}

fn add_roofs(chart: &mut Plot, roofs: &DeviceRoofs, frame: Frame) {
    let line = |bandwidth, rate, name: &str, line: Line| {
        let (x, y) = roof_line(bandwidth, rate, frame);
        let hover = format!("{name}: {} TFLOP/s, ridge at {} FLOP/byte", number(tera(rate)), number(x[1]));
        Scatter::new(x, y)
            .mode(Mode::Lines)
            .line(line)
            .name(name)
            .show_legend(false)
            .text(hover)
            .hover_info(HoverInfo::Text)
    };
    // Used roofs above the others.
    for used in [false, true] {
        for roof in roofs.compute.iter().filter(|roof| roof.used == used) {
            let ink = if used { INK } else { UNUSED };
            let (peak, attainable) = (format!("{} peak", roof.label()), format!("{} attainable", roof.label()));
            let dashed = Line::new().color(ink).width(1.2).dash(DashType::Dash);
            chart.add_trace(line(roofs.bandwidth, roof.peak, &peak, dashed));
            let solid = Line::new().color(ink).width(if used { 2.2 } else { 1.2 });
            chart.add_trace(line(roofs.attainable_bandwidth, roof.attainable, &attainable, solid));
            let above = Position::TopLeft;
            label(chart, frame.across(PEAK_NAMES), above.clone(), roof.peak, &peak, ink);
            label(chart, frame.across(ATTAINABLE_NAMES), above, roof.attainable, &attainable, ink);
        }
    }
    for (index, ceiling) in roofs.ceilings.iter().enumerate() {
        let dotted = Line::new().color(CEILING).width(1.2).dash(DashType::Dot);
        chart.add_trace(line(roofs.attainable_bandwidth, ceiling.rate, &ceiling.name, dotted));
        // Below their lines and side by side: two may be at the same rate.
        let x = frame.across(0.97 - 0.25 * index as f64);
        label(chart, x, Position::BottomLeft, ceiling.rate, &ceiling.name, CEILING);
    }
}

/// The name of a roof, above or below it, that ends at `x`.
fn label(chart: &mut Plot, x: f64, position: Position, rate: FlopsPerSec, name: &str, ink: &'static str) {
    chart.add_trace(
        Scatter::new(vec![x], vec![tera(rate)])
            .mode(Mode::Text)
            .text_array(vec![format!("{name} {}", number(tera(rate)))])
            .text_position(position)
            .text_font(Font::new().size(10).color(ink))
            .show_legend(false)
            .hover_info(HoverInfo::Skip),
    );
}

fn add_operator(chart: &mut Plot, step: &Step, operator: &OperatorPoint, frame: Frame, in_legend: bool) {
    let share = operator.time.total() / step.total();
    let hover = format!(
        "<b>{}</b>, {}<br>{} GFLOP, {} GB: {}<br>{} of {} TFLOP/s attainable, {}<br>{} ms, {:.1} % of the step, {} bound",
        operator.name,
        operator.phase.name(),
        number(operator.work.flops.get() / 1e9),
        number(operator.work.bytes.get() / 1e9),
        operator.intensity().map_or_else(|| "no traffic of its own".to_owned(), |i| format!("{} FLOP/byte", number(i))),
        number(tera(operator.attained())),
        number(tera(operator.attainable())),
        operator.precision,
        number(operator.time.total().as_ms()),
        100.0 * share,
        operator.bound().name()
    );
    let x = operator.intensity().unwrap_or_else(|| frame.across(0.99));
    let size = SMALLEST_MARKER + MARKER_GROWTH * share.sqrt();
    chart.add_trace(
        operator_trace(x, tera(operator.attained()), operator.phase, size, kind_colour(operator.kind))
            .name(&operator.name)
            .legend_group(&operator.name)
            .show_legend(in_legend)
            .text(hover)
            .hover_info(HoverInfo::Text),
    );
}

/// The colour of a kind of operator, the same in every chart.
const fn kind_colour(kind: OperatorKind) -> &'static str {
    match kind {
        OperatorKind::Matrix(MatrixKind::Qkv) => "#0072B2",
        OperatorKind::Matrix(MatrixKind::AttentionOutput) => "#56B4E9",
        OperatorKind::Matrix(MatrixKind::FfnGateUp | MatrixKind::FfnUp) => "#009E73",
        OperatorKind::Matrix(MatrixKind::FfnDown) => "#7FC8A9",
        OperatorKind::Matrix(MatrixKind::Router) => "#5C5C5C",
        OperatorKind::Matrix(MatrixKind::RoutedExperts) => "#D55E00",
        OperatorKind::Matrix(MatrixKind::SharedExperts) => "#E69F00",
        OperatorKind::Matrix(MatrixKind::Head) => "#B8A600",
        OperatorKind::Attention => "#CC79A7",
        OperatorKind::Activations => "#8C6BB1",
    }
}

fn operator_trace(x: f64, y: f64, phase: Phase, size: f64, ink: &'static str) -> Box<Scatter<f64, f64>> {
    let symbol = match phase {
        Phase::Prefill => MarkerSymbol::DiamondOpen,
        Phase::Decode => MarkerSymbol::CircleOpen,
    };
    let marker = Marker::new().symbol(symbol).size(size as usize).color(ink).line(Line::new().color(ink).width(2.5));
    Scatter::new(vec![x], vec![y]).mode(Mode::Markers).marker(marker)
}

/// What the batch of a step is.
pub const fn batch_axis(phase: Phase) -> &'static str {
    match phase {
        Phase::Prefill => "prompts of one step",
        Phase::Decode => "sequences",
    }
}

const fn tokens_axis(phase: Phase) -> &'static str {
    match phase {
        Phase::Prefill => "length of the prompts",
        Phase::Decode => "mean context",
    }
}

/// Something for each cell, a row for each context.
fn cells<T>(sweep: &Sweep, value: impl Fn(&ContextLine, &Cell) -> T) -> Vec<Vec<T>> {
    sweep.contexts.iter().map(|line| line.cells.iter().map(|cell| value(line, cell)).collect()).collect()
}

fn ratio_map(sweep: &Sweep) -> Figure {
    let height = 130 + 44 * sweep.contexts.len().max(4);
    let x: Vec<String> = sweep.batches.iter().map(|batch| short(*batch)).collect();
    // On this axis a title would lie on the labels.
    let y: Vec<String> = sweep.contexts.iter().map(|line| format!("{} tokens", short(line.tokens))).collect();
    let logs = cells(sweep, |_, cell| cell.ratio().log10());
    let stops = [(0.0, COMPUTE), (0.25, "#F4A582"), (0.5, "#F7F7F7"), (0.75, "#92C5DE"), (1.0, MEMORY)];
    let scale = ColorScale::Vector(stops.map(|(at, colour)| ColorScaleElement(at, colour.to_owned())).to_vec());
    let map = HeatMap::new(x.clone(), y.clone(), logs.clone())
        .color_scale(scale)
        .zmin(-RATIO_DECADES)
        .zmax(RATIO_DECADES)
        .text_matrix(cells(sweep, |line, cell| cell_text(sweep.phase, line, cell)))
        .hover_info(HoverInfo::Text)
        .color_bar(
            ColorBar::new()
                .title("memory / compute")
                .thickness(12)
                .tick_vals([0.1, 0.3, 1.0, 3.0, 10.0].map(f64::log10).to_vec())
                .tick_text(vec!["≤ 0.1", "0.3", "1", "3", "≥ 10"]),
        );
    let category = || Axis::new().type_(AxisType::Category).auto_margin(true);
    let mut chart = plot(
        layout(height)
            .x_axis(category().title(Title::with_text(batch_axis(sweep.phase))))
            .y_axis(category())
            .annotations(ratios(sweep)),
    );
    chart.add_trace(map);
    let line = |z: Vec<Vec<f64>>, name: &str, line: Line| {
        Contour::new(x.clone(), y.clone(), z)
            .contours(Contours::new().start(0.0).end(0.0).size(1.0).coloring(Coloring::None))
            .line(line)
            .name(name)
            .show_legend(true)
            .show_scale(false)
            .hover_info(HoverInfo::Skip)
    };
    chart.add_trace(line(logs, "memory time = compute time", Line::new().color(INK).width(3.0)));
    let filled = cells(sweep, |line, cell| (cell.batch / line.capacity).log10());
    let dotted = Line::new().color(INK).width(1.5).dash(DashType::Dot);
    chart.add_trace(line(filled, "the KV cache is full", dotted));
    Figure {
        id: format!("{}_ratio", sweep.phase.name()),
        title: format!("Memory time over compute time, {}", sweep.phase.name()),
        caption: format!(
            "Sums over the operators of a step at attainable rates; a row is the {}. Blue is memory bound, red compute \
             bound; on the thick line both take equally long. Beyond the dotted line the KV cache does not hold the \
             sequences.",
            tokens_axis(sweep.phase)
        ),
        height,
        wide: true,
        plot: chart,
    }
}

fn cell_text(phase: Phase, line: &ContextLine, cell: &Cell) -> String {
    format!(
        "{} {}, {} tokens<br>memory {} ms, compute {} ms, ratio {}{}",
        short(cell.batch),
        batch_axis(phase),
        short(line.tokens),
        number(cell.time.memory.as_ms()),
        number(cell.time.compute.as_ms()),
        number(cell.ratio()),
        if cell.fits { "" } else { "<br>the KV cache does not hold them" }
    )
}

/// The ratios as numbers in their cells.
fn ratios(sweep: &Sweep) -> Vec<Annotation> {
    if sweep.batches.len() * sweep.contexts.len() > MOST_NUMBERS {
        return Vec::new();
    }
    let number = |(y, x, cell): (usize, usize, &Cell)| {
        cell_number(x, y, two_digits(cell.ratio()), cell.ratio().log10().abs() > 0.7 * RATIO_DECADES)
    };
    let lines = sweep.contexts.iter().enumerate();
    lines.flat_map(|(y, line)| line.cells.iter().enumerate().map(move |(x, cell)| number((y, x, cell)))).collect()
}

fn two_digits(value: f64) -> String {
    let decimals = (1.0 - value.log10().floor()).clamp(0.0, 4.0) as usize;
    format!("{value:.decimals$}")
}

/// Memory and compute time as two surfaces; they cross where the machine is in balance.
fn surfaces(sweep: &Sweep) -> Figure {
    let height = 620;
    let log = |title: &str| Axis::new().type_(AxisType::Log).title(Title::with_text(title)).dtick(1.0);
    let scene = LayoutScene::new()
        .x_axis(log(batch_axis(sweep.phase)))
        .y_axis(log("tokens"))
        .z_axis(log("ms"))
        .aspect_ratio(AspectRatio::from((1.2, 1.2, 0.8)))
        .camera(Camera::new().eye(Eye::from((-1.3, -1.5, 0.7))).center(CameraCenter::from((0.0, 0.0, -0.15))));
    let legend = Legend::new().orientation(Orientation::Horizontal).y(1.0).x(0.0);
    let mut chart = plot(layout(height).scene(scene).legend(legend));
    for (name, ink, time) in [
        ("memory time", MEMORY, (|cell| cell.time.memory.as_ms()) as fn(&Cell) -> f64),
        ("compute time", COMPUTE, |cell| cell.time.compute.as_ms()),
    ] {
        let scale = [(0.0, ink), (1.0, ink)].map(|(at, colour)| ColorScaleElement(at, colour.to_owned()));
        chart.add_trace(
            Surface::new(cells(sweep, |_, cell| time(cell)))
                .x(sweep.batches.clone())
                .y(sweep.contexts.iter().map(|line| line.tokens).collect())
                .color_scale(ColorScale::Vector(scale.to_vec()))
                .show_scale(false)
                .opacity(0.85)
                .name(name)
                .show_legend(true)
                .hover_template(format!("%{{x}} {}<br>%{{y}} tokens<br>%{{z:.4g}} ms", batch_axis(sweep.phase))),
        );
    }
    Figure {
        id: format!("{}_times", sweep.phase.name()),
        title: format!("Memory and compute time, {}", sweep.phase.name()),
        caption: "The higher surface binds; the step changes sides where they cut each other. Drag to turn.".to_owned(),
        height,
        wide: true,
        plot: chart,
    }
}
