//! What people are told: how far it is, and why it went no further.

use std::time::Duration;

use psprun_engine::StepError;
use psprun_engine::plan::show_duration;
use serde_json::{Value, json};

use super::causes::denial::Denial;
use super::causes::{owed, scheduling};
use super::rules::{Stuck, Verdict};
use super::scene::{Role, Scene};
use crate::cluster::discovery::Kind;
use crate::cluster::events;
use crate::cluster::object::{self, text};
use crate::cluster::requests::Requests;
use crate::cluster::scope::Scope;

/// How many objects a message names.
const SHOWN: usize = 5;

/// How long the API server may take to tell the events when the time is up.
const EVENTS_TIMEOUT: Duration = Duration::from_secs(5);

/// An object that is not ready, and why.
pub(super) struct Unready<'s> {
    pub(super) object: &'s Value,
    pub(super) verdict: Verdict,
}

/// `3 pods ready`, `1 node ready`.
pub(super) fn count(count: usize, kind: &Kind) -> String {
    match count {
        1 => format!("1 {} ready", kind.singular),
        _ => format!("{count} {} ready", kind.resource.plural),
    }
}

/// `2 of 3 pods ready; waiting for coredns-x: ContainerCreating`.
pub(super) fn progress(scene: &Scene, ready: usize, unready: &[Unready]) -> String {
    let scope = &scene.wanted.scope;
    let all = ready + unready.len();
    let plural = &scope.kind.resource.plural;
    if all == 0 {
        return match owed::owed(scene).first() {
            Some((workload, debt)) => format!("no {} yet; {}: {debt}", scope.show(), object::show(workload)),
            None => format!("no {} yet", scope.show()),
        };
    }
    let mut line = format!("{ready} of {} {plural} ready", all.max(scene.wanted.min));
    if let Some(first) = unready.first() {
        let why = why(&first.verdict);
        line.push_str(&format!(
            "; waiting for {}: {}",
            object::name(first.object),
            first_line(why)
        ));
    } else if let Some((workload, debt)) = owed::owed(scene).first() {
        line.push_str(&format!("; {}: {debt}", object::show(workload)));
    }
    line
}

/// The wait ends: an object will not become ready.
pub(super) fn stuck(scene: &Scene, object: &Value, stuck: &Stuck) -> StepError {
    let error = StepError::new(
        "psprun::wait_ready::stuck",
        format!("{} will not become ready: {}", object::show(object), stuck.why),
    );
    let error = match &stuck.help {
        Some(help) => error.help(help),
        None => error,
    };
    error.output(
        json!({ "waited_for": scene.wanted.scope.show(), "object": object::show(object), "why": stuck.why }),
    )
}

/// The wait ends: admission refuses the pods.
pub(super) fn denied(scene: &Scene, denials: &[&Denial]) -> StepError {
    let mut lines = vec![match denials {
        [one] => format!("{} gets no pods: admission refuses them", one.workload()),
        many => format!("{} workloads get no pods: admission refuses them", many.len()),
    }];
    for denial in denials.iter().take(SHOWN) {
        let workload = match denials {
            [_] => String::new(),
            _ => format!("{}: ", denial.workload()),
        };
        lines.push(format!(
            "  {workload}FailedCreate ({} times, and again while we waited): {}",
            denial.count, denial.message
        ));
    }
    let error = StepError::new("psprun::wait_ready::denied", lines.join("\n"));
    let shown: Vec<Value> = denials
        .iter()
        .map(|denial| json!({ "workload": denial.workload(), "message": denial.message, "count": denial.count }))
        .collect();
    let error = error.output(json!({ "waited_for": scene.wanted.scope.show(), "denied": shown }));
    match denials.first() {
        Some(first) => error.help(first.help()),
        None => error,
    }
}

/// The time is up: what is missing, and the likely causes.
pub(super) async fn timeout(
    requests: &Requests,
    scene: &Scene,
    ready: usize,
    unready: &[Unready<'_>],
    away: Option<&str>,
    timeout: Duration,
) -> StepError {
    let scope = &scene.wanted.scope;
    let after = show_duration(timeout);
    if let Some(away) = away {
        return StepError::new(
            "psprun::wait_ready::away",
            format!("{} are not known to be ready after {after}: {away}", scope.show()),
        )
        .heals();
    }
    let looked = tokio::time::timeout(EVENTS_TIMEOUT, look_at(requests, scope)).await;
    let (events, has_namespace) = looked.unwrap_or_default();
    let mut found = Findings::default();
    if !has_namespace.unwrap_or(true) {
        found.lines.push(format!(
            "  there is no namespace {:?}",
            scope.namespace.as_deref().unwrap_or_default()
        ));
    }
    found.look_at_objects(scene, unready, &events);
    found.look_at_owed(scene, &events);
    found.look_at_denials(scene);

    let all = ready + unready.len();
    let plural = &scope.kind.resource.plural;
    let summary = match (all, scene.wanted.min) {
        (0, _) => format!("there are no {} after {after}", scope.show()),
        (all, min) if all < min => format!(
            "{all} of at least {min} {plural} are there after {after}: {}",
            scope.show()
        ),
        _ if unready.is_empty() => format!("{} are not all made after {after}", scope.show()),
        _ => format!("{} are not ready after {after}: {ready} of {all}", scope.show()),
    };
    let missing: Vec<&String> = scope
        .names
        .iter()
        .filter(|name| !scene.all(Role::Main).any(|object| object::name(object) == *name))
        .collect();
    if all > 0 {
        found
            .lines
            .extend(missing.iter().map(|name| format!("  {name} is not there")));
    }
    let mut message = vec![summary];
    message.extend(found.lines);
    let error = StepError::new("psprun::wait_ready::timeout", message.join("\n"))
        .heals()
        .output(json!({ "waited_for": scope.show(), "ready": ready, "unready": found.objects }));
    match found.help {
        Some(help) => error.help(help),
        None => error,
    }
}

/// The events around the objects, and whether their namespace is there at all.
async fn look_at(requests: &Requests, scope: &Scope) -> (Vec<Value>, Option<bool>) {
    let events = Scope::all(Kind::served("v1", "Event", "events"), scope.namespace.clone());
    let namespace = async {
        let name = scope.namespace.as_deref()?;
        let kind = Kind::served("v1", "Namespace", "namespaces");
        Some(requests.get(&kind, None, name).await.ok()?.is_some())
    };
    let (events, namespace) = futures::future::join(requests.list(&events), namespace).await;
    (events.map(|(events, _)| events).unwrap_or_default(), namespace)
}

#[derive(Default)]
struct Findings {
    lines: Vec<String>,
    objects: Vec<Value>,
    help: Option<String>,
}

impl Findings {
    fn look_at_objects(&mut self, scene: &Scene, unready: &[Unready], events: &[Value]) {
        for Unready { object, verdict } in unready.iter().take(SHOWN) {
            self.object(object, verdict, events, "  ");
            if scene.role_of_pods() != Role::Main {
                let pods = scene
                    .pods_of(object)
                    .map(|pod| (pod, super::rules::pod::judge(pod)));
                let pods =
                    pods.filter(|(_, verdict)| matches!(verdict, Verdict::Waiting(_) | Verdict::Stuck(_)));
                for (pod, verdict) in pods.take(SHOWN) {
                    self.object(pod, &verdict, events, "    ");
                }
            }
        }
        if unready.len() > SHOWN {
            self.lines.push(format!("  and {} more", unready.len() - SHOWN));
        }
    }

    fn object(&mut self, object: &Value, verdict: &Verdict, events: &[Value], indent: &str) {
        let why = why(verdict);
        self.lines
            .push(format!("{indent}{}: {why}", object::show(object)));
        let event = events::latest_warning(
            events,
            object::kind(object),
            object::namespace(object),
            object::name(object),
        );
        // The status often has the event's words already.
        let news = event.filter(|event| !why.contains(text(event, "/message").trim()));
        if let Some(event) = news {
            self.lines
                .push(format!("{indent}  event {}", events::show(event)));
        }
        if let Verdict::Stuck(Stuck { help: Some(help), .. }) = verdict {
            self.help.get_or_insert_with(|| help.clone());
        }
        if let Some(help) = help_for(why) {
            self.help.get_or_insert(help);
        }
        self.objects.push(json!({
            "object": object::show(object), "why": why, "event": event.map(events::show),
        }));
    }

    fn look_at_owed(&mut self, scene: &Scene, events: &[Value]) {
        for (workload, debt) in owed::owed(scene).into_iter().take(SHOWN) {
            let verdict = Verdict::Waiting(debt);
            self.object(workload, &verdict, events, "  ");
        }
    }

    /// An old refusal is no proof, but the likely cause when the time is up and there are no pods.
    fn look_at_denials(&mut self, scene: &Scene) {
        for denial in scene.denials.of(scene).into_iter().take(SHOWN) {
            let told = self.lines.iter().any(|line| line.contains(&denial.message));
            if !told {
                self.lines.push(format!(
                    "  {}: admission refused its pods {} times: {}",
                    denial.workload(),
                    denial.count,
                    denial.message
                ));
            }
            // It is the root of what else is missing.
            self.help = Some(denial.help());
        }
    }
}

fn help_for(why: &str) -> Option<String> {
    if why.contains("ImagePullBackOff") || why.contains("ErrImagePull") {
        return Some(
            "can the node reach the image's registry, and is the image's name right? On an air-gapped node load the image \
             (`ctr -n k8s.io images import`) and use the pull policy IfNotPresent"
                .to_owned(),
        );
    }
    if why.contains("CrashLoopBackOff") {
        return Some("see how it ended: cluster.logs(\"…\", #{ previous: true })".to_owned());
    }
    if why.contains("network plugin") || why.contains("NetworkPluginNotReady") {
        return Some("the node waits for its pod network: install a CNI plugin before this step".to_owned());
    }
    scheduling::help(why)
}

fn why(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::Waiting(why) => why,
        Verdict::Stuck(stuck) => &stuck.why,
        Verdict::Ready | Verdict::Ignored => "",
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
