//! What is told at the end of a run: failures in full, what they held up, what is worth knowing, times, counts.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use psprun_engine::event::{Counts, Failure};
use psprun_engine::plan::{Plan, StepId, show_duration};
use psprun_engine::secrets::MASK;
use psprun_engine::{Consumer, Event, EventKind, State};
use serde_json::Value;

use super::line::Look;
use super::plain::count;
use super::{Sink, Verbosity};
use crate::diagnose::{self, Source, Style};

/// What each step waits for, to find out what a run's length was made of.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    needs: BTreeMap<Arc<str>, Vec<Arc<str>>>,
}

impl Timeline {
    /// The plan's edges.
    pub fn of(plan: &Plan) -> Self {
        let name = |id: StepId| plan.graph[id].name.clone();
        let needs = plan
            .steps()
            .map(|(id, step)| {
                let needs = plan.needs(id).into_iter().map(|(other, _)| name(other)).collect();
                (step.name.clone(), needs)
            })
            .collect();
        Self { needs }
    }
}

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
            text.push_str(&self.wrap(&format!("{reason}: "), &shown, ", "));
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
        let chain = self.chain();
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
            text.push_str(&self.wrap(&lead, &parts, self.look.arrow()));
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
            text.push_str(&self.wrap("slowest: ", &parts, ", "));
        }
        (!text.is_empty()).then_some(text)
    }

    /// From the step that ended last, back to whatever it waited for longest.
    fn chain(&self) -> Vec<&Ended> {
        let by_name: BTreeMap<&str, &Ended> = self.steps.iter().map(|step| (&*step.name, step)).collect();
        let ran = |step: &&&Ended| matches!(step.state, State::Done | State::Unchanged | State::Failed);
        let mut chain = Vec::new();
        let mut here = self
            .steps
            .iter()
            .filter(|step| ran(&step))
            .max_by_key(|step| step.at_ms);
        while let Some(step) = here {
            chain.push(step);
            here = self
                .timeline
                .needs
                .get(&step.name)
                .into_iter()
                .flatten()
                .filter_map(|name| by_name.get(&**name))
                .filter(ran)
                .max_by_key(|step| step.at_ms)
                .copied();
        }
        chain.reverse();
        chain
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
        self.wrap(&format!("{lead}: "), &parts, ", ")
    }

    /// Words after a lead, broken between words where the terminal ends.
    fn wrap(&self, lead: &str, words: &[&str], separator: &str) -> String {
        let width = self.look.width.unwrap_or(100);
        let mut text = self.look.paint.bold(lead.trim_end());
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
mod tests {
    use super::*;
    use crate::report::testing::{self, SharedSink};

    fn summary(width: Option<usize>, verbosity: Verbosity, events: &[Event]) -> String {
        let edges: [(&str, &[&str]); 5] = [
            ("preflight", &[]),
            ("cluster", &["preflight"]),
            ("policies", &["cluster"]),
            ("nodes", &["policies", "cluster"]),
            ("system_pods", &["policies"]),
        ];
        let timeline = Timeline {
            needs: edges
                .iter()
                .map(|(step, needs)| ((*step).into(), needs.iter().map(|need| (*need).into()).collect()))
                .collect(),
        };
        let source: Source = Arc::new(|file| {
            (file == "kubeadm-psp.rhai")
                .then(|| "// x\nlet system_pods = cluster.wait_ready(\"pods\");\n".to_owned())
        });
        let sink = SharedSink::default();
        let mut summary = Summary::new(
            testing::look(width),
            verbosity,
            timeline,
            source,
            Box::new(sink.clone()),
        );
        events.iter().for_each(|event| summary.event(event));
        sink.text()
    }

    #[test]
    fn tells_failures_consequences_outputs_times_and_counts() {
        insta::assert_snapshot!(summary(None, Verbosity::Normal, &testing::eventful_run()));
    }

    #[test]
    fn fits_forty_columns() {
        let text = summary(Some(40), Verbosity::Normal, &testing::eventful_run());
        insta::assert_snapshot!(text);
    }

    #[test]
    fn quiet_tells_failures_only() {
        insta::assert_snapshot!(summary(None, Verbosity::Quiet, &testing::eventful_run()));
    }

    #[test]
    fn quiet_says_nothing_when_all_is_well() {
        let events = [
            testing::run_started(1),
            testing::ended(900, "preflight", State::Done, 900, None, Value::Null),
            testing::run_finished(
                900,
                Counts {
                    done: 1,
                    ..Counts::default()
                },
            ),
        ];
        assert_eq!(summary(None, Verbosity::Quiet, &events), "");
    }

    #[test]
    fn a_thousand_failures_stay_readable() {
        let names: Vec<String> = (0..1000).map(|n| format!("step-{n}")).collect();
        let mut events: Vec<Event> = names.iter().map(|name| testing::failed(name, "no")).collect();
        for name in &names {
            let why = format!("needs `{name}`, which failed");
            let next = format!("next-{name}");
            events.push(testing::ended(
                0,
                &next,
                State::Skipped,
                0,
                Some(&why),
                Value::Null,
            ));
        }
        let counts = Counts {
            failed: 1000,
            skipped: 1000,
            ..Counts::default()
        };
        events.push(testing::run_finished(9, counts));
        let text = summary(None, Verbosity::Normal, &events);
        assert!(text.lines().count() < 250, "{text}");
        assert!(text.contains("and 988 more failures"), "{text}");
        assert!(text.contains("and 988 steps for other reasons"), "{text}");
    }

    #[test]
    fn says_that_it_was_interrupted() {
        insta::assert_snapshot!(summary(None, Verbosity::Normal, &testing::interrupted_run()));
    }
}
