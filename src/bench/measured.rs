//! The rows of a run as CSV.

use std::fmt::Write;

use super::{Results, Timing, Variant};

/// Columns of `measured.csv`, which are those of every measured file.
const MEASURED: &str = "input_tokens,output_tokens,batch,ttft_ms,itl_ms";

/// Columns of `rows.csv`.
const ROWS: &str = "variant,metric,position,gamma,n,median_ms,mean_ms,std_ms,min_ms,max_ms,p20_ms,p80_ms,predicted_ms";

/// The baseline as `measured.csv`: a static batch of one sequence, for `perfmodel fit --measured … --load static_batch`.
///
/// There is a row for each answer that ends with a timed step; its ITL is the mean of the medians up to there. Without TTFT or
/// decode steps there is no row and no file.
pub fn measured_csv(results: &Results) -> Option<String> {
    let ttft = results.ttft(Variant::Baseline)?.median_ms;
    let prompt = results.metadata.prompt_length?;
    let points = results.decode(Variant::Baseline);
    let mut text = format!("{MEASURED}\n");
    let mut sum = 0.0;
    for (index, point) in points.iter().enumerate() {
        sum += point.timing.median_ms;
        let itl = sum / (index + 1) as f64;
        // The step at position p makes the token after p − prompt + 1 others. Writing to a String cannot fail.
        let output = point.position.saturating_sub(prompt).saturating_add(2);
        let _ = writeln!(text, "{prompt},{output},1,{ttft},{itl:.6}");
    }
    (!points.is_empty()).then_some(text)
}

/// Every row of a run as `rows.csv`.
pub fn rows_csv(results: &Results) -> String {
    let mut text = format!("{ROWS}\n");
    let mut row = |variant: Variant, metric: &str, place: [Option<u64>; 2], timing: &Timing| {
        let Timing { n, median_ms, mean_ms, std_ms, min_ms, max_ms, p20_ms, p80_ms, .. } = timing;
        let [position, gamma] = place.map(|number| number.map_or_else(String::new, |number| number.to_string()));
        let predicted = timing.predicted_ms.map_or_else(String::new, |ms| format!("{ms:.4}"));
        let name = variant.name();
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{name},{metric},{position},{gamma},{n},{median_ms},{mean_ms},{std_ms},{min_ms},{max_ms},{p20_ms},{p80_ms},{predicted}"
        );
    };
    for variant in Variant::ALL {
        if let Some(timing) = results.ttft(variant) {
            row(variant, "ttft", [None, None], timing);
        }
        for point in results.decode(variant) {
            row(variant, "decode", [Some(point.position), None], &point.timing);
        }
    }
    for run in results.gammas() {
        row(Variant::Poe, "generation", [None, Some(run.gamma)], &run.timing);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{DecodePoint, GammaRun, Metadata, PoeRun, Timed, VariantRun};
    use crate::dataset::read_measurements;
    use crate::spec::SpecFile;
    use crate::workload::LoadKind;

    fn timing(ms: f64) -> Timing {
        Timing::new(&Timed { raw_ms: vec![ms; 5], ..Timed::default() }).unwrap()
    }

    fn results() -> Results {
        let decode = [(64, 8.0), (72, 10.0)].map(|(position, ms)| DecodePoint::new(position, timing(ms))).to_vec();
        let run = VariantRun { ttft: Some(timing(30.0)), decode };
        Results {
            baseline: Some(run),
            hydra_poe: Some(PoeRun { ttft: None, per_gamma: vec![GammaRun::new(4, timing(90.0), &[], None)] }),
            metadata: Metadata { prompt_length: Some(64), ..Metadata::default() },
            ..Results::default()
        }
    }

    #[test]
    fn measured_rows_are_read_by_the_reader_of_every_fit() {
        let text = measured_csv(&results()).unwrap();
        let rows =
            read_measurements(&SpecFile { label: "measured.csv".into(), text }, LoadKind::StaticBatch).unwrap().rows;
        let got: Vec<[f64; 4]> = rows
            .iter()
            .map(|row| [row.workload.input_tokens(), row.workload.output_tokens(), row.ttft.as_ms(), row.itl.as_ms()])
            .collect();
        for (got, want) in got.iter().zip([[64.0, 2.0, 30.0, 8.0], [64.0, 10.0, 30.0, 9.0]]) {
            assert!(got.iter().zip(want).all(|(got, want)| (got - want).abs() < 1e-9), "{got:?} {want:?}");
        }
        assert_eq!(got.len(), 2);
        assert_eq!(measured_csv(&Results { baseline: None, ..results() }), None);
    }

    #[test]
    fn every_row_has_a_line() {
        let text = rows_csv(&results());
        let starts: Vec<&str> = text.lines().skip(1).map(|line| &line[..line.find(",5,").unwrap()]).collect();
        assert_eq!(starts, ["baseline,ttft,,", "baseline,decode,64,", "baseline,decode,72,", "poe,generation,,4"]);
    }
}
