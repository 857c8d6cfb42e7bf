//! What may be shown of an address and of an answer: no passwords, no keys, no pages of HTML.

/// Query fields whose values are nobody's business. An e-mail address is no key, but it is a person's.
const HIDDEN_FIELDS: [&str; 12] = [
    "key",
    "api_key",
    "api-key",
    "apikey",
    "token",
    "access_token",
    "password",
    "secret",
    "sig",
    "signature",
    "x-amz-signature",
    "email",
];

/// Headers of which the same is true.
const HIDDEN_HEADERS: [&str; 5] = ["authorization", "proxy-authorization", "x-api-key", "api-key", "cookie"];

const HIDDEN: &str = "…";

/// How much of a line is shown.
const LONGEST_LINE: usize = 200;

/// An address without user, password, and the values of fields such as `api_key`.
pub fn address(address: &str) -> String {
    let (start, rest) = match address.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), address),
    };
    let host_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, rest) = rest.split_at(host_end);
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (rest, None),
    };
    let mut shown = format!("{start}{host}{path}");
    for (at, field) in query.into_iter().flat_map(|query| query.split('&')).enumerate() {
        shown.push(if at == 0 { '?' } else { '&' });
        match field.split_once('=') {
            Some((name, _)) if is_hidden(name) => {
                shown.push_str(name);
                shown.push('=');
                shown.push_str(HIDDEN);
            }
            _ => shown.push_str(field),
        }
    }
    shown
}

fn is_hidden(field: &str) -> bool {
    HIDDEN_FIELDS.iter().any(|hidden| field.eq_ignore_ascii_case(hidden))
}

/// The secret texts of a request: servers repeat them in their errors.
#[derive(Default)]
pub struct Secrets(Vec<String>);

impl Secrets {
    /// The secrets in an address and in headers.
    pub fn of(address: &str, headers: &[(String, String)]) -> Self {
        let mut secrets = Vec::new();
        let host = address.split_once("://").map_or(address, |(_, rest)| rest);
        let host = host.split(['/', '?', '#']).next().unwrap_or_default();
        if let Some((user, _)) = host.rsplit_once('@') {
            secrets.extend(user.split_once(':').map(|(_, password)| password.to_owned()));
        }
        let query = address.split_once('?').map_or("", |(_, query)| query);
        for (name, value) in query.split('&').filter_map(|field| field.split_once('=')) {
            if is_hidden(name) {
                secrets.push(value.to_owned());
                secrets.push(percent_decoded(value));
            }
        }
        for (name, value) in headers {
            if HIDDEN_HEADERS.iter().any(|hidden| name.eq_ignore_ascii_case(hidden)) {
                // "Bearer KEY": the key alone may be repeated.
                secrets.extend(value.rsplit(' ').next().map(str::to_owned));
            }
        }
        // A secret of a letter or two would blacken half of the text and hide nothing.
        secrets.retain(|secret| secret.len() >= 4);
        Self(secrets)
    }

    /// `text` without them.
    pub fn hide(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), HIDDEN))
    }
}

/// A text for a query: everything but letters, digits and `-._~` as `%XX`.
pub fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(byte.into());
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let coded = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match coded.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(decoded) if byte == b'%' => {
                bytes.push(decoded);
                rest = &after[2..];
            }
            _ => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The first line of an answer that says something, or the title of a page.
pub fn first_line(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(1 << 14)]);
    if let Some(title) = page_title(&text) {
        return title;
    }
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    shortened(line)
}

/// The title of an HTML page, or "a page without a title"; `None` for what is no page.
pub fn page_title(text: &str) -> Option<String> {
    let start = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
    let lower = start.get(..start.len().min(1 << 14)).unwrap_or(start).to_ascii_lowercase();
    let opens = ["<!doctype html", "<html", "<head", "<body"];
    let is_page =
        opens.iter().any(|tag| lower.starts_with(tag)) || (lower.starts_with('<') && lower.contains("<html"));
    if !is_page {
        return None;
    }
    let title = lower.find("<title").and_then(|at| {
        let from = at + lower[at..].find('>')? + 1;
        let to = from + lower[from..].find("</title")?;
        start.get(from..to)
    });
    let words = title.map(|t| t.split_whitespace().collect::<Vec<_>>().join(" ")).unwrap_or_default();
    Some(if words.is_empty() { "a page without a title".to_owned() } else { shortened(&words) })
}

fn shortened(line: &str) -> String {
    let clean = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut shown: String = line.chars().take(LONGEST_LINE).map(clean).collect();
    if line.chars().nth(LONGEST_LINE).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_without_secrets() {
        let shown = address("https://me:pass@host.org:80/a/b?db=gene&API_key=12345&term=x%5Bsym%5D");
        assert_eq!(shown, "https://host.org:80/a/b?db=gene&API_key=…&term=x%5Bsym%5D");
        assert_eq!(address("http://a.org/x@y?q=p@q"), "http://a.org/x@y?q=p@q");
        assert_eq!(address(""), "");
    }

    #[test]
    fn a_secret_repeated_by_the_server_is_hidden() {
        let headers = [("Authorization".to_owned(), "Bearer sk-abcdef".to_owned())];
        let secrets = Secrets::of("http://me:pass@h/?api_key=0ab%2Fcd&token=x", &headers);
        let said = secrets.hide("wrong key 0ab/cd (0ab%2Fcd) or sk-abcdef of pass; x");
        assert_eq!(said, "wrong key … (…) or … of …; x");
        assert_eq!(percent_encoded("HLA-A[sym] é"), "HLA-A%5Bsym%5D%20%C3%A9");
        assert_eq!(percent_decoded("100%, %zz %41"), "100%, %zz A");
    }

    #[test]
    fn a_page_is_told_by_its_title_and_text_by_its_first_line() {
        let page = b"\n<!DOCTYPE HTML>\n<html><head><TITLE>\n Service\n unavailable </title>";
        assert_eq!(first_line(page), "Service unavailable");
        assert_eq!(first_line(b"<html><body>x"), "a page without a title");
        assert_eq!(first_line(b"\n\n {\"error\": 1}\nmore"), "{\"error\": 1}");
        assert_eq!(first_line(&[0xff, 0x1f, 0x8b]).chars().count(), 3);
        assert_eq!(page_title("<obo>text"), None);
    }
}
