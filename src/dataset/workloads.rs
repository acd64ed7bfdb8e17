//! A file of workloads to predict: the columns of a measured file without the measurements.

use super::read::{Lines, csv_error, normalised};
use crate::error::{Error, Result, did_you_mean};
use crate::spec::SpecFile;
use crate::workload::{LoadKind, Workload};

/// Reads workloads from a CSV with `input_tokens`, `output_tokens` and the column of a load: `concurrency`, `rate_rps`
/// for an open loop, or `batch` for static batches. Further columns are ignored; the header says which load it is.
///
/// # Errors
/// A missing column, several loads or none, a value that no workload can have; each with its line.
pub fn read_workloads(file: &SpecFile) -> Result<(LoadKind, Vec<Workload>)> {
    let mut lines = Lines::of(file);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(lines.text.as_bytes());
    let header = reader.headers().map_err(|error| csv_error(file, &error))?.clone();
    let line = lines.at(header.position().map_or(0, |position| position.byte() as usize));
    let names: Vec<String> = header.iter().map(normalised).collect();
    let place = |wanted: &str| names.iter().position(|name| name == wanted);
    let hint = |wanted: &str| match (names.as_slice(), did_you_mean(wanted, names.iter().map(String::as_str))) {
        ([only], _) if only.contains([';', '\t']) => "separate the columns by commas; ".to_owned(),
        (_, Some(near)) => format!("`{near}` looks like `{wanted}`; "),
        (_, None) => String::new(),
    };
    let at_header = |message: String| Error::input(message).at(&file.label).line(line);
    let loads: Vec<LoadKind> = LoadKind::ALL.into_iter().filter(|kind| place(kind.column()).is_some()).collect();
    let [kind] = loads.as_slice() else {
        let which = if loads.is_empty() { "none" } else { "more than one" };
        let columns = LoadKind::ALL.map(|kind| format!("`{}`", kind.column())).join(", ");
        let hint = if loads.is_empty() { hint(LoadKind::ClosedLoop.column()) } else { String::new() };
        return Err(at_header(format!("the header has {which} of {columns}")).help(format!(
            "{hint}give one of them: clients in a closed loop, requests per second of independent users, or a static batch"
        )));
    };
    let wanted = ["input_tokens", "output_tokens", kind.column()];
    let mut places = [0; 3];
    for (slot, name) in places.iter_mut().zip(wanted) {
        *slot = place(name).ok_or_else(|| {
            at_header(format!("missing column `{name}`")).help(format!(
                "{}the header must name {}",
                hint(name),
                wanted.join(", ")
            ))
        })?;
        if names.iter().filter(|other| *other == name).count() > 1 {
            return Err(at_header(format!("column `{name}` is there twice")).help("keep one of them"));
        }
    }
    let mut workloads = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| csv_error(file, &error))?;
        let line = lines.at(record.position().map_or(0, |position| position.byte() as usize));
        let mut values = [0.0; 3];
        for ((value, place), name) in values.iter_mut().zip(places).zip(wanted) {
            let text = record.get(place).unwrap_or("");
            *value = text.parse().map_err(|_| {
                Error::input(format!("column `{name}`: cannot read `{text}` as a number"))
                    .at(&file.label)
                    .line(line)
                    .help("write a number")
            })?;
        }
        let [input, output, load] = values;
        let workload = Workload::under(*kind, input, output, load).map_err(|error| error.at(&file.label).line(line))?;
        workloads.push(workload);
    }
    if workloads.is_empty() {
        return Err(Error::input("there is no row below the header").at(&file.label).help("add the workloads"));
    }
    Ok((*kind, workloads))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(LoadKind, Vec<Workload>)> {
        read_workloads(&SpecFile { label: "w.csv".into(), text: text.into() })
    }

    #[test]
    fn the_header_says_which_load_it_is() {
        let (kind, workloads) =
            read("input_tokens,output_tokens,concurrency,ttft_ms\n200,100,4,9\n300,100,8,9\n").unwrap();
        assert_eq!((kind, workloads.len(), workloads[1].amount()), (LoadKind::ClosedLoop, 2, 8.0));
        assert_eq!(read("rate_rps,output_tokens,input_tokens\n0.5,100,4\n").unwrap().0, LoadKind::OpenLoop);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (text, want) in [
            ("input_tokens,output_tokens\n1,2\n", "w.csv:1: the header has none of `concurrency`, `rate_rps`, `batch`"),
            ("input_tokens,output_tokens,rate_rps,concurrency\n", "w.csv:1: the header has more than one of"),
            ("input_tokens,batch,batch\n1,2,2\n", "w.csv:1: missing column `output_tokens`"),
            ("input_tokens,output_tokens,batch,batch\n1,2,2,2\n", "w.csv:1: column `batch` is there twice"),
            ("input_tokens,concurrency\n1,2\n", "w.csv:1: missing column `output_tokens`"),
            ("input_tokens,output_tokens,concurrency\n1,x,2\n", "w.csv:2: column `output_tokens`: cannot read `x`"),
            ("input_tokens,output_tokens,concurrency\n1,1,2\n", "w.csv:2: output_tokens is 1"),
            ("input_tokens,output_tokens,concurrency\n", "w.csv: there is no row below the header"),
        ] {
            let message = read(text).unwrap_err().to_string();
            assert!(message.starts_with(want), "{message}");
        }
    }
}
