//! A list of phrases, all looked for in one pass over a text.
//!
//! Grading asks of every sentence which of some hundred phrases it holds, and the answer is nearly always: none. At each
//! place the first three bytes say which phrases may begin there, and only these are compared.

/// As many phrases a list may have.
const MOST: usize = 64;

/// Phrases of at least one byte.
#[derive(Debug)]
pub(crate) struct Phrases {
    phrases: Vec<&'static str>,
    /// For a first, second and third byte the phrases that have it there, or are over before.
    beginnings: Box<[[u64; 256]; 3]>,
}

/// Which phrases of a list a text holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held(u64);

impl Phrases {
    /// A list of at most 64: each is a bit.
    pub(crate) fn new(phrases: impl IntoIterator<Item = &'static str>) -> Self {
        let phrases: Vec<&'static str> = phrases.into_iter().collect();
        debug_assert!(phrases.len() <= MOST, "a list of {} phrases", phrases.len());
        let mut beginnings = Box::new([[0; 256]; 3]);
        for (place, phrase) in phrases.iter().enumerate() {
            for (depth, table) in beginnings.iter_mut().enumerate() {
                match phrase.as_bytes().get(depth) {
                    Some(&byte) => table[byte as usize] |= 1 << place,
                    None => table.iter_mut().for_each(|entry| *entry |= 1 << place),
                }
            }
        }
        Self { phrases, beginnings }
    }

    /// Which of them stand in a text.
    pub(crate) fn held(&self, text: &str) -> Held {
        let bytes = text.as_bytes();
        let [first, second, third] = &*self.beginnings;
        let mut held = 0;
        let mut look = |at: usize, [a, b, c]: [u8; 3]| {
            let mut maybe = first[a as usize] & second[b as usize] & third[c as usize] & !held;
            while maybe != 0 {
                let place = maybe.trailing_zeros() as usize;
                maybe &= maybe - 1;
                if bytes[at..].starts_with(self.phrases[place].as_bytes()) {
                    held |= 1 << place;
                }
            }
        };
        for (at, three) in bytes.windows(3).enumerate() {
            look(at, [three[0], three[1], three[2]]);
        }
        // The last two bytes: no phrase has a zero, and a short one takes any byte behind it.
        for at in bytes.len().saturating_sub(2)..bytes.len() {
            look(at, [bytes[at], bytes.get(at + 1).copied().unwrap_or_default(), 0]);
        }
        Held(held)
    }

    /// Which of them a text begins with.
    pub(crate) fn begins(&self, text: &str) -> Held {
        let bytes = text.as_bytes();
        let byte = |at: usize| bytes.get(at).copied().unwrap_or_default() as usize;
        let tables = self.beginnings.iter().enumerate();
        let mut maybe = tables.fold(u64::MAX, |maybe, (at, table)| maybe & table[byte(at)]);
        let mut held = 0;
        while maybe != 0 {
            let place = maybe.trailing_zeros() as usize;
            maybe &= maybe - 1;
            if bytes.starts_with(self.phrases[place].as_bytes()) {
                held |= 1 << place;
            }
        }
        Held(held)
    }

    /// Whether any of them stands in a text.
    pub(crate) fn any(&self, text: &str) -> bool {
        !self.held(text).is_empty()
    }
}

impl Held {
    /// Whether none is.
    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the one at a place of the list is.
    pub(crate) fn has(self, place: usize) -> bool {
        self.0 >> place & 1 == 1
    }

    /// The place of the first in the list that is.
    pub(crate) fn first(self) -> Option<usize> {
        (self.0 != 0).then(|| self.0.trailing_zeros() as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIST: [&str; 7] = ["ab", "a", "abc", "bca", "cc ", "é", "abcabc"];

    proptest! {
        #[test]
        fn what_is_held_is_what_contains_finds(text in "[abcé ]{0,12}") {
            let held = Phrases::new(LIST).held(&text);
            for (place, phrase) in LIST.iter().enumerate() {
                prop_assert_eq!(held.has(place), text.contains(phrase), "{:?}", phrase);
            }
            prop_assert_eq!(held.first(), LIST.iter().position(|phrase| text.contains(phrase)));
            prop_assert_eq!(held.is_empty(), !Phrases::new(LIST).any(&text));
            let begins = Phrases::new(LIST).begins(&text);
            prop_assert!((0..LIST.len()).all(|place| begins.has(place) == text.starts_with(LIST[place])));
        }
    }
}
