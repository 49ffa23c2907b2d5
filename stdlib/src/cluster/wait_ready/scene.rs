//! The objects that a wait looks at: those that are waited for, and what tells about them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use serde_json::Value;

use super::causes::denial::Denials;
use super::rules::Stuck;
use crate::cluster::discovery::Kind;
use crate::cluster::object;
use crate::cluster::scope::Scope;
use crate::cluster::selector::Selector;
use crate::cluster::watch::Change;

/// What is waited for.
#[derive(Debug)]
pub(super) struct Wanted {
    /// Which objects.
    pub(super) scope: Scope,
    /// How many have to be there.
    pub(super) min: usize,
    /// Whether pods that workloads have still to make are waited for.
    pub(super) owed: bool,
}

/// What objects are looked at for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Role {
    /// They are waited for.
    Main,
    /// They are the pods of workloads that are waited for.
    Pods,
    /// They make pods.
    Deployments,
    /// They make pods, mostly for Deployments.
    ReplicaSets,
    /// They make pods.
    DaemonSets,
    /// They make pods.
    StatefulSets,
    /// They say what stands behind Services.
    Endpoints,
    /// Events that say why workloads get no pods.
    Refusals,
}

/// All that is known at a moment.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) wanted: Wanted,
    /// How long the wait has taken.
    pub(super) elapsed: Duration,
    pub(super) denials: Denials,
    objects: BTreeMap<Role, BTreeMap<String, Value>>,
    /// Which watches have told all there is, and the version of each object at that time.
    listed: BTreeSet<Role>,
    first: HashMap<(Role, String), String>,
    /// Since when an object is stuck, and how.
    stuck: HashMap<(Role, String), (String, Duration)>,
}

/// `kube-system/coredns-x`: what tells objects of a role apart.
pub(super) fn key(object: &Value) -> String {
    object::full_name(object)
}

impl Scene {
    pub(super) fn new(wanted: Wanted) -> Self {
        Self {
            wanted,
            elapsed: Duration::ZERO,
            denials: Denials::default(),
            objects: BTreeMap::new(),
            listed: BTreeSet::new(),
            first: HashMap::new(),
            stuck: HashMap::new(),
        }
    }

    /// What is to be watched.
    pub(super) fn sources(&self) -> Vec<(Role, Scope)> {
        let scope = &self.wanted.scope;
        let beside = |kind| Scope::all(kind, scope.namespace.clone());
        let pods = || (Role::Pods, beside(Kind::served("v1", "Pod", "pods")));
        let apps = |kind, plural| beside(Kind::served("apps/v1", kind, plural));
        let replica_sets = || (Role::ReplicaSets, apps("ReplicaSet", "replicasets"));
        let refusals = |fields: &str| {
            let events = beside(Kind::served("v1", "Event", "events"));
            (Role::Refusals, events.fields(Some(fields)))
        };
        let of_workloads = || refusals("reason=FailedCreate");
        let mut sources = vec![(Role::Main, scope.clone())];
        let kind = &scope.kind.resource;
        match (kind.group.as_str(), kind.kind.as_str()) {
            ("", "Pod") => {
                sources.push(of_workloads());
                if self.looks_at_owed() {
                    sources.extend([
                        (Role::Deployments, apps("Deployment", "deployments")),
                        replica_sets(),
                        (Role::DaemonSets, apps("DaemonSet", "daemonsets")),
                        (Role::StatefulSets, apps("StatefulSet", "statefulsets")),
                    ]);
                }
            }
            ("apps" | "extensions", "Deployment") => sources.extend([pods(), replica_sets(), of_workloads()]),
            ("apps" | "extensions", "DaemonSet" | "ReplicaSet" | "StatefulSet")
            | ("", "ReplicationController")
            | ("batch", "Job") => sources.extend([pods(), of_workloads()]),
            ("", "Service") => sources.push((
                Role::Endpoints,
                beside(Kind::served("v1", "Endpoints", "endpoints")),
            )),
            ("", "Node") => sources.extend([
                (Role::DaemonSets, apps("DaemonSet", "daemonsets")),
                refusals("involvedObject.kind=DaemonSet,reason=FailedCreate"),
            ]),
            _ => {}
        }
        sources
    }

    /// Whether pods that are still to be made count. Pods that are named do not come from a workload.
    fn looks_at_owed(&self) -> bool {
        self.wanted.owed && self.wanted.scope.names.is_empty() && self.waits_for("", "Pod")
    }

    /// Whether this kind is waited for.
    pub(super) fn waits_for(&self, group: &str, kind: &str) -> bool {
        self.wanted.scope.kind.is(group, kind)
    }

    /// Whether all is known that readiness hangs on.
    pub(super) fn is_complete(&self) -> bool {
        let needed: &[Role] = if self.waits_for("", "Service") {
            &[Role::Main, Role::Endpoints]
        } else if self.looks_at_owed() {
            &[
                Role::Main,
                Role::Deployments,
                Role::ReplicaSets,
                Role::DaemonSets,
                Role::StatefulSets,
            ]
        } else {
            &[Role::Main]
        };
        needed.iter().all(|role| self.listed.contains(role))
    }

    // --- changes -----------------------------------------------------------------------------------------------------

    /// Takes what a watch told.
    pub(super) fn change(&mut self, role: Role, change: Change) {
        match (role, change) {
            (Role::Refusals, Change::Listed(events)) => self.denials.listed(&events, self.elapsed),
            (Role::Refusals, Change::Applied(event)) => self.denials.applied(&event, self.elapsed),
            (Role::Refusals, Change::Deleted(_)) | (_, Change::Away(_)) => {}
            (_, Change::Listed(objects)) => {
                let first = self.listed.insert(role);
                let objects: BTreeMap<String, Value> =
                    objects.into_iter().map(|object| (key(&object), object)).collect();
                if first {
                    for (key, object) in &objects {
                        let version = object::resource_version(object).to_owned();
                        self.first.insert((role, key.clone()), version);
                    }
                }
                self.objects.insert(role, objects);
            }
            (_, Change::Applied(object)) => self.apply(role, object),
            (_, Change::Deleted(object)) => {
                self.objects.entry(role).or_default().remove(&key(&object));
            }
        }
    }

    /// An object came or changed.
    pub(super) fn apply(&mut self, role: Role, object: Value) {
        self.objects.entry(role).or_default().insert(key(&object), object);
    }

    /// A watch that is not possible (no right to it, no such kind): as if there was nothing.
    pub(super) fn do_without(&mut self, role: Role) {
        self.listed.insert(role);
    }

    // --- questions ---------------------------------------------------------------------------------------------------

    /// All objects of a role, sorted.
    pub(super) fn all(&self, role: Role) -> impl Iterator<Item = &Value> {
        self.objects.get(&role).into_iter().flat_map(BTreeMap::values)
    }

    /// One object.
    pub(super) fn find(&self, role: Role, key: &str) -> Option<&Value> {
        self.objects.get(&role)?.get(key)
    }

    /// All pods that are known.
    pub(super) fn pods(&self) -> impl Iterator<Item = &Value> {
        self.all(self.role_of_pods())
    }

    pub(super) fn role_of_pods(&self) -> Role {
        if self.waits_for("", "Pod") {
            Role::Main
        } else {
            Role::Pods
        }
    }

    /// A workload by its kind and name.
    pub(super) fn workload(&self, kind: &str, namespace: &str, name: &str) -> Option<&Value> {
        let role = match kind {
            "Deployment" => Role::Deployments,
            "ReplicaSet" => Role::ReplicaSets,
            "DaemonSet" => Role::DaemonSets,
            "StatefulSet" => Role::StatefulSets,
            _ => return None,
        };
        self.find(role, &format!("{namespace}/{name}"))
    }

    /// The pods that a workload's selector selects, without those that a newer change of it replaces.
    pub(super) fn pods_of(&self, workload: &Value) -> impl Iterator<Item = &Value> {
        let selector = workload.pointer("/spec/selector").and_then(Selector::of_spec);
        let namespace = object::namespace(workload).map(str::to_owned);
        self.pods().filter(move |pod| {
            object::namespace(pod) == namespace.as_deref()
                && selector
                    .as_ref()
                    .is_some_and(|s| s.matches(&pod["metadata"]["labels"]))
                && !self.is_outdated(pod)
        })
    }

    /// Whether a pod belongs to a ReplicaSet that its Deployment has replaced by a newer one: it goes when that one's
    /// pods are ready, whatever its own state.
    pub(super) fn is_outdated(&self, pod: &Value) -> bool {
        let Some(("ReplicaSet", name)) = object::controller(pod) else {
            return false;
        };
        let namespace = object::namespace(pod).unwrap_or_default();
        let Some(set) = self.workload("ReplicaSet", namespace, name) else {
            return false;
        };
        let Some(deployment) = object::controller(set) else {
            return false;
        };
        self.all(Role::ReplicaSets)
            .filter(|other| object::namespace(other) == object::namespace(set))
            .filter(|other| object::controller(other) == Some(deployment))
            .any(|other| revision(other) > revision(set))
    }

    /// Whether a workload got a pod since the wait began.
    pub(super) fn has_new_pod_of(&self, kind: &str, namespace: &str, name: &str) -> bool {
        let role = self.role_of_pods();
        self.pods().any(|pod| {
            object::controller(pod) == Some((kind, name))
                && object::namespace(pod) == Some(namespace)
                && !self.first.contains_key(&(role, key(pod)))
        })
    }

    /// Whether an object was written since the wait began.
    pub(super) fn is_fresh(&self, role: Role, object: &Value) -> bool {
        self.first
            .get(&(role, key(object)))
            .is_none_or(|version| version != object::resource_version(object))
    }

    /// Notes that an object is stuck; gives for how long it has been so, in the same way.
    pub(super) fn stuck_for(&mut self, role: Role, key: String, stuck: &Stuck) -> Duration {
        let now = self.elapsed;
        let known = self
            .stuck
            .entry((role, key))
            .or_insert_with(|| (stuck.why.clone(), now));
        if known.0 != stuck.why {
            *known = (stuck.why.clone(), now);
        }
        now - known.1
    }

    /// Forgets the objects that are not stuck any more.
    pub(super) fn keep_stuck(&mut self, still: impl Fn(Role, &str) -> bool) {
        self.stuck.retain(|(role, key), _| still(*role, key));
    }
}

/// The number of a ReplicaSet among those of its Deployment.
fn revision(set: &Value) -> u64 {
    set.pointer("/metadata/annotations")
        .and_then(|annotations| annotations.get("deployment.kubernetes.io/revision"))
        .and_then(Value::as_str)
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod testing {
    use super::*;
    use crate::cluster::testing::kind;

    impl Default for Scene {
        fn default() -> Self {
            Self::waiting_for(kind("", "v1", "Pod", true), "default")
        }
    }

    impl Scene {
        pub(in super::super) fn waiting_for_pods(namespace: &str) -> Self {
            Self::waiting_for(kind("", "v1", "Pod", true), namespace)
        }

        pub(in super::super) fn waiting_for(kind: Kind, namespace: &str) -> Self {
            Self::new(Wanted {
                scope: Scope::all(kind, Some(namespace.to_owned())),
                min: 1,
                owed: true,
            })
        }

        /// With these objects in the first list of a role.
        pub(in super::super) fn with(mut self, role: Role, objects: impl IntoIterator<Item = Value>) -> Self {
            self.change(role, Change::Listed(objects.into_iter().collect()));
            self
        }
    }
}
