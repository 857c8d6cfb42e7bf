//! What a gene database answers to GeneTuring's and GeneHop's questions, without a model.
//!
//! | question | from |
//! |---|---|
//! | official symbol of an alias | symbols, previous symbols and aliases; where it is several genes', the one that had it as its symbol |
//! | symbol of an Ensembl id | identifiers |
//! | chromosome of a gene | its location |
//! | protein-coding or not | its kind |
//! | genes of a disease, and their locations | names, and summaries in which all of the disease's words stand close to each other |
//!
//! Where the gene is not known, "NA" is said of its kind, as GeneTuring has it for what is no protein-coding gene. Variants and
//! sequences are in no gene database: such questions are refused with the reason.

use geneverse_data::gene::{GeneKind, GeneRecord};

use crate::index::{GeneIndex, Resolved};

/// The version of what is answered to what; raised by whatever changes an answer.
pub const RULES: u32 = 1;

/// A disease has at most so many genes here; more are found where its words are everybody's.
const GENES: usize = 5;

/// A database with what answers are looked up in.
pub struct Knowledge {
    index: GeneIndex,
    /// Of each gene, the words of its names and summary, in small letters.
    texts: Vec<Vec<String>>,
}

impl Knowledge {
    /// Everything that a database says.
    pub fn new(index: GeneIndex) -> Self {
        let text = |gene: &GeneRecord| {
            let summary = gene.summary.as_ref().map_or("", |summary| summary.text.as_str());
            words(&format!("{} . {} . {summary}", gene.name, gene.other_names.join(" . ")))
        };
        let texts = index.genes().iter().map(text).collect();
        Self { index, texts }
    }

    /// The genes.
    pub fn index(&self) -> &GeneIndex {
        &self.index
    }

    /// The answer to one of the benchmarks' questions, or why there is none; `None` to any other question.
    pub fn answer(&self, question: &str) -> Option<Result<String, String>> {
        let question = question.split(" Let's decompose").next().unwrap_or(question).trim();
        let between =
            |before: &str, after: &str| Some(question.strip_prefix(before)?.strip_suffix(after)?.trim());
        if let Some(alias) = between("What is the official gene symbol of ", "?") {
            return Some(self.symbol(alias));
        }
        if let Some(id) = between("Convert ", " to official gene symbol.") {
            return Some(self.symbol(id));
        }
        if let Some(gene) = between("Which chromosome is ", " gene located on human genome?") {
            return Some(self.gene(gene).and_then(|gene| {
                let location = gene.location.as_deref().and_then(chromosome);
                location.ok_or_else(|| "the database has no location of the gene".to_owned())
            }));
        }
        if let Some(gene) = between("Is ", " a protein-coding gene?") {
            let coding = self.gene(gene).is_ok_and(|gene| gene.kind == GeneKind::ProteinCoding);
            return Some(Ok(if coding { "TRUE" } else { "NA" }.to_owned()));
        }
        if let Some(disease) = between("What are genes related to ", "?") {
            let genes = self.of_disease(disease);
            let symbols: Vec<&str> = genes.iter().map(|gene| gene.symbol.as_str()).collect();
            return Some(listed(&symbols));
        }
        if let Some(disease) = between("List chromosome locations of the genes related to ", ".") {
            let genes = self.of_disease(disease);
            let places: Vec<&str> = genes.iter().filter_map(|gene| gene.location.as_deref()).collect();
            return Some(listed(&places));
        }
        let refused = if question.contains("SNP rs") {
            "impossible offline: variants are in dbSNP, not in a gene database"
        } else if question.starts_with("Align the DNA sequence")
            || question.contains("DNA sequence come from")
        {
            "impossible offline: there are no genomes to align a sequence to"
        } else if question.contains("contains this sequ") {
            "impossible offline: there are no genomes to find a sequence in"
        } else {
            return None;
        };
        Some(Err(refused.to_owned()))
    }

    fn gene(&self, text: &str) -> Result<&GeneRecord, String> {
        match self.index.resolve(text) {
            Resolved::Gene(gene) => Ok(gene),
            Resolved::Ambiguous(genes) => {
                // Who had it as a symbol comes before whom it is a nickname of.
                let once = genes.iter().find(|gene| gene.previous_symbols.iter().any(|s| s == text));
                let named = genes.iter().find(|gene| gene.aliases.iter().any(|s| s == text));
                once.or(named).or(genes.first()).copied().ok_or_else(unknown)
            }
            Resolved::Unknown => {
                let mentions = crate::identifier::find(text);
                let owner =
                    |m: &crate::identifier::Mention| self.index.owner(m.authority, m.canonical.as_deref()?);
                mentions.iter().find_map(owner).ok_or_else(unknown)
            }
        }
    }

    fn symbol(&self, text: &str) -> Result<String, String> {
        self.gene(text).map(|gene| gene.symbol.to_string())
    }

    /// The genes of whose names or summaries all words of the disease stand within twice as many words.
    fn of_disease(&self, disease: &str) -> Vec<&GeneRecord> {
        let asked: Vec<String> =
            words(disease).into_iter().filter(|word| !SMALL.contains(&word.as_str())).collect();
        if asked.is_empty() {
            return Vec::new();
        }
        let mut found: Vec<(usize, usize)> = Vec::new();
        for (place, text) in self.texts.iter().enumerate() {
            if let Some(span) = closest(text, &asked).filter(|span| *span <= 2 * asked.len() + 2) {
                found.push((span, place));
            }
        }
        found.sort_unstable();
        let best = found.first().map_or(0, |(span, _)| *span);
        found
            .iter()
            .take_while(|(span, _)| *span <= best + 1)
            .take(GENES)
            .map(|(_, place)| &self.index.genes()[*place])
            .collect()
    }
}

fn unknown() -> String {
    "the database has no such gene".to_owned()
}

fn listed(all: &[&str]) -> Result<String, String> {
    if all.is_empty() { Err("no record speaks of the disease".to_owned()) } else { Ok(all.join(", ")) }
}

/// Words that a disease's name has beside its own.
const SMALL: [&str; 12] = ["of", "the", "and", "to", "due", "with", "type", "in", "a", "or", "by", "without"];

fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// The shortest run of a text in which all words stand.
fn closest(text: &[String], asked: &[String]) -> Option<usize> {
    let mut last: Vec<Option<usize>> = vec![None; asked.len()];
    let mut best: Option<usize> = None;
    for (at, word) in text.iter().enumerate() {
        let mut hit = false;
        for (place, wanted) in asked.iter().enumerate() {
            if word == wanted {
                last[place] = Some(at);
                hit = true;
            }
        }
        if hit
            && let Some(first) =
                last.iter().copied().collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().min())
        {
            let span = at - first + 1;
            best = Some(best.map_or(span, |best: usize| best.min(span)));
        }
    }
    best
}

/// `chr12` of `12q13.3`; a gene in both sex chromosomes is X's, where NCBI counts it.
fn chromosome(location: &str) -> Option<String> {
    if location.starts_with("mitochondria") {
        return Some("chrM".to_owned());
    }
    let location = location.strip_prefix("unplaced").unwrap_or(location);
    let digits: String = location.chars().take_while(char::is_ascii_digit).collect();
    let name = match (digits.as_str(), location.chars().next()) {
        ("", Some(sex @ ('X' | 'Y'))) => sex.to_string(),
        ("", _) => return None,
        (digits, _) => digits.to_owned(),
    };
    Some(format!("chr{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chromosomes_are_read_from_every_kind_of_location() {
        for (location, wanted) in
            [("12q13.3", "chr12"), ("Xp22.33 and Yp11.2", "chrX"), ("Yq11", "chrY"), ("mitochondria", "chrM")]
        {
            assert_eq!(chromosome(location).as_deref(), Some(wanted));
        }
        assert_eq!(chromosome("reserved"), None);
    }

    #[test]
    fn words_close_to_each_other_are_found() {
        let text = words("Mutations cause distal renal tubular acidosis, and acidosis of the kidney.");
        assert_eq!(closest(&text, &words("distal renal tubular acidosis")), Some(4));
        assert_eq!(closest(&text, &words("renal failure")), None);
    }
}
