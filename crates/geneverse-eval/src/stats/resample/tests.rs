//! Resampling against what can be counted out: every resample and every swap of a few items.

use super::*;

const GO_ON: GoOn<'static> = &|_| true;

fn column(numbers: &[f64]) -> Rows {
    Rows::new(numbers.iter().map(|&number| [number]))
}

/// The mean of a column of `n` numbers.
fn mean_of(n: usize) -> impl Fn(&[f64]) -> Vec<f64> + Sync {
    move |sums| vec![sums[0] / n as f64]
}

/// Every way to draw `n` of `n` places.
fn all_resamples(n: usize) -> impl Iterator<Item = Vec<usize>> {
    (0..n.pow(n as u32)).map(move |mut number| {
        let mut digit = || {
            let digit = number % n;
            number /= n;
            digit
        };
        (0..n).map(|_| digit()).collect()
    })
}

#[test]
fn a_few_items_are_swapped_in_every_way() {
    // Differences 3, 1, 2, -1, of sum 5: of 16 ways to sign them two come to ±7 and four to ±5.
    let (a, b) = ([1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 5.0, 3.0]);
    let (p, exact) = randomization(&column(&a), &column(&b), &mean_of(4), 10_000, 1, GO_ON).unwrap();
    assert!(exact);
    assert_eq!(p, [0.375]);
}

#[test]
fn drawn_swaps_come_close_to_all_of_them() {
    let a: Vec<f64> = (0..12).map(|i| f64::from(i % 5)).collect();
    let b: Vec<f64> = (0..12).map(|i| f64::from((i * 7 + 3) % 6)).collect();
    let p = |trials| randomization(&column(&a), &column(&b), &mean_of(12), trials, 3, GO_ON).unwrap();
    let (exactly, exact) = p(1 << 12);
    assert!(exact && exactly[0] > 0.1 && exactly[0] < 0.9, "{exactly:?}");
    // One trial fewer than there are swaps, so that they are drawn; five standard errors of 4,095 draws.
    let (drawn, exact) = p((1 << 12) - 1);
    let error = (exactly[0] * (1.0 - exactly[0]) / 4095.0).sqrt();
    assert!(!exact && (drawn[0] - exactly[0]).abs() < 5.0 * error, "{drawn:?}, {exactly:?}");
}

#[test]
fn equal_runs_do_not_differ() {
    let a = column(&[0.1, 0.2, 0.7, 0.3]);
    assert_eq!(randomization(&a, &a, &mean_of(4), 10, 1, GO_ON).unwrap(), (vec![1.0], false));
    assert_eq!(randomization(&a, &a, &mean_of(4), 16, 1, GO_ON).unwrap(), (vec![1.0], true));
    assert_eq!(paired_bootstrap_p(0.0, &[0.0; 9]), 1.0);
}

#[test]
fn bootstrap_intervals_and_p_are_those_of_all_resamples() {
    let (a, b) = ([0.0, 0.25, 0.5, 0.25, 0.0], [1.0, 0.25, 0.75, 0.5, 0.1]);
    let mean = |numbers: &[f64], places: &[usize]| places.iter().map(|&i| numbers[i]).sum::<f64>() / 5.0;
    let (mut means, mut differences) = (Vec::new(), Vec::new());
    for places in all_resamples(5) {
        means.push(mean(&b, &places));
        differences.push(mean(&b, &places) - mean(&a, &places));
    }
    let observed = mean(&b, &[0, 1, 2, 3, 4]) - mean(&a, &[0, 1, 2, 3, 4]);
    let exact_interval = interval(means, 0.9).unwrap();
    let exact_p = paired_bootstrap_p(observed, &differences);

    let drawn = bootstrap(&[&column(&a), &column(&b)], &mean_of(5), 40_000, 5, GO_ON).unwrap();
    let of_b = drawn.iter().map(|runs| runs[1][0]).collect();
    let found = interval(of_b, 0.9).unwrap();
    // Means are multiples of 0.01 at most some hundredths apart; the interval of all 3,125 resamples is met to one step.
    for (found, exact) in found.iter().zip(exact_interval) {
        assert!((found - exact).abs() < 0.02, "{found}, expected {exact}");
    }
    let differences: Vec<f64> = drawn.iter().map(|runs| runs[1][0] - runs[0][0]).collect();
    let p = paired_bootstrap_p(observed, &differences);
    assert!((p - exact_p).abs() < 5.0 * (exact_p * (1.0 - exact_p) / 4e4).sqrt() + 1e-3, "{p}, {exact_p}");
}

#[test]
fn threads_and_chunks_change_nothing_and_work_can_be_stopped() {
    let a: Vec<f64> = (0..50).map(|i| f64::from(i) * 0.37 % 1.0).collect();
    let rows = column(&a);
    let all = bootstrap(&[&rows], &mean_of(50), 700, 9, GO_ON).unwrap();
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(one.install(|| bootstrap(&[&rows], &mean_of(50), 700, 9, GO_ON).unwrap()), all);
    assert_eq!(all.len(), 700);
    assert_eq!(bootstrap(&[&rows], &mean_of(50), 700, 9, &|done| done < 256), None);
    assert_eq!(randomization(&rows, &rows, &mean_of(50), 700, 9, &|_| false), None);
}

#[test]
fn intervals_interpolate_and_lack_nothing() {
    assert_eq!(interval(vec![4.0, 1.0, 2.0, 3.0, 5.0], 0.5), Some([2.0, 4.0]));
    assert_eq!(interval(vec![1.0, 2.0], 0.5), Some([1.25, 1.75]));
    assert_eq!(interval(vec![7.0], 0.95), Some([7.0, 7.0]));
    assert_eq!(interval(vec![], 0.95), None);
}

#[test]
fn rows_are_as_wide_as_the_first() {
    let rows = Rows::new([vec![1.0, 2.0], vec![3.0], vec![4.0, 5.0, 6.0]]);
    assert_eq!((rows.len(), rows.sums()), (3, vec![8.0, 7.0]));
    assert!(Rows::default().is_empty() && Rows::default().sums().is_empty());
}
