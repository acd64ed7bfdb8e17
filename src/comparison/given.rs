//! From `NAME=RUN,RUN` to sides that can be compared.

use std::collections::BTreeSet;
use std::path::Path;

use super::{
    CompareGroup, CompareReport, LatencyLimits, LevelFigures, Settings, Side, cautions, compare, level_figures,
    reasoning_caution,
};
use crate::error::{Error, Result};
use crate::requests::{LoadTest, Measured, Run, open};

/// Everything that was given: runs, or load tests.
#[non_exhaustive]
pub enum Given {
    /// Sides of runs.
    Runs(Vec<Side>),
    /// Load tests by name.
    LoadTests(Vec<(String, LoadTest)>),
}

impl Given {
    /// Opens every side.
    ///
    /// # Errors
    /// Nothing is given, a path is no run, two sides have one name, or runs and load tests are mixed.
    pub fn open(texts: &[String], completed_only: bool) -> Result<Self> {
        if texts.is_empty() {
            return Err(Error::input("no run is given").help("give a folder of LLMeter, or a file of requests"));
        }
        let (mut sides, mut tests) = (Vec::new(), Vec::new());
        for text in texts {
            let (name, paths) = parse(text);
            let mut runs = Vec::new();
            for path in &paths {
                match open(Path::new(path))? {
                    Measured::Run(run) => runs.push(kept(*run, completed_only)),
                    Measured::LoadTest(test) if paths.len() == 1 => {
                        let levels = test.levels.into_iter().map(|(clients, run)| (clients, kept(run, completed_only)));
                        let test = LoadTest { levels: levels.collect(), ..test };
                        tests.push((name.map_or_else(|| test.name.clone(), str::to_owned), test));
                    }
                    Measured::LoadTest(_) => {
                        return Err(Error::input("a load test cannot be joined with other runs")
                            .at(path)
                            .help("give it as a side of its own"));
                    }
                }
            }
            if let Some(first) = runs.first() {
                let name = name.map_or_else(|| first.name.clone(), str::to_owned);
                sides.push(Side { name, runs });
            }
        }
        if !sides.is_empty() && !tests.is_empty() {
            return Err(Error::input(format!("{} is a load test, {} is not", tests[0].0, sides[0].name))
                .help("compare a run with one level of the load test, such as loadtest/00016-clients"));
        }
        if tests.is_empty() {
            let unique = apart(&sides.iter().map(|side| side.name.clone()).collect::<Vec<_>>(), texts)?;
            Ok(Self::Runs(sides.into_iter().zip(unique).map(|(side, name)| Side { name, ..side }).collect()))
        } else {
            let unique = apart(&tests.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(), texts)?;
            Ok(Self::LoadTests(tests.into_iter().zip(unique).map(|((_, test), name)| (name, test)).collect()))
        }
    }

    /// Fills in the clients of runs that do not tell them.
    pub fn assume_clients(&mut self, clients: u32) {
        if let Self::Runs(sides) = self {
            for run in sides.iter_mut().flat_map(|side| &mut side.runs) {
                let told = *run.info.clients.get_or_insert(clients);
                if told != clients {
                    run.warnings
                        .push(format!("{}: it had {told} clients, so --concurrency {clients} is not used", run.name));
                }
            }
        }
    }

    /// Whether a side has several runs.
    pub fn has_joined_runs(&self) -> bool {
        matches!(self, Self::Runs(sides) if sides.iter().any(|side| side.runs.len() > 1))
    }

    /// The run with the fewest requests, and how many it has.
    pub fn fewest_requests(&self) -> Option<(String, usize)> {
        let runs: Vec<&Run> = match self {
            Self::Runs(sides) => sides.iter().flat_map(|side| &side.runs).collect(),
            Self::LoadTests(tests) => tests.iter().flat_map(|test| test.1.levels.iter().map(|(_, run)| run)).collect(),
        };
        runs.into_iter().map(|run| (run.name.clone(), run.log.len())).min_by_key(|(_, requests)| *requests)
    }

    /// How many sides.
    pub fn count(&self) -> usize {
        match self {
            Self::Runs(sides) => sides.len(),
            Self::LoadTests(tests) => tests.len(),
        }
    }

    /// Compares what was given: runs once, load tests at each number of clients that the first and another have.
    ///
    /// # Errors
    /// Load tests have no number of clients in common.
    pub fn compare(self, settings: &Settings, limits: LatencyLimits) -> Result<CompareReport> {
        match self {
            Self::Runs(sides) => Ok(of_runs(sides, settings, limits)),
            Self::LoadTests(tests) => of_load_tests(&tests, settings, limits),
        }
    }
}

fn group(clients: Option<u32>, sides: Vec<Side>, settings: &Settings) -> CompareGroup {
    let comparison = compare(&sides, settings);
    let cautions = cautions(&sides, &comparison);
    CompareGroup { clients, sides, comparison, cautions, model: Vec::new() }
}

fn of_runs(sides: Vec<Side>, settings: &Settings, limits: LatencyLimits) -> CompareReport {
    CompareReport {
        settings: settings.clone(),
        load_tests: sides.iter().filter_map(|side| single_level(side, limits)).collect(),
        cautions: sides.iter().filter_map(|side| reasoning_caution(&side.name, side.counts().reasoning)).collect(),
        groups: vec![group(None, sides, settings)],
        model: None,
    }
}

fn of_load_tests(tests: &[(String, LoadTest)], settings: &Settings, limits: LatencyLimits) -> Result<CompareReport> {
    let figures =
        |test: &LoadTest| test.levels.iter().map(|(clients, run)| level_figures(*clients, run, limits)).collect();
    let mut groups = Vec::new();
    for (clients, _) in &tests[0].1.levels {
        let at_level = |(name, test): &(String, LoadTest)| {
            let (_, run) = test.levels.iter().find(|(other, _)| other == clients)?;
            Some(Side { name: name.clone(), runs: vec![run.clone()] })
        };
        let sides: Vec<Side> = tests.iter().filter_map(at_level).collect();
        if sides.len() > 1 || tests.len() == 1 {
            groups.push(group(Some(*clients), sides, settings));
        }
    }
    if groups.is_empty() {
        return Err(Error::input("the load tests have no number of clients in common")
            .help("run them with the same numbers, or look at each by itself"));
    }
    let reasoning = |(name, test): &(String, LoadTest)| {
        reasoning_caution(name, test.levels.iter().map(|(_, run)| run.log.counts().reasoning).sum())
    };
    Ok(CompareReport {
        settings: settings.clone(),
        load_tests: tests.iter().map(|(name, test)| (name.clone(), figures(test))).collect(),
        cautions: tests.iter().filter_map(reasoning).collect(),
        groups,
        model: None,
    })
}

/// Name and paths of a side. A path that is there is meant as it stands, whatever it holds.
fn parse(text: &str) -> (Option<&str>, Vec<&str>) {
    if Path::new(text).exists() {
        return (None, vec![text]);
    }
    let (name, paths) = match text.split_once('=') {
        Some((name, paths)) if !name.is_empty() => (Some(name), paths),
        _ => (None, text),
    };
    if Path::new(paths).exists() { (name, vec![paths]) } else { (name, paths.split(',').collect()) }
}

fn kept(run: Run, completed_only: bool) -> Run {
    if completed_only { Run { log: run.log.completed_only(), ..run } } else { run }
}

/// Names that differ: folders of the same name are told apart by the whole text that was given.
fn apart(names: &[String], texts: &[String]) -> Result<Vec<String>> {
    let distinct = |names: &[String]| names.iter().collect::<BTreeSet<_>>().len() == names.len();
    if distinct(names) {
        return Ok(names.to_vec());
    }
    let whole: Vec<String> = texts.iter().map(|text| text.trim_end_matches('/').to_owned()).collect();
    if distinct(&whole) {
        return Ok(whole);
    }
    Err(Error::input("two sides have the same name").help("name them: before=RUN after=RUN"))
}

/// The rates of a single run, where a limit asks for its goodput.
fn single_level(side: &Side, limits: LatencyLimits) -> Option<(String, Vec<LevelFigures>)> {
    let (clients, [run]) = (side.clients()?, &side.runs[..]) else { return None };
    (!limits.is_empty()).then(|| (side.name.clone(), vec![level_figures(clients, run, limits)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_joined_runs_are_taken_apart() {
        assert_eq!(parse("a,b"), (None, vec!["a", "b"]));
        assert_eq!(parse("old=a,b"), (Some("old"), vec!["a", "b"]));
        assert_eq!(parse("=a"), (None, vec!["=a"]));
        let folder = tempfile::tempdir().unwrap();
        let odd = folder.path().join("x=1,y=2");
        std::fs::create_dir(&odd).unwrap();
        let text = odd.display().to_string();
        assert_eq!(parse(&text), (None, vec![text.as_str()]));
        let with_name = format!("new={text}");
        assert_eq!(parse(&with_name), (Some("new"), vec![text.as_str()]));
    }

    #[test]
    fn folders_of_one_name_are_told_apart_by_their_paths() {
        let texts = ["x/run/".to_owned(), "y/run".to_owned()];
        let same = ["run".to_owned(), "run".to_owned()];
        assert_eq!(apart(&same, &texts).unwrap(), ["x/run", "y/run"]);
        assert!(apart(&same, &["x".to_owned(), "x/".to_owned()]).is_err());
    }
}
