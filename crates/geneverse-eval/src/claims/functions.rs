//! Claims about what a gene does, compared with the statements of its record.

use std::sync::LazyLock;

use geneverse_data::gene::GeneRecord;

use super::{Claim, ClaimKind, Verdict};
use crate::facts::{Prepared, without_names};
use crate::phrases::Phrases;
use crate::statements::{Statement, share, statements};
use crate::terms::TermIndex;

/// A claim is supported where one statement of the record has this share of its terms, by weight,
const SUPPORTED: f64 = 0.6;
/// or where the record as a whole has this share and one statement of it half as much as above.
const SUPPORTED_BY_ALL: f64 = 0.85;

/// Ways to begin a list of terms, each with what they are. Lower-cased; the first that a sentence holds counts.
const LEADS: [(&str, ClaimKind); 24] = [
    ("pathway information", ClaimKind::Pathway),
    ("pathway annotation places", ClaimKind::Pathway),
    ("in terms of pathways", ClaimKind::Pathway),
    ("following pathway", ClaimKind::Pathway),
    ("pathways include", ClaimKind::Pathway),
    ("pathway is", ClaimKind::Pathway),
    ("the pathways in which", ClaimKind::Pathway),
    ("the pathway in which", ClaimKind::Pathway),
    ("biological process", ClaimKind::Process),
    ("molecular function", ClaimKind::Function),
    ("at the molecular level", ClaimKind::Function),
    ("cellular component", ClaimKind::Component),
    ("cellular location", ClaimKind::Component),
    ("involved in several processes, including ", ClaimKind::Process),
    ("enables several functions, including ", ClaimKind::Function),
    ("located in several cellular components, including ", ClaimKind::Component),
    ("takes part in ", ClaimKind::Process),
    ("is involved in ", ClaimKind::Process),
    ("involved in ", ClaimKind::Process),
    ("contributes to ", ClaimKind::Process),
    ("has a role in ", ClaimKind::Process),
    ("enables ", ClaimKind::Function),
    ("located in ", ClaimKind::Component),
    ("participates in ", ClaimKind::Process),
];

/// Behind one of these the list begins, where one stands behind the lead. The last that does counts.
const OPENINGS: [&str; 8] =
    [": ", " include ", " includes ", " is ", " are ", " acts in ", " located in ", " processes of "];

/// Words that tell what a clause is about, the first that fits.
const CUES: [(ClaimKind, &[&str]); 8] = [
    (
        ClaimKind::Disease,
        &["syndrome", "disease", "disorder", "mutations", "cancer", "deficiency", "dystrophy", "carcinoma"],
    ),
    (ClaimKind::Expression, &["expressed", "expression in", "transcripts are found", "tissues"]),
    (ClaimKind::Pathway, &["pathway", "signaling", "signalling", "cascade"]),
    (ClaimKind::Interaction, &["interacts", "interaction", "binds to", "complex with", "dimer"]),
    (
        ClaimKind::Component,
        &["located", "localiz", "membrane", "nucleus", "cytoplasm", "mitochondri", "vesicle"],
    ),
    (ClaimKind::Group, &["member of", "family", "superfamily", "belongs to"]),
    (
        ClaimKind::Process,
        &["involved", "role", "regulat", "process", "develop", "required", "mediates", "participates"],
    ),
    (
        ClaimKind::Function,
        &["encode", "enzyme", "kinase", "receptor", "cataly", "activity", "function", "binds", "protein"],
    ),
];

/// The claims of a sentence about function, each with what it states.
pub(super) fn claim(
    sentence: &str,
    gene: &GeneRecord,
    record: &Prepared,
    index: &TermIndex,
) -> Vec<(Claim, Statement)> {
    let text = without_names(sentence, gene);
    let lower = text.to_lowercase();
    // Which groups it belongs to is a typed claim.
    if lower.trim().is_empty() || lower.contains("gene group") {
        return Vec::new();
    }
    let listed = list(&text, &lower).map(|(kind, items)| {
        items.into_iter().map(|item| (kind, Statement::of(item, "answer", index))).collect::<Vec<_>>()
    });
    let stated = statements(&text, "answer", index);
    let negated = stated.iter().any(|statement| !statement.denied.is_empty());
    let said = match listed.filter(|_| !negated) {
        Some(items) => items,
        None => {
            let kind = |statement: &Statement| kind_of(&statement.text.to_lowercase());
            stated.into_iter().map(|s| (kind(&s), s)).collect()
        }
    };
    let judged = said.into_iter().filter(|(_, statement)| !statement.terms.is_empty());
    judged.map(|(kind, statement)| (judge(kind, &statement, record, index), statement)).collect()
}

fn kind_of(lower: &str) -> ClaimKind {
    static PHRASES: LazyLock<Phrases> =
        LazyLock::new(|| Phrases::new(CUES.iter().flat_map(|(_, cues)| cues.iter().copied())));
    let Some(first) = PHRASES.held(lower).first() else { return ClaimKind::Other };
    let mut kinds = CUES.iter().flat_map(|(kind, cues)| cues.iter().map(|_| *kind));
    kinds.nth(first).unwrap_or(ClaimKind::Other)
}

/// The items of a sentence that lists terms.
fn list<'a>(text: &'a str, lower: &str) -> Option<(ClaimKind, Vec<&'a str>)> {
    static PHRASES: LazyLock<Phrases> = LazyLock::new(|| Phrases::new(LEADS.map(|(lead, _)| lead)));
    let (lead, kind) = LEADS[PHRASES.held(lower).first()?];
    let at = lower.find(lead)? + lead.len();
    let behind = lower.get(at..)?;
    let opening = OPENINGS.iter().filter_map(|opening| behind.find(opening).map(|o| o + opening.len())).max();
    // "Involved in A, B and C" lists at once; "biological processes" has a verb before its list.
    let from = match lead.ends_with(' ') {
        true => at,
        // "In the cellular components A and B": no verb stands between.
        false => at + opening.unwrap_or_else(|| behind.len() - behind.trim_start_matches(['s', 'e']).len()),
    };
    Some((kind, items(text.get(from..)?)))
}

/// The items of a list: between semicolons where there are any, else between commas and "and".
pub(super) fn items(list: &str) -> Vec<&str> {
    let list = list.trim().trim_end_matches(['.', ';', ',']);
    let parts: Vec<&str> = match list.contains(';') {
        true => list.split(';').collect(),
        false => list.split(", ").flat_map(|part| part.split(" and ")).collect(),
    };
    let bare = parts.into_iter().map(|part| {
        let part = part.trim();
        part.strip_prefix("and ").unwrap_or(part).trim()
    });
    bare.filter(|part| !matches!(*part, "" | "and" | "or")).collect()
}

fn judge(kind: ClaimKind, statement: &Statement, record: &Prepared, index: &TermIndex) -> Claim {
    if let Some(other) = statement.contradicted(&record.statements, index) {
        return Claim::new(kind, &statement.text, Verdict::Contradicted, other.field).against(&other.text);
    }
    let none = || Claim::new(kind, &statement.text, Verdict::NotInRecord, "");
    let all = share(&statement.terms, &record.document, index);
    // No single statement has more of it than the record as a whole.
    if all < SUPPORTED {
        return none();
    }
    // What is denied without the record's denying it is not decided.
    let mut best: Option<(f64, &Statement)> = None;
    for other in
        record.statements.iter().filter(|other| statement.denied.is_empty() || !other.denied.is_empty())
    {
        let share = share(&statement.terms, &other.terms, index);
        if best.is_none_or(|(most, _)| share > most) {
            best = Some((share, other));
        }
    }
    let Some((most, other)) = best else { return none() };
    let supported = most >= SUPPORTED || (all >= SUPPORTED_BY_ALL && most >= SUPPORTED / 2.0);
    let verdict = if supported { Verdict::Supported } else { Verdict::NotInRecord };
    Claim::new(kind, &statement.text, verdict, other.field)
}
