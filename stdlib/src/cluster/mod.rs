//! Builtins that act on a cluster's API, one file each.

mod connection;
pub mod discovery;
mod failure;

pub mod error;
pub mod heal;

use std::sync::Arc;

use psprun_engine::Registry;

pub use self::connection::{Clusters, Connection};
use crate::target::Target;

/// Registers the group: one line a builtin.
pub(crate) fn register(registry: &mut Registry, target: &Arc<dyn Target>) {
    let clusters = Clusters::new(target);
    let _ = (registry, clusters);
}
