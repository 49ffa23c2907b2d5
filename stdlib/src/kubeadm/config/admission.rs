//! The API server's admission plugins: which Kubernetes has which.

use psprun_engine::StepError;
use psprun_engine::diagnostic::did_you_mean;

/// The flag that lists them.
pub const FLAG: &str = "enable-admission-plugins";

/// The newest Kubernetes whose plugins are all in [`PLUGINS`]: names that a newer one adds are let through.
pub const KNOWN_TO: u64 = 35;

struct Plugin {
    name: &'static str,
    /// The first minor version that has it; 0 for one that was always there as far as kubeadm is concerned.
    since: u64,
    /// The first minor version that no longer has it, and what to use there.
    gone: Option<(u64, &'static str)>,
}

const fn plugin(name: &'static str) -> Plugin {
    Plugin {
        name,
        since: 0,
        gone: None,
    }
}

const fn since(name: &'static str, since: u64) -> Plugin {
    Plugin {
        name,
        since,
        gone: None,
    }
}

const fn gone(name: &'static str, version: u64, instead: &'static str) -> Plugin {
    Plugin {
        name,
        since: 0,
        gone: Some((version, instead)),
    }
}

/// Sources: `pkg/kubeapiserver/options/plugins.go` of 1.20.2 and of master, and the pull requests of the removals:
/// kubernetes#72972 (Initializers), #94090 (PodPreset), #98669 (DenyEscalatingExec), #109798 (PodSecurityPolicy),
/// #122612 (SecurityContextDeny), #124505 (PersistentVolumeLabel).
const PLUGINS: &[Plugin] = &[
    plugin("AlwaysAdmit"),
    plugin("AlwaysDeny"),
    plugin("AlwaysPullImages"),
    since("CertificateApproval", 18),
    since("CertificateSigning", 18),
    since("CertificateSubjectRestriction", 18),
    since("ClusterTrustBundleAttest", 27),
    since("DefaultIngressClass", 18),
    plugin("DefaultStorageClass"),
    plugin("DefaultTolerationSeconds"),
    gone(
        "DenyEscalatingExec",
        21,
        "limit who may make privileged pods: a PodSecurityPolicy, or Pod Security admission",
    ),
    gone(
        "DenyExecOnPrivileged",
        21,
        "limit who may make privileged pods: a PodSecurityPolicy, or Pod Security admission",
    ),
    since("DenyServiceExternalIPs", 21),
    plugin("EventRateLimit"),
    plugin("ExtendedResourceToleration"),
    plugin("ImagePolicyWebhook"),
    gone("Initializers", 14, "use an admission webhook"),
    plugin("LimitPodHardAntiAffinityTopology"),
    plugin("LimitRanger"),
    since("MutatingAdmissionPolicy", 32),
    plugin("MutatingAdmissionWebhook"),
    plugin("NamespaceAutoProvision"),
    plugin("NamespaceExists"),
    plugin("NamespaceLifecycle"),
    since("NodeDeclaredFeatureValidator", 35),
    plugin("NodeRestriction"),
    plugin("OwnerReferencesPermissionEnforcement"),
    plugin("PersistentVolumeClaimResize"),
    gone(
        "PersistentVolumeLabel",
        31,
        "use the webhook kubernetes-sigs/cloud-pv-admission-labeler",
    ),
    plugin("PodNodeSelector"),
    gone("PodPreset", 20, "use an admission webhook that changes pods"),
    since("PodSecurity", 22),
    gone(
        "PodSecurityPolicy",
        25,
        "use Pod Security admission, which is on by default: label namespaces \
         pod-security.kubernetes.io/enforce: privileged, baseline or restricted; or deploy Kubernetes 1.24 or older",
    ),
    plugin("PodTolerationRestriction"),
    since("PodTopologyLabels", 33),
    plugin("Priority"),
    plugin("ResourceQuota"),
    since("RuntimeClass", 14),
    gone(
        "SecurityContextDeny",
        30,
        "use Pod Security admission with the level restricted",
    ),
    plugin("ServiceAccount"),
    plugin("StorageObjectInUseProtection"),
    since("TaintNodesByCondition", 12),
    since("ValidatingAdmissionPolicy", 26),
    plugin("ValidatingAdmissionWebhook"),
];

/// Checks the names for Kubernetes 1.`minor`, or for any version when it is not known yet. What is not known yet
/// (`${…}`) passes.
///
/// # Errors
/// A name that no API server knows, that this one does not know yet, or that it no longer knows.
pub fn check<'a>(plugins: impl IntoIterator<Item = &'a str>, minor: Option<u64>) -> Result<(), StepError> {
    let error = |message: String| StepError::new("psprun::kubeadm::admission_plugin", message);
    for name in plugins.into_iter().filter(|name| !name.contains("${")) {
        let Some(plugin) = PLUGINS.iter().find(|plugin| plugin.name == name) else {
            if minor.is_some_and(|minor| minor > KNOWN_TO) {
                continue;
            }
            let meant = did_you_mean(name, PLUGINS.iter().map(|plugin| plugin.name));
            return Err(
                error(format!("there is no admission plugin {name:?}")).help(match meant {
                    Some(meant) => format!("did you mean {meant}? The API server would not start"),
                    None => "the API server would not start: take it out of admission_plugins".to_owned(),
                }),
            );
        };
        let Some(minor) = minor else { continue };
        if let Some((version, instead)) = plugin.gone
            && minor >= version
        {
            return Err(error(format!(
                "admission plugin {name} is gone since Kubernetes 1.{version}; the API server of 1.{minor} would not start with it"
            ))
            .help(instead));
        }
        if minor < plugin.since {
            return Err(error(format!(
                "admission plugin {name} is there since Kubernetes 1.{}; the API server of 1.{minor} would not start with it",
                plugin.since
            ))
            .help("take it out of admission_plugins, or deploy a newer Kubernetes"));
        }
    }
    Ok(())
}

/// The list for the flag: the names once each, with NodeRestriction, which kubeadm enables by default and which a list
/// of one's own would replace. `true` when it was added.
pub fn with_node_restriction(plugins: &[String]) -> (Vec<&str>, bool) {
    let mut list: Vec<&str> = Vec::new();
    for name in plugins
        .iter()
        .map(|name| name.trim())
        .filter(|name| !name.is_empty())
    {
        if !list.contains(&name) {
            list.push(name);
        }
    }
    let add = !list.contains(&"NodeRestriction");
    if add {
        list.insert(0, "NodeRestriction");
    }
    (list, add)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn says(names: &[&str], minor: u64) -> String {
        match check(names.iter().copied(), Some(minor)) {
            Ok(()) => "fine".to_owned(),
            Err(error) => format!("{error}\n{}", error.help.clone().unwrap()),
        }
    }

    #[test]
    fn pod_security_policy_ends_with_1_24() {
        assert_eq!(says(&["NodeRestriction", "PodSecurityPolicy"], 24), "fine");
        insta::assert_snapshot!(says(&["PodSecurityPolicy"], 25), @"
        admission plugin PodSecurityPolicy is gone since Kubernetes 1.25; the API server of 1.25 would not start with it
        use Pod Security admission, which is on by default: label namespaces pod-security.kubernetes.io/enforce: privileged, baseline or restricted; or deploy Kubernetes 1.24 or older
        ");
    }

    #[test]
    fn others_come_and_go() {
        assert!(says(&["PodPreset"], 20).contains("gone since Kubernetes 1.20"));
        assert!(says(&["DenyEscalatingExec"], 21).contains("gone since Kubernetes 1.21"));
        assert!(says(&["SecurityContextDeny"], 30).contains("gone since Kubernetes 1.30"));
        assert!(says(&["PersistentVolumeLabel"], 31).contains("gone since Kubernetes 1.31"));
        assert!(says(&["PodSecurity"], 20).contains("there since Kubernetes 1.22"));
        assert_eq!(says(&["SomethingNew"], 40), "fine");
    }

    #[test]
    fn a_wrong_name_gets_a_suggestion() {
        insta::assert_snapshot!(says(&["PodSecurityPolicies"], 20), @r#"
        there is no admission plugin "PodSecurityPolicies"
        did you mean PodSecurityPolicy? The API server would not start
        "#);
        assert!(check(["${x}"], None).is_ok());
        assert!(check(["Nonsense"], None).is_err());
    }

    #[test]
    fn the_plugins_of_the_1_20_2_source_are_all_known() {
        // AllOrderedPlugins of pkg/kubeapiserver/options/plugins.go, 1.20.2.
        let all = "AlwaysAdmit NamespaceAutoProvision NamespaceLifecycle NamespaceExists SecurityContextDeny \
                   LimitPodHardAntiAffinityTopology LimitRanger ServiceAccount NodeRestriction TaintNodesByCondition \
                   AlwaysPullImages ImagePolicyWebhook PodSecurityPolicy PodNodeSelector Priority DefaultTolerationSeconds \
                   PodTolerationRestriction DenyEscalatingExec DenyExecOnPrivileged EventRateLimit \
                   ExtendedResourceToleration PersistentVolumeLabel DefaultStorageClass StorageObjectInUseProtection \
                   OwnerReferencesPermissionEnforcement PersistentVolumeClaimResize RuntimeClass CertificateApproval \
                   CertificateSigning CertificateSubjectRestriction DefaultIngressClass MutatingAdmissionWebhook \
                   ValidatingAdmissionWebhook ResourceQuota AlwaysDeny";
        assert!(check(all.split_whitespace(), Some(20)).is_ok());
    }

    #[test]
    fn node_restriction_is_added_once() {
        let names = ["PodSecurityPolicy".to_owned(), "PodSecurityPolicy".to_owned()];
        assert_eq!(
            with_node_restriction(&names),
            (vec!["NodeRestriction", "PodSecurityPolicy"], true)
        );
        let names = ["PodSecurityPolicy".to_owned(), "NodeRestriction".to_owned()];
        assert_eq!(
            with_node_restriction(&names),
            (vec!["PodSecurityPolicy", "NodeRestriction"], false)
        );
    }
}
