//! The words of a CIF file (<https://www.iucr.org/resources/cif/spec/version1.1/cifsyntax>): tags, values plain, in
//! quotes or as text between lines that begin with `;`, and the reserved words. Line ends may be LF, CR LF or CR.

/// A word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// `data_NAME`.
    Data,
    /// `loop_`.
    Loop,
    /// `save_NAME`, `save_`, `global_` or `stop_`.
    Other,
    /// `_category.item`.
    Tag(&'a [u8]),
    /// A value; `.` and `?` without quotes are [`Token::Null`].
    Value(&'a [u8]),
    /// A value that does not apply or is not known.
    Null,
    /// A text field or a quoted value that does not end.
    Unfinished,
}

/// Takes a file's bytes apart.
pub(crate) struct Tokens<'a> {
    bytes: &'a [u8],
    at: usize,
    /// What ends a line: LF, or CR in a file without one.
    end: u8,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        let end = if bytes.contains(&b'\n') { b'\n' } else { b'\r' };
        Self { bytes, end, at: if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 } }
    }

    /// The line, from 1, at which the next word is looked for. Counted anew each time: for errors.
    pub(crate) fn line(&self) -> usize {
        1 + self.ends_between(0)
    }

    /// Where the next word is looked for.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// How many lines have ended from there to here.
    pub(crate) fn ends_between(&self, from: usize) -> usize {
        let bytes = self.bytes.get(from..self.at).unwrap_or_default();
        bytes.iter().filter(|b| **b == self.end).count()
    }

    fn at_line_start(&self) -> bool {
        self.at == 0 || matches!(self.bytes[self.at - 1], b'\n' | b'\r')
    }

    fn text_field(&mut self) -> Token<'a> {
        let from = self.at + 1;
        let mut at = from;
        while at < self.bytes.len() {
            if matches!(self.bytes[at], b'\n' | b'\r') && self.bytes.get(at + 1) == Some(&b';') {
                self.at = at + 2;
                let text = &self.bytes[from..at];
                return Token::Value(text.strip_suffix(b"\r").unwrap_or(text));
            }
            at += 1;
        }
        self.at = self.bytes.len();
        Token::Unfinished
    }

    /// A quote ends a value only before a blank: `'5'-end'` is one.
    fn quoted(&mut self, quote: u8) -> Token<'a> {
        let from = self.at + 1;
        let mut at = from;
        while at < self.bytes.len() && !matches!(self.bytes[at], b'\n' | b'\r') {
            if self.bytes[at] == quote && self.bytes.get(at + 1).is_none_or(u8::is_ascii_whitespace) {
                self.at = at + 1;
                return Token::Value(&self.bytes[from..at]);
            }
            at += 1;
        }
        self.at = at;
        Token::Unfinished
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            match *self.bytes.get(self.at)? {
                b if b.is_ascii_whitespace() => self.at += 1,
                b'#' => {
                    let rest = &self.bytes[self.at..];
                    self.at += rest.iter().position(|b| matches!(b, b'\n' | b'\r')).unwrap_or(rest.len());
                }
                b';' if self.at_line_start() => return Some(self.text_field()),
                quote @ (b'\'' | b'"') => return Some(self.quoted(quote)),
                _ => break,
            }
        }
        let rest = &self.bytes[self.at..];
        let word = &rest[..rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len())];
        self.at += word.len();
        let begins = |with: &[u8]| word.len() >= with.len() && word[..with.len()].eq_ignore_ascii_case(with);
        Some(match word[0] {
            b'_' => Token::Tag(word),
            b'.' | b'?' if word.len() == 1 => Token::Null,
            b'd' | b'D' if begins(b"data_") => Token::Data,
            b'l' | b'L' if word.eq_ignore_ascii_case(b"loop_") => Token::Loop,
            b's' | b'S' if begins(b"save_") || word.eq_ignore_ascii_case(b"stop_") => Token::Other,
            b'g' | b'G' if word.eq_ignore_ascii_case(b"global_") => Token::Other,
            _ => Token::Value(word),
        })
    }
}
