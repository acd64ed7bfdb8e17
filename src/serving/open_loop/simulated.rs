//! The formulas against an event-driven simulation of the engine that they describe.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::batch::mean_batch;
use super::capacity::Capacity;
use super::distribution::LEVELS;
use super::{Engine, Seconds};

/// An engine with `D(B) = idle + each·B`, and the number of requests that are simulated.
struct Case {
    name: &'static str,
    idle: f64,
    each: f64,
    prefill: f64,
    input_tokens: f64,
    output_tokens: usize,
    slots: usize,
    step_tokens: Option<f64>,
    rate: f64,
    requests: usize,
}

/// What both say: seconds, tokens, sequences.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Point {
    ttft: f64,
    quantiles: [f64; 3],
    itl: f64,
    batch: f64,
}

impl Case {
    fn engine(&self) -> Engine<impl Fn(f64) -> Seconds + use<>> {
        let (idle, each) = (self.idle, self.each);
        Engine {
            decode_time: move |batch: f64| Seconds::new(idle + each * batch),
            prefill: Seconds::new(self.prefill),
            alone: Seconds::new(self.prefill + self.idle),
            input_tokens: self.input_tokens,
            decode_steps: self.output_tokens as f64 - 1.0,
            slots: self.slots as f64,
            step_tokens: self.step_tokens,
        }
    }

    fn predicted(&self) -> Point {
        let engine = self.engine();
        let capacity = Capacity::of(&engine);
        let batch = mean_batch(&engine, self.rate, &capacity);
        let first = engine.first_token(self.rate, batch, &capacity);
        let alone = engine.alone.get();
        Point {
            ttft: alone + first.total().get(),
            quantiles: LEVELS.map(|level| alone + first.quantile(level).get()),
            itl: batch / (self.rate * engine.decode_steps),
            batch,
        }
    }

    /// One step after the other: prompts that have arrived are taken in their order while places and the token budget
    /// last, a prompt that does not fit whole is split; every running sequence and every finished prompt gets a token.
    fn simulated(&self) -> Point {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut clock = 0.0;
        let arrivals: Vec<f64> = (0..self.requests)
            .map(|_| {
                clock -= (1.0 - random.random::<f64>()).ln() / self.rate;
                clock
            })
            .collect();
        let steps = self.output_tokens - 1;
        // Sequences that end with a step, by step.
        let mut ending = vec![0; steps + 1];
        let (mut running, mut taken, mut arrived, mut step, mut left) = (0usize, 0, 0, 0usize, 0.0);
        let mut waits = Vec::with_capacity(self.requests);
        let (mut time, mut sequence_time, mut tokens) = (0.0, 0.0, 0.0);
        // The first requests find an empty engine.
        let warm = self.requests / 10;
        let mut warm_at = 0.0;
        while waits.len() < self.requests {
            while arrived < arrivals.len() && arrivals[arrived] <= time {
                arrived += 1;
            }
            let mut room = self.step_tokens.map_or(f64::INFINITY, |budget| budget - running as f64);
            let (mut work, mut finished) = (0.0, 0);
            loop {
                if left == 0.0 {
                    // Places are held from here to the last token: running sequences and prompts of this step.
                    if taken == arrived || running + finished == self.slots || room <= 0.0 {
                        break;
                    }
                    taken += 1;
                    left = self.input_tokens;
                }
                let part = f64::min(left, room);
                left -= part;
                room -= part;
                work += part;
                if left > 0.0 {
                    break;
                }
                finished += 1;
            }
            if running == 0 && work == 0.0 {
                time = arrivals[arrived];
                continue;
            }
            let duration = self.idle + self.each * running as f64 + self.prefill * work / self.input_tokens;
            time += duration;
            if waits.len() >= warm {
                sequence_time += running as f64 * duration;
                tokens += running as f64;
            } else {
                warm_at = time;
            }
            let place = step % ending.len();
            running -= std::mem::take(&mut ending[place]);
            running += finished;
            ending[(step + steps) % (steps + 1)] += finished;
            for _ in 0..finished {
                waits.push(time - arrivals[waits.len()]);
            }
            step += 1;
        }
        let mut waits = waits.split_off(warm);
        let ttft = waits.iter().sum::<f64>() / waits.len() as f64;
        waits.sort_by(f64::total_cmp);
        let quantile = |share: f64| waits[(share * waits.len() as f64) as usize];
        Point {
            ttft,
            quantiles: [0.5, 0.9, 0.99].map(quantile),
            itl: sequence_time / tokens,
            batch: sequence_time / (time - warm_at),
        }
    }
}

#[rustfmt::skip]
const CASES: [Case; 6] = [
    Case { name: "idle", idle: 0.0045, each: 4e-5, prefill: 0.0065, input_tokens: 500.0, output_tokens: 2000, slots: 360,
        step_tokens: None, rate: 0.1, requests: 5_000 },
    Case { name: "several prompts a step", idle: 0.0045, each: 4e-5, prefill: 0.0026, input_tokens: 200.0, output_tokens: 200,
        slots: 2250, step_tokens: None, rate: 45.0, requests: 100_000 },
    Case { name: "plain", idle: 0.0045, each: 4e-5, prefill: 0.013, input_tokens: 1000.0, output_tokens: 1000, slots: 450,
        step_tokens: None, rate: 12.7, requests: 100_000 },
    Case { name: "long prompts", idle: 0.018, each: 9e-5, prefill: 0.36, input_tokens: 5000.0, output_tokens: 500, slots: 85,
        step_tokens: None, rate: 1.0, requests: 50_000 },
    Case { name: "queue for places", idle: 0.018, each: 9e-5, prefill: 0.36, input_tokens: 5000.0, output_tokens: 500,
        slots: 85, step_tokens: None, rate: 1.75, requests: 300_000 },
    Case { name: "token budget", idle: 0.018, each: 9e-5, prefill: 0.072, input_tokens: 1000.0, output_tokens: 1000,
        slots: 235, step_tokens: Some(2048.0), rate: 3.0, requests: 100_000 },
];

/// Engines with so few places that a normal distribution of the batch is a rough picture.
#[rustfmt::skip]
const FEW_PLACES: [Case; 4] = [
    Case { name: "one place, idle", idle: 0.018, each: 9e-5, prefill: 0.36, input_tokens: 5000.0, output_tokens: 500,
        slots: 1, step_tokens: None, rate: 1e-4, requests: 5_000 },
    Case { name: "one place", idle: 0.018, each: 9e-5, prefill: 0.36, input_tokens: 5000.0, output_tokens: 500,
        slots: 1, step_tokens: None, rate: 0.06, requests: 100_000 },
    Case { name: "two places", idle: 0.018, each: 9e-5, prefill: 0.36, input_tokens: 5000.0, output_tokens: 500,
        slots: 2, step_tokens: None, rate: 0.1, requests: 100_000 },
    Case { name: "four places", idle: 0.018, each: 9e-5, prefill: 0.36, input_tokens: 5000.0, output_tokens: 500,
        slots: 4, step_tokens: None, rate: 0.2, requests: 100_000 },
];

/// Asserts that a prediction is within a share of what was simulated.
fn near(case: &Case, what: &str, predicted: f64, simulated: f64, tolerance: f64) {
    let error = predicted / simulated - 1.0;
    assert!(
        error.abs() <= tolerance,
        "{}: {what} is {:.1} % off ({predicted} for {simulated})",
        case.name,
        100.0 * error
    );
}

/// Asserts that the means agree; what both say.
fn means_agree(case: &Case) -> (Point, Point) {
    let (predicted, simulated) = (case.predicted(), case.simulated());
    near(case, "ITL", predicted.itl, simulated.itl, 0.03);
    near(case, "batch", predicted.batch, simulated.batch, 0.03);
    near(case, "mean TTFT", predicted.ttft, simulated.ttft, 0.12);
    (predicted, simulated)
}

#[test]
fn formulas_agree_with_simulations() {
    for case in &CASES {
        let (predicted, simulated) = means_agree(case);
        let [p50, p90, p99] = predicted.quantiles;
        let [want_p50, want_p90, want_p99] = simulated.quantiles;
        near(case, "P50", p50, want_p50, 0.12);
        near(case, "P90", p90, want_p90, 0.12);
        near(case, "P99", p99, want_p99, 0.20);
    }
}

/// Their quantiles are not held to anything: the median of one place depends on whether more or less than half wait.
#[test]
fn means_agree_with_simulations_even_with_few_places() {
    for case in &FEW_PLACES {
        means_agree(case);
    }
}

/// Served requests per second of an engine that always has work, against the formula of the capacity.
#[test]
fn beyond_the_capacity_a_simulated_engine_serves_the_capacity() {
    for case in &CASES {
        let capacity = Capacity::of(&case.engine());
        let flooded = Case { rate: 3.0 * capacity.rate, requests: case.requests.min(50_000), ..*case };
        let point = flooded.simulated();
        let served = point.batch / (point.itl * (case.output_tokens as f64 - 1.0));
        assert!((served / capacity.rate - 1.0).abs() < 0.03, "{}: {served} of {}", case.name, capacity.rate);
    }
}
