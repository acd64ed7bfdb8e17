//! The power limit of a board: matrix products at full rate draw more than it may use, and the clock falls.

use crate::units::FlopsPerSec;

/// Operand bytes that an H100 SXM multiplies per second and watt: 989.4 TFLOP/s in 16 bit at 700 W. Demands are counted
/// relative to it, so an efficiency is that of an H100 SXM.
const REFERENCE: f64 = 989.4e12 / 700.0;

/// The smallest demand in the data that the law was derived from (an L40: 181 TFLOP/s at 300 W). Below it nothing is
/// known, and no device is taken to be better than that one.
const LEAST: f64 = 0.43;

/// Arithmetic in operand bytes per second and watt of board power, relative to an H100 SXM: `(F·b/2/TDP) / reference`.
///
/// `bytes` is the width of an operand. A device of unknown power counts as the reference.
pub fn power_demand(peak: FlopsPerSec, bytes: f64, tdp_w: Option<f64>) -> f64 {
    tdp_w.map_or(1.0, |watt| (peak.get() * bytes / 2.0 / watt / REFERENCE).max(LEAST))
}

/// Factor by which long matrix products run slower than on the reference device, `1 − π + π·r`.
///
/// `share` is π, the part of their time that goes with the demand r. On static batches of seven GPUs it takes the place
/// of a GEMM efficiency per device: an A100 reaches a larger share of its peak than an H100 NVL because it has more watt
/// per FLOP. Short products (decode) do not heat up: there it makes predictions worse.
pub fn power_slowdown(share: f64, demand: f64) -> f64 {
    1.0 - share + share * demand
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_h100_sxm_is_the_reference_in_both_precisions() {
        for (tera, bytes) in [(989.4, 2.0), (1978.8, 1.0)] {
            assert!((power_demand(FlopsPerSec::from_tera(tera), bytes, Some(700.0)) - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn less_power_per_flop_slows_and_the_scale_ends_where_data_end() {
        let h100_nvl = power_demand(FlopsPerSec::from_tera(1670.5), 1.0, Some(400.0));
        let a100 = power_demand(FlopsPerSec::from_tera(312.0), 2.0, Some(400.0));
        assert!(h100_nvl > 1.4 && a100 < 0.6, "{h100_nvl} {a100}");
        assert_eq!(power_demand(FlopsPerSec::from_tera(70.0), 2.0, Some(300.0)), LEAST);
        assert_eq!(power_demand(FlopsPerSec::from_tera(70.0), 2.0, None), 1.0);
        assert_eq!(power_slowdown(0.4, 1.0), 1.0);
        assert!((power_slowdown(0.4, 1.5) - 1.2).abs() < 1e-12);
    }
}
