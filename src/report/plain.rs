//! Lines for logs: one for each step that ends; for long silences, a line that says what runs.

use std::collections::{HashMap, VecDeque};
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use psprun_engine::{Consumer, Event, EventKind, State};

use super::heartbeat::{Heartbeat, Running};
use super::line::{End, Look};
use super::{LAST_LINES, Sink, Verbosity};
use crate::terminal::plain_text;

/// The reporter for whatever is no terminal.
pub struct Plain {
    state: Arc<Mutex<Lines>>,
    _heartbeat: Option<Heartbeat>,
}

/// What the reporter and its heartbeat share.
pub(super) struct Lines {
    look: Look,
    verbosity: Verbosity,
    sink: Sink,
    /// Of the running steps.
    last_lines: HashMap<Arc<str>, VecDeque<String>>,
    pub(super) running: Vec<Running>,
    /// Counts what was written, so that the heartbeat knows a silence.
    pub(super) written: u64,
}

impl Plain {
    /// Writes to `sink`; from then on a silence of more than a few seconds is broken.
    pub fn new(look: Look, verbosity: Verbosity, sink: Sink) -> Self {
        let state = Arc::new(Mutex::new(Lines {
            look,
            verbosity,
            sink,
            last_lines: HashMap::new(),
            running: Vec::new(),
            written: 0,
        }));
        let heartbeat = (verbosity > Verbosity::Quiet).then(|| Heartbeat::start(state.clone()));
        Self {
            state,
            _heartbeat: heartbeat,
        }
    }
}

impl Consumer for Plain {
    fn event(&mut self, event: &Event) {
        let mut lines = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        lines.take(&event.kind);
    }
}

impl Lines {
    /// Writes a line. There is nobody to tell when that fails.
    pub(super) fn write(&mut self, line: &str) {
        self.written += 1;
        let _ = writeln!(self.sink, "{line}");
        let _ = self.sink.flush();
    }

    fn tell(&mut self, at_least: Verbosity, line: impl FnOnce(&Look) -> String) {
        if self.verbosity >= at_least {
            let line = line(&self.look);
            self.write(&line);
        }
    }

    pub(super) fn look(&self) -> &Look {
        &self.look
    }

    fn take(&mut self, event: &EventKind) {
        use Verbosity::{Normal, Verbose};
        match event {
            EventKind::RunStarted { playbook, steps, .. } => {
                let steps = count(*steps, "step");
                self.tell(Normal, |look| format!("{}: {steps}", look.paint.bold(playbook)));
            }
            EventKind::StepStarted { step, builtin } => {
                self.running.push(Running::new(step.clone()));
                self.tell(Verbose, |look| look.started(step, builtin));
            }
            EventKind::StepLine { step, line, .. } => self.line(step, line),
            EventKind::StepProgress { step, text } => {
                let text = plain_text(text);
                if let Some(running) = self.running.iter_mut().find(|running| running.step == *step) {
                    running.doing.clone_from(&text);
                }
                self.tell(Verbose, |look| indented(look, step, &text));
            }
            EventKind::StepWarning { step, text } => {
                self.tell(Normal, |look| look.warning(step, text));
            }
            EventKind::StepRetrying {
                step,
                attempt,
                attempts,
                reason,
                wait_ms,
            } => self.tell(Normal, |look| {
                look.retrying(step, *attempt, *attempts, reason, *wait_ms)
            }),
            EventKind::StepUnfolded { step, into } => {
                let text = format!("becomes {}: {}", count(into.len(), "step"), into.join(", "));
                self.tell(Verbose, |look| indented(look, step, &text));
            }
            EventKind::StepFinished {
                step,
                state,
                took_ms,
                attempts,
                summary,
                details,
                error,
                ..
            } => {
                let failed = *state == State::Failed && !error.as_ref().is_some_and(|error| error.allowed);
                let level = if failed { Verbosity::Quiet } else { Normal };
                let end = End {
                    state: *state,
                    took_ms: *took_ms,
                    attempts: *attempts,
                    summary: summary.as_deref(),
                    error: error.as_deref(),
                };
                self.tell(level, |look| look.finished(step, &end));
                for line in details.iter().flat_map(|details| details.lines()) {
                    self.tell(Verbose, |_| format!("    {}", plain_text(line)));
                }
                self.forget(step, failed);
            }
            EventKind::RunInterrupted { at_once } => {
                let text = interrupted(*at_once);
                self.tell(Normal, |look| look.paint.yellow(text));
            }
            EventKind::RunFinished { .. } => self.running.clear(),
        }
    }

    fn line(&mut self, step: &Arc<str>, line: &str) {
        let line = plain_text(line);
        if self.verbosity == Verbosity::Verbose {
            self.tell(Verbosity::Verbose, |look| indented(look, step, &line));
            return;
        }
        let last = self.last_lines.entry(step.clone()).or_default();
        if last.len() == LAST_LINES {
            last.pop_front();
        }
        last.push_back(line);
    }

    /// A step has ended: when it failed, the last of its output is worth seeing.
    fn forget(&mut self, step: &Arc<str>, failed: bool) {
        self.running.retain(|running| running.step != *step);
        let last = self.last_lines.remove(step);
        if failed {
            for line in last.iter().flatten() {
                self.tell(Verbosity::Quiet, |look| {
                    format!("    {} {line}", look.paint.dim("|"))
                });
            }
        }
    }
}

fn indented(look: &Look, step: &str, line: &str) -> String {
    format!(
        "  {} {} {line}",
        look.paint.dim(&look.name(step)),
        look.paint.dim("|")
    )
}

/// `1 step`, `3 steps`.
pub(super) fn count(number: usize, word: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {word}{s}")
}

/// What is said when a run is interrupted.
pub(super) fn interrupted(at_once: bool) -> &'static str {
    if at_once {
        "interrupted again: stopping at once"
    } else {
        "interrupted: nothing more starts, what runs is being stopped; once more to stop at once"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{self, SharedSink};

    fn report(verbosity: Verbosity, events: &[Event]) -> String {
        let sink = SharedSink::default();
        let mut plain = Plain::new(testing::look(None), verbosity, Box::new(sink.clone()));
        events.iter().for_each(|event| plain.event(event));
        sink.text()
    }

    #[test]
    fn a_line_for_each_step_that_ends() {
        insta::assert_snapshot!(report(Verbosity::Normal, &testing::eventful_run()));
    }

    #[test]
    fn verbose_shows_starts_progress_output_and_details() {
        insta::assert_snapshot!(report(Verbosity::Verbose, &testing::eventful_run()));
    }

    #[test]
    fn quiet_shows_failures_and_the_end_of_their_output() {
        insta::assert_snapshot!(report(Verbosity::Quiet, &testing::eventful_run()));
    }

    #[test]
    fn interruption_is_told() {
        insta::assert_snapshot!(report(Verbosity::Normal, &testing::interrupted_run()));
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let mut events = vec![testing::started("a")];
        events.extend((0..100).map(|n| testing::line("a", &format!("line {n}"))));
        events.push(testing::failed("a", "no"));
        let text = report(Verbosity::Normal, &events);
        assert_eq!(text.matches("| line").count(), LAST_LINES, "{text}");
        assert!(text.contains("line 99") && !text.contains("line 79"), "{text}");
    }
}
