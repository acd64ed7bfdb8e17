//! The page of a roofline: roofs, operators and sweeps.

use crate::app::{About, ResultKind};
use crate::app::{RooflineAnswer, RooflineStudy};
use crate::number::number;
use crate::report::html::figure::Figure;
use crate::report::html::page::{html_table, page, section};
use crate::report::tables::roofline::{crossings_table, operators_table, roofs_table};
use crate::roofline::Step;

/// The page.
pub fn roofline_page(answer: &RooflineAnswer, figures: &[Figure]) -> String {
    let study = &answer.study;
    let about = About {
        kind: ResultKind::Roofline,
        title: format!("{} · roofline", study.target.title),
        below: format!("From {}.", study.target.basis()),
        findings: study.steps.iter().map(|step| step_in_words(study, step)).collect(),
        cautions: answer.cautions.clone(),
    };
    let mut body = String::new();
    let roofs = format!("<p>{}</p>\n", study.roofs_in_words());
    body += &section("Roofs", &(roofs + &html_table(roofs_table(&study.roofs))));
    for step in &study.steps {
        let scope = study.scope().map_or_else(String::new, |scope| format!("<p>{scope}.</p>\n"));
        body += &section(&study.step_title(step), &(scope + &html_table(operators_table(step))));
    }
    body += &section("Batch from which a step is compute bound", &html_table(crossings_table(&study.sweeps)));
    page(&about, &body, figures)
}

fn step_in_words(study: &RooflineStudy, step: &Step) -> String {
    let times = step.roof_times();
    let ratio = times.memory / times.compute;
    let words = if ratio > 1.0 {
        format!("memory time is {} times compute time", number(ratio))
    } else {
        format!("compute time is {} times memory time", number(1.0 / ratio))
    };
    format!(
        "{}: {} ms. Its operators are {} bound: {words}.",
        study.step_title(step),
        number(step.total().as_ms()),
        step.bound().name()
    )
}
