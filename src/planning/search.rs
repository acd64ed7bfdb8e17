//! The search over placements and numbers of replicas.

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::slo::{Margin, Slo};
use crate::calibration::{CalibrationRecord, Origin, Outside, Target};
use crate::error::Result;
use crate::estimator::Estimator;
use crate::forecast::{Capacity, Forecast, Forecaster};
use crate::spec::{Campaign, System};
use crate::units::{Seconds, TokensPerSec};
use crate::workload::{LoadKind, Workload};

/// Headroom is found to this share of the load.
const HEADROOM_TOLERANCE: f64 = 0.005;

/// More headroom than this factor is not looked for.
const MOST_HEADROOM: f64 = 64.0;

/// A configuration is as near to the limits as the largest one if it takes no more than this many times its share of them.
const AS_NEAR: f64 = 1.02;

/// A model on one group of devices.
#[derive(Debug, Clone)]
pub struct Placement {
    /// Id of the device.
    pub hardware: String,
    /// The system.
    pub system: System,
    /// US dollars for one device and one hour, if known.
    pub usd_per_gpu_hour: Option<f64>,
}

/// What is asked of every placement.
#[derive(Debug, Clone)]
pub struct Question {
    /// Lengths, and the load of all replicas together: clients of a closed loop or requests per second.
    pub demand: Workload,
    /// Limits on latencies.
    pub slo: Slo,
    /// Numbers of replicas to try, rising.
    pub replicas: Vec<u32>,
    /// Most devices of a configuration.
    pub most_gpus: u32,
    /// How to predict.
    pub estimator: &'static dyn Estimator,
    /// What is known from measurements.
    pub calibration: Option<CalibrationRecord>,
    /// The scenario whose campaign the demand resembles, if there is one.
    pub scenario: Option<String>,
    /// Its campaign.
    pub campaign: Option<Campaign>,
    /// Parameter values that the user sets.
    pub given: Vec<(String, f64)>,
}

/// A placement in a number of replicas.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Configuration {
    /// Equal groups that share the demand.
    pub replicas: u32,
    /// Devices in all.
    pub gpus: u32,
    /// What each replica is asked and does.
    pub forecast: Forecast,
    /// Generated tokens per second in all.
    pub throughput: TokensPerSec,
    /// US dollars per hour in all.
    pub usd_per_hour: Option<f64>,
}

impl Configuration {
    /// US dollars for a million generated tokens.
    pub fn usd_per_million_tokens(&self) -> Option<f64> {
        self.usd_per_hour.map(|usd| usd / (3600.0 * self.throughput.get()) * 1e6)
    }
}

/// A configuration without its intervals.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurvePoint {
    /// Equal groups that share the demand.
    pub replicas: u32,
    /// Devices in all.
    pub gpus: u32,
    /// US dollars per hour in all.
    pub usd_per_hour: Option<f64>,
    /// Limited statistic of the time to first token.
    pub ttft: Seconds,
    /// Mean time between later tokens.
    pub itl: Seconds,
    /// Largest share of its limit that a latency takes.
    pub share: f64,
}

/// Configurations of one placement that differ in what a replica is asked, by rising number of replicas.
pub type Curve = Vec<CurvePoint>;

/// The smallest configuration of a placement that meets the objective.
#[derive(Debug, Clone)]
pub struct Fitting {
    /// The configuration.
    pub configuration: Configuration,
    /// The latency nearest to its limit.
    pub tightest: Margin,
    /// Largest demand that it serves within the objective, relative to the demand, less 1; `None`: beyond what is looked for.
    pub headroom: Option<f64>,
    /// Parameters that no calibration covers.
    pub from_priors: Vec<&'static str>,
    /// Axes on which it leaves what was calibrated.
    pub outside: Vec<Outside>,
}

/// Why a placement does not meet the objective.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Failure {
    /// It cannot serve the demand at all, in words.
    Unusable(String),
    /// The largest configuration misses a limit, and so does the smallest that comes as near to it.
    Misses(Box<Miss>),
}

/// A configuration that misses a limit.
#[derive(Debug, Clone, Copy)]
pub struct Miss {
    /// The configuration.
    pub configuration: Configuration,
    /// The limit that it exceeds most.
    pub margin: Margin,
    /// Whether it would miss it with next to no load too, so that no number of replicas helps.
    pub at_any_size: bool,
}

/// What came of a placement.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The placement.
    pub placement: Placement,
    /// Configurations that were considered.
    pub configurations: usize,
    /// Predictions of all of them.
    pub curve: Curve,
    /// The smallest that meets the objective, or why none does.
    pub verdict: std::result::Result<Fitting, Failure>,
}

/// What came of all placements.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Those that meet the objective: cheapest first, those without a price behind, by devices.
    pub options: Vec<Outcome>,
    /// The others: nearest to the objective first.
    pub failures: Vec<Outcome>,
}

impl Outcome {
    /// The configuration that meets the objective.
    pub fn fitting(&self) -> Option<&Fitting> {
        self.verdict.as_ref().ok()
    }

    /// How far the largest configuration is from the objective, as a share of the limit, then of the capacity: overloaded ones come
    /// behind the others, unusable ones last.
    fn distance(&self) -> [f64; 2] {
        match &self.verdict {
            Ok(_) => [0.0; 2],
            Err(Failure::Misses(miss)) => {
                let open_loop = miss.configuration.forecast.prediction.open_loop;
                [miss.margin.used().min(f64::MAX), open_loop.map_or(0.0, |open_loop| open_loop.utilisation)]
            }
            Err(Failure::Unusable(_)) => [f64::INFINITY; 2],
        }
    }
}

impl Plan {
    /// Configurations that were considered.
    pub fn configurations(&self) -> usize {
        self.options.iter().chain(&self.failures).map(|outcome| outcome.configurations).sum()
    }

    /// Of the failures the one nearest to the objective, if any could serve the demand at all.
    pub fn nearest(&self) -> Option<(&Placement, &Miss)> {
        self.failures.first().and_then(|outcome| match &outcome.verdict {
            Err(Failure::Misses(miss)) => Some((&outcome.placement, miss.as_ref())),
            _ => None,
        })
    }
}

/// What one of `replicas` replicas is asked: its share of the rate, or of the clients, rounded up.
///
/// # Errors
/// The share is no workload: a rate below 10⁻⁶ per second.
pub fn share(demand: &Workload, replicas: u32) -> Result<Workload> {
    let load = demand.amount() / f64::from(replicas);
    let load = if demand.kind() == LoadKind::OpenLoop { load } else { load.ceil() };
    Workload::under(demand.kind(), demand.input_tokens(), demand.output_tokens(), load)
}

/// Searches all placements; `progress` is called when one is done, with how many are, and of how many.
///
/// # Errors
/// A calibration or a given value that suits none of them.
pub fn plan(placements: Vec<Placement>, question: &Question, progress: &(dyn Fn(usize, usize) + Sync)) -> Result<Plan> {
    let (done, of) = (AtomicUsize::new(0), placements.len());
    let outcomes: Vec<Outcome> = placements
        .into_par_iter()
        .map(|placement| {
            let outcome = outcome(placement, question);
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, of);
            outcome
        })
        .collect::<Result<_>>()?;
    let (mut options, mut failures): (Vec<_>, Vec<_>) =
        outcomes.into_iter().partition(|outcome| outcome.verdict.is_ok());
    options.sort_by(|a, b| {
        let key = |outcome: &Outcome| {
            outcome.fitting().map_or((f64::INFINITY, 0.0, 0.0), |fitting| {
                let c = &fitting.configuration;
                (c.usd_per_hour.unwrap_or(f64::INFINITY), f64::from(c.gpus), fitting.tightest.used())
            })
        };
        let (a, b) = (key(a), key(b));
        a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.total_cmp(&b.2))
    });
    failures.sort_by(|a, b| {
        let ([a_share, a_load], [b_share, b_load]) = (a.distance(), b.distance());
        a_share.total_cmp(&b_share).then(a_load.total_cmp(&b_load))
    });
    Ok(Plan { options, failures })
}

fn outcome(placement: Placement, question: &Question) -> Result<Outcome> {
    let target = Target {
        scenario: question.scenario.as_deref(),
        system: &placement.system,
        load: question.demand.kind(),
        campaign: question.campaign.as_ref(),
    };
    let unusable = |placement: Placement, why: String| {
        Ok(Outcome { placement, configurations: 0, curve: Vec::new(), verdict: Err(Failure::Unusable(why)) })
    };
    // What is wrong with the placement is an outcome; what is wrong with the calibration is an error of the whole.
    let predictor = match question.estimator.prepare(&placement.system, question.demand.kind(), &[]) {
        Ok(predictor) => predictor,
        Err(error) => return unusable(placement, error.message().to_owned()),
    };
    let forecaster = Forecaster::of(predictor, question.estimator, &target, question.calibration.as_ref())?
        .given(&question.given)?;
    let fits = Capacity::of(&placement.system, &forecaster).and_then(|capacity| capacity.check(&question.demand));
    if let Err(error) = fits {
        return unusable(placement, error.message().to_owned());
    }
    let group = placement.system.deployment().parallelism.devices();
    let most = question.most_gpus / group;
    let counts: Vec<u32> = question.replicas.iter().copied().filter(|count| *count <= most).collect();
    let Some(&largest) = counts.last() else {
        let least = question.replicas.first().copied().unwrap_or(1) * group;
        return unusable(placement, format!("needs {least} GPUs, {} are allowed", question.most_gpus));
    };
    let search = Search { question, placement: &placement, forecaster: &forecaster };
    let (curve, first) = search.curve(&counts)?;
    let fitting = match first {
        Some(first) => search.smallest(&curve[first..])?,
        None => None,
    };
    let verdict = match fitting {
        Some(fitting) => Ok(fitting),
        None => Err(search.failure(&curve, largest)?),
    };
    Ok(Outcome { configurations: counts.len(), curve, verdict, placement })
}

/// A placement under search.
struct Search<'a> {
    question: &'a Question,
    placement: &'a Placement,
    forecaster: &'a Forecaster,
}

impl Search<'_> {
    fn usd_per_hour(&self, gpus: u32) -> Option<f64> {
        self.placement.usd_per_gpu_hour.map(|usd| usd * f64::from(gpus))
    }

    /// Predictions by rising number of replicas, those left out whose replicas are asked the same as fewer ones; and the
    /// place of the first that holds the limits without its interval.
    fn curve(&self, counts: &[u32]) -> Result<(Curve, Option<usize>)> {
        let (mut curve, mut first, mut before) = (Curve::new(), None, None);
        for &replicas in counts {
            let workload = share(&self.question.demand, replicas)?;
            if before == Some(workload) {
                continue;
            }
            before = Some(workload);
            let prediction = self.forecaster.predict(&workload);
            let share = self.question.slo.predicted_share(&prediction, &workload);
            if first.is_none() && share <= 1.0 {
                first = Some(curve.len());
            }
            let gpus = replicas * self.placement.system.deployment().parallelism.devices();
            curve.push(CurvePoint {
                replicas,
                gpus,
                usd_per_hour: self.usd_per_hour(gpus),
                ttft: self.question.slo.statistic.of(&prediction),
                itl: prediction.itl,
                share,
            });
        }
        Ok((curve, first))
    }

    fn configuration(&self, replicas: u32) -> Result<Configuration> {
        let demand = &self.question.demand;
        let forecast = self.forecaster.forecast(&share(demand, replicas)?);
        let gpus = replicas * self.placement.system.deployment().parallelism.devices();
        // Where clients do not divide evenly the replicas have fewer in the mean.
        let replicas_busy = demand.amount() / forecast.workload.amount();
        Ok(Configuration {
            replicas,
            gpus,
            throughput: forecast.prediction.throughput * replicas_busy,
            usd_per_hour: self.usd_per_hour(gpus),
            forecast,
        })
    }

    /// The first of a curve that meets the objective with its interval. The last is tried first: it has the least load.
    fn smallest(&self, curve: &[CurvePoint]) -> Result<Option<Fitting>> {
        let meets = |replicas| -> Result<_> {
            let configuration = self.configuration(replicas)?;
            Ok(self.question.slo.is_met(&configuration.forecast).then_some(configuration))
        };
        let Some(last) = curve.last() else { return Ok(None) };
        if meets(last.replicas)?.is_none() {
            return Ok(None);
        }
        for point in curve {
            if let Some(configuration) = meets(point.replicas)? {
                return Ok(self.fitting(configuration));
            }
        }
        Ok(None)
    }

    fn fitting(&self, configuration: Configuration) -> Option<Fitting> {
        let workload = configuration.forecast.workload;
        Some(Fitting {
            tightest: self.question.slo.tightest(&configuration.forecast)?,
            headroom: self.headroom(&workload),
            from_priors: self.forecaster.from_origin(Origin::Prior),
            outside: self.forecaster.outside(std::iter::once(&workload)),
            configuration,
        })
    }

    /// How much more a replica could be asked within the objective.
    fn headroom(&self, workload: &Workload) -> Option<f64> {
        let meets = |factor: f64| {
            let load = workload.amount() * factor;
            Workload::under(workload.kind(), workload.input_tokens(), workload.output_tokens(), load)
                .is_ok_and(|more| self.question.slo.is_met(&self.forecaster.forecast(&more)))
        };
        let (mut low, mut high) = (1.0, 2.0);
        while meets(high) {
            low = high;
            high *= 2.0;
            if high > MOST_HEADROOM {
                return None;
            }
        }
        while high / low > 1.0 + HEADROOM_TOLERANCE {
            let middle = 0.5 * (low + high);
            if meets(middle) { low = middle } else { high = middle }
        }
        Some(low - 1.0)
    }

    /// Why not even the largest configuration meets the objective, told of the smallest that comes as near.
    fn failure(&self, curve: &[CurvePoint], largest: u32) -> Result<Failure> {
        let slo = &self.question.slo;
        let nearest = curve.last().map_or(largest, |last| {
            // Of overloaded ones the largest is the nearest.
            let as_near = |point: &&CurvePoint| point.share.is_finite() && point.share <= last.share * AS_NEAR;
            curve.iter().find(as_near).unwrap_or(last).replicas
        });
        let configuration = self.configuration(nearest)?;
        let demand = &self.question.demand;
        let least = if demand.kind() == LoadKind::OpenLoop { 1e-6 } else { 1.0 };
        let idle = Workload::under(demand.kind(), demand.input_tokens(), demand.output_tokens(), least)?;
        let at_any_size = !slo.is_met(&self.forecaster.forecast(&idle));
        Ok(match slo.tightest(&configuration.forecast) {
            Some(margin) => Failure::Misses(Box::new(Miss { configuration, margin, at_any_size })),
            None => Failure::Unusable("no latency is limited".to_owned()),
        })
    }
}
