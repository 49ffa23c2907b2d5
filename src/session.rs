//! The engine with everything that psprun brings: builtins on the live target, the bundled playbooks and modules.

use std::sync::Arc;

use psprun_engine::script::{Param, Planner, Playbook, Values};
use psprun_engine::{Plan, Registry};
use psprun_stdlib::target::live::LiveTarget;

use crate::bundled::Bundled;
use crate::diagnose::Source;
use crate::exit::Stop;

/// A registry and its planner. Making one touches nothing.
pub struct Session {
    registry: Arc<Registry>,
    planner: Planner,
}

impl Session {
    /// The builtins act on this machine and on real clusters.
    pub fn live() -> Self {
        let mut registry = Registry::new();
        psprun_stdlib::register(&mut registry, &LiveTarget::new());
        let registry = Arc::new(registry);
        let planner = Planner::new(registry.clone()).library(Arc::new(Bundled));
        Self { registry, planner }
    }

    /// All that playbooks can call.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// A playbook's plan.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn plan(&self, playbook: &Playbook, values: &Values) -> Result<Plan, Stop> {
        self.planner
            .plan(playbook, values)
            .map_err(|wrong| Stop::Wrong(wrong, Some(self.source(playbook))))
    }

    /// A playbook's parameters.
    ///
    /// # Errors
    /// Why they cannot be found out.
    pub fn params(&self, playbook: &Playbook, values: &Values) -> Result<Vec<Param>, Stop> {
        self.planner
            .params(playbook, values)
            .map_err(|wrong| Stop::Wrong(wrong, Some(self.source(playbook))))
    }

    /// The scripts that a playbook's locations point into.
    pub fn source(&self, playbook: &Playbook) -> Source {
        let (planner, playbook) = (self.planner.clone(), playbook.clone());
        Arc::new(move |file| planner.source(&playbook, file))
    }
}
