//! What an earlier apply of the same bundle made and this one no longer has is deleted.
//!
//! Which objects belong to a bundle is kept in the cluster, in a ConfigMap, the inventory. Before anything is applied it
//! names the objects of both, so that nothing is lost when the run ends in the middle; afterwards those of the new one.

use std::collections::BTreeSet;

use kube::core::params::{DeleteParams, GetParams, Patch, PatchParams, Preconditions};
use kube::core::request::Request;
use psprun_engine::StepError;
use serde_json::{Value, json};

use super::FIELD_MANAGER;
use super::item::Item;
use super::request::Api;
use super::three_way::LAST_APPLIED;
use crate::cluster::connection::Connection;

const KEY: &str = "objects";

/// The inventory of a bundle.
pub(super) struct Inventory<'a> {
    connection: &'a Connection,
    api: Api<'a>,
    namespace: String,
    name: String,
    server_side: bool,
    stored: BTreeSet<String>,
    exists: bool,
}

/// An object that was deleted.
pub(super) struct Pruned {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) namespace: Option<String>,
    pub(super) name: String,
    pub(super) resource_version: String,
}

/// `apps/Deployment demo/web`: the kind by group, since versions come and go.
fn line(item: &Item) -> String {
    let kind = match item.group() {
        "" => item.kind_name().to_owned(),
        group => format!("{group}/{}", item.kind_name()),
    };
    match item.namespace() {
        Some(namespace) => format!("{kind} {namespace}/{}", item.name()),
        None => format!("{kind} {}", item.name()),
    }
}

/// Whether a bundle's name can be part of an object's name.
pub(super) fn check_name(name: &str) -> Result<(), StepError> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let right = !name.is_empty()
        && name.len() <= 200
        && name.chars().all(fits)
        && !name.starts_with('-')
        && !name.ends_with('-');
    if right {
        return Ok(());
    }
    Err(StepError::new(
        "psprun::apply::prune",
        format!("`{name}` is no name for an inventory"),
    )
    .help("use lower-case letters, digits and dashes: it becomes the name of a ConfigMap"))
}

impl<'a> Inventory<'a> {
    /// Reads what an earlier apply left.
    ///
    /// # Errors
    /// The server does not answer.
    pub(super) async fn open(
        connection: &'a Connection,
        api: Api<'a>,
        namespace: &str,
        name: &str,
        server_side: bool,
    ) -> Result<Self, StepError> {
        let mut inventory = Self {
            connection,
            api,
            namespace: namespace.to_owned(),
            name: format!("psprun-{name}"),
            server_side,
            stored: BTreeSet::new(),
            exists: false,
        };
        let found = inventory.get(&inventory.path(), &inventory.name).await?;
        if let Some(found) = found {
            inventory.exists = true;
            let lines = found["data"][KEY].as_str().unwrap_or_default();
            inventory.stored = lines
                .lines()
                .filter(|line| !line.is_empty())
                .map(str::to_owned)
                .collect();
        }
        Ok(inventory)
    }

    /// Remembers that these objects are going to be applied.
    ///
    /// # Errors
    /// The inventory cannot be written.
    pub(super) async fn announce(&mut self, items: &[Item]) -> Result<(), StepError> {
        let mut both = self.stored.clone();
        both.extend(items.iter().map(line));
        self.store(both).await
    }

    /// Deletes what is not among these objects, the last of the order first.
    ///
    /// # Errors
    /// An object cannot be deleted, or the inventory not written.
    pub(super) async fn prune(&mut self, items: &[Item]) -> Result<(Vec<Pruned>, Vec<String>), StepError> {
        let wanted: BTreeSet<String> = items.iter().map(line).collect();
        let mut old: Vec<String> = self.stored.difference(&wanted).cloned().collect();
        old.sort_by_key(|line| std::cmp::Reverse(last_to_go(line)));
        let (mut pruned, mut told) = (Vec::new(), Vec::new());
        for line in &old {
            pruned.extend(self.delete(line, &mut told).await?);
        }
        self.store(wanted).await?;
        Ok((pruned, told))
    }

    async fn delete(&self, line: &str, told: &mut Vec<String>) -> Result<Option<Pruned>, StepError> {
        let Some((kind, name)) = line.split_once(' ') else {
            return Ok(None);
        };
        let (namespace, name) = match name.split_once('/') {
            Some((namespace, name)) => (Some(namespace.to_owned()), name),
            None => (None, name),
        };
        let wanted = if kind.contains('/') {
            kind.to_owned()
        } else {
            format!("v1/{kind}")
        };
        // A kind that the server no longer has took its objects with it.
        let kind = match self
            .api
            .patience
            .attempt(|| self.connection.resolve(&wanted))
            .await
        {
            Ok(kind) => kind,
            Err(error) if error.heals => return Err(error),
            Err(_) => return Ok(None),
        };
        let path = kind.path(namespace.as_deref());
        let Some(object) = self.get(&path, name).await? else {
            return Ok(None);
        };
        if !is_ours(&object) {
            told.push(format!(
                "{line} is not pruned: nothing in it is psprun's any more"
            ));
            return Ok(None);
        }
        if object["metadata"]["deletionTimestamp"].is_string() {
            return Ok(None);
        }
        let mut params = DeleteParams::background();
        params.preconditions = Some(Preconditions {
            uid: object["metadata"]["uid"].as_str().map(str::to_owned),
            resource_version: None,
        });
        let request = Request::new(&path).delete(name, &params);
        self.api.find(&format!("prune {line}"), request).await?;
        Ok(Some(Pruned {
            api_version: kind.resource.api_version.clone(),
            kind: kind.resource.kind.clone(),
            namespace,
            name: name.to_owned(),
            resource_version: object["metadata"]["resourceVersion"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        }))
    }

    async fn store(&mut self, lines: BTreeSet<String>) -> Result<(), StepError> {
        if self.exists && lines == self.stored {
            return Ok(());
        }
        let object = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": self.name,
                "namespace": self.namespace,
                "labels": { "app.kubernetes.io/managed-by": FIELD_MANAGER },
            },
            "data": { KEY: lines.iter().map(|line| format!("{line}\n")).collect::<String>() },
        });
        let request = Request::new(self.path());
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.into()),
            force: self.server_side,
            ..PatchParams::default()
        };
        let request = if self.server_side {
            request.patch(&self.name, &params, &Patch::Apply(&object))
        } else if self.exists {
            request.patch(&self.name, &params, &Patch::Merge(&object))
        } else {
            request.create(&Default::default(), object.to_string().into_bytes())
        };
        self.api
            .send(
                &format!("write the inventory {}/{}", self.namespace, self.name),
                request,
            )
            .await?;
        self.exists = true;
        self.stored = lines;
        Ok(())
    }

    fn path(&self) -> String {
        format!("/api/v1/namespaces/{}/configmaps", self.namespace)
    }

    async fn get(&self, path: &str, name: &str) -> Result<Option<Value>, StepError> {
        let request = Request::new(path).get(name, &GetParams::default());
        self.api.find(&format!("read {path}/{name}"), request).await
    }
}

/// Namespaces and CRDs take others with them: they go last.
fn last_to_go(line: &str) -> u8 {
    match line.split(' ').next() {
        Some("Namespace") => 0,
        Some("apiextensions.k8s.io/CustomResourceDefinition") => 1,
        Some(kind) if kind.starts_with("admissionregistration.k8s.io/") => 3,
        _ => 2,
    }
}

/// Whether the object has something that psprun applied. One that says no more than its name has no manager at all.
fn is_ours(object: &Value) -> bool {
    let metadata = &object["metadata"];
    let managers = metadata["managedFields"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    managers.is_empty()
        || managers.iter().any(|entry| entry["manager"] == FIELD_MANAGER)
        || metadata["annotations"][LAST_APPLIED].is_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_becomes_an_objects_name() {
        assert!(check_name("demo-1").is_ok());
        for wrong in ["", "Demo", "a b", "-a", "a_b"] {
            assert!(check_name(wrong).is_err(), "{wrong}");
        }
    }
}
