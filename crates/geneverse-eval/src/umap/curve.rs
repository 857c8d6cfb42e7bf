//! The curve 1/(1 + a d^2b) that distances in the plane are read by.
//!
//! a and b make it as near as can be (least squares at 300 points up to three times `spread`) to 1 up to `min_dist` and
//! exp(−(d − min_dist)/spread) beyond; by the method of Levenberg and Marquardt, from a = b = 1.

/// Points at which the curves are compared.
const POINTS: usize = 300;

/// a and b for a spread and a least distance.
pub fn fit(spread: f64, min_dist: f64) -> (f64, f64) {
    let points: Vec<(f64, f64)> = (0..POINTS)
        .map(|i| {
            let x = 3.0 * spread * i as f64 / (POINTS - 1) as f64;
            (x, if x < min_dist { 1.0 } else { (-(x - min_dist) / spread).exp() })
        })
        .collect();
    let (mut a, mut b) = (1.0, 1.0);
    let mut error = squares(&points, a, b);
    let mut damping = 1e-3;
    // Some ten steps are the rule; a step that does not help costs one more with greater damping.
    for _ in 0..500 {
        // The normal equations of the linearised curve.
        let (mut aa, mut ab, mut bb, mut ga, mut gb) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for (x, y) in points.iter().filter(|(x, _)| *x > 0.0) {
            let power = x.powf(2.0 * b);
            let curve = 1.0 / (1.0 + a * power);
            let by_a = -power * curve * curve;
            let by_b = -2.0 * a * power * x.ln() * curve * curve;
            let residual = curve - y;
            aa += by_a * by_a;
            ab += by_a * by_b;
            bb += by_b * by_b;
            ga += by_a * residual;
            gb += by_b * residual;
        }
        let (da, db) = (aa * (1.0 + damping), bb * (1.0 + damping));
        let determinant = da * db - ab * ab;
        let step_a = (-ga * db + gb * ab) / determinant;
        let step_b = (-gb * da + ga * ab) / determinant;
        let (next_a, next_b) = (a + step_a, b + step_b);
        let next =
            if next_a > 0.0 && next_b > 0.0 { squares(&points, next_a, next_b) } else { f64::INFINITY };
        if next < error {
            let settled = step_a.abs() < 1e-12 * a && step_b.abs() < 1e-12 * b;
            (a, b, error) = (next_a, next_b, next);
            damping = (damping / 10.0).max(1e-12);
            if settled {
                break;
            }
        } else {
            damping *= 10.0;
            if damping > 1e12 {
                break;
            }
        }
    }
    (a, b)
}

fn squares(points: &[(f64, f64)], a: f64, b: f64) -> f64 {
    points.iter().map(|(x, y)| (1.0 / (1.0 + a * x.powf(2.0 * b)) - y).powi(2)).sum()
}
