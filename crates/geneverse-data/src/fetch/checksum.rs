//! Checksums as publishers give them: in headers, in a file beside, in a metalink.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use quick_xml::Reader;
use quick_xml::events::Event;
use serde::{Deserialize, Serialize};

use crate::http::Response;

/// What the bytes of a file should sum up to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Expected {
    /// How it is computed.
    pub(super) kind: Kind,
    /// In hexadecimal, small letters.
    pub(super) sum: String,
    /// Who says so, in words.
    pub(super) says: String,
}

/// The kinds of checksums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// MD5: against accidents only.
    Md5,
    /// SHA-256.
    Sha256,
}

impl Kind {
    /// In words.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha256 => 32,
        }
    }
}

/// The checksum of the whole file in an answer's headers: `Repr-Digest` (RFC 9530), `Digest` (RFC 3230), or
/// `x-goog-hash` of Google's storage, where what is stored is what is sent.
pub(super) fn in_headers(response: &Response) -> Option<Expected> {
    let said = |kind, name: &str, coded: &str| from_base64(kind, coded, &format!("the header {name}"));
    for name in ["repr-digest", "digest"] {
        for item in response.headers(name).flat_map(|value| value.split(',')) {
            let Some((algorithm, coded)) = item.trim().split_once('=') else { continue };
            if algorithm.eq_ignore_ascii_case("sha-256") {
                return said(Kind::Sha256, name, coded.trim_matches(':'));
            }
        }
    }
    let stored = response.header("x-goog-stored-content-encoding").unwrap_or("identity");
    let items = response.headers("x-goog-hash").flat_map(|value| value.split(','));
    let coded = items.filter_map(|item| item.trim().strip_prefix("md5=")).next()?;
    if stored == "identity" { said(Kind::Md5, "x-goog-hash", coded) } else { None }
}

fn from_base64(kind: Kind, coded: &str, says: &str) -> Option<Expected> {
    let bytes = STANDARD.decode(coded).ok().filter(|bytes| bytes.len() == kind.bytes())?;
    let sum = bytes.iter().map(|b| format!("{b:02x}")).collect();
    Some(Expected { kind, sum, says: says.to_owned() })
}

/// The checksum of `file` in a text as `md5sum` and `sha256sum` write it: a line `SUM  FILE`, `MD5 (FILE) = SUM`, or
/// the sum alone.
pub(super) fn in_text(kind: Kind, text: &str, file: &str, says: &str) -> Option<Expected> {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let sum_in = |line: &&str| {
        let is_sum =
            |word: &&str| word.len() == 2 * kind.bytes() && word.bytes().all(|b| b.is_ascii_hexdigit());
        line.split_whitespace().find(is_sum).map(str::to_ascii_lowercase)
    };
    let names_it = |line: &&&str| {
        let names = line.split_whitespace().map(|w| w.trim_matches(['(', ')', '*']));
        names.map(|w| w.rsplit('/').next().unwrap_or_default()).any(|name| name == file)
    };
    let of_it = lines.iter().filter(names_it).find_map(sum_in);
    let alone = || match lines.as_slice() {
        [line] if line.split_whitespace().count() == 1 => sum_in(line),
        _ => None,
    };
    let sum = of_it.or_else(alone)?;
    Some(Expected { kind, sum, says: says.to_owned() })
}

/// The MD5 of `file` in a metalink (version 3): `<file name="…"><verification><hash type="md5">…`.
pub(super) fn in_metalink(text: &str, file: &str) -> Option<Expected> {
    let mut reader = Reader::from_str(text);
    let (mut here, mut md5) = (false, false);
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag)) => {
                let value = |name: &str| {
                    let found = tag.try_get_attribute(name).ok().flatten();
                    found.map(|a| a.value.into_owned()).unwrap_or_default()
                };
                match tag.local_name().as_ref() {
                    "file" => here = value("name").rsplit('/').next() == Some(file),
                    "hash" => md5 = value("type") == "md5",
                    _ => {}
                }
            }
            Ok(Event::Text(sum)) if here && md5 => {
                let sum = sum.trim().to_ascii_lowercase();
                return (sum.len() == 2 * Kind::Md5.bytes()).then(|| Expected {
                    kind: Kind::Md5,
                    sum,
                    says: "RELEASE.metalink".to_owned(),
                });
            }
            Ok(Event::End(tag)) if tag.local_name().as_ref() == "hash" => md5 = false,
            Ok(Event::Eof) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: &str = "d41d8cd98f00b204e9800998ecf8427e";

    #[test]
    fn sums_are_found_as_tools_write_them() {
        let of = |text: &str| in_text(Kind::Md5, text, "a.gz", "a.gz.md5").map(|e| e.sum);
        let other = "00000000000000000000000000000000";
        assert_eq!(of(&format!("{other}  b.gz\n{SUM}  ./dir/a.gz\n")).as_deref(), Some(SUM));
        assert_eq!(of(&format!("{} *a.gz\n", SUM.to_uppercase())).as_deref(), Some(SUM));
        assert_eq!(of(&format!("MD5 (a.gz) = {SUM}")).as_deref(), Some(SUM));
        assert_eq!(of(&format!("{SUM}\n")).as_deref(), Some(SUM));
        assert_eq!(of(&format!("{other}  b.gz\n")), None, "the sum of another file");
        assert_eq!(of("<html>not found</html>"), None);
        assert_eq!(in_text(Kind::Sha256, SUM, "a.gz", ""), None);
        let coded = from_base64(Kind::Md5, "1B2M2Y8AsgTpgAmY7PhCfg==", "h").unwrap();
        assert_eq!(coded.sum, SUM);
        assert_eq!(from_base64(Kind::Md5, "AAAA", "h"), None);
    }

    #[test]
    fn a_metalink_names_files_with_their_sums() {
        let text = format!(
            "<?xml version=\"1.0\"?><metalink version=\"3.0\" xmlns=\"http://www.metalinker.org/\"><files>\
             <file name=\"b.gz\"><size>1</size><verification><hash type=\"md5\">{}</hash></verification></file>\
             <file name=\"a.gz\"><verification><hash type=\"sha1\">x</hash><hash type=\"md5\"> {SUM} </hash>\
             </verification></file></files></metalink>",
            "0".repeat(32)
        );
        assert_eq!(in_metalink(&text, "a.gz").unwrap().sum, SUM);
        assert_eq!(in_metalink(&text, "c.gz"), None);
        assert_eq!(in_metalink(&text[..120], "a.gz"), None);
    }
}
