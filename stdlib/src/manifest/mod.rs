//! Manifests: reading and writing them, and the pure functions that change them. The only place that knows YAML.

mod compose;
mod document;
mod emit;
mod error;
mod functions;
mod read;
#[cfg(test)]
mod read_tests;
mod scalar;

use std::sync::Arc;

use psprun_engine::Registry;

pub use self::document::{Document, Finding, FindingKind, Manifest, Origin};
pub use self::emit::{to_yaml, to_yaml_documents};
pub use self::error::ReadError;

use crate::target::Target;

/// Registers the group: pure functions.
pub(crate) fn register(registry: &mut Registry, _: &Arc<dyn Target>) {
    functions::register(registry);
}
