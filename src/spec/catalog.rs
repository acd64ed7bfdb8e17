//! From ids to files: the specifications embedded in the binary, and folders on disk that add to them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use include_dir::{Dir, include_dir};

use super::file::SpecFile;
use super::hf_config::config_path;
use super::names::{Meaning, Named, hint, meaning};
use super::{Deployment, Hardware, ModelArchitecture, Scenario, ScenarioFile, System, hf_config_at};
use crate::error::{Error, ErrorKind, Result};

static HARDWARE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/hardware");
static MODELS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/models");
static SCENARIOS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/tested_benchmarks");

const SCENARIO_FILE: &str = "scenario.toml";
const MEASURED_FILE: &str = "measured.csv";
/// What the label of an embedded file begins with.
const EMBEDDED: &str = "built-in:";

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

/// The embedded specifications and, before them, those of a folder on disk. The names in its files are read once, when one is looked
/// up that is no id.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    root: Option<PathBuf>,
    names: Arc<[OnceLock<Vec<Named>>; 3]>,
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
        Ok(Self { root: Some(root.to_owned()), names: Arc::default() })
    }

    /// The folder whose files add to the built-in ones.
    pub fn root(&self) -> Option<&Path> {
        self.root.as_deref()
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
                Kind::Hardware | Kind::Model if path.is_file() => ids.extend(toml_stem(&path)),
                // A folder, or a link to nothing.
                Kind::Scenario | Kind::Hardware | Kind::Model => {}
            }
        }
        ids.into_iter().collect()
    }

    /// A device by the path of its file where the text ends in `.toml`, else by its id, else by a name that means it: an alias, or
    /// its product with some of its other words (`h100-sxm`, `H100 80GB`), in any case and with any signs between. Where several
    /// devices fit, it is the one that is `usual_for` this name, and [`Self::remark_on`] says so.
    ///
    /// # Errors
    /// No such name (with the nearest id), several devices without a usual one, or the file is broken.
    pub fn hardware(&self, name: &str) -> Result<Hardware> {
        let path = Path::new(name);
        if let Some(id) = toml_stem(path) {
            return Hardware::read(&id, &SpecFile::open(path)?);
        }
        let (meant, file) = self.file(Kind::Hardware, name)?;
        Hardware::read(&meant.id, &file)
    }

    /// An architecture by its id, else by a name that means it: an alias, or one that differs in organisation, case, signs and
    /// words that say nothing of the shape (`Instruct`, `FP8-dynamic`). A format in the name is that of the published weights.
    ///
    /// # Errors
    /// No such name (with the nearest id), or the file is broken.
    pub fn model(&self, name: &str) -> Result<ModelArchitecture> {
        let (meant, file) = self.file(Kind::Model, name)?;
        let mut model = ModelArchitecture::read(&meant.id, &file)?;
        model.stored_precision = meant.format.or(model.stored_precision);
        Ok(model)
    }

    /// What somebody who names a device or a model like this should know: which of several devices it is taken for, that a model
    /// only has the shape of the one that is taken, or in which format the name says its weights to be. `None` for a path.
    pub fn remark_on(&self, kind: Kind, name: &str) -> Option<String> {
        let is_path = match kind {
            Kind::Hardware => toml_stem(Path::new(name)).is_some(),
            Kind::Model => config_path(name).is_some(),
            Kind::Scenario => false,
        };
        if is_path { None } else { self.find(kind, name).ok()??.0.remark }
    }

    /// An architecture from a Hugging Face configuration where the text is the path of one (see [`hf_config_at`]),
    /// else by its name.
    ///
    /// # Errors
    /// No such name, or anything wrong with the file.
    pub fn model_or_config(&self, name_or_path: &str) -> Result<ModelArchitecture> {
        match hf_config_at(name_or_path)? {
            Some(model) => Ok(model),
            None if Path::new(name_or_path).is_dir()
                && !self.names(Kind::Model).iter().any(|file| file.is_called(name_or_path)) =>
            {
                Err(Error::input("the folder holds no config.json")
                    .at(name_or_path)
                    .help("give the folder into which the model was downloaded, or a name that `perfmodel list` shows"))
            }
            None => self.model(name_or_path),
        }
    }

    /// Whether a scenario has this id.
    pub fn has_scenario(&self, id: &str) -> bool {
        self.ids(Kind::Scenario).iter().any(|known| known == id)
    }

    /// The two files of a scenario by its id.
    ///
    /// # Errors
    /// No such id (with the nearest one), or no `measured.csv` beside it.
    pub fn scenario_folder(&self, id: &str) -> Result<ScenarioFolder> {
        let (_, scenario) = self.file(Kind::Scenario, id)?;
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
            Error::input(format!("cannot open the folder ({error})")).of(ErrorKind::File).because(error).at(dir).help(
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
        let system = Deployment::try_from(&file.deployment)
            .and_then(|deployment| System::new(hardware, model, deployment))
            .map_err(here)?;
        let system = system.with_notebook(file.roofline);
        Ok(Scenario { id: folder.id.clone(), file, system })
    }

    /// What a name means, and the file.
    fn file(&self, kind: Kind, name: &str) -> Result<(Meaning, SpecFile)> {
        self.find(kind, name)?.ok_or_else(|| {
            Error::input(format!("there is no {} `{name}`", kind.noun())).of(ErrorKind::UnknownName).help(hint(
                kind,
                name,
                &self.ids(kind),
                self.names(kind),
            ))
        })
    }

    /// What a name means, and the file: an id, else another name of the kind.
    fn find(&self, kind: Kind, name: &str) -> Result<Option<(Meaning, SpecFile)>> {
        let plain = !name.is_empty() && !name.contains(['/', '\\']) && name != "..";
        if plain && let Some(file) = self.read(kind, &kind.path(name))? {
            return Ok(Some((Meaning::plain(name), file)));
        }
        match meaning(kind, name, self.names(kind))? {
            Some(meant) => Ok(self.read(kind, &kind.path(&meant.id))?.map(|file| (meant, file))),
            None => Ok(None),
        }
    }

    /// The names in all files of a kind.
    fn names(&self, kind: Kind) -> &[Named] {
        self.names[kind as usize].get_or_init(|| self.read_names(kind))
    }

    /// The names in all files of a kind; files on disk come first. A file that cannot be read has none: that is an error only for
    /// who asks for this file.
    fn read_names(&self, kind: Kind) -> Vec<Named> {
        if kind == Kind::Scenario {
            return Vec::new();
        }
        let (mut on_disk, mut embedded) = (Vec::new(), Vec::new());
        for id in self.ids(kind) {
            let Ok(Some(file)) = self.read(kind, &kind.path(&id)) else { continue };
            let Ok(mut named) = file.parse::<Named>() else { continue };
            let here = if file.label.starts_with(EMBEDDED) { &mut embedded } else { &mut on_disk };
            named.id = id;
            here.push(named);
        }
        on_disk.append(&mut embedded);
        on_disk
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
            label: format!("{EMBEDDED}{}/{}", kind.folder(), path.display()),
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
    use crate::spec::Precision;

    #[test]
    fn a_misspelt_id_gets_the_nearest_one() {
        let message = Catalog::built_in().hardware("h100_sxm_80g").unwrap_err().to_string();
        assert!(message.contains("did you mean `h100_sxm_80gb`?"), "{message}");
    }

    #[test]
    fn a_name_is_an_id_or_an_alias_in_any_case() {
        let catalog = Catalog::built_in();
        for (name, id) in [
            ("h100_sxm_80gb", "h100_sxm_80gb"),
            ("NVIDIA H100 80GB HBM3", "h100_sxm_80gb"),
            ("nvidia h100 80gb hbm3", "h100_sxm_80gb"),
            ("l40", "l40_48gb"),
            ("L40S", "l40s_48gb"),
        ] {
            assert_eq!(catalog.hardware(name).unwrap().id, id, "{name}");
            assert_eq!(catalog.remark_on(Kind::Hardware, name), None, "{name}");
        }
        for name in ["meta-llama/Llama-3.1-8B-Instruct", "llama-3.1-8b", "META-LLAMA/LLAMA-3.1-8B"] {
            assert_eq!(catalog.model(name).unwrap().id, "llama31_8b", "{name}");
            assert_eq!(catalog.model_or_config(name).unwrap().id, "llama31_8b", "{name}");
            assert_eq!(catalog.remark_on(Kind::Model, name), None, "{name}");
        }
        for name in ["NVIDIA", "SXM", "80GB", ""] {
            assert!(catalog.hardware(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_misspelt_alias_gets_the_id() {
        let catalog = Catalog::built_in();
        let message = catalog.model("meta-llama/Llama-3.3-70B-Instuct").unwrap_err().to_string();
        assert!(message.contains("there is no model `meta-llama/Llama-3.3-70B-Instuct`"), "{message}");
        assert!(message.contains("did you mean `llama33_70b`?"), "{message}");
        let message = catalog.hardware("nvida a100-sxm4-40gb").unwrap_err().to_string();
        assert!(message.contains("did you mean `a100_sxm_40gb`?"), "{message}");
    }

    #[test]
    fn a_device_by_the_name_that_people_type_is_the_usual_one_and_the_others_are_named() {
        let catalog = Catalog::built_in();
        for (name, id, others) in [
            ("H100", "h100_sxm_80gb", "there are also h100_nvl_94gb and h100_pcie_80gb"),
            ("nvidia-h100", "h100_sxm_80gb", "there are also h100_nvl_94gb and h100_pcie_80gb"),
            ("H100 80GB", "h100_sxm_80gb", "there is also h100_pcie_80gb"),
            ("h100-sxm", "h100_sxm_80gb", ""),
            ("H100SXM", "h100_sxm_80gb", ""),
            ("H100_SXM_80GB", "h100_sxm_80gb", ""),
            ("H100 PCIe", "h100_pcie_80gb", ""),
            ("h100-94gb", "h100_nvl_94gb", ""),
            ("A100", "a100_sxm_80gb", "there is also a100_sxm_40gb"),
            ("A100 SXM", "a100_sxm_80gb", "there is also a100_sxm_40gb"),
            ("A100 80GB", "a100_sxm_80gb", ""),
            ("a100-40gb", "a100_sxm_40gb", ""),
            ("nvidia a100-sxm4-40 gb", "a100_sxm_40gb", ""),
            ("b200", "b200_sxm_180gb", ""),
            ("H200 SXM5", "h200_sxm_141gb", ""),
            ("GH200", "gh200_96gb", ""),
            ("rtx 4090 24GB", "rtx4090_24gb", ""),
            ("4090", "", "shows all"),
            ("amd mi300x", "mi300x_192gb", ""),
            ("A10G", "a10g_24gb", ""),
            ("l4", "l4_24gb", ""),
            ("L40-48GB", "l40_48gb", ""),
            ("H20", "", "`perfmodel list hardware` shows all; another one"),
            ("H800", "", "`perfmodel list hardware` shows all; another one"),
            ("A10", "", "`perfmodel list hardware` shows all; another one"),
            ("V100", "", "`perfmodel list hardware` shows all; another one"),
            ("GB200", "", "`perfmodel list hardware` shows all; another one"),
            ("MI300A", "", "`perfmodel list hardware` shows all; another one"),
            ("RTX 5090", "", "`perfmodel list hardware` shows all; another one"),
            ("H100 96GB", "", "of this name there are h100_nvl_94gb, h100_pcie_80gb and h100_sxm_80gb; "),
            ("A100 PCIe", "", "of this name there are a100_sxm_40gb and a100_sxm_80gb; "),
            ("h100_sxm_80", "", "did you mean `h100_sxm_80gb`?"),
            ("l4_42gb", "", "did you mean `l4_24gb`?"),
        ] {
            let found = catalog.hardware(name).map(|device| device.id);
            let said = match &found {
                Ok(_) => catalog.remark_on(Kind::Hardware, name).unwrap_or_default(),
                Err(error) => error.to_string(),
            };
            assert_eq!(found.unwrap_or_default(), id, "{name}: {said}");
            assert!(said.contains(others) && (others.is_empty() == said.is_empty()), "{name}: {said}");
        }
        assert_eq!(
            catalog.remark_on(Kind::Hardware, "H100 80GB").unwrap(),
            "`H100 80GB` is taken as h100_sxm_80gb; there is also h100_pcie_80gb"
        );
    }

    #[test]
    fn a_model_by_the_name_that_people_type_has_its_shape_and_the_format_in_the_name() {
        let catalog = Catalog::built_in();
        for (name, id, stored, remark) in [
            (
                "RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic",
                "llama33_70b",
                Some(Precision::Fp8),
                "is taken as llama33_70b with weights published in fp8",
            ),
            ("deepseek-ai/DeepSeek-R1-Distill-Llama-70B", "llama33_70b", None, "has the shape of llama33_70b"),
            (
                "casperhansen/deepseek-r1-distill-llama-8b-awq",
                "llama31_8b",
                Some(Precision::Int4),
                "has the shape of llama31_8b; its weights are published in int4",
            ),
            ("Qwen/Qwen3-30B-A3B-Instruct-2507", "qwen3_30b_a3b", None, "has the shape of qwen3_30b_a3b"),
            ("DeepSeek-R1-0528-FP8", "deepseek_v3", Some(Precision::Fp8), "has the shape of deepseek_v3"),
            ("nvidia/DeepSeek-R1-NVFP4", "deepseek_v3", Some(Precision::Fp4), "with weights published in fp4"),
            ("Llama 3.1 8B Instruct", "llama31_8b", None, ""),
            ("unsloth/Llama-3.3-70B-Instruct-BF16", "llama33_70b", None, ""),
            ("openai/gpt-oss-120b-MXFP4", "gpt_oss_120b", Some(Precision::Fp4), ""),
            ("LLAMA31-8B", "llama31_8b", None, ""),
            ("qwen2.5:7b", "qwen25_7b", None, ""),
            ("TheBloke/Mixtral-8x7B-Instruct-v0.1-GPTQ", "mixtral_8x7b", Some(Precision::Int4), "published in int4"),
        ] {
            let model = catalog.model(name).unwrap();
            assert_eq!((model.id.as_str(), model.stored_precision), (id, stored), "{name}");
            let said = catalog.remark_on(Kind::Model, name).unwrap_or_default();
            assert!(said.contains(remark) && (remark.is_empty() == said.is_empty()), "{name}: {said}");
        }
        for name in [
            "llama-4-maverick",
            "meta-llama/Llama-4-Maverick-17B-128E-Instruct",
            "Llama-3.3-8B",
            "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B",
            "DeepSeek-V3.2",
            "Qwen2-57B-A14B",
            "instruct",
            "70B",
            "",
        ] {
            let message = catalog.model(name).unwrap_err().to_string();
            let want = "help: `perfmodel list models` shows all; another one is described by its config.json";
            assert!(message.contains(want), "{name}: {message}");
        }
        for path in ["/models/Llama-3.1-8B", "./Llama-3.1-8B", "~/Llama-3.1-8B"] {
            assert!(catalog.model(path).is_err(), "{path}");
        }
    }

    #[test]
    fn an_alias_of_a_file_on_disk_comes_first_and_a_broken_file_hides_no_other() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("hardware");
        fs::create_dir(&folder).unwrap();
        let built_in = HARDWARE.get_file("l40s_48gb.toml").unwrap().contents_utf8().unwrap();
        fs::write(folder.join("mine.toml"), built_in).unwrap();
        fs::write(folder.join("broken.toml"), "aliases = [").unwrap();
        let catalog = Catalog::with_folder(root.path()).unwrap();
        assert_eq!(catalog.hardware("NVIDIA L40S").unwrap().id, "mine");
        assert_eq!(catalog.hardware("NVIDIA L4").unwrap().id, "l4_24gb");
        assert_eq!(catalog.hardware("l40s_48gb").unwrap().id, "l40s_48gb");
    }

    #[test]
    fn an_id_cannot_leave_its_folder() {
        assert!(Catalog::built_in().model("../hardware/h100_sxm_80gb").is_err());
    }
}
