//! Builtins that act on a machine, one file each.

pub(crate) mod command_line;
mod diff;
pub(crate) mod file;
pub(crate) mod mode;
mod packages;
pub(crate) mod place;
mod preflight;
mod read;
mod run;
mod template;

use std::sync::Arc;

use psprun_engine::Registry;

use crate::target::Target;

/// Registers the group: one line a builtin.
pub(crate) fn register(registry: &mut Registry, target: &Arc<dyn Target>) {
    registry.add(file::File(target.clone()));
    registry.add(packages::Packages(target.clone()));
    registry.add(preflight::Preflight(target.clone()));
    registry.add(read::Read(target.clone()));
    registry.add(run::Run(target.clone()));
    registry.add(template::Template(target.clone()));
}

#[cfg(test)]
mod tests {
    #[test]
    fn examples_plan() {
        crate::testing::plan_examples("host::");
    }
}
