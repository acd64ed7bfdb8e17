//! The front page of all results below a folder.

use std::path::Path;

use crate::app::FoundResult;
use crate::app::ResultKind;
use crate::number::counted;
use crate::report::html::page::{escaped, plain_page, prose, section};

/// Findings of a result that stand on the front page.
const FINDINGS: usize = 3;

/// Pictures that show a result best, the first that is there.
const BEST_PICTURES: [&str; 4] = ["parity", "graph", "itl_error_heatmap", "total"];

/// The page; `below` says what it gathers.
pub fn front_page(results: &[FoundResult], below: &str) -> String {
    let mut kinds: Vec<ResultKind> = results.iter().map(|result| result.about.kind).collect();
    kinds.dedup();
    let mut body = String::new();
    for kind in kinds {
        let articles: String = results.iter().filter(|result| result.about.kind == kind).map(article).collect();
        body += &section(kind.heading(), &articles);
    }
    plain_page("perfmodel results", below, &body)
}

fn article(result: &FoundResult) -> String {
    let about = &result.about;
    let link = href(&result.file);
    let mut text = format!(
        "<article>\n<div>\n<h3><a href=\"{link}\">{}</a></h3>\n<p>{}</p>\n",
        escaped(&about.title),
        escaped(&about.below)
    );
    for finding in about.findings.iter().take(FINDINGS) {
        text += &format!("<p class=\"found\">{}</p>\n", prose(finding));
    }
    let cautions = match about.cautions.len() {
        0 => String::new(),
        some => format!(", {}", counted(some, "caution")),
    };
    let missing = if result.has_page { "" } else { ", its page is not here" };
    text += &format!(
        "<p class=\"place\">{}{missing}{cautions}{}</p>\n</div>\n",
        escaped(&result.file.display().to_string()),
        result.written.map_or_else(String::new, |seconds| format!(", {}", date(seconds)))
    );
    if let Some(picture) = best_picture(result) {
        text += &format!(
            "<a href=\"{link}\"><img loading=\"lazy\" src=\"{}\" alt=\"{}\"></a>\n",
            href(picture),
            escaped(&picture.file_stem().unwrap_or_default().to_string_lossy().replace('_', " "))
        );
    }
    text + "</article>\n"
}

fn best_picture(result: &FoundResult) -> Option<&Path> {
    let is =
        |picture: &Path, name: &str| picture.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with(name));
    let best = BEST_PICTURES.iter().find_map(|name| result.pictures.iter().find(|picture| is(picture, name)));
    best.or(result.pictures.first()).map(|path| &**path)
}

/// The day of a time in seconds since 1970.
fn date(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|seconds| chrono::DateTime::from_timestamp(seconds, 0));
    time.map_or_else(String::new, |time| time.with_timezone(&chrono::Local).format("%Y-%m-%d %H:%M").to_string())
}

/// A relative path as a link: bytes that mean something in one are escaped.
fn href(path: &Path) -> String {
    let parts = path.components().map(|part| {
        let text = part.as_os_str().to_string_lossy();
        text.bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
                other => format!("%{other:02X}"),
            })
            .collect::<String>()
    });
    parts.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_hold_blanks_and_letters_beyond_ascii() {
        assert_eq!(href(Path::new("größe 1/a#b.html")), "gr%C3%B6%C3%9Fe%201/a%23b.html");
    }

    #[test]
    fn the_day_is_that_of_the_clock() {
        assert!(date(1_795_294_615).starts_with("2026-11-2"));
    }
}
