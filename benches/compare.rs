//! How long `compare` takes for two runs of 320 requests, and for two logs of a million: `cargo bench --bench compare`; or for one log of
//! so many: `cargo bench --bench compare -- 10000000`.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::Instant;

use perfmodel::comparison::{Settings, Side, compare};
use perfmodel::requests::{Measured, open};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Requests of a log.
const ROWS: usize = 1_000_000;

/// Writes a log with LLMeter's fields; `slower` scales its latencies.
fn write_log(path: &Path, rows: usize, seed: u64, slower: f64) -> std::io::Result<()> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut file = BufWriter::new(fs::File::create(path)?);
    let mut line = String::new();
    for row in 0..rows {
        let (input, output) = (rng.random_range(50..2000), rng.random_range(2..400));
        let ttft = slower * (0.05 + 1e-4 * f64::from(input) * rng.random_range(0.8..1.6));
        let ttlt = ttft + slower * 0.012 * f64::from(output - 1) * rng.random_range(0.9..1.3);
        line.clear();
        // Writing to a String cannot fail.
        let _ = writeln!(
            line,
            "{{\"response_text\": null, \"input_payload\": null, \"id\": \"request-{row:08}\", \"input_prompt\": null, \
             \"time_to_first_token\": {ttft}, \"time_to_last_token\": {ttlt}, \"num_tokens_input\": {input}, \
             \"num_tokens_output\": {output}, \"num_tokens_input_cached\": null, \"num_tokens_output_reasoning\": null, \
             \"time_per_output_token\": null, \"error\": null, \"retries\": 0, \"request_time\": \"2026-11-21T20:56:55Z\"}}"
        );
        file.write_all(line.as_bytes())?;
    }
    file.flush()
}

/// Opens both paths and compares them with the defaults of the command.
fn compared(what: &str, paths: &[&Path]) {
    let start = Instant::now();
    let sides = ["before", "after"].into_iter().zip(paths.iter()).map(|(name, path)| {
        let Ok(Measured::Run(run)) = open(path) else { panic!("{} is no run", path.display()) };
        Side { name: name.to_owned(), runs: vec![*run] }
    });
    let sides: Vec<Side> = sides.collect();
    let read = start.elapsed().as_secs_f64();
    let comparison = compare(&sides, &Settings::default());
    assert!(comparison.dimensions.iter().flat_map(|study| &study.pairs).all(Option::is_some));
    println!("{what}: {:.2} s, of which {read:.2} s for reading{}", start.elapsed().as_secs_f64(), most_memory());
}

/// The most memory that the process has held, where the system tells.
fn most_memory() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok());
    kib.map_or_else(String::new, |kib| format!("; {:.0} MB held at most so far", kib * 1024.0 / 1e6))
}

fn main() -> std::io::Result<()> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/llmeter");
    let folder = tempfile::tempdir()?;
    if let Some(rows) = std::env::args().find_map(|argument| argument.parse().ok()) {
        let path = folder.path().join("requests.jsonl");
        write_log(&path, rows, 1, 1.0)?;
        compared(&format!("a log of {rows} requests, {} MB", fs::metadata(&path)?.len() / 1_000_000), &[&path]);
        return Ok(());
    }
    compared("two runs of 320 requests", &[&fixtures.join("run_a"), &fixtures.join("run_b")]);
    let (before, after) = (folder.path().join("before.jsonl"), folder.path().join("after.jsonl"));
    write_log(&before, ROWS, 1, 1.0)?;
    write_log(&after, ROWS, 2, 1.02)?;
    compared(
        &format!("two logs of {ROWS} requests, {} MB each", fs::metadata(&before)?.len() / 1_000_000),
        &[&before, &after],
    );
    Ok(())
}
