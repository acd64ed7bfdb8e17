//! Maps with a number in each cell: what all share, and the map of relative errors.

use plotly::common::{ColorBar, ColorScale, ColorScaleElement, Font, Title};
use plotly::layout::{Annotation, Axis, AxisType};
use plotly::{HeatMap, Plot};

use crate::number::with_sign;
use crate::report::html::figure::{layout, plot};

/// Ink on a pale cell; pale cells stay pale on a dark screen, so this is none of the colours that are swapped there.
const CELL_INK: &str = "#202020";

/// Share of the scale from which a cell of the error map is so deep that its number is white.
const DEEP: f64 = 0.6;

/// The number in a cell, by its place on category axes.
pub fn cell_number(column: usize, row: usize, text: String, deep: bool) -> Annotation {
    // On a category axis a number is the position of a category; a text that looks like a number is not.
    Annotation::new().x(column).y(row).text(text).show_arrow(false).font(Font::new().size(11).color(if deep {
        "white"
    } else {
        CELL_INK
    }))
}

/// Relative errors by column and row, in percent: red where the prediction is too slow, blue where it is too fast.
pub struct ErrorMap {
    columns: Vec<String>,
    rows: Vec<String>,
    scale_pct: f64,
    cells: Vec<Vec<Option<f64>>>,
    numbers: Vec<Annotation>,
}

impl ErrorMap {
    /// A map without errors yet, whose colours end at ± `scale_pct`.
    pub fn new(columns: Vec<String>, rows: Vec<String>, scale_pct: f64) -> Self {
        let cells = vec![vec![None; columns.len()]; rows.len()];
        Self { columns, rows, scale_pct, cells, numbers: Vec::new() }
    }

    /// Puts an error into a cell.
    ///
    /// # Panics
    /// There is no such cell.
    pub fn put(&mut self, column: usize, row: usize, error_pct: f64) {
        self.cells[row][column] = Some(error_pct);
        let deep = error_pct.abs() > DEEP * self.scale_pct;
        self.numbers.push(cell_number(column, row, with_sign(error_pct, 1), deep));
    }

    /// The chart; `columns` names what the columns are, `hover` what a cell says when it is pointed at, in plotly's terms.
    pub fn plot(self, height: usize, columns: &str, hover: &str) -> Plot {
        let stops = [(0.0, "#2166AC"), (0.25, "#92C5DE"), (0.5, "#F7F7F7"), (0.75, "#F4A582"), (1.0, "#B2182B")];
        let scale = ColorScale::Vector(stops.map(|(at, colour)| ColorScaleElement(at, colour.to_owned())).to_vec());
        let category = || Axis::new().type_(AxisType::Category).auto_margin(true).show_grid(false);
        let x_axis = category().title(Title::with_text(columns));
        let mut chart = plot(layout(height).x_axis(x_axis).y_axis(category()).annotations(self.numbers));
        chart.add_trace(
            HeatMap::new(self.columns, self.rows, self.cells)
                .color_scale(scale)
                .zmin(-self.scale_pct)
                .zmax(self.scale_pct)
                .x_gap(2)
                .y_gap(2)
                .color_bar(ColorBar::new().title("error %").thickness(12))
                .hover_template(format!("{hover}<br>error %{{z:+.1f}} %<extra></extra>")),
        );
        chart
    }
}
