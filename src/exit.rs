//! How the program ends.

use std::process::ExitCode;
use std::sync::Arc;

use psprun_engine::Diagnostic;

use crate::diagnose::Source;

/// The exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All that was asked for is done.
    Done = 0,
    /// A step or a check failed, or events could not be written.
    Failed = 1,
    /// Wrong usage, or a playbook that does not plan.
    Usage = 2,
    /// A fault of the program.
    Internal = 3,
    /// Stopped by a signal.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a verb ends before its end.
pub enum Stop {
    /// Something is wrong with what was asked for: exit status 2.
    Wrong(Vec<Diagnostic>, Option<Source>),
    /// Standard output is closed: `psprun … | head`. Nobody wants to hear more; not an error.
    NobodyReads,
    /// Standard output cannot be written for another reason, e.g. a full disk.
    CannotWrite(std::io::Error),
}

impl Stop {
    /// Something is wrong, and the scripts at hand can show where.
    pub fn with_source(
        diagnostics: Vec<Diagnostic>,
        source: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        Self::Wrong(diagnostics, Some(Arc::new(source)))
    }
}

impl From<Diagnostic> for Stop {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::Wrong(vec![diagnostic], None)
    }
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            Self::NobodyReads
        } else {
            Self::CannotWrite(error)
        }
    }
}

/// Why the system refused, without its number.
pub fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ") {
        Some((words, _)) => words.to_lowercase(),
        None => text,
    }
}
