//! Flags that a version of a component no longer takes: mapped where the meaning stays, refused where not. A component
//! that meets an unknown flag ends at once, and `kubeadm init` then waits four minutes for it.

use psprun_engine::StepError;

use super::extra_args::ExtraArgs;

/// A program that takes extra flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Component {
    /// kube-apiserver
    ApiServer,
    /// kube-controller-manager
    ControllerManager,
    /// kube-scheduler
    Scheduler,
    /// The kubelet of the node.
    Kubelet,
}

use Component::{ApiServer, ControllerManager, Kubelet, Scheduler};

impl Component {
    fn program(self) -> &'static str {
        match self {
            ApiServer => "kube-apiserver",
            ControllerManager => "kube-controller-manager",
            Scheduler => "kube-scheduler",
            Kubelet => "kubelet",
        }
    }

    /// The builtin's argument that holds its flags.
    pub fn argument(self) -> &'static str {
        match self {
            ApiServer => "api_server_extra_args",
            ControllerManager => "controller_manager_extra_args",
            Scheduler => "scheduler_extra_args",
            Kubelet => "kubelet_extra_args",
        }
    }
}

/// From here on kubeadm turns the insecure ports of controller manager and scheduler off (`--port=0`,
/// kubernetes#92720): `--address`, the address of those ports, does nothing any more, and from 1.24 on the programs
/// refuse it. What it was used for (reaching metrics from other machines) `--bind-address` does, for the secure ports
/// 10257 and 10259.
const SECURE_PORTS_ONLY: u64 = 19;

/// Component, flag, the first minor version without it, what to do.
const GONE: &[(Component, &str, u64, &str)] = &[
    (
        ApiServer,
        "basic-auth-file",
        19,
        "use client certificates, or an OIDC provider",
    ),
    (
        ApiServer,
        "insecure-port",
        24,
        "the API server serves HTTPS only: leave it out",
    ),
    (
        ApiServer,
        "insecure-bind-address",
        24,
        "the API server serves HTTPS only: use bind-address",
    ),
    (ApiServer, "address", 24, "use bind-address"),
    (ApiServer, "port", 24, "use the argument bind_port"),
    (
        ControllerManager,
        "port",
        24,
        "it serves on its secure-port 10257 only: leave it out",
    ),
    (
        Scheduler,
        "port",
        24,
        "it serves on its secure-port 10259 only: leave it out",
    ),
    (
        Scheduler,
        "policy-config-file",
        23,
        "use a KubeSchedulerConfiguration: config: /path/of/it",
    ),
    (
        Scheduler,
        "policy-configmap",
        23,
        "use a KubeSchedulerConfiguration: config: /path/of/it",
    ),
    (
        Scheduler,
        "algorithm-provider",
        23,
        "use a KubeSchedulerConfiguration: config: /path/of/it",
    ),
    (
        ControllerManager,
        "pod-eviction-timeout",
        27,
        "set tolerationSeconds on pods, or the API server's default-not-ready-toleration-seconds",
    ),
    (
        ControllerManager,
        "enable-taint-manager",
        27,
        "it is always on: leave it out",
    ),
    (
        Kubelet,
        "allow-privileged",
        15,
        "limit privileged pods by admission: leave it out",
    ),
    (
        Kubelet,
        "network-plugin",
        24,
        "the container runtime runs CNI: leave it out",
    ),
    (
        Kubelet,
        "cni-conf-dir",
        24,
        "configure it in the container runtime",
    ),
    (
        Kubelet,
        "cni-bin-dir",
        24,
        "configure it in the container runtime",
    ),
    (
        Kubelet,
        "container-runtime",
        27,
        "there is only the remote one: leave it out, and give cri_socket",
    ),
];

/// Whether a flag that is gone may simply be dropped: with this value it asked for what is now always so.
fn is_idle(component: Component, flag: &str, value: &str) -> bool {
    match (component, flag) {
        (ApiServer, "insecure-port") | (ControllerManager | Scheduler, "port") => value == "0",
        (ControllerManager, "enable-taint-manager") => value == "true",
        (Kubelet, "container-runtime") => value == "remote",
        (Kubelet, "allow-privileged") => value == "true",
        _ => false,
    }
}

/// The flags as Kubernetes 1.`minor` takes them; what was changed goes to `notes`.
///
/// # Errors
/// A flag that this version does not take and that has no equal.
pub fn adapt(
    component: Component,
    args: &ExtraArgs,
    minor: u64,
    notes: &mut Vec<String>,
) -> Result<ExtraArgs, StepError> {
    let program = component.program();
    let mut args = args.clone();
    if matches!(component, ControllerManager | Scheduler)
        && minor >= SECURE_PORTS_ONLY
        && let Some(address) = args.remove("address")
    {
        match args.get("bind-address") {
            None => args.push("bind-address", &*address),
            Some(bind) if bind == address => {}
            Some(bind) => {
                return Err(StepError::new(
                    "psprun::kubeadm::flag",
                    format!(
                        "{}: address {address} and bind-address {bind} contradict each other",
                        component.argument()
                    ),
                )
                .help(format!(
                    "{program} of Kubernetes 1.{minor} takes bind-address only"
                )));
            }
        }
        notes.push(format!(
            "{program}: address is bind-address since its insecure port is off (Kubernetes 1.{SECURE_PORTS_ONLY})"
        ));
    }
    for (of, flag, version, instead) in GONE {
        if *of != component || minor < *version {
            continue;
        }
        let Some(value) = args.get(flag) else { continue };
        if is_idle(component, flag, value) {
            notes.push(format!(
                "{program}: {flag}={value} is left out, it is always so since Kubernetes 1.{version}"
            ));
            args.remove(flag);
            continue;
        }
        return Err(StepError::new(
            "psprun::kubeadm::flag",
            format!("{}: {program} does not take {flag} since Kubernetes 1.{version}; that of 1.{minor} would not start", component.argument()),
        )
        .help(*instead));
    }
    Ok(args)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    fn adapted(
        component: Component,
        args: serde_json::Value,
        minor: u64,
    ) -> Result<(serde_json::Value, Vec<String>), String> {
        let mut notes = Vec::new();
        adapt(
            component,
            &ExtraArgs::from_json(&args).unwrap(),
            minor,
            &mut notes,
        )
        .map(|args| (args.as_map(), notes))
        .map_err(|error| error.to_string())
    }

    #[test]
    fn the_posts_address_becomes_bind_address() {
        for component in [ControllerManager, Scheduler] {
            let args = || json!({"address": "0.0.0.0"});
            assert_eq!(adapted(component, args(), 11).unwrap(), (args(), vec![]));
            assert_eq!(adapted(component, args(), 18).unwrap().0, args());
            for minor in [19, 20, 24, 31] {
                let (adapted, notes) = adapted(component, args(), minor).unwrap();
                assert_eq!(adapted, json!({"bind-address": "0.0.0.0"}));
                assert_eq!(notes.len(), 1);
            }
        }
        // kubespray#4111: both at once.
        assert_eq!(
            adapted(Scheduler, json!({"address": "::", "bind-address": "::"}), 20)
                .unwrap()
                .0,
            json!({"bind-address": "::"})
        );
        insta::assert_snapshot!(
            adapted(Scheduler, json!({"address": "::", "bind-address": "::1"}), 20).unwrap_err(),
            @"scheduler_extra_args: address :: and bind-address ::1 contradict each other"
        );
    }

    #[test]
    fn flags_that_are_gone_are_dropped_or_refused() {
        assert_eq!(
            adapted(ApiServer, json!({"insecure-port": 0}), 23).unwrap().0,
            json!({"insecure-port": "0"})
        );
        assert_eq!(
            adapted(ApiServer, json!({"insecure-port": 0}), 24).unwrap().0,
            json!({})
        );
        insta::assert_snapshot!(
            adapted(ApiServer, json!({"insecure-port": 8080}), 24).unwrap_err(),
            @"api_server_extra_args: kube-apiserver does not take insecure-port since Kubernetes 1.24; that of 1.24 would not start"
        );
        assert!(adapted(Scheduler, json!({"port": 10251}), 23).is_ok());
        assert!(adapted(Scheduler, json!({"port": 10251}), 24).is_err());
    }
}
