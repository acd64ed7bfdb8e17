//! Bad input of `predict` and `evaluate`: exit code 2, the value and its remedy, nothing written.

mod common;
#[path = "common/refused.rs"]
mod refused;

use std::fs;
use std::path::Path;

use common::{Run, run};
use refused::assert_refused;

const LENGTHS: &str = "--input-tokens 1000 --output-tokens 200";
const SCENARIO: &str = "--scenario llama31_8b_fp8_tp1";
const H100: &str = "--model llama31_8b --hardware h100_sxm_80gb";
const TO_70B: &str = "evaluate --scenario llama33_70b_fp8_tp2";

fn calibration(estimator: &str) -> String {
    format!("{}/evaluations_results/llama31_8b_fp8_tp1/{estimator}/calibration.toml", env!("CARGO_MANIFEST_DIR"))
}

/// A run in a folder that must stay as it is.
fn refused_in(folder: &Path, arguments: &str) -> Run {
    let names = || {
        let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = names();
    let result = run(folder, arguments);
    assert_eq!(names(), before, "{arguments}: nothing may be written");
    result
}

fn refused(arguments: &str) -> Run {
    refused_in(tempfile::tempdir().unwrap().path(), arguments)
}

#[test]
fn numbers_that_no_workload_can_have_are_refused() {
    for (flags, message, help) in [
        (format!("{LENGTHS} --concurrency 0"), "concurrency is 0", "from 1 to 1e9"),
        (format!("{LENGTHS} --concurrency -4"), "concurrency is -4", "from 1 to 1e9"),
        (format!("{LENGTHS} --concurrency 1,0.5"), "concurrency is 0.5", "from 1 to 1e9"),
        (format!("{LENGTHS} --concurrency 1e10"), "concurrency is 10000000000", "from 1 to 1e9"),
        (format!("{LENGTHS} --rate 0"), "rate_rps is 0", "from 0.000001 to 1e9"),
        (format!("{LENGTHS} --rate -1"), "rate_rps is -1", "from 0.000001 to 1e9"),
        (format!("{LENGTHS} --batch 0"), "batch is 0", "from 1 to 1e9"),
        ("--input-tokens 0 --output-tokens 200".to_owned(), "input_tokens is 0", "from 1 to 1e9"),
        ("--input-tokens -7 --output-tokens 200".to_owned(), "input_tokens is -7", "from 1 to 1e9"),
        ("--input-tokens 100 --output-tokens 1".to_owned(), "output_tokens is 1", "from 2 to 1e9"),
        (
            "--input-tokens 1..1000 --output-tokens 2..1001 --concurrency 1..2".to_owned(),
            "the lists make 2000000 workloads",
            "1000000 workloads at most",
        ),
        (
            format!("{LENGTHS} --max-sequences 8 --batch 4,64"),
            "a batch of 64 is more than the 8 sequences that the engine runs at once",
            "give smaller batches",
        ),
        (format!("{LENGTHS} --explain --format csv"), "--explain has no place in a CSV", "--format json"),
    ] {
        assert_refused(&refused(&format!("predict {SCENARIO} {flags}")), message, help);
    }
}

#[test]
fn what_does_not_fit_is_refused_with_its_size() {
    for (arguments, message, help) in [
        (
            format!("--model llama31_405b --hardware h100_sxm_80gb --weights fp16 {LENGTHS}"),
            "Llama-3.1-405B does not fit: its fp16 weights take 756.0 GiB, 1 of NVIDIA H100 SXM5 80GB have 79.6 GiB",
            "a tensor-parallel degree of at least 16 (one that divides the heads)",
        ),
        (
            format!("{SCENARIO} --input-tokens 200,2000000 --output-tokens 200"),
            "a request of 2000200 tokens does not fit: its KV cache takes 122.1 GiB, there are 60.5 GiB for it",
            "shorter requests",
        ),
        (
            format!("{SCENARIO} {LENGTHS} --batch 1,1000"),
            "a batch of 1000 requests of 1200 tokens does not fit: its KV cache takes 73.2 GiB, there are 71.2 GiB for it",
            "smaller batches",
        ),
        (format!("{H100} {LENGTHS} --tp 0"), "tensor_parallel is 0", "1 or more"),
        (
            format!("{H100} {LENGTHS} --tp 3"),
            "tensor_parallel = 3 does not divide the 32 query heads of Llama-3.1-8B",
            "divides the heads",
        ),
        (
            format!("{SCENARIO} {LENGTHS} --tp 3"),
            "tensor_parallel = 3 does not divide the 32 query heads of Llama-3.1-8B",
            "divides the heads",
        ),
        (format!("{H100} {LENGTHS} --max-sequences 0"), "max_sequences is 0", "1 or more"),
        (format!("{H100} {LENGTHS} --max-tokens-per-step 0"), "max_tokens_per_step is 0", "1 or more"),
        (
            format!("--model llama31_8b --hardware a100_sxm_80gb --weights fp8 {LENGTHS}"),
            "built-in:hardware/a100_sxm_80gb.toml: NVIDIA A100 SXM4 80GB has no peak for fp8",
            "choose one of",
        ),
    ] {
        assert_refused(&refused(&format!("predict {arguments}")), message, help);
    }
}

#[test]
fn unknown_names_get_the_nearest_one() {
    let from_8b = calibration("serving");
    for (arguments, message, help) in [
        (
            format!("predict --scenario lama31_8b_fp8_tp1 {LENGTHS}"),
            "there is no scenario `lama31_8b_fp8_tp1`",
            "did you mean `llama31_8b_fp8_tp1`?",
        ),
        (
            format!("predict --model llama31_8 --hardware h100_sxm_80gb {LENGTHS}"),
            "there is no model `llama31_8`",
            "did you mean `llama31_8b`?",
        ),
        (
            format!("predict --model llama31_8b --hardware h100_sxm_80 {LENGTHS}"),
            "there is no hardware `h100_sxm_80`",
            "did you mean `h100_sxm_80gb`?",
        ),
        (
            format!("predict --model llama-4-maverick --hardware h100 {LENGTHS}"),
            "there is no model `llama-4-maverick`",
            "`perfmodel list models` shows all; another one is described by its config.json",
        ),
        (
            format!("predict --model llama31_8b --hardware H20 {LENGTHS}"),
            "there is no hardware `H20`",
            "`perfmodel list hardware` shows all; another one is described by a TOML file",
        ),
        (
            format!("predict --model llama31_8b --hardware a100-pcie {LENGTHS}"),
            "there is no hardware `a100-pcie`",
            "of this name there are a100_sxm_40gb and a100_sxm_80gb; ",
        ),
        (
            format!("predict {SCENARIO} {LENGTHS} --set burst_facto=1"),
            "no parameter `burst_facto` matters here",
            "did you mean `burst_factor`?",
        ),
        (
            format!("predict {SCENARIO} {LENGTHS} --set link_efficiency=1"),
            "no parameter `link_efficiency` matters here",
            "known: memory_efficiency",
        ),
        (
            format!("predict {SCENARIO} {LENGTHS} --set burst_factor=-1"),
            "`burst_factor` cannot be -1",
            "from 0 to 2 (unit: 1)",
        ),
        (
            format!("predict {SCENARIO} {LENGTHS} --set burst_factor=NaN"),
            "`burst_factor` cannot be NaN",
            "from 0 to 2 (unit: 1)",
        ),
        (
            format!("predict {SCENARIO} {LENGTHS} --set burst_factor=1 --set burst_factor=0"),
            "`burst_factor` is set twice",
            "one value",
        ),
        (format!("predict --scenario-dir nowhere {LENGTHS}"), "there is no scenario `nowhere`", "perfmodel init DIR"),
        (
            format!("predict --scenario ./nowhere {LENGTHS}"),
            "./nowhere: cannot open the folder (No such file or directory (os error 2))",
            "perfmodel init DIR",
        ),
        (
            format!("predict --model . --hardware h100_sxm_80gb {LENGTHS}"),
            ".: the folder holds no config.json",
            "into which the model was downloaded",
        ),
        (
            format!("predict --model ./nowhere.json --hardware h100_sxm_80gb {LENGTHS}"),
            "./nowhere.json: cannot read the file (No such file or directory (os error 2))",
            "check the path",
        ),
        (
            "evaluate --scenario lama33_70b_fp8_tp2 --uncalibrated".to_owned(),
            "there is no scenario `lama33_70b_fp8_tp2`",
            "did you mean `llama33_70b_fp8_tp2`?",
        ),
        ("evaluate --scenario 'mine*' --uncalibrated".to_owned(), "no scenario matches `'mine*'`", "known: llama31_8b"),
        (
            "evaluate --scenario llama* --uncalibrated".to_owned(),
            "this command takes one scenario at a time",
            "once for each",
        ),
        (TO_70B.to_owned(), "no calibration is named", "or --uncalibrated"),
        (
            format!("{TO_70B} --calibration {from_8b} --refit burst_facto"),
            "nothing here is `burst_facto` to refit",
            "did you mean `burst_factor`? give campaign, link, hardware, engine or one of memory_efficiency",
        ),
        (
            format!("{TO_70B} --calibration {from_8b} --refit campain"),
            "nothing here is `campain` to refit",
            "did you mean `campaign`?",
        ),
        (format!("{TO_70B} --uncalibrated --refit link,"), "nothing here is `` to refit", "give campaign, link"),
        (
            format!("evaluate {SCENARIO} --calibration {from_8b} --refit link"),
            "nothing here is `link` to refit",
            "give campaign",
        ),
        (
            format!("{TO_70B} --calibration {from_8b} --rows concurrency>9999"),
            "built-in:tested_benchmarks/llama33_70b_fp8_tp2/measured.csv: no row is left after --rows and --exclude",
            "loosen the filters",
        ),
        (
            format!("{TO_70B} --calibration {from_8b} --rows concurrency==5 --refit campaign"),
            "5 rows cannot fit 7 parameters",
            "refit fewer parameters, or keep more rows",
        ),
    ] {
        assert_refused(&refused(&arguments), message, help);
    }
}

#[test]
fn a_quantisation_that_is_not_known_is_no_bf16() {
    let folder = tempfile::tempdir().unwrap();
    let path = format!("{}/tests/fixtures/hf_configs/llama31_8b.json", env!("CARGO_MANIFEST_DIR"));
    let mut config: serde_json::Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    config["quantization_config"] = serde_json::json!({"load_in_4bit": true, "quant_method": "bitsandbytes"});
    fs::write(folder.path().join("bnb.json"), config.to_string()).unwrap();
    let predict = format!("predict --model bnb.json --hardware h100_sxm_80gb --uncalibrated {LENGTHS}");
    assert_refused(
        &run(folder.path(), &predict),
        "`quantization_config` of bnb is {\"load_in_4bit\":true,\"quant_method\":\"bitsandbytes\"}, of which the precision of the \
         weights is not known",
        "give --weights",
    );
    assert_eq!(run(folder.path(), &format!("{predict} --weights int4 --compute bf16")).code, 0);
}

#[test]
fn workload_files_that_cannot_be_read_are_refused_with_line_and_column() {
    let header = "input_tokens,output_tokens,concurrency";
    for (text, message, help) in [
        (
            String::new(),
            "w.csv:1: the header has none of `concurrency`, `rate_rps`, `batch`",
            "clients in a closed loop",
        ),
        (format!("{header}\n"), "w.csv: there is no row below the header", "add the workloads"),
        (
            "input_tokens,output_tokens,concurency\n1,2,3\n".to_owned(),
            "w.csv:1: the header has none of `concurrency`, `rate_rps`, `batch`",
            "`concurency` looks like `concurrency`",
        ),
        (
            "input_tokens;output_tokens;concurrency\n1;2;3\n".to_owned(),
            "w.csv:1: the header has none of `concurrency`, `rate_rps`, `batch`",
            "separate the columns by commas",
        ),
        (
            "input_tokens,output_token,batch\n1,2,3\n".to_owned(),
            "w.csv:1: missing column `output_tokens`",
            "`output_token` looks like `output_tokens`",
        ),
        (
            format!("{header},rate_rps\n1,2,3,4\n"),
            "w.csv:1: the header has more than one of `concurrency`, `rate_rps`, `batch`",
            "give one of them",
        ),
        (format!("{header},concurrency\n1,2,3,4\n"), "w.csv:1: column `concurrency` is there twice", "keep one"),
        (format!("{header}\n1,2\n"), "w.csv:2: the row has 2 fields, the header has 3", "separate fields by commas"),
        (
            format!("{header}\n1,2,3\n\n1,many,3\n"),
            "w.csv:4: column `output_tokens`: cannot read `many` as a number",
            "write a number",
        ),
        (format!("{header}\n1,,3\n"), "w.csv:2: column `output_tokens`: cannot read `` as a number", "write a number"),
        (format!("{header}\n0,200,3\n"), "w.csv:2: input_tokens is 0", "from 1 to 1e9"),
        (format!("{header}\nNaN,200,3\n"), "w.csv:2: input_tokens is NaN", "from 1 to 1e9"),
        (format!("{header}\n100,200,-3\n"), "w.csv:2: concurrency is -3", "from 1 to 1e9"),
        (format!("{header}\n100,200,1e300\n"), "w.csv:2: concurrency is 1e300", "from 1 to 1e9"),
        (
            format!("{header}\n100,200,3\n5000000,200,3\n"),
            "a request of 5000200 tokens does not fit: its KV cache takes 305.2 GiB, there are 60.5 GiB for it",
            "shorter requests",
        ),
    ] {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("w.csv"), &text).unwrap();
        let result = refused_in(home.path(), &format!("predict {SCENARIO} --workload w.csv"));
        assert_refused(&result, message, help);
    }
    let result = refused(&format!("predict {SCENARIO} --workload nowhere.csv"));
    assert_refused(
        &result,
        "nowhere.csv: cannot read the file (No such file or directory (os error 2))",
        "check the path",
    );
}

/// Both commands refuse a calibration for the same reasons.
fn refused_calibration(text: &[u8], message: &str, help: &str) {
    for command in [format!("predict {SCENARIO} {LENGTHS}"), TO_70B.to_owned()] {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("c.toml"), text).unwrap();
        assert_refused(&refused_in(home.path(), &format!("{command} --calibration c.toml")), message, help);
    }
}

#[test]
fn files_that_are_no_calibration_are_refused() {
    let text = fs::read_to_string(calibration("serving")).unwrap();
    let other = fs::read_to_string(calibration("roofline")).unwrap();
    let hardware = fs::read_to_string("hardware/h100_sxm_80gb.toml").unwrap();
    let not_one = "c.toml: not a calibration of this version: ";
    let written = "give the calibration.toml that `perfmodel fit` writes";
    refused_calibration(b"", &format!("{not_one}missing field `perfmodel_version`"), written);
    refused_calibration(hardware.as_bytes(), &format!("{not_one}missing field `perfmodel_version`"), written);
    let no_toml = "c.toml:1:2: not a calibration of this version: key with no value, expected `=`";
    refused_calibration(b"a,b\n1,2\n", no_toml, written);
    refused_calibration(b"\xff\xfe", "c.toml: cannot read the file (stream did not contain valid UTF-8)", "UTF-8");
    refused_calibration(
        other.as_bytes(),
        "the calibration is one of the estimator `roofline`, not `serving`",
        "`perfmodel fit --estimator serving` writes one; `perfmodel evaluate --estimator roofline` takes this one",
    );
    let changed = |start: &str, line: &str| -> String {
        let mut found = 0;
        let lines = text.lines().map(|old| {
            let first = old.starts_with(start) && found == 0;
            found += usize::from(first);
            if first { line } else { old }
        });
        let changed = lines.collect::<Vec<_>>().join("\n");
        assert_ne!(changed, text, "{start}");
        changed
    };
    let again = "fit again";
    for (start, line, message) in [
        ("covariance", "covariance = [[1.0]]", "c.toml: the covariance of 15 parameters has another size"),
        ("covariance", "", "c.toml: not a calibration of this version: missing field `covariance`"),
        ("value = ", "value = nan", "c.toml: `memory_efficiency` is NaN"),
        ("value = ", "value = -1.0", "c.toml: `memory_efficiency` is -1"),
        ("value = ", "value = 7.5", "the calibration has memory_efficiency = 7.5"),
        ("ttft_quantile", "ttft_quantile = nan", "c.toml: the uncertainty of `llama31_8b_fp8_tp1` is not one"),
        ("itl_quantile", "itl_quantile = -3.0", "c.toml: the uncertainty of `llama31_8b_fp8_tp1` is not one"),
    ] {
        refused_calibration(changed(start, line).as_bytes(), message, again);
    }
}

#[test]
fn a_page_that_cannot_be_written_is_an_error() {
    for command in
        [format!("predict {SCENARIO} {LENGTHS} --plot"), format!("{TO_70B} --calibration {}", calibration("serving"))]
    {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("file"), "").unwrap();
        let result = refused_in(home.path(), &format!("{command} --out file/r"));
        assert_refused(
            &result,
            "file/r: cannot write here (Not a directory (os error 20))",
            "a folder that you may write",
        );
    }
}

#[test]
fn flags_that_do_not_go_together_are_refused_by_the_parser() {
    for (arguments, wanted) in [
        ("predict".to_owned(), "--scenario <ID>"),
        (format!("predict {LENGTHS}"), "--scenario <ID>"),
        (format!("predict {SCENARIO}"), "--input-tokens <LIST>"),
        (format!("predict {SCENARIO} --input-tokens 8"), "--output-tokens <LIST>"),
        (format!("predict --model llama31_8b {LENGTHS}"), "--hardware <ID>"),
        (format!("predict --hardware h100_sxm_80gb {LENGTHS}"), "--scenario <ID>"),
        (format!("predict {SCENARIO} --model llama31_8b {LENGTHS}"), "cannot be used with"),
        (format!("predict {H100} {LENGTHS} --tp -1"), "-1"),
        (format!("predict {H100} {LENGTHS} --tp 1.5"), "invalid value '1.5'"),
        (format!("predict {H100} {LENGTHS} --weights fp9"), "unknown precision `fp9`"),
        (format!("predict {H100} {LENGTHS} --kv 8"), "unknown precision `8`"),
        (format!("predict {SCENARIO} {LENGTHS} --rate 1 --concurrency 2"), "cannot be used with"),
        (format!("predict {SCENARIO} {LENGTHS} --rate 1 --batch 2"), "cannot be used with"),
        (format!("predict {SCENARIO} {LENGTHS} --batch 1 --concurrency 2"), "cannot be used with"),
        (format!("predict {SCENARIO} {LENGTHS} --workload w.csv"), "cannot be used with"),
        (format!("predict {SCENARIO} {LENGTHS} --concurrency NaN"), "`NaN` is not finite"),
        (format!("predict {SCENARIO} {LENGTHS} --concurrency 1e999"), "`1e999` is not finite"),
        (format!("predict {SCENARIO} {LENGTHS} --concurrency 8..1"), "the range `8..1` falls"),
        (format!("predict {SCENARIO} {LENGTHS} --concurrency 1,x"), "`x` is not a number"),
        (format!("predict {SCENARIO} {LENGTHS} --set burst_factor"), "write NAME=VALUE, such as burst_factor=0"),
        (format!("predict {SCENARIO} {LENGTHS} --uncalibrated --calibration c.toml"), "cannot be used with"),
        (format!("predict {SCENARIO} {LENGTHS} --png"), "--plot"),
        (format!("predict {SCENARIO} {LENGTHS} --out r"), "--plot"),
        (format!("predict {SCENARIO} {LENGTHS} --format yaml"), "possible values: table, json, csv"),
        ("evaluate --uncalibrated".to_owned(), "--scenario <ID>"),
        (format!("{TO_70B} --uncalibrated --calibration c.toml"), "cannot be used with"),
        (format!("{TO_70B} --uncalibrated --estimator servig"), "a similar value exists: 'serving'"),
        (format!("{TO_70B} --uncalibrated --rows concurency<=128"), "did you mean `concurrency`?"),
        (format!("{TO_70B} --uncalibrated --seed x"), "invalid value 'x'"),
        ("evaluate --measured m.csv --uncalibrated".to_owned(), "--model <ID>"),
    ] {
        let result = refused(&arguments);
        assert_eq!((result.code, result.stdout.as_str()), (2, ""), "{arguments}: {}", result.stderr);
        assert!(result.stderr.starts_with("error: "), "{arguments}: {}", result.stderr);
        assert!(result.stderr.contains(wanted), "{arguments}: {}", result.stderr);
    }
}
