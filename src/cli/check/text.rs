//! The report for people.

use std::fmt::Write;

use crate::evaluation::{CheckMode, CheckReport, Comparison, LimitKind, signed};
use crate::report::text::table;

/// The report on the terminal.
pub fn text(report: &CheckReport) -> String {
    let percent = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.2}"));
    let verdict = |passed: bool| if passed { "passed" } else { "FAILED" }.to_owned();
    let limit = |one: &Comparison| match one.kind {
        LimitKind::Absolute => format!("≤ {} %", one.limit),
        LimitKind::Regression => format!("≤ +{} points", one.limit),
    };
    let mut rows = Vec::new();
    for check in &report.scenarios {
        let first = rows.len();
        for one in &check.comparisons {
            rows.push(vec![
                String::new(),
                one.metric.name().to_owned(),
                percent(one.baseline),
                percent(one.now),
                one.change().map_or_else(|| "–".to_owned(), signed),
                limit(one),
                verdict(one.passed()),
            ]);
        }
        if check.failure.is_some() {
            let none = || "–".to_owned();
            rows.push(vec![String::new(), "fit".to_owned(), none(), none(), none(), none(), verdict(false)]);
        }
        if let Some(row) = rows.get_mut(first) {
            row[0].clone_from(&check.scenario);
        }
    }
    let header = ["scenario", "metric", "baseline %", "now %", "change points", "limit", "verdict"];
    let mut text = table(&header, rows, 2..6);
    // Writing to a String cannot fail.
    text.push('\n');
    for check in &report.scenarios {
        let basis = check.baseline.as_ref().map_or_else(String::new, |path| format!(", against {}", path.display()));
        let _ = writeln!(
            text,
            "{}: {}, estimator {}{basis}",
            check.scenario,
            match check.mode {
                CheckMode::Refit => "refitted",
                CheckMode::Evaluate => "evaluated",
            },
            check.estimator
        );
        for note in &check.notes {
            let _ = writeln!(text, " note: {note}");
        }
        if let Some(failure) = &check.failure {
            let _ = writeln!(text, " failed: {failure}");
        }
    }
    let _ = writeln!(text, "\n{}: {}", if report.passed() { "Passed" } else { "FAILED" }, report.verdict());
    text
}
