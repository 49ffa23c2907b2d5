//! A step's line, the same in a log and above the live display.

use std::time::Duration;

use psprun_engine::State;
use psprun_engine::event::Failure;
use psprun_engine::plan::show_duration;

use crate::terminal::{Paint, plain_text};

/// Where lists of words are broken in a log.
const LOG_WIDTH: usize = 100;

/// How lines look.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Colours.
    pub paint: Paint,
    /// Whether marks may be more than ASCII.
    pub unicode: bool,
    /// Columns; lines are cut there. `None` in a log: nothing is cut.
    pub width: Option<usize>,
    /// Columns for the steps' names.
    pub names: usize,
}

impl Look {
    /// A look with room for the names of a plan's steps.
    pub fn new(
        paint: Paint,
        unicode: bool,
        width: Option<usize>,
        names: impl Iterator<Item = impl AsRef<str>>,
    ) -> Self {
        const LONGEST: usize = 28;
        let longest = names
            .map(|name| console::measure_text_width(name.as_ref()))
            .max()
            .unwrap_or(0);
        let room = width.map_or(LONGEST, |width| LONGEST.min(width / 3));
        Self {
            paint,
            unicode,
            width,
            names: longest.min(room),
        }
    }

    /// Cut to the width.
    pub fn cut(&self, line: &str) -> String {
        match self.width {
            Some(width) => console::truncate_str(line, width, self.ellipsis()).into_owned(),
            None => line.to_owned(),
        }
    }

    /// What stands for what was cut off.
    pub fn ellipsis(&self) -> &'static str {
        if self.unicode { "…" } else { "..." }
    }

    /// Between parts of a line.
    pub fn arrow(&self) -> &'static str {
        if self.unicode { " → " } else { " -> " }
    }

    /// A name, padded, and cut where lines are cut.
    pub fn name(&self, name: &str) -> String {
        let mut name = plain_text(name);
        if self.width.is_some() {
            name = console::truncate_str(&name, self.names.max(1), self.ellipsis()).into_owned();
        }
        let pad = self.names.saturating_sub(console::measure_text_width(&name));
        format!("{name}{}", " ".repeat(pad))
    }

    /// Words after a lead, broken between words where the terminal ends.
    pub fn wrap(&self, lead: &str, words: &[&str], separator: &str) -> String {
        let width = self.width.unwrap_or(LOG_WIDTH);
        let mut text = self.paint.bold(lead.trim_end());
        text.push(' ');
        let mut column = console::measure_text_width(lead);
        for (index, word) in words.iter().enumerate() {
            let separator = if index + 1 < words.len() { separator } else { "" };
            let length =
                console::measure_text_width(word) + console::measure_text_width(separator.trim_end());
            if column + length > width && column > 2 {
                text.truncate(text.trim_end().len());
                text.push_str("\n  ");
                column = 2;
            }
            text.push_str(word);
            text.push_str(separator);
            column += console::measure_text_width(word) + console::measure_text_width(separator);
        }
        text.push('\n');
        text
    }

    fn mark(&self, state: State) -> String {
        let (unicode, ascii) = match state {
            State::Done => ("✓", "+"),
            State::Unchanged => ("=", "="),
            State::Failed => ("✗", "x"),
            State::Skipped => ("-", "-"),
            State::Cancelled => ("⊘", "/"),
            State::Pending | State::Ready | State::Running => ("▸", ">"),
        };
        let mark = if self.unicode { unicode } else { ascii };
        match state {
            State::Done => self.paint.green(mark),
            State::Failed => self.paint.red(mark),
            State::Cancelled => self.paint.yellow(mark),
            State::Running => self.paint.cyan(mark),
            State::Unchanged | State::Skipped | State::Pending | State::Ready => self.paint.dim(mark),
        }
    }

    /// A mark, a step's name, a time, and words. What is empty takes no room at the end.
    fn columns(&self, mark: &str, step: &str, took: &str, words: &str) -> String {
        let line = format!("{mark} {} {took:>7}  {words}", self.name(step));
        self.cut(line.trim_end())
    }

    /// `▸ nodes  wait_ready`.
    pub fn started(&self, step: &str, builtin: &str) -> String {
        self.columns(&self.mark(State::Running), step, "", &self.paint.dim(builtin))
    }

    /// `! nodes  warning: …`.
    pub fn warning(&self, step: &str, text: &str) -> String {
        let words = format!("{} {}", self.paint.yellow("warning:"), one_line(text));
        self.columns(&self.paint.yellow("!"), step, "", &words)
    }

    /// `↻ nodes  attempt 1 of 4: connection refused; again in 2s`.
    pub fn retrying(&self, step: &str, attempt: u32, attempts: u32, reason: &str, wait_ms: u64) -> String {
        let mark = self.paint.yellow(if self.unicode { "↻" } else { "~" });
        let wait = match wait_ms {
            0 => "at once".to_owned(),
            wait_ms => format!("in {}", show_duration(Duration::from_millis(wait_ms))),
        };
        let words = format!(
            "attempt {attempt} of {attempts}: {}; again {wait}",
            one_line(reason)
        );
        self.columns(&mark, step, "", &words)
    }

    /// The line of a step that has ended.
    pub fn finished(&self, step: &str, end: &End<'_>) -> String {
        let allowed = end.error.is_some_and(|error| error.allowed);
        let mark = if allowed {
            self.paint.yellow(if self.unicode { "✗" } else { "x" })
        } else {
            self.mark(end.state)
        };
        let never_started = end.attempts == 0;
        let took = if never_started {
            String::new()
        } else {
            show_duration(Duration::from_millis(end.took_ms))
        };
        let mut words = self.words(end, allowed);
        if end.attempts > 1 {
            let separator = if words.is_empty() { "" } else { " " };
            words.push_str(&self.paint.dim(&format!("{separator}({} attempts)", end.attempts)));
        }
        self.columns(&mark, step, &took, &words)
    }

    fn words(&self, end: &End<'_>, allowed: bool) -> String {
        let summary = end.summary.map(one_line).unwrap_or_default();
        let with = |word: &str| {
            if summary.is_empty() {
                word.to_owned()
            } else {
                format!("{word}: {summary}")
            }
        };
        match end.state {
            State::Done => summary,
            State::Unchanged if summary.contains("unchanged") => self.paint.dim(&summary),
            State::Unchanged => self.paint.dim(&with("unchanged")),
            State::Skipped => self.paint.dim(&with("skipped")),
            State::Cancelled => self.paint.yellow(&with("cancelled")),
            State::Failed => {
                let why = end
                    .error
                    .map_or_else(|| summary.clone(), |error| one_line(&error.message));
                let what = why
                    .strip_prefix("check failed")
                    .map(|what| what.trim_start_matches(':').trim());
                let word = if what.is_some() { "check failed" } else { "failed" };
                let why = what.unwrap_or(&why);
                if allowed {
                    format!("{} {why}", self.paint.yellow(&format!("{word} (allowed):")))
                } else {
                    format!("{} {why}", self.paint.red(&format!("{word}:")))
                }
            }
            State::Pending | State::Ready | State::Running => summary,
        }
    }
}

/// What is known of a step that has ended.
pub struct End<'e> {
    /// How.
    pub state: State,
    /// Milliseconds.
    pub took_ms: u64,
    /// Attempts.
    pub attempts: u32,
    /// A few words.
    pub summary: Option<&'e str>,
    /// Why it failed.
    pub error: Option<&'e Failure>,
}

/// The first line of a text, and a sign that there is more.
pub fn one_line(text: &str) -> String {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let mut line = plain_text(lines.next().unwrap_or("").trim());
    if lines.next().is_some() {
        line.push_str(" …");
    }
    line
}
