//! Identifiers as claims: of the gene, of GO terms, of orthologs, of anything else that has accessions.

use geneverse_data::gene::{GeneRecord, GoId};

use super::{Claim, ClaimKind, Claims, Verdict};
use crate::identifier::{self, Authority, own_values};
use crate::index::GeneIndex;
use crate::postprocess::wrong_mentions;
use crate::screen::accessions;

/// Claims every identifier of an answer, counts them, and gives the answer with blanks in their place.
pub(super) fn claim(answer: &str, gene: &GeneRecord, index: &GeneIndex, claims: &mut Claims) -> String {
    let mut masked = answer.to_owned();
    let mentions = identifier::find(answer);
    // A record without identifiers, as one from a reference text may be, can decide nothing.
    let knows_some = Authority::ALL.iter().any(|authority| !own_values(gene, *authority).is_empty());
    let wrong = wrong_mentions(answer, gene, index);
    for (mention, wrong) in mentions.iter().zip(wrong) {
        let written = &answer[mention.span.clone()];
        blank(&mut masked, mention.span.clone());
        if !knows_some {
            continue;
        }
        let field = field(mention.authority);
        let kind = match mention.authority.of_orthologs() {
            Some(_) => ClaimKind::Ortholog,
            None => ClaimKind::Identifier,
        };
        // Of an authority that the database does not have nothing can be told.
        if !index.knows(mention.authority) {
            claims.list.push(Claim::new(kind, written, Verdict::NotInRecord, field));
            continue;
        }
        claims.identifiers += 1;
        let own = own_values(gene, mention.authority);
        let owner = mention.canonical.as_deref().and_then(|value| index.owner(mention.authority, value));
        let hallucinated = wrong && (owner.is_none_or(|owner| owner.symbol != gene.symbol));
        claims.hallucinated += usize::from(hallucinated);
        let verdict = match (wrong, own.is_empty() && owner.is_none()) {
            (false, _) => Verdict::Supported,
            (true, true) => Verdict::NotInRecord,
            (true, false) => Verdict::Contradicted,
        };
        let said = match owner.filter(|_| wrong) {
            Some(owner) if own.is_empty() => format!("of {}", owner.symbol),
            _ => own.join(", "),
        };
        claims.list.push(Claim::new(kind, written, verdict, field).against(&said));
    }
    for (at, word) in accessions::found(answer, &mentions) {
        blank(&mut masked, at..at + word.len());
        let (kind, verdict, field, hallucinated) = judge(word, gene, index);
        if let Some(hallucinated) = hallucinated {
            claims.identifiers += 1;
            claims.hallucinated += usize::from(hallucinated);
        }
        claims.list.push(Claim::new(kind, word, verdict, field));
    }
    masked
}

/// What a record says of an accession, and whether it is made up; `None` where that cannot be told.
fn judge(
    word: &str,
    gene: &GeneRecord,
    index: &GeneIndex,
) -> (ClaimKind, Verdict, &'static str, Option<bool>) {
    use Verdict::*;
    if gene.go_terms.iter().any(|term| term.id == word) {
        return (ClaimKind::Identifier, Supported, "go_terms", Some(false));
    }
    if let Ok(id) = GoId::parse(word) {
        let go = index.go();
        let exists = go.name(id).is_some();
        return match (go.is_empty(), exists && go.propagated(&gene.symbol).contains(&id)) {
            (true, _) => (ClaimKind::Identifier, NotInRecord, "", None),
            (false, true) => (ClaimKind::Identifier, Supported, "go_annotations", Some(false)),
            (false, false) => (ClaimKind::Identifier, NotInRecord, "", Some(!exists)),
        };
    }
    if gene.orthologs.iter().any(|id| id == word) {
        return (ClaimKind::Ortholog, Supported, "orthologs", Some(false));
    }
    let database = word.split(':').next().unwrap_or_default();
    let same_database = |id: &String| word.contains(':') && id.split(':').next() == Some(database);
    if gene.orthologs.iter().any(same_database) {
        return (ClaimKind::Ortholog, Contradicted, "orthologs", Some(true));
    }
    let told = gene.summary.as_ref().is_some_and(|summary| summary.text.contains(word));
    (ClaimKind::Identifier, if told { Supported } else { NotInRecord }, "summary", None)
}

fn field(authority: Authority) -> &'static str {
    match authority {
        Authority::Hgnc | Authority::Alliance => "hgnc_id",
        Authority::Ensembl => "ensembl_id",
        Authority::Omim => "omim_ids",
        Authority::Entrez => "entrez_id",
        Authority::Uniprot => "uniprot_ids",
        Authority::Mgi | Authority::Rgd => "orthologs",
    }
}

fn blank(text: &mut String, range: std::ops::Range<usize>) {
    // As many blanks as bytes, so that places stay what they are.
    let blanks = " ".repeat(range.len());
    text.replace_range(range, &blanks);
}
