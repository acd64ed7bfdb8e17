//! Rooflines as tables, for terminals and pages.

use super::ReportTable;
use crate::number::{number, short};
use crate::roofline::{Crossing, DeviceRoofs, OperatorPoint, Step, Sweep, machine_balance};
use crate::units::{Bytes, Flops, FlopsPerSec, Seconds};

/// What a table shows where there is nothing.
const NOTHING: &str = "–";

fn header(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn or_nothing(value: Option<f64>) -> String {
    value.map_or_else(|| NOTHING.to_owned(), number)
}

fn tera(rate: FlopsPerSec) -> f64 {
    rate.get() / 1e12
}

/// The roofs of a device: peak, what is attained of it, and the machine balance of both.
pub fn roofs_table(roofs: &DeviceRoofs) -> ReportTable {
    let attainable_balance = |rate| number(machine_balance(rate, roofs.attainable_bandwidth));
    let compute = roofs.compute.iter().map(|roof| {
        vec![
            roof.label(),
            number(tera(roof.peak)),
            number(tera(roof.attainable)),
            format!("{:.0}", 100.0 * (roof.attainable / roof.peak)),
            number(machine_balance(roof.peak, roofs.bandwidth)),
            attainable_balance(roof.attainable),
            if roof.used { "yes" } else { "" }.to_owned(),
        ]
    });
    let ceilings = roofs.ceilings.iter().map(|ceiling| {
        let nothing = || NOTHING.to_owned();
        vec![
            ceiling.name.clone(),
            nothing(),
            number(tera(ceiling.rate)),
            nothing(),
            nothing(),
            attainable_balance(ceiling.rate),
            "yes".to_owned(),
        ]
    });
    ReportTable {
        header: header(&["roof", "peak TFLOP/s", "attainable", "%", "balance at peak", "attainable", "used here"]),
        rows: compute.chain(ceilings).collect(),
    }
}

/// The operators of a step, what they sum to, and what else makes its time.
pub fn operators_table(step: &Step) -> ReportTable {
    let total = step.total();
    let share = |time: Seconds| format!("{:.1}", 100.0 * (time / total));
    let mut rows: Vec<Vec<String>> = step.operators.iter().map(|operator| operator_row(operator, total)).collect();
    let (work, time, each) = (step.work(), step.operator_time(), step.roof_times());
    rows.push(vec![
        "all operators".to_owned(),
        String::new(),
        String::new(),
        number(work.flops.get() / 1e9),
        number(work.bytes.get() / 1e9),
        number(work.flops.get() / work.bytes.get()),
        String::new(),
        number(work.flops.get() / time.get() / 1e12),
        number(each.memory.as_ms()),
        number(each.compute.as_ms()),
        number(time.as_ms()),
        share(time),
        step.bound().name().to_owned(),
    ]);
    let whole = [("whole step", total)];
    let others = step.others.iter().map(|(other, time)| (other.label(), *time));
    for (name, time) in others.chain(whole) {
        let mut row = vec![String::new(); 13];
        (row[0], row[10], row[11]) = (name.to_owned(), number(time.as_ms()), share(time));
        rows.push(row);
    }
    ReportTable {
        header: header(&[
            "operator",
            "layers",
            "format",
            "GFLOP",
            "GB",
            "FLOP/byte",
            "roof TFLOP/s",
            "attained",
            "memory ms",
            "compute ms",
            "time ms",
            "%",
            "bound by",
        ]),
        rows,
    }
}

fn operator_row(operator: &OperatorPoint, total: Seconds) -> Vec<String> {
    let (work, time) = (operator.work, operator.time);
    let computes = |value: f64| or_nothing((work.flops > Flops::ZERO).then_some(value));
    let moves = |value: f64| or_nothing((work.bytes > Bytes::ZERO).then_some(value));
    vec![
        operator.name.clone(),
        operator.layers.to_string(),
        operator.precision.to_string(),
        computes(work.flops.get() / 1e9),
        moves(work.bytes.get() / 1e9),
        or_nothing(operator.intensity()),
        computes(tera(operator.attainable())),
        computes(tera(operator.attained())),
        moves(time.memory.as_ms()),
        computes(time.compute.as_ms()),
        number(time.total().as_ms()),
        format!("{:.1}", 100.0 * (time.total() / total)),
        operator.bound().name().to_owned(),
    ]
}

/// For each context the batch from which steps are compute bound, and how many sequences the KV cache holds.
pub fn crossings_table([prefill, decode]: &[Sweep; 2]) -> ReportTable {
    let rows = prefill.contexts.iter().zip(&decode.contexts).map(|(prefill, decode)| {
        vec![
            short(decode.tokens),
            crossing_text(decode.crossing),
            crossing_text(prefill.crossing),
            if decode.capacity < 1.0 { "none".to_owned() } else { format!("{:.0}", decode.capacity.floor()) },
            decode_in_words(decode.crossing, decode.capacity).to_owned(),
        ]
    });
    ReportTable {
        header: header(&["tokens", "decode, sequences", "prefill, prompts", "KV cache holds", "so decode"]),
        rows: rows.collect(),
    }
}

/// Memory time and compute time of each step of a sweep, contexts down and batches across.
pub fn sweep_table(sweep: &Sweep) -> ReportTable {
    let rows = sweep.contexts.iter().map(|line| {
        let cells = line.cells.iter().map(|cell| {
            let [memory, compute] = [cell.time.memory, cell.time.compute].map(|time| short_ms(time.as_ms()));
            format!("{memory}/{compute}{}", if cell.fits { "" } else { "*" })
        });
        std::iter::once(short(line.tokens)).chain(cells).collect()
    });
    ReportTable {
        header: std::iter::once("tokens".to_owned()).chain(sweep.batches.iter().map(|batch| short(*batch))).collect(),
        rows: rows.collect(),
    }
}

/// Milliseconds in two digits, for tables of many columns.
fn short_ms(value: f64) -> String {
    let decimals = if value < 1.0 { 2 } else { usize::from(value < 10.0) };
    format!("{value:.decimals$}")
}

fn crossing_text(crossing: Crossing) -> String {
    match crossing {
        Crossing::Always => "from 1".to_owned(),
        Crossing::At(batch) => format!("from {:.0}", batch.ceil()),
        Crossing::Never => "never".to_owned(),
    }
}

fn decode_in_words(crossing: Crossing, capacity: f64) -> &'static str {
    match crossing {
        _ if capacity < 1.0 => "does not fit",
        Crossing::Always => "is compute bound",
        Crossing::At(batch) if batch.ceil() <= capacity => "can become compute bound",
        Crossing::At(_) | Crossing::Never => "stays memory bound",
    }
}
