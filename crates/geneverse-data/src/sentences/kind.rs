//! What a gene is, as a noun: as exact as its record's kind, HGNC's locus type and the name allow.

use super::words::clause;
use crate::gene::{GeneKind, GeneRecord};

/// The kind in words without an article: "protein-coding gene", "pseudogene of ribosomal protein L37".
pub(super) fn noun(record: &GeneRecord) -> String {
    let locus_type = record.locus_type.as_deref().unwrap_or_default();
    let name = clause(&record.name).unwrap_or_default();
    let exact = match record.kind {
        GeneKind::Pseudogene => parent(&name).map(|parent| format!("pseudogene of {parent}")),
        GeneKind::ImmunoglobulinSegment | GeneKind::TcellReceptorSegment => {
            segment(&name, locus_type.ends_with("pseudogene"))
        }
        GeneKind::SmallNucleolarRna => nucleolar(&name),
        GeneKind::SmallNuclearRna | GeneKind::RibosomalRna => of_rna(&name).map(|rna| format!("{rna} gene")),
        GeneKind::LongNoncodingRna => neighbour(&name),
        _ => None,
    };
    exact.unwrap_or_else(|| by_locus_type(record.kind, locus_type).to_owned())
}

/// What the gene is called when it is spoken of again: "gene", "pseudogene" or "locus".
pub(super) fn short(record: &GeneRecord) -> &'static str {
    match (record.kind, record.locus_type.as_deref().unwrap_or_default()) {
        (GeneKind::Pseudogene, _) => "pseudogene",
        (GeneKind::Other, "readthrough" | "complex locus constituent") => "gene",
        (GeneKind::Other, _) | (_, "RNA, cluster") => "locus",
        _ => "gene",
    }
}

fn by_locus_type(kind: GeneKind, locus_type: &str) -> &'static str {
    match (kind, locus_type) {
        (GeneKind::ImmunoglobulinSegment, "immunoglobulin pseudogene") => "immunoglobulin pseudogene segment",
        (GeneKind::TcellReceptorSegment, "T cell receptor pseudogene") => {
            "T cell receptor pseudogene segment"
        }
        (GeneKind::OtherRna, "RNA, Y") => "Y RNA gene",
        (GeneKind::OtherRna, "RNA, vault") => "vault RNA gene",
        (GeneKind::OtherRna, "RNA, cluster") => "non-coding RNA gene cluster",
        (GeneKind::Other, "readthrough") => "readthrough gene",
        (GeneKind::Other, "fragile site") => "fragile site",
        (GeneKind::Other, "region") => "genomic region",
        (GeneKind::Other, "endogenous retrovirus") => "endogenous retrovirus",
        (GeneKind::Other, "complex locus constituent") => "complex locus constituent",
        (GeneKind::Other, "virus integration site") => "virus integration site",
        (GeneKind::Other, "unknown") => "locus of unknown type",
        (GeneKind::Other, _) => "genetic locus",
        (kind, _) => kind.noun(),
    }
}

/// Of which gene a pseudogene is a copy, where its name counts copies: "ribosomal protein L37 pseudogene 24",
/// "RNA, U6 small nuclear 848, pseudogene". "Zinc finger protein 970, pseudogene" has no parent of that name.
fn parent(name: &str) -> Option<String> {
    if name.starts_with("RNA, ") && name.contains("pseudogene") {
        return of_rna(name);
    }
    let (parent, number) = name.rsplit_once(" pseudogene ")?;
    let counts = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let whole = !parent.contains([',', '(', ')', ';', ':']) && !parent.contains("pseudogene");
    let of_family = ["family", "cluster", "segment", "region", "group", "uncharacterized"];
    (counts && whole && !of_family.iter().any(|word| parent.contains(word))).then(|| clause(parent)).flatten()
}

/// The RNA that a name in HGNC's inverted style gives: "RNA, U6 small nuclear 848" is "U6 small nuclear RNA".
fn of_rna(name: &str) -> Option<String> {
    let rest = name.strip_prefix("RNA, ")?;
    let class = ["small nuclear", "pre-ribosomal", "ribosomal"].into_iter().find_map(|class| {
        let (which, _) = rest.split_once(&format!(" {class}"))?;
        Some((which, class))
    });
    let one_word = |which: &str| which.chars().all(|c| c.is_alphanumeric() || c == '.');
    match class {
        Some((which, class)) if one_word(which) && !which.is_empty() => Some(format!("{which} {class} RNA")),
        Some((which, class)) => {
            let one = which.strip_prefix("variant ").filter(|which| one_word(which))?;
            Some(format!("variant {one} {class} RNA"))
        }
        None if rest.starts_with("7SL,") => Some("7SL RNA".to_owned()),
        None => {
            let which = rest.strip_prefix("Ro60-associated ")?.split(' ').next()?;
            Some(format!("{} RNA", which.trim_end_matches(',')))
        }
    }
}

fn nucleolar(name: &str) -> Option<String> {
    let of = |what: &str| Some(format!("{what} gene"));
    if name.contains("C/D box") {
        of("C/D box small nucleolar RNA")
    } else if name.contains("H/ACA box") {
        of("H/ACA box small nucleolar RNA")
    } else if name.starts_with("small Cajal body-specific RNA") {
        of("small Cajal body-specific RNA")
    } else {
        None
    }
}

/// "Immunoglobulin heavy variable 3-23": a variable gene segment of the immunoglobulin heavy chain locus.
fn segment(name: &str, pseudogene: bool) -> Option<String> {
    let (receptor, rest) = ["immunoglobulin", "T cell receptor"]
        .into_iter()
        .find_map(|receptor| Some((receptor, name.strip_prefix(receptor)?.strip_prefix(' ')?)))?;
    let mut words = rest.split(' ');
    let chain = words.next()?;
    let region = words.next()?;
    let known = ["heavy", "kappa", "lambda", "alpha", "beta", "gamma", "delta"].contains(&chain)
        && ["variable", "diversity", "joining", "constant"].contains(&region);
    let gene = if pseudogene { "pseudogene" } else { "gene" };
    known.then(|| format!("{receptor} {chain} {region} {gene} segment"))
}

/// A long non-coding RNA that is named after its neighbour: "DPP10 antisense RNA 3", "MIR22 host gene".
fn neighbour(name: &str) -> Option<String> {
    let (symbol, rest) = name.split_once(' ')?;
    let is_symbol = symbol.chars().next().is_some_and(char::is_uppercase)
        && symbol.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && symbol.chars().filter(char::is_ascii_uppercase).count() > 1;
    let counted = |start: &str| {
        rest.strip_prefix(start).is_some_and(|n| n.trim_start().bytes().all(|b| b.is_ascii_digit()))
    };
    if !is_symbol {
        None
    } else if counted("antisense RNA") {
        Some(format!("long non-coding RNA gene antisense to {symbol}"))
    } else if counted("host gene") {
        Some(format!("long non-coding RNA gene that hosts {symbol}"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gene::GeneSymbol;

    #[test]
    fn names_say_what_kinds_leave_open() {
        use GeneKind::*;
        for (kind, locus_type, name, expected) in [
            (
                Pseudogene,
                "pseudogene",
                "ribosomal protein L37 pseudogene 24",
                "pseudogene of ribosomal protein L37",
            ),
            (
                Pseudogene,
                "pseudogene",
                "RNA, U6 small nuclear 848, pseudogene",
                "pseudogene of U6 small nuclear RNA",
            ),
            (Pseudogene, "pseudogene", "RNA, 5S ribosomal pseudogene 12", "pseudogene of 5S ribosomal RNA"),
            (Pseudogene, "pseudogene", "RNA, 7SL, cytoplasmic 24, pseudogene", "pseudogene of 7SL RNA"),
            (Pseudogene, "pseudogene", "RNA, Ro60-associated Y4 pseudogene 3", "pseudogene of Y4 RNA"),
            (Pseudogene, "pseudogene", "zinc finger protein 970, pseudogene", "pseudogene"),
            (Pseudogene, "pseudogene", "SLIRP. pseudogene 1", "pseudogene of SLIRP"),
            (Pseudogene, "pseudogene", "napsin B aspartic peptidase (pseudogene)", "pseudogene"),
            (
                TcellReceptorSegment,
                "T cell receptor pseudogene",
                "T cell receptor gamma variable 7 (pseudogene)",
                "T cell receptor gamma variable pseudogene segment",
            ),
            (
                ImmunoglobulinSegment,
                "immunoglobulin gene",
                "immunoglobulin (x) 3",
                "immunoglobulin gene segment",
            ),
            (
                SmallNucleolarRna,
                "",
                "small nucleolar RNA, H/ACA box 13",
                "H/ACA box small nucleolar RNA gene",
            ),
            (SmallNuclearRna, "", "RNA, variant U1 small nuclear 26", "variant U1 small nuclear RNA gene"),
            (RibosomalRna, "", "mitochondrially encoded 12S rRNA", "ribosomal RNA gene"),
            (RibosomalRna, "", "RNA, 5.8S ribosomal N2", "5.8S ribosomal RNA gene"),
            (LongNoncodingRna, "", "DPP10 antisense RNA 3", "long non-coding RNA gene antisense to DPP10"),
            (LongNoncodingRna, "", "small nucleolar RNA host gene 5", "long non-coding RNA gene"),
            (Other, "unknown", "esterase B3", "locus of unknown type"),
        ] {
            let mut record = GeneRecord::new(GeneSymbol::parse("X").unwrap(), name, kind);
            record.locus_type = Some(locus_type.into());
            assert_eq!(noun(&record), expected);
        }
    }
}
