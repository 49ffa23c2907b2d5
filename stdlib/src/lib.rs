//! The builtins of psprun, one file each, and the ports that they act through.
//!
//! Nothing here knows the scripting language: builtins take data and give data.

pub mod target;

use std::sync::Arc;

use psprun_engine::Registry;

use crate::target::Target;

/// Registers every builtin and pure function, acting on `target`. Adding a builtin is one file and one line here.
pub fn register(registry: &mut Registry, target: &Arc<dyn Target>) {
    let _ = (registry, target);
}
