//! Files as they lie on disk: plain or compressed, and the times in them.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDateTime};
use flate2::read::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;

use crate::error::{Error, ErrorKind, Result};

/// Endings of compressed files.
const COMPRESSED: [&str; 2] = ["gz", "zst"];

/// The file of a name in a folder, plain or compressed.
pub(super) fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let compressed = COMPRESSED.map(|ending| folder.join(format!("{name}.{ending}")));
    std::iter::once(folder.join(name)).chain(compressed).find(|path| path.is_file())
}

/// The name of a file without the ending of its compression.
pub(crate) fn plain_name(path: &Path) -> PathBuf {
    if ends_in(path, "gz") || ends_in(path, "zst") { path.with_extension("") } else { path.to_owned() }
}

fn ends_in(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case(ending))
}

/// A reader of what a file says, whether compressed or not.
///
/// # Errors
/// It cannot be opened, or is no compressed file in spite of its name.
pub(super) fn open(path: &Path) -> Result<Box<dyn Read>> {
    let file = BufReader::with_capacity(1 << 20, File::open(path).map_err(|error| unreadable(path, &error))?);
    if ends_in(path, "gz") {
        Ok(Box::new(MultiGzDecoder::new(file)))
    } else if ends_in(path, "zst") {
        let decoder = StreamingDecoder::new(file).map_err(|error| {
            Error::input(format!("this is no zstd file ({error})")).at(path).help("decompress it by hand")
        })?;
        Ok(Box::new(decoder))
    } else {
        Ok(Box::new(file))
    }
}

/// All that a file says, whether compressed or not.
///
/// # Errors
/// It cannot be read.
pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    Ok(bytes)
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::input(format!("cannot read this file ({error})"))
        .of(ErrorKind::File)
        .at(path)
        .help("check that it is whole and that you may read it")
}

/// Seconds since 1970 of an ISO 8601 time; one without a zone is UTC.
pub(super) fn unix_seconds(text: &str) -> Option<f64> {
    let zoned = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    let time =
        zoned.ok().or_else(|| Some(NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok()?.and_utc()))?;
    Some(time.timestamp_micros() as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_with_and_without_zone_and_fraction() {
        for text in
            ["2026-11-21T20:56:55Z", "2026-11-21T20:56:55", "2026-11-21T22:56:55+02:00", "2026-11-21T20:56:55.000Z"]
        {
            assert_eq!(unix_seconds(text), Some(1_795_294_615.0), "{text}");
        }
        assert_eq!(unix_seconds("839.64"), None);
    }

    #[test]
    fn a_name_loses_the_ending_of_its_compression_only() {
        assert_eq!(plain_name(Path::new("a/b.csv.gz")), Path::new("a/b.csv"));
        assert_eq!(plain_name(Path::new("a/b.csv")), Path::new("a/b.csv"));
    }
}
