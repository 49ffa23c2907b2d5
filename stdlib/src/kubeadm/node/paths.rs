//! Where kubeadm and the kubelet keep things.

/// The kubeconfig of the cluster's administrator; on control-plane nodes.
pub const ADMIN_CONF: &str = "/etc/kubernetes/admin.conf";

/// The kubelet's kubeconfig; `kubeadm init` writes it, after `kubeadm join` the kubelet does, once it was let in.
pub const KUBELET_CONF: &str = "/etc/kubernetes/kubelet.conf";

/// What `kubeadm join` gives the kubelet to get in with.
pub const BOOTSTRAP_CONF: &str = "/etc/kubernetes/bootstrap-kubelet.conf";

/// The static pods.
pub const MANIFESTS: &str = "/etc/kubernetes/manifests";

/// The certificate of the cluster's authority.
pub const CA_CRT: &str = "/etc/kubernetes/pki/ca.crt";

/// The kubelet's flags, the container runtime's socket among them.
pub const KUBELET_FLAGS: &str = "/var/lib/kubelet/kubeadm-flags.env";

/// The container runtime's CNI configurations.
pub const CNI_CONF: &str = "/etc/cni/net.d";

/// What psprun writes kubeadm's configuration to while kubeadm runs. Not below /etc/kubernetes, which kubeadm's
/// preflight looks at.
pub const CONFIG: &str = "/run/psprun-kubeadm.yaml";

/// The programs of a control plane, as their static pods are called.
pub const CONTROL_PLANE: [&str; 4] = [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
];
