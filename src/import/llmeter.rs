//! LLMeter's folders, summed up from their requests.

use super::imported::Imported;
use super::point::{Facts, Latency, Load, Point};
use super::tool::Tool;
use crate::requests::{Dimension, Measured, Run};
use crate::stats::{Moments, QuantileRule};

/// Sums up a run, or each level of a load test.
pub fn summed(measured: Measured) -> Imported {
    let mut imported = Imported::of(Tool::Llmeter);
    match measured {
        Measured::Run(run) => add(&mut imported, &run, run.info.clients),
        Measured::LoadTest(test) => {
            for (clients, run) in &test.levels {
                add(&mut imported, run, Some(*clients));
            }
        }
    }
    imported
}

fn add(imported: &mut Imported, run: &Run, clients: Option<u32>) {
    let log = run.log.completed_only();
    let sorted = |dimension: Dimension| {
        let mut values: Vec<f64> = log.dimension(dimension).flatten().filter(|value| *value > 0.0).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let latency = |dimension: Dimension| {
        let values = sorted(dimension);
        let mean = Moments::of(&values).map(|moments| moments.mean);
        Latency { mean, median: QuantileRule::Linear.of(&values, 0.5) }.scaled(1e3)
    };
    let mean = |dimension: Dimension| Moments::of(&sorted(dimension)).map(|moments| moments.mean);
    let origin = run.path.display().to_string();
    imported.warnings.extend(run.warnings.iter().cloned());
    imported.points.push(Point {
        input_tokens: mean(Dimension::InputTokens),
        output_tokens: mean(Dimension::OutputTokens),
        ttft: latency(Dimension::TimeToFirstToken),
        itl: latency(Dimension::TimePerOutputToken),
        throughput: run.info.duration.map(|seconds| log.total(Dimension::OutputTokens) / seconds),
        completed: Some(log.len() as f64),
        failed: Some((run.log.len() - log.len()) as f64),
        ..Point::at(origin, clients.map_or(Load::Unknown, |clients| Load::Clients(f64::from(clients))))
    });
    imported.add_facts(&Facts { model: run.info.model.clone(), engine: run.info.provider.clone(), ..Facts::default() });
}
