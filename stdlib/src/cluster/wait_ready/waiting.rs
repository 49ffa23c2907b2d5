//! The loop: a change, a look at all that is known, and the end or the next change.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use psprun_engine::{Context, StepError};
use serde_json::Value;

use super::causes::owed;
use super::report::{self, Unready};
use super::rules::{self, Certain, Stuck, Verdict, node};
use super::scene::{Role, Scene, Wanted, key};
use crate::cluster::object;
use crate::cluster::requests::Requests;
use crate::cluster::watch::{Change, watch};
use crate::target::Target;

/// Changes that are there already are taken together, so many at once: with a thousand pods not each of them makes us
/// look at all.
const TOGETHER: usize = 256;

/// The wait's own clock: what has to last is looked at so often.
const TICK: Duration = Duration::from_secs(1);

/// A state that was there before the wait began has to last so long: what writes it looks at it again within this time
/// (the kubelet every 10 to 15 s).
const STALE: Duration = Duration::from_secs(20);

type Told = (Role, Result<Change, StepError>);

/// Waits until all is there and ready; gives the objects.
///
/// # Errors
/// The time is up, or a cause was found that does not heal; or the objects cannot be watched.
pub(super) async fn wait(
    requests: &Requests,
    target: &Arc<dyn Target>,
    context: &Context,
    wanted: Wanted,
    timeout: Duration,
) -> Result<Vec<Value>, StepError> {
    let mut scene = Scene::new(wanted);
    let watches = scene.sources().into_iter().map(|(role, scope)| {
        watch(requests.client(), target, scope)
            .map(move |change| (role, change))
            .boxed()
    });
    let watches: Vec<BoxStream<'static, Told>> = watches.collect();
    let mut changes = stream::select_all(watches).ready_chunks(TOGETHER);
    let mut end = target.sleep(timeout);
    let mut tick = target.sleep(TICK);
    let mut away = None;
    let mut told = String::new();
    loop {
        tokio::select! {
            batch = changes.next() => {
                for (role, change) in batch.unwrap_or_default() {
                    take(&mut scene, role, change, &mut away)?;
                }
            }
            () = &mut tick => {
                scene.elapsed += TICK;
                tick = target.sleep(TICK);
            }
            () = &mut end => {
                let (ready, unready) = judge(&scene);
                let error = report::timeout(requests, &scene, ready.len(), &unready, away.as_deref(), timeout);
                return Err(error.await);
            }
        }
        if let Some(away) = &away {
            tell(context, &mut told, away.clone());
            continue;
        }
        if !scene.is_complete() {
            continue;
        }
        match look(&mut scene)? {
            Look::Ready(items) => return Ok(items),
            Look::Waiting(text) => tell(context, &mut told, text),
        }
    }
}

/// Takes what a watch told. That the objects themselves cannot be watched is an error; others are done without.
fn take(
    scene: &mut Scene,
    role: Role,
    change: Result<Change, StepError>,
    away: &mut Option<String>,
) -> Result<(), StepError> {
    match change {
        Ok(Change::Away(why)) => *away = Some(why),
        Ok(change) => {
            *away = None;
            scene.change(role, change);
        }
        Err(error) if role == Role::Main => return Err(error),
        Err(_) => scene.do_without(role),
    }
    Ok(())
}

fn tell(context: &Context, told: &mut String, text: String) {
    if *told != text {
        context.progress(text.clone());
        *told = text;
    }
}

enum Look {
    Ready(Vec<Value>),
    Waiting(String),
}

/// The objects that are ready, and those that are not.
fn judge(scene: &Scene) -> (Vec<&Value>, Vec<Unready<'_>>) {
    let mut ready = Vec::new();
    let mut unready = Vec::new();
    for object in scene.all(Role::Main) {
        match rules::judge(&scene.wanted.scope.kind, object, scene) {
            Verdict::Ready => ready.push(object),
            Verdict::Ignored => {}
            Verdict::Stuck(_) if scene.is_outdated(object) => unready.push(Unready {
                object,
                verdict: Verdict::Waiting("a newer ReplicaSet replaces it".to_owned()),
            }),
            verdict => unready.push(Unready { object, verdict }),
        }
    }
    (ready, unready)
}

/// Looks at all that is known.
///
/// # Errors
/// A cause that does not heal.
fn look(scene: &mut Scene) -> Result<Look, StepError> {
    let (ready, unready) = judge(scene);
    let is_there = |name: &String| ready.iter().any(|object| object::name(object) == name);
    let all_named = scene.wanted.scope.names.iter().all(is_there);
    if unready.is_empty() && all_named && ready.len() >= scene.wanted.min && owes_nothing(scene) {
        return Ok(Look::Ready(ready.into_iter().cloned().collect()));
    }

    let lacks_network = unready.iter().any(|unready| node::lacks_network(unready.object));
    if !scene.waits_for("", "Node") || lacks_network {
        let denials = scene.denials.lasting(scene);
        if !denials.is_empty() {
            return Err(report::denied(scene, &denials));
        }
    }
    let text = report::progress(scene, ready.len(), &unready);
    let suspects = suspects(scene, &unready);
    end_if_certain(scene, suspects)?;
    Ok(Look::Waiting(text))
}

fn owes_nothing(scene: &Scene) -> bool {
    !scene.wanted.owed || !scene.waits_for("", "Pod") || owed::owed(scene).is_empty()
}

/// An object that is stuck.
struct Suspect {
    role: Role,
    object: Value,
    stuck: Stuck,
    fresh: bool,
}

/// The objects that are stuck: those that are waited for, and the pods of workloads that are not ready.
fn suspects(scene: &Scene, unready: &[Unready]) -> Vec<Suspect> {
    let mut found = Vec::new();
    let mut suspect = |role, object: &Value, stuck: &Stuck| {
        found.push(Suspect {
            role,
            object: object.clone(),
            stuck: stuck.clone(),
            fresh: scene.is_fresh(role, object),
        });
    };
    for Unready { object, verdict } in unready {
        if let Verdict::Stuck(stuck) = verdict {
            suspect(Role::Main, object, stuck);
        }
        if scene.role_of_pods() == Role::Main {
            continue;
        }
        for pod in scene.pods_of(object) {
            // A workload may make another pod for one that failed.
            if let Verdict::Stuck(stuck) = rules::pod::judge(pod)
                && stuck.certain != Certain::AtOnce
            {
                suspect(Role::Pods, pod, &stuck);
            }
        }
    }
    found
}

fn end_if_certain(scene: &mut Scene, suspects: Vec<Suspect>) -> Result<(), StepError> {
    let keys: Vec<(Role, String)> = suspects.iter().map(|s| (s.role, key(&s.object))).collect();
    scene.keep_stuck(|role, name| keys.iter().any(|(r, key)| *r == role && key == name));
    for Suspect {
        role,
        object,
        stuck,
        fresh,
    } in suspects
    {
        let lasted = scene.stuck_for(role, key(&object), &stuck);
        let is_certain = match stuck.certain {
            Certain::AtOnce => true,
            Certain::WhenFresh => fresh || lasted >= STALE,
            Certain::After(time) => lasted >= time,
        };
        if is_certain {
            return Err(report::stuck(scene, &object, &stuck));
        }
    }
    Ok(())
}
