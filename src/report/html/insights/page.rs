//! The page of attention insights.

use crate::app::{About, ResultKind};
use crate::insights::Rule;
use crate::insights::study::{InsightsStudy, ServingStudy, TableStudy};
use crate::number::short;
use crate::report::html::figure::Figure;
use crate::report::html::insights::charts::table_figures;
use crate::report::html::insights::dial::dial_figures;
use crate::report::html::insights::sweep::sweep_figures;
use crate::report::html::insights::variants::serving_figures;
use crate::report::html::page::{escaped, html_table, page, section};
use crate::report::tables::dial::{
    dial_cache_title, dial_loss_title, dial_table, equal_table, slice_lines, slice_title,
};
use crate::report::tables::insights::{
    budget_title, front_table, front_title, matched_table, ratio_title, runs_in_words, speeds_table,
};
use crate::report::tables::variants::{
    batch_sweep_table, linear_lines, serving_basis, serving_table, serving_title, sweep_title,
};

/// The figures of the page; `log` makes the axis of caches logarithmic.
pub fn insights_figures(insights: &InsightsStudy, log: bool) -> Vec<Figure> {
    let mut figures = Vec::new();
    if let Some(study) = &insights.table {
        figures.extend(table_figures(study, log));
        figures.extend(dial_figures(study));
    }
    figures.extend(insights.sweep.iter().flat_map(sweep_figures));
    for study in &insights.serving {
        figures.extend(serving_figures(study, &format!("serving_{}", study.hardware.id)));
    }
    figures
}

/// The page.
pub fn insights_page(insights: &InsightsStudy, figures: &[Figure]) -> String {
    let title = format!("{} · attention", insights.title());
    let mut words: Vec<String> = insights.table.iter().flat_map(findings).collect();
    words.extend(insights.sweep.iter().map(|sweep| format!("{}.", sweep_title(sweep))));
    words.extend(insights.serving.iter().map(|study| format!("{}.", serving_title(study))));
    let about = About {
        kind: ResultKind::Insights,
        title,
        below: "What attention variants cost and buy.".to_owned(),
        findings: words,
        cautions: insights.cautions(),
    };
    let mut body = insights.table.as_ref().map_or_else(String::new, table_sections);
    if let Some(sweep) = &insights.sweep {
        body += &section("Steps over the batch, t(B) = a + b·B", &html_table(batch_sweep_table(sweep)));
    }
    body += &insights.serving.iter().map(serving_sections).collect::<String>();
    page(&about, &body, figures)
}

/// A table of runs in sentences.
fn findings(study: &TableStudy) -> Vec<String> {
    let mut found = vec![runs_in_words(study)];
    found.extend(study.panels().iter().map(|panel| format!("{}.", front_title(panel))));
    found.extend([budget_title(study), ratio_title(study)].map(|title| format!("{title}.")));
    if let Some(dial) = &study.dial {
        found.extend([dial_loss_title(dial), dial_cache_title(dial, study.rule)].map(|title| format!("{title}.")));
    }
    found
}

fn table_sections(study: &TableStudy) -> String {
    let mut body = String::new();
    for panel in study.panels() {
        let name = if panel.with_moe { "Front of dense models and mixtures" } else { "Front of dense models" };
        body += &section(name, &html_table(front_table(&panel)));
    }
    let mut speeds = html_table(speeds_table(study));
    if study.rule == Rule::Right && !study.ratios.is_empty() {
        speeds += &html_table(matched_table(&study.ratios));
    }
    body += &section("Speed at a budget of cache memory", &speeds);
    if let Some(dial) = &study.dial {
        body += &section("The rank of latent attention", &html_table(dial_table(dial)));
    }
    if study.rule == Rule::Right {
        for slice in &study.slices {
            let lines: String = slice_lines(slice).iter().map(|line| format!("<p>{}</p>\n", escaped(line))).collect();
            body += &section(&slice_title(slice), &(lines + &html_table(equal_table(slice))));
        }
    }
    body
}

fn serving_sections(study: &ServingStudy) -> String {
    let basis = format!("<p>{}</p>\n", escaped(&serving_basis(study)));
    let tables = study.contexts.iter().enumerate().map(|(index, context)| {
        let heading = format!("{}: sequences of {} tokens", study.devices(), short(*context));
        let limits: String = linear_lines(study).iter().map(|line| format!("<p>{}</p>\n", escaped(line))).collect();
        let limits = if index == 0 { limits } else { String::new() };
        section(&heading, &(basis.clone() + &html_table(serving_table(study, index)) + &limits))
    });
    tables.collect()
}
