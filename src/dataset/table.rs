//! A table of measurements of many systems: each row also says what ran where.

use std::collections::HashMap;

use csv::StringRecord;

use super::read::{Dataset, Format, Lines, Measurement, csv_error, normalised, second_row, sha256, workload_key};
use crate::error::{Error, Result};
use crate::spec::{Precision, SpecFile};
use crate::workload::LoadKind;

/// What a row of a table says of its system: names as written, not resolved.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SystemKey {
    /// Model, by any of its names.
    pub model: String,
    /// Device, by any of its names.
    pub hardware: String,
    /// Tensor-parallel degree.
    pub tensor_parallel: u32,
    /// Format of the weights.
    pub weights: Precision,
    /// Format of the KV cache.
    pub kv: Precision,
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
}

/// Columns that name the system: ours, then other spellings.
const SYSTEM_COLUMNS: [&[&str]; 5] = [
    &["model", "model_name"],
    &["hardware", "gpu", "device"],
    &["tensor_parallel", "tp"],
    &["weight_precision", "weights", "dtype_weights"],
    &["kv_precision", "kv", "dtype_kv"],
];

/// Reads and checks a table; the systems in the order of their first rows.
///
/// # Errors
/// As [`super::read_measurements`], and a missing column or an unreadable value that names the system.
pub fn read_table(file: &SpecFile, load: LoadKind) -> Result<Vec<TableGroup>> {
    let mut lines = Lines::of(file);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(lines.text.as_bytes());
    let header = reader.headers().map_err(|error| csv_error(file, &error))?.clone();
    let header_line = lines.at(header.position().map_or(0, |position| position.byte() as usize));
    let format = Format::of(file, load, &header, header_line)?;
    let names: Vec<String> = header.iter().map(normalised).collect();
    let mut places = [0; SYSTEM_COLUMNS.len()];
    for (place, spellings) in places.iter_mut().zip(SYSTEM_COLUMNS) {
        *place = names.iter().position(|name| spellings.contains(&name.as_str())).ok_or_else(|| {
            Error::input(format!("missing column `{}`", spellings[0])).at(&file.label).line(header_line).help(format!(
                "a table of many systems names each row's model, hardware, tensor_parallel, weight_precision and \
                 kv_precision (here also: {})",
                spellings[1..].join(", ")
            ))
        })?;
    }

    let sha256 = sha256(file);
    let mut groups: Vec<TableGroup> = Vec::new();
    let mut seen: HashMap<(usize, [u64; 3]), usize> = HashMap::new();
    for record in reader.records() {
        let record = record.map_err(|error| csv_error(file, &error))?;
        let line = lines.at(record.position().map_or(0, |position| position.byte() as usize));
        let row: Measurement = format.measurement(&record, line)?;
        let key = system_key(file, &record, line, &places)?;
        let place = groups.iter().position(|group| group.key == key).unwrap_or_else(|| {
            let dataset = Dataset { label: file.label.clone(), sha256: sha256.clone(), rows: Vec::new() };
            groups.push(TableGroup { key, line, dataset });
            groups.len() - 1
        });
        if let Some(first) = seen.insert((place, workload_key(&row.workload)), line) {
            return Err(second_row(&row, first).at(&file.label));
        }
        groups[place].dataset.rows.push(row);
    }
    if groups.is_empty() {
        return Err(Error::input("there is no row below the header").at(&file.label).help("add the measurements"));
    }
    Ok(groups)
}

fn system_key(file: &SpecFile, record: &StringRecord, line: usize, places: &[usize; 5]) -> Result<SystemKey> {
    let text = |column: usize| record.get(places[column]).unwrap_or("");
    let at = |error: Error| error.at(&file.label).line(line);
    let precision = |column: usize| {
        text(column).parse::<Precision>().map_err(|error| at(error.column_named(SYSTEM_COLUMNS[column][0])))
    };
    let tensor_parallel = text(2).parse().ok().filter(|degree| *degree > 0).ok_or_else(|| {
        at(Error::input(format!("column `tensor_parallel`: `{}` is not a whole number above 0", text(2))))
            .help("write the number of devices that share each layer")
    })?;
    Ok(SystemKey {
        model: text(0).to_owned(),
        hardware: text(1).to_owned(),
        tensor_parallel,
        weights: precision(3)?,
        kv: precision(4)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "model,gpu,tp,dtype_weights,dtype_kv,input_tokens,output_tokens,batch,ttft_ms,itl_ms\n";

    fn read(rows: &str) -> Result<Vec<TableGroup>> {
        read_table(&SpecFile { label: "t.csv".into(), text: format!("{HEADER}{rows}") }, LoadKind::StaticBatch)
    }

    #[test]
    fn rows_of_one_system_make_a_group_wherever_they_stand() {
        let groups =
            read("a,x,1,fp8,fp8,128,128,1,10,5\nb,x,2,fp16,fp16,128,128,1,9,4\na,x,1,fp8,fp8,128,128,2,11,6\n");
        let groups = groups.unwrap();
        assert_eq!(groups.iter().map(|group| group.dataset.rows.len()).collect::<Vec<_>>(), [2, 1]);
        assert_eq!((groups[1].key.tensor_parallel, groups[1].key.weights), (2, Precision::Fp16));
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
}
