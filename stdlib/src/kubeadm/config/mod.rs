//! kubeadm's configuration file: what each version of kubeadm takes, and writing it from a builtin's arguments.

pub mod admission;
pub mod api;
pub mod compare;
pub mod documents;
pub mod extra_args;
pub mod extra_documents;
pub mod fields;
pub mod flags;
pub mod render;
pub mod render_join;
pub mod subnets;
pub mod unknown;
pub mod version;
