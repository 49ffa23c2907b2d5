//! A handle inside a string: `` `http://${ip}/get` ``.
//!
//! Rhai's interpolation turns a handle into text at once. The text is a token of code points that Unicode reserves for
//! a program's own use and forbids in text (U+FDD0 to U+FDE1); at intake the string is cut at its tokens again. Every
//! character of a token is such a one, so that a part of a torn token is never taken for text.

const OPEN: char = '\u{FDD0}';
const CLOSE: char = '\u{FDD1}';
/// The digit zero of the token's number, in base 16.
const ZERO: u32 = 0xFDD2;

/// The token for the handle with this number.
pub(crate) fn token(number: usize) -> String {
    let digits = format!("{number:x}");
    let digits = digits
        .chars()
        .filter_map(|digit| char::from_u32(ZERO + digit.to_digit(16)?));
    std::iter::once(OPEN).chain(digits).chain([CLOSE]).collect()
}

fn is_ours(c: char) -> bool {
    (OPEN..='\u{FDE1}').contains(&c)
}

/// Whether a string has a token, or a part of one, in it. Cheap: most strings have none.
pub(crate) fn has_token(text: &str) -> bool {
    // These code points start with the byte 0xEF, which plain text hardly has.
    text.as_bytes().contains(&0xEF) && text.contains(is_ours)
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
    while let Some(start) = rest.find(is_ours) {
        if start > 0 {
            pieces.push(Cut::Text(&rest[..start]));
        }
        let tail = &rest[start..];
        match number(tail) {
            Some((number, length)) => {
                pieces.push(Cut::Token(number));
                rest = &tail[length..];
            }
            None => {
                pieces.push(Cut::Torn);
                rest = &tail[OPEN.len_utf8()..];
            }
        }
    }
    if !rest.is_empty() {
        pieces.push(Cut::Text(rest));
    }
    pieces
}

/// The number of the token that the text starts with, and the token's length.
fn number(text: &str) -> Option<(usize, usize)> {
    let inner = text.strip_prefix(OPEN)?;
    let end = inner.find(CLOSE)?;
    let digits: Option<String> = inner[..end]
        .chars()
        .map(|c| char::from_digit(u32::from(c).checked_sub(ZERO)?, 16))
        .collect();
    let number = usize::from_str_radix(&digits?, 16).ok()?;
    Some((number, OPEN.len_utf8() + end + CLOSE.len_utf8()))
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
        assert_eq!(cut("a\u{FDD0}\u{FDD3}"), [Cut::Text("a"), Cut::Torn, Cut::Torn]);
        assert_eq!(cut("\u{FDD1}"), [Cut::Torn]);
        assert!(!has_token("naïve ﬁ text"));
    }
}
