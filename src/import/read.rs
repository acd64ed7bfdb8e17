//! From a path to the results that lie there: which tool wrote them, and what they say.

use std::fs;
use std::path::{Path, PathBuf};

use serde::de::IgnoredAny;

use super::imported::Imported;
use super::json::{Telling, values};
use super::reader::Reader;
use super::tool::Tool;
use super::{aiperf, bench_serving, guidellm, inference_perf, inferencemax, llmeter};
use crate::error::{Error, ErrorKind, Result};
use crate::requests::json::without_mark;
use crate::requests::{self, read_bytes};

/// Every reader of files, in the order in which they are asked whose a file is: one whose keys others have too comes behind those.
const READERS: [Reader; 7] = [
    inferencemax::READER,
    inference_perf::READER,
    guidellm::READER,
    aiperf::AIPERF,
    aiperf::GENAI_PERF,
    bench_serving::SGLANG,
    bench_serving::VLLM,
];

/// Folders below the one that is given.
const DEPTH: usize = 4;

/// Reads a file, or every result file of a folder; `tool` if it is known, else each file tells its own.
///
/// # Errors
/// Nothing there is a result of a tool that is known, or one is broken.
pub fn read(path: &Path, tool: Option<Tool>) -> Result<Imported> {
    if path.is_file() {
        return file(path, tool)?.ok_or_else(|| nobody(path));
    }
    if !path.is_dir() {
        return Err(Error::input("there is no such file or folder")
            .at(path)
            .help("give a result file, or a folder of them"));
    }
    let mut found = Vec::new();
    files(path, DEPTH, tool.is_none_or(|tool| tool == Tool::Llmeter), &mut found)?;
    if tool == Some(Tool::Llmeter) && found.iter().any(|path| path.is_dir()) {
        found.retain(|path| path.is_dir());
    }
    let mut imported = Imported::nothing();
    let mut broken = None;
    for path in chosen(found) {
        if path.is_dir() {
            imported.add(llmeter::summed(requests::open(&path)?));
            continue;
        }
        let text = read_bytes(&path)?;
        match whose(&text, &path, tool) {
            Ok(Some(tool)) => imported.add(parse_as(&text, &path, tool)?),
            Ok(None) => imported.unknown.push(path),
            // Other files may lie there too.
            Err(error) => {
                imported.warnings.extend(error.to_string().lines().next().map(str::to_owned));
                broken.get_or_insert(error);
            }
        }
    }
    match (imported.points.is_empty(), broken) {
        (false, _) => Ok(imported),
        (true, Some(error)) => Err(error),
        (true, None) => Err(nobody(path)),
    }
}

fn nobody(path: &Path) -> Error {
    if path.is_dir() {
        return Error::input("there is no result of a tool that is known in this folder")
            .at(path)
            .help(format!(
                "it is searched for .json, .jsonl and .csv files, also .gz and .zst, {DEPTH} folders deep; LLMeter's runs are folders"
            ));
    }
    let names: Vec<&str> = Tool::ALL.into_iter().map(Tool::name).collect();
    Error::input("this is no result file of a tool that is known")
        .at(path)
        .help(format!("name the tool with --as: {}", names.join(", ")))
}

/// Result files below a folder, in order, and where `runs` the folders that are runs of LLMeter.
fn files(folder: &Path, depth: usize, runs: bool, found: &mut Vec<PathBuf>) -> Result<()> {
    if runs && requests::holds_requests(folder) {
        found.push(folder.to_owned());
        return Ok(());
    }
    let entries = fs::read_dir(folder).map_err(|error| {
        Error::input(format!("cannot read this folder ({error})"))
            .of(ErrorKind::File)
            .because(error)
            .at(folder)
            .help("check that you may read it")
    })?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            if depth > 0 {
                files(&path, depth - 1, runs, found)?;
            }
        } else if ["json", "jsonl", "csv"].contains(&ending(&path).as_str()) {
            found.push(path);
        }
    }
    Ok(())
}

/// The ending of a file's name, that of compression left out, in lower case.
fn ending(path: &Path) -> String {
    let plain = requests::plain_name(path);
    plain.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default()
}

/// Leaves out what says the same again: a CSV beside the JSON of its name, the summary beside the stages of a run or the runs of a
/// sweep, and requests one by one beside their sums; and the warm-up beside the runs of a sweep.
fn chosen(mut found: Vec<PathBuf>) -> Vec<PathBuf> {
    let all = found.clone();
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let beside = |path: &Path, is: &dyn Fn(&str) -> bool| {
        all.iter().any(|other| other.parent() == path.parent() && other != path && is(&name(other)))
    };
    found.retain(|path| {
        let own = name(path);
        let stem = own.split('.').next().unwrap_or("").to_owned();
        let twin = |other: &str| other.starts_with(&format!("{stem}.json"));
        let sums =
            |other: &str| ["aiperf", "genai_perf"].iter().any(|tool| other.starts_with(&format!("{stem}_{tool}.json")));
        let stage = |other: &str| other.starts_with("stage_");
        let run = |other: &str| other.starts_with("run=");
        !(own.starts_with("per_request_")
            || beside(path, &sums)
            || (ending(path) == "csv" && beside(path, &twin))
            || (own.starts_with("summary_lifecycle") && beside(path, &stage))
            || (["summary", "warmup"].contains(&stem.as_str()) && beside(path, &run)))
    });
    found
}

/// Reads a file with the tool's reader; `None` where nobody knows it.
fn file(path: &Path, tool: Option<Tool>) -> Result<Option<Imported>> {
    if tool == Some(Tool::Llmeter) {
        return requests::open(path).map(|measured| Some(llmeter::summed(measured)));
    }
    parse(&read_bytes(path)?, path, tool)
}

/// Reads the text of a file, whose path tells a CSV and names it in messages; `tool` if it is known, else the text tells it.
/// `None` where nobody knows it. LLMeter's runs are folders, which [`read`] reads.
///
/// # Errors
/// The text is no result of that tool.
pub fn parse(text: &[u8], path: &Path, tool: Option<Tool>) -> Result<Option<Imported>> {
    match whose(text, path, tool)? {
        Some(Tool::Llmeter) | None => Ok(None),
        Some(tool) => parse_as(text, path, tool).map(Some),
    }
}

/// Reads the text of a file as the result of a tool; LLMeter's by its path, as its runs are more than a text.
fn parse_as(text: &[u8], path: &Path, tool: Tool) -> Result<Imported> {
    let Some(reader) = READERS.iter().find(|reader| reader.tool == tool) else {
        return requests::open(path).map(llmeter::summed);
    };
    match &reader.csv {
        Some(csv) if ending(path) == "csv" => (csv.read)(text, path),
        _ => (reader.read)(text, path),
    }
}

/// The tool that wrote a file: the one that is known, else the one that its keys tell.
///
/// # Errors
/// The file is empty, broken, holds requests one by one, or is of another tool than the one that is known.
fn whose(text: &[u8], path: &Path, tool: Option<Tool>) -> Result<Option<Tool>> {
    if let Some(tool) = tool {
        // What cannot be told is left to the reader of the tool.
        return match told(text, path).ok().flatten() {
            Some(other) if !tool.reads_also(other) => {
                Err(Error::input(format!("this is a result of {}, not of {}", other.title(), tool.title()))
                    .at(path)
                    .help(format!("say --as {other}, or leave --as out")))
            }
            _ => Ok(Some(tool)),
        };
    }
    if without_mark(text).trim_ascii().is_empty() {
        return Err(Error::input("this file is empty").at(path).help("give a result file"));
    }
    told(text, path)
}

/// The tool that the text of a file tells.
///
/// # Errors
/// The file is broken, or holds requests one by one.
fn told(text: &[u8], path: &Path) -> Result<Option<Tool>> {
    let text = without_mark(text);
    if ending(path) == "csv" {
        let tells = |reader: &&Reader| reader.csv.as_ref().is_some_and(|csv| (csv.tells)(text, path));
        return Ok(READERS.iter().find(tells).map(|reader| reader.tool));
    }
    if !matches!(text.trim_ascii_start().first(), Some(b'{' | b'[')) {
        return Ok(None);
    }
    // InferenceMAX writes lists too; serde would take a list for the fields of an object in their order.
    let telling = match values::<Vec<Telling>>(text, path) {
        Ok(lists) => lists.into_iter().flatten().next(),
        Err(_) => match values::<Telling>(text, path) {
            Ok(objects) => objects.into_iter().next(),
            // What is no JSON at all is refused with its place, other JSON is not of ours.
            Err(_) => values::<IgnoredAny>(text, path).map(|_| None)?,
        },
    };
    Ok(telling.map(|telling| tool_of_keys(&telling, path)).transpose()?.flatten())
}

/// The tool whose keys an object has.
fn tool_of_keys(telling: &Telling, path: &Path) -> Result<Option<Tool>> {
    if telling.metadata.is_some() && telling.metrics.is_some() {
        return Err(Error::input("these are the requests of AIPerf one by one")
            .at(path)
            .help("give the file that sums them up, profile_export_aiperf.json; `perfmodel compare` reads this one"));
    }
    Ok(READERS.iter().find(|reader| (reader.tells)(telling)).map(|reader| reader.tool))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_whose_results_are_files_has_one_reader() {
        let mut tools: Vec<Tool> = READERS.iter().map(|reader| reader.tool).collect();
        tools.push(Tool::Llmeter);
        tools.sort();
        let mut all = Tool::ALL.to_vec();
        all.sort();
        assert_eq!(tools, all);
    }
}
