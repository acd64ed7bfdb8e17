//! A CSV whose cells may be dirty: what is no number is counted, never fatal.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result, nearest_hint};
use crate::spec::check_size;

/// Cells of a column that hold no number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnCount {
    /// The column.
    pub column: String,
    /// Rows of the table.
    pub rows: usize,
    /// Cells with nothing in them.
    pub blank: usize,
    /// Cells that say that there is no value (`nan`, `n/a`, `none`, `-`).
    pub no_value: usize,
    /// Cells with a number that cannot be one, such as a size of 0.
    pub impossible: usize,
    /// Cells with other text, such as `OOM`.
    pub unreadable: usize,
    /// The first text that is no number, or no possible one.
    pub example: Option<String>,
}

impl ColumnCount {
    /// Cells without a number.
    pub fn missing(&self) -> usize {
        self.blank + self.no_value + self.impossible + self.unreadable
    }
}

/// Numbers beyond these are slips.
const LARGEST: f64 = 1e15;
const SMALLEST: f64 = 1e-15;

/// Texts that mean that there is no value, in lower case.
const NO_VALUE: [&str; 7] = ["nan", "n/a", "na", "none", "null", "-", "inf"];

/// Header and cells as texts.
#[derive(Debug)]
pub struct CsvTable {
    path: PathBuf,
    header: Vec<String>,
    rows: Vec<csv::StringRecord>,
    counts: Vec<ColumnCount>,
}

impl CsvTable {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, has no row, or a row has more or fewer cells than the header.
    pub fn open(path: &Path) -> Result<Self> {
        let unreadable = |error| {
            Error::input(format!("cannot read it ({error})")).of(ErrorKind::File).help("check the path").at(path)
        };
        check_size(path)?;
        Self::read(File::open(path).map_err(unreadable)?, path)
    }

    /// Reads a text; `path` is for messages.
    ///
    /// # Errors
    /// As [`CsvTable::open`].
    pub fn read(text: impl Read, path: &Path) -> Result<Self> {
        let unreadable = |error: csv::Error| {
            let line = error.position().map(csv::Position::line);
            let wrong = match error.kind() {
                csv::ErrorKind::Io(error) => Error::input(format!("cannot read it ({error})")).help("check the path"),
                csv::ErrorKind::Utf8 { .. } => Error::input("this is no UTF-8 text").help("save the file as UTF-8"),
                _ => {
                    Error::input(format!("this is no CSV ({error})")).help("give every row as many cells as the header")
                }
            };
            let wrong = wrong.at(path);
            line.map_or(wrong.clone(), |line| wrong.line(line as usize))
        };
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text);
        let header: Vec<String> = reader.headers().map_err(unreadable)?.iter().map(str::to_owned).collect();
        if let Some(twice) = header.iter().enumerate().find(|(index, name)| header[..*index].contains(name)) {
            return Err(Error::input(format!("column `{}` is there twice", twice.1))
                .at(path)
                .line(1)
                .help("keep one of them"));
        }
        let rows: Vec<csv::StringRecord> = reader.records().collect::<csv::Result<_>>().map_err(unreadable)?;
        if rows.is_empty() {
            return Err(Error::input("there is no row below the header").at(path).help("give one line for each run"));
        }
        Ok(Self { path: path.to_owned(), header, rows, counts: Vec::new() })
    }

    /// Rows below the header.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether there is a column of this name.
    pub fn has(&self, column: &str) -> bool {
        self.header.iter().any(|name| name == column)
    }

    /// Checks that all columns are there.
    ///
    /// # Errors
    /// Names the first that is not.
    pub fn require(&self, columns: &[&str]) -> Result<()> {
        let Some(missing) = columns.iter().find(|column| !self.has(column)) else { return Ok(()) };
        let near = nearest_hint(missing, self.header.iter().map(String::as_str));
        Err(Error::input(format!("there is no column `{missing}`"))
            .at(&self.path)
            .line(1)
            .help(format!("{near}needed: {}", columns.join(", "))))
    }

    /// An error about a cell of a data row.
    pub fn wrong(&self, row: usize, column: &str, message: impl Into<String>) -> Error {
        let line = self.rows[row].position().map_or(row + 2, |position| position.line() as usize);
        Error::input(message).column_named(column).at(&self.path).line(line)
    }

    /// The texts of a column; empty ones where there is no such column.
    pub fn texts(&self, column: &str) -> Vec<&str> {
        let index = self.header.iter().position(|name| name == column);
        self.rows.iter().map(|row| index.and_then(|index| row.get(index)).unwrap_or("")).collect()
    }

    /// The numbers of a column, and counts what is none.
    pub fn numbers(&mut self, column: &str) -> Vec<Option<f64>> {
        self.numbers_where(column, |_| true)
    }

    /// As [`CsvTable::numbers`]; a number that fails `valid` is none either.
    pub fn numbers_where(&mut self, column: &str, valid: impl Fn(f64) -> bool) -> Vec<Option<f64>> {
        self.numbers_of(column, valid, &[])
    }

    /// As [`CsvTable::numbers_where`], but only cells of rows that are `counted` are counted; without any, all are.
    pub fn numbers_of(&mut self, column: &str, valid: impl Fn(f64) -> bool, counted: &[bool]) -> Vec<Option<f64>> {
        let mut count = ColumnCount {
            column: column.to_owned(),
            rows: self.rows.len(),
            blank: 0,
            no_value: 0,
            impossible: 0,
            unreadable: 0,
            example: None,
        };
        let mut number = |(row, text): (usize, &str)| {
            let parsed = text.parse::<f64>();
            if let Ok(number) = parsed
                && (number == 0.0 || (SMALLEST..=LARGEST).contains(&number.abs()))
                && valid(number)
            {
                return Some(number);
            }
            if !counted.get(row).copied().unwrap_or(true) {
                return None;
            }
            match parsed {
                Ok(number) if number.is_finite() => {
                    count.impossible += 1;
                    count.example.get_or_insert_with(|| text.to_owned());
                }
                Ok(_) => count.no_value += 1,
                Err(_) if text.is_empty() => count.blank += 1,
                Err(_) if NO_VALUE.contains(&text.to_lowercase().as_str()) => count.no_value += 1,
                Err(_) => {
                    count.unreadable += 1;
                    count.example.get_or_insert_with(|| text.to_owned());
                }
            }
            None
        };
        let numbers = self.texts(column).into_iter().enumerate().map(&mut number).collect();
        if self.has(column) {
            self.counts.push(count);
        }
        numbers
    }

    /// What the columns read so far lack, those that lack nothing left out.
    pub fn counts(self) -> Vec<ColumnCount> {
        self.counts.into_iter().filter(|count| count.missing() > 0).collect()
    }
}

/// Yes or no, as Python and people write it; `None` for anything else.
pub fn yes_or_no(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "true" | "1" | "1.0" | "yes" => Some(true),
        "false" | "0" | "0.0" | "no" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Result<CsvTable> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs.csv");
        std::fs::write(&path, text).unwrap();
        CsvTable::open(&path)
    }

    #[test]
    fn what_is_no_number_is_counted_by_kind() {
        let mut table = table("\u{feff}a,b\r\n1,x\r\n ,\r\nNaN,2\r\nOOM,3\r\n1e3,4\r\n").unwrap();
        assert_eq!(table.numbers("a"), [Some(1.0), None, None, None, Some(1000.0)]);
        let count = &table.counts()[0];
        assert_eq!((count.blank, count.no_value, count.unreadable), (1, 1, 1));
        assert_eq!((count.missing(), count.example.as_deref()), (3, Some("OOM")));
    }

    #[test]
    fn a_missing_column_and_a_short_row_are_named() {
        let error = table("typ,b\n1,2\n").unwrap().require(&["type", "b"]).unwrap_err().to_string();
        assert!(error.contains("runs.csv:1: there is no column `type`\n  help: did you mean `typ`?"), "{error}");
        let error = table("a,b\n1,2\n1\n").unwrap_err().to_string();
        assert!(error.contains("runs.csv:3: this is no CSV"), "{error}");
        assert!(table("a,b\n").unwrap_err().to_string().contains("no row below the header"));
    }
}
