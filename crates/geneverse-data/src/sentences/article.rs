//! "a" or "an": decided by sound, which for the names of genes is often the sound of a letter or a number.

/// Names in capitals that are said as a word, so that their first letter's own name is not heard.
const SAID_AS_WORDS: [&str; 40] = [
    "FERM", "FOS", "FOX", "HEAT", "HECT", "HER", "HOX", "LAMP", "LIM", "LINE", "LYN", "MAGE", "MAP", "MAS",
    "MAX", "MOB", "MYB", "MYC", "NEDD", "NOD", "NOX", "NUMB", "RAB", "RAC", "RAN", "RAP", "RAS", "RHO",
    "RING", "ROCK", "SAM", "SET", "SINE", "SMAD", "SNAP", "SNARE", "SOX", "STAT", "SUMO", "SWEET",
];

/// RNAs whose first syllable is said as a word: "a snoRNA", "a miRNA"; but "an mRNA", "an siRNA".
const RNA_SYLLABLES: [&str; 5] = ["sno", "sca", "mi", "pi", "circ"];

/// Beginnings of words with a vowel letter and a consonant's sound.
const LIKE_CONSONANT: [&str; 12] =
    ["eu", "ewe", "ewing", "one", "once", "ubi", "unif", "union", "uniq", "unit", "univ", "ut"];

/// Beginnings of words with a consonant letter that is not heard.
const SILENT_H: [&str; 4] = ["hour", "honest", "honor", "heir"];

/// The noun with "a" or "an".
pub(super) fn with_article(noun: &str) -> String {
    format!("{} {noun}", if begins_with_vowel_sound(noun) { "an" } else { "a" })
}

/// Whether a text begins with a vowel when it is read aloud.
fn begins_with_vowel_sound(text: &str) -> bool {
    let start = text.trim_start_matches(|c: char| !c.is_alphanumeric());
    let word: String = start.chars().take_while(|c| c.is_alphanumeric()).collect();
    let Some(first) = word.chars().next() else { return false };
    if first.is_ascii_digit() {
        return number_begins_with_vowel_sound(&word);
    }
    let second = word.chars().nth(1);
    let spelled_capital = first.is_uppercase() && !second.is_some_and(char::is_lowercase);
    if spelled_capital {
        let letters = word.trim_end_matches(|c: char| c.is_ascii_digit());
        return !SAID_AS_WORDS.contains(&letters) && letter_begins_with_vowel_sound(first);
    }
    // "mRNA", "lncRNA", "eIF2": small letters before capitals are read one by one.
    let small: String = word.chars().take_while(|c| c.is_lowercase()).collect();
    let then_capital = word[small.len()..].chars().next().is_some_and(char::is_uppercase);
    if first.is_lowercase() && then_capital && small.len() <= 4 {
        return !RNA_SYLLABLES.contains(&small.as_str()) && letter_begins_with_vowel_sound(first);
    }
    let lower = word.to_lowercase();
    let starts = |beginnings: &[&str]| beginnings.iter().any(|beginning| lower.starts_with(beginning));
    // "uni" alone is "you-nee", but "unidentified" has the prefix "un".
    let used = lower.starts_with("use") || lower.starts_with("usu") || lower.starts_with("ure");
    match first.to_ascii_lowercase() {
        'a' | 'e' | 'i' | 'o' | 'u' => !starts(&LIKE_CONSONANT) && !used,
        _ => starts(&SILENT_H),
    }
}

/// "Eight", "eighteen", "eleven" and their multiples of a thousand.
fn number_begins_with_vowel_sound(word: &str) -> bool {
    let digits: String = word.chars().take_while(char::is_ascii_digit).collect();
    let two_lead = digits.len() % 3 == 2;
    digits.starts_with('8') || (two_lead && (digits.starts_with("11") || digits.starts_with("18")))
}

/// The name of the letter begins with a vowel: "ef", "aitch", "el", "em", "en", "ar", "ess", "ex".
fn letter_begins_with_vowel_sound(letter: char) -> bool {
    matches!(
        letter.to_ascii_uppercase(),
        'A' | 'E' | 'F' | 'H' | 'I' | 'L' | 'M' | 'N' | 'O' | 'R' | 'S' | 'X'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn articles_follow_the_sound() {
        let an = "RNA gene;HLA gene;18S ribosomal RNA;8-oxo base;11-beta enzyme;X-linked gene;mRNA;lncRNA gene;\
            siRNA;rRNA;snRNA;ncRNA;ATP synthase;EGF receptor;ORF;H/ACA box RNA;endogenous retrovirus;\
            immunoglobulin gene;unidentified locus;Alu element;SH2 domain;F-box protein;80S ribosome;hour;MHC gene;\
            antisense RNA;18 kDa protein;11q13 locus;uncharacterized locus;eIF2 subunit";
        let a = "5S ribosomal RNA;U6 small nuclear RNA;UTP hydrolase;ubiquitin ligase;Y RNA gene;T cell receptor;\
            tRNA;snoRNA;scaRNA;miRNA;C/D box RNA;protein-coding gene;unique gene;eukaryotic factor;one-exon gene;\
            RING finger;SNARE protein;MAP kinase;HOX gene;1p36 locus;110 kDa protein;180 kDa protein;28S rRNA;\
            G protein;U-box protein;uterine protein;Wnt ligand;7SL RNA;user;pseudogene;Ewing tumour";
        for noun in an.split(';').map(str::trim) {
            assert_eq!(with_article(noun), format!("an {noun}"));
        }
        for noun in a.split(';').map(str::trim) {
            assert_eq!(with_article(noun), format!("a {noun}"));
        }
    }
}
