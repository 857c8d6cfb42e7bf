//! Identifiers: each is measured against the gene it is written beside.

use std::collections::HashSet;
use std::ops::Range;

use geneverse_data::gene::GeneRecord;

use super::{Edit, clause};
use crate::identifier::{Authority, Mention, find, own_values};
use crate::index::GeneIndex;
use crate::prose::{contains_word, sentences, words};

/// An identifier belongs to a gene that is named at most this many words before it: "GLI2 (HGNC:4318)".
const NEAR: usize = 6;

/// What may stand between two identifiers of one list.
const LIST_SEPARATORS: [&str; 8] = [", and ", " and ", ", or ", " or ", "; ", ", ", " ; ", " , "];

/// Heads of names of diseases: an OMIM number behind one is the disease's own entry, which no gene table holds.
const DISEASE_WORDS: [&str; 13] = [
    "syndrome",
    "disease",
    "disorder",
    "deficiency",
    "dystrophy",
    "cancer",
    "carcinoma",
    "anemia",
    "myopathy",
    "neuropathy",
    "dysplasia",
    "ataxia",
    "retardation",
];

/// What becomes of one identifier.
enum Verdict {
    /// It is right, or nothing is known against it.
    Keep,
    /// Right for another gene that is named with it, or outside what the database can say.
    KeepWithNote(String),
    /// The value that is right.
    Replace(String),
    /// There is no right value.
    Remove,
}

pub(super) fn repair(
    text: &str,
    gene: &GeneRecord,
    index: &GeneIndex,
    edits: &mut Vec<Edit>,
    notes: &mut Vec<String>,
) -> String {
    let mentions = find(text);
    if mentions.is_empty() {
        return text.to_owned();
    }
    let verdicts = judge_all(text, &mentions, gene, index);
    let runs = runs(text, &mentions);
    let empties = |run: &Range<usize>| verdicts[run.clone()].iter().all(|v| matches!(v, Verdict::Remove));
    let mut out = text.to_owned();
    let mut made = Vec::new();
    // From the right, so that the places to the left stay where they are.
    for run in runs.iter().rev().filter(|run| !empties(run)) {
        let mut of_run = rewrite_run(&mut out, &mentions[run.clone()], &verdicts[run.clone()], notes);
        of_run.append(&mut made);
        made = of_run;
    }
    // A clause may hold more than its identifiers, so clauses go one at a time; the next round finds the next.
    if made.is_empty()
        && let Some(run) = runs.into_iter().find(empties)
    {
        let span = mentions[run.start].span.start..mentions[run.end - 1].span.end;
        let what: Vec<&str> = mentions[run].iter().map(|mention| mention.authority.noun()).collect();
        let (rest, gone) = clause::cut(text, span, gene.symbol.as_str());
        let to = if rest.len() + gone.len() == text.len() { "" } else { gene.symbol.as_str() };
        made.push(Edit { what: what.join(", "), from: gone, to: to.to_owned() });
        out = rest;
    }
    edits.append(&mut made);
    out
}

/// How many identifiers of a text are neither the gene's nor right for the gene they are written beside.
pub(crate) fn count_wrong(text: &str, gene: &GeneRecord, index: &GeneIndex) -> usize {
    wrong(text, gene, index).into_iter().filter(|wrong| *wrong).count()
}

/// For each identifier of a text whether it is wrong, in the order of [`find`].
pub(crate) fn wrong(text: &str, gene: &GeneRecord, index: &GeneIndex) -> Vec<bool> {
    let verdicts = judge_all(text, &find(text), gene, index);
    verdicts.iter().map(|verdict| matches!(verdict, Verdict::Replace(_) | Verdict::Remove)).collect()
}

fn judge_all(text: &str, mentions: &[Mention], gene: &GeneRecord, index: &GeneIndex) -> Vec<Verdict> {
    let sentences = sentences(text);
    let mut given: HashSet<(Authority, String, usize)> = HashSet::new();
    let verdict = |mention: &Mention| {
        let around = sentences.iter().find(|s| s.start <= mention.span.start && mention.span.end <= s.end);
        let sentence = around.cloned().unwrap_or(0..text.len());
        judge(text, mention, mentions, &sentence, gene, index, &mut given)
    };
    mentions.iter().map(verdict).collect()
}

fn judge(
    text: &str,
    mention: &Mention,
    all: &[Mention],
    sentence: &Range<usize>,
    gene: &GeneRecord,
    index: &GeneIndex,
    given: &mut HashSet<(Authority, String, usize)>,
) -> Verdict {
    let written = &text[mention.span.clone()];
    if gene.summary.as_ref().is_some_and(|summary| contains_word(&summary.text, written)) {
        return Verdict::Keep;
    }
    // Some genes have an identifier for an alias.
    if gene.all_symbols().contains(&written) {
        return Verdict::Keep;
    }
    if !index.knows(mention.authority) {
        let noun = mention.authority.noun();
        return Verdict::KeepWithNote(format!("{written} is left: no gene of the database has an {noun}"));
    }
    let owner = mention.canonical.as_deref().and_then(|value| index.owner(mention.authority, value));
    let beside = gene_beside(text, mention, all, sentence, gene, index);
    let subject = beside.unwrap_or(gene);
    let own = own_values(subject, mention.authority);
    if mention.canonical.as_ref().is_some_and(|value| own.contains(value)) {
        return match beside {
            Some(other) => {
                Verdict::KeepWithNote(format!("{written} is {}'s and is written beside it", other.symbol))
            }
            None => Verdict::Keep,
        };
    }
    if mention.authority == Authority::Omim
        && owner.is_none()
        && names_disease(&text[sentence.start..mention.span.start])
    {
        return Verdict::KeepWithNote(format!(
            "{written} stands behind a disease; the database holds genes only"
        ));
    }
    // The first of the gene's values that this sentence does not give yet.
    let taken = |value: &String| {
        given.contains(&(mention.authority, value.clone(), sentence.start))
            || all.iter().any(|other| {
                other.authority == mention.authority
                    && sentence.contains(&other.span.start)
                    && other.canonical.as_ref() == Some(value)
            })
    };
    match own.into_iter().find(|value| !taken(value)) {
        Some(value) => {
            given.insert((mention.authority, value.clone(), sentence.start));
            Verdict::Replace(value)
        }
        None => Verdict::Remove,
    }
}

/// The other gene that an identifier is written beside: the last gene named shortly before it in its sentence.
fn gene_beside<'a>(
    text: &str,
    mention: &Mention,
    all: &[Mention],
    sentence: &Range<usize>,
    gene: &GeneRecord,
    index: &'a GeneIndex,
) -> Option<&'a GeneRecord> {
    let before = &text[sentence.start..mention.span.start];
    // "GLI family zinc finger 2 (HGNC:4318)": the owner's full name right before the bracket.
    let owner = mention.canonical.as_deref().and_then(|value| index.owner(mention.authority, value));
    if let Some(owner) = owner.filter(|owner| owner.symbol != gene.symbol) {
        let lead = before.trim_end_matches([' ', '(', '[', ',']).to_lowercase();
        if lead.ends_with(&owner.name.to_lowercase()) {
            return Some(owner);
        }
    }
    let own = gene.all_symbols();
    let mut near = 0;
    for (range, word) in words(before).into_iter().rev() {
        let at = sentence.start + range.start;
        if all.iter().any(|other| other.span.contains(&at)) {
            continue;
        }
        let symbol = word.trim_end_matches("'s");
        if own.contains(&symbol) {
            return None;
        }
        let like_symbol = symbol.len() > 1 && symbol.chars().any(|c| c.is_ascii_uppercase());
        if let Some(other) = like_symbol.then(|| index.approved(symbol)).flatten() {
            return Some(other);
        }
        near += 1;
        if near > NEAR {
            break;
        }
    }
    None
}

fn names_disease(before: &str) -> bool {
    let lead = before.trim_end_matches([' ', '(', '[', ',', ';']).to_lowercase();
    let last: Vec<&str> = lead.split_whitespace().rev().take(3).collect();
    last.iter().any(|word| DISEASE_WORDS.iter().any(|disease| word.trim_end_matches('s').ends_with(disease)))
}

/// Runs of identifiers with nothing but list separators between them.
fn runs(text: &str, mentions: &[Mention]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for place in 0..mentions.len() {
        let joined = place > 0
            && LIST_SEPARATORS.contains(&&text[mentions[place - 1].span.end..mentions[place].span.start]);
        match runs.last_mut() {
            Some(run) if joined => run.end = place + 1,
            _ => runs.push(place..place + 1),
        }
    }
    runs
}

/// Writes a run of identifiers anew, some of which stay.
fn rewrite_run(
    text: &mut String,
    mentions: &[Mention],
    verdicts: &[Verdict],
    notes: &mut Vec<String>,
) -> Vec<Edit> {
    let (Some(first), Some(last)) = (mentions.first(), mentions.last()) else { return Vec::new() };
    let mut kept: Vec<String> = Vec::new();
    let mut made = Vec::new();
    for (mention, verdict) in mentions.iter().zip(verdicts) {
        let written = &text[mention.span.clone()];
        match verdict {
            Verdict::Keep => kept.push(written.to_owned()),
            Verdict::KeepWithNote(note) => {
                notes.push(note.clone());
                kept.push(written.to_owned());
            }
            Verdict::Replace(value) => {
                let prefix = &text[mention.span.start..mention.value.start];
                let bare =
                    mention.authority == Authority::Alliance && !prefix.to_uppercase().contains("HGNC:");
                let new = format!("{prefix}{}{value}", if bare { "HGNC:" } else { "" });
                made.push(edit(mention, written, &new));
                kept.push(new);
            }
            Verdict::Remove => made.push(edit(mention, written, "")),
        }
    }
    let between = |place: usize| text[mentions[place].span.end..mentions[place + 1].span.start].to_owned();
    let new = if kept.len() == mentions.len() {
        // Separators as they were.
        let mut new = String::new();
        for (place, item) in kept.iter().enumerate() {
            new.push_str(item);
            if place + 1 < kept.len() {
                new.push_str(&between(place));
            }
        }
        new
    } else {
        let plain = if mentions.len() > 2 { between(0) } else { ", ".to_owned() };
        join(&kept, &plain, &between(mentions.len() - 2))
    };
    text.replace_range(first.span.start..last.span.end, &new);
    made
}

fn edit(mention: &Mention, from: &str, to: &str) -> Edit {
    Edit { what: mention.authority.noun().to_owned(), from: from.to_owned(), to: to.to_owned() }
}

/// "A, B and C"; of two, "A and B" even where the longer list had a comma before its "and".
pub(super) fn join(items: &[String], plain: &str, last: &str) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first, second] if last.trim().len() > 1 => {
            format!("{first}{}{second}", last.trim_start_matches(','))
        }
        [first, second] => format!("{first}{last}{second}"),
        [start @ .., end] => format!("{}{last}{end}", start.join(plain)),
    }
}
