//! Element-wise mathematics that the compiler turns into vector code.
//!
//! Each body is written once, in plain Rust, over arrays of [`LANES`] numbers, and compiled three times on x86-64:
//! for every machine, with AVX2 and FMA, and with AVX-512, chosen when the program runs. On other machines
//! (aarch64) the plain body already compiles to the machine's vectors.

/// Numbers handled together.
pub(crate) const LANES: usize = 16;

/// Defines a function from a body that is generic over whether `mul_add` is one instruction.
macro_rules! vectorised {
    ($(#[$doc:meta])* fn $name:ident = $body:ident($($arg:ident: $type:ty),*) $(-> $out:ty)?) => {
        $(#[$doc])*
        pub(crate) fn $name($($arg: $type),*) $(-> $out)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn wide($($arg: $type),*) $(-> $out)? {
                    $body::<true>($($arg),*)
                }
                #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,fma")]
                fn widest($($arg: $type),*) $(-> $out)? {
                    $body::<true>($($arg),*)
                }
                if std::arch::is_x86_feature_detected!("avx512f")
                    && std::arch::is_x86_feature_detected!("avx512vl")
                    && std::arch::is_x86_feature_detected!("avx512bw")
                    && std::arch::is_x86_feature_detected!("avx512dq")
                {
                    // SAFETY: the features that `widest` is compiled for are there.
                    return unsafe { widest($($arg),*) };
                }
                if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
                    // SAFETY: the two features that `wide` is compiled for are there.
                    return unsafe { wide($($arg),*) };
                }
            }
            $body::<{ cfg!(target_arch = "aarch64") }>($($arg),*)
        }
    };
}
pub(crate) use vectorised;

/// `a * b + c`, rounded once where that is one instruction.
#[inline(always)]
pub(crate) fn multiply_add<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// exp(x), relative error below 2e-7 on [-87, 88], clamped outside.
///
/// Cody–Waite reduction and the minimax polynomial of Cephes `expf` (S. Moshier, netlib.org/cephes).
#[inline(always)]
pub(crate) fn exp<const FMA: bool>(x: f32) -> f32 {
    // Adding 1.5 · 2^23 leaves the nearest whole number in the low bits of the sum.
    const ROUNDER: f32 = 12_582_912.0;
    let x = x.clamp(-87.3, 88.3);
    let shifted = multiply_add::<FMA>(x, std::f32::consts::LOG2_E, ROUNDER);
    let whole = shifted - ROUNDER;
    let r = multiply_add::<FMA>(whole, -0.693_359_4, x);
    let r = multiply_add::<FMA>(whole, 2.121_944_4e-4, r);
    let mut p = 1.987_569_1e-4;
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_6e-1, 0.5] {
        p = multiply_add::<FMA>(p, r, c);
    }
    let y = multiply_add::<FMA>(r * r, p, r) + 1.0;
    let exponent = (shifted.to_bits() << 23).wrapping_add(127 << 23);
    y * f32::from_bits(exponent)
}

vectorised! {
    /// Σ x·y. The order of the sum depends on the length only.
    fn dot = dot_body(x: &[f32], y: &[f32]) -> f32
}

#[inline(always)]
fn dot_body<const FMA: bool>(x: &[f32], y: &[f32]) -> f32 {
    let mut sums = [0f32; LANES];
    let (xs, x_rest) = x.as_chunks::<LANES>();
    let (ys, y_rest) = y.as_chunks::<LANES>();
    for (a, b) in xs.iter().zip(ys) {
        for i in 0..LANES {
            sums[i] = multiply_add::<FMA>(a[i], b[i], sums[i]);
        }
    }
    sums.iter().sum::<f32>() + x_rest.iter().zip(y_rest).map(|(a, b)| a * b).sum::<f32>()
}

vectorised! {
    /// Σ x. The order of the sum depends on the length only.
    fn sum = sum_body(x: &[f32]) -> f32
}

#[inline(always)]
fn sum_body<const FMA: bool>(x: &[f32]) -> f32 {
    let mut sums = [0f32; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for i in 0..LANES {
            sums[i] += chunk[i];
        }
    }
    sums.iter().sum::<f32>() + rest.iter().sum::<f32>()
}

vectorised! {
    /// The largest number; -∞ for none.
    fn max = max_body(x: &[f32]) -> f32
}

#[inline(always)]
fn max_body<const FMA: bool>(x: &[f32]) -> f32 {
    let mut largest = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for i in 0..LANES {
            largest[i] = if chunk[i] > largest[i] { chunk[i] } else { largest[i] };
        }
    }
    largest.iter().chain(rest).fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a })
}

vectorised! {
    /// x ← exp(x · scale − shift); returns the sum.
    fn exp_in_place = exp_in_place_body(x: &mut [f32], scale: f32, shift: f32) -> f32
}

#[inline(always)]
fn exp_in_place_body<const FMA: bool>(x: &mut [f32], scale: f32, shift: f32) -> f32 {
    let mut sums = [0f32; LANES];
    let (chunks, rest) = x.as_chunks_mut::<LANES>();
    for chunk in chunks {
        for i in 0..LANES {
            chunk[i] = exp::<FMA>(multiply_add::<FMA>(chunk[i], scale, -shift));
            sums[i] += chunk[i];
        }
    }
    let mut sum: f32 = sums.iter().sum();
    for x in rest {
        *x = exp::<FMA>(multiply_add::<FMA>(*x, scale, -shift));
        sum += *x;
    }
    sum
}

/// tanh(x) = 1 − 2 / (1 + e²ˣ), absolute error below 3e-7.
#[inline(always)]
pub(crate) fn tanh<const FMA: bool>(x: f32) -> f32 {
    1.0 - 2.0 / (1.0 + exp::<FMA>(2.0 * x))
}

vectorised! {
    /// x ← tanh(x · scale).
    fn tanh_in_place = tanh_in_place_body(x: &mut [f32], scale: f32)
}

#[inline(always)]
fn tanh_in_place_body<const FMA: bool>(x: &mut [f32], scale: f32) {
    for x in x {
        *x = tanh::<FMA>(*x * scale);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_exp() {
        for i in -8700..8800 {
            let x = i as f32 / 100.0 + 0.003;
            let (found, wanted) = (exp::<true>(x) as f64, (x as f64).exp());
            assert!((found / wanted - 1.0).abs() < 3e-7, "exp({x}): {found} against {wanted}");
            let found = exp::<false>(x) as f64;
            assert!((found / wanted - 1.0).abs() < 2e-5, "without fma, exp({x}): {found} against {wanted}");
        }
    }

    #[test]
    fn tanh_is_tanh() {
        let mut x: Vec<f32> = (-4000..4000).map(|i| i as f32 / 100.0 + 0.003).collect();
        let wanted: Vec<f32> = x.iter().map(|x| (x * 0.3).tanh()).collect();
        tanh_in_place(&mut x, 0.3);
        for (found, wanted) in x.iter().zip(&wanted) {
            assert!((found - wanted).abs() < 3e-7, "{found} against {wanted}");
        }
    }

    #[test]
    fn sums_and_maxima_of_every_length() {
        for n in 0..70 {
            let x: Vec<f32> = (0..n).map(|i| ((i * 37) % 19) as f32 - 9.0).collect();
            let wanted: f32 = x.iter().map(|v| v * v).sum();
            assert!((dot(&x, &x) - wanted).abs() < 1e-3);
            assert_eq!(max(&x), x.iter().copied().fold(f32::NEG_INFINITY, f32::max));
            let mut y = x.clone();
            let sum = exp_in_place(&mut y, 0.5, 1.0);
            let wanted: f32 = x.iter().map(|v| (v * 0.5 - 1.0).exp()).sum();
            assert!((sum - wanted).abs() <= 1e-4 * wanted.max(1.0));
        }
    }
}
