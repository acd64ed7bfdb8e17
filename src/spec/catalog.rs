//! From ids to files: the specifications embedded in the binary, and folders on disk that add to them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};

use super::file::SpecFile;
use super::{Hardware, HfConfig, ModelArchitecture, Scenario, ScenarioFile, System};
use crate::error::{Error, Result, did_you_mean};

static HARDWARE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/hardware");
static MODELS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/models");
static SCENARIOS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/tested_benchmarks");

const SCENARIO_FILE: &str = "scenario.toml";
const MEASURED_FILE: &str = "measured.csv";

/// What the catalogue holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Devices, `hardware/*.toml`.
    Hardware,
    /// Architectures, `models/*.toml`.
    Model,
    /// Measured scenarios, `tested_benchmarks/*/scenario.toml`.
    Scenario,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Hardware, Self::Model, Self::Scenario];

    /// The folder of this kind.
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Hardware => "hardware",
            Self::Model => "models",
            Self::Scenario => "tested_benchmarks",
        }
    }

    const fn noun(self) -> &'static str {
        match self {
            Self::Hardware => "hardware",
            Self::Model => "model",
            Self::Scenario => "scenario",
        }
    }

    fn embedded(self) -> &'static Dir<'static> {
        match self {
            Self::Hardware => &HARDWARE,
            Self::Model => &MODELS,
            Self::Scenario => &SCENARIOS,
        }
    }

    /// Path of the specification of `id` below its kind's folder.
    fn path(self, id: &str) -> PathBuf {
        match self {
            Self::Hardware | Self::Model => PathBuf::from(format!("{id}.toml")),
            Self::Scenario => Path::new(id).join(SCENARIO_FILE),
        }
    }
}

/// The two files of a scenario folder, as text.
#[derive(Debug, Clone)]
pub struct ScenarioFolder {
    /// Folder name.
    pub id: String,
    /// `scenario.toml`.
    pub scenario: SpecFile,
    /// `measured.csv`.
    pub measured: SpecFile,
}

/// The embedded specifications and, before them, those of a folder on disk.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    root: Option<PathBuf>,
}

impl Catalog {
    /// Only what is embedded in the library.
    pub fn built_in() -> Self {
        Self::default()
    }

    /// What is embedded, added to and overridden by `hardware/`, `models/` and `tested_benchmarks/` of a folder.
    ///
    /// # Errors
    /// The folder holds none of the three.
    pub fn with_folder(root: &Path) -> Result<Self> {
        if !Kind::ALL.iter().any(|kind| root.join(kind.folder()).is_dir()) {
            return Err(Error::input(format!(
                "`{}` holds none of hardware/, models/, tested_benchmarks/",
                root.display()
            ))
            .help("give a folder with at least one of them; `perfmodel init DIR` writes an example"));
        }
        Ok(Self { root: Some(root.to_owned()) })
    }

    /// Whether a folder holds all three folders of specifications.
    pub fn is_project_folder(root: &Path) -> bool {
        Kind::ALL.iter().all(|kind| root.join(kind.folder()).is_dir())
    }

    /// All ids of a kind, sorted.
    pub fn ids(&self, kind: Kind) -> Vec<String> {
        let mut ids = BTreeSet::new();
        match kind {
            Kind::Scenario => ids.extend(
                kind.embedded()
                    .dirs()
                    .filter(|dir| dir.get_file(dir.path().join(SCENARIO_FILE)).is_some())
                    .map(|dir| dir.path().display().to_string()),
            ),
            Kind::Hardware | Kind::Model => {
                ids.extend(kind.embedded().files().filter_map(|file| toml_stem(file.path())))
            }
        }
        let on_disk = self.root.as_ref().and_then(|root| fs::read_dir(root.join(kind.folder())).ok());
        for entry in on_disk.into_iter().flatten().flatten() {
            let path = entry.path();
            match kind {
                Kind::Scenario if path.join(SCENARIO_FILE).is_file() => {
                    ids.insert(entry.file_name().to_string_lossy().into_owned());
                }
                Kind::Scenario => {}
                Kind::Hardware | Kind::Model => ids.extend(toml_stem(&path)),
            }
        }
        ids.into_iter().collect()
    }

    /// A device by its id.
    ///
    /// # Errors
    /// No such id (with the nearest one), or the file is broken.
    pub fn hardware(&self, id: &str) -> Result<Hardware> {
        Hardware::read(id, &self.file(Kind::Hardware, id)?)
    }

    /// An architecture by its id.
    ///
    /// # Errors
    /// No such id (with the nearest one), or the file is broken.
    pub fn model(&self, id: &str) -> Result<ModelArchitecture> {
        ModelArchitecture::read(id, &self.file(Kind::Model, id)?)
    }

    /// An architecture from a Hugging Face configuration where the text is the path of one (see [`HfConfig::at`]),
    /// else by its id.
    ///
    /// # Errors
    /// No such id, or anything wrong with the file.
    pub fn model_or_config(&self, id_or_path: &str) -> Result<ModelArchitecture> {
        match HfConfig::at(id_or_path)? {
            Some(config) => Ok(config.model),
            None if Path::new(id_or_path).is_dir() && !self.ids(Kind::Model).iter().any(|id| id == id_or_path) => {
                Err(Error::input("the folder holds no config.json")
                    .at(id_or_path)
                    .help("give the folder into which the model was downloaded, or a name that `perfmodel list` shows"))
            }
            None => self.model(id_or_path),
        }
    }

    /// The two files of a scenario by its id.
    ///
    /// # Errors
    /// No such id (with the nearest one), or no `measured.csv` beside it.
    pub fn scenario_folder(&self, id: &str) -> Result<ScenarioFolder> {
        let scenario = self.file(Kind::Scenario, id)?;
        let measured = self.read(Kind::Scenario, &Path::new(id).join(MEASURED_FILE))?.ok_or_else(|| {
            Error::input(format!("scenario `{id}` has no {MEASURED_FILE}"))
                .help("put the measurements beside scenario.toml")
        })?;
        Ok(ScenarioFolder { id: id.to_owned(), scenario, measured })
    }

    /// The two files of a scenario folder anywhere on disk.
    ///
    /// # Errors
    /// A file is missing or cannot be read.
    pub fn scenario_folder_at(dir: &Path) -> Result<ScenarioFolder> {
        let absolute = fs::canonicalize(dir).map_err(|error| {
            Error::input(format!("cannot open the folder ({error})")).at(dir).help(
                "give a folder that holds scenario.toml and measured.csv; `perfmodel init DIR` writes one to fill in",
            )
        })?;
        let id = absolute.file_name().map_or_else(|| "scenario".to_owned(), |name| name.to_string_lossy().into_owned());
        let file = |name: &str| SpecFile::open(&dir.join(name));
        Ok(ScenarioFolder { id, scenario: file(SCENARIO_FILE)?, measured: file(MEASURED_FILE)? })
    }

    /// Checks a scenario file and resolves the model and hardware that it names.
    ///
    /// # Errors
    /// Anything wrong with the scenario file or with the files that it names.
    pub fn resolve(&self, folder: &ScenarioFolder) -> Result<Scenario> {
        let file = ScenarioFile::read(&folder.scenario)?;
        let here = |error: Error| error.or_at(&folder.scenario.label);
        let hardware = self.hardware(&file.hardware).map_err(here)?;
        let model = self.model(&file.model).map_err(here)?;
        let mut system = System::new(hardware, model, file.deployment.clone()).map_err(here)?;
        system.legacy = file.roofline;
        Ok(Scenario { id: folder.id.clone(), file, system })
    }

    fn file(&self, kind: Kind, id: &str) -> Result<SpecFile> {
        let plain = !id.is_empty() && !id.contains(['/', '\\']) && id != "..";
        let found = if plain { self.read(kind, &kind.path(id))? } else { None };
        found.ok_or_else(|| {
            let known = self.ids(kind);
            let help = match did_you_mean(id, known.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`? `perfmodel list` shows all"),
                None => format!("known: {}", known.join(", ")),
            };
            Error::input(format!("there is no {} `{id}`", kind.noun())).help(help)
        })
    }

    /// The file at `path` below the kind's folder: from disk if it is there, else embedded.
    fn read(&self, kind: Kind, path: &Path) -> Result<Option<SpecFile>> {
        if let Some(root) = &self.root {
            let on_disk = root.join(kind.folder()).join(path);
            if on_disk.is_file() {
                return SpecFile::open(&on_disk).map(Some);
            }
        }
        Ok(kind.embedded().get_file(path).map(|file| SpecFile {
            label: format!("built-in:{}/{}", kind.folder(), path.display()),
            text: String::from_utf8_lossy(file.contents()).into_owned(),
        }))
    }
}

fn toml_stem(path: &Path) -> Option<String> {
    let is_toml = path.extension().is_some_and(|ending| ending == "toml");
    is_toml.then(|| path.file_stem().map(|stem| stem.to_string_lossy().into_owned())).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_id_gets_the_nearest_one() {
        let message = Catalog::built_in().hardware("h100_sxm_80g").unwrap_err().to_string();
        assert!(message.contains("did you mean `h100_sxm_80gb`?"), "{message}");
    }

    #[test]
    fn an_id_cannot_leave_its_folder() {
        assert!(Catalog::built_in().model("../hardware/h100_sxm_80gb").is_err());
    }
}
