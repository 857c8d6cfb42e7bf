//! Small grammar: clean clauses, lists, articles, places.

/// Runs of blanks, line ends and control characters become one blank; runs of full stops become one.
pub(super) fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()) {
        // A stop that stands alone belongs to the word before it.
        let alone = word.chars().all(|c| c == '.');
        if !cleaned.is_empty() && !alone {
            cleaned.push(' ');
        }
        for letter in word.chars() {
            if letter != '.' || !cleaned.ends_with('.') {
                cleaned.push(letter);
            }
        }
    }
    cleaned
}

/// A text that can stand inside a sentence: clean, without punctuation at its ends; `None` where
/// nothing with a letter or digit is left.
pub(super) fn clause(text: &str) -> Option<String> {
    let cleaned = clean(text);
    let bare = cleaned.trim_matches(|c: char| c.is_whitespace() || ".,;:".contains(c));
    bare.chars().any(char::is_alphanumeric).then(|| bare.to_owned())
}

/// "A", "A and B", "A, B and C"; `None` for an empty list.
pub(super) fn and_list(items: &[String]) -> Option<String> {
    match items {
        [] => None,
        [one] => Some(one.clone()),
        [first @ .., last] => Some(format!("{} and {last}", first.join(", "))),
    }
}

/// The noun with "a" or "an".
pub(super) fn with_article(noun: &str) -> String {
    // "RNA" is said "ar-en-ay"; "Y" begins with a consonant's sound.
    let vowel = noun.starts_with(['a', 'e', 'i', 'o', 'u']) || noun.starts_with("RNA");
    format!("{} {noun}", if vowel { "an" } else { "a" })
}

/// "Broad expression in" → "broad expression in"; "TCR …" stays.
pub(super) fn lower_start(text: &str) -> String {
    let mut letters = text.chars();
    match (letters.next(), letters.next()) {
        (Some(first), Some(second)) if first.is_uppercase() && second.is_lowercase() => {
            first.to_lowercase().chain(std::iter::once(second)).chain(letters).collect()
        }
        _ => text.to_owned(),
    }
}

/// A location of HGNC's or NCBI's in words: `12q13.3`, `Xp22.33 and Yp11.2`, `19`, `mitochondria`,
/// `22 unplaced`, `reserved`.
pub(super) fn place(location: &str) -> Option<String> {
    let location = clause(location)?;
    let chromosome: String = location.chars().take_while(char::is_ascii_digit).collect();
    let chromosome = match location.chars().next() {
        Some(sex @ ('X' | 'Y')) => sex.to_string(),
        _ => chromosome,
    };
    let rest = &location[chromosome.len()..];
    match (chromosome.as_str(), rest) {
        ("", _) if location.starts_with("mito") || location == "MT" => {
            Some("in the mitochondrial genome".to_owned())
        }
        // "reserved", "unplaced", "not on reference assembly", …: no place is known.
        ("", _) => None,
        (_, "") => Some(format!("on chromosome {chromosome}")),
        (_, band) if band.starts_with(['p', 'q', 'c']) => Some(format!("at {location}")),
        (_, remark) => match clause(remark) {
            Some(remark) if remark.starts_with("and ") => {
                Some(format!("on chromosomes {chromosome} {remark}"))
            }
            Some(remark) => Some(format!("on chromosome {chromosome} ({remark})")),
            None => Some(format!("on chromosome {chromosome}")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cleaned_for_a_sentence() {
        assert_eq!(clean("  a\tb\r\n c .. d... "), "a b c. d.");
        assert_eq!(clause("zinc finger 1. ").as_deref(), Some("zinc finger 1"));
        assert_eq!(clause(" .,; "), None);
        assert_eq!(with_article("endogenous retrovirus"), "an endogenous retrovirus");
        assert_eq!(with_article("RNA gene"), "an RNA gene");
        assert_eq!(lower_start("Broad"), "broad");
        assert_eq!(lower_start("TCR"), "TCR");
    }

    #[test]
    fn places_are_told_in_words() {
        let told = |location| place(location).unwrap_or_default();
        assert_eq!(told("12q13.3"), "at 12q13.3");
        assert_eq!(told("Xp22.33 and Yp11.2"), "at Xp22.33 and Yp11.2");
        assert_eq!(told("mitochondria"), "in the mitochondrial genome");
        assert_eq!(told("19"), "on chromosome 19");
        assert_eq!(told("X and Y"), "on chromosomes X and Y");
        assert_eq!(told("22 unplaced"), "on chromosome 22 (unplaced)");
        assert_eq!(told("1cen-q12"), "at 1cen-q12");
        assert_eq!(told("reserved"), "");
    }
}
