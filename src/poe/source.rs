//! Where the uniform numbers of a generation come from.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::error::{Error, Result};

/// A source of uniform numbers. A generation takes them in this order: for each drafted token if drafts are sampled, for
/// each test, for each replacement.
pub trait Uniforms {
    /// The next number from 0 to 1, 1 excluded.
    ///
    /// # Errors
    /// A recorded list is used up.
    fn next(&mut self) -> Result<f64>;
}

/// Numbers of a seed.
#[derive(Debug, Clone)]
pub struct Seeded(ChaCha8Rng);

impl Seeded {
    /// The sequence of a seed; the same on every machine.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }
}

impl Uniforms for Seeded {
    fn next(&mut self) -> Result<f64> {
        Ok(self.0.random())
    }
}

/// Recorded numbers, to repeat a generation.
#[derive(Debug, Clone)]
pub struct Replay {
    numbers: Vec<f64>,
    used: usize,
}

impl Replay {
    /// A list that is taken from its start.
    pub const fn new(numbers: Vec<f64>) -> Self {
        Self { numbers, used: 0 }
    }

    /// How many are left.
    pub const fn left(&self) -> usize {
        self.numbers.len() - self.used
    }
}

impl Uniforms for Replay {
    fn next(&mut self) -> Result<f64> {
        let number = self.numbers.get(self.used).copied().ok_or_else(|| {
            Error::input(format!("the {} recorded uniform numbers are used up", self.numbers.len()))
                .help("replay with the model, prompt and options of the recording")
        })?;
        self.used += 1;
        Ok(number)
    }
}
