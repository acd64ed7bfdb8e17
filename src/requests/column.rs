//! A column of numbers of which some are not known.

/// One number for each request, NaN where it is not known; nothing is stored before the first that is.
#[derive(Debug, Clone, Default)]
pub(super) struct Column(Vec<f64>);

impl Column {
    /// Adds the value of a row; `row` values came before it.
    pub fn push(&mut self, row: usize, value: Option<f64>) {
        if self.0.is_empty() && value.is_none() {
            return;
        }
        if self.0.len() == self.0.capacity() {
            // By a quarter, not to the double: columns are most of what a long log takes.
            self.0.reserve_exact((self.0.len() / 4).max(row + 1 - self.0.len()).max(1024));
        }
        self.0.resize(row, f64::NAN);
        self.0.push(value.unwrap_or(f64::NAN));
    }

    /// The value of a row.
    pub fn get(&self, row: usize) -> Option<f64> {
        self.0.get(row).copied().filter(|value| !value.is_nan())
    }

    /// Leaves out the first rows.
    pub fn drop_first(&mut self, count: usize) {
        self.0.drain(..count.min(self.0.len()));
    }

    /// The rows that are kept.
    pub fn kept(&self, keep: impl Iterator<Item = bool>) -> Self {
        Self(self.0.iter().zip(keep).filter(|(_, keep)| *keep).map(|(value, _)| *value).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_comes_late_has_unknown_ones_before_it() {
        let mut column = Column::default();
        for (row, value) in [None, None, Some(3.0), None, Some(5.0)].into_iter().enumerate() {
            column.push(row, value);
        }
        let values = |column: &Column| (0..5).map(|row| column.get(row)).collect::<Vec<_>>();
        assert_eq!(values(&column), [None, None, Some(3.0), None, Some(5.0)]);
        assert_eq!(
            values(&column.kept([true, false, true, true, true].into_iter()))[..4],
            [None, Some(3.0), None, Some(5.0)]
        );
        column.drop_first(2);
        assert_eq!(values(&column), [Some(3.0), None, Some(5.0), None, None]);
        column.drop_first(9);
        assert_eq!(values(&column), [None; 5]);
    }
}
