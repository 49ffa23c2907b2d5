//! What kubeadm keeps in a cluster: its configuration, what joining nodes may know, the join tokens.

pub mod join_info;
pub mod stored;
pub mod tokens;
