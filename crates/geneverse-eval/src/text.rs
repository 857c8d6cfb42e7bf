//! Overlap of an answer with its reference: BLEU as sacrebleu counts it, ROUGE as rouge-score does.
//!
//! Overlap is no truth: on gene descriptions much of it is phrases that all answers share. It is reported because the
//! literature does, and exactly so that figures can be compared. Golden values of both programs are in
//! `tests/goldens/text_goldens.json`; ours equal them to 1e-9. All scores are fractions in [0, 1].

mod bleu;
mod grams;
mod lcs;
mod porter;
mod rouge;
mod tokenize;

pub use bleu::{Bleu, BleuCounts, BleuScore, Smoothing, corpus_bleu, sentence_bleu};
pub use rouge::{Rouge, RougeScore, RougeScores, rouge1};
pub use tokenize::Tokenizer;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_perfect_answer_is_exactly_one() {
        let text = "The encoded transcription factor is activated by hedgehog signaling.";
        assert_eq!(corpus_bleu([(text, text)]), 1.0);
        assert_eq!(rouge1(text, text), 1.0);
        assert_eq!(corpus_bleu(Vec::<(&str, &str)>::new()), 0.0);
    }

    #[test]
    fn signatures_say_how_bleu_was_counted() {
        assert_eq!(Bleu::default().signature(Some(1)), "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp");
        let other = Bleu {
            tokenizer: Tokenizer::International,
            lowercase: true,
            smoothing: Smoothing::Floor(0.1),
            ..Bleu::sentence()
        };
        assert_eq!(other.signature(None), "nrefs:var|case:lc|eff:yes|tok:intl|smooth:floor[0.10]");
    }

    #[test]
    fn without_references_nothing_matches() {
        let bleu = Bleu::default();
        let counts = bleu.count::<&str>("four words are here", &[]);
        assert_eq!((counts.reference_tokens, counts.correct.iter().sum::<u64>()), (0, 0));
        assert_eq!(bleu.score(&counts).score, 0.0);
        assert_eq!(Rouge::default().best_scores::<&str>("a", &[]), RougeScores::default());
    }
}
