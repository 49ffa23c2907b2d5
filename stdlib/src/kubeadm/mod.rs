//! Builtins around kubeadm, one file or folder each.

mod api;
mod config;
mod init;
mod join;
mod node;
#[cfg(test)]
mod on_node;
mod reset;
mod token;

use std::sync::Arc;

use psprun_engine::Registry;

use crate::target::Target;

/// Registers the group: one line a builtin.
pub(crate) fn register(registry: &mut Registry, target: &Arc<dyn Target>) {
    registry.add(init::Init::new(target));
    registry.add(join::Join::new(target));
    registry.add(reset::Reset::new(target));
    registry.add(token::Token::new(target));
}
