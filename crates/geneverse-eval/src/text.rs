//! Overlap of an answer with its reference: corpus BLEU as sacrebleu counts it, ROUGE-1 as rouge-score does.
//!
//! BLEU (Papineni et al. 2002): the geometric mean of the clipped 1- to 4-gram precisions, times the brevity
//! penalty. sacrebleu's choices are kept to the letter: tokenizer `13a`, exponential smoothing (each order
//! without a match counts as 1 / (2^k · total)), `effective_order` off. Its signature is
//! `nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp`.
//!
//! ROUGE-1 (Lin 2004): unigram F1 over lower-cased runs of `[a-z0-9]`, without stemming.
//!
//! Both are fractions in [0, 1] here; sacrebleu prints BLEU times 100.

use std::collections::HashMap;

/// The longest n-gram that BLEU counts.
const MAX_ORDER: usize = 4;

/// Counts that add up over a corpus, from which BLEU follows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct BleuCounts {
    answer_tokens: usize,
    reference_tokens: usize,
    correct: [usize; MAX_ORDER],
    total: [usize; MAX_ORDER],
}

/// BLEU over a whole set of (answer, reference) pairs, in [0, 1]; 0 for an empty set.
pub fn corpus_bleu<A: AsRef<str>, R: AsRef<str>>(pairs: impl IntoIterator<Item = (A, R)>) -> f64 {
    let mut sum = BleuCounts::default();
    for (answer, reference) in pairs {
        let one = count_ngrams(answer.as_ref(), reference.as_ref());
        sum.answer_tokens += one.answer_tokens;
        sum.reference_tokens += one.reference_tokens;
        for n in 0..MAX_ORDER {
            sum.correct[n] += one.correct[n];
            sum.total[n] += one.total[n];
        }
    }
    bleu_of(&sum, false)
}

/// BLEU of one answer, in [0, 1], as sacrebleu's `sentence_bleu`: orders longer than the answer are left out.
pub fn sentence_bleu(answer: &str, reference: &str) -> f64 {
    bleu_of(&count_ngrams(answer, reference), true)
}

fn bleu_of(counts: &BleuCounts, effective_order: bool) -> f64 {
    if counts.correct.iter().all(|&c| c == 0) {
        return 0.0;
    }
    let (answer, reference) = (counts.answer_tokens as f64, counts.reference_tokens as f64);
    let brevity_penalty = if answer < reference { (1.0 - reference / answer).exp() } else { 1.0 };
    let mut log_sum = 0.0;
    let mut orders = MAX_ORDER;
    let mut smoothing = 1.0;
    for n in 0..MAX_ORDER {
        if counts.total[n] == 0 {
            if !effective_order {
                return 0.0;
            }
            orders = n;
            break;
        }
        let correct = if counts.correct[n] == 0 {
            smoothing *= 2.0;
            1.0 / smoothing
        } else {
            counts.correct[n] as f64
        };
        log_sum += (correct / counts.total[n] as f64).ln();
    }
    (brevity_penalty * (log_sum / orders as f64).exp()).min(1.0)
}

fn count_ngrams(answer: &str, reference: &str) -> BleuCounts {
    let (answer, reference) = (tokenize_13a(answer), tokenize_13a(reference));
    let mut counts = BleuCounts {
        answer_tokens: answer.len(),
        reference_tokens: reference.len(),
        ..BleuCounts::default()
    };
    for n in 1..=MAX_ORDER {
        let mut left: HashMap<&[String], usize> = HashMap::new();
        for gram in reference.windows(n) {
            *left.entry(gram).or_default() += 1;
        }
        for gram in answer.windows(n) {
            counts.total[n - 1] += 1;
            if let Some(count) = left.get_mut(gram).filter(|count| **count > 0) {
                *count -= 1;
                counts.correct[n - 1] += 1;
            }
        }
    }
    counts
}

/// mteval-v13a's tokens, by the same four rewrites that sacrebleu applies one after the other.
fn tokenize_13a(text: &str) -> Vec<String> {
    let mut line =
        text.trim_end_matches(is_blank).replace("<skipped>", "").replace("-\n", "").replace('\n', " ");
    if line.contains('&') {
        line = line.replace("&quot;", "\"").replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">");
    }
    let mut spaced = String::with_capacity(line.len() * 2);
    spaced.push(' ');
    for c in line.chars() {
        if matches!(c, '{'..='~' | '['..='`' | ' '..='&' | '('..='+' | ':'..='@' | '/') {
            spaced.extend([' ', c, ' ']);
        } else {
            spaced.push(c);
        }
    }
    spaced.push(' ');
    let digit = |c: char| c.is_ascii_digit();
    let stop = |c: char| matches!(c, '.' | ',');
    let spaced =
        rewrite_pairs(&spaced, |a, b| !digit(a) && stop(b), |a, b, out| out.extend([a, ' ', b, ' ']));
    let spaced =
        rewrite_pairs(&spaced, |a, b| stop(a) && !digit(b), |a, b, out| out.extend([' ', a, ' ', b]));
    let spaced =
        rewrite_pairs(&spaced, |a, b| digit(a) && b == '-', |a, b, out| out.extend([a, ' ', b, ' ']));
    spaced.split(is_blank).filter(|token| !token.is_empty()).map(str::to_owned).collect()
}

/// Rewrites each pair of neighbours that `matches`, from the left and without overlap, as `re.sub` does.
fn rewrite_pairs(
    text: &str,
    matches: impl Fn(char, char) -> bool,
    rewrite: impl Fn(char, char, &mut String),
) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut chars = text.chars().peekable();
    while let Some(first) = chars.next() {
        match chars.peek() {
            Some(&second) if matches(first, second) => {
                rewrite(first, second, &mut out);
                chars.next();
            }
            _ => out.push(first),
        }
    }
    out
}

/// What Python's `str.split` takes for white space: Unicode's, and the four separators U+001C to U+001F.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// Unigram F1 of an answer against its reference, in [0, 1].
pub fn rouge1(answer: &str, reference: &str) -> f64 {
    let (answer, reference) = (rouge_tokens(answer), rouge_tokens(reference));
    let mut left: HashMap<&str, usize> = HashMap::new();
    for token in &reference {
        *left.entry(token).or_default() += 1;
    }
    let mut shared = 0;
    for token in &answer {
        if let Some(count) = left.get_mut(token.as_str()).filter(|count| **count > 0) {
            *count -= 1;
            shared += 1;
        }
    }
    let precision = shared as f64 / answer.len().max(1) as f64;
    let recall = shared as f64 / reference.len().max(1) as f64;
    if shared == 0 { 0.0 } else { 2.0 * precision * recall / (precision + recall) }
}

/// ROUGE's words: lower-cased runs of `[a-z0-9]`.
pub(crate) fn rouge_tokens(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    lower
        .split(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit())
        .filter(|token| !token.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_follow_mteval() {
        let check = |text: &str, wanted: &str| assert_eq!(tokenize_13a(text).join(" "), wanted);
        check("p53 (TP53), 1,000.5 bp.", "p53 ( TP53 ) , 1,000.5 bp .");
        check("5-HT &quot;x&quot; a..b", "5 - HT \" x \" a . . b");
        check("beta-\ncatenin\nWnt", "betacatenin Wnt");
        check("", "");
    }

    #[test]
    fn a_perfect_answer_is_exactly_one() {
        let text = "The encoded transcription factor is activated by hedgehog signaling.";
        assert_eq!(corpus_bleu([(text, text)]), 1.0);
        assert_eq!(rouge1(text, text), 1.0);
        assert_eq!(corpus_bleu(Vec::<(&str, &str)>::new()), 0.0);
    }
}
