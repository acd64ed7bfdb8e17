//! A probe on the terminal.

use std::path::Path;

use super::{table, written_lines};
use crate::app::ProbeAnswer;
use crate::number::number;
use crate::report::probe_words;

/// The roofs on the terminal.
pub fn text(answer: &ProbeAnswer) -> String {
    let (probe, files) = (&answer.probe, &answer.files);
    let mut text = format!("{}\n", probe.name);
    for line in probe_words(probe) {
        text += &format!("  {line}\n");
    }
    let rows = probe
        .read
        .iter()
        .zip(&probe.copy)
        .map(|(read, copy)| vec![format!("{} KiB", read.size / 1024), number(read.rate), number(copy.rate)]);
    text += "\n";
    text += &table(&["size", "read GB/s", "copy GB/s"], rows, 0..3);
    for gemm in &probe.gemm {
        let rows = gemm.points.iter().map(|point| vec![point.size.to_string(), number(point.rate)]);
        text += "\n";
        text += &table(&["rows", &format!("{} TFLOP/s", gemm.dtype.name())], rows, 0..2);
    }
    text += "\n";
    text += &written_lines(files);
    if let Some(file) = files.first() {
        text += &format!("\nUse it with --hardware {}\n", shown(file));
    }
    text
}

fn shown(file: &Path) -> String {
    file.strip_prefix(".").unwrap_or(file).display().to_string()
}
