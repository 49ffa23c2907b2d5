//! The display on a terminal: finished steps scroll up, below them one line for each running step, and the counts.

use std::collections::VecDeque;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use psprun_engine::plan::show_duration;
use psprun_engine::{Consumer, Event, EventKind, State};

use super::LAST_LINES;
use super::line::{End, Look};
use super::plain::{count, interrupted};
use super::screen::Screen;
use crate::terminal::plain_text;

/// How often the display is drawn anew.
const TICK: Duration = Duration::from_millis(100);

/// The reporter for a terminal. Events only change what is to be shown; a thread draws.
pub struct Live {
    board: Arc<Mutex<Board>>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What is to be shown.
struct Board {
    look: Look,
    started: Instant,
    /// Lines that scroll up at the next drawing.
    above: Vec<String>,
    running: Vec<RunningStep>,
    steps: usize,
    good: usize,
    failed: usize,
    skipped: usize,
    interrupted: bool,
}

struct RunningStep {
    name: Arc<str>,
    since: Instant,
    /// Its last word: progress, or a line of output.
    now: String,
    last_lines: VecDeque<String>,
}

impl Live {
    /// Draws on standard error.
    pub fn new(look: Look) -> Self {
        let board = Arc::new(Mutex::new(Board::new(look)));
        let (stop, stopped) = mpsc::channel();
        let drawn = board.clone();
        let thread = std::thread::Builder::new()
            .name("display".to_owned())
            .spawn(move || {
                let mut screen = Screen::new(Box::new(std::io::stderr()));
                loop {
                    let waited = stopped.recv_timeout(TICK);
                    let running = waited == Err(RecvTimeoutError::Timeout);
                    draw(&drawn, &mut screen, running);
                    if !running {
                        break;
                    }
                }
            })
            .ok();
        Self {
            board,
            stop: Some(stop),
            thread,
        }
    }

    /// Draws what is left and clears the display, so that the next reporter finds a clean line.
    fn finish(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Consumer for Live {
    fn event(&mut self, event: &Event) {
        self.board
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(&event.kind);
        if let EventKind::RunFinished { .. } = event.kind {
            self.finish();
        }
    }
}

/// Draws the board; once the run has ended, only what scrolls up stays.
fn draw(board: &Mutex<Board>, screen: &mut Screen, running: bool) {
    let (height, width) = console::Term::stderr()
        .size_checked()
        .map_or((24, 80), |(height, width)| {
            (usize::from(height), usize::from(width))
        });
    let mut board = board.lock().unwrap_or_else(PoisonError::into_inner);
    // The last column stays free: some terminals wrap there.
    board.look.width = Some(width.saturating_sub(1).max(20));
    let above = std::mem::take(&mut board.above);
    let below = if running {
        board.frame(height, Instant::now())
    } else {
        Vec::new()
    };
    drop(board);
    screen.draw(&above, below);
}

impl Board {
    fn new(look: Look) -> Self {
        Self {
            look,
            started: Instant::now(),
            above: Vec::new(),
            running: Vec::new(),
            steps: 0,
            good: 0,
            failed: 0,
            skipped: 0,
            interrupted: false,
        }
    }

    fn running(&mut self, step: &Arc<str>) -> Option<&mut RunningStep> {
        self.running.iter_mut().find(|running| running.name == *step)
    }

    fn take(&mut self, event: &EventKind) {
        match event {
            EventKind::RunStarted { playbook, steps, .. } => {
                self.steps = *steps;
                let steps = count(*steps, "step");
                let line = format!("{}: {steps}", self.look.paint.bold(playbook));
                self.above.push(self.look.cut(&line));
            }
            EventKind::StepStarted { step, .. } => self.running.push(RunningStep {
                name: step.clone(),
                since: Instant::now(),
                now: String::new(),
                last_lines: VecDeque::new(),
            }),
            EventKind::StepLine { step, line, .. } => {
                let line = plain_text(line);
                if let Some(running) = self.running(step) {
                    if running.last_lines.len() == LAST_LINES {
                        running.last_lines.pop_front();
                    }
                    running.last_lines.push_back(line.clone());
                    if !line.trim().is_empty() {
                        running.now = line;
                    }
                }
            }
            EventKind::StepProgress { step, text } => {
                let text = plain_text(text);
                if let Some(running) = self.running(step) {
                    running.now = text;
                }
            }
            EventKind::StepWarning { step, text } => self.above.push(self.look.warning(step, text)),
            EventKind::StepRetrying {
                step,
                attempt,
                attempts,
                reason,
                wait_ms,
            } => {
                let line = self.look.retrying(step, *attempt, *attempts, reason, *wait_ms);
                self.above.push(line);
            }
            EventKind::StepUnfolded { into, .. } => self.steps += into.len(),
            EventKind::StepFinished {
                step,
                state,
                took_ms,
                attempts,
                summary,
                error,
                ..
            } => {
                let end = End {
                    state: *state,
                    took_ms: *took_ms,
                    attempts: *attempts,
                    summary: summary.as_deref(),
                    error: error.as_deref(),
                };
                self.finished(step, &end);
            }
            EventKind::RunInterrupted { at_once } => {
                self.interrupted = true;
                let line = self.look.paint.yellow(interrupted(*at_once));
                self.above.push(self.look.cut(&line));
            }
            EventKind::RunFinished { .. } => self.running.clear(),
        }
    }

    fn finished(&mut self, step: &Arc<str>, end: &End<'_>) {
        let allowed = end.error.is_some_and(|error| error.allowed);
        match end.state {
            State::Failed if !allowed => self.failed += 1,
            State::Skipped | State::Cancelled => self.skipped += 1,
            _ => self.good += 1,
        }
        self.above.push(self.look.finished(step, end));
        if let Some(index) = self.running.iter().position(|running| running.name == *step) {
            let running = self.running.remove(index);
            if end.state == State::Failed && !allowed {
                for line in running.last_lines {
                    let line = format!("    {} {line}", self.look.paint.dim("|"));
                    self.above.push(self.look.cut(&line));
                }
            }
        }
    }

    /// The lines below: running steps, the oldest first, and the counts.
    fn frame(&self, height: usize, now: Instant) -> Vec<String> {
        // Some lines of the history stay in sight.
        let room = (height / 2).max(2) - 1;
        let shown = if self.running.len() > room {
            room.saturating_sub(1).max(1)
        } else {
            self.running.len()
        };
        let mut lines: Vec<String> = self.running[..shown]
            .iter()
            .map(|step| self.running_line(step, now))
            .collect();
        if self.running.len() > shown {
            let more = format!("{} and {} more", self.look.ellipsis(), self.running.len() - shown);
            lines.push(self.look.paint.dim(&more));
        }
        lines.push(self.counts(now));
        lines
    }

    fn running_line(&self, step: &RunningStep, now: Instant) -> String {
        let elapsed = now.saturating_duration_since(step.since);
        let mark = self.look.paint.cyan(self.spinner(now));
        let line = format!(
            "{mark} {} {:>7}  {}",
            self.look.name(&step.name),
            elapsed_words(elapsed),
            self.look.paint.dim(&step.now)
        );
        self.look.cut(line.trim_end())
    }

    fn spinner(&self, now: Instant) -> &'static str {
        let frames: &[&str] = if self.look.unicode {
            &["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"]
        } else {
            &["|", "/", "-", "\\"]
        };
        let ticks = now.saturating_duration_since(self.started).as_millis() / TICK.as_millis();
        frames[usize::try_from(ticks).unwrap_or(0) % frames.len()]
    }

    fn counts(&self, now: Instant) -> String {
        let paint = self.look.paint;
        let ended = self.good + self.failed + self.skipped;
        let mut parts = vec![paint.bold(&format!("{ended} of {}", self.steps))];
        if self.interrupted {
            parts.push(paint.yellow("stopping"));
        }
        if self.failed > 0 {
            parts.push(paint.red(&format!("{} failed", self.failed)));
        }
        if !self.running.is_empty() {
            parts.push(format!("{} running", self.running.len()));
        }
        if self.skipped > 0 {
            parts.push(paint.dim(&format!("{} skipped", self.skipped)));
        }
        parts.push(elapsed_words(now.saturating_duration_since(self.started)));
        let separator = if self.look.unicode { " · " } else { ", " };
        self.look.cut(&parts.join(separator))
    }
}

/// Whole seconds: tenths would flicker.
fn elapsed_words(elapsed: Duration) -> String {
    if elapsed.as_secs() < 60 {
        format!("{}s", elapsed.as_secs())
    } else {
        show_duration(elapsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    fn board(width: usize, events: &[Event]) -> Board {
        let mut look = testing::look(Some(width));
        look.names = look.names.min(width / 3);
        let mut board = Board::new(look);
        events.iter().for_each(|event| board.take(&event.kind));
        board
    }

    fn drawn(board: &Board, height: usize) -> String {
        let start = board.started;
        let lines = board.frame(height, start + Duration::from_secs(75));
        board
            .above
            .iter()
            .chain(&lines)
            .map(|line| format!("{line}\n"))
            .collect()
    }

    fn settle(board: &mut Board) {
        let start = board.started;
        board
            .running
            .iter_mut()
            .for_each(|step| step.since = start + Duration::from_secs(40));
    }

    fn half_way() -> Vec<Event> {
        let mut events = testing::eventful_run();
        events.truncate(events.iter().position(|event| matches!(&event.kind, EventKind::StepFinished { step, .. } if &**step == "system_pods")).unwrap_or(0));
        events.push(testing::started("a_step_with_quite_a_long_name_for_a_terminal"));
        events.push(testing::progress(
            "a_step_with_quite_a_long_name_for_a_terminal",
            "waiting for 2 of 3 pods: coredns-1, coredns-2",
        ));
        events
    }

    #[test]
    fn running_steps_below_finished_ones() {
        let mut board = board(80, &half_way());
        settle(&mut board);
        insta::assert_snapshot!(drawn(&board, 24));
    }

    #[test]
    fn forty_columns_are_enough() {
        let mut board = board(40, &half_way());
        settle(&mut board);
        let text = drawn(&board, 24);
        for line in text.lines() {
            assert!(console::measure_text_width(line) <= 40, "{line:?}");
        }
        insta::assert_snapshot!(text);
    }

    #[test]
    fn many_running_steps_leave_room_for_the_history() {
        let names: Vec<String> = (0..32).map(|n| format!("step-{n}")).collect();
        let mut events = vec![testing::run_started(40)];
        events.extend(names.iter().map(|name| testing::started(name)));
        let mut board = board(60, &events);
        settle(&mut board);
        let lines = board.frame(24, board.started);
        assert!(lines.len() <= 12, "{lines:#?}");
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn a_failed_step_leaves_the_end_of_its_output() {
        let mut board = board(80, &testing::eventful_run());
        settle(&mut board);
        let text = drawn(&board, 24);
        assert!(text.contains("    | gave up\n"), "{text}");
        assert!(!text.contains("    | waiting\n    | all"), "{text}");
    }
}
