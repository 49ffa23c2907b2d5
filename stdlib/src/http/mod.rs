//! Builtins that talk to HTTP servers, one file each.

mod curl;
mod expect;

use std::sync::Arc;

use psprun_engine::Registry;

use crate::target::Target;

/// Registers the group: one line a builtin.
pub(crate) fn register(registry: &mut Registry, target: &Arc<dyn Target>) {
    registry.add(curl::Curl(target.clone()));
}
