//! Every parser on damaged files. The bodies say what must hold; `fuzz/` runs the same ones under libFuzzer, and its small
//! corpora are the files that are damaged here.

mod bodies;
mod regressions;

use std::fs;
use std::path::{Path, PathBuf};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// What a number becomes.
const NUMBERS: [&str; 16] = [
    "0",
    "-1",
    "-0.0",
    "0.5",
    "1e308",
    "-1e308",
    "1e-320",
    "NaN",
    "nan",
    "inf",
    "Infinity",
    "1e999",
    "4294967295",
    "18446744073709551615",
    "99999999999999999999999999",
    "\"x\"",
];

/// What a text becomes.
const TEXTS: [&str; 8] = ["", "0", "\u{feff}", "µs", "null", "1970-01-01T00:00:00Z", "a,b\nc", "\"\""];

/// One change of a file.
#[derive(Debug, Clone)]
enum Change {
    Byte(Index, u8),
    Cut(Index, usize),
    Repeat(Index, usize),
    Number(Index, &'static str),
    Text(Index, &'static str),
    Line(Index),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        2 => (at(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        1 => (at(), 1..40_usize).prop_map(|(at, length)| Change::Cut(at, length)),
        1 => (at(), 1..200_usize).prop_map(|(at, length)| Change::Repeat(at, length)),
        6 => (at(), select(NUMBERS.to_vec())).prop_map(|(at, number)| Change::Number(at, number)),
        2 => (at(), select(TEXTS.to_vec())).prop_map(|(at, text)| Change::Text(at, text)),
        1 => at().prop_map(Change::Line),
    ]
}

/// Where numbers stand: each from its first character to behind its last.
fn numbers(bytes: &[u8]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let begins = bytes[at].is_ascii_digit()
            && (at == 0 || !(bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_'));
        if begins {
            let length = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit() || b".eE".contains(byte)).count();
            found.push((at, at + length));
            at += length;
        } else {
            at += 1;
        }
    }
    found
}

/// Where quoted texts stand, without their quotes.
fn texts(bytes: &[u8]) -> Vec<(usize, usize)> {
    let quotes: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] == b'"').collect();
    quotes.chunks_exact(2).map(|pair| (pair[0] + 1, pair[1])).collect()
}

fn changed(mut bytes: Vec<u8>, change: &Change) -> Vec<u8> {
    let instead = |bytes: &mut Vec<u8>, places: Vec<(usize, usize)>, at: &Index, new: &str| {
        if !places.is_empty() {
            let (from, to) = places[at.index(places.len())];
            bytes.splice(from..to, new.bytes());
        }
    };
    if bytes.is_empty() {
        return bytes;
    }
    match change {
        Change::Byte(at, byte) => {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        Change::Cut(at, length) => {
            let from = at.index(bytes.len());
            bytes.drain(from..(from + length).min(bytes.len()));
        }
        Change::Repeat(at, length) => {
            let from = at.index(bytes.len());
            let to = (from + length).min(bytes.len());
            let part = bytes[from..to].to_vec();
            bytes.splice(to..to, part);
        }
        Change::Number(at, number) => {
            let places = numbers(&bytes);
            instead(&mut bytes, places, at, number);
        }
        Change::Text(at, text) => {
            let places = texts(&bytes);
            instead(&mut bytes, places, at, text);
        }
        Change::Line(at) => {
            let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
            let line = lines[at.index(lines.len())].to_vec();
            bytes.extend(line);
        }
    }
    bytes
}

/// So many cases, or as many as PARSER_CASES says: what to set for a long run without libFuzzer.
fn cases(usual: u32) -> ProptestConfig {
    let cases = std::env::var("PARSER_CASES").map_or(usual, |cases| cases.parse().expect("PARSER_CASES is a number"));
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// The corpus of a target.
fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

macro_rules! targets {
    ($($target:ident: $cases:literal)*) => {
        const TARGETS: &[&str] = &[$(stringify!($target)),*];

        $(mod $target {
            use super::*;

            #[test]
            fn its_corpus_holds_up() {
                let files = corpus(stringify!($target));
                assert!(files.len() > 1, "a corpus of {} files", files.len());
                for (path, bytes) in files {
                    println!("{}", path.display());
                    bodies::$target(&bytes);
                }
            }

            #[test]
            fn its_damaged_corpus_holds_up() {
                let seeds = corpus(stringify!($target));
                proptest!(cases($cases), |(seed in any::<Index>(), changes in vec(change(), 1..5))| {
                    let seed = seeds[seed.index(seeds.len())].1.clone();
                    bodies::$target(&changes.iter().fold(seed, changed));
                });
            }

            #[test]
            fn its_corpus_with_one_wrong_number_or_text_holds_up() {
                for (path, bytes) in corpus(stringify!($target)) {
                    let numbers = numbers(&bytes).into_iter().flat_map(|place| NUMBERS.map(|new| (place, new)));
                    let texts = texts(&bytes).into_iter().flat_map(|place| TEXTS.map(|new| (place, new)));
                    for ((from, to), new) in numbers.chain(texts) {
                        println!("{}: {new:?} for bytes {from} to {to}", path.display());
                        bodies::$target(&[&bytes[..from], new.as_bytes(), &bytes[to..]].concat());
                    }
                }
            }

            #[test]
            fn random_bytes_hold_up() {
                proptest!(cases($cases), |(bytes in vec(any::<u8>(), 0..200))| {
                    bodies::$target(&bytes);
                });
            }
        })*
    };
}

targets! {
    measured_csv: 400
    spec_toml: 400
    config_json: 400
    results_json: 400
    requests: 300
    insights_csv: 400
    import_aiperf: 400
    import_bench_serving: 400
    import_guidellm: 400
    import_inference_perf: 400
    import_inferencemax: 400
}

#[test]
fn every_target_of_libfuzzer_runs_one_of_the_bodies() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/Cargo.toml")).unwrap();
    let manifest: toml::Table = toml::from_str(&manifest).unwrap();
    let names: Vec<&str> =
        manifest["bin"].as_array().unwrap().iter().map(|bin| bin["name"].as_str().unwrap()).collect();
    assert_eq!(names, TARGETS);
}
