//! What `analyze enrich` says at its end.

use std::fmt::Write as _;
use std::path::Path;

use super::Outcome;

/// An outcome in words and columns.
pub(super) fn text(out: &Path, clustered: bool, outcome: &Outcome, seconds: f64) -> String {
    let Outcome { annotations: tally, test, left_out, tests, studies, .. } = outcome;
    let mut text = format!(
        "{}: {tests} terms tested in a population of {} genes, {} of them annotated ({seconds:.2} s)\n",
        out.display(),
        tally.population,
        tally.annotated
    );
    if !left_out.is_empty() {
        let some: Vec<&str> = left_out.iter().take(5).map(String::as_str).collect();
        let more = if left_out.len() > some.len() { ", …" } else { "" };
        let _ = writeln!(
            text,
            "  left out, as the population does not have them: {} ({}{more})",
            left_out.len(),
            some.join(", ")
        );
    }
    for (count, what) in
        [(tally.obsolete, "whose term is out of use"), (tally.unknown, "whose term is not in the ontology")]
    {
        if count > 0 {
            let _ = writeln!(text, "  left out: {count} annotations {what}");
        }
    }
    for study in studies {
        let name = if clustered { format!("cluster {}: ", study.cluster) } else { String::new() };
        let _ = writeln!(
            text,
            "{name}{} genes, {} terms enriched ({} ≤ {})",
            study.size,
            study.enriched,
            test.correction.name(),
            test.alpha
        );
        for term in &study.top {
            let corrected = scientific(term.log10_corrected);
            let _ = writeln!(
                text,
                "  {} {} {:>4}/{:<4} of {:>5}/{:<6} {:>5.1} × p {corrected:>8}  {}",
                term.term,
                term.namespace,
                term.study_count,
                term.study_size,
                term.population_count,
                term.population_size,
                term.fold,
                term.name
            );
        }
    }
    text
}

/// 10^`log10` with two digits, also where it is too small for a number: 3.2e-415.
fn scientific(log10: f64) -> String {
    let tenths = (10_f64.powf(log10 - log10.floor()) * 10.0).round();
    let power = log10.floor() as i64 + i64::from(tenths >= 100.0);
    let lead = if tenths >= 100.0 { 1.0 } else { tenths / 10.0 };
    format!("{lead:.1}e{power}")
}

#[cfg(test)]
mod tests {
    use super::scientific;

    #[test]
    fn what_is_too_small_for_a_number_is_written_all_the_same() {
        let written = [0.0, -1.5, -415.4949, 4e-5_f64.log10(), 9.96e-7_f64.log10()].map(scientific);
        assert_eq!(written, ["1.0e0", "3.2e-2", "3.2e-416", "4.0e-5", "1.0e-6"]);
    }
}
