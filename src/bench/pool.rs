//! Calls of the same row from several rounds, put together.

use std::collections::BTreeMap;

use super::{DecodePoint, GammaRun, Metadata, PoeRun, Results, Timed, Timing, Variant, VariantRun};
use crate::poe::Generation;

/// What a row times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Row {
    /// The prompt and the choice of the first token.
    Ttft,
    /// A decode step with so many tokens in the cache.
    Decode(usize),
    /// A whole PoE generation with so many drafts a round.
    Generation(usize),
}

/// All rows of a run.
#[derive(Debug, Default)]
pub struct Pool(BTreeMap<(Variant, Row), (Timed, Vec<Generation>)>);

impl Pool {
    /// Adds the measured calls of a row, and what each of them generated. A row without calls is left out.
    pub fn add(&mut self, variant: Variant, row: Row, timed: &Timed, generations: Vec<Generation>) {
        if timed.raw_ms.is_empty() {
            return;
        }
        let (calls, generated) = self.0.entry((variant, row)).or_default();
        calls.raw_ms.extend(&timed.raw_ms);
        calls.warmup_calls += timed.warmup_calls;
        calls.calls += timed.calls;
        calls.stopped |= timed.stopped;
        generated.extend(generations);
    }

    /// Measured calls of a row so far.
    pub fn calls(&self, variant: Variant, row: Row) -> usize {
        self.0.get(&(variant, row)).map_or(0, |(timed, _)| timed.raw_ms.len())
    }

    /// Statistics of all rows.
    pub fn results(&self, metadata: Metadata) -> Results {
        let mut results = Results { metadata, ..Results::default() };
        // TTFT comes first in the order of rows, so that generations find it.
        for (&(variant, row), (timed, generations)) in &self.0 {
            let Some(timing) = Timing::new(timed) else { continue };
            match variant {
                Variant::Baseline => results.baseline.get_or_insert_default().add(row, timing),
                Variant::Hydra => results.hydra_naive.get_or_insert_default().add(row, timing),
                Variant::Poe => results.hydra_poe.get_or_insert_default().add(row, timing, generations),
            }
        }
        results
    }
}

impl VariantRun {
    fn add(&mut self, row: Row, timing: Timing) {
        match row {
            Row::Ttft => self.ttft = Some(timing),
            Row::Decode(position) => self.decode.push(DecodePoint::new(position as u64, timing)),
            Row::Generation(_) => {}
        }
    }
}

impl PoeRun {
    fn add(&mut self, row: Row, timing: Timing, generations: &[Generation]) {
        match row {
            Row::Ttft => self.ttft = Some(timing),
            Row::Decode(_) => {}
            Row::Generation(gamma) => {
                let ttft_ms = self.ttft.as_ref().map(|ttft| ttft.median_ms);
                self.per_gamma.push(GammaRun::new(gamma, timing, generations, ttft_ms));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timed(raw_ms: &[f64]) -> Timed {
        Timed { raw_ms: raw_ms.to_vec(), warmup_calls: 1, calls: raw_ms.len() + 7, stopped: false }
    }

    #[test]
    fn rounds_are_pooled_row_by_row_and_positions_stay_in_order() {
        let mut pool = Pool::default();
        for (position, times) in [(100, [5.0; 5]), (64, [3.0; 5])] {
            pool.add(Variant::Baseline, Row::Decode(position), &timed(&times), Vec::new());
        }
        pool.add(Variant::Baseline, Row::Decode(64), &timed(&[4.0; 7]), Vec::new());
        pool.add(Variant::Hydra, Row::Ttft, &timed(&[]), Vec::new());
        assert_eq!(pool.calls(Variant::Baseline, Row::Decode(64)), 12);
        let results = pool.results(Metadata::default());
        let points = results.decode(Variant::Baseline);
        assert_eq!(points.iter().map(|point| point.position).collect::<Vec<_>>(), [64, 100]);
        assert_eq!((points[0].timing.n, points[0].timing.median_ms, points[0].timing.warmup_calls), (12, 4.0, Some(2)));
        assert!(results.hydra_naive.is_none(), "a row that was stopped before it had calls");
    }
}
