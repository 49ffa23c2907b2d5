//! Writes kubeadm's configuration from the arguments of `kubeadm::join`, for each version of its API.

use psprun_engine::StepError;
use serde_json::{Map, Value, json};

use super::api::Api;
use super::flags::{self, Component};
use super::render::{Rendered, cri_socket, put_text, registration, token_ttl, with_header};
use super::{documents, fields, unknown};
use crate::kubeadm::join::args::Args;

/// Writes the configuration of `kubeadm join` for kubeadm 1.`kubeadm`. The token stands in it.
///
/// # Errors
/// An argument is missing, or this kubeadm does not take it.
pub fn join(args: &Args, kubeadm: u64) -> Result<Rendered, StepError> {
    let api = Api::of_kubeadm(kubeadm);
    let mut notes = Vec::new();
    let mut node = Map::new();
    let kubelet = flags::adapt(Component::Kubelet, &args.kubelet_extra_args, kubeadm, &mut notes)?;
    let socket = args
        .cri_socket
        .as_deref()
        .map(|socket| cri_socket(socket, kubeadm));
    registration(&mut node, api, args.node_name.as_deref(), socket, &kubelet)?;
    discovery(&mut node, args, api)?;
    if args.control_plane {
        control_plane(&mut node, args, api, kubeadm)?;
    } else if args.advertise_address.is_some() || args.bind_port.is_some() || args.certificate_key.is_some() {
        return Err(StepError::new(
            "psprun::kubeadm::config",
            "advertise_address, bind_port and certificate_key are of a control-plane node only",
        )
        .help("add control_plane: true, or take them out"));
    }
    documents::merge(&mut node, &args.config).map_err(|path| {
        StepError::new(
            "psprun::kubeadm::config",
            format!("config.{path} is set by another argument too"),
        )
        .help("keep one of them")
    })?;
    unknown::check(api, api.join_kind(), &node, &fields::join(api))?;
    let document = Value::Object(with_header(api, api.join_kind(), node));
    Ok(Rendered {
        documents: vec![document],
        notes,
    })
}

fn discovery(node: &mut Map<String, Value>, args: &Args, api: Api) -> Result<(), StepError> {
    let info = &args.join;
    let Some(token) = &info.token else {
        return Err(StepError::new(
            "psprun::kubeadm::no_token",
            format!("the join data of {} has no token", info.endpoint),
        )
        .help(
            "the cluster has no valid one any more: make one with kubeadm::token and join with its output",
        ));
    };
    if info.ca_hash.is_none() && !args.unsafe_skip_ca_verification {
        return Err(StepError::new(
            "psprun::kubeadm::no_ca_hash",
            format!("the join data of {} has no hash of the cluster's authority", info.endpoint),
        )
        .help("take the output of kubeadm::init or kubeadm::token; or, where nobody else can answer at this address, unsafe_skip_ca_verification: true"));
    }
    let timeout = args.discovery_timeout.as_deref().map(token_ttl).transpose()?;
    let hashes = info.ca_hash.as_ref().map(|hash| json!([hash]));
    if api < Api::V1beta1 {
        put_text(node, &["token"], Some(token));
        documents::put(node, &["discoveryTokenAPIServers"], json!([info.endpoint]));
        match hashes {
            Some(hashes) => documents::put(node, &["discoveryTokenCACertHashes"], hashes),
            None => documents::put(node, &["discoveryTokenUnsafeSkipCAVerification"], true.into()),
        }
        put_text(node, &["discoveryTimeout"], timeout.as_deref());
        return Ok(());
    }
    let of_token = |key| ["discovery", "bootstrapToken", key];
    put_text(node, &of_token("apiServerEndpoint"), Some(&info.endpoint));
    put_text(node, &of_token("token"), Some(token));
    match hashes {
        Some(hashes) => documents::put(node, &of_token("caCertHashes"), hashes),
        None => documents::put(node, &of_token("unsafeSkipCAVerification"), true.into()),
    }
    let path = if api >= Api::V1beta4 {
        ["timeouts", "discovery"]
    } else {
        ["discovery", "timeout"]
    };
    put_text(node, &path, timeout.as_deref());
    Ok(())
}

fn control_plane(
    node: &mut Map<String, Value>,
    args: &Args,
    api: Api,
    kubeadm: u64,
) -> Result<(), StepError> {
    if api < Api::V1alpha3 {
        return Err(StepError::new(
            "psprun::kubeadm::config",
            format!("control_plane: kubeadm 1.{kubeadm} cannot do it"),
        )
        .help("further control-plane nodes can join since kubeadm 1.12"));
    }
    let endpoint: &[&str] = if api == Api::V1alpha3 {
        &["apiEndpoint"]
    } else {
        &["controlPlane", "localAPIEndpoint"]
    };
    if api == Api::V1alpha3 {
        documents::put(node, &["controlPlane"], true.into());
    } else {
        documents::put(node, &["controlPlane"], json!({}));
    }
    let of_endpoint = |key| [endpoint, &[key]].concat();
    put_text(
        node,
        &of_endpoint("advertiseAddress"),
        args.advertise_address.as_deref(),
    );
    if let Some(port) = args.bind_port {
        documents::put(node, &of_endpoint("bindPort"), port.into());
    }
    let key = args
        .certificate_key
        .as_deref()
        .or(args.join.certificate_key.as_deref());
    if key.is_some() && api < Api::V1beta2 {
        return Err(StepError::new(
            "psprun::kubeadm::config",
            format!("certificate_key: kubeadm 1.{kubeadm} does not know it"),
        )
        .help("copy the certificates of /etc/kubernetes/pki to the machine first, e.g. with host::file"));
    }
    put_text(node, &["controlPlane", "certificateKey"], key);
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn rendered(args: &Value, kubeadm: u64) -> Result<String, StepError> {
        join(&serde_json::from_value(args.clone()).unwrap(), kubeadm)?.text()
    }

    fn worker() -> Value {
        json!({
            "join": {"endpoint": "10.89.0.11:6443", "token": "abcdef.0123456789abcdef", "ca_hash": "sha256:00"},
            "node_name": "worker",
            "cri_socket": "/run/containerd/containerd.sock",
            "discovery_timeout": "2m",
        })
    }

    #[test]
    fn every_version_has_its_form() {
        for kubeadm in [10, 11, 12, 13, 20, 28, 31] {
            insta::assert_snapshot!(
                format!("worker-1.{kubeadm}"),
                rendered(&worker(), kubeadm).unwrap()
            );
        }
        let mut args = worker();
        args["control_plane"] = true.into();
        args["advertise_address"] = "10.89.0.12".into();
        insta::assert_snapshot!("control-plane-1.12", rendered(&args, 12).unwrap());
        args["join"]["certificate_key"] = "00ff".into();
        for kubeadm in [20, 31] {
            insta::assert_snapshot!(
                format!("control-plane-1.{kubeadm}"),
                rendered(&args, kubeadm).unwrap()
            );
        }
        assert!(rendered(&args, 11).unwrap_err().message.contains("control_plane"));
        assert!(
            rendered(&args, 13)
                .unwrap_err()
                .message
                .contains("certificate_key")
        );
    }

    #[test]
    fn what_is_missing_is_said() {
        let says = |change: fn(&mut Value)| {
            let mut args = worker();
            change(&mut args);
            rendered(&args, 20).unwrap_err().to_string()
        };
        insta::assert_snapshot!(says(|args| args["join"]["token"] = Value::Null), @"the join data of 10.89.0.11:6443 has no token");
        insta::assert_snapshot!(says(|args| args["join"]["ca_hash"] = Value::Null), @"the join data of 10.89.0.11:6443 has no hash of the cluster's authority");
        insta::assert_snapshot!(says(|args| args["bind_port"] = 7443.into()), @"advertise_address, bind_port and certificate_key are of a control-plane node only");
        insta::assert_snapshot!(says(|args| args["config"] = json!({"token": "x"})), @"kubeadm's JoinConfiguration (v1beta2) has no field token; kubeadm would go on without it");
        insta::assert_snapshot!(says(|args| args["config"] = json!({"nodeRegistration": {"name": "x"}})), @"config.nodeRegistration.name is set by another argument too");
        let mut args = worker();
        args["join"]["ca_hash"] = Value::Null;
        args["unsafe_skip_ca_verification"] = true.into();
        assert!(
            rendered(&args, 20)
                .unwrap()
                .contains("unsafeSkipCAVerification: true")
        );
    }
}
