//! Validation loss against the size of the cache: which runs no other beats in both.

use super::Rule;
use super::pareto::{Point, hypervolume, original_front, staircase, strict_front};
use super::slice::Slice;
use super::table::{AttentionType, BenchmarkTable, Run};

/// The reference point of hypervolumes lies this factor beyond the largest cache and loss.
const BEYOND: f64 = 1.1;

/// A set of runs and its front.
#[derive(Debug, Clone)]
pub struct Panel<'a> {
    /// Whether mixtures of experts are in it.
    pub with_moe: bool,
    /// Runs that have all that is needed.
    pub runs: Vec<&'a Run>,
    /// Those on the front, by rising cache.
    pub front: Vec<&'a Run>,
    /// Those that are drawn as members of the front. The original paints others.
    pub painted: Vec<&'a Run>,
    /// Kinds of attention on the front.
    pub types: Vec<AttentionType>,
    /// The line of the front.
    pub stairs: Vec<Point>,
    /// The corner from which the hypervolume is measured.
    pub reference: Point,
    /// Area between the front and that corner, MB·nats.
    pub hypervolume: f64,
}

/// Cache in MB and loss.
fn point(run: &Run) -> Option<Point> {
    run.params_m?;
    Some((run.cache_mb?, run.loss?))
}

/// The panels: dense models, and dense models with mixtures of experts.
pub fn panels(table: &BenchmarkTable, rule: Rule) -> [Panel<'_>; 2] {
    [false, true].map(|with_moe| {
        let counts = |run: &&Run| run.is_dense() || (with_moe && run.moe == Some(true));
        let runs: Vec<&Run> = table.runs.iter().filter(counts).filter(|run| point(run).is_some()).collect();
        panel(with_moe, runs, rule)
    })
}

fn panel(with_moe: bool, runs: Vec<&Run>, rule: Rule) -> Panel<'_> {
    let points: Vec<Point> = runs.iter().filter_map(|run| point(run)).collect();
    let strict = strict_front(&points);
    let front = match rule {
        Rule::Right => strict.clone(),
        Rule::Original => original_front(&points),
    };
    let painted = match rule {
        Rule::Right => front.clone(),
        Rule::Original => painted_by_the_original(&runs, &front),
    };
    let largest = points.iter().fold((0.0_f64, 0.0_f64), |most, p| (most.0.max(p.0), most.1.max(p.1)));
    let reference = (BEYOND * largest.0, BEYOND * largest.1);
    let places = |indices: &[usize]| -> Vec<Point> { indices.iter().map(|index| points[*index]).collect() };
    let mut types: Vec<AttentionType> = front.iter().map(|index| runs[*index].attention.clone()).collect();
    types.sort();
    types.dedup();
    Panel {
        with_moe,
        front: front.iter().map(|index| runs[*index]).collect(),
        painted: painted.iter().map(|index| runs[*index]).collect(),
        types,
        stairs: staircase(&places(&front)),
        reference,
        hypervolume: hypervolume(&places(&strict), reference),
        runs,
    }
}

/// The original takes places in the panel for places among the runs of one kind of attention.
fn painted_by_the_original(runs: &[&Run], front: &[usize]) -> Vec<usize> {
    let mut seen: Vec<(&AttentionType, usize)> = Vec::new();
    let mut painted = Vec::new();
    for (index, run) in runs.iter().enumerate() {
        let place = match seen.iter_mut().find(|(attention, _)| **attention == run.attention) {
            Some((_, next)) => {
                *next += 1;
                *next
            }
            None => {
                seen.push((&run.attention, 0));
                0
            }
        };
        if front.contains(&place) {
            painted.push(index);
        }
    }
    painted
}

/// How far the losses of equal models lie apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noise {
    /// Pooled standard deviation within groups of equal models.
    pub deviation: f64,
    /// Groups of two runs or more.
    pub groups: usize,
    /// Their runs.
    pub runs: usize,
}

impl Noise {
    /// Of the repeats in a table; `None` without any.
    pub fn of(table: &BenchmarkTable) -> Option<Self> {
        let same = |a: &Run, b: &Run| {
            a.attention == b.attention
                && a.moe == b.moe
                && a.params_m == b.params_m
                && Slice::of(a).is_some_and(|slice| Some(slice) == Slice::of(b))
                && a.kv_heads == b.kv_heads
                && (a.attention != AttentionType::Mla || (a.rank.is_some() && a.rank == b.rank))
        };
        let mut groups: Vec<Vec<&Run>> = Vec::new();
        for run in table.runs.iter().filter(|run| run.loss.is_some()) {
            match groups.iter_mut().find(|group| same(group[0], run)) {
                Some(group) => group.push(run),
                None => groups.push(vec![run]),
            }
        }
        groups.retain(|group| group.len() > 1);
        let (mut squares, mut degrees, mut runs) = (0.0, 0, 0);
        for group in &groups {
            let losses: Vec<f64> = group.iter().filter_map(|run| run.loss).collect();
            let mean = losses.iter().sum::<f64>() / losses.len() as f64;
            squares += losses.iter().map(|loss| (loss - mean).powi(2)).sum::<f64>();
            degrees += losses.len() - 1;
            runs += losses.len();
        }
        (degrees > 0).then(|| Self { deviation: (squares / degrees as f64).sqrt(), groups: groups.len(), runs })
    }
}

impl Panel<'_> {
    /// Runs off the front that nothing beats by more than twice the noise: they may belong to it.
    pub fn within(&self, noise: Noise) -> usize {
        let beaten = |run: &Run| {
            let (Some((x, y)), limit) = (point(run), 2.0 * noise.deviation) else { return true };
            self.front.iter().filter_map(|q| point(q)).any(|q| q.0 <= x && q.1 < y - limit)
        };
        let on_front = |run: &Run| self.front.iter().any(|member| member.row == run.row);
        self.runs.iter().filter(|run| !on_front(run) && !beaten(run)).count()
    }
}
