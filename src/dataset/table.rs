//! A table of measurements of many systems: each row also says what ran where.

use std::collections::HashMap;

use csv::StringRecord;

use super::read::{Dataset, Format, Lines, Measurement, csv_error, normalised, second_row, sha256, workload_key};
use crate::error::{Error, Result};
use crate::spec::{Parallelism, Precision, SpecFile};
use crate::workload::LoadKind;

/// What a row of a table says of its system: names as written, not resolved.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SystemKey {
    /// Model, by any of its names.
    pub model: String,
    /// Device, by any of its names.
    pub hardware: String,
    /// How layers lie over devices.
    pub parallelism: Parallelism,
    /// Format of the weights.
    pub weights: Precision,
    /// Format of the KV cache.
    pub kv: Precision,
    /// The engine, where the table tells.
    pub engine: Option<String>,
    /// What else tells systems apart: the version and settings of the engine, and who measured, as far as there are such columns.
    pub stack: Vec<String>,
}

/// What a table says of a row besides its figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowTrust {
    /// Whether the row counts in errors: `unexplained` is not 1.
    pub explained: bool,
    /// Whether its TTFT does: `ttft_trusted` is not 0.
    pub ttft: bool,
}

/// Measurements of one system of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct TableGroup {
    /// The system.
    pub key: SystemKey,
    /// Line of its first row.
    pub line: usize,
    /// Its rows.
    pub dataset: Dataset,
    /// What to make of each of them.
    pub trust: Vec<RowTrust>,
}

/// A table of many systems.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The systems in the order of their first rows.
    pub groups: Vec<TableGroup>,
    /// Rows on devices that no layout makes, with their lines.
    pub refused: Vec<(usize, Error)>,
}

/// Columns that name the system: ours, then other spellings.
const SYSTEM_COLUMNS: [&[&str]; 5] = [
    &["model", "model_name"],
    &["hardware", "gpu", "device", "system"],
    &["tensor_parallel", "tp", "attention_tp"],
    &["weight_precision", "weights", "dtype_weights", "precision"],
    &["kv_precision", "kv", "dtype_kv"],
];

/// Columns of degrees that are 1 where there is no such column, and of what must agree with them.
const LAYOUT_COLUMNS: [&[&str]; 5] = [
    &["pipeline_parallel", "pp"],
    &["attention_data_parallel", "attention_dp", "dp"],
    &["expert_parallel", "moe_ep", "ep"],
    &["moe_tp"],
    &["gpus"],
];

/// Columns that tell systems apart and say nothing that the model takes from them.
const STACK_COLUMNS: [&[&str]; 4] = [&["engine_version"], &["campaign"], &["polling_steps"], &["batch_wait"]];

/// Where the columns of a table stand.
struct Places {
    system: [usize; SYSTEM_COLUMNS.len()],
    layout: [Option<usize>; LAYOUT_COLUMNS.len()],
    stack: [Option<usize>; STACK_COLUMNS.len()],
    engine: Option<usize>,
    unexplained: Option<usize>,
    ttft_trusted: Option<usize>,
}

impl Places {
    fn of(file: &SpecFile, header: &StringRecord, line: usize) -> Result<Self> {
        let names: Vec<String> = header.iter().map(normalised).collect();
        let place = |spellings: &[&str]| names.iter().position(|name| spellings.contains(&name.as_str()));
        let mut system = [0; SYSTEM_COLUMNS.len()];
        for (slot, spellings) in system.iter_mut().zip(SYSTEM_COLUMNS) {
            *slot = place(spellings).ok_or_else(|| {
                Error::input(format!("missing column `{}`", spellings[0])).at(&file.label).line(line).help(format!(
                    "a table of many systems names each row's model, hardware, tensor_parallel, weight_precision and \
                     kv_precision (here also: {})",
                    spellings[1..].join(", ")
                ))
            })?;
        }
        Ok(Self {
            system,
            layout: LAYOUT_COLUMNS.map(place),
            stack: STACK_COLUMNS.map(place),
            engine: place(&["engine", "backend"]),
            unexplained: place(&["unexplained"]),
            ttft_trusted: place(&["ttft_trusted"]),
        })
    }
}

/// Reads and checks a table; the systems in the order of their first rows.
///
/// # Errors
/// As [`super::read_measurements`], and a missing column or an unreadable value that names the system.
pub fn read_table(file: &SpecFile, load: LoadKind) -> Result<Table> {
    let mut lines = Lines::of(file);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(lines.text.as_bytes());
    let header = reader.headers().map_err(|error| csv_error(file, &error))?.clone();
    let header_line = lines.at(header.position().map_or(0, |position| position.byte() as usize));
    let format = Format::of(file, load, &header, header_line)?;
    let places = Places::of(file, &header, header_line)?;

    let sha256 = sha256(file);
    let mut table = Table { groups: Vec::new(), refused: Vec::new() };
    let mut known: HashMap<SystemKey, usize> = HashMap::new();
    let mut seen: HashMap<(usize, [u64; 3]), usize> = HashMap::new();
    for record in reader.records() {
        let record = record.map_err(|error| csv_error(file, &error))?;
        let line = lines.at(record.position().map_or(0, |position| position.byte() as usize));
        let row: Measurement = format.measurement(&record, line)?;
        let reader = RowReader { file, record: &record, line, places: &places };
        let parallelism = match reader.parallelism()? {
            Ok(parallelism) => parallelism,
            Err(error) => {
                table.refused.push((line, error));
                continue;
            }
        };
        let key = reader.key(parallelism)?;
        let place = *known.entry(key.clone()).or_insert_with(|| {
            let dataset = Dataset { label: file.label.clone(), sha256: sha256.clone(), rows: Vec::new() };
            table.groups.push(TableGroup { key, line, dataset, trust: Vec::new() });
            table.groups.len() - 1
        });
        if let Some(first) = seen.insert((place, workload_key(&row.workload)), line) {
            return Err(second_row(&row, first).at(&file.label));
        }
        table.groups[place].dataset.rows.push(row);
        table.groups[place].trust.push(reader.trust()?);
    }
    if table.groups.is_empty() && table.refused.is_empty() {
        return Err(Error::input("there is no row below the header").at(&file.label).help("add the measurements"));
    }
    Ok(table)
}

/// Checks that a layout has the devices, and splits experts as often, as a row says.
fn agrees(layout: Parallelism, gpus: Option<u32>, moe_tp: Option<u32>) -> Result<()> {
    let wrong = |what: &str, given: u32, law: &str, want: u32| {
        Err(Error::input(format!("{what} is {given}, and {law} is {want}")).help("write what ran"))
    };
    match (gpus, moe_tp) {
        (Some(gpus), _) if gpus != layout.devices() => wrong("gpus", gpus, "tp · dp · pp", layout.devices()),
        // Without expert parallelism a 1 may stand for a model that has no experts.
        (_, Some(ways)) if ways != layout.moe_tp() && (ways, layout.moe_ep()) != (1, 1) => {
            wrong("moe_tp", ways, "tp · dp / ep", layout.moe_tp())
        }
        _ => Ok(()),
    }
}

/// A row of a table.
struct RowReader<'a> {
    file: &'a SpecFile,
    record: &'a StringRecord,
    line: usize,
    places: &'a Places,
}

impl RowReader<'_> {
    fn at(&self, error: Error) -> Error {
        error.at(&self.file.label).line(self.line)
    }

    fn text(&self, place: usize) -> &str {
        self.record.get(place).unwrap_or("")
    }

    fn degree(&self, name: &str, place: usize) -> Result<u32> {
        let text = self.text(place);
        text.parse().ok().filter(|degree| *degree > 0).ok_or_else(|| {
            self.at(Error::input(format!("column `{name}`: `{text}` is not a whole number above 0")))
                .help("write the number of devices or ranks")
        })
    }

    /// The layout, or why there is none such.
    fn parallelism(&self) -> Result<Result<Parallelism>> {
        let tp = self.degree(SYSTEM_COLUMNS[2][0], self.places.system[2])?;
        let mut given = [None; LAYOUT_COLUMNS.len()];
        for ((slot, names), place) in given.iter_mut().zip(LAYOUT_COLUMNS).zip(self.places.layout) {
            *slot = place.map(|place| self.degree(names[0], place)).transpose()?;
        }
        let [pp, dp, ep, moe_tp, gpus] = given;
        let layout = Parallelism::new(tp, pp.unwrap_or(1), dp.unwrap_or(1), ep.unwrap_or(1));
        Ok(layout.and_then(|layout| agrees(layout, gpus, moe_tp).map(|()| layout)))
    }

    fn key(&self, parallelism: Parallelism) -> Result<SystemKey> {
        let place = self.places.system;
        let precision = |column: usize| {
            let text = self.text(place[column]);
            text.parse::<Precision>().map_err(|error| self.at(error.column_named(SYSTEM_COLUMNS[column][0])))
        };
        Ok(SystemKey {
            model: self.text(place[0]).to_owned(),
            hardware: self.text(place[1]).to_owned(),
            parallelism,
            weights: precision(3)?,
            kv: precision(4)?,
            engine: self.places.engine.map(|place| self.text(place).to_owned()),
            stack: self.places.stack.iter().flatten().map(|place| self.text(*place).to_owned()).collect(),
        })
    }

    fn trust(&self) -> Result<RowTrust> {
        let flag = |name: &str, place: Option<usize>, otherwise: bool| match place.map(|place| self.text(place)) {
            None => Ok(otherwise),
            Some("0") => Ok(false),
            Some("1") => Ok(true),
            Some(text) => {
                Err(self.at(Error::input(format!("column `{name}`: `{text}` is neither 0 nor 1"))).help("write 0 or 1"))
            }
        };
        Ok(RowTrust {
            explained: !flag("unexplained", self.places.unexplained, false)?,
            ttft: flag("ttft_trusted", self.places.ttft_trusted, true)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "model,gpu,tp,dtype_weights,dtype_kv,input_tokens,output_tokens,batch,ttft_ms,itl_ms\n";

    fn read(rows: &str) -> Result<Table> {
        read_table(&SpecFile { label: "t.csv".into(), text: format!("{HEADER}{rows}") }, LoadKind::StaticBatch)
    }

    #[test]
    fn rows_of_one_system_make_a_group_wherever_they_stand() {
        let groups =
            read("a,x,1,fp8,fp8,128,128,1,10,5\nb,x,2,fp16,fp16,128,128,1,9,4\na,x,1,fp8,fp8,128,128,2,11,6\n");
        let groups = groups.unwrap().groups;
        assert_eq!(groups.iter().map(|group| group.dataset.rows.len()).collect::<Vec<_>>(), [2, 1]);
        assert_eq!((groups[1].key.parallelism.tp(), groups[1].key.weights), (2, Precision::Fp16));
        assert_eq!(groups[1].line, 3);
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line() {
        for (rows, want) in [
            ("a,x,0,fp8,fp8,128,128,1,10,5\n", "t.csv:2: column `tensor_parallel`: `0` is not a whole number above 0"),
            ("a,x,1,fp9,fp8,128,128,1,10,5\n", "t.csv:2: column `weight_precision`: unknown precision `fp9`"),
            ("a,x,1,fp8,fp8,128,128,1,10,x\n", "t.csv:2: column `itl_ms`: cannot read `x` as a number"),
            ("", "t.csv: there is no row below the header"),
            (
                "a,x,1,fp8,fp8,128,128,1,10,5\na,x,1,fp8,fp8,128,128,1,10,5\n",
                "t.csv:3: a second row for 128 input tokens, 128 output tokens, batch 1 (the first is in line 2)",
            ),
        ] {
            let message = read(rows).unwrap_err().to_string();
            assert!(message.starts_with(want), "{message}");
        }
        let bare = SpecFile { label: "t.csv".into(), text: HEADER.replace("gpu,", "") };
        let message = read_table(&bare, LoadKind::StaticBatch).unwrap_err().to_string();
        assert!(message.starts_with("t.csv:1: missing column `hardware`"), "{message}");
    }

    #[test]
    fn layouts_engines_and_what_to_trust_are_columns_of_their_own() {
        let text = "model,system,attention_tp,attention_dp,moe_tp,moe_ep,gpus,precision,kv_precision,backend,isl,osl,concurrency,\
                    ttft_ms,itl_ms,ttft_trusted,unexplained\n\
                    a,x,1,8,1,8,8,fp8,fp8,vllm,100,100,8,10,5,1,0\n\
                    a,x,1,8,1,8,8,fp8,fp8,sglang,100,100,8,10,5,0,0\n\
                    a,x,4,1,1,1,8,fp8,fp8,vllm,100,100,8,10,5,1,1\n\
                    b,x,4,1,1,1,4,fp8,fp8,vllm,100,100,8,10,5,1,1\n";
        let file = SpecFile { label: "t.csv".into(), text: text.into() };
        let table = read_table(&file, LoadKind::ClosedLoop).unwrap();
        let layouts: Vec<String> = table.groups.iter().map(|group| group.key.parallelism.label()).collect();
        assert_eq!(layouts, ["dp8 ep8", "dp8 ep8", "tp4"]);
        assert_eq!(table.groups[1].key.engine.as_deref(), Some("sglang"));
        assert_eq!(table.groups[1].trust, [RowTrust { explained: true, ttft: false }]);
        assert_eq!(table.groups[2].trust, [RowTrust { explained: false, ttft: true }]);
        let [(line, error)] = table.refused.as_slice() else { panic!("{:?}", table.refused) };
        assert_eq!((*line, error.message()), (4, "gpus is 8, and tp · dp · pp is 4"));
    }
}
