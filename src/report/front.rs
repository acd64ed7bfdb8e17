//! Every result below a folder: pages by what they say of themselves, and data whose page was not made or not kept.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;

use crate::bench::Results;
use crate::calibration::{CalibrationRecord, ErrorSummary};
use crate::error::{Error, Result};
use crate::evaluation::live::LiveRecord;
use crate::number::percent;
use crate::report::html::about::{About, ResultKind};
use crate::report::html::live::page::about_run;
use crate::report::html::live::study::about_record;

/// Folders below the one that is given.
const DEPTH: usize = 8;

/// Bytes of a page before its figures' script; what it is about stands in them.
const HEAD_BYTES: u64 = 256 << 10;

/// Files that hold a result whose page is missing.
const RESULTS: &str = "results.json";
const CALIBRATION: &str = "calibration.toml";

/// A result.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FoundResult {
    /// What it is about.
    #[serde(flatten)]
    pub about: About,
    /// Its folder, relative to the one that was searched.
    pub folder: PathBuf,
    /// Its page, or the data where there is none, relative likewise.
    pub file: PathBuf,
    /// Whether `file` is a page.
    pub has_page: bool,
    /// Pictures of its figures, relative likewise.
    pub pictures: Vec<PathBuf>,
    /// When it was written, in seconds since 1970.
    pub written: Option<u64>,
}

/// Results below a folder, by kind, the newest first; and what could not be read.
///
/// # Errors
/// The folder cannot be read.
pub fn find_results(root: &Path) -> Result<(Vec<FoundResult>, Vec<String>)> {
    if !root.is_dir() {
        return Err(Error::input("there is no such folder").at(root).help(
            "give the folder that results were written to; `perfmodel fit --scenario ID` makes evaluations_results",
        ));
    }
    let (mut found, mut unread) = (Vec::new(), Vec::new());
    search(root, Path::new(""), DEPTH, &mut found, &mut unread)?;
    found.sort_by(|a, b| {
        let key = |result: &FoundResult| (result.about.kind, std::cmp::Reverse(result.written), result.file.clone());
        key(a).cmp(&key(b))
    });
    Ok((found, unread))
}

fn search(
    root: &Path,
    below: &Path,
    depth: usize,
    found: &mut Vec<FoundResult>,
    unread: &mut Vec<String>,
) -> Result<()> {
    let folder = root.join(below);
    let entries = fs::read_dir(&folder).map_err(|error| {
        Error::input(format!("cannot read this folder ({error})")).at(&folder).help("check that you may read it")
    })?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) = paths.into_iter().partition(|path| path.is_dir());
    let ends = |path: &Path, ending: &str| path.extension().is_some_and(|found| found == ending);
    let relative = |path: &Path| path.file_name().map_or_else(PathBuf::new, |name| below.join(name));
    let pictures: Vec<PathBuf> = files.iter().filter(|path| ends(path, "png")).map(|path| relative(path)).collect();
    let mut add = |path: &Path, about: About, has_page: bool| {
        found.push(FoundResult {
            about,
            folder: below.to_owned(),
            file: relative(path),
            has_page,
            pictures: pictures.clone(),
            written: fs::metadata(path).and_then(|data| data.modified()).ok().and_then(seconds),
        });
    };
    let mut pages = 0;
    for path in files.iter().filter(|path| ends(path, "html")) {
        if let Some(about) = head(path).as_deref().and_then(About::of_html) {
            add(path, about, true);
            pages += 1;
        }
    }
    if pages == 0 {
        for path in &files {
            let about = match path.file_name().and_then(|name| name.to_str()) {
                Some(RESULTS) => Results::open(path).map(|results| about_run(&results)),
                Some(CALIBRATION) => about_calibration(path),
                _ => continue,
            };
            match about {
                Ok(about) => add(path, about, false),
                Err(error) => unread.push(error.to_string()),
            }
        }
    }
    for path in folders.iter().filter(|_| depth > 0) {
        search(root, &relative(path), depth - 1, found, unread)?;
    }
    Ok(())
}

fn seconds(time: SystemTime) -> Option<u64> {
    time.duration_since(SystemTime::UNIX_EPOCH).ok().map(|since| since.as_secs())
}

/// The beginning of a page.
fn head(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(HEAD_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// What a calibration says of its fit.
fn about_calibration(path: &Path) -> Result<About> {
    CalibrationRecord::open(path).map(|record| about_fit(&record)).or_else(|error| {
        // Fits to live runs have a record of their own.
        LiveRecord::open(path).map(|record| about_record(&record)).map_err(|_| error)
    })
}

/// What is known of a fit from its record alone.
fn about_fit(record: &CalibrationRecord) -> About {
    let names: Vec<&str> = record.scenarios.iter().map(|scenario| scenario.scenario.as_str()).collect();
    let findings = record.scenarios.iter().map(|scenario| {
        let both = |errors: &ErrorSummary| {
            format!("TTFT {}, ITL {}", percent(errors.ttft_mape_pct), percent(errors.itl_mape_pct))
        };
        let held_out = scenario
            .errors
            .leave_one_workload_out
            .as_ref()
            .map_or_else(String::new, |errors| format!("; workloads that a fit did not see: {}", both(errors)));
        let name = if names.len() > 1 { format!("{}: ", scenario.scenario) } else { String::new() };
        format!(
            "{name}Mean absolute relative errors of {} rows: {} in sample{held_out}.",
            scenario.rows,
            both(&scenario.errors.fitted)
        )
    });
    let systems: Vec<String> = record
        .scenarios
        .iter()
        .map(|scenario| format!("{} on {}x {}", scenario.model, scenario.deployment.tensor_parallel, scenario.hardware))
        .collect();
    About {
        kind: ResultKind::Fit,
        title: format!("{} · {}", names.join(" + "), record.estimator),
        below: systems.join("; "),
        findings: findings.collect(),
        cautions: Vec::new(),
    }
}
