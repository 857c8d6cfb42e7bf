//! Alias lists: "also known as GLI, GLI, GLI, …" becomes the list that the database has.

use std::ops::Range;
use std::sync::LazyLock;

use geneverse_data::gene::GeneRecord;
use geneverse_data::sentences::told_aliases;

use super::identifiers::join;
use super::{Edit, clause};
use crate::phrases::Phrases;
use crate::prose::{contains_word, sentences};

/// Phrases that open a list of aliases whatever stands before them. Compared without case.
const LIST_LEADS: [&str; 17] = [
    "alias symbols include ",
    "alias symbols are ",
    "alias symbols: ",
    "aliases include ",
    "aliases are ",
    "aliases of this gene are ",
    "aliases: ",
    "aliases such as ",
    "synonyms include ",
    "synonyms are ",
    "synonyms: ",
    "alternative symbols include ",
    "alternative names include ",
    "alternative names are ",
    "alternate names include ",
    "alternate symbols include ",
    "previous symbols include ",
];

/// Phrases that open such a list when the gene is their subject: "it is also known as".
const NAME_LEADS: [&str; 5] =
    ["also known as ", "also called ", "also referred to as ", "also named ", "previously known as "];

/// Subjects that are the gene itself, as the text right before a name lead ends.
const SUBJECTS: [&str; 8] =
    ["it is ", "gene is ", "it's ", "gene, ", "gene is also ", "locus is ", "which is ", "pseudogene is "];

/// Words that no alias holds: where one stands, prose has begun.
const PROSE_WORDS: [&str; 34] = [
    "is",
    "are",
    "was",
    "were",
    "has",
    "have",
    "that",
    "which",
    "in",
    "by",
    "with",
    "to",
    "from",
    "on",
    "at",
    "as",
    "it",
    "its",
    "this",
    "these",
    "their",
    "a",
    "an",
    "the",
    "encodes",
    "located",
    "can",
    "may",
    "be",
    "been",
    "where",
    "while",
    "not",
    "regulates",
];

/// Separators of list items, longest first.
const SEPARATORS: [&str; 9] = [", and ", "; and ", ", or ", " and ", " or ", ", ", "; ", ",", ";"];

pub(super) fn repair(text: &str, gene: &GeneRecord, edits: &mut Vec<Edit>) -> String {
    let mut out = text.to_owned();
    let mut from = 0;
    while let Some(list) = next_list(&out, from, gene) {
        if is_right(&out, &list, gene) {
            from = list.items.last().map_or(list.lead.end, |item| item.end);
            continue;
        }
        let whole = list.lead.end..list.end;
        let written = out[whole.clone()].to_owned();
        let aliases = true_aliases(gene);
        if aliases.is_empty() {
            let piece = list.lead.start..whole.end;
            let before = out.len();
            let (rest, gone) = clause::cut(&out, piece, "");
            from = list.lead.start.min(rest.len());
            while !rest.is_char_boundary(from) {
                from -= 1;
            }
            debug_assert!(rest.len() < before);
            edits.push(Edit { what: "alias list".to_owned(), from: gone, to: String::new() });
            out = rest;
        } else {
            let last = if written.contains(", and ") { ", and " } else { " and " };
            let mut new = join(&aliases, ", ", last);
            from = whole.start + new.len();
            if whole.end == out.len() {
                new.push('.');
            }
            out.replace_range(whole, &new);
            edits.push(Edit { what: "alias list".to_owned(), from: written, to: new });
        }
    }
    out
}

/// The items of all lists of aliases in a text.
pub(crate) fn listed(text: &str, gene: &GeneRecord) -> Vec<Range<usize>> {
    let mut items = Vec::new();
    let mut from = 0;
    while let Some(list) = next_list(text, from, gene) {
        from = list.end.max(list.lead.end);
        items.extend(list.items.into_iter().map(|item| {
            let written = &text[item.clone()];
            let start = item.start + written.len() - written.trim_start().len();
            start..start + written.trim().len()
        }));
    }
    items
}

/// The aliases that a repaired list gives: those that the reference sentences tell.
fn true_aliases(gene: &GeneRecord) -> Vec<String> {
    let mut aliases = told_aliases(gene);
    // A name that would itself be read as the end of a list cannot be written in one.
    aliases.retain(|alias| !alias.is_empty() && !alias.contains(['.', '!', '?', '(', ')', '[', ']']));
    aliases
}

struct List {
    lead: Range<usize>,
    items: Vec<Range<usize>>,
    /// Where the list ends, a run-away tail included.
    end: usize,
}

/// The first list of aliases whose lead starts at or after `from`.
fn next_list(text: &str, from: usize, gene: &GeneRecord) -> Option<List> {
    let lower = text.to_ascii_lowercase();
    let mut leads: Vec<Range<usize>> = Vec::new();
    static LEADS: LazyLock<Phrases> =
        LazyLock::new(|| Phrases::new(LIST_LEADS.into_iter().chain(NAME_LEADS)));
    let held = LEADS.held(&lower[from..]);
    let phrases = LIST_LEADS.iter().map(|p| (p, false)).chain(NAME_LEADS.iter().map(|p| (p, true)));
    for (_, (phrase, named)) in phrases.enumerate().filter(|(place, _)| held.has(*place)) {
        for (at, _) in lower[from..].match_indices(phrase) {
            let at = from + at;
            if starts_word(text, at) && (!named || gene_is_subject(text, at, gene)) {
                leads.push(at..at + phrase.len());
            }
        }
    }
    leads.sort_by_key(|lead| lead.start);
    leads.into_iter().find_map(|lead| read_list(text, lead, gene))
}

fn starts_word(text: &str, at: usize) -> bool {
    !text[..at].chars().next_back().is_some_and(char::is_alphanumeric)
}

/// "It is ", "this gene is ", "GLI1 is ", "GLI family zinc finger 1 (", or the start of a sentence.
fn gene_is_subject(text: &str, at: usize, gene: &GeneRecord) -> bool {
    let before = &text[..at];
    let lower = before.to_lowercase();
    if SUBJECTS.iter().any(|subject| lower.ends_with(subject)) {
        return true;
    }
    let start = sentences(text).into_iter().map(|s| s.start).rfind(|&start| start <= at).unwrap_or(0);
    if text[start..at].trim().is_empty() {
        return true;
    }
    let lead = before.trim_end_matches([' ', '(', ',', '[']);
    let lead = lead.strip_suffix(" is").or_else(|| lead.strip_suffix(" and is")).unwrap_or(lead);
    lead.ends_with(gene.symbol.as_str()) || lead.to_lowercase().ends_with(&gene.name.to_lowercase())
}

fn read_list(text: &str, lead: Range<usize>, gene: &GeneRecord) -> Option<List> {
    let limit = list_limit(text, lead.end);
    let mut items = Vec::new();
    let mut at = lead.end;
    let mut end = at;
    while at < limit {
        let (item, after) = next_item(text, at, limit, gene);
        let words = text[item.clone()].trim();
        if words.is_empty() || !like_alias(words, items.is_empty(), gene) {
            break;
        }
        end = item.end;
        items.push(item);
        at = after;
        if after >= limit {
            break;
        }
    }
    (!items.is_empty()).then_some(List { lead, items, end })
}

/// The end of what a list may cover: its sentence's end, or the bracket's that it stands in.
fn list_limit(text: &str, from: usize) -> usize {
    let sentence = sentences(text).into_iter().find(|s| s.start <= from && from < s.end);
    let Some(sentence) = sentence else { return from };
    let limit = sentence.end;
    let mut depth = 0_i32;
    for (offset, c) in text[from..limit].char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' if depth == 0 => return from + offset,
            ')' | ']' => depth -= 1,
            _ => {}
        }
    }
    // The full stop stays outside the list.
    from + text[from..limit].trim_end_matches(['.', '!', '?']).len()
}

/// One item and where the next one starts. A known name is taken whole, with the commas it may hold.
fn next_item(text: &str, at: usize, limit: usize, gene: &GeneRecord) -> (Range<usize>, usize) {
    let rest = &text[at..limit];
    let known = known_names(gene).filter(|name| !name.is_empty() && starts_with_ignoring_case(rest, name));
    let length = known.map(str::len).filter(|&length| ends_item(&rest[length..])).max();
    let length = length.unwrap_or_else(|| {
        let ends = SEPARATORS.iter().filter_map(|separator| rest.find(separator));
        ends.min().unwrap_or(rest.len())
    });
    let separator = SEPARATORS.iter().find(|separator| rest[length..].starts_with(**separator));
    (at..at + length, at + length + separator.map_or(rest.len() - length, |separator| separator.len()))
}

fn ends_item(rest: &str) -> bool {
    rest.is_empty() || SEPARATORS.iter().any(|separator| rest.starts_with(separator))
}

fn starts_with_ignoring_case(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

fn known_names(gene: &GeneRecord) -> impl Iterator<Item = &str> {
    let names = gene.other_names.iter().map(String::as_str).chain([gene.name.as_str()]);
    gene.all_symbols().into_iter().chain(names)
}

fn is_known(item: &str, gene: &GeneRecord) -> bool {
    known_names(gene).any(|name| name.eq_ignore_ascii_case(item))
}

/// Whether a piece between separators can be an alias. The first one may be a name of several words.
fn like_alias(item: &str, first: bool, gene: &GeneRecord) -> bool {
    if is_known(item, gene) {
        return true;
    }
    let words: Vec<&str> = item.split_whitespace().collect();
    let prose = words.iter().any(|word| PROSE_WORDS.contains(&word.to_lowercase().as_str()));
    let symbol_like = item.chars().any(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    match words.len() {
        0 => false,
        1 => symbol_like,
        2..=6 => !prose && (first || symbol_like),
        _ => false,
    }
}

/// Every item is a name of the gene and none stands twice; or the gene's own summary has the list as it is.
fn is_right(text: &str, list: &List, gene: &GeneRecord) -> bool {
    // As the reference sentences write it: a few aliases ("TS. LQT8") hold what would end a list.
    let told = join(&told_aliases(gene), ", ", " and ");
    if !told.is_empty() && text[list.lead.end..].starts_with(&told) {
        return true;
    }
    let written = &text[list.lead.start..list.end];
    if gene.summary.as_ref().is_some_and(|summary| contains_word(&summary.text, written)) {
        return true;
    }
    let items: Vec<String> = list.items.iter().map(|item| text[item.clone()].trim().to_lowercase()).collect();
    let repeats = items.iter().enumerate().any(|(place, item)| items[..place].contains(item));
    !repeats && items.iter().all(|item| is_known(item, gene))
}
