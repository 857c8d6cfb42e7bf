//! Tested terms as a table: tab-separated, a header, a row per term.

use std::fmt::Write;

use super::TestedTerm;

/// The columns of a row; genes are separated by `;`.
pub const HEADER: &str = "term\tname\tnamespace\tenrichment\tstudy_count\tstudy_size\tpopulation_count\t\
    population_size\tfold\tp\tlog10_p\tp_bonferroni\tp_holm\tp_fdr_bh\tdepth\tgenes";

/// A term's row, without a line end.
pub fn row(term: &TestedTerm) -> String {
    let TestedTerm {
        term,
        name,
        namespace,
        enrichment,
        study_count,
        study_size,
        population_count,
        population_size,
        fold,
        p,
        log10_p,
        p_bonferroni,
        p_holm,
        p_fdr_bh,
        log10_corrected: _,
        depth,
        genes,
    } = term;
    // A tab in a name would move the columns.
    let name = name.replace(['\t', '\n'], " ");
    format!(
        "{term}\t{name}\t{namespace}\t{enrichment}\t{study_count}\t{study_size}\t{population_count}\t{population_size}\t\
         {fold:.4}\t{p:.12e}\t{log10_p:.12}\t{p_bonferroni:.12e}\t{p_holm:.12e}\t{p_fdr_bh:.12e}\t{depth}\t{}",
        genes.join(";")
    )
}

/// The whole table.
pub fn tsv<'a>(terms: impl IntoIterator<Item = &'a TestedTerm>) -> String {
    let mut text = format!("{HEADER}\n");
    for term in terms {
        let _ = writeln!(text, "{}", row(term));
    }
    text
}
