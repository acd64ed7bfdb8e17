//! Configurations that no other beats in both cost and latency.

use super::search::CurvePoint;
use crate::units::Seconds;

/// The latency of a trade-off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Latency {
    /// Time to first token.
    Ttft,
    /// Mean time between later tokens.
    Itl,
}

impl Latency {
    /// Its value at a point.
    pub fn of(self, point: &CurvePoint) -> Seconds {
        match self {
            Self::Ttft => point.ttft,
            Self::Itl => point.itl,
        }
    }
}

/// Places of the points that no other beats: sorted by cost, each faster than all cheaper ones. Points without a price and
/// overloaded ones, whose time to first token has no end, are left out.
pub fn front(points: &[CurvePoint], latency: Latency) -> Vec<usize> {
    let mut order: Vec<(f64, f64, usize)> = points
        .iter()
        .enumerate()
        .filter(|(_, point)| point.ttft.get().is_finite())
        .filter_map(|(index, point)| Some((point.usd_per_hour?, latency.of(point).get(), index)))
        .collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut best = f64::INFINITY;
    order.retain(|&(_, latency, _)| {
        let better = latency < best;
        best = best.min(latency);
        better
    });
    order.into_iter().map(|(.., index)| index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_holds_what_nothing_beats_and_nothing_else() {
        let at = |usd_per_hour, itl, ttft| CurvePoint {
            replicas: 1,
            gpus: 1,
            usd_per_hour,
            ttft: Seconds::new(ttft),
            itl: Seconds::new(itl),
            share: 0.0,
        };
        let points = [
            at(Some(4.0), 10.0, 1.0),
            at(Some(2.0), 30.0, 1.0),
            at(Some(3.0), 30.0, 1.0),
            at(Some(4.0), 9.0, 1.0),
            at(None, 1.0, 1.0),
            at(Some(1.0), 20.0, f64::INFINITY),
            at(Some(8.0), 9.5, 1.0),
            at(Some(9.0), 8.0, 1.0),
        ];
        assert_eq!(front(&points, Latency::Itl), [1, 3, 7]);
    }
}
