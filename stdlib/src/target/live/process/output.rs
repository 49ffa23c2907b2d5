//! A command's output: lines as they come, and what is kept of it.

use std::borrow::Cow;

use psprun_engine::Stream;

use crate::target::{LineSink, OUTPUT_LIMIT};

/// A line that is longer is passed on in pieces, so that a stream without line ends does not fill the memory.
const LONGEST_LINE: usize = 64 << 10;

/// One stream of a command's output.
pub(super) struct Output<'s> {
    stream: Stream,
    sink: &'s LineSink,
    /// The start of a line whose end has not come yet.
    partial: Vec<u8>,
    head: Vec<u8>,
    tail: Vec<u8>,
    /// How much of the tail's front was dropped.
    lost: usize,
}

impl<'s> Output<'s> {
    pub(super) fn new(stream: Stream, sink: &'s LineSink) -> Self {
        Self {
            stream,
            sink,
            partial: Vec::new(),
            head: Vec::new(),
            tail: Vec::new(),
            lost: 0,
        }
    }

    /// Takes the next bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.keep(bytes);
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            if self.partial.is_empty() {
                self.line(&rest[..end]);
            } else {
                self.partial.extend_from_slice(&rest[..end]);
                self.flush();
            }
            rest = &rest[end + 1..];
        }
        self.partial.extend_from_slice(rest);
        if self.partial.len() > LONGEST_LINE {
            let cut = char_boundary(&self.partial);
            let next = self.partial.split_off(cut);
            self.flush();
            self.partial = next;
        }
    }

    /// Passes on a last line without an end, and gives what was kept; what is no UTF-8 becomes `U+FFFD`.
    pub(super) fn finish(mut self) -> String {
        if !self.partial.is_empty() {
            self.flush();
        }
        if self.lost == 0 {
            self.head.append(&mut self.tail);
            return String::from_utf8(self.head)
                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        }
        format!(
            "{}\n… {} bytes are left out here …\n{}",
            String::from_utf8_lossy(&self.head),
            self.lost,
            String::from_utf8_lossy(&self.tail)
        )
    }

    fn keep(&mut self, bytes: &[u8]) {
        const HALF: usize = OUTPUT_LIMIT / 2;
        let to_head = bytes.len().min(HALF - self.head.len());
        self.head.extend_from_slice(&bytes[..to_head]);
        self.tail.extend_from_slice(&bytes[to_head..]);
        // Now and then, not with every read: moving the tail costs as much as it is long.
        if self.tail.len() >= 2 * HALF {
            let over = self.tail.len() - HALF;
            self.tail.drain(..over);
            self.lost += over;
        }
    }

    fn flush(&mut self) {
        let line = std::mem::take(&mut self.partial);
        self.line(&line);
        self.partial = line;
        self.partial.clear();
    }

    fn line(&self, line: &[u8]) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let text: Cow<'_, str> = String::from_utf8_lossy(line);
        (self.sink)(self.stream, &text);
    }
}

/// The last place at which no character is torn apart.
fn char_boundary(bytes: &[u8]) -> usize {
    let start_of_char = |byte: u8| byte & 0b1100_0000 != 0b1000_0000;
    (bytes.len().saturating_sub(3)..bytes.len())
        .rev()
        .find(|at| start_of_char(bytes[*at]))
        .filter(|at| *at > 0)
        .unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn lines_of(pieces: &[&[u8]]) -> (Vec<String>, String) {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink: LineSink = Arc::new({
            let lines = lines.clone();
            move |_, line: &str| lines.lock().expect("unpoisoned").push(line.to_owned())
        });
        let mut output = Output::new(Stream::Stdout, &sink);
        pieces.iter().for_each(|piece| output.push(piece));
        let kept = output.finish();
        let lines = lines.lock().expect("unpoisoned").clone();
        (lines, kept)
    }

    #[test]
    fn lines_are_put_together_from_pieces() {
        let (lines, kept) = lines_of(&[b"a\r\nb", b"c\n\nend"]);
        assert_eq!(lines, ["a", "bc", "", "end"]);
        assert_eq!(kept, "a\r\nbc\n\nend");
    }

    #[test]
    fn what_is_no_text_is_replaced() {
        let (lines, kept) = lines_of(&[b"\xff\xfe ok\n"]);
        assert_eq!(lines, ["\u{fffd}\u{fffd} ok"]);
        assert_eq!(kept, "\u{fffd}\u{fffd} ok\n");
    }

    #[test]
    fn a_line_without_an_end_comes_in_whole_characters() {
        let text = "ü".repeat(LONGEST_LINE);
        let (lines, kept) = lines_of(&text.as_bytes().chunks(1001).collect::<Vec<_>>());
        assert!(lines.len() > 1);
        assert_eq!(lines.concat(), text);
        assert_eq!(kept, text);
    }

    #[test]
    fn head_and_tail_of_much_output_are_kept() {
        let chunk = [b'x'; 10_000];
        let mut pieces: Vec<&[u8]> = vec![b"first\n"];
        pieces.extend(std::iter::repeat_n(&chunk[..], 1000));
        pieces.push(b"\nlast");
        let (_, kept) = lines_of(&pieces);
        assert!(kept.starts_with("first\n") && kept.ends_with("\nlast"));
        assert!(kept.contains(" bytes are left out here …"));
        assert!(kept.len() < OUTPUT_LIMIT * 2);
    }
}
