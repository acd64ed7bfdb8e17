//! Insights as text for a terminal.

use std::fmt::Write;

use super::{caution_lines, written_lines};
use crate::app::InsightsAnswer;
use crate::insights::Rule;
use crate::insights::study::{ServingStudy, TableStudy};
use crate::report::{
    ReportTable, batch_sweep_table, budget_title, dial_cache_title, dial_loss_title, dial_table, equal_table,
    front_table, front_title, linear_lines, matched_table, ratio_title, runs_in_words, serving_basis, serving_table,
    serving_title, slice_lines, slice_title, speeds_table, sweep_title,
};

/// A table below an empty line; nothing where there are no rows.
fn report_table(content: ReportTable, numbers: std::ops::Range<usize>) -> String {
    if content.rows.is_empty() { String::new() } else { format!("\n{}", super::report_table(content, numbers)) }
}

/// The whole answer on the terminal.
pub fn text(answer: &InsightsAnswer) -> String {
    let found = &answer.study;
    let mut text = format!("{}\n", found.title());
    if let Some(study) = &found.table {
        table_text(&mut text, study);
    }
    if let Some(sweep) = &found.sweep {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}.\n\nSteps over the batch, t(B) = a + b·B", sweep_title(sweep));
        text += &report_table(batch_sweep_table(sweep), 1..9);
    }
    for study in &found.serving {
        serving_text(&mut text, study);
    }
    text + &caution_lines(&answer.cautions) + &written_lines(&answer.files)
}

fn table_text(text: &mut String, study: &TableStudy) {
    let _ = writeln!(text, "{}\n\nValidation loss against KV cache", runs_in_words(study));
    for panel in study.panels() {
        let _ = writeln!(text, "\n{}", front_title(&panel));
        *text += &report_table(front_table(&panel), 3..6);
    }
    let _ = writeln!(text, "\nSpeed at a budget of cache memory\n{}\n{}", budget_title(study), ratio_title(study));
    *text += &report_table(speeds_table(study), 1..9);
    if study.rule == Rule::Right && !study.ratios.is_empty() {
        *text += &report_table(matched_table(&study.ratios), 2..5);
    }
    if let Some(dial) = &study.dial {
        let _ = writeln!(
            text,
            "\nThe rank of latent attention\n{}\n{}",
            dial_loss_title(dial),
            dial_cache_title(dial, study.rule)
        );
        *text += &report_table(dial_table(dial), 0..4);
    }
    if study.rule == Rule::Right {
        for slice in &study.slices {
            let _ = writeln!(text, "\n{}", slice_title(slice));
            for line in slice_lines(slice) {
                let _ = writeln!(text, "{line}");
            }
            *text += &report_table(equal_table(slice), 1..5);
        }
    }
}

fn serving_text(text: &mut String, study: &ServingStudy) {
    let _ = writeln!(text, "\n{}\n{}", serving_title(study), serving_basis(study));
    for (index, context) in study.contexts.iter().enumerate() {
        let _ = writeln!(text, "\nSequences of {} tokens", context);
        *text += &report_table(serving_table(study, index), 1..11);
    }
    text.push('\n');
    for line in linear_lines(study) {
        let _ = writeln!(text, "{line}");
    }
}
