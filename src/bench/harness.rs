//! From a call to a list of timings.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::stats::median;

/// Fewer measured calls than this say nothing of quartiles and percentiles.
pub const FEWEST_CALLS: usize = 5;

/// Calls from whose median the number of further calls follows.
const ESTIMATES: usize = 5;

/// What is timed.
pub trait Subject {
    /// Brings everything to where the call starts; outside of the timed window. `repetition` counts the measured calls from 0;
    /// calls before them have none.
    ///
    /// # Errors
    /// The device failed.
    fn setup(&mut self, repetition: Option<usize>) -> Result<()>;

    /// The call.
    ///
    /// # Errors
    /// The device failed.
    fn call(&mut self) -> Result<()>;
}

/// A clock around a call.
pub trait Clock {
    /// Name in results: `wall`, `cuda_events`.
    fn name(&self) -> &'static str;

    /// Bytes that it overwrites before each call to empty the device's cache; 0 if it does not.
    fn flush_bytes(&self) -> u64;

    /// Empties the device's cache and waits for all work; before the timed window.
    ///
    /// # Errors
    /// The device failed.
    fn prepare(&mut self) -> Result<()>;

    /// Begins the window.
    ///
    /// # Errors
    /// The device failed.
    fn start(&mut self) -> Result<()>;

    /// Ends the window, waits for all work, and returns its length in ms.
    ///
    /// # Errors
    /// The device failed.
    fn stop(&mut self) -> Result<f64>;
}

/// The monotonic clock of the machine, for devices whose calls return when they are done.
#[derive(Debug, Default)]
pub struct WallClock {
    started: Option<Instant>,
}

impl Clock for WallClock {
    fn name(&self) -> &'static str {
        "wall"
    }

    fn flush_bytes(&self) -> u64 {
        0
    }

    fn prepare(&mut self) -> Result<()> {
        Ok(())
    }

    fn start(&mut self) -> Result<()> {
        self.started = Some(Instant::now());
        Ok(())
    }

    fn stop(&mut self) -> Result<f64> {
        Ok(self.started.take().map_or(0.0, |started| started.elapsed().as_secs_f64() * 1e3))
    }
}

/// Time for the calls of a row.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// For warm-up calls, in ms.
    pub warmup_ms: f64,
    /// For measured calls, in ms.
    pub rep_ms: f64,
}

impl Budget {
    /// Warm-up and measured calls of a call that takes so long: as many as the budget holds, at least one and
    /// [`FEWEST_CALLS`].
    pub fn calls(&self, call_ms: f64) -> (usize, usize) {
        let fit = |budget: f64, least: usize| {
            let calls = budget / call_ms;
            // A call too short to be timed takes no place in a budget; a million of them is enough.
            if calls.is_finite() { (calls as usize).clamp(least, 1_000_000) } else { least }
        };
        (fit(self.warmup_ms, 1), fit(self.rep_ms, FEWEST_CALLS))
    }

    /// About how long a row takes whose call takes so long, in ms.
    pub fn row_ms(&self, call_ms: f64) -> f64 {
        let (warmup, measured) = self.calls(call_ms);
        (1 + ESTIMATES + warmup + measured) as f64 * call_ms
    }
}

/// Who follows a benchmark, and may stop it.
pub trait Watch {
    /// A row of this name begins.
    fn row(&mut self, name: &str);

    /// How long a call of the row takes is now known, in ms.
    fn estimated(&mut self, call_ms: f64);

    /// Whether to stop. Asked before each call.
    fn stopped(&self) -> bool;
}

/// The measured calls of a row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Timed {
    /// Each in ms, in the order of the calls.
    pub raw_ms: Vec<f64>,
    /// Warm-up calls before them.
    pub warmup_calls: usize,
    /// Calls of the subject in all, the first untimed one and the estimates included.
    pub calls: usize,
    /// Whether it was stopped before its end.
    pub stopped: bool,
}

/// Times a subject: one untimed call, five whose median sets the number of calls, warm-up calls, and the measured ones.
///
/// A stop keeps the calls measured so far if they are at least [`FEWEST_CALLS`]; otherwise none.
///
/// # Errors
/// Whatever the subject or the clock reports.
pub fn bench(subject: &mut dyn Subject, clock: &mut dyn Clock, budget: Budget, watch: &mut dyn Watch) -> Result<Timed> {
    let mut out = Timed::default();
    let stop = |mut out: Timed| {
        out.stopped = true;
        if out.raw_ms.len() < FEWEST_CALLS {
            out.raw_ms.clear();
        }
        Ok(out)
    };
    if watch.stopped() {
        return stop(out);
    }
    subject.setup(None)?;
    subject.call()?;
    clock.prepare()?;
    out.calls = 1;
    let mut timed = |out: &mut Timed, repetition: Option<usize>| -> Result<f64> {
        subject.setup(repetition)?;
        clock.prepare()?;
        clock.start()?;
        subject.call()?;
        out.calls += 1;
        clock.stop()
    };
    let mut estimates = Vec::with_capacity(ESTIMATES);
    for _ in 0..ESTIMATES {
        if watch.stopped() {
            return stop(out);
        }
        estimates.push(timed(&mut out, None)?);
    }
    let call_ms = median(&estimates).unwrap_or(0.0);
    watch.estimated(call_ms);
    let (warmup, measured) = budget.calls(call_ms);
    for _ in 0..warmup {
        if watch.stopped() {
            return stop(out);
        }
        timed(&mut out, None)?;
        out.warmup_calls += 1;
    }
    for repetition in 0..measured {
        if watch.stopped() {
            return stop(out);
        }
        let ms = timed(&mut out, Some(repetition))?;
        out.raw_ms.push(ms);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    /// A clock that calls move, and a log of what happened.
    #[derive(Clone, Default)]
    struct Fake(Rc<RefCell<FakeState>>);

    #[derive(Default)]
    struct FakeState {
        now_ms: f64,
        started_ms: f64,
        log: String,
        durations: Vec<f64>,
        calls: usize,
        stop_after: Option<usize>,
        estimated: Option<f64>,
        repetitions: Vec<usize>,
    }

    impl Subject for Fake {
        fn setup(&mut self, repetition: Option<usize>) -> Result<()> {
            let mut state = self.0.borrow_mut();
            state.repetitions.extend(repetition);
            state.now_ms += 1000.0;
            state.log.push('s');
            Ok(())
        }

        fn call(&mut self) -> Result<()> {
            let mut state = self.0.borrow_mut();
            let count = state.durations.len();
            let duration = state.durations[state.calls % count];
            state.now_ms += duration;
            state.calls += 1;
            state.log.push('f');
            Ok(())
        }
    }

    impl Clock for Fake {
        fn name(&self) -> &'static str {
            "fake"
        }

        fn flush_bytes(&self) -> u64 {
            64
        }

        fn prepare(&mut self) -> Result<()> {
            let mut state = self.0.borrow_mut();
            state.now_ms += 500.0;
            state.log.push('p');
            Ok(())
        }

        fn start(&mut self) -> Result<()> {
            let mut state = self.0.borrow_mut();
            state.started_ms = state.now_ms;
            state.log.push('(');
            Ok(())
        }

        fn stop(&mut self) -> Result<f64> {
            let mut state = self.0.borrow_mut();
            state.log.push(')');
            Ok(state.now_ms - state.started_ms)
        }
    }

    impl Watch for Fake {
        fn row(&mut self, _: &str) {}

        fn estimated(&mut self, call_ms: f64) {
            self.0.borrow_mut().estimated = Some(call_ms);
        }

        fn stopped(&self) -> bool {
            let state = self.0.borrow();
            state.stop_after.is_some_and(|calls| state.calls >= calls)
        }
    }

    fn run(durations: &[f64], budget: Budget, stop_after: Option<usize>) -> (Timed, Fake) {
        let fake = Fake::default();
        fake.0.borrow_mut().durations = durations.to_vec();
        fake.0.borrow_mut().stop_after = stop_after;
        let timed = bench(&mut fake.clone(), &mut fake.clone(), budget, &mut fake.clone()).unwrap();
        (timed, fake)
    }

    const BUDGET: Budget = Budget { warmup_ms: 100.0, rep_ms: 1000.0 };

    #[test]
    fn a_row_is_one_call_five_estimates_the_warm_up_and_the_measured_calls() {
        let (timed, fake) = run(&[30.0], BUDGET, None);
        // 100/30 = 3, 1000/30 = 33.
        assert_eq!((timed.warmup_calls, timed.raw_ms.len(), timed.calls), (3, 33, 1 + 5 + 3 + 33));
        assert!(timed.raw_ms.iter().all(|ms| *ms == 30.0), "setup and flush lie outside of the window");
        assert_eq!(fake.0.borrow().estimated, Some(30.0));
        assert_eq!(fake.0.borrow().repetitions, (0..33).collect::<Vec<_>>());
        let log = fake.0.borrow().log.clone();
        assert!(log.starts_with("sfpsp(f)sp(f)"), "{log}");
        assert_eq!(log.matches("sp(f)").count(), timed.calls - 1);
    }

    #[test]
    fn long_calls_are_made_at_least_five_times_and_short_ones_fill_the_budget() {
        assert_eq!(BUDGET.calls(4000.0), (1, FEWEST_CALLS));
        assert_eq!(BUDGET.calls(0.1), (1000, 10_000));
        assert_eq!(BUDGET.calls(0.0), (1, FEWEST_CALLS));
        assert_eq!(BUDGET.row_ms(4000.0), 12.0 * 4000.0);
    }

    #[test]
    fn the_estimate_is_the_middle_of_five() {
        // The untimed first call takes 900.
        let (timed, fake) = run(&[900.0, 10.0, 500.0, 20.0, 30.0, 40.0], BUDGET, None);
        assert_eq!(fake.0.borrow().estimated, Some(30.0));
        assert_eq!(timed.raw_ms.len(), 33);
    }

    #[test]
    fn a_stop_keeps_five_measured_calls_or_more_and_says_so() {
        // 1 + 5 + 3 calls come first.
        for (stop_after, kept) in [(0, 0), (4, 0), (8, 0), (13, 0), (14, 5), (20, 11)] {
            let (timed, _) = run(&[30.0], BUDGET, Some(stop_after));
            assert_eq!((timed.raw_ms.len(), timed.stopped), (kept, true), "{stop_after}");
        }
    }
}
