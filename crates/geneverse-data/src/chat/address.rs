//! Where an endpoint is, and the key it is asked with.

use std::fmt;

/// An endpoint's address: `http://localhost:8000/v1`. A query after it (`?api-version=…`) goes with every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    scheme: &'static str,
    /// Host and port as written.
    host: String,
    /// Path without a slash at its end; empty where there is none.
    path: String,
    query: Option<String>,
}

/// What an address should have looked like.
const EXPECTED: &str = "expected an address such as http://localhost:8000/v1 or https://api.openai.com/v1";

impl Address {
    /// Reads an address. One that ends in `/chat/completions` is taken back to its base.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        // What is wrong with an address is told without what may be a password in it.
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => ("http", rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => ("https", rest),
            Some((scheme, _)) => return Err(format!("found the scheme {scheme:?}, {EXPECTED}")),
            None => return Err(format!("found no http:// or https:// at its start, {EXPECTED}")),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let (place, query) = match rest.split_once('?') {
            Some((place, query)) => (place, Some(query.to_owned()).filter(|query| !query.is_empty())),
            None => (rest, None),
        };
        let (host, path) = place.split_once('/').unwrap_or((place, ""));
        if host.contains('@') {
            return Err("found a user or password in it; a key goes into an environment variable, named by \
                        --api-key-env"
                .to_owned());
        }
        if host.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(format!("found no host, or a blank, in it, {EXPECTED}"));
        }
        let path = path.trim_end_matches('/');
        let path = path.strip_suffix("chat/completions").unwrap_or(path).trim_end_matches('/');
        let path = if path.is_empty() { String::new() } else { format!("/{path}") };
        Ok(Self { scheme, host: host.to_owned(), path, query })
    }

    /// The address of one of its services: `to("chat/completions")`.
    pub fn to(&self, service: &str) -> String {
        let query = self.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        format!("{}://{}{}/{service}{query}", self.scheme, self.host, self.path)
    }

    /// Host and port: all that is told of an address in a manifest.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether what is sent can be read on the way: no encryption, and not to this machine.
    pub fn is_exposed(&self) -> bool {
        self.scheme == "http" && !self.is_local()
    }

    fn is_local(&self) -> bool {
        let bracketed = self.host.strip_prefix('[').and_then(|rest| rest.split(']').next());
        let name = bracketed.unwrap_or_else(|| self.host.split(':').next().unwrap_or_default());
        let name = name.to_ascii_lowercase();
        let address: Option<std::net::IpAddr> = name.parse().ok();
        name == "localhost" || name.ends_with(".localhost") || address.is_some_and(|a| a.is_loopback())
    }

    /// The same address with `/v1` behind it, where it has none: what is usually meant.
    pub(super) fn with_v1(&self) -> Option<String> {
        let has = self.path.split('/').any(|part| part == "v1");
        (!has).then(|| format!("{}://{}{}/v1", self.scheme, self.host, self.path))
    }
}

/// Without the query, which may hold a key.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.host, self.path)
    }
}

/// A key, which is sent to the endpoint and shown nowhere.
#[derive(Clone)]
pub struct Key {
    value: String,
    variable: String,
}

impl Key {
    /// The key in an environment variable; `None` where it is not set or empty.
    pub fn from_environment(variable: &str) -> Result<Option<Self>, String> {
        match std::env::var(variable) {
            Ok(value) => Self::new(variable, &value),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => {
                Err(format!("the environment variable {variable} is not text, expected a key"))
            }
        }
    }

    /// A key with the name of the variable it came from, which errors name; `None` for an empty one.
    pub fn new(variable: &str, value: &str) -> Result<Option<Self>, String> {
        let value = value.trim();
        if value.contains(|c: char| !c.is_ascii_graphic()) {
            return Err(format!(
                "the environment variable {variable} holds a blank or another character that no key has"
            ));
        }
        let key = Self { value: value.to_owned(), variable: variable.to_owned() };
        Ok((!value.is_empty()).then_some(key))
    }

    /// The name of the variable it came from.
    pub fn variable(&self) -> &str {
        &self.variable
    }

    pub(super) fn header(&self) -> String {
        format!("Bearer {}", self.value)
    }

    /// A text without the key in it: a server may send back what it was asked with.
    pub(super) fn hidden_in(&self, text: String) -> String {
        if text.contains(&self.value) { text.replace(&self.value, "[key]") } else { text }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key from {}", self.variable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        let to = |text: &str| Address::parse(text).unwrap().to("chat/completions");
        assert_eq!(to("http://localhost:8000/v1"), "http://localhost:8000/v1/chat/completions");
        assert_eq!(to(" HTTPS://api.openai.com/v1/ "), "https://api.openai.com/v1/chat/completions");
        assert_eq!(to("http://[::1]:80/v1/chat/completions"), "http://[::1]:80/v1/chat/completions");
        assert_eq!(
            to("https://a.example/x?api-version=1"),
            "https://a.example/x/chat/completions?api-version=1"
        );
        for (text, reason) in [
            ("localhost:8000", "no http://"),
            ("ftp://a/v1", "scheme \"ftp\""),
            ("http:///v1", "no host"),
            ("http://user:secret@a/v1", "a user or password"),
        ] {
            let error = Address::parse(text).unwrap_err();
            assert!(error.contains(reason) && !error.contains("secret"), "{error}");
        }
        let local = |text: &str| !Address::parse(text).unwrap().is_exposed();
        assert!(local("http://localhost:1/v1") && local("http://127.0.0.1") && local("http://[::1]:2"));
        assert!(local("https://example.org/v1") && !local("http://example.org/v1"));
        assert!(!local("http://localhost.example.org/v1"));
    }

    #[test]
    fn a_key_is_never_shown() {
        let key = Key::new("MY_KEY", " sk-12345 ").unwrap().unwrap();
        assert_eq!(format!("{key:?}"), "Key from MY_KEY");
        assert_eq!(key.hidden_in("wrong key sk-12345!".to_owned()), "wrong key [key]!");
        assert!(Key::new("MY_KEY", "").unwrap().is_none());
        assert!(!Key::new("MY_KEY", "sk 12345").unwrap_err().contains("12345"));
    }
}
