//! What names are taken for: devices and models by the names that people type.

use super::measured::MeasuredRequest;
use super::system::{NamedScenario, SystemRequest};
use crate::dataset::read_table;
use crate::error::Result;
use crate::spec::{Catalog, Kind, ScenarioFile, ScenarioFolder, SpecFile};

/// Gathers what names are taken for, each remark once. What cannot be read says nothing here; whoever needs it says why.
pub(super) struct Remarks<'a> {
    catalog: &'a Catalog,
    said: Vec<String>,
}

impl<'a> Remarks<'a> {
    pub(super) const fn new(catalog: &'a Catalog) -> Self {
        Self { catalog, said: Vec::new() }
    }

    /// Of names of a kind.
    pub(super) fn names<'n>(mut self, kind: Kind, names: impl IntoIterator<Item = &'n String>) -> Self {
        for name in names {
            self.add(kind, name);
        }
        self
    }

    /// Of a system.
    pub(super) fn system(mut self, request: &SystemRequest) -> Self {
        let named = request.scenario.iter().filter_map(|name| NamedScenario::find(self.catalog, name).ok());
        for named in named.collect::<Vec<_>>() {
            self.scenario(&named.files);
        }
        self.names(Kind::Model, &request.model).names(Kind::Hardware, &request.hardware)
    }

    /// Of scenarios.
    pub(super) fn folders(mut self, folders: Result<Vec<ScenarioFolder>>) -> Self {
        folders.into_iter().flatten().for_each(|folder| self.scenario(&folder));
        self
    }

    /// Of measured systems.
    pub(super) fn measured(self, request: &MeasuredRequest) -> Self {
        let folders = request.scenario_folders(self.catalog);
        let mut all = self.folders(folders).names(Kind::Hardware, &request.hardware).names(Kind::Model, &request.model);
        let table = request.table.iter().filter_map(|path| SpecFile::open(path).ok());
        for table in table.filter_map(|file| read_table(&file, request.load.unwrap_or_default()).ok()) {
            for group in &table.groups {
                all.add(Kind::Hardware, &group.key.hardware);
                all.add(Kind::Model, &group.key.model);
            }
        }
        all
    }

    /// Everything that was gathered.
    pub(super) fn said(self) -> Vec<String> {
        self.said
    }

    fn scenario(&mut self, folder: &ScenarioFolder) {
        if let Ok(file) = ScenarioFile::read(&folder.scenario) {
            self.add(Kind::Hardware, &file.hardware);
            self.add(Kind::Model, &file.model);
        }
    }

    fn add(&mut self, kind: Kind, name: &str) {
        let remark = self.catalog.remark_on(kind, name).filter(|remark| !self.said.contains(remark));
        self.said.extend(remark);
    }
}
