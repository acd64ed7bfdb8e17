//! Folders of runs: `2026-11-26_run01`.

/// Name of the next run of a day, among the entries of the folder of runs: the number after the largest one of that day, of two
/// digits or more.
pub fn next_run<'a>(date: &str, entries: impl IntoIterator<Item = &'a str>) -> String {
    let numbers = entries.into_iter().filter_map(|entry| {
        let number = entry.strip_prefix(date)?.split_once("run")?.1;
        number.parse::<u64>().ok()
    });
    let next = numbers.max().unwrap_or(0) + 1;
    format!("{date}_run{next:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_follows_the_largest_of_the_day() {
        const DAY: &str = "2026-11-26";
        for (entries, want) in [
            (vec![], "2026-11-26_run01"),
            (vec!["2026-11-26_run01", "2026-11-26_run07"], "2026-11-26_run08"),
            (vec!["2026-11-25_run40", "notes.txt", "2026-11-26_run", "2026-11-26_runs"], "2026-11-26_run01"),
            (vec!["2026-11-26_run99"], "2026-11-26_run100"),
            (vec!["2026-11-26_run100", "2026-11-26_run9"], "2026-11-26_run101"),
        ] {
            assert_eq!(next_run(DAY, entries.clone()), want, "{entries:?}");
        }
    }
}
