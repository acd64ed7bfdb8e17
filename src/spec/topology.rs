//! Whether the same devices process prompts and decode, or pools of their own.
//!
//! ```
//! use perfmodel::spec::{Pool, Topology};
//!
//! let pools = Topology::Disaggregated { prefill: "2xtp4".parse()?, decode: "1xdp8,ep8".parse()? };
//! assert_eq!(pools.devices(), 2 * 4 + 8);
//! # Ok::<(), perfmodel::error::Error>(())
//! ```

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Parallelism;
use crate::error::{Error, ErrorKind, Result};

/// Equal workers, each with devices of its own. As a text the workers and their degrees: `2xtp4`, `1xdp8,ep8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    workers: u32,
    parallelism: Parallelism,
}

impl Pool {
    /// So many workers, each split so.
    ///
    /// # Errors
    /// No worker, or more devices than can be counted.
    pub fn new(workers: u32, parallelism: Parallelism) -> Result<Self> {
        if workers == 0 || workers.checked_mul(parallelism.devices()).is_none() {
            return Err(
                Error::input(format!("a pool of {workers} workers")).help("give a whole number of workers, 1 or more")
            );
        }
        Ok(Self { workers, parallelism })
    }

    /// Workers.
    pub const fn workers(self) -> u32 {
        self.workers
    }

    /// How the model is split over the devices of a worker.
    pub const fn parallelism(self) -> Parallelism {
        self.parallelism
    }

    /// Devices of all workers.
    pub const fn devices(self) -> u32 {
        self.workers * self.parallelism.devices()
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.workers, self.parallelism.label().replace(' ', ","))
    }
}

impl FromStr for Pool {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let unread = || {
            Error::input(format!("cannot read `{text}` as a pool"))
                .help("write workers and degrees, such as 2xtp4 or 1xdp8,ep8; degrees are tp, pp, dp and ep")
        };
        let (workers, degrees) = text.split_once('x').ok_or_else(unread)?;
        let mut known = [("tp", None), ("pp", None), ("dp", None), ("ep", None)];
        for degree in degrees.split(',') {
            let at = degree.find(|c: char| c.is_ascii_digit()).ok_or_else(unread)?;
            let slot = known.iter_mut().find(|(name, _)| *name == &degree[..at]).ok_or_else(unread)?;
            if slot.1.is_some() {
                return Err(unread());
            }
            slot.1 = Some(degree[at..].parse::<u32>().map_err(|_| unread())?);
        }
        let [tp, pp, dp, ep] = known.map(|(_, degree)| degree.unwrap_or(1));
        Self::new(workers.parse().map_err(|_| unread())?, Parallelism::new(tp, pp, dp, ep)?)
    }
}

impl Serialize for Pool {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Pool {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Pool {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Pool".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        String::json_schema(generator)
    }
}

/// Which devices do what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Topology {
    /// Every worker processes prompts and decodes.
    Unified(Pool),
    /// Prompts are processed in one pool; their caches go to another, which decodes.
    Disaggregated {
        /// Processes prompts.
        prefill: Pool,
        /// Decodes.
        decode: Pool,
    },
}

impl Topology {
    /// Devices of all pools.
    pub fn devices(self) -> u32 {
        match self {
            Self::Unified(pool) => pool.devices(),
            Self::Disaggregated { prefill, decode } => prefill.devices() + decode.devices(),
        }
    }

    /// Checks that a prediction can be made of it.
    ///
    /// # Errors
    /// It has pools of their own.
    pub fn check_modelled(self) -> Result<()> {
        match self {
            Self::Unified(_) => Ok(()),
            Self::Disaggregated { .. } => {
                Err(Error::input("separate pools for prefill and decode are not modelled yet")
                    .of(ErrorKind::NotModelled)
                    .help("leave them out"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_pool_reads_back_and_counts_its_devices(workers in 1_u32..100, tp in 1_u32..9, dp in 1_u32..9, pp in 1_u32..4) {
            let pool = Pool::new(workers, Parallelism::new(tp, pp, dp, tp * dp).unwrap()).unwrap();
            prop_assert_eq!(pool.to_string().parse::<Pool>().unwrap(), pool);
            prop_assert_eq!(Topology::Unified(pool).devices(), workers * tp * dp * pp);
        }
    }

    #[test]
    fn what_is_no_pool_is_said_with_what_to_write() {
        for text in ["tp4", "2x", "2xtp", "2xfoo4", "2xtp4,tp4", "0xtp4", "xtp4", "2xtp4.5"] {
            let message = text.parse::<Pool>().unwrap_err().to_string();
            assert!(message.contains("pool"), "{text}: {message}");
        }
        assert!("1xtp2,ep3".parse::<Pool>().unwrap_err().to_string().contains("does not divide"));
    }

    #[test]
    fn pools_of_their_own_are_refused_by_name() {
        let pool: Pool = "1xtp1".parse().unwrap();
        assert!(Topology::Unified(pool).check_modelled().is_ok());
        let error = Topology::Disaggregated { prefill: pool, decode: pool }.check_modelled().unwrap_err();
        assert_eq!(error.message(), "separate pools for prefill and decode are not modelled yet");
    }
}
