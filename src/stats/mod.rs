//! Statistics of timings: summaries and density of repeated calls, and the comparison of samples of requests. Plain functions of
//! numbers; the unit of what goes in is that of what comes out.
//!
//! ```
//! use perfmodel::stats::{QuantileRule, Summary, hodges_lehmann};
//!
//! let before = [10.0, 11.0, 12.0, 13.0, 14.0];
//! let after = before.map(|ms| ms + 3.0);
//! assert_eq!(Summary::of(&before).map(|summary| summary.mean), Some(12.0));
//! assert_eq!(QuantileRule::Linear.of(&before, 0.75), Some(13.0)); // of sorted values
//! // Every value has moved by 3, and the estimate of the shift says so.
//! let shift = hodges_lehmann(&before, &after, 0.95);
//! assert!(shift.is_some_and(|shift| shift.estimate == 3.0 && shift.low <= 3.0 && shift.high >= 3.0));
//! ```

mod bootstrap;
mod density;
mod histogram;
mod holm;
mod jackknife;
mod kolmogorov;
mod moments;
mod order_interval;
mod outliers;
mod quantile;
mod ranks;
mod resample;
mod shift;
mod summary;

pub use bootstrap::{BootstrapInterval, IntervalMethod, bootstrap_p, interval};
pub use density::{density, scott_bandwidth};
pub use histogram::{Bins, round_up};
pub use holm::holm;
pub use jackknife::{LeaveOneOut, acceleration};
pub use kolmogorov::{KolmogorovSmirnov, kolmogorov_smirnov};
pub use moments::{Line, Moments, Welch, cohen_d, lag_one, welch};
pub use order_interval::{OrderInterval, order_interval};
pub use outliers::{Quartiles, quartiles, without_outliers};
pub use quantile::{Position, QuantileRule};
pub use ranks::{BrunnerMunzel, Dominance, brunner_munzel, cliff_words, mann_whitney_p, spearman};
pub use resample::{COUNTED_UP_TO, Resampling, Scheme, resampled_quantiles};
pub use shift::{Shift, hodges_lehmann};
pub use summary::{Summary, median, rounded};
