//! From a path to the runs that lie there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::log::RequestLog;
use super::metadata::RunInfo;
use super::{Dimension, foreign, jsonl, source, table};
use crate::error::{Error, Result};

const RESPONSES: &str = "responses.jsonl";

/// One measured run.
#[derive(Debug, Clone)]
pub struct Run {
    /// Where it lies.
    pub path: PathBuf,
    /// Name of its folder or file.
    pub name: String,
    /// What is known of it as a whole.
    pub info: RunInfo,
    /// Its requests.
    pub log: RequestLog,
    /// What is wrong with its files.
    pub warnings: Vec<String>,
}

/// Runs of one endpoint at rising numbers of clients.
#[derive(Debug, Clone)]
pub struct LoadTest {
    /// Where it lies.
    pub path: PathBuf,
    /// Name of its folder.
    pub name: String,
    /// Clients and run, rising.
    pub levels: Vec<(u32, Run)>,
}

/// What lies at a path.
#[derive(Debug, Clone)]
pub enum Measured {
    /// A run.
    Run(Box<Run>),
    /// A folder of runs.
    LoadTest(LoadTest),
}

/// Reads a run's folder, a load test's folder, or a file of requests (`.jsonl`, `.csv`; each also `.gz` or `.zst`;
/// `.parquet`).
///
/// # Errors
/// There is nothing of the kind, or a file of it cannot be read.
pub fn open(path: &Path) -> Result<Measured> {
    if path.is_file() {
        return file(path).map(|run| Measured::Run(Box::new(run)));
    }
    if !path.is_dir() {
        return Err(Error::input("there is no such file or folder").at(path).help("give the folder of an LLMeter run"));
    }
    if is_run(path) {
        run(path).map(|run| Measured::Run(Box::new(run)))
    } else {
        load_test(path).map(Measured::LoadTest)
    }
}

/// Whether a folder is a run's or a load test's.
pub fn holds_requests(folder: &Path) -> bool {
    source::find(folder, RESPONSES).is_some()
}

fn is_run(folder: &Path) -> bool {
    [RESPONSES, "summary.json", "stats.json"].iter().any(|name| source::find(folder, name).is_some())
}

fn name_of(path: &Path) -> String {
    let whole = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    whole.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

fn file(path: &Path) -> Result<Run> {
    let plain = source::plain_name(path);
    let ending = plain.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    let no_info = RunInfo::default;
    let (log, info, warnings) = match ending.as_deref() {
        Some("csv") => (table::read(path)?, no_info(), Vec::new()),
        Some("parquet") => (table::read_parquet(path)?, no_info(), Vec::new()),
        Some("json") => {
            foreign::read_json(&source::read_bytes(path)?, path).map(|(log, info)| (log, info, Vec::new()))?
        }
        Some("jsonl" | "ndjson") => {
            let (log, warnings) = jsonl::read(path)?;
            // SGLang appends its runs: lines that are no requests, but hold lists of them.
            let text = if log.has_no_latency() { source::read_bytes(path)? } else { Vec::new() };
            if foreign::is_bench_serving(&text) {
                foreign::read_json(&text, path).map(|(log, info)| (log, info, Vec::new()))?
            } else {
                (log, no_info(), warnings)
            }
        }
        _ => {
            return Err(Error::input("this is no log of requests").at(path).help(
                "give a folder of LLMeter, or a file that ends in .jsonl, .json or .csv (.gz, .zst), or .parquet",
            ));
        }
    };
    checked(Run { path: path.to_owned(), name: name_of(path), info, log, warnings })
}

fn run(folder: &Path) -> Result<Run> {
    let responses = source::find(folder, RESPONSES).ok_or_else(|| {
        Error::input(format!("there is no {RESPONSES}"))
            .at(folder)
            .help("its statistics alone cannot be compared; copy the whole folder of the run")
    })?;
    let (log, mut warnings) = jsonl::read(&responses)?;
    let info = RunInfo::read(folder, &responses)?;
    let mut run = Run { path: folder.to_owned(), name: name_of(folder), info, log, warnings: Vec::new() };
    if run.info.clients.is_none() {
        run.info.clients = run.name.split_once("-clients").and_then(|(clients, _)| clients.parse().ok());
    }
    if run.info.interrupted {
        warnings.push(format!(
            "{}: there is no summary.json with a duration: interrupted, or copied in part; rates are not known",
            folder.display()
        ));
    }
    let lines = run.log.len();
    match run.info.total_requests {
        Some(total) if lines > total => {
            warnings.push(format!(
                "{}: {lines} requests where the summary counts {total}: LLMeter 0.1.4 and 0.1.8 to 0.2.0 write all levels of a \
                 load test into one folder. Read are the last {total}, those of the last level; the others cannot be told apart",
                folder.display()
            ));
            run.log.without_first(lines - total);
        }
        Some(total) if lines < total => {
            warnings.push(format!("{}: {lines} requests where the summary counts {total}", folder.display()));
        }
        _ => {}
    }
    run.warnings = warnings;
    checked(run)
}

/// A number as it is, or with an exponent where it would have very many digits.
pub(crate) fn shown(value: f64) -> String {
    if value == 0.0 || (1e-6..1e15).contains(&value.abs()) { value.to_string() } else { format!("{value:e}") }
}

fn checked(run: Run) -> Result<Run> {
    if run.log.is_empty() {
        return Err(Error::input("there is no request in it").at(&run.path).help("give a run that sent some"));
    }
    if run.log.has_no_latency() {
        return Err(Error::input("no request has a latency").at(&run.path).help(
            "fields are named as by LLMeter: time_to_first_token, time_to_last_token in seconds, num_tokens_output",
        ));
    }
    if let Some((request, dimension, value)) = run.log.impossible() {
        let wrong = format!("`{dimension}` of request {request} is {}, which no time or count is", shown(value));
        return Err(Error::input(wrong).at(&run.path).help("mend or delete the request"));
    }
    if let Some(seconds) = run.info.duration.filter(|seconds| !(seconds.is_finite() && *seconds > 0.0)) {
        return Err(Error::input(format!("the run took {} s, which no run does", shown(seconds)))
            .at(&run.path)
            .help("mend the times of the run; a duration of 0 stands for one that is not known"));
    }
    Ok(run)
}

fn load_test(folder: &Path) -> Result<LoadTest> {
    let entries = fs::read_dir(folder).map_err(|error| source::unreadable(folder, &error))?;
    let mut runs: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| is_run(path)).collect();
    runs.sort();
    if runs.is_empty() {
        return Err(Error::input("there is no run in this folder")
            .at(folder)
            .help("give a folder with a responses.jsonl, or one whose sub-folders have one each"));
    }
    let mut levels: BTreeMap<u32, Run> = BTreeMap::new();
    for path in runs {
        let run = run(&path)?;
        let clients = run.info.clients.ok_or_else(|| {
            Error::input("the number of clients of this run is not known")
                .at(&path)
                .help("name its folder as LLMeter does: 00016-clients")
        })?;
        if let Some(earlier) = levels.insert(clients, run) {
            return Err(Error::input(format!("two runs have {clients} clients, this and {}", earlier.name))
                .at(&path)
                .help("move one of them elsewhere, or compare them with each other"));
        }
    }
    Ok(LoadTest { path: folder.to_owned(), name: name_of(folder), levels: levels.into_iter().collect() })
}

impl Run {
    /// Requests a minute, failed ones among them; `None` where the duration is not known.
    pub fn requests_per_minute(&self) -> Option<f64> {
        self.per_minute(self.log.len() as f64)
    }

    /// Answered requests a minute.
    pub fn answers_per_minute(&self) -> Option<f64> {
        self.per_minute(self.log.failed().filter(|failed| !failed).count() as f64)
    }

    /// Tokens a minute of a dimension that counts them.
    pub fn tokens_per_minute(&self, tokens: Dimension) -> Option<f64> {
        self.per_minute(self.log.total(tokens))
    }

    /// Share of requests that failed.
    pub fn error_rate(&self) -> f64 {
        self.log.failed().filter(|failed| *failed).count() as f64 / self.log.len() as f64
    }

    /// How often something that happened so many times in the run happened in a minute.
    pub fn per_minute(&self, count: f64) -> Option<f64> {
        self.info.duration.map(|seconds| count / seconds * 60.0).filter(|rate| rate.is_finite())
    }
}
