//! The page of a scenario that a calibration predicts without having seen it.

use crate::app::{About, ResultKind};
use crate::calibration::LEVEL;
use crate::evaluation::{TransferStudy, worst_of};
use crate::number::number;
use crate::report::html::charts::{Rows, scenario_figures};
use crate::report::html::figure::Figure;
use crate::report::html::page::{definitions, page, section, table};
use crate::report::html::study::{error_table, worst_table};

/// The figures of a transfer, in the order of the page.
pub fn transfer_figures(study: &TransferStudy) -> Vec<Figure> {
    scenario_figures(Rows { prefix: "", suffix: "", load: study.member.load, rows: &study.rows })
}

/// The page of a transfer; `basis` names what the calibration was fitted to.
pub fn transfer_page(study: &TransferStudy, basis: &str, figures: &[Figure]) -> String {
    let calibrated = study.is_calibrated();
    let asked = study.asked();
    let from = match (calibrated, asked.forecaster.has_priors()) {
        (true, _) => format!("a calibration of {basis}"),
        (false, true) => "priors alone".to_owned(),
        (false, false) => "formulas alone".to_owned(),
    };
    let title = format!("{} · predicted from {from}", study.member.title);
    let below = format!(
        "{}. Estimator {}: {}.",
        study.member.system.title(),
        study.estimator.name(),
        study.estimator.summary()
    );
    let errors = &asked.errors;
    let [ttft, itl] = study.interval_coverage_pct();
    let mut findings = vec![
        format!(
            "Predicted from {from} ({}), {} measured rows are missed by {:.1} % in the time between tokens (ITL) and by \
             {:.1} % in the time to first token (TTFT) on average, in the median by {:.1} % and {:.1} %.",
            asked.name(),
            study.rows.len(),
            errors.itl.mape_pct,
            errors.ttft.mape_pct,
            errors.itl.median_ape_pct,
            errors.ttft.median_ape_pct
        ),
        format!("{:.0} % intervals hold {ttft:.0} % of TTFT and {itl:.0} % of ITL.", 100.0 * LEVEL),
    ];
    if study.variants.len() > 1 {
        findings.push("What was refitted has seen these rows: errors after a refit are in sample.".to_owned());
    }
    let about = About { kind: ResultKind::Transfer, title, below, findings, cautions: study.cautions() };
    let mut body = String::new();
    let names: Vec<String> = study.variants.iter().map(|variant| variant.name()).collect();
    let lines: Vec<_> =
        names.iter().zip(&study.variants).map(|(name, variant)| (name.as_str(), variant.errors)).collect();
    body += &section("Errors", &error_table(&lines));
    let carried = asked.forecaster.carried();
    let parameters = asked.forecaster.parameters().iter().enumerate().map(|(index, p)| {
        vec![
            p.name.to_owned(),
            p.owner.name().to_owned(),
            p.unit.to_owned(),
            number(carried.values[index]),
            format!("{:.0} %", 100.0 * carried.covariance[(index, index)].sqrt()),
            carried.origins[index].name().to_owned(),
        ]
    });
    body += &section("Parameters", &table(&["parameter", "owner", "unit", "value", "±", "from"], parameters));
    body += &section("Worst rows", &worst_table(&worst_of(&study.rows)));
    let sources: Vec<(String, String)> = study
        .member
        .provenance
        .sources
        .iter()
        .map(|source| ("source".to_owned(), format!("{} (read {}) {}", source.url, source.retrieved, source.note)))
        .chain([("measured file".to_owned(), format!("SHA-256 {}", study.member.dataset.sha256))])
        .collect();
    body += &section("Data", &definitions(&sources));
    page(&about, &body, figures)
}
