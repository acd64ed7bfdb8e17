//! The frame of every self-contained HTML page, and the pieces that pages are made of.

use std::fmt::Write;

use plotly::Plot;

use crate::app::About;
use crate::report::html::figure::Figure;
use crate::report::tables::ReportTable;

const STYLE: &str = include_str!("page.css");

/// Draws the figures: when they come into view, in the colours of the screen, as wide as the paper when they are printed.
const DRAWING: &str = include_str!("page.js");

/// Text made safe for HTML.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A sentence made safe for HTML; numbers keep their percent sign beside them.
pub fn prose(text: &str) -> String {
    escaped(text).replace(" %", "&nbsp;%")
}

/// plotly.js in a script element, without the MathJax that the bundled sources carry behind it.
fn plotly_script() -> String {
    let sources = Plot::offline_js_sources();
    let end = sources.find("</script>").map_or(sources.len(), |at| at + "</script>".len());
    sources[..end].to_owned()
}

/// A page: what it is about, sections in HTML, figures.
pub fn page(about: &About, body: &str, figures: &[Figure]) -> String {
    let drawn: String = figures.iter().map(figure_section).collect();
    let content = format!("{}{body}{drawn}", summary(&about.findings, &about.cautions));
    // The scripts stand last: the text is read while they load.
    let scripts = format!("{}\n<script type=\"module\">\n{DRAWING}</script>\n", plotly_script());
    frame(&about.title, &about.below, &about.to_html(), &content, &scripts)
}

/// A page of figures alone with a script of its own, for taking pictures of them; `plotOf(id)` is what was to be drawn.
pub fn drawing_page(script: &str, figures: &[Figure]) -> String {
    let drawn: String = figures.iter().map(figure_section).collect();
    let plot_of = "const plotOf = (id) => JSON.parse(document.getElementById(id).nextElementSibling.textContent);";
    format!(
        "<!doctype html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n{}\n</head>\n<body>\n{drawn}\
         <script>{plot_of}\n{script}</script>\n</body>\n</html>\n",
        plotly_script()
    )
}

/// A page without figures, hence without their script.
pub fn plain_page(title: &str, below: &str, content: &str) -> String {
    frame(title, below, "", content, "")
}

fn frame(title: &str, below: &str, head: &str, content: &str, scripts: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>\n{STYLE}</style>\n{head}</head>\n<body>\n<a class=\"skip\" href=\"#content\">Skip to the content</a>\n\
         <header>\n<h1>{title}</h1>\n<p>{}</p>\n</header>\n{}<main id=\"content\">\n{content}</main>\n{scripts}</body>\n</html>\n",
        escaped(below),
        contents(content),
        title = escaped(title),
    )
}

/// Links to the sections of a page that has several, whose headings are in their HTML.
fn contents(sections: &str) -> String {
    let links: Vec<String> = sections
        .split("<section id=\"")
        .skip(1)
        .filter_map(|section| {
            let (id, rest) = section.split_once('"')?;
            let (_, rest) = rest.split_once("<h2>")?;
            Some(format!("<li><a href=\"#{id}\">{}</a></li>\n", rest.split_once("</h2>")?.0))
        })
        .collect();
    if links.len() < 3 {
        return String::new();
    }
    format!(
        "<nav aria-label=\"Contents\"><details><summary>Contents</summary><ol>\n{}</ol></details></nav>\n",
        links.concat()
    )
}

/// The id of a section: its title in small letters, digits and hyphens.
fn id_of(title: &str) -> String {
    let plain: String =
        title.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let parts: Vec<&str> = plain.split('-').filter(|part| !part.is_empty()).collect();
    format!("s-{}", parts.join("-"))
}

/// A figure with its heading: the place where it is drawn, then what is drawn there, as JSON.
fn figure_section(figure: &Figure) -> String {
    // In a script element only `</script` and `<!--` would be read as more than text.
    let plot = figure.plot.to_json().replace('<', "\\u003c");
    format!(
        "<section id=\"{}\">\n<h2>{}</h2>\n<p>{}</p>\n<div class=\"scroll\"{}><div class=\"figure{}\" style=\"height:{}px\">\
         <div id=\"{}\" class=\"plot\"></div>\n<script type=\"application/json\">{plot}</script></div></div>\n</section>\n",
        id_of(&figure.id),
        prose(&figure.title),
        prose(&figure.caption),
        if figure.wide { SCROLLS } else { "" },
        if figure.wide { " wide" } else { "" },
        figure.height,
        escaped(&figure.id),
    )
}

/// What makes a region that scrolls sideways reachable by keyboard.
const SCROLLS: &str = " tabindex=\"0\" role=\"region\" aria-label=\"scrolls sideways\"";

/// A titled section; `content` is HTML.
pub fn section(title: &str, content: &str) -> String {
    format!("<section id=\"{}\">\n<h2>{}</h2>\n{content}</section>\n", id_of(title), escaped(title))
}

/// The summary of a page in plain words, one paragraph each; a caution is marked as such.
pub fn summary(paragraphs: &[String], cautions: &[String]) -> String {
    if paragraphs.is_empty() && cautions.is_empty() {
        return String::new();
    }
    let mut html = "<section class=\"summary\">\n".to_owned();
    for paragraph in paragraphs {
        let _ = writeln!(html, "<p>{}</p>", prose(paragraph));
    }
    for caution in cautions {
        let _ = writeln!(html, "<p><b>Caution:</b> {}</p>", prose(caution));
    }
    html + "</section>\n"
}

/// A table of texts; the first column heads its row.
pub fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut html = format!("<div class=\"scroll\"{SCROLLS}><table>\n<tr>");
    for name in header {
        let _ = write!(html, "<th>{}</th>", escaped(name));
    }
    html.push_str("</tr>\n");
    for row in rows {
        html.push_str("<tr>");
        for (index, cell) in row.iter().enumerate() {
            let tag = if index == 0 { "th" } else { "td" };
            let _ = write!(html, "<{tag}>{}</{tag}>", escaped(cell));
        }
        html.push_str("</tr>\n");
    }
    html + "</table></div>\n"
}

/// A table that terminals print too.
pub fn html_table(ReportTable { header, rows }: ReportTable) -> String {
    table(&header.iter().map(String::as_str).collect::<Vec<_>>(), rows)
}

/// Names with their explanations.
pub fn definitions(lines: &[(String, String)]) -> String {
    let mut html = "<dl>\n".to_owned();
    for (name, text) in lines {
        let _ = writeln!(html, "<dt>{}</dt><dd>{}</dd>", escaped(name), escaped(text));
    }
    html + "</dl>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_plotly_alone() {
        let script = plotly_script();
        assert!(script.ends_with("</script>") && script.matches("</script>").count() == 1);
        assert!(script.len() > 3_000_000 && !script.contains("tex-svg"));
    }

    #[test]
    fn titles_cannot_break_the_page() {
        assert_eq!(escaped("<b> & \"c\""), "&lt;b&gt; &amp; &quot;c&quot;");
        assert!(section("<b>", "<p>x</p>").contains("<h2>&lt;b&gt;</h2>\n<p>x</p>"));
    }

    #[test]
    fn a_page_of_several_sections_links_to_them() {
        let sections = ["Errors of it", "Parameters", "<b>"].map(|title| section(title, "")).concat();
        let links = contents(&sections);
        assert!(links.contains("<a href=\"#s-errors-of-it\">Errors of it</a>"), "{links}");
        assert!(links.contains(">&lt;b&gt;</a>") && links.matches("<li>").count() == 3, "{links}");
        assert_eq!(contents(&section("Errors", "")), "");
    }
}
