//! What is found first, in which order, and how it is put before a model.

use geneverse_data::gene::{GeneKind, GeneRecord, GeneSymbol, HgncId, Summary};
use proptest::prelude::*;

use super::*;

fn record(symbol: &str, name: &str, aliases: &[&str], summary: &str) -> GeneRecord {
    let mut record = GeneRecord::new(GeneSymbol::parse(symbol).unwrap(), name, GeneKind::ProteinCoding);
    record.aliases = aliases.iter().map(|alias| (*alias).to_owned()).collect();
    record.summary = Some(Summary { text: summary.to_owned(), source: "test".to_owned() });
    record
}

fn retriever(chunk: usize) -> Retriever {
    formed(Form::Document, chunk)
}

fn formed(form: Form, chunk: usize) -> Retriever {
    let encoder = |texts: &[&str], _: Option<&[u8]>| -> Result<Box<dyn Encoder>, String> {
        Ok(Box::new(Latent::new(texts)))
    };
    Retriever::new(records().into_iter().collect(), form, chunk, None, encoder).unwrap()
}

fn records() -> [GeneRecord; 4] {
    let mut gli1 = record(
        "GLI1",
        "GLI family zinc finger 1",
        &["GLI"],
        "A transcription factor that hedgehog signaling activates. It regulates stem cells.",
    );
    gli1.hgnc_id = Some(HgncId(4317));
    [
        gli1,
        record(
            "GLI2",
            "GLI family zinc finger 2",
            &["THP1"],
            "A transcription factor of the hedgehog pathway.",
        ),
        record("CASP10", "caspase 10", &["MCH4", "SHARED"], "A protease that starts apoptosis."),
        record(
            "KDR",
            "kinase insert domain receptor",
            &["VEGFR2", "SHARED"],
            "A receptor of growth factors.",
        ),
    ]
}

fn symbols<'a>(found: &[Found<'a>]) -> Vec<&'a str> {
    found.iter().map(|found| found.passage.symbol.as_str()).collect()
}

#[test]
fn genes_are_found_by_symbol_alias_and_identifier_before_those_that_are_alike() {
    let retriever = retriever(512);
    let find = |question: &str, k| symbols(&retriever.find(question, Recipe::Symbol, k).unwrap());
    assert_eq!(find("How does GLI2 act in hedgehog signaling?", 2), ["GLI2", "GLI1"]);
    assert_eq!(find("What does VEGFR2 do?", 1), ["KDR"]);
    assert_eq!(find("What is HGNC:4317?", 1), ["GLI1"]);
    assert_eq!(find("What does SHARED do?", 2), ["CASP10", "KDR"], "an alias of two genes is both");
    assert_eq!(find("What starts apoptosis?", 1), ["CASP10"], "no gene is named");
    let own = |question: &str| symbols(&retriever.find(question, Recipe::Own, 5).unwrap());
    assert_eq!(own("Is GLI1 like KDR's product?"), ["GLI1", "KDR"]);
    assert!(own("Is this a gene?").is_empty());
    assert!(find("GLI1", 0).is_empty());
    let without = ["GLI2".to_owned()].into();
    for (recipe, first) in [(Recipe::Symbol, "GLI1"), (Recipe::Baseline, "GLI1")] {
        let found =
            retriever.find_without("Does GLI2 act in hedgehog signaling?", recipe, 9, &without).unwrap();
        assert_eq!((symbols(&found)[0], found.len()), (first, 3), "{recipe:?}");
    }
    assert!(
        retriever.find_without("Does GLI2 act?", Recipe::Own, 9, &without).unwrap().is_empty(),
        "what is left out is not found by its name either"
    );
}

#[derive(Default)]
struct Notes(std::sync::Mutex<Vec<String>>);

impl Progress for Notes {
    fn start(&self, _what: &str, _total: Option<u64>, _unit: &'static str) {}
    fn set(&self, _done: u64) {}
    fn state(&self, _words: &str) {}
    fn note(&self, line: &str) {
        self.0.lock().unwrap().push(line.to_owned());
    }
    fn finish(&self) {}
}

#[test]
fn vectors_are_computed_once_and_what_is_stale_or_broken_is_told_and_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let place =
        |encoder: &str| Place { file: folder.path().join("genes.vectors"), encoder: encoder.to_owned() };
    let notes = Notes::default();
    let open = |place: &Place, records: &[GeneRecord]| {
        let made = std::cell::Cell::new(0);
        let encoder = |texts: &[&str], state: Option<&[u8]>| -> Result<Box<dyn Encoder>, String> {
            let Some(state) = state else {
                made.set(made.get() + 1);
                return Ok(Box::new(Latent::new(texts)));
            };
            Ok(Box::new(Latent::from_state(state)?))
        };
        let index = records.iter().cloned().collect();
        let progress: &dyn Progress = &notes;
        let found = Retriever::new(index, Form::Lines, 512, Some((place, progress)), encoder).unwrap();
        let question = "Which factor does hedgehog signaling activate?";
        let found: Vec<(String, f64)> = [Recipe::Symbol, Recipe::Baseline]
            .into_iter()
            .flat_map(|recipe| found.find(question, recipe, 4).unwrap())
            .map(|found| (found.passage.symbol.clone(), found.score))
            .collect();
        (found, made.get())
    };
    let (first, made) = open(&place("one"), &records());
    assert_eq!((made, first.len()), (1, 8));
    assert_eq!(open(&place("one"), &records()), (first.clone(), 0), "to the bit, and nothing made");
    assert!(notes.0.lock().unwrap().is_empty());
    assert_eq!(open(&place("two"), &records()), (first.clone(), 1), "another encoder");
    assert_eq!(open(&place("two"), &records()[..3]).1, 1, "other records");
    assert_eq!(open(&place("two"), &records()), (first.clone(), 1));

    let file = folder.path().join("genes.vectors");
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(open(&place("two"), &records()), (first.clone(), 1), "cut off");
    assert_eq!(std::fs::read(&file).unwrap(), whole);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    let stale = format!("{}: is of other records, or of another encoder; it is made anew", file.display());
    let broken = format!("{}: is broken or cut off; it is made anew", file.display());
    assert_eq!(*notes.0.lock().unwrap(), [stale.clone(), stale.clone(), stale, broken]);

    let nowhere = Place { file: file.join("x"), encoder: "one".to_owned() };
    assert_eq!(open(&nowhere, &records()), (first, 1), "where nothing can be kept it works as well");
    assert!(notes.0.lock().unwrap().last().unwrap().starts_with("vectors of passages are not kept: "));
}

#[test]
fn an_encoders_state_makes_the_same_encoder_and_other_bytes_none() {
    let texts =
        ["hedgehog signaling activates it", "a protease of apoptosis", "a receptor of growth factors"];
    let one = Latent::new(&texts);
    let state = one.state();
    let other = Latent::from_state(&state).unwrap();
    assert_eq!(one.encode(&texts).unwrap(), other.encode(&texts).unwrap());
    assert_eq!(one.describe(), other.describe());
    let error = |state: &[u8]| Latent::from_state(state).err().unwrap();
    for cut in [0, 15, 16, 100, state.len() - 30] {
        assert_eq!(error(&state[..cut]), "does not hold the words that it should", "cut at {cut}");
    }
    assert_eq!(error(&[255; 40]), "does not hold the words that it should");
}

#[test]
fn ranks_are_fused_and_ties_go_to_the_earlier() {
    let places: Vec<usize> = fuse(&[vec![3, 1, 2], vec![1, 3]]).into_iter().map(|(place, _)| place).collect();
    assert_eq!(places, [1, 3, 2]);
    let one = fuse(&[vec![7]]);
    assert!((one[0].1 - 1.0 / 61.0).abs() < 1e-12);
}

#[test]
fn the_baseline_asks_in_llama_indexs_words_and_ours_in_the_tasks() {
    let retriever = retriever(512);
    let example = Example { instruction: "What does GLI1 do?".to_owned(), ..Example::default() };
    let found = retriever.find(&example.instruction, Recipe::Own, 1).unwrap();
    let asked = ask(&example, &found, Recipe::Baseline, 512);
    let text = &retriever.passages()[0].text;
    assert!(
        text.starts_with("GLI1 (GLI family zinc finger 1)\nAlso known as: GLI\nKind: protein-coding gene\n")
    );
    assert_eq!(
        asked.instruction,
        format!(
            "Context information is below.\n---------------------\n{text}\n---------------------\nGiven the context \
             information and not prior knowledge, answer the query.\nQuery: What does GLI1 do?\nAnswer: "
        )
    );
    let both = retriever.find("GLI1 or GLI2?", Recipe::Symbol, 2).unwrap();
    let asked = ask(&example, &both, Recipe::Symbol, 512);
    assert_eq!(asked.instruction, example.instruction);
    assert_eq!(asked.input.matches("hedgehog").count(), 2);
    let short = ask(&example, &both, Recipe::Symbol, 20);
    assert!(tokens(&short.input) <= 20 && short.input.starts_with("GLI1"), "{}", short.input);
    assert_eq!(ask(&example, &[], Recipe::Symbol, 512), example);
}

#[test]
fn a_record_that_is_to_be_copied_is_in_the_answers_words() {
    let retriever = formed(Recipe::Symbol.form(), 512);
    let found = retriever.find("What does GLI1 do?", Recipe::Symbol, 1).unwrap();
    assert_eq!(
        found[0].passage.text,
        "Gene: GLI1\nFull name: GLI family zinc finger 1\nKind: protein-coding gene\nAlso known as: GLI\n\
         Identifiers: AllianceGenome:HGNC:4317\nFunction: A transcription factor that hedgehog signaling activates. \
         It regulates stem cells."
    );
    assert_eq!([Recipe::Baseline, Recipe::Own].map(Recipe::form), [Form::Document; 2]);
}

#[test]
fn a_long_record_becomes_chunks_that_overlap_and_only_the_first_says_whose_it_is() {
    let retriever = retriever(24);
    let own: Vec<&Passage> = retriever.passages().iter().filter(|p| p.symbol == "GLI1").collect();
    assert!(own.len() > 1);
    assert!(own[0].text.contains("GLI1") && !own[1].text.contains("GLI1 ("), "{own:?}");
    assert_eq!(own.iter().map(|p| p.piece).collect::<Vec<_>>(), (0..own.len()).collect::<Vec<_>>());
}

proptest! {
    #[test]
    fn chunks_hold_every_sentence_and_keep_their_length(
        words in proptest::collection::vec("[a-zé]{1,12}[.;]?", 0..80), chunk in 1_usize..60,
    ) {
        let mut record = record("GLI1", "a name", &[], &words.join(" "));
        record.kind = GeneKind::Other;
        let text = document(&record);
        let passages = passages(&record, Form::Document, chunk);
        for piece in &passages {
            prop_assert!(text.contains(&piece.text));
            let one = !piece.text.contains('\n') && !piece.text.contains(". ") && !piece.text.contains("; ");
            prop_assert!(one || tokens(&piece.text) <= chunk, "{:?}", piece.text);
        }
        for word in &words {
            prop_assert!(passages.iter().any(|p| p.text.contains(word.as_str())));
        }
        for most in [0, 5, 1000] {
            let short = passage::cut(&text, most);
            prop_assert!(text.starts_with(short) && tokens(short) <= most);
        }
    }
}
