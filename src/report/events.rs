//! `--events FILE`: every event as a line of JSON, see `docs/events.md`.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use psprun_engine::{Consumer, Event};

use super::Sink;
use crate::exit::reason;

/// Writes events; each line is flushed, so that a reader is never behind.
pub struct EventLog {
    sink: Sink,
    complain: fn(&str),
    state: EventLogState,
}

/// Whether all events could be written.
#[derive(Debug, Clone, Default)]
pub struct EventLogState {
    failed: Arc<AtomicBool>,
}

impl EventLogState {
    /// Whether an event is missing in the file.
    pub fn failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }
}

impl EventLog {
    /// Writes to `sink`. The first failure is told with `complain`; after it nothing more is written, so that the file
    /// has no gaps, and the run goes on.
    pub fn new(sink: Sink, complain: fn(&str)) -> (Self, EventLogState) {
        let state = EventLogState::default();
        let log = Self {
            sink,
            complain,
            state: state.clone(),
        };
        (log, state)
    }

    fn write(&mut self, event: &Event) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        self.sink.write_all(&line)?;
        self.sink.flush()
    }
}

impl Consumer for EventLog {
    fn event(&mut self, event: &Event) {
        if self.state.failed() {
            return;
        }
        if let Err(error) = self.write(event) {
            self.state.failed.store(true, Ordering::Release);
            (self.complain)(&format!(
                "psprun: cannot write events: {}; the run goes on without them\n",
                reason(&error)
            ));
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::report::testing::{self, SharedSink};

    #[test]
    fn every_line_is_an_event() {
        let sink = SharedSink::default();
        let (mut log, state) = EventLog::new(Box::new(sink.clone()), |_| {});
        let events = testing::eventful_run();
        events.iter().for_each(|event| log.event(event));
        let text = sink.text();
        let back: Vec<Event> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(format!("{back:?}"), format!("{events:?}"));
        assert!(!state.failed());
    }

    #[test]
    fn a_full_disk_is_told_once_and_ends_nothing() {
        static TOLD: std::sync::Mutex<Vec<String>> = std::sync::Mutex::new(Vec::new());
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let (mut log, state) =
            EventLog::new(Box::new(full), |text| TOLD.lock().unwrap().push(text.to_owned()));
        testing::eventful_run().iter().for_each(|event| log.event(event));
        assert!(state.failed());
        let told = TOLD.lock().unwrap();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("no space left"), "{told:?}");
    }
}
