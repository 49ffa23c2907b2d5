//! What the tests of several groups share.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

pub(crate) mod api_server;

use std::sync::Arc;

use psprun_engine::script::{Planner, Playbook, Values};
use psprun_engine::{Plan, Registry};

use crate::target::Target;
use crate::target::live::LiveTarget;

/// The plan of a playbook that has all the builtins on the live target.
pub(crate) fn plan(script: &str) -> Plan {
    plan_on(script, &LiveTarget::new())
}

/// The plan of a playbook that has all the builtins on a target.
pub(crate) fn plan_on(script: &str, target: &Arc<dyn Target>) -> Plan {
    let mut registry = Registry::new();
    crate::register(&mut registry, target);
    let playbook = Playbook {
        name: "test.rhai".into(),
        script: script.to_owned(),
        folder: None,
    };
    match Planner::new(Arc::new(registry)).plan(&playbook, &Values::new()) {
        Ok(plan) => plan,
        Err(problems) => panic!(
            "{script}\n{}",
            problems
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n")
        ),
    }
}

/// Plans the examples of the builtins whose names start with a prefix.
pub(crate) fn plan_examples(prefix: &str) {
    let mut registry = Registry::new();
    crate::register(&mut registry, &LiveTarget::new());
    for doc in registry
        .builtins()
        .filter(|doc| doc.spec.name.starts_with(prefix))
    {
        assert!(
            doc.spec.examples.len() >= 2,
            "{} has too few examples",
            doc.spec.name
        );
        for example in doc.spec.examples {
            let plan = plan(example.script);
            assert!(!plan.is_empty(), "{}", example.title);
        }
    }
}
