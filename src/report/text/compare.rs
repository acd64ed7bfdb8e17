//! Compared runs on the terminal.

use std::fmt::Write;

use super::{caution_lines, report_table, table, written_lines};
use crate::app::CompareAnswer;
use crate::comparison::{CompareGroup, CompareReport, DimensionStudy, Gate, Outcome, Settings, side_at};
use crate::number::{counted, with_sign};
use crate::report::tables::compare::{
    adjusted, cautions_at_level, differences_table, effects, findings, how_made, level_quantiles_table, levels_table,
    quantiles_table, validity_table, workload_table,
};
use crate::report::tables::compare_model::{model_table, model_title};

/// All that was found, whether the runs pass, and what was written.
pub fn text(answer: &CompareAnswer) -> String {
    report_text(&answer.report)
        + &answer.gate.as_ref().map_or_else(String::new, gate_text)
        + &written_lines(&answer.files)
}

fn report_text(report: &CompareReport) -> String {
    let mut text = String::new();
    if !report.load_tests.is_empty() {
        text += &report_table(levels_table(&report.load_tests), 1..9);
        text.push('\n');
    }
    let single = report.groups.iter().all(|group| group.sides.len() == 1);
    if single && report.groups.iter().any(|group| group.clients.is_some()) {
        text += &report_table(level_quantiles_table(report), 0..9);
        let of_levels = report.groups.iter().flat_map(cautions_at_level);
        text += &caution_lines(&report.cautions.iter().cloned().chain(of_levels).collect::<Vec<_>>());
        text.push('\n');
    } else {
        for (index, group) in report.groups.iter().enumerate() {
            let of_all = if index == 0 { &report.cautions[..] } else { &[] };
            text += &group_text(group, &report.settings, of_all);
        }
    }
    if let (Some(model), Some(title), Some(table)) = (&report.model, model_title(report), model_table(report)) {
        let _ = writeln!(text, "{title}\n");
        text += &report_table(table, 1..11);
        text += &caution_lines(&model.cautions);
        text.push('\n');
    }
    text += &how_made(&report.settings);
    text.push('\n');
    if !single {
        text += "One run a side cannot tell a change of the server from one of the time of day; give several, joined by commas.\n";
    }
    text
}

fn group_text(group: &CompareGroup, settings: &Settings, of_all: &[String]) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    if let Some(clients) = group.clients {
        let _ = writeln!(text, "== {}\n", counted(clients, "client"));
    }
    for line in findings(group, settings).into_iter().chain(adjusted(group)) {
        let _ = writeln!(text, "{line}");
    }
    text += &caution_lines(&[&group.cautions[..], of_all].concat());
    text.push('\n');
    if group.clients.is_none() {
        text += &report_table(validity_table(&group.sides), 1..11);
        text.push('\n');
    }
    if group.sides.len() > 1 {
        text += &report_table(workload_table(group), 2..8);
        text.push('\n');
    }
    for study in &group.comparison.dimensions {
        text += &dimension_text(study, group, settings);
    }
    text
}

fn dimension_text(study: &DimensionStudy, group: &CompareGroup, settings: &Settings) -> String {
    let mut text = format!("{}\n\n", study.dimension.title());
    text += &report_table(quantiles_table(study, &group.sides, settings), 1..7);
    text.push('\n');
    if let Some(differences) = differences_table(study, &group.sides, settings) {
        text += &report_table(differences, 2..8);
        text.push('\n');
    }
    for (side, pair) in group.sides[1..].iter().zip(&study.pairs) {
        for line in pair.iter().flat_map(|pair| effects(study, pair, [&group.sides[0].name, &side.name], settings)) {
            let _ = writeln!(text, "{line}");
        }
        text.push('\n');
    }
    text
}

fn gate_text(gate: &Gate) -> String {
    let mut text = format!("\nSlower by more than {} %?\n\n", gate.limit_pct);
    let rows = gate.checks.iter().map(|check| {
        vec![
            side_at(&check.side, check.clients),
            check.dimension.name().to_owned(),
            format!("p{}", check.percentile),
            with_sign(check.change_pct, 1),
            format!("{} … {}", with_sign(check.change_low_pct, 1), with_sign(check.change_high_pct, 1)),
            match check.outcome {
                Outcome::Failed => "YES",
                Outcome::Open => "cannot tell; measure more requests",
                Outcome::Passed => "no",
            }
            .to_owned(),
        ]
    });
    let lacking = gate.unmeasured.iter().map(|lacking| {
        let dash = "–".to_owned();
        let dimension = lacking.dimension.name().to_owned();
        vec![
            side_at(&lacking.side, lacking.clients),
            dimension,
            dash.clone(),
            dash.clone(),
            dash,
            "not measured".to_owned(),
        ]
    });
    text += &table(&["side", "dimension", "at", "change %", "interval", "slower"], rows.chain(lacking), 3..5);
    text
}
