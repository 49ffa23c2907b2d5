//! What an apply did, for the steps that follow and for people.

use std::collections::HashMap;

use psprun_engine::Outcome;
use schemars::JsonSchema;
use serde::Serialize;

use super::item::Item;
use super::prune::Pruned;
use super::write::{Written, resource_version};

/// What became of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It was not there.
    Created,
    /// It was there and is different now.
    Changed,
    /// It is as it was.
    Unchanged,
    /// It was deleted, since the bundle no longer has it.
    Pruned,
}

/// An object that was applied or pruned.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Applied {
    /// Its API version, e.g. `apps/v1`.
    api_version: String,
    /// Its kind, e.g. `Deployment`.
    kind: String,
    /// Its namespace, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    /// Its name.
    name: String,
    /// What became of it.
    action: Action,
    /// Its version on the server: it is another one after each change.
    #[serde(rename = "resource_version")]
    resource_version: String,
    /// The API version in which the manifest has it, when it was rewritten for this server.
    #[serde(rename = "written_as", skip_serializing_if = "Option::is_none")]
    written_as: Option<String>,
}

/// Output of `apply`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ApplyOutput {
    /// The objects in the order of the manifest, then those that were pruned.
    objects: Vec<Applied>,
    /// How many were created.
    created: usize,
    /// How many were changed.
    changed: usize,
    /// How many were as they should be.
    unchanged: usize,
    /// How many were deleted.
    pruned: usize,
}

/// Counts and lists what was done.
pub(super) fn outcome(
    items: Vec<Item>,
    mut written: HashMap<usize, Written>,
    pruned: Vec<Pruned>,
) -> Outcome<ApplyOutput> {
    let mut objects = Vec::with_capacity(items.len() + pruned.len());
    let mut details = String::new();
    for (index, item) in items.into_iter().enumerate() {
        let Some(done) = written.remove(&index) else {
            continue;
        };
        if let Some(diff) = &done.diff {
            details.push_str(diff);
        }
        objects.push(Applied {
            api_version: item.api_version().to_owned(),
            kind: item.kind_name().to_owned(),
            namespace: item.namespace().map(str::to_owned),
            name: item.name().to_owned(),
            action: done.action,
            resource_version: resource_version(&done.object).to_owned(),
            written_as: item.written_as,
        });
    }
    for gone in pruned {
        let place = gone
            .namespace
            .as_ref()
            .map(|namespace| format!("{namespace}/"))
            .unwrap_or_default();
        details.push_str(&format!("- {} {place}{}\n", gone.kind, gone.name));
        objects.push(Applied {
            api_version: gone.api_version,
            kind: gone.kind,
            namespace: gone.namespace,
            name: gone.name,
            action: Action::Pruned,
            resource_version: gone.resource_version,
            written_as: None,
        });
    }
    let count = |action: Action| objects.iter().filter(|object| object.action == action).count();
    let output = ApplyOutput {
        created: count(Action::Created),
        changed: count(Action::Changed),
        unchanged: count(Action::Unchanged),
        pruned: count(Action::Pruned),
        objects,
    };
    let counts = [
        (output.created, "created"),
        (output.changed, "changed"),
        (output.unchanged, "unchanged"),
        (output.pruned, "pruned"),
    ];
    let summary: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    let changed = output.created + output.changed + output.pruned > 0;
    let outcome = Outcome::new(output, changed).summary(summary.join(", "));
    if details.is_empty() {
        outcome
    } else {
        outcome.details(details)
    }
}
