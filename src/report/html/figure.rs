//! One figure of a page, and the visual language that all share.

use crate::prediction::Part;
use plotly::common::{DashType, Font, Line, Marker, MarkerSymbol, Mode, Title};
use plotly::configuration::DisplayModeBar;
use plotly::layout::{Axis, AxisType, Legend, Margin, ModeBar};
use plotly::{Configuration, Layout, Plot, Scatter};

/// A chart with what a page says of it.
pub struct Figure {
    /// Id in the page and name of its PNG.
    pub id: String,
    /// Heading.
    pub title: String,
    /// What it shows and how to read it.
    pub caption: String,
    /// Height in pixels.
    pub height: usize,
    /// Whether a narrow screen scrolls it sideways instead of squeezing it.
    pub wide: bool,
    /// The chart.
    pub plot: Plot,
}

/// Colours that stay apart for colour-blind readers (Okabe and Ito 2008), cycled.
const COLOURS: [&str; 8] = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#5C5C5C", "#B8A600"];

/// The colour of lines and texts that belong to no series.
pub const INK: &str = "#1B1F24";

/// The colour of a part, the same in every chart.
pub fn part_colour(part: Part) -> &'static str {
    match part {
        Part::Weights => "#0072B2",
        Part::KvReads => "#E69F00",
        Part::Compute => "#009E73",
        Part::Launch => "#CC79A7",
        Part::PerSequence => "#56B4E9",
        Part::Link => "#B8A600",
        Part::PrefillInterference => "#D55E00",
        Part::Overhead => "#5C5C5C",
        Part::PrefillCompute => "#7FC8A9",
        Part::PrefillAttention => "#2A6B52",
        Part::PrefillActivations => "#B5D99C",
        Part::HostTransfer => "#8C6BB1",
        Part::Burst => "#F2A0B9",
        Part::BoundaryWait => "#9ECAE1",
        Part::QueueWait => "#4A2C6B",
    }
}

/// The colour of the n-th series.
pub fn colour(index: usize) -> &'static str {
    COLOURS[index % COLOURS.len()]
}

/// A colour through which lines are seen; `opacity` is that of 255.
pub fn translucent(colour: &str, opacity: u8) -> String {
    format!("{colour}{opacity:02X}")
}

/// The dash of the n-th series: colour is not the only thing that tells series apart.
pub fn dash(index: usize) -> DashType {
    [DashType::Solid, DashType::Dash, DashType::DashDot, DashType::LongDash, DashType::Dot][index % 5].clone()
}

/// The marker of the n-th series.
pub fn symbol(index: usize) -> MarkerSymbol {
    let symbols = [
        MarkerSymbol::Circle,
        MarkerSymbol::Diamond,
        MarkerSymbol::TriangleUp,
        MarkerSymbol::Square,
        MarkerSymbol::Cross,
        MarkerSymbol::Star,
    ];
    symbols[index % symbols.len()].clone()
}

/// An axis is logarithmic when its values span more than this factor.
const LOG_SPAN: f64 = 30.0;

/// A logarithmic axis has a label at each power of ten where its values span this factor at least, else also at 2 and 5 of each.
const LOG_DECADES: f64 = 1e3;

/// The axis that all of numbers start from.
pub fn plain_axis(title: &str) -> Axis {
    Axis::new().title(Title::with_text(title)).auto_margin(true).grid_color("#E3E6EA").zero_line(false)
}

/// An axis with a title, logarithmic where the values ask for it.
pub fn axis(title: &str, values: impl Iterator<Item = f64> + Clone) -> Axis {
    let low = values.clone().fold(f64::INFINITY, f64::min);
    let high = values.fold(0.0, f64::max);
    let axis = plain_axis(title);
    match high / low {
        span if low > 0.0 && span >= LOG_DECADES => axis.type_(AxisType::Log).dtick(1.0).n_ticks(8),
        span if low > 0.0 && span > LOG_SPAN => axis.type_(AxisType::Log).n_ticks(5).tick_format("~r"),
        _ => axis,
    }
}

/// The layout that all figures start from.
pub fn layout(height: usize) -> Layout {
    Layout::new()
        .height(height)
        .auto_size(true)
        .margin(Margin::new().left(64).right(16).top(34).bottom(56))
        .font(Font::new().size(12).family("system-ui, sans-serif"))
        .paper_background_color("rgba(0,0,0,0)")
        .plot_background_color("rgba(0,0,0,0)")
        .legend(legend())
        .mode_bar(ModeBar::new().background_color("rgba(0,0,0,0)").color("#8A9199").active_color(colour(0)))
}

/// The legend that all figures start from: below the axis.
pub fn legend() -> Legend {
    Legend::new().orientation(plotly::common::Orientation::Horizontal).y(-0.22).x(0.0)
}

/// A chart that fills the width it is given.
pub fn plot(layout: Layout) -> Plot {
    let mut plot = Plot::new();
    plot.set_layout(layout);
    plot.set_configuration(
        Configuration::new().responsive(true).display_logo(false).display_mode_bar(DisplayModeBar::Hover),
    );
    plot
}

/// Measured points (markers) and predicted ones (line) of one series, in one colour.
pub fn measured_and_predicted(
    plot: &mut Plot,
    index: usize,
    name: &str,
    x: Vec<f64>,
    measured: Vec<f64>,
    predicted: Vec<f64>,
) {
    plot.add_trace(
        Scatter::new(x.clone(), measured)
            .mode(Mode::Markers)
            .marker(Marker::new().color(colour(index)).size(8))
            .name(name)
            .legend_group(name),
    );
    plot.add_trace(
        Scatter::new(x, predicted)
            .mode(Mode::Lines)
            .line(Line::new().color(colour(index)).width(2.0))
            .name(format!("{name}, predicted"))
            .legend_group(name)
            .show_legend(false),
    );
}
