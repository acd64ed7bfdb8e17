//! `report`: every result below a folder: pages by what they say of themselves, and data whose page was not made or not kept.

mod about;
mod known;

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

pub use about::{About, ResultKind};

use crate::bench::Results;
use crate::calibration::CalibrationRecord;
use crate::error::{Error, ErrorKind, Result};
use crate::evaluation::live::LiveRecord;

/// Folders below the one that is given.
const DEPTH: usize = 8;

/// Bytes of a page before its figures' script; what it is about stands in them.
const HEAD_BYTES: u64 = 256 << 10;

/// Files that hold a result whose page is missing.
const RESULTS: &str = "results.json";
const CALIBRATION: &str = "calibration.toml";

/// Where results are looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct ReportRequest {
    /// The folder that holds them, in folders of their own.
    pub folder: PathBuf,
}

impl ReportRequest {
    /// The folder unless another is given.
    pub const FOLDER: &str = "evaluations_results";
}

impl Default for ReportRequest {
    fn default() -> Self {
        Self { folder: Self::FOLDER.into() }
    }
}

/// What was found; `--format json` prints it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ReportAnswer {
    /// Every result below the folder, by kind, the newest first.
    pub results: Vec<FoundResult>,
    /// Results that could not be read.
    pub cautions: Vec<String>,
    /// Files that were written.
    pub files: Vec<PathBuf>,
}

/// A result.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
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
    /// When it was written, in seconds since 1970; null where that is not known.
    pub written: Option<u64>,
}

/// Gathers the results below a folder.
///
/// # Errors
/// The folder cannot be read, or holds none.
pub fn report(request: &ReportRequest) -> Result<ReportAnswer> {
    let root = &request.folder;
    if !root.is_dir() {
        return Err(Error::input("there is no such folder").at(root).help(
            "give the folder that results were written to; `perfmodel fit --scenario ID` makes evaluations_results",
        ));
    }
    let (mut results, mut unread) = (Vec::new(), Vec::new());
    search(root, Path::new(""), DEPTH, &mut results, &mut unread)?;
    if results.is_empty() {
        return Err(Error::input("there is no result in this folder")
            .at(root)
            .help("write some first: `perfmodel fit --scenario ID`, or any command with --plot"));
    }
    results.sort_by(|a, b| {
        let key = |result: &FoundResult| (result.about.kind, std::cmp::Reverse(result.written), result.file.clone());
        key(a).cmp(&key(b))
    });
    Ok(ReportAnswer { results, cautions: unread, files: Vec::new() })
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
        Error::input(format!("cannot read this folder ({error})"))
            .of(ErrorKind::File)
            .because(error)
            .at(&folder)
            .help("check that you may read it")
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
                Some(RESULTS) => Results::open(path).map(|results| About::of_run(&results)),
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
    CalibrationRecord::open(path).map(|record| About::of_fit(&record)).or_else(|error| {
        // Fits to live runs have a record of their own.
        LiveRecord::open(path).map(|record| About::of_live_fit(&record)).map_err(|_| error)
    })
}
