//! The pages of docs/: every command of theirs runs, in order, and prints what the page says; links lead somewhere.

mod common;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use common::run;

const PROJECT: &str = env!("CARGO_MANIFEST_DIR");

/// Results of the project that pages refer to.
const COMMITTED: [&str; 3] = [
    "evaluations_results/llama31_8b_fp8_tp1/serving/calibration.toml",
    "evaluations_results/live/olmo2_190m_cpu/results.json",
    "evaluations_results/live/olmo2_190m_cpu/machine.toml",
];

/// A piece of a page, in its order.
enum Piece {
    /// `<!-- file: NAME -->` and the block below it.
    File(String, String),
    /// The lines of a block of commands.
    Commands(Vec<String>),
    /// What the commands before it print, if it is the first behind them.
    Output(Vec<String>),
    /// A block of another kind; output below it is not of our commands.
    Other,
}

fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> = fs::read_dir(Path::new(PROJECT).join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .collect();
    pages.sort();
    pages
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut file = None;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("<!-- file: ").and_then(|rest| rest.strip_suffix(" -->")) {
            file = Some(name.to_owned());
        } else if let Some(language) = line.strip_prefix("```") {
            let block: Vec<String> =
                lines.by_ref().take_while(|line| !line.starts_with("```")).map(str::to_owned).collect();
            match (file.take(), language) {
                (Some(name), _) => pieces.push(Piece::File(name, block.join("\n") + "\n")),
                (None, "sh") => pieces.push(Piece::Commands(block)),
                (None, "text") => pieces.push(Piece::Output(block)),
                (None, _) => pieces.push(Piece::Other),
            }
        }
    }
    pieces
}

/// Runs a page in a folder of its own; returns how many commands it has.
fn run_page(page: &Path, committed: &[&str]) -> usize {
    let home = tempfile::tempdir().unwrap();
    for file in committed {
        let to = home.path().join(file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(Path::new(PROJECT).join(file), to).unwrap();
    }
    let (mut count, mut printed, mut untold) = (0, String::new(), String::new());
    for piece in pieces(&fs::read_to_string(page).unwrap()) {
        match piece {
            Piece::File(name, text) => {
                let to = home.path().join(name);
                fs::create_dir_all(to.parent().unwrap()).unwrap();
                fs::write(to, text).unwrap();
            }
            Piece::Commands(lines) => {
                printed.clear();
                for line in lines.iter().filter(|line| !line.is_empty()) {
                    let arguments =
                        line.strip_prefix("perfmodel ").unwrap_or_else(|| panic!("{line}: no command of ours"));
                    let result = run(home.path(), arguments);
                    assert_eq!(result.code, 0, "{}: {line}: {}", page.display(), result.stderr);
                    printed += &result.stdout;
                    count += 1;
                }
            }
            Piece::Output(lines) if !printed.is_empty() => {
                let is_told = |line: &str| printed.lines().any(|own| own.trim() == line.trim());
                // How long it took is another each time.
                let changes =
                    |line: &str| line.trim() == "..." || line.contains("Wrote in") || line.contains("placements in");
                for line in lines.iter().filter(|line| !changes(line) && !is_told(line)) {
                    // Writing to a String cannot fail.
                    let _ = writeln!(untold, "{line}");
                }
                printed.clear();
            }
            Piece::Output(_) => {}
            Piece::Other => printed.clear(),
        }
    }
    assert!(untold.is_empty(), "{} has these lines, which its commands do not print:\n{untold}", page.display());
    count
}

#[test]
fn the_tutorial_runs_in_an_empty_folder_and_prints_what_it_says() {
    assert!(run_page(&Path::new(PROJECT).join("docs/tutorial.md"), &[]) >= 15);
}

#[test]
fn the_other_pages_run_and_print_what_they_say() {
    let mut count = 0;
    for page in pages().iter().filter(|page| !page.ends_with("tutorial.md")) {
        count += run_page(page, &COMMITTED);
    }
    assert!(count >= 10, "{count}");
}

#[test]
fn links_lead_to_files_and_headings() {
    let anchor = |heading: &str| {
        let text = heading.trim_start_matches('#').trim().to_lowercase();
        let kept: String = text.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).collect();
        kept.replace(' ', "-")
    };
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link) {
            if link.starts_with("http") {
                continue;
            }
            let (file, heading) = link.split_once('#').map_or((link, None), |(file, heading)| (file, Some(heading)));
            let target = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(target.exists(), "{}: {link}", page.display());
            if let Some(heading) = heading {
                let target = fs::read_to_string(target).unwrap();
                let headings = target.lines().filter(|line| line.starts_with('#'));
                assert!(headings.map(anchor).any(|own| own == heading), "{}: {link}", page.display());
            }
        }
    }
}
