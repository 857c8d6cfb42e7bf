//! What a model writes to call a function, taken apart: any text, none of which may do harm.

/// Where E-utilities are.
pub(super) const EUTILS: &str = "https://eutils.ncbi.nlm.nih.gov/entrez/eutils/";
/// Where BLAST is.
pub(super) const BLAST: &str = "https://blast.ncbi.nlm.nih.gov/blast/Blast.cgi";

/// The first address in square brackets, and what stands before it. What follows an arrow a model has made up.
pub(super) fn address(text: &str) -> Option<(&str, &str)> {
    let text = text.split("->").next().unwrap_or(text);
    for (at, _) in text.match_indices("[http") {
        let inner = &text[at + 1..];
        let end = inner.find(['[', ']']).unwrap_or(inner.len());
        if inner[..end].starts_with("http://") || inner[..end].starts_with("https://") {
            return Some((&text[..at], inner[..end].trim()));
        }
    }
    None
}

/// What stands behind the first `Answer:`, up to where the model goes on with a question of its own.
pub(super) fn final_answer(text: &str) -> &str {
    let text = text.split("\n\nQuestion").next().unwrap_or(text);
    text.split_once("Answer:").map_or(text, |(_, answer)| answer).trim()
}

/// A call taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parsed {
    /// `esearch`, `esummary`, `efetch` or `blast`.
    pub(super) function: &'static str,
    pub(super) parameters: Vec<(String, String)>,
}

impl Parsed {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Reads a call. Only the two addresses above are called, whatever a model writes.
pub(super) fn parse(url: &str) -> Result<Parsed, String> {
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    let function = match place.strip_prefix(EUTILS) {
        Some("esearch.fcgi") => "esearch",
        Some("esummary.fcgi") => "esummary",
        Some("efetch.fcgi") => "efetch",
        _ if place == BLAST => "blast",
        _ => {
            return Err(format!(
                "no such function; expected {EUTILS}esearch.fcgi, esummary.fcgi or efetch.fcgi, or {BLAST}"
            ));
        }
    };
    let parameter = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        Some((name.to_owned(), decoded(value)))
    };
    Ok(Parsed { function, parameters: query.split('&').filter_map(parameter).collect() })
}

/// A query's value: `+` is a blank, `%3A` a colon.
fn decoded(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match (first, code) {
            (b'%', Some(code)) => {
                bytes.push(code);
                rest = &after[2..];
                continue;
            }
            (b'+', _) => bytes.push(b' '),
            _ => bytes.push(*first),
        }
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_a_query_are_decoded_whatever_they_are() {
        assert_eq!(decoded("a+b%3Ac%zz%4"), "a b:c%zz%4");
        assert_eq!(decoded("%é"), "%é");
    }
}
