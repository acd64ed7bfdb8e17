//! Service-level objectives: which latencies are limited, and how far a forecast is from its limits.

use serde::{Deserialize, Serialize};

use crate::forecast::Forecast;
use crate::prediction::Prediction;
use crate::units::Seconds;
use crate::workload::Workload;

/// What of the times to first token is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum TtftStatistic {
    /// Their mean.
    #[default]
    Mean,
    /// Their median; percentiles are known of open loops only.
    P50,
    /// Their 90th percentile.
    P90,
    /// Their 99th percentile.
    P99,
}

impl TtftStatistic {
    /// Every statistic.
    pub const ALL: [Self; 4] = [Self::Mean, Self::P50, Self::P90, Self::P99];

    /// Name in flags and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P99 => "p99",
        }
    }

    /// Name in tables.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Mean => "TTFT",
            Self::P50 => "TTFT P50",
            Self::P90 => "TTFT P90",
            Self::P99 => "TTFT P99",
        }
    }

    /// Its value; where percentiles are not known, the mean.
    pub fn of(self, prediction: &Prediction) -> Seconds {
        let Some(open) = &prediction.open_loop else { return prediction.ttft };
        match self {
            Self::Mean => prediction.ttft,
            Self::P50 => open.ttft_p50,
            Self::P90 => open.ttft_p90,
            Self::P99 => open.ttft_p99,
        }
    }
}

/// A latency that can be limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum SloMetric {
    /// Time to first token.
    Ttft,
    /// Mean time between later tokens.
    Itl,
    /// Time from request to last token.
    #[serde(rename = "e2e")]
    EndToEnd,
}

/// Limits on latencies; what is `None` is not limited.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Slo {
    /// On the time to first token.
    pub ttft: Option<Seconds>,
    /// What of it is limited.
    pub statistic: TtftStatistic,
    /// On the mean time between later tokens.
    pub itl: Option<Seconds>,
    /// On the mean time from request to last token.
    pub end_to_end: Option<Seconds>,
}

/// One latency against its limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Margin {
    /// Which latency.
    pub metric: SloMetric,
    /// As predicted.
    pub predicted: Seconds,
    /// Upper end of its interval; infinite where the server may be overloaded.
    pub pessimistic: Seconds,
    /// The limit.
    pub limit: Seconds,
}

impl Margin {
    /// Pessimistic latency as a share of the limit; above 1 the limit does not hold.
    pub fn used(&self) -> f64 {
        let used = self.pessimistic / self.limit;
        if used.is_nan() { f64::INFINITY } else { used }
    }
}

impl Slo {
    /// Name of a limited latency in tables.
    pub const fn label(&self, metric: SloMetric) -> &'static str {
        match metric {
            SloMetric::Ttft => self.statistic.label(),
            SloMetric::Itl => "ITL",
            SloMetric::EndToEnd => "end to end",
        }
    }

    /// The largest share of its limit that a latency takes, without its interval; infinite where the server is overloaded.
    /// Cheap; at most 1 is necessary for [`Slo::is_met`].
    pub fn predicted_share(&self, prediction: &Prediction, workload: &Workload) -> f64 {
        if prediction.is_overloaded() {
            return f64::INFINITY;
        }
        let limited = [
            (self.statistic.of(prediction), self.ttft),
            (prediction.itl, self.itl),
            (prediction.end_to_end(workload.later_tokens()), self.end_to_end),
        ];
        limited.into_iter().filter_map(|(value, limit)| Some(value / limit?)).fold(0.0, f64::max)
    }

    /// The limited statistic of TTFT and the upper end of its interval, as far above it as that of the mean.
    pub fn ttft(&self, forecast: &Forecast) -> (Seconds, Seconds) {
        let ttft = self.statistic.of(&forecast.prediction);
        (ttft, forecast.ttft_interval(ttft).high)
    }

    /// Each limited latency of a forecast against its limit. A server that may be overloaded holds none: its queue grows for
    /// as long as the load lasts.
    pub fn margins(&self, forecast: &Forecast) -> impl Iterator<Item = Margin> + use<> {
        let p = &forecast.prediction;
        let (ttft, ttft_high) = self.ttft(forecast);
        let overloaded = forecast.may_be_overloaded();
        [
            (SloMetric::Ttft, ttft, ttft_high, self.ttft),
            (SloMetric::Itl, p.itl, forecast.itl.high, self.itl),
            (SloMetric::EndToEnd, forecast.end_to_end(), forecast.end_to_end_interval().high, self.end_to_end),
        ]
        .into_iter()
        .filter_map(move |(metric, predicted, high, limit)| {
            let pessimistic = if overloaded { Seconds::new(f64::INFINITY) } else { high };
            limit.map(|limit| Margin { metric, predicted, pessimistic, limit })
        })
    }

    /// The latency that comes nearest to its limit or exceeds it most; `None` where nothing is limited.
    pub fn tightest(&self, forecast: &Forecast) -> Option<Margin> {
        self.margins(forecast).reduce(|worst, margin| if margin.used() > worst.used() { margin } else { worst })
    }

    /// Whether the pessimistic ends of all intervals hold their limits, with a queue that ends.
    pub fn is_met(&self, forecast: &Forecast) -> bool {
        !forecast.may_be_overloaded() && self.margins(forecast).all(|margin| margin.used() <= 1.0)
    }
}
