//! Comma-separated values: what lies beside every figure, and what figures are made from (RFC 4180 without line ends in
//! fields).

use std::borrow::Cow;

/// The fields of a line. A field in quotes may hold the separator, and quotes written twice.
pub fn split(line: &str, separator: char) -> Vec<Cow<'_, str>> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        if let Some(quoted) = rest.trim_start_matches(' ').strip_prefix('"') {
            let mut text = String::new();
            let mut open = quoted;
            while let Some((before, after)) = open.split_once('"') {
                text.push_str(before);
                open = after;
                match after.strip_prefix('"') {
                    Some(after) => {
                        text.push('"');
                        open = after;
                    }
                    None => break,
                }
            }
            fields.push(Cow::Owned(text));
            match open.split_once(separator) {
                Some((_, after)) => rest = after,
                None => return fields,
            }
        } else {
            match rest.split_once(separator) {
                Some((field, after)) => {
                    fields.push(Cow::Borrowed(field));
                    rest = after;
                }
                None => {
                    fields.push(Cow::Borrowed(rest));
                    return fields;
                }
            }
        }
    }
}

/// A field as it is written: in quotes where it holds a comma, a quote or a line end.
pub fn field(text: &str) -> Cow<'_, str> {
    if text.contains([',', '"', '\n', '\r']) {
        Cow::Owned(format!("\"{}\"", text.replace('"', "\"\"").replace(['\n', '\r'], " ")))
    } else {
        Cow::Borrowed(text)
    }
}

/// A line of fields, with its end.
pub fn line<'a>(fields: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for (at, each) in fields.into_iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        text.push_str(&field(each));
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let fields = ["GLI1", "a, b", "say \"x\"", "", "ä"];
        assert_eq!(split(line(fields).trim_end(), ','), fields);
        assert_eq!(line(fields), "GLI1,\"a, b\",\"say \"\"x\"\"\",,ä\n");
        assert_eq!(split("a;\"b;c\" ;d", ';'), ["a", "b;c", "d"]);
        assert_eq!(split("\"never closed", ','), [""], "a broken field does not panic");
    }
}
