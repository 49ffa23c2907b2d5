//! What every step takes besides its builtin's own arguments.

use std::sync::Arc;
use std::time::Duration;

use crate::script::Closure;

/// Condition, retries, timeout, tags and the like of one step.
#[derive(Debug, Clone, Default)]
pub struct Modifiers {
    /// The step is skipped when this gives `false`.
    pub when: Option<Closure>,
    /// The step is tried again until this gives `true` for its output.
    pub until: Option<Closure>,
    /// How often and how fast a failed attempt is repeated.
    pub retries: Option<Retries>,
    /// How long one attempt may take.
    pub timeout: Option<Duration>,
    /// Words for `--skip tag:WORD`.
    pub tags: Vec<Arc<str>>,
    /// Runs whatever happened to the steps before it.
    pub finally: bool,
    /// A failure of the step does not fail the run or skip what needs it.
    pub allow_failure: bool,
    /// Steps that share a name here never run at the same time.
    pub locks: Vec<Arc<str>>,
}

/// How failed attempts are repeated.
#[derive(Debug, Clone, PartialEq)]
pub struct Retries {
    /// How many attempts may follow the first.
    pub count: u32,
    /// The pause after the first attempt.
    pub initial: Duration,
    /// By how much each further pause is longer than the last.
    pub factor: f64,
    /// The longest pause.
    pub cap: Duration,
    /// Up to which share of it a pause is shortened at random, 0 to 1, so that many steps do not retry in step.
    pub jitter: f64,
}

impl Retries {
    /// So many more attempts, after 1 s, 2 s, 4 s … 30 s, each up to a tenth shorter.
    pub fn new(count: u32) -> Self {
        Self {
            count,
            initial: Duration::from_secs(1),
            factor: 2.0,
            cap: Duration::from_secs(30),
            jitter: 0.1,
        }
    }

    /// The pause after an attempt (from 1); `random` is in 0..1.
    pub fn pause(&self, attempt: u32, random: f64) -> Duration {
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let grown = self.initial.as_secs_f64() * self.factor.powi(exponent);
        let capped = if grown.is_finite() {
            grown.min(self.cap.as_secs_f64())
        } else {
            self.cap.as_secs_f64()
        };
        Duration::from_secs_f64((capped * (1.0 - self.jitter * random)).max(0.0))
    }
}

/// Reads `90s`, `5m`, `1h 30m`, `250ms`.
///
/// # Errors
/// Says how a duration is written.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text.trim()).map_err(|error| {
        format!("`{text}` is no duration ({error}); write it as `90s`, `5m`, `1h 30m` or `250ms`")
    })
}

/// `4m 30s`, `1.2s`, `350ms`: short, for people.
pub fn show_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{}ms", duration.as_millis()),
        1..=59 => format!("{:.1}s", duration.as_secs_f64()),
        60..=3599 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
    }
}
