//! The requests of a run as columns.

use super::Dimension;
use super::column::Column;

/// One request, as readers hand it over; what is not known is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Request {
    pub values: [Option<f64>; Dimension::ALL.len()],
    pub failed: bool,
    /// When it was sent, in seconds since 1970.
    pub sent: Option<f64>,
}

impl Request {
    pub fn get(&self, dimension: Dimension) -> Option<f64> {
        self.values[dimension as usize]
    }

    pub fn set(&mut self, dimension: Dimension, value: Option<f64>) {
        self.values[dimension as usize] = value;
    }

    /// The same with what follows from its fields: TPOT where a version of the tool did not write it, and no token
    /// counts of an error's text.
    pub fn completed(mut self) -> Self {
        let (first, last, tokens) = (
            self.get(Dimension::TimeToFirstToken),
            self.get(Dimension::TimeToLastToken),
            self.get(Dimension::OutputTokens),
        );
        if self.failed && last.is_none() && tokens.is_some() {
            // Up to 0.1.4 the text "None" of a failed request was counted.
            self.set(Dimension::OutputTokens, None);
            self.set(Dimension::InputTokens, None);
        }
        if let (false, None, Some(first), Some(last), Some(tokens)) =
            (self.failed, self.get(Dimension::TimePerOutputToken), first, last, tokens)
            && first > 0.0
            && last >= first
            && tokens > 1.0
        {
            self.set(Dimension::TimePerOutputToken, Some((last - first) / (tokens - 1.0)));
        }
        self
    }
}

/// No time in seconds and no count of tokens is larger; sums of its squares still are numbers.
const LARGEST: f64 = 1e12;

/// What a log holds, for judging whether it can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Requests.
    pub rows: usize,
    /// With an error.
    pub failed: usize,
    /// With an error after the first token.
    pub failed_midway: usize,
    /// Answered without streaming: a last token but no first.
    pub not_streamed: usize,
    /// Whose last token comes before the first.
    pub backwards: usize,
    /// Answers of one token, which have no TPOT.
    pub single_token: usize,
    /// TPOT exactly 0: the answer arrived in one piece.
    pub zero_tpot: usize,
    /// TPOT below a hundredth of the median but not 0: most tokens arrived in one piece.
    pub near_zero_tpot: usize,
    /// With tokens of reasoning.
    pub reasoning: usize,
}

/// The requests of a run, column by column: 8 bytes for each known value.
#[derive(Debug, Clone, Default)]
pub struct RequestLog {
    columns: [Column; Dimension::ALL.len()],
    failed: Vec<bool>,
    sent: Column,
}

impl RequestLog {
    /// Of requests in file order.
    pub(super) fn push(&mut self, request: &Request) {
        let row = self.len();
        for (column, value) in self.columns.iter_mut().zip(request.values) {
            column.push(row, value);
        }
        self.sent.push(row, request.sent);
        self.failed.push(request.failed);
    }

    /// How many requests.
    pub fn len(&self) -> usize {
        self.failed.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.failed.is_empty()
    }

    /// Whether no request has a latency.
    pub fn has_no_latency(&self) -> bool {
        Dimension::LATENCIES.iter().all(|dimension| self.dimension(*dimension).flatten().next().is_none())
    }

    /// The first value that no time or count can be, with its request, from 1.
    pub(super) fn impossible(&self) -> Option<(usize, Dimension, f64)> {
        let of = |dimension: Dimension| {
            let bad = |value: &f64| !(0.0..=LARGEST).contains(value);
            self.dimension(dimension)
                .enumerate()
                .find_map(|(row, value)| Some((row + 1, dimension, value.filter(bad)?)))
        };
        Dimension::ALL.into_iter().filter_map(of).min_by_key(|(request, ..)| *request)
    }

    /// One value for each request in file order.
    pub fn dimension(&self, dimension: Dimension) -> impl Iterator<Item = Option<f64>> + '_ {
        let column = &self.columns[dimension as usize];
        (0..self.len()).map(|row| column.get(row))
    }

    /// Whether each request failed.
    pub fn failed(&self) -> impl Iterator<Item = bool> + '_ {
        self.failed.iter().copied()
    }

    /// When each request was sent, in seconds since 1970.
    pub fn sent(&self) -> impl Iterator<Item = Option<f64>> + '_ {
        (0..self.len()).map(|row| self.sent.get(row))
    }

    /// Requests for which both dimensions are known, without failed ones.
    pub fn pairs(&self, x: Dimension, y: Dimension) -> Vec<(f64, f64)> {
        let both = self.dimension(x).zip(self.dimension(y)).zip(&self.failed);
        both.filter_map(|((x, y), failed)| if *failed { None } else { Some((x?, y?)) }).collect()
    }

    /// Sum of what is known of a dimension.
    pub fn total(&self, dimension: Dimension) -> f64 {
        self.dimension(dimension).flatten().sum()
    }

    /// The same log without its first requests.
    pub(super) fn without_first(&mut self, count: usize) {
        for column in &mut self.columns {
            column.drop_first(count);
        }
        self.failed.drain(..count);
        self.sent.drop_first(count);
    }

    /// Without failed requests.
    pub fn completed_only(&self) -> Self {
        let answered = || self.failed().map(|failed| !failed);
        Self {
            columns: self.columns.each_ref().map(|column| column.kept(answered())),
            failed: self.failed().filter(|failed| !failed).collect(),
            sent: self.sent.kept(answered()),
        }
    }

    /// What it holds.
    pub fn counts(&self) -> Counts {
        let mut positive: Vec<f64> =
            self.dimension(Dimension::TimePerOutputToken).flatten().filter(|value| *value > 0.0).collect();
        positive.sort_by(f64::total_cmp);
        let near = positive.get(positive.len() / 2).map_or(0.0, |median| 0.01 * median);
        let mut counts = Counts { rows: self.len(), ..Counts::default() };
        for row in 0..self.len() {
            let get = |dimension: Dimension| self.columns[dimension as usize].get(row);
            let (first, last) = (get(Dimension::TimeToFirstToken), get(Dimension::TimeToLastToken));
            let tpot = get(Dimension::TimePerOutputToken);
            let failed = self.failed[row];
            counts.failed += usize::from(failed);
            counts.failed_midway += usize::from(failed && first.is_some());
            counts.not_streamed += usize::from(!failed && first.is_none() && last.is_some());
            counts.backwards += usize::from(!failed && first.zip(last).is_some_and(|(first, last)| last < first));
            counts.single_token += usize::from(get(Dimension::OutputTokens) == Some(1.0));
            counts.zero_tpot += usize::from(tpot == Some(0.0));
            counts.near_zero_tpot += usize::from(tpot.is_some_and(|tpot| tpot > 0.0 && tpot < near));
            counts.reasoning += usize::from(get(Dimension::ReasoningTokens).is_some_and(|tokens| tokens > 0.0));
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(fields: &[(Dimension, f64)], failed: bool) -> Request {
        let mut request = Request { failed, ..Request::default() };
        for (dimension, value) in fields {
            request.set(*dimension, Some(*value));
        }
        request.completed()
    }

    const FIRST: Dimension = Dimension::TimeToFirstToken;
    const LAST: Dimension = Dimension::TimeToLastToken;
    const OUT: Dimension = Dimension::OutputTokens;
    const TPOT: Dimension = Dimension::TimePerOutputToken;

    #[test]
    fn tpot_is_made_where_its_inputs_allow() {
        let made = |fields: &[(Dimension, f64)]| request(fields, false).get(TPOT);
        assert_eq!(made(&[(FIRST, 0.5), (LAST, 1.5), (OUT, 11.0)]), Some(0.1));
        assert_eq!(made(&[(FIRST, 0.5), (LAST, 0.5), (OUT, 11.0)]), Some(0.0));
        for fields in [
            &[(FIRST, 0.5), (LAST, 1.5), (OUT, 1.0)][..],
            &[(FIRST, 0.5), (OUT, 11.0)],
            &[(FIRST, 0.0), (LAST, 1.5), (OUT, 11.0)],
            &[(FIRST, 2.0), (LAST, 1.5), (OUT, 11.0)],
        ] {
            assert_eq!(made(fields), None, "{fields:?}");
        }
        assert_eq!(made(&[(FIRST, 0.5), (LAST, 1.5), (OUT, 11.0), (TPOT, 0.3)]), Some(0.3), "one that is given stays");
    }

    #[test]
    fn the_text_of_an_error_has_no_tokens() {
        let failed = request(&[(OUT, 1.0), (Dimension::InputTokens, 1.0)], true);
        assert_eq!((failed.get(OUT), failed.get(Dimension::InputTokens)), (None, None));
        let midway = request(&[(Dimension::InputTokens, 382.0), (FIRST, 0.2)], true);
        assert_eq!(midway.get(Dimension::InputTokens), Some(382.0));
    }

    #[test]
    fn what_a_log_holds_is_counted_and_failed_requests_can_be_left_out() {
        let mut log = RequestLog::default();
        log.push(&request(&[(FIRST, 0.5), (LAST, 1.5), (OUT, 11.0)], false));
        log.push(&request(&[(FIRST, 0.5), (LAST, 0.5), (OUT, 11.0)], false));
        log.push(&request(&[(LAST, 0.5), (OUT, 1.0)], false));
        log.push(&request(&[(FIRST, 0.2)], true));
        let counts = log.counts();
        assert_eq!(
            (
                counts.rows,
                counts.failed,
                counts.failed_midway,
                counts.not_streamed,
                counts.single_token,
                counts.zero_tpot
            ),
            (4, 1, 1, 1, 1, 1)
        );
        assert_eq!(log.completed_only().len(), 3);
        assert_eq!(log.pairs(OUT, TPOT), [(11.0, 0.1), (11.0, 0.0)]);
    }
}
