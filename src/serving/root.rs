//! Roots of monotone functions.

/// Relative precision of a solved batch. A fit differentiates predictions numerically, so it is near that of `f64`.
pub const BATCH_TOLERANCE: f64 = 1e-13;

/// The root between `a` and `b`, where `f` has the values `fa` and `fb` of different sign: a bracketed search with inverse
/// quadratic interpolation (Chandrupatla 1997, <https://doi.org/10.1016/S0965-9978(96)00051-8>), about eight evaluations.
/// The first probe lies at the share `first` of the way from `a` to `b`; `tolerance` is relative to the root.
pub fn bracketed(
    f: impl Fn(f64) -> f64,
    (mut a, mut fa): (f64, f64),
    (mut b, mut fb): (f64, f64),
    first: f64,
    tolerance: f64,
) -> f64 {
    let mut t = first;
    for _ in 0..100 {
        let x = a + t * (b - a);
        let fx = f(x);
        let (c, fc);
        if (fx > 0.0) == (fa > 0.0) {
            (c, fc) = (a, fa);
        } else {
            (c, fc) = (b, fb);
            (b, fb) = (a, fa);
        }
        (a, fa) = (x, fx);
        let best = if fa.abs() < fb.abs() { a } else { b };
        let smallest = tolerance * best / (b - a).abs();
        if fx == 0.0 || smallest >= 0.5 {
            return best;
        }
        let xi = (a - b) / (c - b);
        let phi = (fa - fb) / (fc - fb);
        t = if phi * phi < xi && (1.0 - phi) * (1.0 - phi) < 1.0 - xi {
            fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
        } else {
            0.5
        }
        .clamp(smallest, 1.0 - smallest);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_finds_the_root_of_smooth_kinked_and_steep_functions() {
        type Function = fn(f64) -> f64;
        let functions: [(&str, Function, f64); 4] = [
            ("line", |x| 2.0 * x - 3.0, 1.5),
            ("cube", |x| x * x * x - 8.0, 2.0),
            ("kink", |x| (x - 1.0).max(10.0 * (x - 1.0)), 1.0),
            ("steep", |x| (20.0 * (x - 7.0)).exp() - 1.0, 7.0),
        ];
        for (name, f, want) in functions {
            for first in [0.01, 0.5, 0.9] {
                let got = bracketed(f, (9.0, f(9.0)), (0.0, f(0.0)), first, 1e-13);
                assert!((got - want).abs() < 1e-12 * want, "{name}: {got}");
            }
        }
    }
}
