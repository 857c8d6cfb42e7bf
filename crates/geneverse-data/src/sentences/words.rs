//! Small grammar: clean clauses and lists.

/// Runs of blanks, line ends and control characters become one blank; runs of full stops become one.
pub(super) fn clean(text: &str) -> String {
    if is_clean(text) {
        return text.to_owned();
    }
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

/// Whether a text needs no cleaning, as nearly all do; told from its bytes, so that only ASCII is known to be clean.
fn is_clean(text: &str) -> bool {
    let mut before = b' ';
    for byte in text.bytes() {
        let after_blank_or_stop = before == b' ' || before == b'.';
        match byte {
            b' ' if before == b' ' => return false,
            b'.' if after_blank_or_stop => return false,
            b' '..=b'~' => before = byte,
            _ => return false,
        }
    }
    before != b' '
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

/// A list in which a comma or an "and" inside an item cannot be taken for one between items:
/// "A, B and C" where no item has any, else "A, x; B and y; and C".
pub(super) fn listing(items: &[String]) -> Option<String> {
    if is_plain(items) {
        return and_list(items);
    }
    match items {
        [] => None,
        [one] => Some(one.clone()),
        [first @ .., last] => Some(format!("{}; and {last}", first.join("; "))),
    }
}

/// Whether no item has a comma, a semicolon, a colon or an "and" inside.
pub(super) fn is_plain(items: &[String]) -> bool {
    !items.iter().any(|item| item.contains([',', ';', ':']) || item.contains(" and "))
}

/// With a capital at the start.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cleaned_for_a_sentence() {
        assert_eq!(clean("  a\tb\r\n c .. d... "), "a b c. d.");
        assert_eq!(clause("zinc finger 1. ").as_deref(), Some("zinc finger 1"));
        assert_eq!(clause(" .,; "), None);
        assert_eq!(lower_start("Broad"), "broad");
        assert_eq!(lower_start("TCR"), "TCR");
    }

    #[test]
    fn lists_keep_their_items_apart() {
        let list = |items: &[&str]| listing(&items.iter().map(|i| (*i).to_owned()).collect::<Vec<_>>());
        assert_eq!(list(&["a", "b", "c"]).unwrap(), "a, b and c");
        assert_eq!(list(&["a, x", "b", "c and y"]).unwrap(), "a, x; b; and c and y");
        assert_eq!(list(&["a, x"]).unwrap(), "a, x");
        assert_eq!(list(&[]), None);
    }
}
