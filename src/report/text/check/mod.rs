//! A check on the terminal, and as CI systems read it.

mod github;
mod junit;

use std::fmt::Write;

pub use github::github;
pub use junit::junit;

use super::table;
use crate::app::CheckAnswer;
use crate::evaluation::{CheckMode, Comparison, LimitKind, signed};

/// Each error against each limit, what was done, and the verdict.
pub fn text(answer: &CheckAnswer) -> String {
    let report = &answer.report;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::{CheckReport, ScenarioCheck};

    #[test]
    fn every_format_says_why_a_fit_failed() {
        let check = ScenarioCheck {
            scenario: "a<b".to_owned(),
            estimator: "serving",
            mode: CheckMode::Refit,
            baseline: None,
            data_changed: None,
            comparisons: Vec::new(),
            failure: Some("no start converged\n  help: more starts".to_owned()),
            notes: vec!["no baseline".to_owned()],
        };
        let answer = CheckAnswer::new(CheckReport { scenarios: vec![check] }, 1.5);
        assert!(text(&answer).contains(" failed: no start converged\n  help: more starts\n"));
        assert!(text(&answer).ends_with("FAILED: 1 of 1 comparison failed\n"));
        assert_eq!(
            github(&answer),
            "::error title=perfmodel check%3A a<b::no start converged%0A  help: more starts\n\
             ::notice title=perfmodel check%3A a<b::no baseline\n"
        );
        assert_eq!(
            junit(&answer),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <testsuites name=\"perfmodel check\" tests=\"1\" failures=\"1\" errors=\"0\" time=\"1.500\">\n  \
             <testsuite name=\"a&lt;b\" tests=\"1\" failures=\"1\" errors=\"0\" skipped=\"0\">\n    \
             <testcase classname=\"a&lt;b\" name=\"the fit converges\"><failure type=\"fit\" \
             message=\"no start converged&#10;  help: more starts\"/></testcase>\n    \
             <system-out>no baseline</system-out>\n  </testsuite>\n</testsuites>\n"
        );
        assert!(
            serde_json::to_string(&answer)
                .unwrap()
                .contains("\"failure\":\"no start converged\\n  help: more starts\"")
        );
    }
}
