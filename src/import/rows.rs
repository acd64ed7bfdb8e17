//! From the loads of result files to the rows of one scenario: one kind of load, one statistic.

use std::ops::RangeInclusive;

use super::point::{Load, Point};
use crate::error::{Error, Result};
use crate::requests::shown;
use crate::spec::Statistic;
use crate::workload::{LoadKind, Workload};

/// A run in which clients ask fewer times than this on average is mostly its beginning and end.
const WAVES: f64 = 3.0;

/// What a latency in ms or a rate in tokens/s can be; measured.csv takes no other.
const PLAUSIBLE: RangeInclusive<f64> = 1e-6..=1e12;

/// Share of failed requests from which latencies are in doubt.
const FAILED: f64 = 0.05;

/// Why a load is no row.
const NEITHER: &str = "which is neither a number of clients nor a rate";

/// A row of measured.csv.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// What was asked of the server.
    pub workload: Workload,
    /// Time to first token in ms.
    pub ttft_ms: f64,
    /// Time per later token in ms.
    pub itl_ms: f64,
    /// Output tokens a second of all clients.
    pub throughput: Option<f64>,
}

impl Row {
    /// What was asked of the server, for messages.
    pub fn workload_in_words(&self) -> String {
        let workload = &self.workload;
        let (input, output) = (workload.input_tokens(), workload.output_tokens());
        format!("{input} input and {output} output tokens at {} {}", workload.kind().axis(), workload.amount())
    }

    /// The most tokens a second that clients can have which wait for their answers, at these latencies.
    fn most_throughput(&self) -> f64 {
        let workload = &self.workload;
        let request_ms = self.ttft_ms + workload.later_tokens() * self.itl_ms;
        1e3 * workload.amount() * workload.output_tokens() / request_ms
    }
}

/// Rows of one scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    /// Their kind of load.
    pub load: LoadKind,
    /// What their latencies are.
    pub statistic: Statistic,
    /// The rows, in the order of the files.
    pub rows: Vec<Row>,
    /// Loads that are no row, and why.
    pub left_out: Vec<String>,
    /// What to beware of.
    pub warnings: Vec<String>,
}

/// The rows of some loads. Unless they are given, the kind of load is the one that most have, and the statistic the mean
/// where all have one; `clients` is for files that do not tell.
///
/// # Errors
/// Nothing is left, or a number cannot be.
pub fn rows(
    points: &[Point],
    load: Option<LoadKind>,
    statistic: Option<Statistic>,
    clients: Option<f64>,
) -> Result<Rows> {
    let loads: Vec<Load> = points
        .iter()
        .map(|point| match (point.load, clients) {
            (Load::Unknown, Some(clients)) => Load::Clients(clients),
            (load, _) => load,
        })
        .collect();
    let of = |kind: LoadKind| loads.iter().filter(|load| value(**load, kind).is_some()).count();
    let most =
        if of(LoadKind::OpenLoop) > of(LoadKind::ClosedLoop) { LoadKind::OpenLoop } else { LoadKind::ClosedLoop };
    let load = load.unwrap_or(most);
    let means = points.iter().all(|point| point.ttft.mean.is_some() && point.itl.mean.is_some());
    let medians = points.iter().all(|point| point.ttft.median.is_some() && point.itl.median.is_some());
    let statistic = statistic.unwrap_or(if means || !medians { Statistic::Mean } else { Statistic::Median });
    let mut found = Rows { load, statistic, rows: Vec::new(), left_out: Vec::new(), warnings: Vec::new() };
    for (point, own) in points.iter().zip(loads) {
        match row(point, own, load, statistic) {
            Ok(row) => {
                found.warnings.extend(doubts(point, &row));
                found.rows.push(row?);
            }
            Err(why) => found.left_out.push(format!("{}: {why}", point.origin)),
        }
    }
    if found.rows.is_empty() {
        let why = found.left_out.first().map_or_else(|| "there is no load".to_owned(), Clone::clone);
        let help = if found.left_out.iter().all(|why| why.ends_with(NEITHER)) {
            "measure with a fixed number of clients (concurrency), or at a fixed rate that the server keeps up with"
        } else {
            "--concurrency gives a number of clients that the files do not tell, --load and --statistic choose other numbers; leave out \
             files whose numbers cannot be"
        };
        return Err(Error::input(format!("no row is left: {why}")).help(help));
    }
    Ok(averaged(found))
}

/// One row for each workload: runs that repeat it are averaged, as a scenario holds each once.
fn averaged(mut found: Rows) -> Rows {
    let mut runs: Vec<Vec<Row>> = Vec::new();
    for row in found.rows.drain(..) {
        match runs.iter_mut().find(|same| same[0].workload == row.workload) {
            Some(same) if same.contains(&row) => {
                found.warnings.push(format!("{} were given twice and count once", row.workload_in_words()));
            }
            Some(same) => same.push(row),
            None => runs.push(vec![row]),
        }
    }
    for same in runs {
        let count = same.len() as f64;
        if count > 1.0 {
            let what = same[0].workload_in_words();
            found.warnings.push(format!("{what} were measured {count} times: the row holds the mean of the runs"));
        }
        let mean = |of: fn(&Row) -> f64| same.iter().map(of).sum::<f64>() / count;
        let rates: Option<Vec<f64>> = same.iter().map(|row| row.throughput).collect();
        found.rows.push(Row {
            workload: same[0].workload,
            ttft_ms: mean(|row| row.ttft_ms),
            itl_ms: mean(|row| row.itl_ms),
            throughput: rates.map(|rates| rates.iter().sum::<f64>() / count),
        });
    }
    found
}

/// What a load is as one of a kind.
fn value(load: Load, kind: LoadKind) -> Option<f64> {
    match (load, kind) {
        (Load::Clients(clients), LoadKind::ClosedLoop) => Some(clients),
        (Load::Rate(rate), LoadKind::OpenLoop) => Some(rate),
        _ => None,
    }
}

/// A point as a row; `Err` says why it is none, an inner error that a number of it cannot be.
fn row(point: &Point, own: Load, kind: LoadKind, statistic: Statistic) -> std::result::Result<Result<Row>, String> {
    let load = value(own, kind).ok_or_else(|| match own {
        Load::Clients(clients) => format!("a closed loop of {clients} clients, the other rows have rates"),
        Load::Rate(rate) => format!("an open loop of {rate} requests a second, the other rows have clients"),
        Load::Unlimited => format!("requests were sent all at once, {NEITHER}"),
        Load::Scheduled => {
            format!("requests were sent at times of their own, as a ramp or a trace has them, {NEITHER}")
        }
        Load::Unknown => "the file tells no load; give --concurrency".to_owned(),
    })?;
    let of = |latency: super::point::Latency| match statistic {
        Statistic::Mean => latency.mean,
        Statistic::Median => latency.median,
    };
    let needed = |value: Option<f64>, what: &str| value.ok_or_else(|| format!("it has no {what}"));
    let name = statistic.name();
    let (input, output) =
        (needed(point.input_tokens, "length of prompts")?, needed(point.output_tokens, "length of answers")?);
    let ttft_ms = needed(of(point.ttft), &format!("{name} TTFT (were answers streamed?)"))?;
    let itl_ms = needed(of(point.itl), &format!("{name} time per output token"))?;
    for (what, value) in [("TTFT", ttft_ms), ("ITL", itl_ms)] {
        if !PLAUSIBLE.contains(&value) {
            return Err(format!("its {what} is {} ms", shown(value)));
        }
    }
    let workload = Workload::under(kind, input, output, load);
    Ok(workload
        .map(|workload| Row {
            workload,
            ttft_ms,
            itl_ms,
            throughput: point.throughput.filter(|rate| PLAUSIBLE.contains(rate)),
        })
        .map_err(|error| {
            Error::input(format!("{}: {}", point.origin, error.message())).help("mend or delete the file")
        }))
}

/// Shares of what clients can have at their latencies between which a throughput goes with them.
const CONSISTENT: RangeInclusive<f64> = 0.7..=1.1;

/// Share of what a rate asks for below which a server does not keep up.
const KEPT_UP: f64 = 0.9;

/// What makes a row doubtful.
fn doubts(point: &Point, row: &Result<Row>) -> Vec<String> {
    let mut doubts = Vec::new();
    let Ok(row) = row else { return doubts };
    if let Some(completed) = point.completed
        && row.workload.kind() == LoadKind::ClosedLoop
        && completed < WAVES * row.workload.amount()
    {
        doubts.push(format!(
            "{}: {completed} answers for {} clients, fewer than {WAVES} each; the beginning and the end weigh much",
            point.origin,
            row.workload.amount()
        ));
    }
    if let (Some(rate), None) = (point.throughput.filter(|rate| *rate != 0.0), row.throughput) {
        doubts.push(format!("{}: a throughput of {} tokens/s cannot be and is left out", point.origin, shown(rate)));
    }
    if let Some(rate) = row.throughput.filter(|_| row.workload.kind() == LoadKind::ClosedLoop)
        && !CONSISTENT.contains(&(rate / row.most_throughput()))
    {
        let most = row.most_throughput();
        let why = if rate > most { "more than" } else { "far below" };
        doubts.push(format!(
            "{}: {rate:.1} tokens/s are {why} what {} clients have at these latencies, {most:.1}; the tool counted another time than \
             that of the requests, or clients paused",
            point.origin,
            row.workload.amount()
        ));
    }
    if let Some(rate) = row.throughput.filter(|_| row.workload.kind() == LoadKind::OpenLoop) {
        let asked = row.workload.amount() * row.workload.output_tokens();
        if rate < KEPT_UP * asked {
            doubts.push(format!(
                "{}: {rate:.1} tokens/s were answered where {} requests a second ask for {asked:.1}: the server did not keep up, or \
                 the run was too short to tell; a rate beyond the capacity has no mean latency that a fit could use",
                point.origin,
                row.workload.amount()
            ));
        }
    }
    if let (Some(completed), Some(failed)) = (point.completed, point.failed)
        && failed > FAILED * (completed + failed)
    {
        doubts.push(format!("{}: {failed} of {} requests failed", point.origin, completed + failed));
    }
    doubts
}
