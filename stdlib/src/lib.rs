//! The builtins of psprun, one file each, and the ports that they act through.
//!
//! Nothing here knows the scripting language: builtins take data and give data.

pub mod cluster;
pub mod host;
pub mod http;
pub mod kubeadm;
pub mod manifest;
pub mod target;
#[cfg(test)]
mod testing;

use std::sync::Arc;

use psprun_engine::Registry;

use crate::target::Target;

/// Registers every builtin and pure function, acting on `target`. Each group's `mod.rs` has one line a builtin.
pub fn register(registry: &mut Registry, target: &Arc<dyn Target>) {
    cluster::register(registry, target);
    host::register(registry, target);
    http::register(registry, target);
    kubeadm::register(registry, target);
    manifest::register(registry, target);
}
