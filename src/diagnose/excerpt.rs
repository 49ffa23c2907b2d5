//! A script as it is shown: its long lines cut to the terminal, its columns counted in characters.

use std::collections::HashMap;

use miette::{LabeledSpan, MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};
use psprun_engine::Location;

/// A script or manifest for miette, which would count columns in bytes and never cut a line.
pub(super) struct Excerpt {
    name: String,
    text: String,
    /// How many characters were cut from the start of a line, by its index, but for the sign in their place.
    cut: HashMap<usize, usize>,
}

/// Stands for what was cut off.
const MORE: char = '…';
/// How much of a line stays in sight before the first place in it.
const BEFORE: usize = 4;

impl Excerpt {
    /// The text, and what is labelled in it; `None` when a place is not in the text. Lines longer than `room` are cut.
    pub(super) fn of(
        name: &str,
        text: &str,
        places: &[&(Location, String)],
        room: Option<usize>,
    ) -> Option<(Self, Vec<LabeledSpan>)> {
        let mut cut = HashMap::new();
        let mut shown = String::new();
        let mut starts = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let first = places
                .iter()
                .filter(|(place, _)| index_of(place.line) == Some(index))
                .filter_map(|(place, _)| index_of(place.column))
                .min();
            let (line, without) = cut_line(line, first.unwrap_or(0), room);
            if without > 0 {
                cut.insert(index, without);
            }
            starts.push(shown.len());
            shown.push_str(&line);
            shown.push('\n');
        }
        let labels = places
            .iter()
            .enumerate()
            .map(|(number, (place, words))| {
                let index = index_of(place.line)?;
                let start = *starts.get(index)?;
                let line = shown[start..].lines().next().unwrap_or("");
                let without = cut.get(&index).copied().unwrap_or(0);
                let column = index_of(place.column).unwrap_or(0).saturating_sub(without);
                let span = word_at(line, column, start);
                let label = (!words.is_empty()).then(|| words.clone());
                Some(if number == 0 {
                    LabeledSpan::new_primary_with_span(label, span)
                } else {
                    LabeledSpan::new_with_span(label, span)
                })
            })
            .collect::<Option<Vec<_>>>()?;
        let name = name.to_owned();
        Some((
            Self {
                name,
                text: shown,
                cut,
            },
            labels,
        ))
    }
}

/// From a number that counts from 1 to one that counts from 0.
fn index_of(number: u32) -> Option<usize> {
    usize::try_from(number).ok()?.checked_sub(1)
}

/// A line of at most `room` characters with the character at `column` in it, and how many characters were cut from its
/// start, but for the sign in their place.
fn cut_line(line: &str, column: usize, room: Option<usize>) -> (String, usize) {
    let length = line.chars().count();
    let Some(room) = room.filter(|room| length > *room) else {
        return (line.to_owned(), 0);
    };
    let start = if column < room / 2 {
        0
    } else {
        column.min(length).saturating_sub(BEFORE)
    };
    let mut shown = String::new();
    if start > 0 {
        shown.push(MORE);
    }
    let left = room - usize::from(start > 0);
    if length - start <= left {
        shown.extend(line.chars().skip(start));
    } else {
        shown.extend(line.chars().skip(start).take(left - 1));
        shown.push(MORE);
    }
    (shown, start.saturating_sub(1))
}

/// The word or sign at a column of a line that starts at this offset.
fn word_at(line: &str, column: usize, start: usize) -> SourceSpan {
    let inside = line
        .char_indices()
        .nth(column)
        .map_or(line.len(), |(offset, _)| offset);
    let rest = &line[inside..];
    let word = rest
        .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
        .unwrap_or(rest.len());
    let length = if word > 0 {
        rest[..word].trim_end_matches(':').len().max(1)
    } else {
        rest.chars().next().map_or(0, char::len_utf8)
    };
    (start + inside, length).into()
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let inner = self.text.read_span(span, before, after)?;
        let start = inner.span().offset();
        let line_start = self.text[..start].rfind('\n').map_or(0, |end| end + 1);
        let column = self.text[line_start..start].chars().count();
        let without = self.cut.get(&inner.line()).filter(|_| column > 0);
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            inner.data(),
            *inner.span(),
            inner.line(),
            column + without.copied().unwrap_or(0),
            inner.line_count(),
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_around_the_place() {
        assert_eq!(cut_line("short", 3, Some(10)), ("short".to_owned(), 0));
        assert_eq!(
            cut_line("abcdefghijklmnop", 0, Some(10)),
            ("abcdefghi…".to_owned(), 0)
        );
        assert_eq!(
            cut_line("abcdefghijklmnopqrstuvwxyz", 12, Some(10)),
            ("…ijklmnop…".to_owned(), 7)
        );
        assert_eq!(
            cut_line("abcdefghijklmnopqrstuvwxyz", 22, Some(10)),
            ("…stuvwxyz".to_owned(), 17)
        );
        assert_eq!(
            cut_line("abcdefghijklmnopqrstuvwxyz", 99, Some(10)),
            ("…wxyz".to_owned(), 21)
        );
        assert_eq!(
            cut_line("abcdefghijklmnop", 5, None),
            ("abcdefghijklmnop".to_owned(), 0)
        );
    }
}
