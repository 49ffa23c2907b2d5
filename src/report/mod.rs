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

#[cfg(test)]
mod testing;
