//! The way from a playbook to a plan.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::Param;
use crate::diagnostic::Diagnostic;
use crate::plan::Plan;
use crate::registry::Registry;

/// A playbook's main script, and where its modules and files are.
#[derive(Debug, Clone)]
pub struct Playbook {
    /// The path as it is shown to people.
    pub name: Arc<str>,
    /// The script.
    pub script: String,
    /// The folder of the playbook's modules and files; `None` for one that ships in the library.
    pub folder: Option<PathBuf>,
}

impl Playbook {
    /// Reads a playbook from disk; its folder becomes its root.
    ///
    /// # Errors
    /// It cannot be read, is a folder, or is no UTF-8.
    pub fn open(path: &Path) -> Result<Self, Diagnostic> {
        let _ = path;
        Err(Diagnostic::new("psprun::playbook::unreadable", "not there yet"))
    }
}

/// Scripts and files that ship with a program: modules under `plugins/`, playbooks under `playbooks/`.
pub trait Library: Send + Sync {
    /// The content of a file, e.g. `plugins/cni/flannel.rhai`.
    fn read(&self, path: &str) -> Option<Vec<u8>>;
    /// All paths, sorted.
    fn paths(&self) -> Vec<String>;
}

/// Values for a playbook's parameters. A string is read as the parameter's type says.
pub type Values = BTreeMap<String, Value>;

/// Makes plans.
#[derive(Clone)]
pub struct Planner {
    #[expect(dead_code, reason = "used by the planner to come")]
    registry: Arc<Registry>,
    library: Option<Arc<dyn Library>>,
}

impl Planner {
    /// A planner for the builtins of a registry.
    pub fn new(registry: Arc<Registry>) -> Self {
        Self {
            registry,
            library: None,
        }
    }

    /// Also finds modules and files in a library.
    pub fn library(mut self, library: Arc<dyn Library>) -> Self {
        self.library = Some(library);
        self
    }

    /// Evaluates a playbook. Touches nothing but the playbook's own files.
    ///
    /// # Errors
    /// Everything that is wrong, at least one.
    pub fn plan(&self, playbook: &Playbook, values: &Values) -> Result<Plan, Vec<Diagnostic>> {
        let _ = (playbook, values, &self.library);
        Err(vec![Diagnostic::new("psprun::plan", "not there yet")])
    }

    /// The parameters that a playbook declares; those without a default get a stand-in value, so that the rest of the
    /// playbook can be seen.
    ///
    /// # Errors
    /// The playbook cannot be evaluated far enough to say.
    pub fn params(&self, playbook: &Playbook, values: &Values) -> Result<Vec<Param>, Vec<Diagnostic>> {
        let _ = (playbook, values);
        Err(vec![Diagnostic::new("psprun::plan", "not there yet")])
    }

    /// The lines of a script that was used: a playbook or module by the name that a [`crate::Location`] has.
    pub fn source(&self, playbook: &Playbook, file: &str) -> Option<String> {
        let _ = (playbook, file);
        None
    }
}
