//! What is told at the end of a run: failures in full, what they held up, what is worth knowing, times, counts.

mod timeline;

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use psprun_engine::event::{Counts, Failure};
use psprun_engine::plan::show_duration;
use psprun_engine::secrets::MASK;
use psprun_engine::{Consumer, Event, EventKind, State};
use serde_json::Value;

pub use self::timeline::Timeline;
use super::line::Look;
use super::plain::count;
use super::{Sink, Verbosity};
use crate::diagnose::{self, Source, Style};

/// What is worth showing of the output of a step that changed something: the way to a field, and what to do when a
/// secret is masked in it.
const WORTH_SHOWING: &[(&str, &str)] = &[
    ("kubeconfig", ""),
    ("copied_to", ""),
    (
        "join.command",
        "`kubeadm token create --print-join-command` shows one with its token",
    ),
];

/// How much of one kind is told: who has a thousand failures is helped by the first few.
const MOST: usize = 12;

/// The last reporter.
pub struct Summary {
    look: Look,
    verbosity: Verbosity,
    timeline: Timeline,
    source: Source,
    sink: Sink,
    steps: Vec<Ended>,
    interrupted: bool,
}

struct Ended {
    /// In the order in which steps ended.
    place: usize,
    name: Arc<str>,
    state: State,
    took_ms: u64,
    at_ms: u64,
    summary: Option<String>,
    worth: Vec<(&'static str, String)>,
    failure: Option<Failure>,
}

impl Summary {
    /// Writes to `sink`; `source` gives the scripts and manifests that failures point into.
    pub fn new(look: Look, verbosity: Verbosity, timeline: Timeline, source: Source, sink: Sink) -> Self {
        Self {
            look,
            verbosity,
            timeline,
            source,
            sink,
            steps: Vec::new(),
            interrupted: false,
        }
    }

    fn text(&self, took_ms: u64, counts: &Counts) -> String {
        let quiet = self.verbosity == Verbosity::Quiet;
        let mut blocks = self.failures();
        if !quiet || !blocks.is_empty() {
            blocks.extend(self.held_up());
        }
        if !quiet {
            blocks.extend(self.worth_showing());
            blocks.extend(self.times(took_ms));
        }
        if !quiet || !blocks.is_empty() || self.interrupted {
            blocks.push(self.counts(took_ms, counts));
        }
        if blocks.is_empty() {
            return String::new();
        }
        format!("\n{}", blocks.join("\n"))
    }

    fn failures(&self) -> Vec<String> {
        let style = Style {
            colour: self.look.paint.on,
            unicode: self.look.unicode,
            width: self.look.width,
        };
        let failed: Vec<(&Ended, &Failure)> = self
            .steps
            .iter()
            .filter_map(|step| Some((step, step.failure.as_ref()?)))
            .filter(|(_, failure)| !failure.allowed)
            .collect();
        let mut blocks: Vec<String> = failed
            .iter()
            .take(MOST)
            .map(|(step, failure)| diagnose::draw_failure(&step.name, failure, Some(&self.source), style))
            .collect();
        if let Some(rest) = failed.get(MOST..).filter(|rest| !rest.is_empty()) {
            blocks.push(format!("and {}\n", count(rest.len(), "more failure")));
        }
        blocks
    }

    /// Skipped and cancelled steps by reason, in the order of the reasons' first steps.
    fn held_up(&self) -> Option<String> {
        let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        for step in &self.steps {
            let word = match step.state {
                State::Skipped => "skipped",
                State::Cancelled => "cancelled",
                _ => continue,
            };
            let reason = match &step.summary {
                Some(summary) => format!("{word}, {summary}"),
                None => word.to_owned(),
            };
            let place = *places.entry(reason.clone()).or_insert_with(|| {
                groups.push((reason, Vec::new()));
                groups.len() - 1
            });
            groups[place].1.push(&step.name);
        }
        if groups.is_empty() {
            return None;
        }
        let mut text = String::new();
        for (reason, names) in groups.iter().take(MOST) {
            let more = names.len().saturating_sub(MOST);
            let more = format!("and {more} more");
            let mut shown: Vec<&str> = names.iter().take(MOST).copied().collect();
            if names.len() > MOST {
                shown.push(&more);
            }
            text.push_str(&self.look.wrap(&format!("{reason}: "), &shown, ", "));
        }
        if let Some(rest) = groups.get(MOST..).filter(|rest| !rest.is_empty()) {
            let steps = rest.iter().map(|(_, names)| names.len()).sum();
            text.push_str(&format!("and {} for other reasons\n", count(steps, "step")));
        }
        Some(text)
    }

    fn worth_showing(&self) -> Option<String> {
        let lines: String = self
            .steps
            .iter()
            .flat_map(|step| step.worth.iter().map(move |(field, value)| (step, field, value)))
            .map(|(step, field, value)| {
                let name = self.look.paint.bold(&format!("{}.{field}", step.name));
                format!("{name}\n  {}\n", value.replace('\n', "\n  "))
            })
            .collect();
        (!lines.is_empty()).then_some(lines)
    }

    /// Where the time went, for runs that took some.
    fn times(&self, took_ms: u64) -> Option<String> {
        const WORTH_TELLING_MS: u64 = 1000;
        if took_ms < WORTH_TELLING_MS {
            return None;
        }
        let with_time = |step: &&Ended| format!("{} {}", step.name, milliseconds(step.took_ms));
        let chain = self.timeline.chain(&self.steps);
        let mut text = String::new();
        if chain.len() > 1 {
            let sum = milliseconds(chain.iter().map(|step| step.took_ms).sum());
            let parts: Vec<String> = chain
                .iter()
                .filter(|step| step.took_ms * 100 >= took_ms)
                .map(with_time)
                .collect();
            let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
            let lead = format!("longest chain, {sum} in {}: ", count(chain.len(), "step"));
            text.push_str(&self.look.wrap(&lead, &parts, self.look.arrow()));
        }
        let mut slowest: Vec<&Ended> = self
            .steps
            .iter()
            .filter(|step| step.took_ms * 20 >= took_ms)
            .collect();
        slowest.sort_by_key(|step| std::cmp::Reverse(step.took_ms));
        slowest.truncate(5);
        let on_chain = slowest
            .iter()
            .all(|step| chain.iter().any(|other| other.name == step.name));
        let told = chain.len() > 1 && on_chain;
        if !slowest.is_empty() && !told {
            let parts: Vec<String> = slowest.iter().map(with_time).collect();
            let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
            text.push_str(&self.look.wrap("slowest: ", &parts, ", "));
        }
        (!text.is_empty()).then_some(text)
    }

    fn counts(&self, took_ms: u64, counts: &Counts) -> String {
        let paint = self.look.paint;
        let total = counts.done
            + counts.unchanged
            + counts.failed
            + counts.allowed_failures
            + counts.skipped
            + counts.cancelled;
        let mut parts = Vec::new();
        let mut part = |number: usize, word: &str, paint: &dyn Fn(&str) -> String| {
            if number > 0 {
                parts.push(paint(&format!("{number} {word}")));
            }
        };
        part(counts.done, "done", &|text| paint.green(text));
        part(counts.unchanged, "unchanged", &|text| text.to_owned());
        part(counts.failed, "failed", &|text| paint.red(text));
        part(counts.allowed_failures, "failed as allowed", &|text| {
            paint.yellow(text)
        });
        part(counts.skipped, "skipped", &|text| text.to_owned());
        part(counts.cancelled, "cancelled", &|text| paint.yellow(text));
        let lead = format!("{} in {}", count(total, "step"), milliseconds(took_ms));
        let lead = if self.interrupted {
            format!("interrupted: {lead}")
        } else {
            lead
        };
        if parts.is_empty() {
            return format!("{}\n", paint.bold(&lead));
        }
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        self.look.wrap(&format!("{lead}: "), &parts, ", ")
    }
}

impl Consumer for Summary {
    fn event(&mut self, event: &Event) {
        match &event.kind {
            EventKind::StepFinished {
                step,
                state,
                took_ms,
                summary,
                output,
                error,
                ..
            } => self.steps.push(Ended {
                place: self.steps.len(),
                name: step.clone(),
                state: *state,
                took_ms: *took_ms,
                at_ms: event.at_ms,
                summary: summary.clone(),
                worth: match (state, output) {
                    (State::Done, Some(output)) => worth(output),
                    _ => Vec::new(),
                },
                failure: error.as_deref().cloned(),
            }),
            EventKind::RunInterrupted { .. } => self.interrupted = true,
            EventKind::RunFinished { took_ms, counts, .. } => {
                let text = self.text(*took_ms, counts);
                let _ = self.sink.write_all(text.as_bytes());
                let _ = self.sink.flush();
            }
            _ => {}
        }
    }
}

fn worth(output: &Value) -> Vec<(&'static str, String)> {
    WORTH_SHOWING
        .iter()
        .filter_map(|(field, when_masked)| {
            let pointer = format!("/{}", field.replace('.', "/"));
            let mut value = output.pointer(&pointer)?.as_str()?.to_owned();
            if value.contains(MASK) && !when_masked.is_empty() {
                value.push_str(&format!("\n{when_masked}"));
            }
            Some((*field, value))
        })
        .collect()
}

fn milliseconds(ms: u64) -> String {
    show_duration(Duration::from_millis(ms))
}

#[cfg(test)]
mod tests;
