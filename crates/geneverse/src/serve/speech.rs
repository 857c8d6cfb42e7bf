//! The text of an answer as its tokens come, up to where it is to stop.

use geneverse_model::Result;
use geneverse_model::tokens::Tokenizer;

/// Texts at which an answer ends, and what may be the beginning of one.
#[derive(Debug, Default)]
pub(crate) struct Stops {
    words: Vec<String>,
    held: String,
}

impl Stops {
    /// Stops at the first of `words` to come, which is not said; empty ones are none.
    pub(crate) fn new(words: Vec<String>) -> Self {
        let words = words.into_iter().filter(|word| !word.is_empty()).collect();
        Self { words, held: String::new() }
    }

    /// What can be said once `new` has come, and whether the answer ends with it.
    fn push(&mut self, new: &str) -> (String, bool) {
        self.held.push_str(new);
        if let Some(end) = self.first(&self.held) {
            self.held.truncate(end);
            return (std::mem::take(&mut self.held), true);
        }
        let begins = |at: &usize| self.words.iter().any(|word| word.starts_with(&self.held[*at..]));
        let starts = self.held.char_indices().map(|(at, _)| at);
        let kept = starts.filter(|at| begins(at)).min().unwrap_or(self.held.len());
        let rest = self.held.split_off(kept);
        (std::mem::replace(&mut self.held, rest), false)
    }

    /// Where the first of them stands in a text.
    fn first(&self, text: &str) -> Option<usize> {
        self.words.iter().filter_map(|word| text.find(word.as_str())).min()
    }

    /// What was held back, where nothing more comes.
    fn rest(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

/// An answer as it is said.
///
/// A token's text depends on the one before it (a space, the rest of a letter), so what is new is told by decoding the last
/// piece that was said with and without what has come since.
#[derive(Default)]
pub(crate) struct Speech {
    ids: Vec<u32>,
    /// Where the last piece that was said begins, and where it ends.
    last: usize,
    said: usize,
    stops: Stops,
    /// Whether anything but space has been said: an answer does not begin with it.
    begun: bool,
    continues: bool,
}

impl Speech {
    /// One that `continues` a text keeps the space that it begins with.
    pub(crate) fn new(stops: Stops, continues: bool) -> Self {
        Self { stops, begun: continues, continues, ..Self::default() }
    }

    /// Tokens so far.
    pub(crate) fn tokens(&self) -> usize {
        self.ids.len()
    }

    /// What the next token adds to the text, and whether the text ends with it. A letter may take several tokens: it is said
    /// when it is whole.
    pub(crate) fn push(&mut self, id: u32, tokenizer: &Tokenizer) -> Result<(String, bool)> {
        self.ids.push(id);
        let (new, ends) = self.new_text(tokenizer, false)?;
        Ok((self.trimmed(new), ends))
    }

    /// What is left to say at the end.
    pub(crate) fn rest(&mut self, tokenizer: &Tokenizer) -> Result<String> {
        let (new, ends) = self.new_text(tokenizer, true)?;
        let rest = if ends { new } else { new + &self.stops.rest() };
        Ok(self.trimmed(rest))
    }

    /// The whole answer so far, up to its stop. Where a tokenizer's text of a token depends on more than the one before it,
    /// this is the answer, and what was streamed is nearly that.
    pub(crate) fn whole(&self, tokenizer: &Tokenizer) -> Result<String> {
        let mut text = tokenizer.decode(&self.ids)?;
        if let Some(end) = self.stops.first(&text) {
            text.truncate(end);
        }
        Ok(if self.continues { text } else { text.trim().to_owned() })
    }

    fn new_text(&mut self, tokenizer: &Tokenizer, last: bool) -> Result<(String, bool)> {
        let before = tokenizer.decode(&self.ids[self.last..self.said])?;
        let now = tokenizer.decode(&self.ids[self.last..])?;
        match now.strip_prefix(&before) {
            Some(new) if last || !now.ends_with(char::REPLACEMENT_CHARACTER) => {
                (self.last, self.said) = (self.said, self.ids.len());
                Ok(self.stops.push(new))
            }
            _ => Ok((String::new(), false)),
        }
    }

    fn trimmed(&mut self, new: String) -> String {
        let new = if self.begun { new } else { new.trim_start().to_owned() };
        self.begun |= !new.is_empty();
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(words: &[&str], pieces: &[&str]) -> (Vec<String>, bool) {
        let mut stops = Stops::new(words.iter().map(|word| (*word).to_owned()).collect());
        let mut told = Vec::new();
        for piece in pieces {
            let (new, ends) = stops.push(piece);
            told.push(new);
            if ends {
                return (told, true);
            }
        }
        told.push(stops.rest());
        (told, false)
    }

    #[test]
    fn pieces_are_the_whole_answer_whatever_letters_are_in_it() {
        let folder = tempfile::tempdir().unwrap();
        crate::bundled::write_model(folder.path()).unwrap();
        let tokenizer = Tokenizer::read(folder.path()).unwrap();
        let text = "GLI1 (HGNC:4317) is α-helical at 12q13.3;\n ärgerlich 🧬 it is.";
        let ids = tokenizer.encode(text).unwrap();
        let said = |words: &[&str]| {
            let mut speech = Speech::new(Stops::new(words.iter().map(|w| (*w).to_owned()).collect()), true);
            let mut said = String::new();
            for id in &ids {
                let (new, ends) = speech.push(*id, &tokenizer).unwrap();
                said += &new;
                if ends {
                    return (said, speech.whole(&tokenizer).unwrap());
                }
            }
            said += &speech.rest(&tokenizer).unwrap();
            (said, speech.whole(&tokenizer).unwrap())
        };
        let whole = tokenizer.decode(&ids).unwrap();
        assert_eq!(said(&[]), (whole.clone(), whole));
        let until = "GLI1 (HGNC:4317) is α-helical at 12q13.3;\n ärgerlich ";
        let (pieces, stopped) = said(&["🧬"]);
        assert_eq!((pieces.trim_start(), stopped.trim_start()), (until, until));
    }

    #[test]
    fn what_may_be_the_beginning_of_a_stop_is_held_back() {
        let told = |pieces: &[&str]| said(&["\n\n", "END"], pieces);
        assert_eq!(told(&["a", "b"]), (vec!["a".into(), "b".into(), String::new()], false));
        assert_eq!(told(&["a\n", "b"]), (vec!["a".into(), "\nb".into(), String::new()], false));
        assert_eq!(told(&["a\n", "\nb"]), (vec!["a".into(), String::new()], true));
        assert_eq!(
            told(&["aE", "N", "ough"]),
            (vec!["a".into(), String::new(), "ENough".into(), String::new()], false)
        );
        assert_eq!(told(&["aE", "N"]), (vec!["a".into(), String::new(), "EN".into()], false));
        assert_eq!(told(&["x END y\n\n"]), (vec!["x ".into()], true), "the first of the two");
        assert_eq!(told(&["GLI1 ä", "ENDE"]), (vec!["GLI1 ä".into(), String::new()], true));
        assert_eq!(said(&[""], &["a"]), (vec!["a".into(), String::new()], false));
    }
}
