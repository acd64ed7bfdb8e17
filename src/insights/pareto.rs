//! Points that no other beats, both coordinates minimised.

/// A point: what it costs, and what it loses.
pub type Point = (f64, f64);

/// Indices of the points that no other point dominates (is as small in both and smaller in one), by rising x; equal points
/// all stay, in their order.
pub fn strict_front(points: &[Point]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|a, b| points[*a].0.total_cmp(&points[*b].0).then(points[*a].1.total_cmp(&points[*b].1)));
    let mut last: Option<Point> = None;
    order.retain(|&index| {
        let point = points[index];
        let keeps = last.is_none_or(|kept| point.1 < kept.1 || point == kept);
        if keeps {
            last = Some(point);
        }
        keeps
    });
    order
}

/// The front as the original drew it: sorted by x alone, every point kept that is no worse than all before it. So a point
/// stays that stands in the file before a better one of the same x, and one of the same y and larger x.
pub fn original_front(points: &[Point]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|a, b| points[*a].0.total_cmp(&points[*b].0));
    let mut best = f64::INFINITY;
    order.retain(|&index| {
        let keeps = points[index].1 <= best;
        best = best.min(points[index].1);
        keeps
    });
    order
}

/// Corners of the line below which nothing lies: right at the old y, then down.
pub fn staircase(front: &[Point]) -> Vec<Point> {
    let mut corners: Vec<Point> = Vec::new();
    for &point in front {
        match corners.last() {
            Some(last) if *last == point => {}
            Some(last) => {
                let turn = (point.0, last.1);
                corners.extend([turn, point]);
            }
            None => corners.push(point),
        }
    }
    corners
}

/// Area between a strict front and a reference point that all of it dominates.
pub fn hypervolume(front: &[Point], reference: Point) -> f64 {
    let ends = front.iter().skip(1).map(|point| point.0).chain([reference.0]);
    front.iter().zip(ends).map(|(point, end)| (end - point.0) * (reference.1 - point.1)).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn dominates(q: Point, p: Point) -> bool {
        q.0 <= p.0 && q.1 <= p.1 && q != p
    }

    proptest! {
        /// The definition, point against point. Few distinct coordinates make ties common.
        #[test]
        fn the_front_is_what_nothing_dominates(points in prop::collection::vec((0..6_u8, 0..6_u8), 0..30)) {
            let points: Vec<Point> = points.into_iter().map(|(x, y)| (x.into(), y.into())).collect();
            let mut front = strict_front(&points);
            front.sort_unstable();
            let free = |p: &usize| !points.iter().any(|q| dominates(*q, points[*p]));
            let want: Vec<usize> = (0..points.len()).filter(free).collect();
            prop_assert_eq!(front, want);
        }

        #[test]
        fn the_hypervolume_counts_the_cells_that_a_point_dominates(points in prop::collection::vec((0..6_u8, 0..6_u8), 1..20)) {
            let points: Vec<Point> = points.into_iter().map(|(x, y)| (x.into(), y.into())).collect();
            let front: Vec<Point> = strict_front(&points).into_iter().map(|index| points[index]).collect();
            let covered = |x: u8, y: u8| points.iter().any(|p| p.0 <= x.into() && p.1 <= y.into());
            let cells = (0..7).flat_map(|x| (0..7).map(move |y| (x, y))).filter(|(x, y)| covered(*x, *y)).count();
            prop_assert_eq!(hypervolume(&front, (7.0, 7.0)), cells as f64);
        }
    }
}
