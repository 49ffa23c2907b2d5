//! Documents that go into the configuration file beside kubeadm's own: for the kubelet and for kube-proxy.

use psprun_engine::StepError;
use psprun_engine::diagnostic::did_you_mean;
use serde_json::{Map, Value};

use super::api::Api;
use super::documents;

/// Kind, and the API version that kubeadm of every version in use reads.
const KINDS: [(&str, &str); 2] = [
    ("KubeletConfiguration", "kubelet.config.k8s.io/v1beta1"),
    ("KubeProxyConfiguration", "kubeproxy.config.k8s.io/v1alpha1"),
];

/// The documents of the argument `extra_documents`: each item is a map, or YAML text with one or more of them. A file's
/// text has been put in place of its name by the caller; `${…}` is left out.
///
/// # Errors
/// No YAML, or a document that kubeadm would ignore.
pub fn read(items: &[Value]) -> Result<Vec<Map<String, Value>>, StepError> {
    let mut found = Vec::new();
    for (i, item) in items.iter().enumerate() {
        let what = format!("extra_documents[{i}]");
        let parsed = match item {
            Value::String(text) if text.contains("${") => continue,
            Value::String(text) => documents::parse(&what, text)?,
            other => vec![other.clone()],
        };
        for document in parsed {
            let Value::Object(document) = document else {
                return Err(StepError::new(
                    "psprun::kubeadm::config",
                    format!("{what} is no document: {document}"),
                )
                .help("give a map with apiVersion and kind, or YAML text"));
            };
            found.push(check(&what, document)?);
        }
    }
    Ok(found)
}

fn check(what: &str, mut document: Map<String, Value>) -> Result<Map<String, Value>, StepError> {
    let kind = document
        .get("kind")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let error = |message: String, help: String| {
        Err(StepError::new("psprun::kubeadm::config", format!("{what} {message}")).help(help))
    };
    let Some((_, api_version)) = KINDS.iter().find(|(known, _)| *known == kind) else {
        let kinds = KINDS.map(|(kind, _)| kind);
        if matches!(
            &*kind,
            "ClusterConfiguration" | "InitConfiguration" | "MasterConfiguration"
        ) {
            return error(
                format!("is kubeadm's own {kind}"),
                "give its fields to the argument config: psprun writes the document".to_owned(),
            );
        }
        return error(
            if kind.is_empty() {
                "has no kind".to_owned()
            } else {
                format!("is of kind {kind}, which kubeadm would ignore")
            },
            match did_you_mean(&kind, kinds) {
                Some(meant) => format!("did you mean {meant}?"),
                None => format!("it takes {}", kinds.join(" and ")),
            },
        );
    };
    match document.get("apiVersion").and_then(Value::as_str) {
        None => {
            // First, as people write it.
            let rest = std::mem::take(&mut document);
            document.insert("apiVersion".to_owned(), (*api_version).into());
            document.extend(rest);
        }
        Some(given) if given == *api_version => {}
        Some(given) => {
            return error(
                format!("has apiVersion {given}, which kubeadm would ignore"),
                format!("kubeadm reads {kind} of {api_version}"),
            );
        }
    }
    Ok(document)
}

/// Where a document goes in the versions that have one document only.
pub fn place_inside(api: Api, document: Map<String, Value>, master: &mut Map<String, Value>) {
    debug_assert!(api.is_one_document());
    let kubelet = document.get("kind").and_then(Value::as_str) == Some("KubeletConfiguration");
    let config: Map<String, Value> = document
        .into_iter()
        .filter(|(key, _)| key != "apiVersion" && key != "kind")
        .collect();
    let path: &[&str] = if kubelet {
        &["kubeletConfiguration", "baseConfig"]
    } else {
        &["kubeProxy", "config"]
    };
    documents::put(master, path, Value::Object(config));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    #[test]
    fn maps_and_texts_are_documents() {
        let items = [
            json!({"kind": "KubeletConfiguration", "syncFrequency": "5s"}),
            json!(
                "kind: KubeProxyConfiguration\napiVersion: kubeproxy.config.k8s.io/v1alpha1\nmode: iptables\n---\n"
            ),
            json!("${later}"),
        ];
        let found: Vec<Value> = read(&items).unwrap().into_iter().map(Value::Object).collect();
        assert_eq!(
            found,
            [
                json!({"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration", "syncFrequency": "5s"}),
                json!({"kind": "KubeProxyConfiguration", "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "mode": "iptables"}),
            ]
        );
    }

    #[test]
    fn what_kubeadm_would_ignore_is_an_error() {
        let says = |item: Value| {
            let error = read(&[item]).unwrap_err();
            format!("{error}: {}", error.help.clone().unwrap_or_default())
        };
        insta::assert_snapshot!(says(json!({"kind": "KubeletConfig"})), @"extra_documents[0] is of kind KubeletConfig, which kubeadm would ignore: it takes KubeletConfiguration and KubeProxyConfiguration");
        insta::assert_snapshot!(says(json!({"kind": "KubeProxyConfigration"})), @"extra_documents[0] is of kind KubeProxyConfigration, which kubeadm would ignore: did you mean KubeProxyConfiguration?");
        insta::assert_snapshot!(says(json!("a: 1")), @"extra_documents[0] has no kind: it takes KubeletConfiguration and KubeProxyConfiguration");
        insta::assert_snapshot!(says(json!({"kind": "ClusterConfiguration"})), @"extra_documents[0] is kubeadm's own ClusterConfiguration: give its fields to the argument config: psprun writes the document");
        insta::assert_snapshot!(says(json!({"kind": "KubeletConfiguration", "apiVersion": "v1"})), @"extra_documents[0] has apiVersion v1, which kubeadm would ignore: kubeadm reads KubeletConfiguration of kubelet.config.k8s.io/v1beta1");
    }
}
