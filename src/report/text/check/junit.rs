//! JUnit XML as Jenkins, GitLab and others read it: <https://github.com/testmoapp/junitxml>.

use std::fmt::Write;

use crate::app::CheckAnswer;
use crate::evaluation::ScenarioCheck;

/// A test suite for each scenario, a test case for each comparison.
pub fn junit(answer: &CheckAnswer) -> String {
    let CheckAnswer { report, elapsed_s, .. } = answer;
    let sum = |count: fn(&ScenarioCheck) -> usize| report.scenarios.iter().map(count).sum::<usize>();
    let mut xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    // Writing to a String cannot fail.
    let _ = writeln!(
        xml,
        "<testsuites name=\"perfmodel check\" tests=\"{}\" failures=\"{}\" errors=\"0\" time=\"{elapsed_s:.3}\">",
        sum(ScenarioCheck::total),
        sum(ScenarioCheck::failed)
    );
    for check in &report.scenarios {
        suite(&mut xml, check);
    }
    xml += "</testsuites>\n";
    xml
}

fn suite(xml: &mut String, check: &ScenarioCheck) {
    let scenario = escaped(&check.scenario);
    let (tests, failures) = (check.total(), check.failed());
    let _ = writeln!(
        xml,
        "  <testsuite name=\"{scenario}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"0\">"
    );
    let mut case = |name: &str, failure: Option<(&str, &str)>| {
        let _ = write!(xml, "    <testcase classname=\"{scenario}\" name=\"{}\"", escaped(name));
        let _ = match failure {
            None => writeln!(xml, "/>"),
            Some((kind, message)) => {
                writeln!(xml, "><failure type=\"{kind}\" message=\"{}\"/></testcase>", escaped(message))
            }
        };
    };
    for one in &check.comparisons {
        let finding = one.finding();
        case(&one.demand(), (!one.passed()).then_some((one.kind.name(), finding.as_str())));
    }
    if let Some(failure) = &check.failure {
        case("the fit converges", Some(("fit", failure)));
    }
    if !check.notes.is_empty() {
        let _ = writeln!(xml, "    <system-out>{}</system-out>", escaped(&check.notes.join("\n")));
    }
    xml.push_str("  </testsuite>\n");
}

/// Text as XML 1.0 may hold it, in an attribute or between tags; characters that it cannot hold become U+FFFD.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            // Else a reader of the attribute gets a blank.
            '\n' | '\r' | '\t' => {
                let _ = write!(escaped, "&#{};", u32::from(c));
            }
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_hold_is_escaped_or_replaced() {
        for (text, want) in [
            ("a < b & \"c\" > d", "a &lt; b &amp; &quot;c&quot; &gt; d"),
            ("one\ntwo\t", "one&#10;two&#9;"),
            ("\u{1b}[1m\u{0}\u{ffff}", "\u{fffd}[1m\u{fffd}\u{fffd}"),
            ("μ ≤ 5 % 😀", "μ ≤ 5 % 😀"),
        ] {
            assert_eq!(escaped(text), want);
        }
    }
}
