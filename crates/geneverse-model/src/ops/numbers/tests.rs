//! Every number of both 16-bit formats against the formats' definitions, in f64.

use super::*;
use crate::ops::lanes::{AT_MOST, Machine};

/// The value of `bits` in a format of 1 + `exponents` + `fractions` bits (IEEE 754, 3.4).
fn defined(bits: u16, exponents: u32, fractions: u32) -> f64 {
    let fraction = f64::from(bits & ((1 << fractions) - 1)) / f64::from(1 << fractions);
    let exponent = i32::from(bits >> fractions & ((1 << exponents) - 1));
    let (largest, bias) = ((1 << exponents) - 1, (1 << (exponents - 1)) - 1);
    let magnitude = match exponent {
        0 => fraction * 2f64.powi(1 - bias),
        e if e == largest && fraction == 0.0 => f64::INFINITY,
        e if e == largest => f64::NAN,
        e => (1.0 + fraction) * 2f64.powi(e - bias),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

/// The same value and the same sign of zero.
fn same(found: f32, wanted: f64) -> bool {
    (found.is_nan() && wanted.is_nan()) || f64::from(found).to_bits() == wanted.to_bits()
}

#[test]
fn every_bit_pattern_widens_exactly() {
    let bits: Vec<u16> = (0..=u16::MAX).collect();
    for (slice, exponents, fractions) in [(Slice::Bf16(&bits), 8, 7), (Slice::F16(&bits), 5, 10)] {
        for machine in [Machine::Plain, Machine::Avx2, Machine::Avx512] {
            AT_MOST.set(machine);
            let mut wide = vec![0f32; bits.len()];
            slice.widen(0..bits.len(), &mut wide);
            for (&bits, &found) in bits.iter().zip(&wide) {
                let wanted = defined(bits, exponents, fractions);
                assert!(same(found, wanted), "{machine:?}, {bits:#06x}: {found}, expected {wanted}");
            }
        }
    }
}

#[test]
fn a_range_of_every_length_and_place() {
    let bits: Vec<u16> = (0..80).map(|i| 0x3f80 + i).collect();
    let numbers: Vec<f32> = bits.iter().map(|&b| Bf16(b).widened()).collect();
    for start in 0..20 {
        for end in start..80 {
            for slice in [Slice::Bf16(&bits), Slice::from(&numbers)] {
                let mut wide = vec![0f32; end - start];
                slice.widen(start..end, &mut wide);
                assert_eq!(wide, numbers[start..end]);
            }
        }
    }
}
