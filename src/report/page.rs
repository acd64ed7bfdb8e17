//! The frame of every self-contained HTML page, and the pieces that pages are made of.

use std::fmt::Write;

use plotly::Plot;

use super::figure::Figure;
use super::roofline_tables::ReportTable;

const STYLE: &str = include_str!("page.css");

/// Text made safe for HTML.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// plotly.js in a script element, without the MathJax that the bundled sources carry behind it.
fn plotly_script() -> String {
    let sources = Plot::offline_js_sources();
    let end = sources.find("</script>").map_or(sources.len(), |at| at + "</script>".len());
    sources[..end].to_owned()
}

/// A page around figures: `body` stands before them.
pub fn page(title: &str, body: &str, figures: &[Figure]) -> String {
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n\
         <style>\n{STYLE}</style>\n{}\n</head>\n<body>\n<main>\n{body}",
        escaped(title),
        plotly_script()
    );
    for figure in figures {
        // Writing to a String cannot fail.
        let _ = write!(
            html,
            "<section>\n<h2>{}</h2>\n<p>{}</p>\n<div class=\"scroll\"><div class=\"figure{}\" style=\"height:{}px\">{}</div></div>\n</section>\n",
            escaped(&figure.title),
            escaped(&figure.caption),
            if figure.wide { " wide" } else { "" },
            figure.height,
            figure.plot.to_inline_html(Some(&figure.id))
        );
    }
    html.push_str("</main>\n</body>\n</html>\n");
    html
}

/// The head of a page: its title and a line below it.
pub fn header(title: &str, below: &str) -> String {
    format!("<header>\n<h1>{}</h1>\n<p>{}</p>\n</header>\n", escaped(title), escaped(below))
}

/// A titled section; `content` is HTML.
pub fn section(title: &str, content: &str) -> String {
    format!("<section>\n<h2>{}</h2>\n{content}</section>\n", escaped(title))
}

/// The summary of a page in plain words, one paragraph each; a caution is marked as such.
pub fn summary(paragraphs: &[String], cautions: &[String]) -> String {
    let mut html = "<section class=\"summary\">\n".to_owned();
    for paragraph in paragraphs {
        let _ = writeln!(html, "<p>{}</p>", escaped(paragraph));
    }
    for caution in cautions {
        let _ = writeln!(html, "<p><b>Caution:</b> {}</p>", escaped(caution));
    }
    html + "</section>\n"
}

/// A table of texts; the first column heads its row.
pub fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut html = "<div class=\"scroll\"><table>\n<tr>".to_owned();
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
}
