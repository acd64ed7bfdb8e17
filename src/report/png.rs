//! Figures as PNG, drawn by a headless Chromium.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::error::{Error, Result};
use crate::report::html::figure::Figure;
use crate::report::html::page::drawing_page;

/// Names under which Chromium is installed.
const BROWSERS: [&str; 5] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];

/// Width of a picture, and what each line of its title adds to the height, in pixels.
const WIDTH: usize = 1100;
const TITLE_HEIGHT: usize = 30;

/// Characters of a title that fit in a line.
const TITLE_LINE: usize = 105;

/// Finds a Chromium on PATH.
///
/// # Errors
/// There is none.
pub fn browser() -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .flat_map(|folder| BROWSERS.map(|name| folder.join(name)))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| {
            Error::input("--png needs a Chromium on PATH to draw the figures, and there is none").help(
                "install one (`apt-get install chromium`, `brew install chromium`, or Google Chrome), or leave --png out",
            )
        })
}

/// Size of one panel of a row of figures, and how many pixels of the picture one of its pixels has.
const PANEL: (usize, usize) = (600, 500);
const PANEL_SCALE: f64 = 1.5;

/// Draws every figure; returns file names and contents.
///
/// # Errors
/// There is no Chromium, or it does not draw.
pub fn render(figures: &[Figure]) -> Result<Vec<(String, Vec<u8>)>> {
    let wanted: Vec<String> = figures
        .iter()
        .map(|figure| {
            let lines = title_lines(&figure.title);
            format!("[{:?},{:?},{},{}]", figure.id, lines.join("<br>"), figure.height, lines.len() * TITLE_HEIGHT)
        })
        .collect();
    // A picture carries its title itself.
    let script = format!(
        "for (const [id, title, figure, above] of [{}]) {{\n\
         const {{data, layout}} = plotOf(id);\n\
         const height = figure + above;\n\
         const margin = {{...layout.margin, t: layout.margin.t + above}};\n\
         const titled = {{...layout, margin, height, width: {WIDTH}, autosize: false, paper_bgcolor: 'white', \
         title: {{text: title, x: 0.02, y: 1 - above / 2 / height, yanchor: 'middle'}}}};\n\
         put(id, await Plotly.toImage({{data, layout: titled}}, {{format: 'png', width: {WIDTH}, height}})); }}",
        wanted.join(",")
    );
    let ids: Vec<&str> = figures.iter().map(|figure| figure.id.as_str()).collect();
    draw(figures, &script, &ids)
}

/// A title in lines that fit.
fn title_lines(title: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in title.split_whitespace() {
        // There is a last line from the beginning.
        let line = lines.last_mut().expect("it began with one");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= TITLE_LINE {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// Draws figures side by side as one picture of a name, 900 by 750 pixels each.
///
/// # Errors
/// As [`render`].
pub fn render_row(name: &str, figures: &[Figure]) -> Result<(String, Vec<u8>)> {
    let wanted: Vec<String> = figures.iter().map(|f| format!("[{:?},{:?}]", f.id, f.title)).collect();
    let (width, height) = PANEL;
    let script = format!(
        "const panels = [{}], scale = {PANEL_SCALE};\n\
         const canvas = document.createElement('canvas');\n\
         canvas.width = panels.length * {width} * scale; canvas.height = {height} * scale;\n\
         const context = canvas.getContext('2d'); context.fillStyle = 'white';\n\
         context.fillRect(0, 0, canvas.width, canvas.height);\n\
         for (const [place, [id, title]] of panels.entries()) {{\n\
         const {{data, layout}} = plotOf(id);\n\
         const titled = {{...layout, width: {width}, height: {height}, autosize: false, paper_bgcolor: 'white', \
         margin: {{...layout.margin, t: layout.margin.t + {TITLE_HEIGHT}}}, \
         title: {{text: title, x: 0.5, y: 0.98, yanchor: 'top'}}}};\n\
         const url = await Plotly.toImage({{data, layout: titled}}, {{format: 'png', width: {width}, height: {height}, scale}});\n\
         const picture = new Image();\n\
         await new Promise((done) => {{ picture.onload = done; picture.src = url; }});\n\
         context.drawImage(picture, place * {width} * scale, 0); }}\n\
         put({name:?}, canvas.toDataURL('image/png'));",
        wanted.join(",")
    );
    Ok(draw(figures, &script, &[name])?.remove(0))
}

/// Runs a script on a page of figures; it calls `put(id, data URL)` for each picture.
fn draw(figures: &[Figure], script: &str, ids: &[&str]) -> Result<Vec<(String, Vec<u8>)>> {
    let browser = browser()?;
    let failed = |what: String| {
        Error::failed(format!("{} did not draw the figures: {what}", browser.display()))
            .help("try it by hand with --headless --screenshot, or leave --png out")
    };
    let folder = tempfile::tempdir().map_err(|error| failed(error.to_string()))?;
    let file = folder.path().join("figures.html");
    // Each picture becomes the text of an element, which --dump-dom prints.
    let script = format!(
        "window.addEventListener('load', async () => {{\n\
         const put = (id, url) => {{ const out = document.createElement('pre'); out.className = 'png'; \
         out.dataset.id = id; out.textContent = url; document.body.appendChild(out); }};\n{script} }});"
    );
    fs::write(&file, drawing_page(&script, figures)).map_err(|error| failed(error.to_string()))?;
    let output = Command::new(&browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"])
        .args(["--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars"])
        .args(["--virtual-time-budget=30000", "--window-size=1200,1000", "--dump-dom"])
        // Surfaces need WebGL, here without a graphics card.
        .arg("--enable-unsafe-swiftshader")
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .arg(format!("file://{}", file.display()))
        .output()
        .map_err(|error| failed(error.to_string()))?;
    let dom = String::from_utf8_lossy(&output.stdout);
    ids.iter()
        .map(|id| {
            let marker = format!("data-id=\"{id}\">data:image/png;base64,");
            let start = dom.find(&marker).ok_or_else(|| failed(format!("`{id}` is missing")))? + marker.len();
            let text = &dom[start..start + dom[start..].find('<').unwrap_or(0)];
            let bytes = BASE64_STANDARD.decode(text.trim()).map_err(|error| failed(error.to_string()))?;
            Ok((format!("{id}.png"), bytes))
        })
        .collect()
}
