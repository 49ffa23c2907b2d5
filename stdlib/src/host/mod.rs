//! Builtins that act on a machine, one file each.

mod command_line;
mod run;

use std::sync::Arc;

use psprun_engine::Registry;

use crate::target::Target;

/// Registers the group: one line a builtin.
pub(crate) fn register(registry: &mut Registry, target: &Arc<dyn Target>) {
    registry.add(run::Run(target.clone()));
}

#[cfg(test)]
mod tests {
    #[test]
    fn examples_plan() {
        crate::testing::plan_examples("host::");
    }
}
