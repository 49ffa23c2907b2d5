//! API versions that come and go: an object in a version that the server does not serve is rewritten to one that it
//! does, where that is mechanical, and refused with the reason where not.
//!
//! [`FAMILIES`] is the one table of moves. Sources: the Kubernetes deprecated API migration guide, the conversion
//! functions of Kubernetes' own `pkg/apis`, and the defaults of both versions, which are written out where they differ.

mod crd;
mod ingress;
mod webhook;
mod workload;

use serde_json::{Value, json};

use crate::cluster::discovery::ServerVersion;

/// Kinds that are served in several versions with the same meaning.
struct Family {
    kinds: &'static [&'static str],
    /// The newest first; the first that the server has is used.
    versions: &'static [&'static str],
    convert: Convert,
}

/// Changes the object from one version's shape to the other's, or says why it cannot be done mechanically.
type Convert = fn(&mut Value, &Move) -> Result<(), String>;

/// From which version to which, for which server.
struct Move<'m> {
    from: &'m str,
    to: &'m str,
    server: &'m ServerVersion,
}

const FAMILIES: &[Family] = &[
    Family {
        kinds: &["Deployment"],
        versions: &["apps/v1", "apps/v1beta2", "apps/v1beta1", "extensions/v1beta1"],
        convert: workload::convert,
    },
    Family {
        kinds: &["DaemonSet", "ReplicaSet"],
        versions: &["apps/v1", "apps/v1beta2", "extensions/v1beta1"],
        convert: workload::convert,
    },
    Family {
        kinds: &["StatefulSet"],
        versions: &["apps/v1", "apps/v1beta2", "apps/v1beta1"],
        convert: workload::convert,
    },
    Family {
        kinds: &["Ingress"],
        versions: &[
            "networking.k8s.io/v1",
            "networking.k8s.io/v1beta1",
            "extensions/v1beta1",
        ],
        convert: ingress::convert,
    },
    Family {
        kinds: &["NetworkPolicy"],
        versions: &["networking.k8s.io/v1", "extensions/v1beta1"],
        convert: same_shape,
    },
    Family {
        kinds: &["IngressClass"],
        versions: &["networking.k8s.io/v1", "networking.k8s.io/v1beta1"],
        convert: same_shape,
    },
    Family {
        kinds: &["Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"],
        versions: &[
            "rbac.authorization.k8s.io/v1",
            "rbac.authorization.k8s.io/v1beta1",
            "rbac.authorization.k8s.io/v1alpha1",
        ],
        convert: rbac,
    },
    Family {
        kinds: &["CustomResourceDefinition"],
        versions: &["apiextensions.k8s.io/v1", "apiextensions.k8s.io/v1beta1"],
        convert: crd::convert,
    },
    Family {
        kinds: &["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"],
        versions: &[
            "admissionregistration.k8s.io/v1",
            "admissionregistration.k8s.io/v1beta1",
        ],
        convert: webhook::convert,
    },
    Family {
        kinds: &["APIService"],
        versions: &["apiregistration.k8s.io/v1", "apiregistration.k8s.io/v1beta1"],
        convert: same_shape,
    },
    Family {
        kinds: &["CronJob"],
        versions: &["batch/v1", "batch/v1beta1", "batch/v2alpha1"],
        convert: same_shape,
    },
    Family {
        kinds: &["PodDisruptionBudget"],
        versions: &["policy/v1", "policy/v1beta1"],
        convert: disruption_budget,
    },
    Family {
        kinds: &["PodSecurityPolicy"],
        versions: &["policy/v1beta1", "extensions/v1beta1"],
        convert: same_shape,
    },
    Family {
        kinds: &["HorizontalPodAutoscaler"],
        versions: &["autoscaling/v2", "autoscaling/v2beta2"],
        convert: same_shape,
    },
    Family {
        kinds: &["PriorityClass"],
        versions: &[
            "scheduling.k8s.io/v1",
            "scheduling.k8s.io/v1beta1",
            "scheduling.k8s.io/v1alpha1",
        ],
        convert: same_shape,
    },
    Family {
        kinds: &["StorageClass", "VolumeAttachment", "CSIDriver", "CSINode"],
        versions: &["storage.k8s.io/v1", "storage.k8s.io/v1beta1"],
        convert: same_shape,
    },
    Family {
        kinds: &["CSIStorageCapacity"],
        versions: &[
            "storage.k8s.io/v1",
            "storage.k8s.io/v1beta1",
            "storage.k8s.io/v1alpha1",
        ],
        convert: same_shape,
    },
    Family {
        kinds: &["Lease"],
        versions: &["coordination.k8s.io/v1", "coordination.k8s.io/v1beta1"],
        convert: same_shape,
    },
    Family {
        kinds: &["RuntimeClass"],
        versions: &["node.k8s.io/v1", "node.k8s.io/v1beta1"],
        convert: same_shape,
    },
];

/// What servers no longer have and no version takes the place of.
struct Gone {
    kind: &'static str,
    /// All versions when empty.
    versions: &'static [&'static str],
    since: (u32, u32),
    instead: &'static str,
}

const GONE: &[Gone] = &[
    Gone {
        kind: "PodSecurityPolicy",
        versions: &[],
        since: (1, 25),
        instead: "use Pod Security admission: label the namespaces with `pod-security.kubernetes.io/enforce: baseline` (or \
         `restricted`, `privileged`)",
    },
    Gone {
        kind: "PodPreset",
        versions: &[],
        since: (1, 20),
        instead: "put the fields into the pods, or use a mutating webhook",
    },
    Gone {
        kind: "ThirdPartyResource",
        versions: &[],
        since: (1, 8),
        instead: "write a CustomResourceDefinition of apiextensions.k8s.io",
    },
    Gone {
        kind: "HorizontalPodAutoscaler",
        versions: &["autoscaling/v2beta1"],
        since: (1, 25),
        instead: "write it as autoscaling/v2, whose metrics have another shape (`target: {type, averageUtilization}`)",
    },
    Gone {
        kind: "EndpointSlice",
        versions: &["discovery.k8s.io/v1beta1"],
        since: (1, 25),
        instead: "write it as discovery.k8s.io/v1: `topology` became `nodeName` and `zone`",
    },
    Gone {
        kind: "CertificateSigningRequest",
        versions: &["certificates.k8s.io/v1beta1"],
        since: (1, 22),
        instead: "write it as certificates.k8s.io/v1: `signerName` and `usages` must be said",
    },
    Gone {
        kind: "RuntimeClass",
        versions: &["node.k8s.io/v1alpha1"],
        since: (1, 24),
        instead: "write it as node.k8s.io/v1: `spec.runtimeHandler` became `handler`",
    },
];

/// The versions that may stand in for this one, the best first; empty when it is in no family.
pub(super) fn alternatives(api_version: &str, kind: &str) -> Vec<&'static str> {
    family(api_version, kind)
        .map(|family| {
            family
                .versions
                .iter()
                .copied()
                .filter(|version| *version != api_version)
                .collect()
        })
        .unwrap_or_default()
}

/// Rewrites an object to a version that [`alternatives`] named.
///
/// # Errors
/// Why this object cannot be rewritten mechanically.
pub(super) fn rewrite(object: &mut Value, to: &str, server: &ServerVersion) -> Result<(), String> {
    let from = object["apiVersion"].as_str().unwrap_or_default().to_owned();
    let kind = object["kind"].as_str().unwrap_or_default();
    let Some(family) = family(&from, kind) else {
        return Err(format!("{kind} of {from} has no other version"));
    };
    (family.convert)(
        object,
        &Move {
            from: &from,
            to,
            server,
        },
    )?;
    object["apiVersion"] = to.into();
    Ok(())
}

/// Why a server has no such kind any more, and what to do instead.
pub(super) fn gone(api_version: &str, kind: &str, server: &ServerVersion) -> Option<(String, &'static str)> {
    let gone = GONE.iter().find(|gone| {
        gone.kind == kind
            && (gone.versions.is_empty() || gone.versions.contains(&api_version))
            && server.at_least(gone.since.0, gone.since.1)
    })?;
    let what = if gone.versions.is_empty() {
        kind.to_owned()
    } else {
        format!("{kind} of {api_version}")
    };
    let (major, minor) = gone.since;
    Some((
        format!("{what} was removed in Kubernetes {major}.{minor}, the server is {server}"),
        gone.instead,
    ))
}

fn family(api_version: &str, kind: &str) -> Option<&'static Family> {
    FAMILIES
        .iter()
        .find(|family| family.kinds.contains(&kind) && family.versions.contains(&api_version))
}

fn same_shape(_: &mut Value, _: &Move) -> Result<(), String> {
    Ok(())
}

/// `subjects` of v1alpha1 have an `apiVersion` where later versions have an `apiGroup`.
fn rbac(object: &mut Value, way: &Move) -> Result<(), String> {
    let alpha = |version: &str| version.ends_with("/v1alpha1");
    if alpha(way.to) {
        return Err("no server has only v1alpha1 of RBAC".into());
    }
    if !alpha(way.from) {
        return Ok(());
    }
    for subject in list_mut(object, "/subjects") {
        let Some(fields) = subject.as_object_mut() else {
            continue;
        };
        if let Some(version) = fields.remove("apiVersion") {
            let version = version.as_str().unwrap_or_default();
            let group = version.split_once('/').map_or("", |(group, _)| group);
            if !group.is_empty() {
                fields.entry("apiGroup").or_insert(group.into());
            }
        }
        if fields.get("kind") == Some(&json!("User")) && fields.get("name") == Some(&json!("*")) {
            fields.insert("kind".into(), "Group".into());
            fields.insert("name".into(), "system:authenticated".into());
        }
    }
    Ok(())
}

/// An empty selector means no pod in v1beta1, and all pods of the namespace in v1.
fn disruption_budget(object: &mut Value, _: &Move) -> Result<(), String> {
    let selector = &object["spec"]["selector"];
    let is_empty = ["matchLabels", "matchExpressions"].iter().all(|field| {
        let part = &selector[field];
        part.as_object().is_none_or(serde_json::Map::is_empty) && part.as_array().is_none_or(Vec::is_empty)
    });
    if selector.is_object() && is_empty {
        return Err(
            "its selector is empty, which means no pod in policy/v1beta1 and every pod in policy/v1".into(),
        );
    }
    Ok(())
}

/// The items of a list; empty when there is none.
fn list_mut<'o>(object: &'o mut Value, pointer: &str) -> impl Iterator<Item = &'o mut Value> + use<'o> {
    object
        .pointer_mut(pointer)
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
}

/// Sets a field that the newer version would default to something else.
fn set_default(object: &mut Value, field: &str, value: Value) {
    if let Some(fields) = object.as_object_mut()
        && fields.get(field).is_none_or(Value::is_null)
    {
        fields.insert(field.into(), value);
    }
}

#[cfg(test)]
mod tests;
