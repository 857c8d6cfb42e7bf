//! A model that calls functions: GeneGPT's loop (Jin et al., 2023, arXiv 2304.09667; github.com/ncbi/GeneGPT).
//!
//! The model goes on with a text that tells it of NCBI's functions and shows two examples. When it writes an address in square
//! brackets the function is called, `->[result]` is added, and it is asked again; what it writes without an address is its
//! answer, behind `Answer:` where it says so. The examples are not GeneTuring's questions, one of which the published prompt
//! answers. All questions take a turn together, so that a local model's batch and an endpoint's concurrency are used.

use std::collections::HashMap;

use anyhow::Result;
use geneverse_data::dataset::Example;
use geneverse_data::progress::Progress;
use geneverse_data::stage::hash_bytes;

use super::calls::{BLAST, EUTILS, address, final_answer};
use super::eutils::Service;
use super::{Answerer, Call, Hear, Outcome, Said, Trace};
use crate::stop;
use crate::ui::Ui;

/// The longest result that a model is shown, in bytes, and the longest text that it reads: as published.
const LONGEST_RESULT: usize = 10_000;
const LONGEST_PROMPT: usize = 18_000;

/// What it is told. `{eutils}` and `{blast}` are their addresses.
const DOCUMENTATION: &str = "Answer questions about genes with NCBI's functions. To call one, write its address in square \
    brackets and stop; its result will be put behind an arrow, and you go on. When you know enough, write \"Answer: \" and \
    nothing but the answer.\n\n\
    [{eutils}esearch.fcgi?db={gene|snp|omim}&retmode=json&retmax=5&term=TERM] finds the ids of what a term names.\n\
    [{eutils}esummary.fcgi?db={gene|snp|omim}&id=ID,ID] tells names, aliases, places and more of ids; efetch.fcgi the same.\n\
    gene has genes, snp variants, omim diseases.\n\
    [{blast}?CMD=Put&PROGRAM=blastn&MEGABLAST=on&DATABASE=nt&QUERY=SEQUENCE&HITLIST_SIZE=5] starts the alignment of a DNA \
    sequence and gives its RID; [{blast}?CMD=Get&FORMAT_TYPE=Text&RID=RID] gives what it came to.\n\n";

/// Questions with the calls that answer them, made when the work begins.
const EXAMPLES: [(&str, &str, &str); 2] = [
    ("What is the official gene symbol of VEGFR2?", "VEGFR2", "KDR"),
    ("Which chromosome is KDR gene located on human genome?", "KDR", "chr4"),
];

/// The prompt's version, by its words.
pub(super) fn hash() -> String {
    let examples: Vec<String> = EXAMPLES.iter().map(|(a, b, c)| format!("{a}\0{b}\0{c}")).collect();
    hash_bytes(format!("{DOCUMENTATION}{}", examples.join("\0")).as_bytes())
}

/// Another answerer with functions to call.
pub(super) struct Tools<'a> {
    inner: Box<dyn Answerer + 'a>,
    service: Box<dyn Service>,
    most: usize,
    /// What was called before: a model asks the same of many questions.
    known: HashMap<String, String>,
    header: Option<String>,
    ui: &'a Ui,
}

impl<'a> Tools<'a> {
    pub(super) fn new(
        inner: Box<dyn Answerer + 'a>,
        service: Box<dyn Service>,
        most: usize,
        ui: &'a Ui,
    ) -> Self {
        Self { inner, service, most, known: HashMap::new(), header: None, ui }
    }

    /// A call's result, as the model is shown it.
    fn call(&mut self, url: &str) -> String {
        if let Some(known) = self.known.get(url) {
            return known.clone();
        }
        let mut result = match self.service.call(url) {
            Ok(result) => result,
            Err(why) => format!("error: {why}"),
        };
        result.truncate(floor(&result, LONGEST_RESULT));
        self.ui.note(&format!("  called {url}"));
        self.known.insert(url.to_owned(), result.clone());
        result
    }

    fn header(&mut self) -> String {
        let mut text = DOCUMENTATION.replace("{eutils}", EUTILS).replace("{blast}", BLAST);
        for (question, term, answer) in EXAMPLES {
            let search = format!("{EUTILS}esearch.fcgi?db=gene&retmode=json&retmax=5&term={term}");
            let found = self.call(&search);
            let ids: Vec<&str> = found.split('"').filter(|part| part.parse::<u32>().is_ok()).collect();
            // Behind the count stand the ids; an example of which the database has nothing would teach nothing.
            let Some(id) = ids.get(1) else { continue };
            let told_by = format!("{EUTILS}esummary.fcgi?db=gene&id={id}");
            let told = self.call(&told_by);
            text.push_str(&format!(
                "Question: {question}\n[{search}]->[{found}]\n[{told_by}]->[{told}]\nAnswer: {answer}\n\n"
            ));
        }
        text
    }
}

/// A question under way.
struct Talk {
    place: usize,
    text: String,
    calls: Vec<Call>,
    trace: Trace,
}

impl Answerer for Tools<'_> {
    fn answer(&mut self, questions: &[Example], hear: &mut Hear<'_>) -> Result<()> {
        let header = match self.header.take() {
            Some(header) => header,
            None => self.header(),
        };
        self.header = Some(header.clone());
        let begin = |(place, example): (usize, &Example)| Talk {
            place,
            text: format!("Question: {}\n", example.instruction),
            calls: Vec::new(),
            trace: Trace::default(),
        };
        let mut talks: Vec<Talk> = questions.iter().enumerate().map(begin).collect();
        while !talks.is_empty() && !stop::asked() {
            let asked: Vec<Example> = talks
                .iter()
                .map(|talk| {
                    let whole = format!("{header}{}", talk.text);
                    // The beginning goes first, as published.
                    let start = ceil(&whole, whole.len().saturating_sub(LONGEST_PROMPT));
                    Example { instruction: whole[start..].to_owned(), ..questions[talk.place].clone() }
                })
                .collect();
            let mut turns: Vec<Option<Outcome>> = vec![None; talks.len()];
            self.inner.answer(&asked, &mut |place, outcome| {
                turns[place] = Some(outcome);
                Ok(!stop::asked())
            })?;
            let mut open = Vec::new();
            for (mut talk, turn) in talks.into_iter().zip(turns) {
                let more = match turn {
                    // It was not reached.
                    None => continue,
                    Some(Err(why)) => hear(talk.place, Err(why))?,
                    Some(Ok(said)) => {
                        let tokens =
                            talk.trace.tokens.unwrap_or_default() + said.trace.tokens.unwrap_or_default();
                        talk.trace = Trace { tokens: Some(tokens), ..said.trace };
                        match address(&said.text) {
                            Some((before, url)) if talk.calls.len() < self.most => {
                                let result = self.call(url);
                                talk.text.push_str(&format!("{before}[{url}]->[{result}]\n"));
                                talk.calls.push(Call { url: url.to_owned(), result });
                                open.push(talk);
                                continue;
                            }
                            Some(_) => {
                                let why = format!("no answer after {} calls", self.most);
                                hear(talk.place, Err(why))?
                            }
                            None => {
                                let text = final_answer(&said.text).to_owned();
                                let trace = Trace { calls: talk.calls, ..talk.trace };
                                hear(talk.place, Ok(Said { text, trace }))?
                            }
                        }
                    }
                };
                if !more {
                    return Ok(());
                }
            }
            talks = open;
        }
        Ok(())
    }

    fn load_seconds(&self) -> f64 {
        self.inner.load_seconds()
    }
}

fn floor(text: &str, most: usize) -> usize {
    (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default()
}

fn ceil(text: &str, least: usize) -> usize {
    (least..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says the next of its lines to whatever it is asked, and keeps what it was asked.
    struct Scripted {
        lines: Vec<&'static str>,
        asked: std::rc::Rc<std::cell::RefCell<Vec<String>>>,
    }

    impl Answerer for Scripted {
        fn answer(&mut self, questions: &[Example], hear: &mut Hear<'_>) -> Result<()> {
            for (place, question) in questions.iter().enumerate() {
                self.asked.borrow_mut().push(question.instruction.clone());
                let text = self.lines.remove(0).to_owned();
                hear(place, Ok(Said { text, ..Said::default() }))?;
            }
            Ok(())
        }
    }

    struct Echo;

    impl Service for Echo {
        fn call(&self, url: &str) -> Result<String, String> {
            if url.contains("omim") {
                Err("not here".to_owned())
            } else {
                Ok(format!("[\"1\",\"7\"] {}", "x".repeat(20_000)))
            }
        }
    }

    fn talk(lines: Vec<&'static str>, most: usize) -> (Outcome, Vec<String>) {
        let asked = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
        let ui = Ui::new(false, true);
        let inner = Box::new(Scripted { lines, asked: asked.clone() });
        let mut tools = Tools::new(inner, Box::new(Echo), most, &ui);
        let question = Example { instruction: "What is A1?".to_owned(), ..Example::default() };
        let mut heard = None;
        tools
            .answer(&[question], &mut |_, outcome| {
                heard = Some(outcome);
                Ok(true)
            })
            .unwrap();
        drop(tools);
        (heard.unwrap(), asked.take())
    }

    #[test]
    fn a_model_calls_reads_and_answers() {
        let lines = vec![
            "I look. [https://eutils.ncbi.nlm.nih.gov/entrez/eutils/esearch.fcgi?db=gene&term=A1]->[made up]\nAnswer: wrong",
            "[https://eutils.ncbi.nlm.nih.gov/entrez/eutils/esearch.fcgi?db=omim&term=A1]",
            "Answer: B2\n\nQuestion: what else?",
        ];
        let (heard, asked) = talk(lines, 10);
        let said = heard.unwrap();
        assert_eq!(said.text, "B2");
        assert_eq!(said.trace.calls.len(), 2);
        assert_eq!(said.trace.calls[0].result.len(), LONGEST_RESULT);
        assert_eq!(said.trace.calls[1].result, "error: not here");
        assert!(asked.iter().all(|text| text.len() <= LONGEST_PROMPT));
        assert!(asked[2].ends_with("->[error: not here]\n") && !asked[2].contains("made up"));
    }

    #[test]
    fn a_model_that_only_calls_is_stopped_and_told_apart() {
        let line = "[https://eutils.ncbi.nlm.nih.gov/x]";
        let (heard, asked) = talk(vec![line; 4], 3);
        assert_eq!(heard.unwrap_err(), "no answer after 3 calls");
        assert_eq!(asked.len(), 4);
    }

    #[test]
    fn addresses_are_found_as_the_published_program_finds_them() {
        assert_eq!(address("see [https://a.b/c?d=e] and more"), Some(("see ", "https://a.b/c?d=e")));
        assert_eq!(
            address("[https://unfinished"),
            Some(("", "https://unfinished")),
            "a stop cut the bracket off"
        );
        assert_eq!(address("[1] no address"), None);
        assert_eq!(final_answer("Answer: KDR"), "KDR");
        assert_eq!(final_answer(" KDR "), "KDR");
    }
}
