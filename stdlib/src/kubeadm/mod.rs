//! Builtins around kubeadm, one file or folder each.

// Until all builtins are registered.
#![allow(dead_code, reason = "the builtins that use it follow")]

mod api;
mod config;
mod init;
mod node;
mod reset;

use std::sync::Arc;

use psprun_engine::Registry;

use crate::target::Target;

/// Registers the group: one line a builtin.
pub(crate) fn register(registry: &mut Registry, target: &Arc<dyn Target>) {
    registry.add(init::Init::new(target));
    registry.add(reset::Reset::new(target));
}
