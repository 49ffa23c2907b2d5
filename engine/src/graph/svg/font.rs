//! How wide a text is, without a font at hand: by the letters of DejaVu Sans, the widest of the fonts that viewers use
//! for `sans-serif`, so that a text fits its box in any of them.

use unicode_width::UnicodeWidthChar;

/// Hundredths of the font size, from the blank to `~`.
const ASCII: [u8; 95] = [
    32, 40, 46, 84, 64, 95, 78, 27, 39, 39, 50, 84, 32, 36, 32, 34, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    34, 34, 84, 84, 84, 53, 100, 68, 69, 70, 77, 63, 58, 77, 75, 29, 29, 66, 56, 86, 75, 79, 60, 79, 69, 63,
    61, 73, 68, 99, 69, 61, 69, 39, 34, 39, 84, 50, 50, 61, 63, 55, 63, 62, 35, 63, 63, 28, 28, 58, 28, 97,
    63, 61, 63, 63, 41, 52, 39, 63, 59, 82, 59, 59, 52, 64, 34, 64, 84,
];

/// A font size and weight.
#[derive(Debug, Clone, Copy)]
pub(super) struct Font {
    pub size: f64,
    pub bold: bool,
    /// All letters are of one width.
    pub mono: bool,
}

impl Font {
    pub(super) const fn plain(size: f64) -> Self {
        Self {
            size,
            bold: false,
            mono: false,
        }
    }

    fn of(self, c: char) -> f64 {
        let hundredths = match c {
            _ if self.mono => 61.0 * c.width().unwrap_or(0) as f64,
            ' '..='~' => f64::from(ASCII[c as usize - 32]),
            '…' => 100.0,
            '·' => 32.0,
            c => [0.0, 70.0, 105.0][c.width().unwrap_or(0).min(2)],
        };
        hundredths / 100.0 * self.size * if self.bold && !self.mono { 1.13 } else { 1.0 }
    }

    pub(super) fn width(self, text: &str) -> f64 {
        text.chars().map(|c| self.of(c)).sum()
    }

    /// The longest begin that fits.
    fn head(self, text: &str, room: f64) -> &str {
        let mut taken = 0.0;
        for (at, c) in text.char_indices() {
            taken += self.of(c);
            if taken > room {
                return &text[..at];
            }
        }
        text
    }

    /// The text, or as much of its begin as fits with `…` after it.
    pub(super) fn fit(self, text: &str, room: f64) -> String {
        if self.width(text) <= room {
            return text.to_owned();
        }
        format!("{}…", self.head(text, room - self.of('…')).trim_end())
    }

    /// The text in at most so many lines, the last one cut if need be: broken at blanks, or else inside a path.
    pub(super) fn wrap(self, text: &str, room: f64, limit: usize) -> Vec<String> {
        let mut lines = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            if lines.len() + 1 == limit || self.width(rest) <= room {
                lines.push(self.fit(rest, room));
                break;
            }
            let piece = self.head(rest, room);
            // A break after a blank or before a part of a path, if it leaves a line that is not too short.
            let good = |from: &[char]| piece.rfind(from).filter(|at| *at * 2 > piece.len());
            let at = if rest[piece.len()..].starts_with(' ') {
                piece.len()
            } else {
                good(&[' '])
                    .or_else(|| good(&['.', '[', '/', '-', '=']))
                    .unwrap_or(piece.len())
            };
            // At least one letter, however narrow the room.
            let at = at.max(rest.chars().next().map_or(0, char::len_utf8));
            lines.push(rest[..at].trim_end().to_owned());
            rest = rest[at..].trim_start();
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::Font;

    #[test]
    fn wrap_ends_for_any_room() {
        let font = Font::plain(10.0);
        assert_eq!(font.wrap("one two three", 50.0, 9), ["one two", "three"]);
        assert_eq!(
            font.wrap("one two three fourteen", 50.0, 2),
            ["one two", "three fo…"]
        );
        assert_eq!(font.wrap("名前", 0.0, 9), ["名", "前"]);
        assert!(font.wrap("  ", 10.0, 3).is_empty());
    }
}
