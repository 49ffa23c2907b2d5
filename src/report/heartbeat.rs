//! Breaks long silences: whoever reads a log wants to know that something runs, and what.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use psprun_engine::plan::show_duration;

use super::plain::Lines;

/// After so long a silence a line is written, and then each so often.
const SILENCE: Duration = Duration::from_secs(20);

/// A running step.
pub(super) struct Running {
    pub(super) step: Arc<str>,
    pub(super) doing: String,
    since: Instant,
}

impl Running {
    pub(super) fn new(step: Arc<str>) -> Self {
        Self {
            step,
            doing: String::new(),
            since: Instant::now(),
        }
    }
}

/// A thread that watches for silences until it is dropped.
pub(super) struct Heartbeat {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Heartbeat {
    pub(super) fn start(lines: Arc<Mutex<Lines>>) -> Self {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let watched = stop.clone();
        let thread = std::thread::Builder::new()
            .name("heartbeat".to_owned())
            .spawn(move || watch(&watched, &lines))
            .ok();
        Self { stop, thread }
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        *self.stop.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.1.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn watch(stop: &(Mutex<bool>, Condvar), lines: &Mutex<Lines>) {
    let mut seen = 0;
    loop {
        let stopped = stop.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = stop.1.wait_timeout_while(stopped, SILENCE, |stopped| !*stopped);
        let (stopped, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if *stopped {
            return;
        }
        drop(stopped);
        let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.written == seen
            && let Some(line) = still_running(&lines.running, Instant::now())
        {
            let line = format!("{} {line}", lines.look().ellipsis());
            let line = lines.look().paint.dim(&line);
            lines.write(&line);
        }
        seen = lines.written;
    }
}

/// `still running: nodes (waiting for 1 of 3) 35s, pods 12s`.
fn still_running(running: &[Running], now: Instant) -> Option<String> {
    const SHOWN: usize = 4;
    let shown: Vec<String> = running
        .iter()
        .take(SHOWN)
        .map(|step| {
            let time = show_duration(now.saturating_duration_since(step.since));
            if step.doing.is_empty() {
                format!("{} {time}", step.step)
            } else {
                format!("{} ({}) {time}", step.step, step.doing)
            }
        })
        .collect();
    if shown.is_empty() {
        return None;
    }
    let more = match running.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!("still running: {}{more}", shown.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_runs_and_for_how_long() {
        let mut running: Vec<Running> = ["nodes", "b", "c", "d", "e", "f"]
            .map(|name| Running::new(name.into()))
            .into();
        running[0].doing = "waiting for 1 of 3".to_owned();
        let now = running[5].since + Duration::from_secs(35);
        running
            .iter_mut()
            .for_each(|step| step.since = now - Duration::from_secs(35));
        assert_eq!(
            still_running(&running, now).as_deref(),
            Some("still running: nodes (waiting for 1 of 3) 35.0s, b 35.0s, c 35.0s, d 35.0s and 2 more")
        );
        assert_eq!(still_running(&[], now), None);
    }
}
