//! Workflow commands of GitHub Actions,
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>.

use std::fmt::Write;

use crate::app::CheckAnswer;

/// An error for each limit that does not hold, a notice for each note.
pub fn github(answer: &CheckAnswer) -> String {
    let mut lines = String::new();
    let mut command = |kind: &str, scenario: &str, message: &str| {
        let title = property(&format!("perfmodel check: {scenario}"));
        // Writing to a String cannot fail.
        let _ = writeln!(lines, "::{kind} title={title}::{}", data(message));
    };
    for check in &answer.report.scenarios {
        for one in check.comparisons.iter().filter(|one| !one.passed()) {
            command("error", &check.scenario, &one.finding());
        }
        if let Some(failure) = &check.failure {
            command("error", &check.scenario, failure);
        }
        for note in &check.notes {
            command("notice", &check.scenario, note);
        }
    }
    lines
}

/// A message: to the end of its line.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property: to the next comma or colon.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_message_or_a_property_is_escaped() {
        assert_eq!(data("5 %: a, b\r\nc"), "5 %25: a, b%0D%0Ac");
        assert_eq!(property("5 %: a, b\nc"), "5 %25%3A a%2C b%0Ac");
    }
}
