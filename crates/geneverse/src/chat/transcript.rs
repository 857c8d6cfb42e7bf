//! What was said, and what it rests on.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use geneverse_data::prompt::Turn;
use geneverse_data::stage::{FileError, atomic_write};
use geneverse_eval::checked::{Checked, Identified};
use geneverse_eval::claims::{Claim, Verdict};
use geneverse_eval::postprocess::Edit;

/// A question and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) question: String,
    /// As the model said it.
    pub(crate) answer: String,
    /// What the database says to that; missing where there is none.
    pub(crate) checked: Option<Checked>,
}

/// A conversation so far.
#[derive(Debug, Default)]
pub(crate) struct Transcript(Vec<Entry>);

impl Entry {
    /// The answer as it stands.
    fn text(&self) -> &str {
        self.checked.as_ref().map_or(&self.answer, |checked| &checked.text)
    }

    /// What is shown after the model has spoken: the answer again where it was repaired, and how far it is to be trusted.
    pub(crate) fn shown(&self) -> String {
        let Some(checked) = &self.checked else {
            return "[not checked: there is no database; give one with --db]".to_owned();
        };
        let Checked { text, genes, unknown, edits, notes: _, identifiers, claims } = checked;
        let mut shown = String::new();
        if !edits.is_empty() {
            let _ = writeln!(shown, "repaired from the database:\n{text}");
        }
        if !unknown.is_empty() {
            let _ = writeln!(shown, "[not in the database: {}]", unknown.join(", "));
        }
        let count = |verdict| claims.iter().filter(|claim| claim.verdict == verdict).count();
        match genes[..] {
            [] => shown.push_str(
                "[the question names no gene of the database, so nothing was held against a record",
            ),
            [_] => {
                let (yes, no) = (count(Verdict::Supported), count(Verdict::Contradicted));
                let silent = count(Verdict::NotInRecord);
                let _ = write!(
                    shown,
                    "[of its claims the record supports {yes}, contradicts {no}, and says nothing of {silent}"
                );
            }
            _ => shown.push_str("[the question names several genes, so nothing was held against one record"),
        }
        let _ = write!(shown, "; {} identifiers looked up; /sources]", identifiers.len());
        shown
    }

    /// What it rests on, line by line.
    fn sources(&self) -> String {
        let Some(Checked { edits, notes, identifiers, claims, .. }) = &self.checked else {
            return "nothing: there is no database; give one with --db".to_owned();
        };
        let mut text = String::new();
        for Identified { authority, text: found, gene } in identifiers {
            let _ = writeln!(text, "  {found}: {} of {gene}", authority.noun());
        }
        for Edit { what, from, to } in edits {
            let to = if to.is_empty() { "nothing" } else { to };
            let _ = writeln!(text, "  changed {what}: {from} → {to}");
        }
        for note in notes {
            let _ = writeln!(text, "  left alone: {note}");
        }
        for Claim { kind: _, text: claim, verdict, field, record } in claims {
            let field = field.as_deref().unwrap_or_default();
            let _ = match (verdict, record) {
                (Verdict::Supported, _) => writeln!(text, "  + {claim} (record: {field})"),
                (Verdict::Contradicted, Some(record)) => {
                    writeln!(text, "  - {claim} (record: {field} is {record})")
                }
                (Verdict::Contradicted, None) => {
                    writeln!(text, "  - {claim} (record: {field} says otherwise)")
                }
                (Verdict::NotInRecord, _) => writeln!(text, "  ? {claim} (not in the database)"),
            };
        }
        if text.is_empty() { "nothing of it could be looked up".to_owned() } else { text }
    }
}

impl Transcript {
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.0
    }

    pub(crate) fn push(&mut self, entry: Entry) {
        self.0.push(entry);
    }

    /// What was said, as the model hears it again: repaired, so that it does not build on what is wrong.
    pub(crate) fn turns(&self) -> Vec<Turn> {
        let turn = |entry: &Entry| Turn { question: entry.question.clone(), answer: entry.text().to_owned() };
        self.0.iter().map(turn).collect()
    }

    /// What the last answer rests on.
    pub(crate) fn sources(&self) -> String {
        self.0.last().map_or_else(|| "nothing has been said yet".to_owned(), Entry::sources)
    }

    /// Writes it as Markdown.
    pub(crate) fn save(&self, path: &Path) -> Result<(), FileError> {
        atomic_write(path, |out| {
            for entry in &self.0 {
                let question = entry.question.replace('\n', " ");
                writeln!(out, "## {question}\n\n{}\n\n{}\n", entry.text(), entry.sources())?;
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use geneverse_eval::claims::ClaimKind;
    use geneverse_eval::identifier::Authority;

    fn entry() -> Entry {
        let claim = |text: &str, verdict, field: Option<&str>, record: Option<&str>| Claim {
            kind: ClaimKind::Location,
            text: text.into(),
            verdict,
            field: field.map(str::to_owned),
            record: record.map(str::to_owned),
        };
        let checked = Checked {
            text: "GLI1 (HGNC:4317) is at 12q13.3.".into(),
            genes: vec!["GLI1".into()],
            unknown: vec!["ABC12".into()],
            edits: vec![Edit { what: "HGNC id".into(), from: "HGNC:1".into(), to: "HGNC:4317".into() }],
            notes: vec!["MGI:1 is of a mouse".into()],
            identifiers: vec![Identified {
                authority: Authority::Hgnc,
                text: "HGNC:4317".into(),
                gene: "GLI1".into(),
            }],
            claims: vec![
                claim("12q13.3", Verdict::Supported, Some("location"), None),
                claim("a kinase", Verdict::Contradicted, Some("kind"), Some("a transcription factor")),
                claim("in the liver", Verdict::NotInRecord, None, None),
            ],
        };
        Entry { question: "What is\nGLI1?".into(), answer: "GLI1 (HGNC:1).".into(), checked: Some(checked) }
    }

    #[test]
    fn an_answer_is_shown_with_what_the_database_says() {
        assert_eq!(
            entry().shown(),
            "repaired from the database:\nGLI1 (HGNC:4317) is at 12q13.3.\n[not in the database: ABC12]\n\
             [of its claims the record supports 1, contradicts 1, and says nothing of 1; 1 identifiers looked up; /sources]"
        );
        let unchecked = Entry { checked: None, ..entry() };
        assert_eq!(unchecked.shown(), "[not checked: there is no database; give one with --db]");
    }

    #[test]
    fn sources_name_the_field_of_the_record() {
        let mut transcript = Transcript::default();
        assert_eq!(transcript.sources(), "nothing has been said yet");
        transcript.push(entry());
        let sources = "  HGNC:4317: HGNC id of GLI1\n  changed HGNC id: HGNC:1 → HGNC:4317\n  left alone: MGI:1 is of a mouse\n\
                       \x20 + 12q13.3 (record: location)\n  - a kinase (record: kind is a transcription factor)\n\
                       \x20 ? in the liver (not in the database)\n";
        assert_eq!(transcript.sources(), sources);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("talk.md");
        transcript.save(&path).unwrap();
        let saved = std::fs::read_to_string(path).unwrap();
        assert_eq!(saved, format!("## What is GLI1?\n\nGLI1 (HGNC:4317) is at 12q13.3.\n\n{sources}\n\n"));
        // The model hears the repaired answer again.
        assert_eq!(transcript.turns()[0].answer, "GLI1 (HGNC:4317) is at 12q13.3.");
    }
}
