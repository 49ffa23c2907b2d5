//! What `kubeadm::init` says and checks before anything runs.

use psprun_engine::StepError;
use serde_json::Value;

use super::args::Args;
use crate::kubeadm::config::admission;
use crate::kubeadm::config::api::Api;
use crate::kubeadm::config::render::{self, For, Secrets};
use crate::kubeadm::config::version;

/// The version whose configuration is shown when the playbook does not say one.
const SHOWN: u64 = 20;

/// One line for the graph.
pub fn describe(args: &Value) -> String {
    let mut text = match args["kubernetes_version"].as_str() {
        Some(version) => format!("make a control plane of Kubernetes {version}"),
        None => "make a control plane of the installed kubeadm's version".to_owned(),
    };
    let mut parts = Vec::new();
    if let Some(subnet) = args["pod_subnet"].as_str() {
        parts.push(format!("pods in {subnet}"));
    }
    match &args["admission_plugins"] {
        Value::Array(names) if !names.is_empty() => {
            let names: Vec<&str> = names
                .iter()
                .filter_map(Value::as_str)
                .filter(|name| *name != "NodeRestriction")
                .collect();
            if !names.is_empty() {
                parts.push(format!("admission by {}", names.join(", ")));
            }
        }
        Value::String(text) => parts.push(format!("admission by {text}")),
        _ => {}
    }
    if !parts.is_empty() {
        text = format!("{text}, {}", parts.join(", "));
    }
    text
}

/// The configuration as it will be written.
pub fn details(args: &Value) -> Option<String> {
    let (args, unknown) = Args::of_plan(args)?;
    let minor = known_minor(&args);
    let mut notes = Vec::new();
    if minor.is_none() {
        notes.push(format!(
            "the version is known when it runs: this is the form for kubeadm 1.{SHOWN}, others may differ"
        ));
    }
    notes.extend(
        unknown
            .iter()
            .map(|(name, text)| format!("{name}: {text}, known when it runs")),
    );
    let files = args
        .extra_documents
        .iter()
        .filter_map(Value::as_str)
        .filter(|text| is_file(text));
    notes.extend(files.map(|name| format!("followed by the documents of {name}")));
    let args = without_files(args);
    match rendered(&args, minor.unwrap_or(SHOWN), &shown_secrets(&args)) {
        Ok(text) => {
            let notes: String = notes.iter().map(|note| format!("# {note}\n")).collect();
            Some(format!("{notes}{text}"))
        }
        // `check` says it where it is seen.
        Err(_) => None,
    }
}

/// Finds what cannot work with the version that is asked for.
pub fn check(args: &Value) -> Result<(), StepError> {
    let Some((args, _)) = Args::of_plan(args) else {
        // Wrong types are the engine's to tell.
        return Ok(());
    };
    if let Some(text) = &args.kubernetes_version
        && !text.contains("${")
    {
        version::parse(text)?;
    }
    let minor = known_minor(&args);
    let args = without_files(args);
    match rendered(&args, minor.unwrap_or(SHOWN), &shown_secrets(&args)) {
        Ok(_) => Ok(()),
        // What only another version would refuse is found when the version is known.
        Err(_) if minor.is_none() && args.kubernetes_version.is_none() => Ok(()),
        Err(_) if minor.is_none() && depends_on_version(&args) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether some version takes these arguments, though the shown one does not.
fn depends_on_version(args: &Args) -> bool {
    (version::OLDEST_MINOR..=admission::KNOWN_TO)
        .any(|minor| rendered(args, minor, &Secrets::default()).is_ok())
}

fn rendered(args: &Args, minor: u64, secrets: &Secrets) -> Result<String, StepError> {
    let wanted = For {
        kubeadm: minor,
        api: Api::of_kubeadm(minor),
        kubernetes: minor,
        version: args.kubernetes_version.as_deref(),
    };
    render::init(args, &wanted, secrets)?.text()
}

fn known_minor(args: &Args) -> Option<u64> {
    let text = args.kubernetes_version.as_deref()?;
    version::parse(text).ok().map(|version| version.minor)
}

/// What stands for the secrets where people look.
pub fn shown_secrets(args: &Args) -> Secrets {
    let mask = || psprun_engine::secrets::MASK.to_owned();
    Secrets {
        token: Some(mask()),
        certificate_key: args.upload_certs.then(mask),
    }
}

/// Whether an item of `extra_documents` is the name of a file.
pub fn is_file(text: &str) -> bool {
    !text.contains('\n') && !text.contains("${") && !text.contains(": ")
}

fn without_files(mut args: Args) -> Args {
    args.extra_documents
        .retain(|item| !item.as_str().is_some_and(is_file));
    args
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    #[test]
    fn the_graph_shows_what_is_known() {
        let args = json!({
            "kubernetes_version": "v1.20.2", "pod_subnet": "${cni.subnet}",
            "admission_plugins": ["NodeRestriction", "PodSecurityPolicy"],
        });
        insta::assert_snapshot!(describe(&args), @"make a control plane of Kubernetes v1.20.2, pods in ${cni.subnet}, admission by PodSecurityPolicy");
        insta::assert_snapshot!(describe(&json!({})), @"make a control plane of the installed kubeadm's version");
    }

    #[test]
    fn the_configuration_is_shown_before_the_version_is_known() {
        let args = json!({
            "kubernetes_version": "${preflight.kubeadm}", "pod_subnet": "10.244.0.0/16",
            "bind_port": "${port}", "admission_plugins": ["NodeRestriction", "PodSecurityPolicy"],
            "extra_documents": ["kubelet.yaml"],
        });
        insta::assert_snapshot!(details(&args).unwrap());
        check(&args).unwrap();
    }

    #[test]
    fn what_cannot_work_is_found_before_the_run() {
        let says = |args: Value| check(&args).unwrap_err().message;
        insta::assert_snapshot!(says(json!({"kubernetes_version": "1.20"})), @r#""1.20" is no version of Kubernetes"#);
        insta::assert_snapshot!(says(json!({"kubernetes_version": "v1.25.3", "admission_plugins": ["PodSecurityPolicy"]})), @"admission plugin PodSecurityPolicy is gone since Kubernetes 1.25; the API server of 1.25 would not start with it");
        insta::assert_snapshot!(says(json!({"kubernetes_version": "${x}", "admission_plugins": ["PodSecurityPolice"]})), @r#"there is no admission plugin "PodSecurityPolice""#);
        insta::assert_snapshot!(says(json!({"kubernetes_version": "${x}", "config": {"nonsense": 1}})), @"kubeadm's ClusterConfiguration (v1beta2) has no field nonsense; kubeadm would go on without it");
        // Right for 1.11, which `${x}` may be.
        check(&json!({"kubernetes_version": "${x}", "config": {"apiServerExtraArgs": {"v": 1}}})).unwrap();
        check(&json!({"bind_port": true})).unwrap();
    }
}
