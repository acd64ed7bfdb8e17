//! Every kind of bad input: the message names file, line, column, value and remedy; the exit code is 2; nothing is
//! written.

mod common;
#[path = "common/refused.rs"]
mod refused;

use std::fs;
use std::path::Path;

use common::{Run, perfmodel, run};
use refused::assert_refused;

const HEADER: &str = "input_tokens,output_tokens,concurrency,ttft_ms,itl_ms,throughput_tok_s";

/// Enough sound rows for a fit.
fn sound_csv() -> String {
    fs::read_to_string("tested_benchmarks/llama31_8b_fp8_tp1/measured.csv").unwrap()
}

fn fit_csv(text: &str) -> Run {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("m.csv"), text).unwrap();
    let result = run(
        home.path(),
        "fit --measured m.csv --model llama31_8b --hardware h100_sxm_80gb --weights fp8 --kv fp8 --no-validate --out r",
    );
    assert!(!home.path().join("r").exists(), "nothing may be written");
    result
}

#[test]
fn broken_rows_are_refused_with_line_column_and_value() {
    let first_row = sound_csv().lines().nth(1).unwrap().to_owned();
    let cases: [(String, &str, &str); 15] = [
        (
            format!("{HEADER}\n{first_row}\n200,200,5,N/A,4.58,1076\n"),
            "m.csv:3: column `ttft_ms`: cannot read `N/A` as a number",
            "delete the row if it was not measured",
        ),
        (
            format!("{HEADER}\n200,200,1,10.2,NaN,214\n"),
            "m.csv:2: column `itl_ms`: NaN is no finite number",
            "measured value",
        ),
        (format!("{HEADER}\n200,200,1,-3,4.6,214\n"), "m.csv:2: column `ttft_ms`: -3 is not above 0", "measured value"),
        (format!("{HEADER}\n200,200,1,10,0,214\n"), "m.csv:2: column `itl_ms`: 0 is not above 0", "measured value"),
        (
            format!("{HEADER}\n200,200,1,10,inf,214\n"),
            "m.csv:2: column `itl_ms`: inf is no finite number",
            "measured value",
        ),
        (format!("{HEADER}\n0,200,1,10,4,214\n"), "m.csv:2: column `input_tokens`: 0 is not above 0", "measured value"),
        (
            format!("{HEADER}\n200,200,1,10,4,fast\n"),
            "m.csv:2: column `throughput_tok_s`: cannot read `fast` as a number",
            "number",
        ),
        (format!("{HEADER}\n200,1,1,10,4,214\n"), "m.csv:2: output_tokens is 1", "from 2 to 1e9"),
        (
            format!("{HEADER}\n200,200,,10,4,214\n"),
            "m.csv:2: column `concurrency`: cannot read `` as a number",
            "number",
        ),
        (
            format!("{HEADER}\n200,200,1,10\n"),
            "m.csv:2: the row has 4 fields, the header has 6",
            "separate fields by commas",
        ),
        (
            format!("{HEADER}\n{first_row}\n{first_row}\n"),
            "m.csv:3: a second row for 200 input tokens, 200 output tokens, concurrency 1 (the first is in line 2)",
            "keep one of them",
        ),
        (format!("{HEADER}\n"), "m.csv: there is no row below the header", "add the measurements"),
        (
            "input_tokens,output_tokens,concurrency,ttft,itl_ms\n1,2,3,4,5\n".to_owned(),
            "m.csv:1: missing column `ttft_ms`",
            "`ttft` looks like `ttft_ms`; the header must name",
        ),
        (
            "Input Tokens,Output Tokens,Concurrency,TTFT (s),TPOT (ms)\n1,2,3,4,5\n".to_owned(),
            "m.csv:1: column `TTFT (s)` is in seconds",
            "write milliseconds, in a column `ttft_ms`",
        ),
        (format!("{HEADER},ttft_ms\n"), "m.csv:1: column `ttft_ms` is there twice", "keep one of them"),
    ];
    for (text, message, help) in cases {
        assert_refused(&fit_csv(&text), message, help);
    }
}

#[test]
fn a_line_number_survives_windows_line_ends_quotes_and_blank_lines() {
    let text = format!("\u{feff}{HEADER}\r\n\r\n\"200\",200,1,10,4,1\r\n200,200,2,ten,4,1\r\n");
    assert_refused(&fit_csv(&text), "m.csv:4: column `ttft_ms`: cannot read `ten` as a number", "number");
}

#[test]
fn too_few_rows_are_refused() {
    let few: Vec<String> = sound_csv().lines().take(6).map(str::to_owned).collect();
    assert_refused(
        &fit_csv(&few.join("\n")),
        "5 rows cannot fit 13 parameters",
        "or hold what priors know best: --fix memory_efficiency=0.868 --fix kv_memory_share=0.85",
    );
}

#[test]
fn unknown_names_get_the_nearest_one() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("m.csv"), sound_csv()).unwrap();
    let bare = "fit --measured m.csv --weights fp8 --kv fp8 --out r";
    for (arguments, message, help) in [
        (
            "fit --scenario lama31_8b_fp8_tp1".to_owned(),
            "there is no scenario `lama31_8b_fp8_tp1`",
            "did you mean `llama31_8b_fp8_tp1`?",
        ),
        (
            format!("{bare} --model llama31_8 --hardware l4_24gb"),
            "there is no model `llama31_8`",
            "did you mean `llama31_8b`?",
        ),
        (
            format!("{bare} --model llama31_8b --hardware l4_42gb"),
            "there is no hardware `l4_42gb`",
            "did you mean `l4_24gb`?",
        ),
        (
            "fit --scenario llama31_8b_fp8_tp1 --fix burst_facto=1".to_owned(),
            "there is no parameter `burst_facto` to hold",
            "did you mean `burst_factor`?",
        ),
        (
            "fit --scenario llama31_8b_fp8_tp1 --fix memory_efficiency=1.5".to_owned(),
            "`memory_efficiency` cannot be held at 1.5",
            "give a value from 0.4 to 1",
        ),
        (
            "fit --scenario-dir nowhere".to_owned(),
            "nowhere: cannot open the folder (No such file or directory (os error 2))",
            "perfmodel init DIR",
        ),
        (
            "list --data-dir nowhere".to_owned(),
            "`nowhere` holds none of hardware/, models/, tested_benchmarks/",
            "give a folder",
        ),
    ] {
        assert_refused(&run(home.path(), &arguments), message, help);
    }
    assert!(!home.path().join("r").exists());
}

#[test]
fn flags_that_cannot_be_read_are_refused_by_the_parser() {
    let home = tempfile::tempdir().unwrap();
    for (arguments, wanted) in [
        ("fit", "--scenario <ID>"),
        ("fit --scenario a --measured b", "cannot be used with"),
        ("fit --scenario a --table b", "cannot be used with"),
        ("fit --scenario a --load static_batch", "cannot be used with"),
        ("fit --table b --load static-batch", "did you mean `static_batch`?"),
        ("fit --measured m.csv", "--model <ID>"),
        ("fit --scenario a --weights fp8", "--measured <FILE>"),
        ("fit --scenario a --tp 2", "--measured <FILE>"),
        ("fit --scenario a --starts 1000000000", "from 1 to 10000"),
        ("fit --measured m.csv --model a --hardware b --weights fp9 --kv fp8", "unknown precision `fp9`"),
        ("fit --scenario llama31_8b_fp8_tp1 --rows concurency<=128", "did you mean `concurrency`?"),
        ("fit --scenario llama31_8b_fp8_tp1 --fix t_min", "write NAME=VALUE"),
        ("fit --scenario llama31_8b_fp8_tp1 --starts 0", "from 1 to 10000"),
        ("fit --scenario llama31_8b_fp8_tp1 --format yaml", "possible values: table, json"),
        ("fit --scenario llama31_8b_fp8_tp1 --estimator servig", "a similar value exists: 'serving'"),
        ("predcit", "unrecognized subcommand"),
    ] {
        let result = run(home.path(), arguments);
        assert_eq!(result.code, 2, "{arguments}: {}", result.stderr);
        assert!(result.stderr.contains(wanted), "{arguments}: {}", result.stderr);
    }
}

#[test]
fn what_cannot_run_is_refused() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("m.csv"), sound_csv()).unwrap();
    let fit = |arguments: &str| run(home.path(), &format!("fit --measured m.csv --out r {arguments}"));
    assert_refused(
        &fit("--model llama31_70b --hardware h100_sxm_80gb --weights bf16 --kv bf16"),
        "Llama-3.1-70B does not fit: its bf16 weights take 131.4 GiB, 1 of NVIDIA H100 SXM5 80GB have 79.6 GiB",
        "a tensor-parallel degree of at least 2",
    );
    assert_refused(
        &fit("--model llama31_8b --hardware a10g_24gb --weights bf16 --kv bf16 --tp 3"),
        "tensor_parallel = 3 does not divide the 32 query heads of Llama-3.1-8B",
        "divides the heads",
    );
    assert_refused(
        &fit("--model llama31_8b --hardware a100_sxm_80gb --weights fp8 --kv fp8"),
        "built-in:hardware/a100_sxm_80gb.toml: NVIDIA A100 SXM4 80GB has no peak for fp8",
        "choose one of",
    );
    assert_refused(
        &fit("--model olmo2_7b --hardware l4_24gb --weights bf16 --kv bf16"),
        "m.csv:34: a request of 22000 tokens does not fit: its KV cache takes 10.7 GiB, the weights leave 8.9 GiB",
        "shorter requests",
    );
    assert!(!home.path().join("r").exists());
}

#[test]
fn no_row_left_is_an_error() {
    let home = tempfile::tempdir().unwrap();
    let result = run(home.path(), "fit --scenario llama31_8b_fp8_tp1 --rows concurrency>1000");
    assert_refused(
        &result,
        "built-in:tested_benchmarks/llama31_8b_fp8_tp1/measured.csv: no row is left after --rows and --exclude",
        "loosen the filters",
    );
}

#[test]
fn an_output_folder_that_cannot_be_written_is_an_error() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("file"), "").unwrap();
    let result = run(home.path(), "fit --scenario llama31_8b_fp8_tp1 --no-validate --out file/r");
    assert_refused(
        &result,
        "file/r: cannot write here (Not a directory (os error 20))",
        "choose a folder that you may write",
    );
}

/// A scenario, hardware or model file with one line changed, and the message it must give.
fn broken_spec(kind: &str, file: &str, from: &str, to: &str) -> Run {
    let home = tempfile::tempdir().unwrap();
    for folder in ["hardware", "models", "tested_benchmarks/llama31_8b_fp8_tp1"] {
        fs::create_dir_all(home.path().join(folder)).unwrap();
    }
    let source = Path::new(kind).join(file);
    let text = fs::read_to_string(&source).unwrap();
    assert!(text.contains(from), "{from} is not in {file}");
    fs::write(home.path().join(&source), text.replacen(from, to, 1)).unwrap();
    if kind == "tested_benchmarks" {
        let measured = Path::new(kind).join("llama31_8b_fp8_tp1/measured.csv");
        fs::copy(&measured, home.path().join(&measured)).unwrap();
    }
    // The current folder holds the three folders, so it adds to what is built in.
    let result = run(home.path(), "fit --scenario llama31_8b_fp8_tp1 --no-validate");
    assert!(!home.path().join("evaluations_results").exists());
    result
}

#[test]
fn broken_specifications_are_refused_with_file_and_line() {
    let hardware = ("hardware", "h100_sxm_80gb.toml");
    let model = ("models", "llama31_8b.toml");
    let scenario = ("tested_benchmarks", "llama31_8b_fp8_tp1/scenario.toml");
    let cases = [
        (
            hardware,
            "memory_bandwidth_gb_per_s = 3350.0",
            "memory_bandwidth_gb_per_s = -1.0",
            "`memory_bandwidth_gb_per_s` is -1; it must be a number above 0",
        ),
        (hardware, "fp8 = 1978.9", "fp8 = nan", "`peak_tflop_per_s.fp8` is NaN; it must be a number above 0"),
        (hardware, "fp8 = 1978.9", "fp9 = 1978.9", "unknown field `fp9`"),
        (hardware, "int8 = 1978.9", "int8 = 1978.9\nint4 = 4000.0", "`peak_tflop_per_s.int4` has no source"),
        (
            hardware,
            "interconnect = \"",
            "# interconnect = \"",
            "`interconnect_gb_per_s` comes without `interconnect`; say what the link is",
        ),
        (
            hardware,
            "interconnect_gpus = 8\n",
            "\n",
            "`interconnect_gb_per_s` comes without `interconnect_gpus`; say how many devices it joins",
        ),
        (
            hardware,
            "interconnect_gpus = 8",
            "interconnect_gpus = 1",
            "`interconnect_gpus` is 1; count all devices that the link joins, or leave out its three keys if there is none",
        ),
        (hardware, "usual_for = [\"H100\"]", "usual_for = [\"H200\"]", "`usual_for` has \"H200\", which does not fit"),
        (
            scenario,
            "weight_precision = \"fp8\"",
            "weight_precision = \"nvfp4\"",
            "`nvfp4` is not modelled yet; use `fp4`, which leaves out the scales",
        ),
        (hardware, "date = \"2026", "date = \"26", "`price.date` is \"26-03-10\"; write the day as YYYY-MM-DD"),
        (
            model,
            "published_parameters = 8_030_261_248",
            "published_parameters = 8_000_000_000",
            "`published_parameters` is 8000000000, but the layers, embeddings and extras of this file hold 8030261248",
        ),
        (model, "kv_heads = 8", "kv_heads = 7", "`attention.full.kv_heads` is 7, which does not divide 32 query heads"),
        (model, "count = 32", "count = 0", "`layers` is 0; it must be at least 1"),
        (model, "attention = \"full\"", "attention = \"none\"", "`layers` names attention `none`, which is not here"),
        (
            scenario,
            "tensor_parallel = 1",
            "tensor_parallel = 0",
            "`deployment.tensor_parallel` is 0; it must be at least 1",
        ),
        (
            scenario,
            "weight_precision = \"fp8\"",
            "weight_precision = \"fp7\"",
            "unknown precision `fp7`; known: fp64, fp32",
        ),
        (scenario, "statistic = \"mean\"", "statistic = \"mode\"", "unknown variant `mode`"),
        (scenario, "title = ", "titel = ", "unknown field `titel`"),
        (
            scenario,
            "retrieved = \"2026-11-21\"",
            "retrieved = \"yesterday\"",
            "`source` has retrieved = \"yesterday\"; write the day as YYYY-MM-DD",
        ),
        (scenario, "layers = 32.0", "layers = 0.0", "`roofline.layers` is 0; it must be a number above 0"),
        (
            scenario,
            "model = \"llama31_8b\"",
            "model = \"llama31_9b\"",
            "./tested_benchmarks/llama31_8b_fp8_tp1/scenario.toml: there is no model `llama31_9b`",
        ),
    ];
    for ((kind, file), from, to, message) in cases {
        let result = broken_spec(kind, file, from, to);
        assert_eq!(result.code, 2, "{to}: {}", result.stderr);
        assert!(result.stderr.contains(message), "{to}: {}", result.stderr);
        assert!(result.stderr.contains("\n  help: "), "{to}: {}", result.stderr);
        if !message.contains("there is no model") {
            let changed = fs::read_to_string(Path::new(kind).join(file)).unwrap();
            let line = changed.lines().position(|line| line.contains(from.lines().next().unwrap())).unwrap() + 1;
            let named = format!("./{kind}/{file}:");
            assert!(result.stderr.contains(&named), "{to}: {}", result.stderr);
            let given: usize =
                result.stderr.split(&named).nth(1).unwrap().split(':').next().unwrap().trim().parse().unwrap();
            // A list such as [[layers]] is named by its first line.
            assert!(given.abs_diff(line) <= 4, "{to}: line {given}, changed line {line}");
        }
    }
}

#[test]
fn a_measured_file_that_is_not_text_is_an_error() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("m.csv"), [0xff, 0xfe, 0x00, 0x41]).unwrap();
    let result: Run = perfmodel(home.path())
        .args("fit --measured m.csv --model llama31_8b --hardware h100_sxm_80gb --weights fp8 --kv fp8".split(' '))
        .output()
        .unwrap()
        .into();
    assert_refused(
        &result,
        "m.csv: cannot read the file (stream did not contain valid UTF-8)",
        "save the file as UTF-8",
    );
}

#[test]
fn a_folder_in_the_place_of_a_result_is_refused_before_anything_is_written() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir_all(home.path().join("r/report.html")).unwrap();
    let result = run(home.path(), "fit --scenario llama31_8b_fp8_tp1 --no-validate --out r");
    assert_refused(&result, "r/report.html: a folder has the name of a result file", "move it away");
    assert_eq!(fs::read_dir(home.path().join("r")).unwrap().count(), 1);
}

#[test]
fn values_that_no_server_can_have_are_refused() {
    for (row, message) in [
        ("200,200,1,1e308,4,1", "m.csv:2: column `ttft_ms`: 1e308 cannot be a measurement"),
        ("200,200,1,10,1e-30,1", "m.csv:2: column `itl_ms`: 1e-30 cannot be a measurement"),
    ] {
        assert_refused(&fit_csv(&format!("{HEADER}\n{row}\n")), message, "check the unit");
    }
}

#[test]
fn seconds_in_the_place_of_milliseconds_are_refused() {
    let mut seconds = String::new();
    for (index, line) in sound_csv().lines().enumerate() {
        let cells: Vec<&str> = line.split(',').collect();
        let cell = |at: usize| {
            if index == 0 { cells[at].to_owned() } else { (cells[at].parse::<f64>().unwrap() / 1e3).to_string() }
        };
        seconds += &format!("{},{},{},{},{},{}\n", cells[0], cells[1], cells[2], cell(3), cell(4), cells[5]);
    }
    let result = fit_csv(&seconds);
    assert!(
        result.code == 2 && result.stderr.contains("times shorter than reading the weights once"),
        "{}",
        result.stderr
    );
    assert!(
        result.stderr.starts_with("error: m.csv:") && result.stderr.contains("are times in seconds?"),
        "{}",
        result.stderr
    );
    // The other way, and of one latency alone.
    for (row, message, help) in [
        ("200,200,1,10000,4600,1", "m.csv:2: an ITL of 4.600e3 ms is", "are times in microseconds?"),
        ("200,200,1,0.02,4.6,1", "m.csv:2: a TTFT of 2.000e-2 ms is", "are times in seconds?"),
    ] {
        let result = fit_csv(&format!("{HEADER}\n{row}\n"));
        assert!(
            result.code == 2 && result.stderr.contains(message) && result.stderr.contains(help),
            "{}",
            result.stderr
        );
    }
    // Twice as fast as the memory allows may be drafts; it is said and fitted.
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("m.csv"), sound_csv().replace(",4.", ",1.")).unwrap();
    let fit =
        "fit --measured m.csv --model llama31_8b --hardware h100_sxm_80gb --weights fp8 --kv fp8 --no-validate --out r";
    let fast = run(home.path(), fit);
    assert_eq!(fast.code, 0, "{}", fast.stderr);
    assert!(fast.stdout.contains("the ITL is shorter than reading the weights once"), "{}", fast.stdout);
}

#[test]
fn other_separators_are_named() {
    let text = format!("{}\n200;200;1;10;4;1\n", HEADER.replace(',', ";"));
    let result = fit_csv(&text);
    assert!(result.code == 2 && result.stderr.contains("separate the columns by commas"), "{}", result.stderr);
}

#[test]
fn limits_of_zero_and_doubled_flags_are_refused() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("m.csv"), sound_csv()).unwrap();
    let bare = "fit --measured m.csv --model llama31_8b --hardware h100_sxm_80gb --weights fp8 --kv fp8 --out r";
    for (flags, message) in [
        ("--tp 0", "tensor_parallel is 0"),
        ("--max-sequences 0", "max_sequences is 0"),
        ("--max-tokens-per-step 0", "max_tokens_per_step is 0"),
    ] {
        assert_refused(&run(home.path(), &format!("{bare} {flags}")), message, "1 or more");
    }
    let twice = run(home.path(), &format!("{bare} --fix burst_factor=1 --fix burst_factor=0.5"));
    assert_refused(&twice, "`burst_factor` is held twice", "one value");
}
