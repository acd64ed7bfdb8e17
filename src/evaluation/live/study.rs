//! The fit to live runs, its errors, what it says of variants that it did not see, and where PoE breaks even.

use super::record::{LiveErrors, LiveRecord};
use super::rows::{KindErrors, LiveMetric, LiveRow, LiveRun};
use crate::bench::{Results, Variant};
use crate::calibration::{FitOptions, Flag, Slot, Solution, solve};
use crate::error::{Error, Result};
use crate::evaluation::MetricErrors;
use crate::passes::{LiveParameters, LiveQuantity};
use crate::units::Seconds;

/// What to study.
pub struct LiveStudyInput {
    /// Runs of one device.
    pub runs: Vec<LiveRun>,
    /// Name of the device.
    pub hardware: String,
    /// How to fit.
    pub options: FitOptions,
    /// Whether to predict variants and runs that a fit did not see.
    pub validate: bool,
}

/// Rows predicted by a fit that did not see them.
#[derive(Debug, Clone)]
pub struct Unseen {
    /// What the fit saw.
    pub seen: String,
    /// Errors of what it did not see.
    pub kinds: Vec<KindErrors>,
}

/// Where PoE with some γ takes no longer than another variant.
#[derive(Debug, Clone, PartialEq)]
pub struct BreakEven {
    /// Which run.
    pub run: String,
    /// Drafts of a round.
    pub gamma: usize,
    /// Measured acceptance.
    pub acceptance: f64,
    /// Measured time of a token.
    pub measured: Seconds,
    /// Predicted at that acceptance.
    pub predicted: Seconds,
    /// Predicted if every draft is accepted.
    pub at_best: Seconds,
    /// Acceptance from which on it is no slower than averaging all heads; `None`: never.
    pub against_naive: Option<f64>,
    /// And than the baseline.
    pub against_baseline: Option<f64>,
}

/// A finished study.
pub struct LiveStudy {
    /// Runs of one device.
    pub runs: Vec<LiveRun>,
    /// Name of the device.
    pub hardware: String,
    /// Parameters and what is known of them.
    pub solution: Solution,
    /// Predictions of all rows, run by run.
    pub predicted: Vec<Vec<Seconds>>,
    /// Errors before the fit.
    pub before: Vec<KindErrors>,
    /// Errors after it, in sample.
    pub after: Vec<KindErrors>,
    /// Errors out of sample.
    pub unseen: Vec<Unseen>,
    /// Where PoE breaks even.
    pub break_even: Vec<BreakEven>,
    /// What remains of it.
    pub record: LiveRecord,
}

/// The slots of every fit to live runs: all variants and runs share all parameters.
fn slots() -> Vec<Slot> {
    LiveQuantity::ALL.map(|quantity| Slot { parameter: quantity.parameter(), campaign: None }).to_vec()
}

type Chosen<'a> = Vec<(&'a LiveRun, Vec<&'a LiveRow>)>;

fn chosen<'a>(runs: &'a [LiveRun], take: &dyn Fn(&LiveRun, &LiveRow) -> bool) -> Chosen<'a> {
    runs.iter().map(|run| (run, run.rows.iter().filter(|row| take(run, row)).collect())).collect()
}

/// Fits to chosen rows. The kinds of rows of a run weigh the same together, however many rows they have: decode steps at sixteen
/// positions say little more than one.
fn fit(rows: &Chosen<'_>, options: &FitOptions) -> Result<Solution> {
    let kind = |row: &LiveRow| (row.variant, row.metric);
    let count: usize = rows.iter().map(|(_, rows)| rows.len()).sum();
    let mut kinds = 0;
    let mut sizes: Vec<Vec<f64>> = Vec::new();
    for (_, rows) in rows {
        let mut seen: Vec<_> = rows.iter().map(|row| kind(row)).collect();
        sizes.push(rows.iter().map(|row| seen.iter().filter(|k| **k == kind(row)).count() as f64).collect());
        seen.sort_by_key(|(variant, metric)| (*variant as u8, *metric as u8));
        seen.dedup();
        kinds += seen.len();
    }
    let residuals = |values: &[f64]| -> Vec<f64> {
        let parameters = LiveParameters::from_values(values);
        let mut out = Vec::with_capacity(count);
        for ((run, rows), sizes) in rows.iter().zip(&sizes) {
            let timer = run.timer(parameters);
            for (row, size) in rows.iter().zip(sizes) {
                let weight = (count as f64 / (kinds as f64 * size)).sqrt();
                out.push(weight * (row.predict(&timer) / row.measured).ln());
            }
        }
        out
    };
    // Priors hold what a run leaves open, so a run of few rows can be fitted too.
    solve(&slots(), &residuals, count.max(slots().len()), options, true)
}

fn predicted(run: &LiveRun, rows: &[&LiveRow], values: &[f64]) -> Vec<Seconds> {
    let timer = run.timer(LiveParameters::from_values(values));
    rows.iter().map(|row| row.predict(&timer)).collect()
}

/// Errors by variant and metric.
fn errors(rows: &Chosen<'_>, values: &[f64]) -> Vec<KindErrors> {
    let all: Vec<(&LiveRow, Seconds)> =
        rows.iter().flat_map(|(run, rows)| rows.iter().copied().zip(predicted(run, rows, values))).collect();
    let mut kinds = Vec::new();
    for variant in Variant::ALL {
        for metric in LiveMetric::ALL {
            let pairs: Vec<(f64, f64)> = all
                .iter()
                .filter(|(row, _)| (row.variant, row.metric) == (variant, metric))
                .map(|(row, time)| (time.as_ms(), row.measured.as_ms()))
                .collect();
            if let Some(errors) = MetricErrors::of(&pairs) {
                kinds.push(KindErrors { variant, metric, rows: pairs.len(), errors });
            }
        }
    }
    kinds
}

/// Fits, evaluates and validates.
///
/// # Errors
/// No run, or a fit that did not converge.
pub fn run_live_study(input: LiveStudyInput) -> Result<LiveStudy> {
    let LiveStudyInput { runs, hardware, options, validate } = input;
    if runs.is_empty() {
        return Err(Error::input("there is no live run").help("give --live RESULTS.json"));
    }
    let all = chosen(&runs, &|_, _| true);
    let solution = fit(&all, &options)?;
    let values = solution.values();
    let before = errors(&all, &solution.baseline_values());
    let after = errors(&all, &values);
    let unseen = if validate { unseen(&runs, &options)? } else { Vec::new() };
    let break_even = runs.iter().flat_map(|run| break_evens(run, LiveParameters::from_values(&values))).collect();
    let predicted = all.iter().map(|(run, rows)| self::predicted(run, rows, &values)).collect();
    let recorded = |kinds: &[KindErrors]| kinds.iter().map(LiveErrors::new).collect();
    let record = LiveRecord::new(&hardware, &runs, &options, &solution, recorded(&before), recorded(&after));
    Ok(LiveStudy { hardware, solution, predicted, before, after, unseen, break_even, record, runs })
}

/// Fits that leave variants or runs out, and their errors there.
fn unseen(runs: &[LiveRun], options: &FitOptions) -> Result<Vec<Unseen>> {
    let mut out = Vec::new();
    let mut add = |seen: String, sees: &dyn Fn(&LiveRun, &LiveRow) -> bool| -> Result<()> {
        let (fitted, left) = (chosen(runs, sees), chosen(runs, &|run, row| !sees(run, row)));
        let rows = |chosen: &Chosen<'_>| chosen.iter().map(|(_, rows)| rows.len()).sum::<usize>();
        if rows(&fitted) > 0 && rows(&left) > 0 {
            let values = fit(&fitted, options)?.values();
            out.push(Unseen { seen, kinds: errors(&left, &values) });
        }
        Ok(())
    };
    let has = |variant: Variant| runs.iter().flat_map(|run| &run.rows).any(|row| row.variant == variant);
    if has(Variant::Baseline) {
        add("the baseline alone".to_owned(), &|_, row| row.variant == Variant::Baseline)?;
    }
    if has(Variant::Hydra) && has(Variant::Poe) {
        add("baseline and hydra".to_owned(), &|_, row| row.variant != Variant::Poe)?;
        add("baseline and poe".to_owned(), &|_, row| row.variant != Variant::Hydra)?;
    }
    if runs.len() > 1 {
        for left_out in runs {
            add(format!("all runs but {}", left_out.id), &|run, _| run.id != left_out.id)?;
        }
    }
    Ok(out)
}

fn break_evens(run: &LiveRun, parameters: LiveParameters) -> Vec<BreakEven> {
    let timer = run.timer(parameters);
    let context = run.poe_context();
    let naive = timer.pass(run.model.hydra_decode(context));
    let baseline = timer.pass(run.model.baseline_decode(context));
    let poe = run.rows.iter().filter(|row| row.metric == LiveMetric::PoeToken);
    poe.map(|row| {
        let times = timer.round(row.gamma, context);
        BreakEven {
            run: run.id.clone(),
            gamma: row.gamma,
            acceptance: row.acceptance,
            measured: row.measured,
            predicted: row.predict(&timer),
            at_best: times.per_token(1.0),
            against_naive: times.break_even(naive),
            against_baseline: times.break_even(baseline),
        }
    })
    .collect()
}

impl LiveStudy {
    /// What a reader must know before trusting the numbers.
    pub fn cautions(&self) -> Vec<String> {
        let mut cautions = Vec::new();
        for (flag, what) in [
            (
                Flag::AtBound,
                "on a bound of the fit; the model may lack an effect, or the roofs of the hardware file are off",
            ),
            (Flag::Unidentifiable, "not determined by these runs; a prior holds the value"),
        ] {
            let names: Vec<&str> =
                self.solution.parameters.iter().filter(|p| p.flag == flag).map(|p| p.parameter.name).collect();
            if !names.is_empty() {
                cautions.push(format!("{}: {what}", names.join(", ")));
            }
        }
        for run in &self.runs {
            let few = |results: &Results| {
                let timings = Variant::ALL.into_iter().filter_map(|variant| results.ttft(variant));
                timings.chain(results.gammas().iter().map(|run| &run.timing)).any(|timing| timing.n < 5)
            };
            if few(&run.results) {
                cautions.push(format!("{}: a row has fewer than 5 calls; its median means little", run.id));
            }
        }
        if self.unseen.is_empty() {
            cautions.push("the errors are in sample; out of sample they are larger".to_owned());
        }
        cautions
    }
}

/// Puts the predictions of a run beside its measurements.
pub fn predict_results(run: &LiveRun, parameters: LiveParameters, basis: &str) -> Results {
    let timer = run.timer(parameters);
    let mut results = run.results.clone();
    results.metadata.prediction = Some(basis.to_owned());
    let prompt = results.metadata.prompt_length.unwrap_or(0) as f64;
    let ms = |pass| Some(crate::stats::rounded(timer.pass(pass).as_ms(), 4));
    let model = &run.model;
    if let Some(baseline) = &mut results.baseline {
        if let Some(ttft) = &mut baseline.ttft {
            ttft.predicted_ms = ms(model.baseline_prefill(prompt));
        }
        for point in &mut baseline.decode {
            point.timing.predicted_ms = ms(model.baseline_decode(point.position as f64));
        }
    }
    if let Some(naive) = &mut results.hydra_naive {
        if let Some(ttft) = &mut naive.ttft {
            ttft.predicted_ms = ms(model.hydra_prefill(prompt));
        }
        for point in &mut naive.decode {
            point.timing.predicted_ms = ms(model.hydra_decode(point.position as f64));
        }
    }
    if let Some(poe) = &mut results.hydra_poe {
        let prefill = timer.pass(model.hydra_prefill(prompt)).as_ms();
        if let Some(ttft) = &mut poe.ttft {
            ttft.predicted_ms = ms(model.hydra_prefill(prompt));
        }
        for generation in &mut poe.per_gamma {
            let times = timer.round(generation.gamma as usize, run.poe_context());
            let per_token = times.refilled(generation.refilled()).per_token(generation.acceptance()).as_ms();
            let emitted = generation.avg_accepted_tokens_per_call / generation.acceptance().max(f64::MIN_POSITIVE);
            let tokens = generation.counts.as_ref().map_or(emitted, |counts| counts.tokens_per_call);
            let call = prefill + tokens * per_token;
            generation.timing.predicted_ms = call.is_finite().then(|| crate::stats::rounded(call, 4));
            if let Some(counts) = &mut generation.counts {
                counts.predicted_ms_per_token = Some(crate::stats::rounded(per_token, 4));
            }
        }
    }
    results
}
