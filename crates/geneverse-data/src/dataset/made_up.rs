//! Records of genes that do not exist: what a model is finetuned on to read records, and not to remember.
//!
//! A small model that is finetuned with each gene's record before its answer has two ways to the answer: to copy it from the
//! record, or to remember it. With a few hundred genes it remembers, and of a gene that it has not met it then says what it knows
//! of others. In a record that is made up every value is drawn anew, so that copying is the only way:
//!
//! - symbols, aliases, identifiers, places: drawn, of the length and form that real ones have;
//! - name, groups, function, terms, pathways, expression: each from another gene of the kind, and six of ten of their words
//!   exchanged for other words, the same one throughout a record. Without that a text is known from its first words on.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::gene::{EnsemblId, EntrezId, GeneRecord, GeneSymbol, HgncId, OmimId, Summary, UniprotAccession};
use crate::seeded::mix;

/// Of ten words so many are exchanged. With three a model of seven million parameters goes on remembering, with nine texts are
/// too unlike real ones: of 3, 6 and 9 this gave the lowest loss after 2,100 records.
const EXCHANGED: u64 = 6;
/// Shorter words are not exchanged.
const SHORTEST: usize = 4;
/// Words that hold a sentence together stay.
const KEPT: [&str; 43] = [
    "after", "also", "been", "before", "between", "both", "during", "each", "encoded", "encodes", "from",
    "gene", "genes", "have", "human", "into", "made", "make", "many", "more", "most", "only", "other",
    "over", "protein", "proteins", "some", "such", "than", "that", "their", "them", "then", "there", "these",
    "they", "this", "those", "through", "under", "when", "where", "with",
];

/// `count` records that are made up from `records`, of which none is one of them.
pub fn made_up(records: &[&GeneRecord], count: usize, seed: u64) -> Vec<GeneRecord> {
    let mut kinds: BTreeMap<&str, Vec<&GeneRecord>> = BTreeMap::new();
    let (mut taken, mut vocabulary) = (BTreeSet::new(), BTreeSet::new());
    for record in records {
        kinds.entry(record.kind.noun()).or_default().push(record);
        taken.extend(record.all_symbols().into_iter().map(str::to_owned));
        for text in texts(record) {
            vocabulary.extend(words(text).filter(|word| exchangeable(word)).map(str::to_lowercase));
        }
    }
    let vocabulary: Vec<String> = vocabulary.into_iter().collect();
    if records.is_empty() {
        return Vec::new();
    }
    let record = |number: usize| {
        let mut maker = Maker {
            state: mix(seed, &format!("made up {number}")),
            taken: &mut taken,
            vocabulary: &vocabulary,
            exchanged: HashMap::new(),
        };
        let like = records[maker.below(records.len())];
        maker.make(like, &kinds[like.kind.noun()])
    };
    (0..count).map(record).collect()
}

/// One record being made up.
struct Maker<'a> {
    state: u64,
    taken: &'a mut BTreeSet<String>,
    vocabulary: &'a [String],
    exchanged: HashMap<String, String>,
}

impl Maker<'_> {
    fn make(&mut self, like: &GeneRecord, kin: &[&GeneRecord]) -> GeneRecord {
        let symbol = self.symbol();
        let [named, called, grouped, told, annotated, on_the_way, expressed] =
            [(); 7].map(|()| kin[self.below(kin.len())]);
        let name = self.text(&named.name);
        let name = self.digits(&name);
        let aliases = called.aliases.iter().map(|_| self.symbol().to_string()).collect();
        let previous = called.previous_symbols.iter().map(|_| self.symbol().to_string()).collect();
        let summary = told.summary.as_ref().map(|summary| {
            let text = replace_word(&summary.text, told.symbol.as_str(), symbol.as_str());
            Summary { text: self.text(&text), source: "made up".to_owned() }
        });
        let go_terms = annotated.go_terms.iter().cloned();
        GeneRecord {
            name,
            kind: like.kind,
            tax_id: like.tax_id,
            locus_type: like.locus_type.clone(),
            location: like.location.as_ref().map(|_| self.place()),
            hgnc_id: like.hgnc_id.map(|id| HgncId(self.number(id.0))),
            entrez_id: like.entrez_id.map(|id| EntrezId(self.number(id.0))),
            ensembl_id: like.ensembl_id.map(|id| self.ensembl(id)),
            omim_ids: like.omim_ids.iter().map(|id| OmimId(self.number(id.0))).collect(),
            uniprot_ids: like.uniprot_ids.iter().filter_map(|_| self.accession()).collect(),
            aliases,
            previous_symbols: previous,
            other_names: Vec::new(),
            groups: grouped.groups.iter().map(|group| self.text(group)).collect(),
            go_terms: go_terms
                .map(|mut term| {
                    term.name = self.text(&term.name);
                    term
                })
                .collect(),
            pathways: on_the_way.pathways.iter().map(|pathway| self.text(pathway)).collect(),
            refseq_status: like.refseq_status.clone(),
            expression: expressed.expression.as_ref().map(|expression| self.text(expression)),
            orthologs: like.orthologs.iter().map(|id| self.digits(id)).collect(),
            summary,
            symbol,
        }
    }

    fn below(&mut self, count: usize) -> usize {
        self.state = mix(self.state, "next");
        (self.state % count.max(1) as u64) as usize
    }

    /// A symbol that neither a gene nor an earlier record has.
    fn symbol(&mut self) -> GeneSymbol {
        loop {
            self.state = mix(self.state, "symbol");
            let text = invented(self.state);
            if let (false, Ok(symbol)) = (self.taken.contains(&text), GeneSymbol::parse(&text)) {
                self.taken.insert(text);
                return symbol;
            }
        }
    }

    /// A number with as many digits.
    fn number(&mut self, like: u32) -> u32 {
        let least = 10_u32.pow(like.checked_ilog10().unwrap_or_default());
        let range = (u64::from(least) * 9).min(u64::from(u32::MAX - least)) as usize;
        least + self.below(range) as u32
    }

    /// Another number of the same species.
    fn ensembl(&mut self, like: EnsemblId) -> EnsemblId {
        const OF_SPECIES: u32 = 37;
        EnsemblId((like.0 >> OF_SPECIES << OF_SPECIES) | self.below(300_000) as u64)
    }

    fn accession(&mut self) -> Option<UniprotAccession> {
        let mut text = String::from(["O", "P", "Q"][self.below(3)]);
        text += &self.below(10).to_string();
        for _ in 0..3 {
            text.push(char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"[self.below(36)]));
        }
        text += &self.below(10).to_string();
        UniprotAccession::parse(&text).ok()
    }

    fn place(&mut self) -> String {
        let chromosome = match self.below(24) {
            22 => "X".to_owned(),
            23 => "Y".to_owned(),
            number => (number + 1).to_string(),
        };
        let arm = ["p", "q"][self.below(2)];
        let band = 11 + self.below(26);
        let part = if self.below(10) < 7 { format!(".{}", 1 + self.below(3)) } else { String::new() };
        format!("{chromosome}{arm}{band}{part}")
    }

    /// Other digits, none of which makes a number begin with 0.
    fn digits(&mut self, text: &str) -> String {
        let mut inside = false;
        let digit = |letter: char| {
            let (digit, first) = (letter.is_ascii_digit(), !inside);
            inside = digit;
            match (digit, first) {
                (false, _) => letter,
                (true, true) => char::from(b'1' + self.below(9) as u8),
                (true, false) => char::from(b'0' + self.below(10) as u8),
            }
        };
        text.chars().map(digit).collect()
    }

    /// A text with words exchanged.
    fn text(&mut self, text: &str) -> String {
        let mut told = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find(|c: char| c.is_ascii_alphabetic()) {
            let (before, from) = rest.split_at(start);
            let end = from.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(from.len());
            let (word, after) = from.split_at(end);
            told += before;
            told += &self.word(word);
            rest = after;
        }
        told + rest
    }

    fn word(&mut self, word: &str) -> String {
        if !exchangeable(word) || self.vocabulary.is_empty() {
            return word.to_owned();
        }
        let small = word.to_lowercase();
        let by = match self.exchanged.get(&small) {
            Some(by) => by.clone(),
            None => {
                let by = if self.below(10) < EXCHANGED as usize {
                    self.vocabulary[self.below(self.vocabulary.len())].clone()
                } else {
                    small.clone()
                };
                self.exchanged.insert(small, by.clone());
                by
            }
        };
        if word.starts_with(|c: char| c.is_ascii_uppercase()) { capital(&by) } else { by }
    }
}

/// What a record says in words.
fn texts(record: &GeneRecord) -> impl Iterator<Item = &str> {
    let GeneRecord { name, groups, go_terms, pathways, expression, summary, .. } = record;
    let lists = groups.iter().chain(pathways).map(String::as_str);
    let terms = go_terms.iter().map(|term| term.name.as_str());
    let summary = summary.iter().map(|summary| summary.text.as_str());
    std::iter::once(name.as_str()).chain(lists).chain(terms).chain(expression.as_deref()).chain(summary)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty())
}

/// Whether a run of letters is a word, and none that holds a sentence together or is written as a symbol.
fn exchangeable(word: &str) -> bool {
    let mut letters = word.chars();
    letters.next();
    word.len() >= SHORTEST
        && letters.all(|c| c.is_ascii_lowercase())
        && !KEPT.contains(&word.to_lowercase().as_str())
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A text that looks like a symbol: two to five letters, often with a number, seldom with a letter after it.
pub(super) fn invented(mut state: u64) -> String {
    let mut draw = |below: u64| {
        state = mix(state, "next");
        state % below
    };
    let letters = 2 + draw(4);
    let mut symbol: String = (0..letters).map(|_| char::from(b'A' + draw(26) as u8)).collect();
    if draw(4) > 0 {
        let most = [10, 10, 100, 1000][draw(4) as usize];
        symbol += &(1 + draw(most)).to_string();
        if draw(4) == 0 {
            symbol.push(char::from(b'A' + draw(26) as u8));
        }
    }
    symbol
}

/// Replaces `word` where it stands alone.
pub(super) fn replace_word(text: &str, word: &str, by: &str) -> String {
    let is_inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '-');
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, from) = rest.split_at(at);
        let after = &from[word.len()..];
        let before_it = before.chars().next_back().or_else(|| replaced.chars().next_back());
        replaced += before;
        replaced += if is_inside(before_it) || is_inside(after.chars().next()) { word } else { by };
        rest = after;
    }
    replaced + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sentences::{lines, sentences};

    fn records() -> Vec<GeneRecord> {
        include_str!("../../../../data/genes.jsonl")
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn a_symbol_is_replaced_where_it_is_a_word() {
        let text = "IL2 binds IL2RA; IL2-like and (IL2), pre-IL2. IL2";
        assert_eq!(replace_word(text, "IL2", "QX7"), "QX7 binds IL2RA; IL2-like and (QX7), pre-IL2. QX7");
    }

    #[test]
    fn invented_symbols_look_like_symbols_and_differ() {
        let symbols: std::collections::BTreeSet<String> = (0..1000).map(|n| invented(mix(n, "x"))).collect();
        assert!(symbols.len() > 980, "{}", symbols.len());
        for symbol in &symbols {
            assert!(crate::gene::GeneSymbol::parse(symbol).is_ok() && symbol.len() <= 9, "{symbol}");
        }
    }

    #[test]
    fn a_record_is_made_up_from_others_and_is_none_of_them() {
        let real = records();
        let real: Vec<&GeneRecord> = real.iter().collect();
        let made = made_up(&real, 400, 3);
        assert_eq!(made, made_up(&real, 400, 3));
        assert_ne!(made, made_up(&real, 400, 4));
        let mut symbols: BTreeSet<&str> = real.iter().flat_map(|record| record.all_symbols()).collect();
        for record in &made {
            for symbol in record.all_symbols() {
                assert!(symbols.insert(symbol), "{symbol} is somebody's");
            }
            let summary = record.summary.as_ref().unwrap();
            assert!(real.iter().all(|other| other.summary.as_ref() != Some(summary)), "{}", summary.text);
            // It is told like any other, and its paragraph says what its lines say.
            let (told, known) = (sentences(record, 1), lines(record));
            assert!(told.contains(&record.name) && known.contains(&record.name), "{told}");
        }
        assert!(made_up(&[], 5, 1).is_empty());
    }

    #[test]
    fn words_are_exchanged_the_same_throughout_and_what_holds_a_sentence_together_stays() {
        let vocabulary = ["membrane".to_owned(), "kinase".to_owned()];
        let mut taken = BTreeSet::new();
        let mut maker =
            Maker { state: 5, taken: &mut taken, vocabulary: &vocabulary, exchanged: HashMap::new() };
        let text = "Kidney cells from which FADD and kidney (type 2A) go; the Kidney.";
        let told = maker.text(text);
        let kidney = &maker.exchanged["kidney"];
        let expected = text
            .replace("kidney", kidney)
            .replace("Kidney", &capital(kidney))
            .replace("cells", &maker.exchanged["cells"])
            .replace("which", &maker.exchanged["which"])
            .replace("type", &maker.exchanged["type"]);
        assert_eq!(told, expected);
        assert!(told.contains(" from ") && told.contains("FADD"));
        let like = "RGD:1307080 (a2b)";
        let digits = maker.digits(like);
        assert!(
            digits.starts_with("RGD:") && digits.len() == like.len() && !digits.contains(":0"),
            "{digits}"
        );
        for (like, least) in [(7, 1), (4317, 1000), (u32::MAX, 1_000_000_000)] {
            assert!(maker.number(like) >= least && (like > 9 || maker.number(like) < 10));
        }
    }
}
