//! What is asked of a server: the lengths of prompts and answers, and how many requests there are at once or how often.
//!
//! ```
//! use perfmodel::workload::{LoadKind, Workload};
//!
//! let clients = Workload::new(1000.0, 200.0, 32.0)?; // 32 of them, each with one request at a time
//! assert_eq!(clients.mean_context(), 1100.0); // the prompt and half of the answer
//! let users = Workload::under(LoadKind::OpenLoop, 1000.0, 200.0, 2.5)?; // 2.5 requests a second
//! assert_eq!(users.later_tokens(), 199.0); // the first token comes with the prompt
//! assert!(Workload::new(1000.0, 1.0, 32.0).is_err()); // one token has no time between tokens
//! # Ok::<(), perfmodel::error::Error>(())
//! ```

mod lengths;
mod load;

pub use lengths::{LengthDistribution, Lengths, Moments};
pub use load::{Arrivals, Load, LoadKind};

use crate::error::{Error, ErrorKind, Result};
use crate::units::Seconds;

/// The largest length and load that is one.
const MOST: f64 = 1e9;

/// Requests of some lengths under one load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Workload {
    lengths: Lengths,
    load: Load,
}

impl Workload {
    /// Lengths under a load.
    ///
    /// # Errors
    /// Less than one input token, two output tokens (a request of one token has no inter-token latency), one client or
    /// sequence, or 10⁻⁶ requests a second; a value above 10⁹ or not finite; or what is not modelled yet, by name: lengths
    /// that vary, cached prefixes, clients that think or are independent.
    pub fn of(lengths: Lengths, load: Load) -> Result<Self> {
        let kind = load.kind();
        for (name, value, least) in [
            ("input_tokens", lengths.input.mean(), 1.0),
            ("output_tokens", lengths.output.mean(), 2.0),
            (kind.column(), load.amount(), Load::least(kind)),
        ] {
            if !(value >= least && value <= MOST) {
                // 1e300 is written as such, not with its 300 zeros.
                let shown = if value.abs() < 1e15 { value.to_string() } else { format!("{value:e}") };
                return Err(
                    Error::input(format!("{name} is {shown}")).help(format!("give a number from {least} to 1e9"))
                );
            }
        }
        let thinks = matches!(load, Load::Clients { think_time, .. } if think_time != Seconds::ZERO);
        let independent = matches!(load, Load::Clients { arrivals: Arrivals::Independent, .. });
        let what = [
            (!(lengths.input.is_fixed() && lengths.output.is_fixed()), "lengths that vary are", "give their means"),
            (lengths.cached_tokens != 0.0, "cached prefixes are", "give the tokens that are computed as input_tokens"),
            (thinks, "clients that think are", "give the requests a second that they send as a rate"),
            (independent, "independent clients of a closed loop are", "set burst_factor to 0, or give a rate"),
        ];
        match what.into_iter().find(|(given, ..)| *given) {
            Some((_, what, remedy)) => {
                Err(Error::input(format!("{what} not modelled yet")).of(ErrorKind::NotModelled).help(remedy))
            }
            None => Ok(Self { lengths, load }),
        }
    }

    /// Requests that are all alike in a closed loop of `concurrency` clients.
    ///
    /// # Errors
    /// As [`Workload::of`].
    pub fn new(input_tokens: f64, output_tokens: f64, concurrency: f64) -> Result<Self> {
        Self::under(LoadKind::ClosedLoop, input_tokens, output_tokens, concurrency)
    }

    /// Requests that are all alike under a load of any kind: clients, requests per second, or sequences of the batch.
    ///
    /// # Errors
    /// As [`Workload::of`].
    pub fn under(kind: LoadKind, input_tokens: f64, output_tokens: f64, amount: f64) -> Result<Self> {
        Self::of(Lengths::fixed(input_tokens, output_tokens), Load::new(kind, amount))
    }

    /// The same requests, so many times fewer of them.
    pub(crate) fn share(&self, parts: f64) -> Self {
        let load = match self.load {
            Load::Clients { count, think_time, arrivals } => {
                Load::Clients { count: count / parts, think_time, arrivals }
            }
            Load::Rate(rate) => Load::Rate(rate / parts),
            Load::Batch(sequences) => Load::Batch(sequences / parts),
        };
        Self { load, ..*self }
    }

    /// Lengths of prompts and answers.
    pub const fn lengths(&self) -> &Lengths {
        &self.lengths
    }

    /// How many requests there are.
    pub const fn load(&self) -> &Load {
        &self.load
    }

    /// Mean prompt length I in tokens.
    pub const fn input_tokens(&self) -> f64 {
        self.lengths.input.mean()
    }

    /// Mean number of generated tokens O of a request, at least 2.
    pub const fn output_tokens(&self) -> f64 {
        self.lengths.output.mean()
    }

    /// How requests arrive.
    pub const fn kind(&self) -> LoadKind {
        self.load.kind()
    }

    /// Clients c of a closed loop, requests per second of an open one, sequences of a static batch.
    pub const fn amount(&self) -> f64 {
        self.load.amount()
    }

    /// Tokens of a request after its first, O − 1. An engine that drafts makes fewer steps for them
    /// ([`crate::spec::Deployment::tokens_per_step`]).
    pub const fn later_tokens(&self) -> f64 {
        self.output_tokens() - 1.0
    }

    /// Mean context of a running sequence, I + O/2 tokens.
    pub const fn mean_context(&self) -> f64 {
        self.input_tokens() + self.output_tokens() / 2.0
    }

    /// Tokens of a finished request, I + O; an engine reserves cache for all of them.
    pub const fn total_tokens(&self) -> f64 {
        self.input_tokens() + self.output_tokens()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_refuses_what_has_no_meaning() {
        for (input, output, clients) in
            [(0.0, 2.0, 1.0), (1.0, 1.0, 1.0), (1.0, 2.0, 0.5), (f64::NAN, 2.0, 1.0), (1.0, f64::INFINITY, 1.0)]
        {
            assert!(Workload::new(input, output, clients).is_err(), "{input} {output} {clients}");
        }
        assert!(Workload::new(1.0, 2.0, 1.0).is_ok());
        assert!(Workload::under(LoadKind::OpenLoop, 1.0, 2.0, 0.01).is_ok());
        let message = Workload::under(LoadKind::StaticBatch, 1.0, 2.0, 0.5).unwrap_err().to_string();
        assert!(message.starts_with("batch is 0.5"), "{message}");
    }

    #[test]
    fn what_is_not_modelled_yet_is_refused_by_name() {
        let fixed = Lengths::fixed(1000.0, 200.0);
        let varying = Lengths { input: "uniform:800..1200".parse::<LengthDistribution>().unwrap().moments(), ..fixed };
        let eight = Load::new(LoadKind::ClosedLoop, 8.0);
        let clients =
            |seconds: f64, arrivals| Load::Clients { count: 8.0, think_time: Seconds::new(seconds), arrivals };
        for (lengths, load, want) in [
            (varying, eight, "lengths that vary are not modelled yet"),
            (Lengths { cached_tokens: 500.0, ..fixed }, eight, "cached prefixes are not modelled yet"),
            (fixed, clients(30.0, Arrivals::Lockstep), "clients that think are not modelled yet"),
            (fixed, clients(0.0, Arrivals::Independent), "independent clients of a closed loop are not modelled yet"),
        ] {
            let message = Workload::of(lengths, load).unwrap_err().to_string();
            assert!(message.starts_with(want), "{message}");
        }
        assert_eq!(
            Workload::of(fixed, clients(0.0, Arrivals::Lockstep)).unwrap(),
            Workload::new(1000.0, 200.0, 8.0).unwrap()
        );
    }
}
