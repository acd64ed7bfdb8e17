//! Runs that must be refused.

use super::common::Run;

/// Exit code 2, nothing on standard output, the message on one line and a remedy on the next.
pub fn assert_refused(result: &Run, message: &str, help: &str) {
    assert_eq!(result.code, 2, "{}", result.stderr);
    assert_eq!(result.stdout, "");
    let mut lines = result.stderr.lines();
    assert_eq!(lines.next().unwrap(), format!("error: {message}"));
    let remedy = lines.next().unwrap_or("");
    assert!(remedy.starts_with("  help: ") && remedy.contains(help), "{}", result.stderr);
}
