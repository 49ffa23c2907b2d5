//! Pods that admission refuses: workloads that get none.
//!
//! The only traces are FailedCreate events of the workload (a DaemonSet, a ReplicaSet). They must be read with care:
//! - Events stay. Those from before the policies existed look like new ones, and a run that goes well has some.
//! - Controllers back off: after n refusals they try again 5 ms · 2ⁿ later, after an hour every 16 minutes. So a refusal
//!   right before the policies may stay the last word for a minute, though all is well by then.
//! - A policy that was applied a moment ago is not in force yet (the API server's admission reads it from a cache), and
//!   between two policies that are applied one after the other a controller may try with the first of them only.
//! - Events are written by the way, perhaps seconds late.
//!
//! So the wait does not look at the events' time stamps, which another machine's clock wrote, but at what its watch sees:
//! a refusal counts when its event is new or its count grows *while we wait*. It is taken for lasting when it was told
//! [`TIMES`] times, the last of them later than [`SETTLED`] after the beginning; or once, later than [`LATE`]: by then all
//! that was there when the step began is in force, and admission still says no. A pod that the workload got since then
//! speaks against it. Refusals of another kind (a quota, a service account that is about to be made) may pass: they are
//! told when the time is up.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::super::scene::{Role, Scene};
use crate::cluster::events::count;
use crate::cluster::object::{self, text};
use crate::cluster::selector::Selector;

/// So often a refusal is told before it is taken for lasting.
const TIMES: u32 = 2;

/// Refusals within this time may be from before the step.
const SETTLED: Duration = Duration::from_secs(10);

/// A refusal later than this is taken for lasting though it was told once only.
const LATE: Duration = Duration::from_secs(20);

/// Refusals that the watch of events has seen, by the event's name.
#[derive(Debug, Default)]
pub(in super::super) struct Denials {
    known: BTreeMap<String, Denial>,
    listed: bool,
}

/// A refusal, told once or many times.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Denial {
    /// The workload that gets no pods: its kind, namespace and name.
    pub(in super::super) kind: String,
    pub(in super::super) namespace: String,
    pub(in super::super) name: String,
    /// What admission said, without `Error creating: `.
    pub(in super::super) message: String,
    /// How often in all.
    pub(in super::super) count: i64,
    /// How often since the wait began, and when last.
    recurred: u32,
    last: Duration,
}

impl Denials {
    /// Takes the list of the watch: what is in the first one is old.
    pub(in super::super) fn listed(&mut self, events: &[Value], elapsed: Duration) {
        let first = !std::mem::replace(&mut self.listed, true);
        for event in events {
            self.take(event, if first { None } else { Some(elapsed) });
        }
    }

    /// Takes an event that came or changed.
    pub(in super::super) fn applied(&mut self, event: &Value, elapsed: Duration) {
        self.take(event, Some(elapsed));
    }

    fn take(&mut self, event: &Value, now: Option<Duration>) {
        if event["reason"] != "FailedCreate" {
            return;
        }
        let count = count(event);
        let known = self
            .known
            .entry(object::full_name(event))
            .or_insert_with(|| Denial {
                kind: text(event, "/involvedObject/kind").to_owned(),
                namespace: text(event, "/involvedObject/namespace").to_owned(),
                name: text(event, "/involvedObject/name").to_owned(),
                message: String::new(),
                count: 0,
                recurred: 0,
                last: Duration::ZERO,
            });
        let message = text(event, "/message");
        known.message = message
            .strip_prefix("Error creating: ")
            .unwrap_or(message)
            .to_owned();
        if let Some(now) = now
            && count > known.count
        {
            known.recurred += 1;
            known.last = now;
        }
        known.count = count;
    }

    /// The refusals that concern the wait, the latest first.
    pub(in super::super) fn of<'s>(&'s self, scene: &'s Scene) -> Vec<&'s Denial> {
        let mut found: Vec<&Denial> = self
            .known
            .values()
            .filter(|denial| is_of_admission(&denial.message) && concerns(denial, scene))
            .collect();
        found.sort_by_key(|denial| (std::cmp::Reverse(denial.last), denial.name.clone()));
        found
    }

    /// Those of them that last.
    pub(in super::super) fn lasting<'s>(&'s self, scene: &'s Scene) -> Vec<&'s Denial> {
        let mut found = self.of(scene);
        found.retain(|denial| {
            denial.lasts() && !scene.has_new_pod_of(&denial.kind, &denial.namespace, &denial.name)
        });
        found
    }
}

impl Denial {
    fn lasts(&self) -> bool {
        (self.recurred >= TIMES && self.last >= SETTLED) || (self.recurred >= 1 && self.last >= LATE)
    }

    /// `daemonset kube-system/kube-proxy`.
    pub(in super::super) fn workload(&self) -> String {
        format!("{} {}/{}", self.kind.to_lowercase(), self.namespace, self.name)
    }

    /// What to do about it.
    pub(in super::super) fn help(&self) -> String {
        let message = &self.message;
        if message.contains("no providers available") {
            "no PodSecurityPolicy is there that the pods' account may `use`: apply one, and bind its `use` to the account \
             before this step; the controller then tries again by itself, within minutes"
                .to_owned()
        } else if message.contains("PodSecurityPolicy:") || message.contains("pod security policy") {
            "no PodSecurityPolicy that the pods' account may `use` allows these pods: bind one that does, or change the pods"
                .to_owned()
        } else if message.contains("violates PodSecurity") {
            format!(
                "the namespace's label `pod-security.kubernetes.io/enforce` refuses the pods: change it with \
                 cluster.label(\"namespace\", #{{ name: {:?}, … }}), or the pods",
                self.namespace
            )
        } else {
            "change the pods, or what refuses them".to_owned()
        }
    }
}

/// Whether admission refused for good: a quota, a missing account and a namespace on its way out pass.
fn is_of_admission(message: &str) -> bool {
    let refused = message.contains(" is forbidden: ") || message.contains("denied the request");
    let passes = [
        "exceeded quota",
        "error looking up service account",
        "being terminated",
    ];
    refused && !passes.iter().any(|text| message.contains(text))
}

/// Whether the objects that are waited for need the pods that are refused.
fn concerns(denial: &Denial, scene: &Scene) -> bool {
    let is = |kind: &str, object: &Value| {
        denial.kind == kind
            && object::namespace(object) == Some(&*denial.namespace)
            && object::name(object) == denial.name
    };
    let scope = &scene.wanted.scope;
    let main = scope.kind.resource.kind.as_str();
    match main {
        "Pod" => match scene.workload(&denial.kind, &denial.namespace, &denial.name) {
            Some(workload) => makes_wanted_pods(workload, scene),
            // A Job's pods, say: they are waited for if all pods are.
            None => scope.labels.is_none() && scope.names.is_empty(),
        },
        "Deployment" => scene
            .all(Role::ReplicaSets)
            .filter(|set| is("ReplicaSet", set))
            .any(|set| owner_is_waited_for(set, scene)),
        // A node waits for its network.
        "Node" => scene
            .all(Role::DaemonSets)
            .any(|set| is("DaemonSet", set) && super::network::installs_it(set)),
        main => scene.all(Role::Main).any(|object| is(main, object)),
    }
}

/// Whether a workload's pods would be among those that are waited for.
pub(in super::super) fn makes_wanted_pods(workload: &Value, scene: &Scene) -> bool {
    let scope = &scene.wanted.scope;
    let labels = workload
        .pointer("/spec/template/metadata/labels")
        .unwrap_or(&Value::Null);
    let selected = |selector: &Selector| selector.matches(labels);
    scope.names.is_empty() && scope.labels.as_ref().is_none_or(selected)
}

fn owner_is_waited_for(set: &Value, scene: &Scene) -> bool {
    object::controller(set).is_some_and(|(kind, name)| {
        kind == "Deployment"
            && scene.all(Role::Main).any(|object| {
                object::name(object) == name && object::namespace(object) == object::namespace(set)
            })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// kube-proxy's event of Kubernetes 1.20.2 before the policies.
    fn event(count: i64) -> Value {
        json!({ "kind": "Event", "metadata": { "name": "kube-proxy.18eae651e4bbfe9c", "namespace": "kube-system" },
            "involvedObject": { "kind": "DaemonSet", "namespace": "kube-system", "name": "kube-proxy" },
            "reason": "FailedCreate", "type": "Warning", "count": count,
            "firstTimestamp": "2026-11-24T06:10:40Z", "lastTimestamp": "2026-11-24T06:11:01Z",
            "message": "Error creating: pods \"kube-proxy-\" is forbidden: PodSecurityPolicy: no providers available to validate pod request" })
    }

    fn after(changes: &[(u64, i64)]) -> (Scene, Denials) {
        let scene = Scene::waiting_for_pods("kube-system");
        let mut denials = Denials::default();
        denials.listed(&[event(13)], Duration::ZERO);
        for (at, count) in changes {
            denials.applied(&event(*count), *at as u32 * SECOND);
        }
        (scene, denials)
    }

    #[test]
    fn an_old_refusal_does_not_end_the_wait() {
        let (scene, denials) = after(&[]);
        assert_eq!(denials.of(&scene).len(), 1, "it is told when the time is up");
        assert!(denials.lasting(&scene).is_empty());
    }

    #[test]
    fn a_refusal_that_goes_on_does() {
        for (changes, lasts) in [
            (&[(1, 14)][..], false),
            (&[(1, 14), (3, 15)], false),
            (&[(1, 14), (11, 15)], true),
            (&[(19, 14)], false),
            (&[(26, 14)], true),
            // The same event, written again without having recurred.
            (&[(26, 13)], false),
        ] {
            let (scene, denials) = after(changes);
            assert_eq!(!denials.lasting(&scene).is_empty(), lasts, "{changes:?}");
        }
    }

    #[test]
    fn a_refusal_that_a_gap_in_the_watch_hid_counts() {
        let (scene, mut denials) = after(&[]);
        denials.listed(&[event(14)], 30 * SECOND);
        let lasting = denials.lasting(&scene);
        assert_eq!(lasting[0].workload(), "daemonset kube-system/kube-proxy");
        assert!(
            lasting[0]
                .message
                .starts_with("pods \"kube-proxy-\" is forbidden")
        );
        assert!(lasting[0].help().contains("bind its `use`"));
    }

    #[test]
    fn a_pod_that_came_since_speaks_against_it() {
        let (mut scene, denials) = after(&[(26, 14)]);
        let pod = json!({ "kind": "Pod", "metadata": { "name": "kube-proxy-x", "namespace": "kube-system",
            "ownerReferences": [{ "kind": "DaemonSet", "name": "kube-proxy", "controller": true }] } });
        scene.apply(Role::Main, pod);
        assert!(denials.lasting(&scene).is_empty());
    }

    #[test]
    fn what_passes_is_no_refusal() {
        for message in [
            "pods \"x\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1",
            "pods \"x\" is forbidden: error looking up service account a/b: serviceaccount \"b\" not found",
            "Internal error occurred: failed calling webhook \"a.b.c\": connection refused",
        ] {
            assert!(!is_of_admission(message), "{message}");
        }
        for message in [
            "pods \"x\" is forbidden: unable to validate against any pod security policy: []",
            "pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\": privileged",
            "admission webhook \"a.b.c\" denied the request: no",
        ] {
            assert!(is_of_admission(message), "{message}");
        }
    }
}
