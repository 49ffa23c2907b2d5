//! Made-up runs for the reporters' tests.

use std::io::Write;
use std::sync::{Arc, Mutex};

use psprun_engine::event::{Counts, Failure};
use psprun_engine::{Event, EventKind, Location, State, Stream};
use serde_json::{Value, json};

use super::Look;
use crate::terminal::Paint;

/// A writer whose text can be looked at.
#[derive(Clone, Default)]
pub struct SharedSink(Arc<Mutex<Vec<u8>>>);

impl SharedSink {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("no panic before")).into_owned()
    }
}

impl Write for SharedSink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic before").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub fn look(width: Option<usize>) -> Look {
    Look::new(
        Paint { on: false },
        true,
        width,
        ["preflight", "system_pods"].into_iter(),
    )
}

pub fn event(at_ms: u64, kind: EventKind) -> Event {
    Event { seq: 0, at_ms, kind }
}

pub fn run_started(steps: usize) -> Event {
    let kind = EventKind::RunStarted {
        version: psprun_engine::event::VERSION,
        playbook: "kubeadm-psp.rhai".into(),
        steps,
        started: "2026-01-02T03:04:05Z".to_owned(),
    };
    event(0, kind)
}

pub fn started(step: &str) -> Event {
    let kind = EventKind::StepStarted {
        step: step.into(),
        builtin: "host::run".into(),
    };
    event(0, kind)
}

pub fn line(step: &str, line: &str) -> Event {
    let kind = EventKind::StepLine {
        step: step.into(),
        stream: Stream::Stdout,
        line: line.to_owned(),
    };
    event(0, kind)
}

pub fn progress(step: &str, text: &str) -> Event {
    let kind = EventKind::StepProgress {
        step: step.into(),
        text: text.to_owned(),
    };
    event(0, kind)
}

/// A step that has ended well or not at all.
pub fn ended(
    at_ms: u64,
    step: &str,
    state: State,
    took_ms: u64,
    summary: Option<&str>,
    output: Value,
) -> Event {
    let kind = EventKind::StepFinished {
        step: step.into(),
        state,
        took_ms,
        attempts: u32::from(state != State::Skipped),
        summary: summary.map(str::to_owned),
        details: (step == "policies").then(|| "+ policy/default\n- policy/old".to_owned()),
        output: Some(Arc::new(output)).filter(|output| !output.is_null()),
        error: None,
    };
    event(at_ms, kind)
}

pub fn failed(step: &str, message: &str) -> Event {
    failed_with(step, message, false)
}

pub fn failed_with(step: &str, message: &str, allowed: bool) -> Event {
    let kind = EventKind::StepFinished {
        step: step.into(),
        state: State::Failed,
        took_ms: 2500,
        attempts: 1,
        summary: None,
        details: None,
        output: None,
        error: Some(Box::new(Failure {
            code: "psprun::host::exit_status".to_owned(),
            message: message.to_owned(),
            help: Some("look at the command's output".to_owned()),
            file: None,
            at: Location::new("kubeadm-psp.rhai", 2, 15),
            allowed,
            internal: false,
        })),
    };
    event(5000, kind)
}

pub fn run_finished(at_ms: u64, counts: Counts) -> Event {
    let kind = EventKind::RunFinished {
        ok: counts.failed == 0 && counts.cancelled == 0,
        took_ms: at_ms,
        counts,
    };
    event(at_ms, kind)
}

/// A run with something of everything.
pub fn eventful_run() -> Vec<Event> {
    let cluster = json!({
        "kubeconfig": "/etc/kubernetes/admin.conf",
        "join": { "command": "kubeadm join 10.0.0.1:6443 --token ***" },
    });
    let mut events = vec![
        run_started(9),
        started("preflight"),
        line("preflight", "\x1b[32mall\x1b[0m\twell"),
        ended(
            900,
            "preflight",
            State::Done,
            900,
            Some("Debian 12, kubeadm v1.20.2"),
            Value::Null,
        ),
        started("cluster"),
        progress("cluster", "phase: certs"),
        event(
            1500,
            EventKind::StepWarning {
                step: "cluster".into(),
                text: "hostname \"node\" could not be reached".to_owned(),
            },
        ),
        ended(42_000, "cluster", State::Done, 41_000, None, cluster),
        started("policies"),
        event(
            43_000,
            EventKind::StepRetrying {
                step: "policies".into(),
                attempt: 1,
                attempts: 4,
                reason: "connection refused".to_owned(),
                wait_ms: 2000,
            },
        ),
        ended(
            45_100,
            "policies",
            State::Unchanged,
            3100,
            Some("6 objects"),
            Value::Null,
        ),
        started("nodes"),
        ended(45_200, "nodes", State::Unchanged, 12, None, Value::Null),
        started("probe"),
        failed_with("probe", "exit status 1", true),
        started("system_pods"),
        line("system_pods", "waiting"),
        line("system_pods", "gave up"),
        failed("system_pods", "`./wait` ended with status 3\nmore\nand more"),
    ];
    for step in ["ingress", "httpbin"] {
        let why = Some("needs `system_pods`, which failed");
        events.push(ended(47_000, step, State::Skipped, 0, why, Value::Null));
    }
    events.push(ended(
        47_000,
        "demo",
        State::Skipped,
        0,
        Some("its condition is false"),
        Value::Null,
    ));
    events.push(run_finished(
        47_500,
        Counts {
            done: 2,
            unchanged: 2,
            failed: 1,
            allowed_failures: 1,
            skipped: 3,
            cancelled: 0,
        },
    ));
    number(events)
}

/// A run that was stopped.
pub fn interrupted_run() -> Vec<Event> {
    number(vec![
        run_started(2),
        started("cluster"),
        event(1000, EventKind::RunInterrupted { at_once: false }),
        event(1500, EventKind::RunInterrupted { at_once: true }),
        ended(1600, "cluster", State::Cancelled, 1600, None, Value::Null),
        ended(
            1600,
            "nodes",
            State::Cancelled,
            0,
            Some("the run was interrupted"),
            Value::Null,
        ),
        run_finished(
            1600,
            Counts {
                cancelled: 2,
                ..Counts::default()
            },
        ),
    ])
}

fn number(mut events: Vec<Event>) -> Vec<Event> {
    for (seq, event) in events.iter_mut().enumerate() {
        event.seq = u64::try_from(seq).expect("few");
    }
    events
}
