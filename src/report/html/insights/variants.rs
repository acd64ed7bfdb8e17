//! The figures of variants of a model on a device.

use plotly::common::{ColorBar, ColorScale, ColorScalePalette, DashType, HoverInfo, Line, Marker, MarkerSymbol, Mode};
use plotly::layout::{Annotation, Shape};
use plotly::{Contour, HeatMap, Plot, Scatter};

use crate::insights::VariantKind;
use crate::insights::serving::ServingPoint;
use crate::insights::study::{ServingStudy, VariantCurve};
use crate::number::{number, short};
use crate::report::html::figure::{Figure, INK, colour, layout, plot, symbol};
use crate::report::html::insights::charts::{scaled, upright};
use crate::report::tables::variants::serving_title;
use crate::units::Bytes;

pub(super) const HEIGHT: usize = 540;

/// Memory of devices that people know, in GiB: marks on the axis.
const KNOWN_GIB: [f64; 6] = [24.0, 48.0, 80.0, 141.0, 192.0, 288.0];

/// The figures of a study; `prefix` tells those of several apart.
pub fn serving_figures(study: &ServingStudy, prefix: &str) -> Vec<Figure> {
    let mut figures = vec![total(study, prefix)];
    if study.multi_head().is_some() && study.variants.len() > 1 {
        figures.push(ratio(study, prefix));
    }
    figures.push(per_sequence(study, prefix));
    figures.extend(map(study, prefix));
    figures
}

fn gib(study: &ServingStudy) -> Vec<f64> {
    study.memory.iter().map(|memory| memory.as_gib()).collect()
}

/// Marks of known devices within the axis.
fn marks(study: &ServingStudy) -> (Vec<Shape>, Vec<Annotation>) {
    let ends = gib(study);
    let (first, last) = (ends[0], ends[ends.len() - 1]);
    let device = study.device_memory().as_gib();
    let mut at: Vec<(f64, String)> = KNOWN_GIB
        .into_iter()
        .filter(|size| (first..=last).contains(size) && (size / device - 1.0).abs() > 0.1)
        .map(|size| (size, short(size)))
        .collect();
    at.push((device, format!("{} GiB: {}", short(device.round()), study.devices())));
    let label = |(x, text): &(f64, String)| {
        Annotation::new()
            .x(x.log10())
            .y(1.0)
            .x_ref("x")
            .y_ref("paper")
            .text(text)
            .show_arrow(false)
            .y_anchor(plotly::common::Anchor::Bottom)
    };
    (at.iter().map(|(x, _)| upright(*x)).collect(), at.iter().map(label).collect())
}

fn frame(study: &ServingStudy, y: &str) -> Plot {
    let (shapes, labels) = marks(study);
    plot(
        layout(HEIGHT)
            .x_axis(scaled(&format!("memory, GiB, at the rates of {}", study.devices()), true))
            .y_axis(scaled(y, true))
            .shapes(shapes)
            .annotations(labels),
    )
}

fn hover(variant: &VariantCurve, memory: &Bytes, point: Option<&ServingPoint>) -> String {
    let head = format!("<b>{}</b>, {} GiB", variant.kind, number(memory.as_gib()));
    point.map_or_else(
        || format!("{head}<br>serves none"),
        |point| {
            format!(
                "{head}<br>{} sequences of {} that fit<br>step {} ms, {} bound<br>{} tokens/s, {} each",
                point.sequences,
                point.fits,
                number(point.step.as_ms()),
                point.bound.name(),
                number(point.total),
                number(point.per_sequence)
            )
        },
    )
}

/// The dash of a variant; dots are those of caches alone.
fn thick_dash(index: usize) -> DashType {
    [DashType::Solid, DashType::Dash, DashType::DashDot, DashType::LongDash, DashType::LongDashDot][index % 5].clone()
}

/// A line over memory; gaps where nothing fits.
fn line(
    study: &ServingStudy,
    index: usize,
    points: &[Option<ServingPoint>],
    value: impl Fn(usize, &ServingPoint) -> f64,
) -> Box<Scatter<f64, f64>> {
    let variant = &study.variants[index];
    let y = points.iter().enumerate().map(|(k, point)| point.as_ref().map_or(f64::NAN, |point| value(k, point)));
    let texts: Vec<String> =
        study.memory.iter().zip(points).map(|(memory, point)| hover(variant, memory, point.as_ref())).collect();
    Scatter::new(gib(study), y.collect())
        .mode(Mode::Lines)
        .connect_gaps(false)
        .line(Line::new().color(colour(index)).width(2.5).dash(thick_dash(index)))
        .text_array(texts)
        .hover_info(HoverInfo::Text)
        .name(variant.kind.to_string())
        .legend_group(variant.kind.to_string())
}

fn total(study: &ServingStudy, prefix: &str) -> Figure {
    let mut chart = frame(study, "total tokens/s");
    for (index, variant) in study.variants.iter().enumerate() {
        chart.add_trace(line(study, index, &variant.devices, |_, point| point.total));
        chart.add_trace(
            line(study, index, &variant.cache, |_, point| point.total)
                .line(Line::new().color(colour(index)).width(1.0).dash(DashType::Dot))
                .name("dotted: memory for caches alone")
                .show_legend(index == 0),
        );
        // From here on more sequences fit than are fast enough.
        let cut = study.memory.iter().zip(&variant.devices).find_map(|(memory, point)| {
            point.filter(|point| point.sequences < point.fits).map(|point| (memory.as_gib(), point.total))
        });
        if let Some((x, total)) = cut {
            chart.add_trace(
                Scatter::new(vec![x], vec![total])
                    .mode(Mode::Markers)
                    .marker(
                        Marker::new()
                            .color(INK)
                            .size(11)
                            .symbol(MarkerSymbol::XThin)
                            .line(Line::new().color(INK).width(2.0)),
                    )
                    .text(format!("{}: from here on the limit on speed holds the batch", variant.kind))
                    .hover_info(HoverInfo::Text)
                    .legend_group(variant.kind.to_string())
                    .name("the limit on speed begins to hold")
                    .show_legend(index == 0),
            );
        }
        // The memory that holds one sequence more than the linear rule does.
        if let (Some(until), Some((memory, point))) = (variant.linear_until, variant.linear_ends) {
            let (x, ends) = (memory.as_gib(), gib(study));
            let (place, x) = if x < ends[0] {
                (", left of the picture", f64::NAN)
            } else if x > ends[ends.len() - 1] {
                (", right of the picture", f64::NAN)
            } else {
                ("", x)
            };
            chart.add_trace(
                Scatter::new(vec![x], vec![point.total])
                    .mode(Mode::Markers)
                    .marker(
                        Marker::new()
                            .color(colour(index))
                            .size(13)
                            .symbol(symbol(index))
                            .line(Line::new().color(INK).width(1.5)),
                    )
                    .text(format!("{}: beyond {until} sequences the linear rule promises over 10 % more", variant.kind))
                    .hover_info(HoverInfo::Text)
                    .name(format!("{}: linear rule holds up to {until}{place}", variant.kind))
                    .legend_group(variant.kind.to_string()),
            );
        }
    }
    Figure {
        id: format!("{prefix}_total"),
        title: serving_title(study),
        caption: format!(
            "Contexts of {} tokens. Thick lines: the memory of whole devices, weights and reserve taken off; thin and dotted: that much \
             for caches alone. At a marker the linear rule, the speed of one sequence times their number, begins to promise 10 % more \
             than a step allows.{}",
            short(study.contexts[0]),
            limit(study)
        ),
        height: HEIGHT,
        wide: false,
        plot: chart,
    }
}

fn limit(study: &ServingStudy) -> String {
    study.slowest.map_or_else(String::new, |slowest| {
        format!(" Batches stop where a sequence would make fewer than {} tokens/s.", number(slowest))
    })
}

fn ratio(study: &ServingStudy, prefix: &str) -> Figure {
    let mut chart = frame(study, "total tokens/s, as a multiple of MHA");
    let base = &study.variants[study.multi_head().unwrap_or(0)];
    let mut found = Vec::new();
    for (index, variant) in study.variants.iter().enumerate() {
        let value = |k: usize, point: &ServingPoint| base.devices[k].map_or(f64::NAN, |base| point.total / base.total);
        chart.add_trace(line(study, index, &variant.devices, value));
        if let (Some(point), Some(base)) = (variant.at_device[0], base.at_device[0])
            && variant.kind != VariantKind::MultiHead
        {
            found.push(format!("{} {}×", variant.kind, number(point.total / base.total)));
        }
    }
    Figure {
        id: format!("{prefix}_ratio"),
        title: if found.is_empty() {
            format!("No ratio to MHA on {}: it serves nothing there", study.devices())
        } else {
            format!("Against MHA on {}: {}", study.devices(), found.join(", "))
        },
        caption: "Where the caches of a batch outweigh all else, a step reads all of the memory whatever the attention, and the ratio is that of \
                  the caches of a token."
            .to_owned(),
        height: HEIGHT,
        wide: false,
        plot: chart,
    }
}

fn per_sequence(study: &ServingStudy, prefix: &str) -> Figure {
    let mut chart = frame(study, "tokens/s of each sequence");
    let mut found = Vec::new();
    for (index, variant) in study.variants.iter().enumerate() {
        chart.add_trace(line(study, index, &variant.devices, |_, point| point.per_sequence));
        if let Some(point) = variant.at_device[0] {
            found.push(format!("{} {}", variant.kind, number(point.per_sequence)));
        }
    }
    if let Some(slowest) = study.slowest {
        let ends = gib(study);
        chart.add_trace(
            Scatter::new(vec![ends[0], ends[ends.len() - 1]], vec![slowest; 2])
                .mode(Mode::Lines)
                .line(Line::new().color(INK).width(1.5).dash(DashType::LongDash))
                .name(format!("limit: {} tokens/s", number(slowest))),
        );
    }
    let what = if study.slowest.is_some() { "within the limit" } else { "with all the sequences that fit" };
    Figure {
        id: format!("{prefix}_sequence"),
        title: if found.is_empty() {
            format!("{}: no variant serves a sequence", study.devices())
        } else {
            format!("Tokens/s of each sequence on {}, {what}: {}", study.devices(), found.join(", "))
        },
        caption: format!("Tokens/s of one sequence among all that run.{}", limit(study)),
        height: HEIGHT,
        wide: false,
        plot: chart,
    }
}

/// Over memory and context, the variant that serves most on the devices against multi-head attention, else its total.
fn map(study: &ServingStudy, prefix: &str) -> Option<Figure> {
    let (best, _) = study.best()?;
    let base = study.multi_head().map(|index| &study.variants[index]).filter(|base| base.kind != best.kind);
    let cell = |context: usize, memory: usize| -> f64 {
        let Some(point) = best.map[context][memory] else { return f64::NAN };
        match base {
            Some(base) => base.map[context][memory].map_or(f64::NAN, |base| point.total / base.total),
            None => point.total,
        }
    };
    let z: Vec<Vec<f64>> = (0..study.map_contexts.len())
        .map(|context| (0..study.memory.len()).map(|memory| cell(context, memory)).collect())
        .collect();
    let known: Vec<f64> = z.iter().flatten().copied().filter(|value| value.is_finite()).collect();
    let (low, high) = known.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), z| (low.min(*z), high.max(*z)));
    let what = match base {
        Some(_) => format!("{} as a multiple of MHA", best.kind),
        None => format!("total tokens/s of {}", best.kind),
    };
    if known.is_empty() {
        return None;
    }
    let mut chart = plot(
        layout(HEIGHT)
            .x_axis(scaled(&format!("memory, GiB, at the rates of {}", study.devices()), true))
            .y_axis(
                scaled("context, tokens", true)
                    .tick_values(study.map_contexts.clone())
                    .tick_text(study.map_contexts.iter().map(|tokens| short(*tokens)).collect::<Vec<_>>()),
            )
            .shapes(vec![upright(study.device_memory().as_gib())]),
    );
    let logs: Vec<Vec<f64>> = z.iter().map(|row| row.iter().map(|value| value.log10()).collect()).collect();
    let ticks: Vec<f64> = round_numbers(low, high);
    let texts = z.iter().zip(&study.map_contexts).map(|(row, context)| {
        let cells = row.iter().zip(&study.memory).map(|(value, memory)| {
            format!("{} GiB, {} tokens<br>{what}: {}", number(memory.as_gib()), short(*context), number(*value))
        });
        cells.collect::<Vec<_>>()
    });
    chart.add_trace(
        Contour::new(gib(study), study.map_contexts.clone(), logs.clone())
            .color_scale(ColorScale::Palette(ColorScalePalette::Cividis))
            .n_contours(20)
            .auto_contour(true)
            .hover_info(HoverInfo::Skip)
            .color_bar(
                ColorBar::new()
                    .title(if base.is_some() { "× MHA" } else { "tokens/s" })
                    .thickness(12)
                    .tick_vals(ticks.iter().map(|tick| tick.log10()).collect())
                    .tick_text(ticks.iter().map(|tick| short(*tick)).collect::<Vec<_>>()),
            ),
    );
    // Contours carry no texts of cells, so an invisible map does.
    chart.add_trace(
        HeatMap::new(gib(study), study.map_contexts.clone(), logs)
            .opacity(0.0)
            .show_scale(false)
            .text_matrix(texts.collect())
            .hover_info(HoverInfo::Text),
    );
    Some(Figure {
        id: format!("{prefix}_map"),
        title: match base {
            Some(_) => format!("{what}: {} to {}× over memory and context", number(low), number(high)),
            None => format!("{what}: {} to {} over memory and context", number(low), number(high)),
        },
        caption: "Blank where one of both does not fit. The dotted line is the memory of the devices.".to_owned(),
        height: HEIGHT,
        wide: false,
        plot: chart,
    })
}

/// 1, 2 and 5 times powers of ten between two numbers, and where there are none, both.
fn round_numbers(low: f64, high: f64) -> Vec<f64> {
    let powers = (low.log10().floor() as i32)..=(high.log10().ceil() as i32);
    let ticks = powers.flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(power)));
    let ticks: Vec<f64> = ticks.filter(|tick| (low..=high).contains(tick)).collect();
    if ticks.is_empty() { vec![low, high] } else { ticks }
}
