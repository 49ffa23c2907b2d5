//! The lowest lines of a terminal, drawn over and over, while others scroll up above them.

use super::Sink;

/// A terminal. Lines must fit its width.
pub(super) struct Screen {
    sink: Sink,
    below: Vec<String>,
}

impl Screen {
    pub(super) fn new(sink: Sink) -> Self {
        Self {
            sink,
            below: Vec::new(),
        }
    }

    /// Lets `above` scroll up, and puts `below` in place of the lines that were drawn last. In one write: nothing
    /// flickers. There is nobody to tell when it fails.
    pub(super) fn draw(&mut self, above: &[String], below: Vec<String>) {
        if above.is_empty() && below == self.below {
            return;
        }
        let mut text = String::new();
        if !self.below.is_empty() {
            // Up to the first of the old lines, and clear from there to the end.
            text.push_str(&format!("\x1b[{}A\r\x1b[J", self.below.len()));
        }
        for line in above.iter().chain(&below) {
            text.push_str(line);
            text.push('\n');
        }
        let _ = self.sink.write_all(text.as_bytes());
        let _ = self.sink.flush();
        self.below = below;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::SharedSink;

    #[test]
    fn draws_over_its_own_lines_only() {
        let sink = SharedSink::default();
        let mut screen = Screen::new(Box::new(sink.clone()));
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        screen.draw(&lines(&["a"]), lines(&["1", "2"]));
        screen.draw(&[], lines(&["1", "2"]));
        screen.draw(&lines(&["b"]), lines(&["3"]));
        screen.draw(&[], Vec::new());
        assert_eq!(sink.text(), "a\n1\n2\n\x1b[2A\r\x1b[Jb\n3\n\x1b[1A\r\x1b[J");
    }
}
