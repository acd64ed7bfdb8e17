//! Lists and ranges of numbers: `8`, `1,2,4..256`, `100,200..1000`, `1..8`, `64..4096*2`, `0..100+10`.

use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use crate::error::{Error, Result};

/// More values than this look like a slip.
const MOST: usize = 10_000;

/// Two values that differ by less than this share are one: what sums and powers of decimal fractions leave.
const SAME: f64 = 1e-9;

/// Numbers to go through, in the order in which they were given, none twice; none where nothing was given. In JSON a number, a list
/// of numbers, or a text:
///
/// | text | values |
/// |---|---|
/// | `1,2,4..256` | after values in geometric progression a range goes on geometrically |
/// | `100,200,300..1000` | after values in arithmetic progression it goes on arithmetically |
/// | `128,256..131072` | two values fit both: geometrically if that meets the end, else arithmetically if that does |
/// | `1..8` | alone: every whole number |
/// | `64..4096*2`, `0..100+10` | with a factor, with a step |
///
/// The last three values before a range decide; a range stops at the last value that is not above its end.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Numbers(Vec<f64>);

impl Numbers {
    /// A single value: what a flag left out stands for.
    pub fn one(value: f64) -> Self {
        Self(vec![value])
    }

    /// The values.
    pub fn values(&self) -> &[f64] {
        &self.0
    }

    /// Whether nothing was given.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The values, or others where nothing was given.
    pub fn or(&self, other: &[f64]) -> Vec<f64> {
        if self.is_empty() { other.to_vec() } else { self.0.clone() }
    }

    /// Of a list, each value once.
    fn of(list: Vec<f64>) -> Result<Self> {
        let mut values = Vec::new();
        for value in list {
            push(&mut values, value, "the list")?;
        }
        Ok(Self(values))
    }
}

/// The forms of numbers in JSON.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
enum Form {
    /// A number.
    One(f64),
    /// A list of numbers.
    Several(Vec<f64>),
    /// Lists and ranges as a text, such as `1,2,4..256`.
    Text(String),
}

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let read = match Form::deserialize(deserializer)? {
            Form::One(value) => Ok(Self::one(value)),
            Form::Several(list) => Self::of(list),
            Form::Text(text) => text.parse(),
        };
        read.map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Numbers {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Numbers".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Form::json_schema(generator)
    }
}

impl<'a> IntoIterator for &'a Numbers {
    type Item = f64;
    type IntoIter = std::iter::Copied<std::slice::Iter<'a, f64>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter().copied()
    }
}

impl FromStr for Numbers {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut values = Vec::new();
        // Single values since the last range: what a range that follows continues.
        let mut leading = Vec::new();
        for item in text.split(',').map(str::trim) {
            match item.split_once("..") {
                None => {
                    let value = number(item)?;
                    leading.push(value);
                    push(&mut values, value, text)?;
                }
                Some((start, rest)) => {
                    let range = Range::parse(item, start, rest, &leading)?;
                    for (steps, value) in range.values().enumerate() {
                        if steps == MOST {
                            return Err(too_many(text));
                        }
                        push(&mut values, value, text)?;
                    }
                    leading.clear();
                }
            }
        }
        Ok(Self(values))
    }
}

fn push(values: &mut Vec<f64>, value: f64, text: &str) -> Result<()> {
    if values.iter().any(|known| same(*known, value)) {
        return Ok(());
    }
    if values.len() == MOST {
        return Err(too_many(text));
    }
    values.push(value);
    Ok(())
}

fn too_many(text: &str) -> Error {
    Error::input(format!("`{text}` has more than {MOST} values"))
        .help("take larger steps, such as 1,2,4..4096 or 64..65536*2")
}

fn number(text: &str) -> Result<f64> {
    let refused = |why: &str| {
        Err(Error::input(why).help("write numbers, lists and ranges like 8 or 1,2,4..256 or 100..1000+100"))
    };
    match text.trim().parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        Ok(_) => refused(&format!("`{text}` is not finite")),
        Err(_) if text.trim().is_empty() => refused("a number is missing"),
        Err(_) => refused(&format!("`{text}` is not a number")),
    }
}

/// Equal but for rounding.
fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= SAME * a.abs().max(b.abs())
}

/// Twelve digits: `0.1 + 0.2` is 0.3.
fn rounded(value: f64) -> f64 {
    format!("{value:.11e}").parse().expect("a formatted number is a number")
}

/// How a range goes on.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Progression {
    Factor(f64),
    Step(f64),
}

impl Progression {
    /// The value after `steps` steps.
    fn at(self, start: f64, steps: usize) -> f64 {
        rounded(match self {
            Self::Factor(factor) => start * factor.powf(steps as f64),
            Self::Step(step) => start + step * steps as f64,
        })
    }

    /// Whether it meets `end`.
    fn meets(self, start: f64, end: f64) -> bool {
        let steps = match self {
            Self::Factor(factor) => (end / start).ln() / factor.ln(),
            Self::Step(step) => (end - start) / step,
        };
        same(self.at(start, steps.round() as usize), end)
    }
}

/// From `start` to `end`.
struct Range {
    start: f64,
    end: f64,
    progression: Progression,
}

impl Range {
    /// `item` is the text of the range; `rest` what stands behind its dots.
    fn parse(item: &str, start: &str, rest: &str, leading: &[f64]) -> Result<Self> {
        let (start, explicit) = (number(start)?, rest.find(['*', '+']));
        let end = number(&rest[..explicit.unwrap_or(rest.len())])?;
        if end < start {
            return Err(Error::input(format!("the range `{item}` falls"))
                .help(format!("write it from the smaller to the larger value: {end}..{start}")));
        }
        let progression = match explicit {
            Some(at) => Self::given(item, start, &rest[at..])?,
            None => Self::continued(item, start, end, leading)?,
        };
        Ok(Self { start, end, progression })
    }

    /// `*2` or `+10`.
    fn given(item: &str, start: f64, text: &str) -> Result<Progression> {
        let value = number(&text[1..])?;
        if text.starts_with('+') {
            return if value > 0.0 {
                Ok(Progression::Step(value))
            } else {
                Err(Error::input(format!("the step of `{item}` is {value}")).help("give a step above 0"))
            };
        }
        if value <= 1.0 {
            return Err(Error::input(format!("the factor of `{item}` is {value}")).help("give a factor above 1"));
        }
        if start <= 0.0 {
            return Err(
                Error::input(format!("`{item}` multiplies {start}")).help("begin above 0, or give a step: 0..100+10")
            );
        }
        Ok(Progression::Factor(value))
    }

    /// What the values before the range and its start have in common.
    fn continued(item: &str, start: f64, end: f64, leading: &[f64]) -> Result<Progression> {
        let known = [&leading[leading.len().saturating_sub(2)..], &[start]].concat();
        let list = known.iter().map(f64::to_string).collect::<Vec<_>>().join(",");
        let (before, last) = match known.as_slice() {
            [_] if start.fract() == 0.0 => return Ok(Progression::Step(1.0)),
            [_] => {
                return Err(Error::input(format!("the range `{item}` has no step"))
                    .help(format!("write one: {start}..{end}+0.5, or {start}..{end}*2")));
            }
            [.., before, last] => (*before, *last),
            [] => unreachable!("the start is among them"),
        };
        if last <= before {
            return Err(Error::input(format!("the values {list} before the end of a range do not rise"))
                .help("write them from small to large"));
        }
        let factor = (before > 0.0).then_some(Progression::Factor(last / before));
        let step = Progression::Step(last - before);
        if let [first, before, last] = known.as_slice() {
            return match factor {
                Some(factor) if *first > 0.0 && same(before / first, last / before) => Ok(factor),
                _ if same(before - first, last - before) => Ok(step),
                _ => Err(Error::input(format!("the values {list} are in no progression that a range could continue"))
                    .help(format!("write a step or a factor: {last}..{end}+1 or {last}..{end}*2"))),
            };
        }
        [factor, Some(step)].into_iter().flatten().find(|p| p.meets(before, end)).ok_or_else(|| {
            Error::input(format!("`{list}..{end}` does not say how to go on: no step and no factor ends at {end}"))
                .help(format!("write a third value, or {before}..{end}+{}, or {before}..{end}*2", last - before))
        })
    }

    /// The values, from the start to the last that is not above the end.
    fn values(&self) -> impl Iterator<Item = f64> {
        let Self { start, end, progression } = *self;
        (0..).map(move |steps| progression.at(start, steps)).take_while(move |value| *value <= end || same(*value, end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_ranges_read_as_they_look() {
        let cases: [(&str, &[f64]); 19] = [
            ("8", &[8.0]),
            (" 1, 2 ,0.5", &[1.0, 2.0, 0.5]),
            ("1..8", &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]),
            ("5..5", &[5.0]),
            ("1,2,4..64", &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0]),
            ("1,3,9..100", &[1.0, 3.0, 9.0, 27.0, 81.0]),
            ("10,20,30..60", &[10.0, 20.0, 30.0, 40.0, 50.0, 60.0]),
            ("0,10,20..40", &[0.0, 10.0, 20.0, 30.0, 40.0]),
            // Two values: the progression that meets the end, the geometric one first.
            ("128,256..1024", &[128.0, 256.0, 512.0, 1024.0]),
            ("100,200..500", &[100.0, 200.0, 300.0, 400.0, 500.0]),
            // The last three values decide.
            ("1,10,20,30..50", &[1.0, 10.0, 20.0, 30.0, 40.0, 50.0]),
            ("64..512*2", &[64.0, 128.0, 256.0, 512.0]),
            ("0..100+25", &[0.0, 25.0, 50.0, 75.0, 100.0]),
            ("0.1..0.5+0.1", &[0.1, 0.2, 0.3, 0.4, 0.5]),
            ("1..30*10", &[1.0, 10.0]),
            ("0.5..4*2", &[0.5, 1.0, 2.0, 4.0]),
            // A range begins anew after a range.
            ("1..3,10..12", &[1.0, 2.0, 3.0, 10.0, 11.0, 12.0]),
            ("1..3,3,2,7", &[1.0, 2.0, 3.0, 7.0]),
            ("1e3,2e3..8e3", &[1e3, 2e3, 4e3, 8e3]),
        ];
        for (text, want) in cases {
            let read = text.parse::<Numbers>().unwrap();
            assert_eq!(read.values(), want, "{text}");
            assert_eq!((&read).into_iter().collect::<Vec<_>>(), want);
        }
    }

    #[test]
    fn a_number_a_list_and_a_text_are_read_from_json() {
        for (json, want) in
            [("8", &[8.0][..]), ("[1, 2, 2]", &[1.0, 2.0]), (r#""1,2,4..16""#, &[1.0, 2.0, 4.0, 8.0, 16.0])]
        {
            assert_eq!(serde_json::from_str::<Numbers>(json).unwrap().values(), want);
        }
        let message = serde_json::from_str::<Numbers>(r#""many""#).unwrap_err().to_string();
        assert!(message.starts_with("`many` is not a number"), "{message}");
    }

    #[test]
    fn ten_thousand_values_are_read_and_no_more() {
        assert_eq!("1..10000".parse::<Numbers>().unwrap().values().len(), MOST);
        let message = "1..10001".parse::<Numbers>().unwrap_err().to_string();
        assert!(message.starts_with("`1..10001` has more than 10000 values\n  help: take larger steps"), "{message}");
        for text in ["128..1e300", "1e15..1e18"] {
            assert!(text.parse::<Numbers>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_said_with_what_to_write() {
        for (text, message, help) in [
            ("", "a number is missing", "1,2,4..256"),
            ("1,,2", "a number is missing", "1,2,4..256"),
            ("..8", "a number is missing", "1,2,4..256"),
            ("8..", "a number is missing", "1,2,4..256"),
            ("many", "`many` is not a number", "1,2,4..256"),
            ("1-8", "`1-8` is not a number", "1,2,4..256"),
            ("1,inf", "`inf` is not finite", "1,2,4..256"),
            ("8..1", "the range `8..1` falls", "1..8"),
            ("0.5..2", "the range `0.5..2` has no step", "0.5..2+0.5"),
            ("1,2,5..9", "the values 1,2,5 are in no progression that a range could continue", "5..9+1 or 5..9*2"),
            ("4,4..8", "the values 4,4 before the end of a range do not rise", "from small to large"),
            ("10,20..95", "`10,20..95` does not say how to go on: no step and no factor ends at 95", "10..95+10"),
            ("1..9*1", "the factor of `1..9*1` is 1", "above 1"),
            ("1..9+0", "the step of `1..9+0` is 0", "above 0"),
            ("0..8*2", "`0..8*2` multiplies 0", "0..100+10"),
            ("1..8*x", "`x` is not a number", "1,2,4..256"),
        ] {
            let error = text.parse::<Numbers>().unwrap_err().to_string();
            let (found, remedy) = error.split_once("\n  help: ").unwrap();
            assert_eq!(found, message, "{text}");
            assert!(remedy.contains(help), "{text}: {remedy}");
        }
    }
}
