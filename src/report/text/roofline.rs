//! A roofline on the terminal.

use std::fmt::Write;

use super::{caution_lines, report_table, written_lines};
use crate::app::RooflineAnswer;
use crate::report::{batch_axis, crossings_table, operators_table, roofs_table, sweep_table};

/// The tables on the terminal.
pub fn text(answer: &RooflineAnswer) -> String {
    let study = &answer.study;
    let mut text = format!(
        "{}\n{}from {}\n\nRoofs. {}\n\n",
        study.target.system.title(),
        if study.is_calibrated { "" } else { "UNCALIBRATED, " },
        study.target.basis(),
        study.roofs_in_words()
    );
    text += &report_table(roofs_table(&study.roofs), 1..6);
    if let Some(scope) = study.scope() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\n{scope}.");
    }
    for step in &study.steps {
        let _ = writeln!(text, "\n{}\n", study.step_title(step));
        text += &report_table(operators_table(step), 3..12);
    }
    for sweep in &study.sweeps {
        let content = sweep_table(sweep);
        let columns = content.header.len();
        let _ = writeln!(
            text,
            "\nMemory/compute time of a {} step in ms, {} across; * where the KV cache does not hold them\n",
            sweep.phase.name(),
            batch_axis(sweep.phase)
        );
        text += &report_table(content, 0..columns);
    }
    text += "\nBatch from which a step is compute bound\n\n";
    text += &report_table(crossings_table(&study.sweeps), 0..4);
    text + &caution_lines(&answer.cautions) + &written_lines(&answer.files)
}
