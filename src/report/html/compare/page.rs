//! The page of compared runs.

use crate::app::{About, ResultKind};
use crate::comparison::{CompareGroup, CompareReport};
use crate::report::html::compare::charts::{CompareDrawing, distribution_figures};
use crate::report::html::compare::load_test::load_test_figures;
use crate::report::html::compare::scatter::scatter_figures;
use crate::report::html::figure::Figure;
use crate::report::html::page::{html_table, page, section, summary};
use crate::report::tables::compare::{
    adjusted, cautions_at_level, differences_table, effects, findings, how_made, level_quantiles_table, levels_table,
    quantiles_table, validity_table, workload_table,
};
use crate::report::tables::compare_model::{model_table, model_title};

/// Distributions are drawn for this many levels of load tests at most, those with the most clients; tables hold all.
const MOST_LEVELS: usize = 2;

/// The figures of the page.
pub fn compare_figures(report: &CompareReport, drawing: CompareDrawing) -> Vec<Figure> {
    let mut figures = load_test_figures(report);
    let skipped = if report.groups.len() > 1 { report.groups.len().saturating_sub(MOST_LEVELS) } else { 0 };
    for group in &report.groups[skipped..] {
        figures.extend(distribution_figures(group, drawing));
        figures.extend(scatter_figures(group, drawing));
    }
    figures
}

/// The page.
pub fn compare_page(report: &CompareReport, figures: &[Figure]) -> String {
    let names: Vec<&str> = report.groups[0].sides.iter().map(|side| side.name.as_str()).collect();
    let title = match names[..] {
        [only] => format!("{only} · measured"),
        _ => names.join(" against "),
    };
    let (mut words, mut cautions) = (Vec::new(), report.cautions.clone());
    let mut body = String::new();
    if report.groups.len() == 1 {
        words = in_words(&report.groups[0], report);
        cautions.extend(cautions_at_level(&report.groups[0]));
        body += &group_sections(&report.groups[0], report);
    } else {
        body += &section("Levels", &html_table(levels_table(&report.load_tests)));
        if names.len() == 1 {
            let cautions: Vec<String> = report.groups.iter().flat_map(cautions_at_level).collect();
            body += &summary(&[], &cautions);
            body += &section("Quantiles", &html_table(level_quantiles_table(report)));
        } else {
            for group in &report.groups {
                body += &summary(&in_words(group, report), &cautions_at_level(group));
                body += &group_sections(group, report);
            }
        }
    }
    if let (Some(title), Some(table)) = (model_title(report), model_table(report)) {
        let cautions = report.model.as_ref().map_or(&[][..], |model| &model.cautions);
        body += &section(&title, &html_table(table));
        body += &summary(&[], cautions);
    }
    let about =
        About { kind: ResultKind::Comparison, title, below: how_made(&report.settings), findings: words, cautions };
    page(&about, &body, figures)
}

fn in_words(group: &CompareGroup, report: &CompareReport) -> Vec<String> {
    findings(group, &report.settings).into_iter().chain(adjusted(group)).collect()
}

fn group_sections(group: &CompareGroup, report: &CompareReport) -> String {
    let settings = &report.settings;
    let at = group.clients.map_or_else(String::new, |clients| format!(", {clients} clients"));
    let mut body = String::new();
    if group.clients.is_none() {
        body += &section("Requests", &html_table(validity_table(&group.sides)));
        if !report.load_tests.is_empty() {
            body += &section("Rates", &html_table(levels_table(&report.load_tests)));
        }
    }
    if group.sides.len() > 1 {
        body += &section(&format!("Were they asked the same{at}"), &html_table(workload_table(group)));
    }
    for study in &group.comparison.dimensions {
        let mut content = html_table(quantiles_table(study, &group.sides, settings));
        if let Some(differences) = differences_table(study, &group.sides, settings) {
            content += &html_table(differences);
        }
        for (side, pair) in group.sides[1..].iter().zip(&study.pairs) {
            let lines = pair.iter().flat_map(|pair| effects(study, pair, [&group.sides[0].name, &side.name], settings));
            content.extend(lines.map(|line| format!("<p>{}</p>\n", crate::report::html::page::escaped(&line))));
        }
        body += &section(&format!("{}{at}", study.dimension.title()), &content);
    }
    body
}
