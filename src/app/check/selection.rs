//! From a request and the file of limits to what is checked against what.

use std::path::{Path, PathBuf};

use super::CheckRequest;
use crate::app::measured::{each_once, scenario_member};
use crate::app::request::matching;
use crate::app::system::{NamedScenario, default_estimator, results_folder};
use crate::calibration::CalibrationRecord;
use crate::error::{Error, Result};
use crate::estimator;
use crate::evaluation::{CheckConfig, CheckInput, CheckMode, CheckSettings, StudyMember};
use crate::spec::{Catalog, Kind, ScenarioFolder, SpecFile};

/// The file of limits that is read where it lies in the current folder.
const CONFIG_FILE: &str = "perfmodel-check.toml";

/// Where scenarios come from: the catalogue and the folders that the file of limits names.
pub struct Selection<'a> {
    catalog: &'a Catalog,
    config: CheckConfig,
    /// What the request says.
    asked: CheckSettings,
}

impl<'a> Selection<'a> {
    /// Reads the file of limits: the named one, else the one of the current folder, else an empty one.
    pub fn new(catalog: &'a Catalog, request: &CheckRequest) -> Result<Self> {
        let path = match &request.config {
            Some(path) => Some(path.as_path()),
            None => Some(Path::new(CONFIG_FILE)).filter(|path| path.is_file()),
        };
        let config = match path {
            Some(path) => {
                let folder = path.parent().unwrap_or_else(|| Path::new(""));
                CheckConfig::read(&SpecFile::open(path)?, folder, &catalog.ids(Kind::Scenario))?
            }
            None => CheckConfig::default(),
        };
        Ok(Self { catalog, config, asked: request.settings()? })
    }

    /// What is to be checked; scenarios that were fitted together are together.
    pub fn inputs(&self, request: &CheckRequest) -> Result<Vec<CheckInput>> {
        let folders = self.folders(request)?;
        let members = folders
            .iter()
            .map(|folder| scenario_member(self.catalog, folder, 0))
            .collect::<Result<Vec<StudyMember>>>()?;
        let inputs = members.iter().map(|member| self.input(member, &members)).collect::<Result<_>>()?;
        Ok(together(inputs))
    }

    /// The scenarios to check, each once.
    pub fn folders(&self, request: &CheckRequest) -> Result<Vec<ScenarioFolder>> {
        let mut known = self.catalog.ids(Kind::Scenario);
        let own: Vec<String> = self.config.scenarios.keys().filter(|id| !known.contains(id)).cloned().collect();
        known.extend(own);
        let mut ids = Vec::new();
        if !request.scenario.is_empty() {
            for name in &request.scenario {
                ids.extend(matching("scenario", name, &known)?);
            }
        } else if let Some(path) = &request.baseline {
            ids = CalibrationRecord::open(path)?.scenarios.into_iter().map(|scenario| scenario.scenario).collect();
            if let Some(id) = ids.iter().find(|id| !known.contains(id)) {
                return Err(Error::input(format!(
                    "the baseline is of `{id}`, which is not a scenario that perfmodel knows"
                ))
                .at(path)
                .help("give its folder with --scenario; `perfmodel init DIR` writes one to fill in"));
            }
        } else if !self.config.scenarios.is_empty() {
            ids = self.config.scenarios.keys().cloned().collect();
        } else {
            ids = known.into_iter().filter(|id| self.default_baseline(id).is_some()).collect();
            if ids.is_empty() {
                return Err(Error::input("there is nothing to check: no scenario is named and none has a baseline").help(
                    "make a baseline with `perfmodel fit --scenario ID`, or give --scenario ID with a limit such as \
                     --max-itl-mape 5",
                ));
            }
        }
        let folders = ids.iter().map(|id| self.folder(id)).collect::<Result<Vec<_>>>()?;
        each_once(folders.iter().map(|folder| folder.id.as_str()).collect())?;
        Ok(folders)
    }

    /// The files of a scenario: of its own folder if the file of limits names one, else by its id or folder.
    fn folder(&self, id: &str) -> Result<ScenarioFolder> {
        let Some(dir) = self.config.scenarios.get(id).and_then(|settings| settings.folder.as_ref()) else {
            return Ok(NamedScenario::find(self.catalog, id)?.files);
        };
        let folder = Catalog::scenario_folder_at(dir)?;
        if folder.id != id {
            return Err(Error::input(format!("the scenario of this folder is called `{}`, not `{id}`", folder.id))
                .at(dir)
                .help(format!("write [scenario.{}] in the file of limits", folder.id)));
        }
        Ok(folder)
    }

    /// What the request and the file say. Limits of the file are on errors of the estimator that it names; with another one asked
    /// for, only the largest regression is left of them.
    fn settings(&self, id: &str) -> CheckSettings {
        let mut file = self.config.settings(id);
        let of_file = file.estimator.unwrap_or(default_estimator().name());
        if self.asked.estimator.is_some_and(|asked| asked != of_file) {
            file.limits = file.limits.only_regression();
        }
        self.asked.clone().or(file)
    }

    /// Where the results of a scenario lie, if they are there.
    fn default_baseline(&self, id: &str) -> Option<PathBuf> {
        let estimator = self.settings(id).estimator.unwrap_or(default_estimator().name());
        let path = results_folder(&[id, estimator]).join("calibration.toml");
        path.is_file().then_some(path)
    }

    /// Everything that the check of a scenario needs.
    fn input(&self, member: &StudyMember, all: &[StudyMember]) -> Result<CheckInput> {
        let settings = self.settings(&member.id);
        let (limits, mode) = (settings.limits, settings.mode.unwrap_or_default());
        let path = settings.baseline.or_else(|| self.default_baseline(&member.id));
        let baseline = path.map(|path| CalibrationRecord::open(&path).map(|record| (record, path))).transpose()?;
        let estimator = match (settings.estimator, &baseline) {
            (Some(name), _) => estimator::by_name(name)?,
            (None, Some((record, path))) => estimator::by_name(&record.estimator).map_err(|error| error.or_at(path))?,
            (None, None) => default_estimator(),
        };
        if baseline.is_none() {
            let missing = |what: &str| {
                let beside = results_folder(&[&member.id, estimator.name()]).join("calibration.toml");
                Error::input(format!("`{}` has no baseline: {what}", member.id))
                    .help(format!("give --baseline FILE, or make one with `perfmodel fit` ({})", beside.display()))
            };
            if mode == CheckMode::Evaluate {
                return Err(missing("mode evaluate predicts with its values"));
            }
            if limits.regression.is_some() {
                return Err(missing("the largest regression is counted from it"));
            }
            if limits.limited(mode).next().is_none() {
                return Err(missing("without one and without a limit such as --max-itl-mape 5 nothing could fail"));
            }
        }
        if mode == CheckMode::Evaluate && self.asked.limits.limits_left_out() {
            return Err(Error::input("mode evaluate fits nothing, so there are no left-out errors to limit")
                .help("drop --max-left-out-…, or use --mode refit"));
        }
        let members = match &baseline {
            Some((record, path))
                if mode == CheckMode::Refit && record.scenarios.iter().any(|one| one.scenario == member.id) =>
            {
                self.pool(record, path, all)?
            }
            _ => vec![member.clone()],
        };
        let baseline = baseline.map(|(record, path)| (path, record));
        Ok(CheckInput { members, checked: vec![(member.id.clone(), limits)], estimator, mode, baseline })
    }

    /// The scenarios that a baseline was fitted to together.
    fn pool(&self, record: &CalibrationRecord, path: &Path, all: &[StudyMember]) -> Result<Vec<StudyMember>> {
        record
            .scenarios
            .iter()
            .map(|recorded| {
                let here = all.iter().find(|member| member.id == recorded.scenario).cloned();
                let member = match here {
                    Some(member) => member,
                    None => self
                        .folder(&recorded.scenario)
                        .and_then(|folder| scenario_member(self.catalog, &folder, 0))
                        .map_err(|error| {
                            Error::input(format!(
                                "the baseline was fitted with `{}` too, which cannot be read: {}",
                                recorded.scenario,
                                error.message()
                            ))
                            .at(path)
                            .help("give its folder with --scenario, or use --mode evaluate, which needs only the scenario itself")
                        })?,
                };
                Ok(StudyMember { campaign: recorded.campaign, ..member })
            })
            .collect()
    }
}

/// Checks that share one baseline of several scenarios become one: they are fitted once.
fn together(inputs: Vec<CheckInput>) -> Vec<CheckInput> {
    let mut merged: Vec<CheckInput> = Vec::new();
    for input in inputs {
        let same = |other: &&mut CheckInput| {
            input.members.len() > 1
                && other.members.len() > 1
                && input.mode == other.mode
                && input.baseline.as_ref().map(|(path, _)| path) == other.baseline.as_ref().map(|(path, _)| path)
        };
        match merged.iter_mut().find(same) {
            Some(other) => other.checked.extend(input.checked),
            None => merged.push(input),
        }
    }
    merged
}
