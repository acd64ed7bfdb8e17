//! Numbers for people.
//!
//! ```
//! use perfmodel::number::{counted, number};
//!
//! assert_eq!([number(1234.56), number(0.001_571_4)], ["1235", "0.001571"]); // four significant digits
//! assert_eq!(counted(2, "row"), "2 rows");
//! ```

use crate::units::Seconds;

/// A number with four significant digits, without an exponent where it can be read without one; ∞ for what has no end.
pub fn number(value: f64) -> String {
    if value == f64::INFINITY {
        return "∞".to_owned();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let magnitude = value.abs().log10().floor();
    if !(-4.0..7.0).contains(&magnitude) {
        return format!("{value:.3e}");
    }
    let decimals = (3.0 - magnitude).max(0.0) as usize;
    format!("{value:.decimals$}")
}

/// A number without trailing zeros.
pub fn short(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

/// A number for people, or a dash where there is none.
pub fn number_or_dash(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), number)
}

/// A latency in ms with the ends of its interval.
pub fn with_interval(latency: Seconds, low: Seconds, high: Seconds) -> String {
    if latency.get().is_infinite() {
        return "grows without end".to_owned();
    }
    format!("{} ({} – {})", number(latency.as_ms()), number(low.as_ms()), number(high.as_ms()))
}

/// A latency in ms with the upper end of its interval; a dash where it grows without end.
pub fn with_end(latency: Seconds, high: Seconds) -> String {
    if latency.get().is_infinite() {
        return number_or_dash(None);
    }
    format!("{} (≤ {})", number(latency.as_ms()), number(high.as_ms()))
}

/// A number with a sign and so many decimals; never `-0.0`.
pub fn with_sign(value: f64, decimals: usize) -> String {
    let text = format!("{value:+.decimals$}");
    if text.bytes().any(|byte| (b'1'..=b'9').contains(&byte)) { text } else { text.replace('-', "+") }
}

/// How many of a thing there are: `1 row`, `2 rows`.
pub fn counted(count: impl std::fmt::Display, thing: &str) -> String {
    let count = count.to_string();
    let plural = if count == "1" { "" } else { "s" };
    format!("{count} {thing}{plural}")
}

/// A share in percent with one digit behind the point.
pub fn percent(value: f64) -> String {
    format!("{value:.1} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_no_minus() {
        let texts = [(-0.04, 1), (-0.06, 1), (0.0, 2), (12.34, 1)].map(|(value, decimals)| with_sign(value, decimals));
        assert_eq!(texts, ["+0.0", "-0.1", "+0.00", "+12.3"]);
    }

    #[test]
    fn one_of_a_thing_is_no_plural() {
        assert_eq!([counted(0, "row"), counted(1.0, "row"), counted("12", "row")], ["0 rows", "1 row", "12 rows"]);
    }

    #[test]
    fn numbers_keep_four_digits() {
        for (value, want) in [
            (0.0, "0"),
            (170_135.785, "170136"),
            (1234.56, "1235"),
            (123.45, "123.5"),
            (-12.346, "-12.35"),
            (0.5, "0.5000"),
            (0.001_571_4, "0.001571"),
            (8.4e-5, "8.400e-5"),
            (3e9, "3.000e9"),
            (f64::INFINITY, "∞"),
        ] {
            assert_eq!(number(value), want);
        }
    }
}
