//! What people and programs see of a run. Every reporter is a consumer of events and of nothing else.

mod events;
mod heartbeat;
mod line;
mod live;
mod plain;
mod screen;
mod summary;

use std::io::Write;

pub use self::events::{EventLog, EventLogState};
pub use self::line::Look;
pub use self::live::Live;
pub use self::plain::Plain;
pub use self::summary::{Summary, Timeline};

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Failures only.
    Quiet,
    /// A line for each step that ends.
    Normal,
    /// Also starts, progress, diffs and the output of commands.
    Verbose,
}

/// Where a reporter writes.
pub type Sink = Box<dyn Write + Send>;

/// How many of a failed step's last lines of output are shown.
const LAST_LINES: usize = 20;

/// A line that cannot move the cursor, ring the bell or paint: what commands print is not ours.
fn plain_text(line: &str) -> String {
    let line = line.rsplit('\r').find(|part| !part.is_empty()).unwrap_or("");
    let line = console::strip_ansi_codes(line);
    let mut text = String::with_capacity(line.len());
    for c in line.chars() {
        match c {
            '\t' => text.push_str("    "),
            c if c.is_control() => {}
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod testing;

#[cfg(test)]
mod tests {
    #[test]
    fn output_of_commands_cannot_move_the_cursor() {
        let plain = super::plain_text;
        assert_eq!(plain("a\tb"), "a    b");
        assert_eq!(plain("\x1b[31mred\x1b[0m \x1b[2Jx\x07"), "red x");
        assert_eq!(
            plain("10%\r50%\r100%"),
            "100%",
            "the last state of a progress bar"
        );
        assert_eq!(plain("done\r"), "done");
        assert_eq!(plain(""), "");
    }
}
