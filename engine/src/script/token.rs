//! A handle inside a string: `` `http://${ip}/get` ``.
//!
//! Rhai's interpolation turns a handle into text at once. The text is a token between two code points that Unicode
//! reserves for a program's own use and forbids in text; at intake the string is cut at its tokens again.

/// U+FDD0, a noncharacter.
const OPEN: char = '\u{FDD0}';
/// U+FDD1, a noncharacter.
const CLOSE: char = '\u{FDD1}';

/// The token for the handle with this number.
pub(crate) fn token(number: usize) -> String {
    format!("{OPEN}{number}{CLOSE}")
}

/// Whether a string has a token in it. Cheap: most strings have none.
pub(crate) fn has_token(text: &str) -> bool {
    // Both code points start with the byte 0xEF, which plain text hardly has.
    text.as_bytes().contains(&0xEF) && text.contains([OPEN, CLOSE])
}

/// A piece of a string with tokens.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Cut<'t> {
    Text(&'t str),
    Token(usize),
    /// A part of a token: somebody took the string apart.
    Torn,
}

/// Cuts a string at its tokens.
pub(crate) fn cut(text: &str) -> Vec<Cut<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find([OPEN, CLOSE]) {
        if start > 0 {
            pieces.push(Cut::Text(&rest[..start]));
        }
        let tail = &rest[start..];
        let width = OPEN.len_utf8();
        let number = tail
            .strip_prefix(OPEN)
            .and_then(|tail| tail.find(CLOSE).map(|end| (&tail[..end], end)))
            .and_then(|(digits, end)| digits.parse().ok().map(|number| (number, end)));
        match number {
            Some((number, end)) => {
                pieces.push(Cut::Token(number));
                rest = &tail[width + end + width..];
            }
            None => {
                pieces.push(Cut::Torn);
                rest = &tail[width..];
            }
        }
    }
    if !rest.is_empty() {
        pieces.push(Cut::Text(rest));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_at_tokens() {
        let text = format!("http://{}:{}/", token(3), token(12));
        assert!(has_token(&text));
        assert_eq!(
            cut(&text),
            [
                Cut::Text("http://"),
                Cut::Token(3),
                Cut::Text(":"),
                Cut::Token(12),
                Cut::Text("/")
            ]
        );
    }

    #[test]
    fn sees_torn_tokens() {
        assert_eq!(cut("a\u{FDD0}1"), [Cut::Text("a"), Cut::Torn, Cut::Text("1")]);
        assert_eq!(cut("\u{FDD1}"), [Cut::Torn]);
        assert!(!has_token("naïve ﬁ text"));
    }
}
