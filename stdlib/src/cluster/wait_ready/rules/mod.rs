//! When an object is ready, one file a kind; the kinds without one have kstatus' rules.

mod custom_resource_definition;
mod daemon_set;
mod deployment;
mod job;
mod kstatus;
pub(super) mod node;
pub(super) mod pod;
mod replica_set;
mod service;
mod stateful_set;
mod volume;

use std::time::Duration;

use serde_json::Value;

use super::scene::Scene;
use crate::cluster::discovery::Kind;
use crate::cluster::object::{self, number};

/// What a rule says of an object.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Verdict {
    /// It is ready.
    Ready,
    /// It is on its way out, or another takes its place: it does not count.
    Ignored,
    /// It is not ready yet: why, in a few words.
    Waiting(String),
    /// It will hardly become ready.
    Stuck(Stuck),
}

/// Why an object will hardly become ready.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stuck {
    /// In a few words.
    pub(super) why: String,
    /// What to do.
    pub(super) help: Option<String>,
    /// When that is certain.
    pub(super) certain: Certain,
}

/// When it is certain that an object will not become ready.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Certain {
    /// At once: the state is a last one.
    AtOnce,
    /// At once when it was written after the wait began. What was there before may be about to be looked at again (the
    /// image was loaded, the policy changed, and the step is run once more), so it has to last.
    WhenFresh,
    /// When it lasts so long.
    After(Duration),
}

impl Verdict {
    fn waiting(why: impl Into<String>) -> Self {
        Self::Waiting(why.into())
    }

    fn stuck(why: impl Into<String>, certain: Certain, help: Option<&str>) -> Self {
        Self::Stuck(Stuck {
            why: why.into(),
            help: help.map(str::to_owned),
            certain,
        })
    }
}

/// Judges an object of a kind.
pub(super) fn judge(kind: &Kind, object: &Value, scene: &Scene) -> Verdict {
    let group = kind.resource.group.as_str();
    match (group, kind.resource.kind.as_str()) {
        ("", "Pod") => pod::judge(object),
        _ if object::is_terminating(object) => Verdict::waiting("is being deleted"),
        ("", "Node") => node::judge(object),
        ("", "Service") => service::judge(object, scene),
        ("", "PersistentVolumeClaim") => volume::judge_claim(object),
        ("", "PersistentVolume") => volume::judge_volume(object),
        ("apps" | "extensions", "Deployment") => deployment::judge(object),
        ("apps" | "extensions", "DaemonSet") => daemon_set::judge(object),
        ("apps" | "extensions", "ReplicaSet") | ("", "ReplicationController") => replica_set::judge(object),
        ("apps", "StatefulSet") => stateful_set::judge(object),
        ("batch", "Job") => job::judge(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => custom_resource_definition::judge(object),
        _ => kstatus::judge(object),
    }
}

/// Whether the object's controller has seen its last change; if not, the verdict.
fn unobserved(object: &Value) -> Option<Verdict> {
    let generation = number(object, "/metadata/generation");
    let observed = number(object, "/status/observedGeneration");
    (observed < generation).then(|| Verdict::waiting("its controller has not looked at it yet"))
}

/// `spec.replicas`, which is 1 when it is not said.
pub(super) fn replicas(object: &Value) -> i64 {
    object
        .pointer("/spec/replicas")
        .and_then(Value::as_i64)
        .unwrap_or(1)
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use crate::cluster::testing::kind;

    /// Judges an object on its own.
    pub(in super::super) fn verdict(group: &str, object: &Value) -> Verdict {
        let kind = kind(group, "v1", object::kind(object), true);
        judge(&kind, object, &Scene::default())
    }

    /// The words of a verdict that is no good one.
    pub(in super::super) fn words(verdict: &Verdict) -> &str {
        match verdict {
            Verdict::Ready => "ready",
            Verdict::Ignored => "ignored",
            Verdict::Waiting(why) => why,
            Verdict::Stuck(stuck) => &stuck.why,
        }
    }
}
