//! Porter's stemmer ("An algorithm for suffix stripping", Program 14(3), 1980) with the extensions of NLTK, which
//! rouge-score stems with: a table of irregular forms, `ies` and `ied` in words of four letters, `y` only after a
//! consonant, `alli` before the rest of step 2, `fulli` and `logi`.
//!
//! A word is a list of bytes in `a-z0-9`; a digit counts as a consonant. The measure m of a word is how often a vowel is
//! followed by a consonant. In each step the first rule whose suffix fits is the only one tried.

/// What is not stemmed by rule.
const IRREGULAR: [(&str, &str); 16] = [
    ("sky", "sky"),
    ("skies", "sky"),
    ("dying", "die"),
    ("lying", "lie"),
    ("tying", "tie"),
    ("news", "news"),
    ("innings", "inning"),
    ("inning", "inning"),
    ("outings", "outing"),
    ("outing", "outing"),
    ("cannings", "canning"),
    ("canning", "canning"),
    ("howe", "howe"),
    ("proceed", "proceed"),
    ("exceed", "exceed"),
    ("succeed", "succeed"),
];

const STEP_2: [(&str, &str); 21] = [
    ("ational", "ate"),
    ("tional", "tion"),
    ("enci", "ence"),
    ("anci", "ance"),
    ("izer", "ize"),
    ("bli", "ble"),
    ("alli", "al"),
    ("entli", "ent"),
    ("eli", "e"),
    ("ousli", "ous"),
    ("ization", "ize"),
    ("ation", "ate"),
    ("ator", "ate"),
    ("alism", "al"),
    ("iveness", "ive"),
    ("fulness", "ful"),
    ("ousness", "ous"),
    ("aliti", "al"),
    ("iviti", "ive"),
    ("biliti", "ble"),
    ("fulli", "ful"),
];

const STEP_3: [(&str, &str); 7] = [
    ("icate", "ic"),
    ("ative", ""),
    ("alize", "al"),
    ("iciti", "ic"),
    ("ical", "ic"),
    ("ful", ""),
    ("ness", ""),
];

const STEP_4: [&str; 19] = [
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism",
    "ate", "iti", "ous", "ive", "ize",
];

/// The stem of a word in `a-z0-9`.
pub(super) fn stem(word: &str) -> String {
    if let Some((_, stem)) = IRREGULAR.iter().find(|(form, _)| *form == word) {
        return (*stem).to_owned();
    }
    if word.len() <= 2 || !word.is_ascii() {
        return word.to_owned();
    }
    let mut word = word.to_owned();
    plurals(&mut word);
    past_and_progressive(&mut word);
    final_y(&mut word);
    double_suffixes(&mut word);
    replace_first(&mut word, &STEP_3);
    single_suffixes(&mut word);
    final_e(&mut word);
    if word.ends_with("ll") && measure(&word[..word.len() - 1]) > 1 {
        word.pop();
    }
    word
}

/// Step 1a.
fn plurals(word: &mut String) {
    let cut = match word.as_str() {
        w if w.ends_with("ies") && w.len() == 4 => 1,
        w if w.ends_with("sses") || w.ends_with("ies") => 2,
        w if w.ends_with('s') && !w.ends_with("ss") => 1,
        _ => 0,
    };
    word.truncate(word.len() - cut);
}

/// Step 1b.
fn past_and_progressive(word: &mut String) {
    if word.ends_with("ied") {
        let cut = if word.len() == 4 { 1 } else { 2 };
        word.truncate(word.len() - cut);
        return;
    }
    if let Some(rest) = word.strip_suffix("eed") {
        if measure(rest) > 0 {
            word.pop();
        }
        return;
    }
    let with_vowel = |suffix: &str| word.strip_suffix(suffix).filter(|rest| consonants(rest).any(|c| !c));
    let Some(length) = with_vowel("ed").or_else(|| with_vowel("ing")).map(str::len) else { return };
    word.truncate(length);
    if ["at", "bl", "iz"].iter().any(|end| word.ends_with(end)) {
        word.push('e');
    } else if ends_double_consonant(word) {
        if !word.ends_with(['l', 's', 'z']) {
            word.pop();
        }
    } else if measure(word) == 1 && ends_short(word) {
        word.push('e');
    }
}

/// Step 1c: `y` becomes `i` after a consonant that is not the word's first letter.
fn final_y(word: &mut String) {
    if let Some(rest) = word.strip_suffix('y')
        && rest.len() > 1
        && consonants(rest).last() == Some(true)
    {
        word.pop();
        word.push('i');
    }
}

/// Step 2.
fn double_suffixes(word: &mut String) {
    // The stem of "radicalli" is "radical", which may have a suffix of this step itself.
    while let Some(rest) = word.strip_suffix("alli").filter(|rest| measure(rest) > 0) {
        word.truncate(rest.len() + 2);
    }
    if replace_first(word, &STEP_2) {
        return;
    }
    // The `l` counts as the stem's, so that "geology" is cut as "archaeology" is.
    if let Some(rest) = word.strip_suffix("ogi")
        && rest.ends_with('l')
        && measure(rest) > 0
    {
        word.pop();
    }
}

/// Step 4: the suffix goes where the measure of what stays is above 1.
fn single_suffixes(word: &mut String) {
    let Some(suffix) = STEP_4.iter().find(|suffix| word.ends_with(**suffix)) else { return };
    let rest = &word[..word.len() - suffix.len()];
    if measure(rest) > 1 && (*suffix != "ion" || rest.ends_with(['s', 't'])) {
        word.truncate(rest.len());
    }
}

/// Step 5a.
fn final_e(word: &mut String) {
    if let Some(rest) = word.strip_suffix('e') {
        let m = measure(rest);
        if m > 1 || (m == 1 && !ends_short(rest)) {
            word.pop();
        }
    }
}

/// Puts the second in place of the first suffix that fits, where the measure of what stays is above 0. Says whether a
/// suffix fitted.
fn replace_first(word: &mut String, rules: &[(&str, &str)]) -> bool {
    let Some((suffix, replacement)) = rules.iter().find(|(suffix, _)| word.ends_with(suffix)) else {
        return false;
    };
    let length = word.len() - suffix.len();
    if measure(&word[..length]) > 0 {
        word.truncate(length);
        word.push_str(replacement);
    }
    true
}

/// For each letter whether it is a consonant: none of `aeiou`, and no `y` after a consonant.
fn consonants(word: &str) -> impl Iterator<Item = bool> {
    let mut before = false;
    word.bytes().map(move |letter| {
        before = match letter {
            b'a' | b'e' | b'i' | b'o' | b'u' => false,
            b'y' => !before,
            _ => true,
        };
        before
    })
}

/// How often a vowel is followed by a consonant.
fn measure(word: &str) -> usize {
    let mut after_vowel = false;
    let mut count = 0;
    for consonant in consonants(word) {
        count += usize::from(consonant && after_vowel);
        after_vowel = !consonant;
    }
    count
}

fn ends_double_consonant(word: &str) -> bool {
    let letters = word.as_bytes();
    let twice = letters.len() >= 2 && letters[letters.len() - 1] == letters[letters.len() - 2];
    twice && consonants(word).last() == Some(true)
}

/// Consonant, vowel, consonant other than `w`, `x`, `y`; or a whole word of vowel and consonant.
fn ends_short(word: &str) -> bool {
    let kinds: Vec<bool> = consonants(word).collect();
    match kinds[..] {
        [first, second] => !first && second,
        [.., true, false, true] => !word.ends_with(['w', 'x', 'y']),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::stem;

    /// Porter's own examples, and NLTK's.
    #[test]
    fn the_examples_of_the_paper() {
        let pairs = "caresses caress ponies poni cats cat feed feed agreed agre plastered plaster motoring motor \
            sing sing conflated conflat troubled troubl sized size hopping hop falling fall failing fail filing file \
            happy happi enjoy enjoy relational relat conditional condit digitizer digit radically radic \
            vietnamization vietnam operator oper hopefulness hope electrical electr goodness good revival reviv \
            adjustable adjust replacement replac adoption adopt controlling control rate rate cease ceas dies die \
            flies fli skies sky dying die spied spi died die geology geolog archaeology archaeolog succeed succeed \
            phosphorylation phosphoryl yyyyyy yyyyyi";
        let words: Vec<&str> = pairs.split_whitespace().collect();
        for pair in words.chunks(2) {
            assert_eq!(stem(pair[0]), pair[1], "{}", pair[0]);
        }
    }
}
