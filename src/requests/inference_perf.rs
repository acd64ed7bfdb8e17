//! inference-perf's `per_request_lifecycle_metrics.json`, 0.3.0 and 0.7.0: a list of requests with the time of every token, in seconds.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Dimension;
use super::log::{Request, RequestLog};
use super::metadata::{RunInfo, duration};

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Record {
    start_time: Option<f64>,
    end_time: Option<f64>,
    info: Info,
    error: Option<IgnoredAny>,
}

/// Before 0.7 the response's fields stand here.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Info {
    input_tokens: Option<f64>,
    #[serde(flatten)]
    old: Response,
    response_metrics: Option<Response>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Response {
    output_tokens: Option<f64>,
    output_token_times: Vec<f64>,
}

/// The requests, and how long they took together.
pub(super) fn log(records: &[Record]) -> (RequestLog, RunInfo) {
    let mut log = RequestLog::default();
    for record in records {
        log.push(&request(record));
    }
    let first = records.iter().filter_map(|record| record.start_time).min_by(f64::total_cmp);
    let last = records.iter().filter_map(|record| record.end_time).max_by(f64::total_cmp);
    let duration = duration(first.zip(last).map(|(first, last)| last - first));
    (log, RunInfo { duration, ..RunInfo::default() })
}

fn request(record: &Record) -> Request {
    let response = record.info.response_metrics.as_ref().unwrap_or(&record.info.old);
    let times = &response.output_token_times;
    // 0.3.0 counts the closing chunk as one more token.
    let tokens = response.output_tokens.map_or(times.len(), |tokens| times.len().min(tokens as usize));
    let since_sent = |time: Option<&f64>| Some(time? - record.start_time?).filter(|seconds| *seconds > 0.0);
    let mut request = Request { failed: record.error.is_some(), sent: record.start_time, ..Request::default() };
    request.set(Dimension::TimeToFirstToken, since_sent(times.first()));
    request.set(Dimension::TimeToLastToken, since_sent(times[..tokens].last()));
    request.set(Dimension::InputTokens, record.info.input_tokens);
    request.set(Dimension::OutputTokens, response.output_tokens);
    request.completed()
}
