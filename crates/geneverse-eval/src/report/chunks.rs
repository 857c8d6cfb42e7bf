//! Text in the page for the script: escaped, and in pieces that are packed where there is much of it.
//!
//! A piece is a `<script>` of a type that no browser runs. What is in it is JSON, a value per line, whose `<`, `>` and `&` are
//! written as `\u003c`, `\u003e` and `\u0026`, so that no text can end the element or begin another; or the lines by gzip
//! (RFC 1952) in base64, which every browser unpacks by `DecompressionStream`.

use std::fmt::Write as _;
use std::io::Write as _;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use rayon::prelude::*;

/// Pages with less text than this are left readable in their source.
const PACKED_FROM: usize = 4 << 20;
/// About so much text is unpacked at once.
const PIECE: usize = 1 << 20;

/// JSON that is safe in a `<script>`: the same value to a JSON parser.
pub(super) fn json_in_script(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            // Line ends to older JavaScript.
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            c => out.push(c),
        }
    }
    out
}

/// Writes the elements `piece-0`, `piece-1`, … with some values each, a line of JSON per value; returns the first value of each.
pub(super) fn pieces(out: &mut String, values: &[String]) -> Vec<usize> {
    let total: usize = values.iter().map(String::len).sum();
    let packed = total >= PACKED_FROM;
    let mut starts: Vec<usize> = Vec::new();
    let mut size = PIECE;
    for (place, value) in values.iter().enumerate() {
        if size >= PIECE {
            starts.push(place);
            size = 0;
        }
        size += value.len();
    }
    let ends = starts.iter().skip(1).copied().chain([values.len()]);
    let bounds: Vec<(usize, usize)> = starts.iter().copied().zip(ends).collect();
    let texts: Vec<String> = bounds
        .par_iter()
        .map(|&(start, end)| {
            let json = values[start..end].join("\n");
            if packed { BASE64_STANDARD.encode(gzip(json.as_bytes())) } else { json_in_script(&json) }
        })
        .collect();
    for (place, text) in texts.iter().enumerate() {
        let kind = if packed { "text/plain" } else { "application/x-ndjson" };
        let flag = if packed { " data-packed" } else { "" };
        let _ = writeln!(out, "<script type=\"{kind}\" id=\"piece-{place}\"{flag}>{text}</script>");
    }
    starts
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Writing into memory cannot fail; were it to, the script would say that the piece is not whole.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn json_for_a_script_has_no_markup_and_means_the_same() {
        let text = "</script><!-- & \u{2028} \"quoted\" 'too' \\u003c";
        let json = serde_json::to_string(text).unwrap();
        let safe = json_in_script(&json);
        assert!(!safe.contains(['<', '>', '&', '\u{2028}']), "{safe}");
        assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), text);
    }

    #[test]
    fn much_text_is_packed_in_pieces_and_comes_out_whole() {
        let values: Vec<String> =
            (0..300).map(|i| serde_json::to_string(&format!("{i}</script>").repeat(1500)).unwrap()).collect();
        let mut page = String::new();
        let starts = pieces(&mut page, &values);
        assert!(starts.len() > 3 && starts[0] == 0, "{starts:?}");
        assert!(page.len() < 300_000 && page.matches("</script>").count() == starts.len());
        let mut all = Vec::new();
        for line in page.lines() {
            let text = &line[line.find('>').unwrap() + 1..line.rfind('<').unwrap()];
            let bytes = BASE64_STANDARD.decode(text).unwrap();
            let mut json = String::new();
            flate2::read::GzDecoder::new(bytes.as_slice()).read_to_string(&mut json).unwrap();
            all.extend(json.lines().map(|line| serde_json::from_str::<String>(line).unwrap()));
        }
        let wanted: Vec<String> = values.iter().map(|v| serde_json::from_str(v).unwrap()).collect();
        assert!(all == wanted);

        let mut plain = String::new();
        assert_eq!(pieces(&mut plain, &["\"<b>\"".to_owned()]), [0]);
        assert_eq!(
            plain,
            "<script type=\"application/x-ndjson\" id=\"piece-0\">\"\\u003cb\\u003e\"</script>\n"
        );
        assert!(pieces(&mut String::new(), &[]).is_empty());
    }
}
