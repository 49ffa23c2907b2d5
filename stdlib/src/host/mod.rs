//! Builtins of this group, one file each.

use std::sync::Arc;

use psprun_engine::Registry;

use crate::target::Target;

/// Registers the group: one line a builtin.
pub(crate) fn register(registry: &mut Registry, target: &Arc<dyn Target>) {
    let _ = (registry, target);
}
