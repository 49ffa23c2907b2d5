//! Text that is safe to draw, and that fits.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How many columns a text takes in a terminal.
pub(super) fn width(text: &str) -> usize {
    // Nothing that is drawn has control characters, so each byte of plain text is a column.
    if text.is_ascii() { text.len() } else { text.width() }
}

/// A text in one line: white space of any kind becomes one blank, see [`visible`] for the rest.
pub(super) fn one_line(text: &str) -> String {
    let plain = |pair: &[u8]| (b' '..=b'~').contains(&pair[1]) && pair != b"  ";
    if text.as_bytes().windows(2).all(plain)
        && text.starts_with(|c| ('!'..='~').contains(&c))
        && !text.ends_with(' ')
    {
        return text.to_owned();
    }
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    visible(&line)
}

/// A text without control characters, which could steer a terminal, reorder what is read or be illegal in XML: each
/// is shown as a picture or as its code.
pub(super) fn visible(text: &str) -> String {
    if !text.chars().any(is_control) {
        return text.to_owned();
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\0'..='\x1f' => safe.extend(char::from_u32(0x2400 + u32::from(c))),
            '\x7f' => safe.push('\u{2421}'),
            c if is_control(c) => safe.push_str(&format!("<U+{:04X}>", u32::from(c))),
            c => safe.push(c),
        }
    }
    safe
}

/// Whether a character steers or reorders instead of being seen.
pub(super) fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{2069}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{fffe}'
                | '\u{ffff}'
        )
}

/// A text between the tags or in an attribute of XML or HTML; it must be [`visible`] already.
pub(super) fn xml(text: &str) -> String {
    if !text.contains(['&', '<', '>', '"']) {
        return text.to_owned();
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c => safe.push(c),
        }
    }
    safe
}

/// The text in at most so many lines, the last one cut.
pub(super) fn wrap_at_most(text: &str, columns: usize, limit: usize) -> Vec<String> {
    let mut lines = wrap(text, columns);
    if lines.len() > limit {
        lines.truncate(limit);
        if let Some(last) = lines.last_mut() {
            last.push('…');
            *last = fit(last, columns);
        }
    }
    lines
}

/// The text, or as much of its begin as fits with `…` after it.
pub(super) fn fit(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let Some(room) = columns.checked_sub(1) else {
        return String::new();
    };
    let mut cut = head(text, room).trim_end().to_owned();
    cut.push('…');
    cut
}

/// The longest begin of a text that fits.
pub(super) fn head(text: &str, columns: usize) -> &str {
    let mut taken = 0;
    for (at, c) in text.char_indices() {
        taken += c.width().unwrap_or(0);
        if taken > columns {
            return &text[..at];
        }
    }
    text
}

/// The longest begin of a text that fits, up to a place where a sentence or a path may be broken if that is not far
/// from its end.
pub(super) fn break_at(text: &str, columns: usize) -> &str {
    let piece = head(text, columns);
    let good = |from: &[char]| piece.rfind(from).filter(|at| at * 2 > piece.len());
    match good(&[' ']).or_else(|| good(&['.', '[', '/', '-', '='])) {
        Some(at) => &piece[..at],
        None => piece,
    }
}

/// The text in lines that fit: broken at blanks, and inside a word only if the word is longer than a line.
pub(super) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(2);
    if width(text) <= columns {
        return vec![text.to_owned()];
    }
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && width(&line) + 1 + width(word) <= columns {
            line.push(' ');
            line.push_str(word);
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        let mut rest = word;
        while width(rest) > columns {
            let piece = break_at(rest, columns);
            lines.push(piece.to_owned());
            rest = &rest[piece.len()..];
        }
        line.push_str(rest);
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_has_no_breaks_and_no_controls() {
        assert_eq!(one_line(" a\n\tb  c\r\n"), "a b c");
        assert_eq!(one_line("red \x1b[31m, bell \x07"), "red ␛[31m, bell ␇");
        assert_eq!(one_line("x\u{202e}y\u{85}z"), "x<U+202E>y z");
    }

    #[test]
    fn fit_counts_columns_not_letters() {
        assert_eq!(fit("abcdef", 6), "abcdef");
        assert_eq!(fit("abcdefg", 6), "abcde…");
        assert_eq!(fit("名前名前", 6), "名前…");
        assert_eq!(fit("a", 0), "");
    }

    #[test]
    fn wrap_breaks_words_only_when_it_must() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(wrap("名前名前", 3), ["名", "前", "名", "前"]);
    }
}
