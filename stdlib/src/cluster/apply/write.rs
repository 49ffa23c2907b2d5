//! Writes one object, and says what that did.

use std::time::Duration;

use kube::core::params::{Patch, PatchParams, ValidationDirective};
use kube::core::request::Request;
use psprun_engine::StepError;
use serde_json::Value;

use super::diff::diff;
use super::item::Item;
use super::request::{self, Answer, Api};
use super::validate::Validate;
use super::{Action, FIELD_MANAGER, same, three_way};
use crate::cluster::discovery::ServerVersion;
use crate::cluster::error::{explain, is_not_found};
use crate::target::Target;

/// How long an object that is being deleted is waited for.
const GONE_WITHIN: Duration = Duration::from_secs(60);

/// How objects are written.
pub(super) struct Writer<'a> {
    pub(super) api: Api<'a>,
    pub(super) target: &'a dyn Target,
    pub(super) version: &'a ServerVersion,
    pub(super) server_side: bool,
    pub(super) force: bool,
    pub(super) validate: Validate,
}

/// What became of an object.
pub(super) struct Written {
    pub(super) action: Action,
    pub(super) object: Value,
    pub(super) diff: Option<String>,
    pub(super) warnings: Vec<String>,
}

impl Writer<'_> {
    /// Whether the object is already as it is wanted, so that nothing is written.
    pub(super) fn is_applied(&self, item: &Item) -> bool {
        let Some(live) = item.live.object() else {
            return false;
        };
        if live["metadata"]["deletionTimestamp"].is_string() {
            return false;
        }
        if self.server_side {
            same::is_applied(live, &item.object)
        } else {
            three_way::patch(live, &item.object).is_none()
        }
    }

    /// Writes an object if it is not as it is wanted.
    ///
    /// # Errors
    /// The server refuses it: why, and where in the manifest.
    pub(super) async fn write(&self, item: &Item) -> Result<Written, StepError> {
        let mut live = item.live.object();
        if let Some(object) = live
            && object["metadata"]["deletionTimestamp"].is_string()
        {
            self.wait_until_gone(item, object).await?;
            live = None;
        } else if let Some(object) = live
            && self.is_applied(item)
        {
            return Ok(Written {
                action: Action::Unchanged,
                object: object.clone(),
                diff: None,
                warnings: Vec::new(),
            });
        }
        let doing = format!("apply {}", item.show());
        let doing = doing.as_str();
        let answer = self
            .api
            .patience
            .attempt(|| async move {
                self.send(item, live).await.map_err(|error| {
                    let mut explained = explain(doing, &error);
                    // Somebody made it at the same moment: then it is there to be changed.
                    explained.heals |= explained.code == "psprun::cluster::already_exists";
                    explained.at(place(item, &error))
                })
            })
            .await?;
        let (action, diff) = match live {
            None => (Action::Created, Some(format!("+ {}\n", item.show()))),
            Some(live) if is_same(live, &answer.object) => (Action::Unchanged, None),
            Some(live) => (Action::Changed, Some(diff(&item.show(), live, &answer.object))),
        };
        Ok(Written {
            action,
            object: answer.object,
            diff,
            warnings: answer.warnings,
        })
    }

    async fn send(&self, item: &Item, live: Option<&Value>) -> Result<Answer, kube::Error> {
        if self.server_side {
            let params = PatchParams {
                field_manager: Some(FIELD_MANAGER.into()),
                force: self.force,
                // Older servers do not know the parameter.
                field_validation: self.version.at_least(1, 25).then_some(match self.validate {
                    Validate::Strict => ValidationDirective::Strict,
                    Validate::Warn => ValidationDirective::Warn,
                    Validate::Ignore => ValidationDirective::Ignore,
                }),
                ..PatchParams::default()
            };
            return request::send(
                self.api.client,
                built(item.patch(&params, &Patch::Apply(&item.object)))?,
            )
            .await;
        }
        // A patch is bound to the state that it was computed from; after a conflict there is a newer one.
        let fresh = match live {
            Some(_) => match request::send(self.api.client, built(item.get())?).await {
                Ok(answer) => Some(answer.object),
                Err(error) if is_not_found(&error) => None,
                Err(error) => return Err(error),
            },
            None => None,
        };
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.into()),
            ..PatchParams::default()
        };
        let Some(fresh) = fresh else {
            let body = serde_json::to_vec(&three_way::with_last_applied(&item.object))
                .map_err(kube::Error::SerdeError)?;
            let request = Request::new(item.path()).create(&Default::default(), body);
            return match request::send(self.api.client, built(request)?).await {
                // An earlier attempt made it, and its answer was lost.
                Err(kube::Error::Api(status)) if status.is_already_exists() => {
                    request::send(self.api.client, built(item.get())?).await
                }
                other => other,
            };
        };
        match three_way::patch(&fresh, &item.object) {
            Some(patch) => {
                request::send(
                    self.api.client,
                    built(item.patch(&params, &Patch::Merge(&patch)))?,
                )
                .await
            }
            None => Ok(Answer {
                warnings: Vec::new(),
                object: fresh,
            }),
        }
    }

    async fn wait_until_gone(&self, item: &Item, object: &Value) -> Result<(), StepError> {
        let mut waited = Duration::ZERO;
        let pause = Duration::from_millis(500);
        loop {
            let now = self
                .api
                .find(&format!("read {}", item.show()), item.get())
                .await?;
            let is_same = now
                .as_ref()
                .is_some_and(|now| now["metadata"]["uid"] == object["metadata"]["uid"]);
            if !is_same {
                return Ok(());
            }
            if waited >= GONE_WITHIN {
                let finalizers: Vec<&str> = now
                    .as_ref()
                    .and_then(|now| {
                        now["metadata"]["finalizers"]
                            .as_array()
                            .or(now["spec"]["finalizers"].as_array())
                    })
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .collect();
                let error = StepError::new(
                    "psprun::apply::terminating",
                    format!(
                        "cannot apply {}: it is being deleted, and not gone after {} s",
                        item.show(),
                        GONE_WITHIN.as_secs()
                    ),
                )
                .heals();
                return Err(if finalizers.is_empty() {
                    error
                } else {
                    error.help(format!("its finalizers keep it: {}", finalizers.join(", ")))
                });
            }
            self.target.sleep(pause).await;
            waited += pause;
        }
    }
}

/// Whether two states of an object differ in nothing but the server's bookkeeping. A field that the server drops (one of
/// a feature that is off) is sent each time, and each time the server notes a new time.
fn is_same(one: &Value, other: &Value) -> bool {
    if resource_version(one) == resource_version(other) {
        return true;
    }
    let core = |object: &Value| {
        let mut object = object.clone();
        if let Some(fields) = object.as_object_mut() {
            fields.remove("status");
        }
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("resourceVersion");
            let managers = metadata.get_mut("managedFields").and_then(Value::as_array_mut);
            for manager in managers.into_iter().flatten().filter_map(Value::as_object_mut) {
                manager.remove("time");
            }
        }
        object
    };
    core(one) == core(other)
}

pub(super) fn resource_version(object: &Value) -> &str {
    object["metadata"]["resourceVersion"].as_str().unwrap_or_default()
}

/// Where in the manifest the server sees the fault: the field of the first cause, or one that the message names.
fn place(item: &Item, error: &kube::Error) -> String {
    let kube::Error::Api(status) = error else {
        return item.origin.show();
    };
    let causes = status.details.as_ref().map_or(&[][..], |details| &details.causes);
    let field = causes
        .iter()
        .map(|cause| cause.field.as_str())
        .find(|field| !field.is_empty())
        .or_else(|| {
            status
                .message
                .split([' ', ';'])
                .find(|word| word.starts_with('.'))
                .map(|word| word.trim_end_matches(':'))
        });
    match field {
        Some(field) => item.origin.place_of(field),
        None => item.origin.show(),
    }
}

fn built(request: request::Built) -> Result<http::Request<Vec<u8>>, kube::Error> {
    request.map_err(kube::Error::BuildRequest)
}
