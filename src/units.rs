//! Physical quantities as types, and the few divisions the model needs.
//!
//! Text becomes a quantity once, where it is read; inside the library a time is a [`Seconds`], never a bare number.
//! Decimal prefixes (GB = 10⁹) and binary ones (GiB = 2³⁰) are spelled out in the constructors.
//!
//! ```
//! use perfmodel::units::{Bytes, BytesPerSec, Flops, FlopsPerSec};
//!
//! // A step of an H100 SXM over 4·10⁹ weights of two bytes, for 64 sequences.
//! let reading = Bytes::new(2.0 * 4e9) / BytesPerSec::from_giga(3350.0);
//! let computing = Flops::new(2.0 * 4e9 * 64.0) / FlopsPerSec::from_tera(989.4);
//! assert!((reading.as_ms() - 2.388).abs() < 1e-3); // 8 GB over 3350 GB/s
//! assert!(reading > computing); // the memory binds
//! ```

use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul, Sub};

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
        pub struct $name(f64);

        impl $name {
            /// Nothing of it.
            pub const ZERO: Self = Self(0.0);

            /// From a number in the base unit.
            pub const fn new(value: f64) -> Self {
                Self(value)
            }

            /// The number in the base unit.
            pub const fn get(self) -> f64 {
                self.0
            }

            /// The larger of the two.
            pub fn max(self, other: Self) -> Self {
                Self(self.0.max(other.0))
            }

            /// The smaller of the two.
            pub fn min(self, other: Self) -> Self {
                Self(self.0.min(other.0))
            }
        }

        impl Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self(self.0 + other.0)
            }
        }

        impl AddAssign for $name {
            fn add_assign(&mut self, other: Self) {
                self.0 += other.0;
            }
        }

        impl Sub for $name {
            type Output = Self;
            fn sub(self, other: Self) -> Self {
                Self(self.0 - other.0)
            }
        }

        impl Mul<f64> for $name {
            type Output = Self;
            fn mul(self, factor: f64) -> Self {
                Self(self.0 * factor)
            }
        }

        impl Div<f64> for $name {
            type Output = Self;
            fn div(self, divisor: f64) -> Self {
                Self(self.0 / divisor)
            }
        }

        impl Div for $name {
            type Output = f64;
            fn div(self, other: Self) -> f64 {
                self.0 / other.0
            }
        }

        impl Sum for $name {
            fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
                parts.fold(Self::ZERO, Add::add)
            }
        }
    };
}

quantity!(
    /// A time in seconds.
    Seconds
);
quantity!(
    /// Floating-point operations; a multiply-add counts 2.
    Flops
);
quantity!(
    /// An amount of memory or traffic in bytes.
    Bytes
);
quantity!(
    /// Arithmetic rate in FLOP/s, dense (without structured sparsity).
    FlopsPerSec
);
quantity!(
    /// Bandwidth in byte/s.
    BytesPerSec
);
quantity!(
    /// Generated tokens per second.
    TokensPerSec
);

impl Seconds {
    /// From milliseconds.
    pub const fn from_ms(ms: f64) -> Self {
        Self(ms * 1e-3)
    }

    /// From microseconds.
    pub const fn from_us(us: f64) -> Self {
        Self(us * 1e-6)
    }

    /// In milliseconds.
    pub const fn as_ms(self) -> f64 {
        self.0 * 1e3
    }
}

impl FlopsPerSec {
    /// From TFLOP/s (10¹²).
    pub const fn from_tera(tera: f64) -> Self {
        Self(tera * 1e12)
    }
}

impl BytesPerSec {
    /// From GB/s (10⁹).
    pub const fn from_giga(giga: f64) -> Self {
        Self(giga * 1e9)
    }
}

impl Bytes {
    /// In GiB (2³⁰).
    pub fn as_gib(self) -> f64 {
        self.0 / (1_u64 << 30) as f64
    }
}

impl Div<FlopsPerSec> for Flops {
    type Output = Seconds;
    fn div(self, rate: FlopsPerSec) -> Seconds {
        Seconds(self.0 / rate.0)
    }
}

impl Div<BytesPerSec> for Bytes {
    type Output = Seconds;
    fn div(self, rate: BytesPerSec) -> Seconds {
        Seconds(self.0 / rate.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_prefixes_are_powers_of_a_thousand() {
        assert_eq!(FlopsPerSec::from_tera(1.0).get(), 1e12);
        assert_eq!(BytesPerSec::from_giga(1.0).get(), 1e9);
        assert_eq!(Seconds::from_ms(1.0).get(), 1e-3);
        assert_eq!(Seconds::from_us(1.0).get(), 1e-6);
    }

    #[test]
    fn binary_prefixes_are_powers_of_1024() {
        assert_eq!(Bytes::new(1_073_741_824.0).as_gib(), 1.0);
    }

    #[test]
    fn work_over_rate_is_time() {
        assert_eq!((Flops::new(4e12) / FlopsPerSec::from_tera(2.0)).get(), 2.0);
        assert_eq!((Bytes::new(3e9) / BytesPerSec::from_giga(1.5)).get(), 2.0);
    }
}
