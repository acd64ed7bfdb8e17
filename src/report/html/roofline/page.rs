//! The page of a roofline: roofs, operators and sweeps.

use crate::engine::Phase;
use crate::number::{counted, number, short};
use crate::report::html::about::{About, ResultKind};
use crate::report::html::figure::Figure;
use crate::report::html::page::{html_table, page, section};
use crate::report::tables::roofline::{crossings_table, operators_table, roofs_table};
use crate::roofline::{DeviceRoofs, Step, Sweep};

/// What there is to say of the roofline of a system.
#[derive(Debug, Clone)]
pub struct RooflineReport {
    /// Names the system.
    pub title: String,
    /// Where the parameters come from.
    pub basis: String,
    /// Devices that share every layer.
    pub gpus: u32,
    /// Sequences of the steps.
    pub batch: f64,
    /// Their context, or the length of their prompts.
    pub tokens: f64,
    /// Roofs of one device.
    pub roofs: DeviceRoofs,
    /// A prefill and a decode step.
    pub steps: [Step; 2],
    /// Both over batch and context.
    pub sweeps: [Sweep; 2],
    /// What a reader must know before trusting the numbers.
    pub cautions: Vec<String>,
}

impl RooflineReport {
    /// What a step does, in words.
    pub fn step_title(&self, step: &Step) -> String {
        let (batch, tokens) = (short(self.batch), short(self.tokens));
        match step.phase {
            Phase::Prefill => format!("Prefill of {} of {tokens} tokens in one step", counted(batch, "prompt")),
            Phase::Decode => {
                format!("Decode step of {} with a mean context of {tokens} tokens", counted(batch, "sequence"))
            }
        }
    }

    /// Whose work the tables show, where that is a question.
    pub fn scope(&self) -> Option<String> {
        let gpus = self.gpus;
        (gpus > 1)
            .then(|| format!("FLOP, bytes and rates of one of {gpus} devices; each does the same at the same time"))
    }

    /// The memory roof, and how to read the others.
    pub fn roofs_in_words(&self) -> String {
        let (peak, attainable) = (self.roofs.bandwidth, self.roofs.attainable_bandwidth);
        format!(
            "Memory of one device: {} GB/s at peak, {} attainable ({:.0} %). Attainable is the peak times its efficiency; \
             below the balance, in FLOP/byte, memory binds.",
            number(peak.get() / 1e9),
            number(attainable.get() / 1e9),
            100.0 * (attainable / peak)
        )
    }
}

/// The page.
pub fn roofline_page(report: &RooflineReport, figures: &[Figure]) -> String {
    let title = format!("{} · roofline", report.title);
    let about = About {
        kind: ResultKind::Roofline,
        title,
        below: format!("From {}.", report.basis),
        findings: report.steps.iter().map(|step| step_in_words(report, step)).collect(),
        cautions: report.cautions.clone(),
    };
    let mut body = String::new();
    let roofs = format!("<p>{}</p>\n", report.roofs_in_words());
    body += &section("Roofs", &(roofs + &html_table(roofs_table(&report.roofs))));
    for step in &report.steps {
        let scope = report.scope().map_or_else(String::new, |scope| format!("<p>{scope}.</p>\n"));
        body += &section(&report.step_title(step), &(scope + &html_table(operators_table(step))));
    }
    body += &section("Batch from which a step is compute bound", &html_table(crossings_table(&report.sweeps)));
    page(&about, &body, figures)
}

fn step_in_words(report: &RooflineReport, step: &Step) -> String {
    let times = step.roof_times();
    let ratio = times.memory / times.compute;
    let words = if ratio > 1.0 {
        format!("memory time is {} times compute time", number(ratio))
    } else {
        format!("compute time is {} times memory time", number(1.0 / ratio))
    };
    format!(
        "{}: {} ms. Its operators are {} bound: {words}.",
        report.step_title(step),
        number(step.total().as_ms()),
        step.bound().name()
    )
}
