//! JSON Schemas of requests and answers, as they lie in docs/schema.

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema};
use serde_json::Value;

use super::{
    BenchAnswer, BenchRequest, CheckAnswer, CheckRequest, CompareAnswer, CompareRequest, EvaluateAnswer,
    EvaluateRequest, EvaluateTableAnswer, EvaluateTableRequest, FitAnswer, FitLiveAnswer, FitRequest, ImportAnswer,
    ImportRequest, InsightsAnswer, InsightsRequest, ListAnswer, ListRequest, PlanAnswer, PlanRequest, PlotAnswer,
    PlotRequest, PredictAnswer, PredictRequest, ProbeAnswer, ProbeRequest, ReportAnswer, ReportRequest, RooflineAnswer,
    RooflineRequest,
};
use crate::bench::{ConfigFile, Results};

/// Every schema with the name of its file.
pub fn schemas() -> Vec<(&'static str, Schema)> {
    vec![
        ("bench.schema.json", answer::<BenchAnswer>("What `perfmodel bench --format json` prints")),
        ("bench.request.schema.json", request::<BenchRequest>("What `app::bench` is asked")),
        ("bench_config.schema.json", request::<ConfigFile>("The file of `perfmodel bench --config`")),
        ("results.schema.json", answer::<Results>("The results.json of `perfmodel bench`")),
        ("plot.schema.json", answer::<PlotAnswer>("What `perfmodel plot --format json` prints")),
        ("plot.request.schema.json", request::<PlotRequest>("What `app::plot` is asked")),
        ("probe.schema.json", answer::<ProbeAnswer>("What `perfmodel probe --format json` prints")),
        ("probe.request.schema.json", request::<ProbeRequest>("What `app::probe` is asked")),
        ("check.schema.json", answer::<CheckAnswer>("What `perfmodel check --format json` prints")),
        ("check.request.schema.json", request::<CheckRequest>("What `app::check` is asked")),
        ("evaluate.schema.json", answer::<EvaluateAnswer>("What `perfmodel evaluate --format json` prints")),
        ("evaluate.request.schema.json", request::<EvaluateRequest>("What `app::evaluate` is asked")),
        (
            "evaluate_table.schema.json",
            answer::<EvaluateTableAnswer>("What `perfmodel evaluate --table --format json` prints"),
        ),
        ("evaluate_table.request.schema.json", request::<EvaluateTableRequest>("What `app::evaluate_table` is asked")),
        ("fit.schema.json", answer::<FitAnswer>("What `perfmodel fit --format json` prints")),
        ("fit.request.schema.json", request::<FitRequest>("What `app::fit` and `app::fit_live` are asked")),
        ("fit_live.schema.json", answer::<FitLiveAnswer>("What `perfmodel fit --live --format json` prints")),
        ("predict.schema.json", answer::<PredictAnswer>("What `perfmodel predict --format json` prints")),
        ("predict.request.schema.json", request::<PredictRequest>("What `app::predict` is asked")),
        ("plan.schema.json", answer::<PlanAnswer>("What `perfmodel plan --format json` prints")),
        ("plan.request.schema.json", request::<PlanRequest>("What `app::plan` is asked")),
        ("insights.schema.json", answer::<InsightsAnswer>("What `perfmodel insights --format json` prints")),
        ("insights.request.schema.json", request::<InsightsRequest>("What `app::insights` is asked")),
        ("list.schema.json", answer::<ListAnswer>("What `perfmodel list --format json` prints")),
        ("list.request.schema.json", request::<ListRequest>("What `app::list` is asked")),
        ("report.schema.json", answer::<ReportAnswer>("What `perfmodel report --format json` prints")),
        ("report.request.schema.json", request::<ReportRequest>("What `app::report` is asked")),
        ("roofline.schema.json", answer::<RooflineAnswer>("What `perfmodel roofline --format json` prints")),
        ("roofline.request.schema.json", request::<RooflineRequest>("What `app::roofline` is asked")),
        ("compare.schema.json", answer::<CompareAnswer>("What `perfmodel compare --format json` prints")),
        ("compare.request.schema.json", request::<CompareRequest>("What `app::compare` is asked")),
        ("import.schema.json", answer::<ImportAnswer>("What `perfmodel import --format json` prints")),
        ("import.request.schema.json", request::<ImportRequest>("What `app::import` is asked")),
    ]
}

/// The schema of what is written.
fn answer<T: JsonSchema>(title: &str) -> Schema {
    titled::<T>(SchemaSettings::draft2020_12().for_serialize(), title)
}

/// The schema of what is read.
fn request<T: JsonSchema>(title: &str) -> Schema {
    titled::<T>(SchemaSettings::draft2020_12().for_deserialize(), title)
}

fn titled<T: JsonSchema>(settings: SchemaSettings, title: &str) -> Schema {
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    RecursiveTransform(closed).transform(&mut schema);
    closed_sum(&mut schema);
    schema
}

/// An object has no other keys than those that are listed, and a description no line breaks.
fn closed(schema: &mut Schema) {
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = text.replace('\n', " ");
    }
    let is_sum = ["oneOf", "anyOf", "allOf"].iter().any(|key| schema.get(*key).is_some());
    if schema.get("properties").is_some() && schema.get("additionalProperties").is_none() && !is_sum {
        schema.insert("additionalProperties".to_owned(), false.into());
    }
}

/// An object that is one of several forms besides its own keys has no other keys than those of its form and its own.
fn closed_sum(schema: &mut Schema) {
    let forms = schema.get("anyOf").and_then(Value::as_array).cloned();
    let (Some(mut forms), true) = (forms, schema.get("properties").is_some()) else { return };
    for form in forms.iter_mut().filter_map(Value::as_object_mut) {
        let named = form.remove("$ref");
        let place = named.as_ref().and_then(Value::as_str).and_then(|name| name.strip_prefix('#'));
        // What stands elsewhere as a whole object cannot be a part of this one.
        if let Some(Value::Object(whole)) = place.and_then(|place| schema.pointer(place)).cloned() {
            form.extend(whole);
        }
        form.remove("additionalProperties");
    }
    schema.insert("anyOf".to_owned(), Value::Array(forms));
    schema.insert("unevaluatedProperties".to_owned(), false.into());
}
