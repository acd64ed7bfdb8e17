//! Devices and models by the names that people type, with a remark, once for each name, where that is taken for something.

use std::collections::BTreeSet;
use std::sync::Mutex;

use super::terminal::remark;
use crate::app::{MeasuredRequest, NamedScenario, SystemRequest};
use crate::dataset::read_table;
use crate::error::Result;
use crate::spec::{Catalog, Hardware, Kind, ScenarioFile, ScenarioFolder, SpecFile};

/// What was said.
static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Says what a name is taken for.
pub fn remark_on(catalog: &Catalog, kind: Kind, name: &str) {
    if let Some(text) = catalog.remark_on(kind, name)
        && SAID.lock().expect("nothing panics while it is held").insert(text.clone())
    {
        remark(&text);
    }
}

/// As [`Catalog::hardware`].
pub fn hardware(catalog: &Catalog, name: &str) -> Result<Hardware> {
    let device = catalog.hardware(name)?;
    remark_on(catalog, Kind::Hardware, name);
    Ok(device)
}

fn remark_on_scenario(catalog: &Catalog, file: &ScenarioFile) {
    remark_on(catalog, Kind::Hardware, &file.hardware);
    remark_on(catalog, Kind::Model, &file.model);
}

/// Says what the names in a request are taken for.
pub fn remark_on_request(catalog: &Catalog, request: &SystemRequest) {
    if let Some(name) = &request.scenario
        && let Ok(named) = NamedScenario::find(catalog, name)
        && let Ok(file) = ScenarioFile::read(&named.files.scenario)
    {
        remark_on_scenario(catalog, &file);
    }
    request.model.iter().for_each(|name| remark_on(catalog, Kind::Model, name));
    request.hardware.iter().for_each(|name| remark_on(catalog, Kind::Hardware, name));
}

/// Says what the names in scenarios are taken for.
pub fn remark_on_folders(catalog: &Catalog, folders: Result<Vec<ScenarioFolder>>) {
    for file in folders.into_iter().flatten().filter_map(|folder| ScenarioFile::read(&folder.scenario).ok()) {
        remark_on_scenario(catalog, &file);
    }
}

/// Says what the names in a request of measured systems are taken for.
pub fn remark_on_measured(catalog: &Catalog, request: &MeasuredRequest) {
    remark_on_folders(catalog, request.scenario_folders(catalog));
    request.hardware.iter().for_each(|name| remark_on(catalog, Kind::Hardware, name));
    request.model.iter().for_each(|name| remark_on(catalog, Kind::Model, name));
    let table = request.table.iter().filter_map(|path| SpecFile::open(path).ok());
    for group in table.filter_map(|file| read_table(&file, request.load.unwrap_or_default()).ok()).flatten() {
        remark_on(catalog, Kind::Hardware, &group.key.hardware);
        remark_on(catalog, Kind::Model, &group.key.model);
    }
}
