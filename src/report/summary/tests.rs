use psprun_engine::event::Counts;

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
