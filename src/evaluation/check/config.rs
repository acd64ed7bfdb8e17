//! `perfmodel-check.toml`: limits for all scenarios, and for each its own.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::{CheckMode, Limits};
use crate::error::{Error, Result, nearest_hint};
use crate::estimator;
use crate::spec::{Problems, SpecFile};

/// What a file or flags say of the check of a scenario; `None`: nothing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CheckSettings {
    /// Limits.
    pub limits: Limits,
    /// Where the errors of today come from.
    pub mode: Option<CheckMode>,
    /// Name of the estimator.
    pub estimator: Option<&'static str>,
    /// `calibration.toml` to compare with.
    pub baseline: Option<PathBuf>,
    /// Folder of the scenario, if it is not among those that perfmodel knows.
    pub folder: Option<PathBuf>,
}

impl CheckSettings {
    /// These, and where they say nothing, others.
    pub fn or(self, other: Self) -> Self {
        Self {
            limits: self.limits.or(other.limits),
            mode: self.mode.or(other.mode),
            estimator: self.estimator.or(other.estimator),
            baseline: self.baseline.or(other.baseline),
            folder: self.folder.or(other.folder),
        }
    }
}

/// A checked `perfmodel-check.toml`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CheckConfig {
    /// For every scenario.
    pub defaults: CheckSettings,
    /// For single ones, by id.
    pub scenarios: BTreeMap<String, CheckSettings>,
}

/// A table of the file: the keys that the top level and every `[scenario.ID]` have, and those of its own. A macro, since
/// serde does not refuse unknown keys beside flattened ones.
macro_rules! table {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $kind:ty),* }) => {
        $(#[$doc])*
        #[derive(Deserialize, Default)]
        #[serde(default, deny_unknown_fields)]
        struct $name {
            estimator: Option<Spanned<String>>,
            mode: Option<CheckMode>,
            max_regression_points: Option<Spanned<f64>>,
            max_itl_mape_pct: Option<Spanned<f64>>,
            max_ttft_mape_pct: Option<Spanned<f64>>,
            max_ttft_median_pct: Option<Spanned<f64>>,
            max_throughput_mape_pct: Option<Spanned<f64>>,
            max_left_out_itl_mape_pct: Option<Spanned<f64>>,
            max_left_out_ttft_median_pct: Option<Spanned<f64>>,
            $($field: $kind,)*
        }

        impl $name {
            fn settings(&self, problems: &mut Problems<'_>) -> CheckSettings {
                let mut limit = |key: &str, value: &Option<Spanned<f64>>| {
                    let value = value.as_ref()?;
                    if !(value.get_ref().is_finite() && *value.get_ref() >= 0.0) {
                        let what = format!("is {}; it must be a number from 0 up", value.get_ref());
                        problems.note_at(start(&value.span()), key, what);
                    }
                    Some(*value.get_ref())
                };
                let limits = Limits {
                    regression: limit("max_regression_points", &self.max_regression_points),
                    itl_mape_pct: limit("max_itl_mape_pct", &self.max_itl_mape_pct),
                    ttft_mape_pct: limit("max_ttft_mape_pct", &self.max_ttft_mape_pct),
                    ttft_median_pct: limit("max_ttft_median_pct", &self.max_ttft_median_pct),
                    throughput_mape_pct: limit("max_throughput_mape_pct", &self.max_throughput_mape_pct),
                    left_out_itl_mape_pct: limit("max_left_out_itl_mape_pct", &self.max_left_out_itl_mape_pct),
                    left_out_ttft_median_pct: limit("max_left_out_ttft_median_pct", &self.max_left_out_ttft_median_pct),
                };
                let estimator = self.estimator.as_ref().and_then(|name| {
                    let known = estimator::all().map(|estimator| estimator.name());
                    let found = known.into_iter().find(|known| known == name.get_ref());
                    if found.is_none() {
                        let what = format!("is `{}`, which is none of {}", name.get_ref(), known.join(", "));
                        problems.note_at(start(&name.span()), "estimator", what);
                    }
                    found
                });
                CheckSettings { limits, mode: self.mode, estimator, baseline: None, folder: None }
            }
        }
    };
}

table!(
    /// The file as written.
    ConfigFile { scenario: BTreeMap<Spanned<String>, ScenarioTable> }
);
table!(
    /// One `[scenario.ID]` as written.
    ScenarioTable { baseline: Option<PathBuf>, dir: Option<PathBuf> }
);

/// Where a value begins.
fn start(span: &Range<usize>) -> Option<usize> {
    Some(span.start)
}

impl CheckConfig {
    /// Reads and checks a file. Its paths are relative to `folder`; a scenario is one of `known` or says its `dir`.
    ///
    /// # Errors
    /// Broken TOML, an unknown key or scenario, or values that cannot be; all values that cannot be come at once.
    pub fn read(file: &SpecFile, folder: &Path, known: &[String]) -> Result<Self> {
        let written: ConfigFile = file.parse().map_err(help)?;
        let mut problems = file.problems();
        let defaults = written.settings(&mut problems);
        let scenarios = written
            .scenario
            .iter()
            .map(|(id, table)| {
                if table.dir.is_none() && !known.contains(id.get_ref()) {
                    let near = nearest_hint(id.get_ref(), known.iter().map(String::as_str));
                    let what =
                        format!("is not a scenario that perfmodel knows; {near}for a folder of yours add dir = \"…\"");
                    problems.note_at(start(&id.span()), &format!("scenario.{}", id.get_ref()), what);
                }
                let settings = CheckSettings {
                    baseline: table.baseline.as_ref().map(|path| within(folder, path)),
                    folder: table.dir.as_ref().map(|path| within(folder, path)),
                    ..table.settings(&mut problems)
                };
                (id.get_ref().clone(), settings)
            })
            .collect();
        problems.finish()?;
        Ok(Self { defaults, scenarios })
    }

    /// What the file says of a scenario.
    pub fn settings(&self, scenario: &str) -> CheckSettings {
        self.scenarios.get(scenario).cloned().unwrap_or_default().or(self.defaults.clone())
    }
}

fn help(error: Error) -> Error {
    error.help("`perfmodel check --help` shows a file of limits with its keys")
}

/// A path of the file, seen from where perfmodel runs.
fn within(folder: &Path, path: &Path) -> PathBuf {
    if folder.as_os_str().is_empty() { path.to_owned() } else { folder.join(path) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<CheckConfig> {
        let file = SpecFile { label: "c.toml".into(), text: text.into() };
        CheckConfig::read(&file, Path::new("ci"), &["llama31_8b_fp8_tp1".to_owned()])
    }

    #[test]
    fn a_scenario_overrides_the_top_level() {
        let config = read(
            "max_regression_points = 1\nmax_itl_mape_pct = 5.0\nmode = \"evaluate\"\n\
             [scenario.llama31_8b_fp8_tp1]\nmax_itl_mape_pct = 3\nbaseline = \"b.toml\"\nmode = \"refit\"\n\
             [scenario.mine]\ndir = \"../mine\"\nestimator = \"roofline\"\n",
        )
        .unwrap();
        let shipped = config.settings("llama31_8b_fp8_tp1");
        assert_eq!((shipped.limits.regression, shipped.limits.itl_mape_pct), (Some(1.0), Some(3.0)));
        assert_eq!((shipped.mode, shipped.baseline), (Some(CheckMode::Refit), Some("ci/b.toml".into())));
        let mine = config.settings("mine");
        assert_eq!((mine.estimator, mine.folder), (Some("roofline"), Some("ci/../mine".into())));
        assert_eq!((mine.limits.itl_mape_pct, mine.mode), (Some(5.0), Some(CheckMode::Evaluate)));
        assert_eq!(config.settings("another"), config.defaults);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (text, want) in [
            ("max_itl_mape = 5\n", "c.toml:1:1: unknown field `max_itl_mape`"),
            ("\nmode = \"fit\"\n", "c.toml:2:8: unknown variant `fit`"),
            ("max_regression_points = \"much\"\n", "c.toml:1:25: invalid type: string \"much\""),
            ("max_regression_points = \n", "c.toml:1:25: string values must be quoted"),
            ("[scenario.llama31_8b_fp8_tp1]\ntitel = 1\n", "c.toml:2:1: unknown field `titel`"),
            ("baseline = \"b.toml\"\n", "c.toml:1:1: unknown field `baseline`"),
        ] {
            let message = read(text).unwrap_err().to_string();
            assert!(message.starts_with(want), "{message}");
            assert!(message.contains("help: `perfmodel check --help` shows"), "{message}");
        }
    }

    #[test]
    fn all_values_that_cannot_be_come_at_once() {
        let text = "max_itl_mape_pct = -1\nestimator = \"servig\"\n\n[scenario.\"lama31_8b_fp8_tp1\"]\nmax_regression_points = nan\n";
        assert_eq!(
            read(text).unwrap_err().to_string(),
            "c.toml:1:20: `max_itl_mape_pct` is -1; it must be a number from 0 up\n  help: mend the value in this file; \
             3 more: line 2: `estimator` is `servig`, which is none of serving, roofline; line 4: \
             `scenario.lama31_8b_fp8_tp1` is not a scenario that perfmodel knows; did you mean `llama31_8b_fp8_tp1`? for \
             a folder of yours add dir = \"…\"; line 5: `max_regression_points` is NaN; it must be a number from 0 up"
        );
    }
}
