//! Genes by words: BM25 over all that a record says, and where in it the words stand.

use serde::Serialize;

use super::{GeneStore, StoreError};
use crate::gene::GeneRecord;

/// Query words beyond this many do not change what is found, but the time it takes.
const SEARCH_WORDS: usize = 64;
/// Letters of a snippet, about a line.
const SNIPPET: usize = 110;

/// A gene found by its words.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// The gene.
    pub record: GeneRecord,
    /// BM25, higher is better; comparable within one search only.
    pub score: f64,
    /// The part of the record in which most of the words stand.
    pub snippet: Option<Snippet>,
}

/// A piece of a record around the words that were searched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Snippet {
    /// What it is from: `summary`, `GO terms`, …
    pub field: &'static str,
    /// The piece; "…" where more was there.
    pub text: String,
}

impl GeneStore {
    /// The `k` genes whose symbols, names, groups, GO terms or summary fit the words best. Any text is a good query.
    pub fn search(&self, query: &str, k: usize) -> Result<Vec<Hit>, StoreError> {
        let words = words(query);
        if words.is_empty() || k == 0 {
            return Ok(Vec::new());
        }
        // Strings of FTS5 joined by OR: no character of a query is syntax.
        let matching = words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" OR ");
        // A symbol asked for by name counts most; SQLite's bm25 is lower for better rows.
        let select =
            "SELECT gene.symbol, gene.record, bm25(gene_text, 10.0, 6.0, 4.0, 3.0, 2.0, 2.0, 1.0) AS rank
            FROM gene_text JOIN gene ON gene.id = gene_text.rowid
            WHERE gene_text MATCH ?1 ORDER BY rank, gene.symbol LIMIT ?2";
        let mut statement = self.ok(self.connection.prepare_cached(select))?;
        let limit = i64::try_from(k).unwrap_or(i64::MAX);
        let rows = statement.query_map((&matching, limit), |row| {
            Ok((row.get(0)?, row.get::<_, String>(1)?, row.get::<_, f64>(2)?))
        });
        let mut hits = Vec::new();
        for row in self.ok(rows)? {
            let (symbol, json, rank): (String, _, _) = self.ok(row)?;
            let record = super::parse(&self.path, &symbol, &json)?;
            let snippet = snippet(&record, &words);
            hits.push(Hit { record, score: -rank, snippet });
        }
        Ok(hits)
    }
}

/// The words of a query in small letters, as the index has them.
fn words(query: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in query.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()) {
        let word = word.to_lowercase();
        if !words.contains(&word) && words.len() < SEARCH_WORDS {
            words.push(word);
        }
    }
    words
}

/// The field with most of the words, and of fields with equally many the one that says most about the gene.
fn snippet(record: &GeneRecord, words: &[String]) -> Option<Snippet> {
    let go: Vec<&str> = record.go_terms.iter().map(|term| term.name.as_str()).collect();
    let fields = [
        ("summary", record.summary.as_ref().map_or(String::new(), |s| s.text.clone())),
        ("GO terms", go.join("; ")),
        ("groups", record.groups.join("; ")),
        ("other names", record.other_names.join("; ")),
        ("name", record.name.clone()),
        ("symbols", record.all_symbols().join(", ")),
    ];
    let mut best: Option<(usize, Snippet)> = None;
    for (field, text) in fields {
        if let Some((found, text)) = around(&text, words)
            && best.as_ref().is_none_or(|(most, _)| found > *most)
        {
            best = Some((found, Snippet { field, text }));
        }
    }
    best.map(|(_, snippet)| snippet)
}

/// The piece of a text that has most different words, and how many it has.
fn around(text: &str, words: &[String]) -> Option<(usize, String)> {
    // Byte ranges of the text's words that are searched, and which word each is.
    let mut places: Vec<(usize, usize, usize)> = Vec::new();
    let mut start = None;
    for (at, letter) in text.char_indices().chain([(text.len(), ' ')]) {
        match (letter.is_alphanumeric(), start) {
            (true, None) => start = Some(at),
            (false, Some(begin)) => {
                let word = text[begin..at].to_lowercase();
                if let Some(which) = words.iter().position(|w| *w == word) {
                    places.push((begin, at, which));
                }
                start = None;
            }
            _ => {}
        }
    }
    let count = |from: usize| {
        let mut seen: Vec<usize> = Vec::new();
        let within = places[from..].iter().take_while(|place| place.1 <= places[from].0 + SNIPPET);
        for (_, _, which) in within {
            if !seen.contains(which) {
                seen.push(*which);
            }
        }
        seen.len()
    };
    let mut best = (0, 0);
    for from in 0..places.len() {
        if count(from) > best.0 {
            best = (count(from), from);
        }
    }
    let (found, from) = best;
    let (begin, ..) = *places.get(from)?;
    let last = places[from..].iter().take_while(|place| place.1 <= begin + SNIPPET).last();
    let end = last.map_or(begin, |place| place.1);
    // What is left of the line goes to both sides, and the cuts to blanks.
    let spare = SNIPPET.saturating_sub(end - begin) / 2;
    let left = text[..begin].char_indices().rev().take_while(|(at, _)| begin - at <= spare).last();
    let left = left.map_or(begin, |(at, _)| at);
    let left =
        if left == 0 { 0 } else { text[left..begin].find(' ').map_or(begin, |blank| left + blank + 1) };
    let right = text[end..]
        .char_indices()
        .map(|(at, c)| end + at + c.len_utf8())
        .take_while(|at| at - end <= spare)
        .last();
    let right = right.unwrap_or(end);
    let right = if right == text.len() {
        right
    } else {
        text[end..right].rfind(' ').map_or(end, |blank| end + blank)
    };
    let before = if left > 0 { "… " } else { "" };
    let after = if right < text.len() { " …" } else { "" };
    Some((found, format!("{before}{}{after}", &text[left..right])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snippet_is_where_most_words_are_and_cut_at_blanks() {
        let text = format!(
            "hedgehog {} transcription factor of the é hedgehog pathway {}",
            "filler ".repeat(40),
            "tail ".repeat(40)
        );
        let (found, snippet) = around(&text, &words("Hedgehog transcription FACTOR")).unwrap();
        assert_eq!(found, 3);
        assert!(snippet.starts_with("… filler") && snippet.ends_with("tail …"), "{snippet}");
        assert!(snippet.contains("transcription factor of the é hedgehog pathway") && snippet.len() < 140);
        assert_eq!(around("GLI1", &words("gli1")).unwrap(), (1, "GLI1".to_owned()));
        assert_eq!(around("nothing here", &words("hedgehog")), None);
    }

    proptest::proptest! {
        #[test]
        fn any_text_has_a_snippet_without_a_panic(text in "\\PC{0,300}", query in "\\PC{0,20}") {
            let _ = around(&text, &words(&query));
            let _ = around(&text, &words(&text));
        }
    }
}
