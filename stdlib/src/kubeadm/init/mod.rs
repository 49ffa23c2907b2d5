//! `kubeadm::init`.

pub mod args;
