//! The program on a real Kubernetes: nodes that a real kubeadm initialises, see `tests/cluster/README.md`.

mod default_playbook;
mod failures;
mod interrupted;
mod node;
