//! What clients ask of a server: prompt length, answer length, and how many ask at once.

use crate::error::{Error, Result};

/// A closed loop of clients with requests of one shape. Lengths are means and may be fractional.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Workload {
    input_tokens: f64,
    output_tokens: f64,
    concurrency: f64,
}

impl Workload {
    /// Checks and builds a workload.
    ///
    /// # Errors
    /// Less than one input token or client, less than two output tokens (a request of one token has no inter-token
    /// latency), or a value above 10⁹ or not finite.
    pub fn new(input_tokens: f64, output_tokens: f64, concurrency: f64) -> Result<Self> {
        for (name, value, least) in [
            ("input_tokens", input_tokens, 1.0),
            ("output_tokens", output_tokens, 2.0),
            ("concurrency", concurrency, 1.0),
        ] {
            if !(value >= least && value <= 1e9) {
                return Err(
                    Error::input(format!("{name} is {value}")).help(format!("give a number from {least} to 1e9"))
                );
            }
        }
        Ok(Self { input_tokens, output_tokens, concurrency })
    }

    /// Prompt length I in tokens.
    pub fn input_tokens(&self) -> f64 {
        self.input_tokens
    }

    /// Generated tokens O of a request, at least 2.
    pub fn output_tokens(&self) -> f64 {
        self.output_tokens
    }

    /// Clients c in the loop: each sends its next request when its last one ends.
    pub fn concurrency(&self) -> f64 {
        self.concurrency
    }

    /// Decode steps of a request after its first token, O − 1.
    pub fn decode_steps(&self) -> f64 {
        self.output_tokens - 1.0
    }

    /// Mean context of a running sequence, I + O/2 tokens.
    pub fn mean_context(&self) -> f64 {
        self.input_tokens + self.output_tokens / 2.0
    }

    /// Tokens of a finished request, I + O; an engine reserves cache for all of them.
    pub fn total_tokens(&self) -> f64 {
        self.input_tokens + self.output_tokens
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
    }
}
