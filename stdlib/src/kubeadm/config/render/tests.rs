#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
use super::*;

fn args(value: Value) -> Args {
    serde_json::from_value(value).unwrap()
}

/// What the post configures, and one setting of everything that moved between the versions.
fn everything() -> Args {
    args(json!({
        "pod_subnet": "10.244.0.0/16",
        "service_subnet": "10.96.0.0/12",
        "dns_domain": "cluster.local",
        "control_plane_endpoint": "lb.example:6443",
        "advertise_address": "10.89.0.11",
        "bind_port": 6443,
        "cri_socket": "/run/containerd/containerd.sock",
        "node_name": "master",
        "admission_plugins": ["PodSecurityPolicy"],
        "api_server_extra_args": {"audit-log-path": "-"},
        "controller_manager_extra_args": {"address": "0.0.0.0"},
        "scheduler_extra_args": {"address": "0.0.0.0"},
        "kubelet_extra_args": {"v": 2},
        "cert_sans": ["lb.example", "192.0.2.1"],
        "image_repository": "registry.example/k8s",
        "config": {"clusterName": "post", "nodeRegistration": {"taints": []}},
        "extra_documents": [
            {"kind": "KubeletConfiguration", "syncFrequency": "5s"},
            "kind: KubeProxyConfiguration\nconntrack:\n  maxPerCore: 0\n",
        ],
    }))
}

fn rendered(args: &Args, version: &str) -> Result<String, StepError> {
    let version = super::super::version::parse(version)?;
    let text = super::super::version::show(&version);
    let wanted = For {
        kubeadm: version.minor,
        api: Api::of_kubeadm(version.minor),
        kubernetes: version.minor,
        version: Some(&text),
    };
    let secrets = Secrets {
        token: Some("abcdef.0123456789abcdef".to_owned()),
        certificate_key: None,
    };
    init(args, &wanted, &secrets)?.text()
}

#[test]
fn every_version_has_its_form() {
    for version in ["1.11.3", "1.12.10", "1.13.12", "1.15.12", "1.20.2", "1.22.17"] {
        insta::assert_snapshot!(
            format!("everything-{version}"),
            rendered(&everything(), version).unwrap()
        );
    }
    for version in ["1.28.15", "1.31.0"] {
        let mut args = everything();
        args.admission_plugins = vec!["AlwaysPullImages".to_owned()];
        insta::assert_snapshot!(format!("everything-{version}"), rendered(&args, version).unwrap());
    }
}

#[test]
fn kubeadm_1_10_has_the_node_at_the_top() {
    let mut args = everything();
    args.kubelet_extra_args = ExtraArgs::default();
    args.config.remove("nodeRegistration");
    insta::assert_snapshot!("everything-1.10.13", rendered(&args, "1.10.13").unwrap());
    assert!(
        rendered(&everything(), "1.10.13")
            .unwrap_err()
            .message
            .starts_with("kubelet_extra_args")
    );
}

#[test]
fn the_posts_file() {
    // The post's kubeadm-config.yaml, with the two traps mended: NodeRestriction stays, the address is not lost.
    let post = args(json!({
        "pod_subnet": "10.244.0.0/16",
        "admission_plugins": ["PodSecurityPolicy"],
        "controller_manager_extra_args": {"address": "0.0.0.0"},
        "scheduler_extra_args": {"address": "0.0.0.0"},
    }));
    insta::assert_snapshot!(rendered(&post, "v1.11.3").unwrap(), @r"
    # NodeRestriction is added to the admission plugins: a list replaces kubeadm's own, which has it
    apiVersion: kubeadm.k8s.io/v1alpha2
    kind: MasterConfiguration
    bootstrapTokens:
    - token: abcdef.0123456789abcdef
      ttl: 24h0m0s
      usages:
      - signing
      - authentication
      groups:
      - system:bootstrappers:kubeadm:default-node-token
    kubernetesVersion: v1.11.3
    networking:
      podSubnet: 10.244.0.0/16
    apiServerExtraArgs:
      enable-admission-plugins: NodeRestriction,PodSecurityPolicy
    controllerManagerExtraArgs:
      address: 0.0.0.0
    schedulerExtraArgs:
      address: 0.0.0.0
    ");
}

#[test]
fn what_cannot_work_is_refused() {
    let says = |value: Value, version: &str| {
        let error = rendered(&args(value), version).unwrap_err();
        format!(
            "[{}] {error}\n{}",
            error.code,
            error.help.clone().unwrap_or_default()
        )
    };
    insta::assert_snapshot!(says(json!({"admission_plugins": ["PodSecurityPolicy"]}), "1.25.0").lines().next().unwrap(), @"[psprun::kubeadm::admission_plugin] admission plugin PodSecurityPolicy is gone since Kubernetes 1.25; the API server of 1.25 would not start with it");
    insta::assert_snapshot!(says(json!({"api_server_extra_args": {"enable-admission-plugins": "PodSecurityPolicie"}}), "1.20.2"), @r#"
    [psprun::kubeadm::admission_plugin] there is no admission plugin "PodSecurityPolicie"
    did you mean PodSecurityPolicy? The API server would not start
    "#);
    insta::assert_snapshot!(says(json!({"config": {"apiServerExtraArgs": {}}}), "1.20.2"), @"
    [psprun::kubeadm::unknown_field] kubeadm's ClusterConfiguration (v1beta2) has no field apiServerExtraArgs; kubeadm would go on without it
    since v1beta1 it is apiServer.extraArgs; better use the argument api_server_extra_args, which is written as every version wants it
    ");
    insta::assert_snapshot!(says(json!({"config": {"nodeRegistraton": {}}}), "1.20.2"), @"
    [psprun::kubeadm::unknown_field] kubeadm's ClusterConfiguration (v1beta2) has no field nodeRegistraton; kubeadm would go on without it
    did you mean nodeRegistration?
    ");
    insta::assert_snapshot!(says(json!({"pod_subnet": "10.244.0.0/16", "config": {"networking": {"podSubnet": "10.0.0.0/16"}}}), "1.20.2"), @"
    [psprun::kubeadm::config] config.networking.podSubnet is set by another argument too
    keep one of them
    ");
    insta::assert_snapshot!(says(json!({"api_server_extra_args": {"admission-control": "X"}}), "1.20.2"), @"
    [psprun::kubeadm::flag] api_server_extra_args: admission-control does not go together with kubeadm's enable-admission-plugins; the API server would not start
    list what is to be enabled besides the defaults in admission_plugins
    ");
    insta::assert_snapshot!(says(json!({"api_server_extra_args": {"v": ["1", "2"]}}), "1.30.0"), @"
    [psprun::kubeadm::flag] api_server_extra_args: v is given twice, and v1beta3 takes a flag once
    join the values with commas where the flag takes a list; flags can be repeated since kubeadm 1.31
    ");
    assert!(
        rendered(
            &args(json!({"api_server_extra_args": {"v": ["1", "2"]}})),
            "1.31.0"
        )
        .is_ok()
    );
    assert!(says(json!({"token_ttl": "a day"}), "1.20.2").contains("token_ttl"));
    assert!(says(json!({"upload_certs": true}), "1.14.0").contains("1.15"));
}

#[test]
fn flags_in_config_are_flags_like_others() {
    let args = args(json!({
        "api_server_extra_args": {"v": 2},
        "config": {
            "apiServer": {"extraArgs": {"enable-admission-plugins": "PodSecurityPolicy"}, "extraVolumes": []},
            "scheduler": {"extraArgs": {"address": "::"}},
        },
    }));
    let text = rendered(&args, "1.20.2").unwrap();
    let (_, cluster) = text.split_once("kind: ClusterConfiguration\n").unwrap();
    insta::assert_snapshot!(cluster, @r"
    kubernetesVersion: v1.20.2
    apiServer:
      extraArgs:
        v: '2'
        enable-admission-plugins: NodeRestriction,PodSecurityPolicy
      extraVolumes: []
    scheduler:
      extraArgs:
        bind-address: '::'
    ");
    assert!(
        rendered(&args, "1.31.0")
            .unwrap_err()
            .code
            .ends_with("admission_plugin")
    );
}

#[test]
fn the_sockets_form_follows_kubeadm() {
    assert_eq!(cri_socket("/run/x.sock", 20), "/run/x.sock");
    assert_eq!(cri_socket("unix:///run/x.sock", 20), "/run/x.sock");
    assert_eq!(cri_socket("/run/x.sock", 24), "unix:///run/x.sock");
    assert_eq!(cri_socket("unix:///run/x.sock", 24), "unix:///run/x.sock");
    assert_eq!(cri_socket("npipe:////./pipe/x", 24), "npipe:////./pipe/x");
}
