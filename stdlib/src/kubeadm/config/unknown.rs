//! Finds fields that a version of the configuration does not have, and says what was meant or where they went.

use std::collections::BTreeMap;

use psprun_engine::StepError;
use psprun_engine::diagnostic::did_you_mean;
use serde_json::{Map, Value};

use super::api::Api;
use super::fields::Field;

/// Checks a document's fields, at any depth. `apiVersion` and `kind` are the caller's.
///
/// # Errors
/// A field that this version does not have; only the first.
pub fn check(
    api: Api,
    kind: &str,
    document: &Map<String, Value>,
    known: &BTreeMap<&'static str, Field>,
) -> Result<(), StepError> {
    check_level(api, kind, "", document, known)
}

fn check_level(
    api: Api,
    kind: &str,
    path: &str,
    object: &Map<String, Value>,
    known: &BTreeMap<&'static str, Field>,
) -> Result<(), StepError> {
    for (name, value) in object {
        if path.is_empty() && (name == "apiVersion" || name == "kind") {
            continue;
        }
        let here = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        let Some(field) = known.get(name.as_str()) else {
            return Err(unknown(api, kind, &here, name, known));
        };
        match (field, value) {
            (_, Value::Null) | (Field::Any, _) => {}
            // A value that a run fills in.
            (_, Value::String(text)) if text.contains("${") => {}
            (Field::Object(inner), Value::Object(object)) => check_level(api, kind, &here, object, inner)?,
            (Field::Object(_), other) => return Err(shape(api, kind, &here, "a map", other)),
            (Field::List(inner), Value::Array(items)) => {
                for (i, item) in items.iter().enumerate() {
                    let here = format!("{here}[{i}]");
                    let Value::Object(object) = item else {
                        return Err(shape(api, kind, &here, "a map", item));
                    };
                    check_level(api, kind, &here, object, inner)?;
                }
            }
            (Field::List(_), other) => return Err(shape(api, kind, &here, "a list", other)),
        }
    }
    Ok(())
}

fn shape(api: Api, kind: &str, path: &str, wanted: &str, found: &Value) -> StepError {
    StepError::new(
        "psprun::kubeadm::config",
        format!(
            "{path} of kubeadm's {kind} ({}) is {wanted}, not {found}",
            api.name()
        ),
    )
}

fn unknown(api: Api, kind: &str, path: &str, name: &str, known: &BTreeMap<&'static str, Field>) -> StepError {
    let help = match moved(api, path) {
        Some(to) => to,
        None => match did_you_mean(name, known.keys().copied()) {
            Some(meant) => format!("did you mean {meant}?"),
            None => {
                let names: Vec<&str> = known.keys().copied().collect();
                format!("it has {}", names.join(", "))
            }
        },
    };
    StepError::new(
        "psprun::kubeadm::unknown_field",
        format!(
            "kubeadm's {kind} ({}) has no field {path}; kubeadm would go on without it",
            api.name()
        ),
    )
    .help(help)
}

/// Where a field of another version is in this one.
fn moved(api: Api, path: &str) -> Option<String> {
    // Old name, the first version without it, new name, the builtin's own argument for it.
    const MOVES: &[(&str, Api, &str, &str)] = &[
        (
            "apiServerExtraArgs",
            Api::V1beta1,
            "apiServer.extraArgs",
            "api_server_extra_args",
        ),
        (
            "controllerManagerExtraArgs",
            Api::V1beta1,
            "controllerManager.extraArgs",
            "controller_manager_extra_args",
        ),
        (
            "schedulerExtraArgs",
            Api::V1beta1,
            "scheduler.extraArgs",
            "scheduler_extra_args",
        ),
        (
            "apiServerExtraVolumes",
            Api::V1beta1,
            "apiServer.extraVolumes",
            "",
        ),
        (
            "controllerManagerExtraVolumes",
            Api::V1beta1,
            "controllerManager.extraVolumes",
            "",
        ),
        (
            "schedulerExtraVolumes",
            Api::V1beta1,
            "scheduler.extraVolumes",
            "",
        ),
        (
            "apiServerCertSANs",
            Api::V1beta1,
            "apiServer.certSANs",
            "cert_sans",
        ),
        (
            "auditPolicy",
            Api::V1beta1,
            "apiServer.extraArgs (audit-policy-file, audit-log-path, audit-log-maxage)",
            "api_server_extra_args",
        ),
        (
            "unifiedControlPlaneImage",
            Api::V1beta1,
            "useHyperKubeImage (1.13 to 1.21)",
            "",
        ),
        (
            "api",
            Api::V1alpha3,
            "localAPIEndpoint of InitConfiguration (apiEndpoint in v1alpha3), and controlPlaneEndpoint",
            "advertise_address, bind_port, control_plane_endpoint",
        ),
        (
            "apiEndpoint",
            Api::V1beta1,
            "localAPIEndpoint",
            "advertise_address, bind_port",
        ),
        (
            "kubeletConfiguration",
            Api::V1alpha3,
            "a document of its own, kind KubeletConfiguration",
            "extra_documents",
        ),
        (
            "kubeProxy",
            Api::V1alpha3,
            "a document of its own, kind KubeProxyConfiguration",
            "extra_documents",
        ),
        ("nodeName", Api::V1alpha2, "nodeRegistration.name", "node_name"),
        (
            "criSocket",
            Api::V1alpha2,
            "nodeRegistration.criSocket",
            "cri_socket",
        ),
        (
            "noTaintMaster",
            Api::V1alpha2,
            "nodeRegistration.taints: []",
            "config",
        ),
        ("token", Api::V1alpha2, "bootstrapTokens", ""),
        ("tokenTTL", Api::V1alpha2, "bootstrapTokens", "token_ttl"),
        (
            "discoveryTimeout",
            Api::V1beta1,
            "discovery.timeout",
            "discovery_timeout",
        ),
        (
            "discovery.timeout",
            Api::V1beta4,
            "timeouts.discovery",
            "discovery_timeout",
        ),
        ("discoveryFile", Api::V1beta1, "discovery.file.kubeConfigPath", ""),
        (
            "useHyperKubeImage",
            Api::V1beta3,
            "nothing: hyperkube is gone",
            "",
        ),
        ("dns.type", Api::V1beta3, "nothing: CoreDNS is the only one", ""),
        (
            "apiServer.timeoutForControlPlane",
            Api::V1beta4,
            "timeouts.controlPlaneComponentHealthCheck of InitConfiguration",
            "config",
        ),
    ];
    // The other direction: a new name in an old version.
    const NEW: &[(&str, Api, &str, &str)] = &[
        (
            "apiServer",
            Api::V1beta1,
            "apiServerExtraArgs, apiServerExtraVolumes, apiServerCertSANs",
            "api_server_extra_args, cert_sans",
        ),
        (
            "controllerManager",
            Api::V1beta1,
            "controllerManagerExtraArgs, controllerManagerExtraVolumes",
            "controller_manager_extra_args",
        ),
        (
            "scheduler",
            Api::V1beta1,
            "schedulerExtraArgs, schedulerExtraVolumes",
            "scheduler_extra_args",
        ),
        (
            "localAPIEndpoint",
            Api::V1beta1,
            "apiEndpoint (1.12), api (1.11)",
            "advertise_address, bind_port",
        ),
        (
            "controlPlaneEndpoint",
            Api::V1alpha3,
            "api.controlPlaneEndpoint",
            "control_plane_endpoint",
        ),
        ("bootstrapTokens", Api::V1alpha2, "token, tokenTTL", "token_ttl"),
        (
            "nodeRegistration",
            Api::V1alpha2,
            "nodeName, criSocket",
            "node_name, cri_socket",
        ),
    ];
    let better = |argument: &str| match argument {
        "" | "config" => String::new(),
        argument => {
            format!("; better use the argument {argument}, which is written as every version wants it")
        }
    };
    for (old, gone, new, argument) in MOVES {
        if path == *old && api >= *gone {
            return Some(format!("since {} it is {new}{}", gone.name(), better(argument)));
        }
    }
    for (new, since, old, argument) in NEW {
        if path == *new && api < *since {
            return Some(format!(
                "it is there since {}; in {} it is {old}{}",
                since.name(),
                api.name(),
                better(argument)
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::super::fields;
    use super::*;

    fn says(api: Api, document: Value) -> String {
        match check(
            api,
            api.cluster_kind(),
            document.as_object().unwrap(),
            &fields::cluster(api),
        ) {
            Ok(()) => "fine".to_owned(),
            Err(error) => format!("{error}\n{}", error.help.clone().unwrap_or_default()),
        }
    }

    #[test]
    fn what_a_version_has_is_fine() {
        let document = json!({
            "apiVersion": "kubeadm.k8s.io/v1beta2", "kind": "ClusterConfiguration",
            "apiServer": {"extraArgs": {"any-flag": "x"}, "extraVolumes": [{"name": "a", "hostPath": "/a"}]},
            "networking": {"podSubnet": "${subnet}"}, "etcd": "${etcd}",
        });
        assert_eq!(says(Api::V1beta2, document), "fine");
    }

    #[test]
    fn an_old_name_says_where_it_went() {
        insta::assert_snapshot!(says(Api::V1beta2, json!({"apiServerExtraArgs": {}})), @"
        kubeadm's ClusterConfiguration (v1beta2) has no field apiServerExtraArgs; kubeadm would go on without it
        since v1beta1 it is apiServer.extraArgs; better use the argument api_server_extra_args, which is written as every version wants it
        ");
        insta::assert_snapshot!(says(Api::V1alpha2, json!({"apiServer": {}})), @"
        kubeadm's MasterConfiguration (v1alpha2) has no field apiServer; kubeadm would go on without it
        it is there since v1beta1; in v1alpha2 it is apiServerExtraArgs, apiServerExtraVolumes, apiServerCertSANs; better use the argument api_server_extra_args, cert_sans, which is written as every version wants it
        ");
        insta::assert_snapshot!(says(Api::V1beta4, json!({"apiServer": {"timeoutForControlPlane": "4m"}})), @"
        kubeadm's ClusterConfiguration (v1beta4) has no field apiServer.timeoutForControlPlane; kubeadm would go on without it
        since v1beta4 it is timeouts.controlPlaneComponentHealthCheck of InitConfiguration
        ");
    }

    #[test]
    fn a_misspelt_one_gets_a_suggestion() {
        insta::assert_snapshot!(says(Api::V1beta2, json!({"apiServer": {"extraArg": {}}})), @"
        kubeadm's ClusterConfiguration (v1beta2) has no field apiServer.extraArg; kubeadm would go on without it
        did you mean extraArgs?
        ");
        insta::assert_snapshot!(says(Api::V1beta2, json!({"scheduler": {"extraVolumes": [{"path": 1}]}})), @"
        kubeadm's ClusterConfiguration (v1beta2) has no field scheduler.extraVolumes[0].path; kubeadm would go on without it
        it has hostPath, mountPath, name, pathType, readOnly
        ");
    }

    #[test]
    fn a_wrong_shape_is_an_error() {
        insta::assert_snapshot!(says(Api::V1beta2, json!({"networking": "10.0.0.0/8"})), @r#"networking of kubeadm's ClusterConfiguration (v1beta2) is a map, not "10.0.0.0/8""#);
    }
}
