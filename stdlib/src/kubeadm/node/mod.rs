//! A machine's side of kubeadm: its files, what is on it, the program itself.

pub mod ca;
pub mod copy;
pub mod evidence;
pub mod failure;
pub mod kubeadm;
pub mod kubeconfig;
pub mod paths;
pub mod phases;
pub mod record;
pub mod state;
pub mod token_value;

#[cfg(test)]
pub mod fake;
