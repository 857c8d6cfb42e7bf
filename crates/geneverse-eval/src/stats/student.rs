//! Tails of Student's t, from the incomplete beta function.
//!
//! With x = ν / (ν + t²) the two-sided tail is Iₓ(ν/2, ½) (Abramowitz & Stegun 26.7.1, 26.5.27). I is the continued
//! fraction of DLMF 8.17.22, evaluated from the front (Lentz), on the side where it converges quickly. The factor before it
//! needs ln B(a, ½), which Stirling's series gives without taking large logarithms from each other.

use std::f64::consts::PI;

/// P(|T| ≥ t) for a t with `freedom` degrees of freedom, given as the share s = t² / (ν + t²) in [0, 1] and its complement
/// 1 − s, both of them so that neither loses digits. For a correlation r they are r² and (1 − r)(1 + r).
pub(super) fn two_sided(share: f64, complement: f64, freedom: usize) -> f64 {
    let a = freedom as f64 / 2.0;
    if complement <= 0.0 {
        return 0.0;
    }
    if share <= 0.0 {
        return 1.0;
    }
    let front = (a * complement.ln() + 0.5 * share.ln() - ln_beta_half(a)).exp();
    // The fraction converges quickly below the mean of the distribution.
    if complement < (a + 1.0) / (a + 2.5) {
        front * fraction(a, 0.5, complement) / a
    } else {
        1.0 - front * fraction(0.5, a, share) / 0.5
    }
}

/// The continued fraction 1 / (1 + d₁/(1 + d₂/(1 + …))) of Iₓ(a, b) · a · B(a, b) / (xᵃ (1 − x)ᵇ).
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let guard = |value: f64| if value.abs() < TINY { TINY } else { value };
    let (mut c, mut d) = (1.0, 1.0 / guard(1.0 - (a + b) * x / (a + 1.0)));
    let mut value = d;
    // Some √max(a, b) pairs of terms are enough; a million things take 1,000.
    for m in 1..100_000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let before = value;
        for term in [even, odd] {
            d = 1.0 / guard(1.0 + term * d);
            c = guard(1.0 + term / c);
            value *= c * d;
        }
        if (value - before).abs() <= f64::EPSILON * value.abs() {
            break;
        }
    }
    value
}

/// ln B(a, ½) = ln Γ(a) + ½ ln π − ln Γ(a + ½), for a above 0.
fn ln_beta_half(mut a: f64) -> f64 {
    // Γ(a) / Γ(a + ½) = (a + ½) / a · Γ(a + 1) / Γ(a + 3/2), until Stirling's series is exact to the last digit.
    let mut shifted = 0.0;
    while a < 20.0 {
        shifted += (0.5 / a).ln_1p();
        a += 1.0;
    }
    let gammas = -0.5 * a.ln() - a * (0.5 / a).ln_1p() + 0.5 + stirling(a) - stirling(a + 0.5);
    shifted + gammas + 0.5 * PI.ln()
}

/// ln Γ(z) − ((z − ½) ln z − z + ½ ln 2π), for z of 20 and more.
fn stirling(z: f64) -> f64 {
    let square = 1.0 / (z * z);
    (1.0 / 12.0
        - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square * (1.0 / 1680.0 - square / 1188.0))))
        / z
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(t: f64, freedom: usize, wanted: f64) {
        let nu = freedom as f64;
        let found = two_sided(t * t / (nu + t * t), nu / (nu + t * t), freedom);
        assert!((found / wanted - 1.0).abs() < 1e-12, "t {t}, {freedom}: {found}, expected {wanted}");
    }

    /// With one degree of freedom the tail is 1 − 2/π · atan t, with two 1 − t / √(2 + t²).
    #[test]
    fn tails_are_those_of_closed_forms() {
        for t in [1e-3_f64, 0.3, 1.0, 4.0, 77.0, 1e6] {
            check(t, 1, 2.0 / PI * (1.0 / t).atan());
            let root = (2.0 + t * t).sqrt();
            check(t, 2, 2.0 / (root * (root + t)));
        }
    }

    #[test]
    fn the_beta_function_at_small_and_large_arguments() {
        assert!((ln_beta_half(0.5) - PI.ln()).abs() < 1e-14);
        assert!((ln_beta_half(1.0) - 2.0_f64.ln()).abs() < 1e-14);
        assert!((ln_beta_half(2.0) - (4.0_f64 / 3.0).ln()).abs() < 1e-14);
        // √(π / a) for large a, less its first correction 1 / (8 a).
        assert!((ln_beta_half(1e8) - 0.5 * (PI / 1e8).ln() - 1.0 / 8e8).abs() < 1e-13);
    }
}
