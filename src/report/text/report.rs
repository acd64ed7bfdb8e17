//! What the front page gathers, on the terminal.

use super::{caution_lines, table, written_lines};
use crate::app::ReportAnswer;

/// A line for each result.
pub fn text(answer: &ReportAnswer) -> String {
    let rows = answer.results.iter().map(|result| {
        vec![result.about.kind.heading().to_owned(), result.about.title.clone(), result.file.display().to_string()]
    });
    let table = table(&["kind", "result", "file"], rows, 0..0);
    let without = answer.results.iter().filter(|result| !result.has_page).count();
    let missing = if without == 0 {
        String::new()
    } else {
        format!("\n{without} of them without a page; `perfmodel fit` and `perfmodel plot` make it again\n")
    };
    format!("{table}{missing}{}\n{}", caution_lines(&answer.cautions), written_lines(&answer.files))
}
