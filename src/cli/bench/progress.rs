//! Progress of a benchmark on standard error, and Ctrl-C.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::terminal::{note, say, shown};

use crate::bench::{BenchConfig, Budget, Variant, Watch};
use crate::error::{Error, Result};

/// A flag that the first Ctrl-C sets; a second one ends the program at once. `then` says what becomes of the work.
///
/// # Errors
/// The handler cannot be set.
pub fn interruption(then: &'static str) -> Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&flag);
    ctrlc::set_handler(move || {
        if seen.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
        say(&format!("\nStopping after this call; {then}. Ctrl-C again ends at once."));
    })
    .map_err(|error| Error::failed(format!("cannot watch for Ctrl-C ({error})")))?;
    Ok(flag)
}

/// Kinds of rows whose calls take equally long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ttft(Variant),
    Decode(Variant),
    Generation,
}

/// A row that is to come, and about how long it takes.
struct Planned {
    kind: Kind,
    budget: Budget,
    ms: f64,
}

/// A bar with the time left.
pub struct Progress {
    bar: ProgressBar,
    rows: Vec<Planned>,
    /// Rows begun.
    begun: usize,
    row_started: Instant,
    flag: Arc<AtomicBool>,
}

impl Progress {
    /// Of the rows of a configuration.
    pub fn new(config: &BenchConfig, flag: Arc<AtomicBool>) -> Self {
        let poe = Budget { rep_ms: config.poe_rep_ms, ..config.budget };
        let mut rows = Vec::new();
        for variant in config.schedule() {
            let mut add = |kind, budget: Budget| {
                rows.push(Planned { kind, budget, ms: budget.warmup_ms + budget.rep_ms });
            };
            add(Kind::Ttft(variant), config.budget);
            match variant {
                Variant::Poe => config.gammas.iter().for_each(|_| add(Kind::Generation, poe)),
                _ => config.steps().iter().for_each(|_| add(Kind::Decode(variant), config.budget)),
            }
        }
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}");
        let bar = shown(ProgressBar::new(rows.len() as u64))
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(250));
        Self { bar, rows, begun: 0, row_started: Instant::now(), flag }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn show(&self, name: &str) {
        let current = self.begun.saturating_sub(1);
        let gone = self.row_started.elapsed().as_secs_f64() * 1e3;
        let this = self.rows.get(current).map_or(0.0, |row| (row.ms - gone).max(0.0));
        let later: f64 = self.rows.iter().skip(self.begun).map(|row| row.ms).sum();
        let left = ((this + later) / 1e3).ceil();
        self.bar.set_message(format!("{name}, about {:.0}:{:02.0} left", (left / 60.0).floor(), left % 60.0));
    }
}

impl Watch for Progress {
    fn row(&mut self, name: &str) {
        if !name.starts_with("building") {
            self.bar.set_position(self.begun as u64);
            self.begun += 1;
            self.row_started = Instant::now();
            let (begun, all) = (self.begun, self.rows.len());
            self.bar.suspend(|| note(|| format!("row {begun} of {all}: {name}")));
        }
        self.show(name);
    }

    fn estimated(&mut self, call_ms: f64) {
        let Some(kind) = self.begun.checked_sub(1).and_then(|row| self.rows.get(row)).map(|row| row.kind) else {
            return;
        };
        let from = self.begun - 1;
        for row in self.rows.iter_mut().skip(from).filter(|row| row.kind == kind) {
            row.ms = row.budget.row_ms(call_ms);
        }
    }

    fn stopped(&self) -> bool {
        self.flag.load(Ordering::SeqCst)
    }
}

/// A bar over points of unknown duration.
pub struct Counter {
    bar: ProgressBar,
    begun: u64,
    flag: Arc<AtomicBool>,
}

impl Counter {
    /// Of so many points.
    pub fn new(points: usize, flag: Arc<AtomicBool>) -> Self {
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}, {eta} left");
        let bar =
            shown(ProgressBar::new(points as u64)).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(250));
        Self { bar, begun: 0, flag }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Watch for Counter {
    fn row(&mut self, name: &str) {
        self.bar.set_position(self.begun);
        self.bar.set_message(name.to_owned());
        self.begun += 1;
    }

    fn estimated(&mut self, _: f64) {}

    fn stopped(&self) -> bool {
        self.flag.load(Ordering::SeqCst)
    }
}
