//! `import "cni/flannel" as cni`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use rhai::{Engine, EvalAltResult, GlobalRuntimeState, Module, ModuleResolver, Position, Scope, Shared};

use super::builder::raise;
use super::look;
use super::sources::Sources;
use crate::diagnostic::{Diagnostic, Location};

type SharedModule = Shared<Module>;

/// Finds modules by the rules of [`Sources`]; each is evaluated once.
pub(crate) struct Modules {
    pub(crate) sources: Arc<Sources>,
    loaded: Mutex<HashMap<Arc<str>, Option<SharedModule>>>,
}

impl Modules {
    pub(crate) fn new(sources: Arc<Sources>) -> Self {
        Self {
            sources,
            loaded: Mutex::default(),
        }
    }

    fn lookup(&self, name: &Arc<str>) -> Option<Option<SharedModule>> {
        self.loaded.lock().ok()?.get(name).cloned()
    }

    fn remember(&self, name: &Arc<str>, module: Option<SharedModule>) {
        if let Ok(mut loaded) = self.loaded.lock() {
            loaded.insert(name.clone(), module);
        }
    }
}

impl ModuleResolver for Modules {
    fn resolve(
        &self,
        engine: &Engine,
        _source: Option<&str>,
        path: &str,
        position: Position,
    ) -> Result<SharedModule, Box<EvalAltResult>> {
        let mut global = engine.new_global_runtime_state();
        self.resolve_raw(engine, &mut global, &mut Scope::new(), path, position)
    }

    fn resolve_raw(
        &self,
        engine: &Engine,
        global: &mut GlobalRuntimeState,
        _scope: &mut Scope,
        path: &str,
        position: Position,
    ) -> Result<SharedModule, Box<EvalAltResult>> {
        let here = || Location {
            file: Arc::from(global.source().unwrap_or_default()),
            line: position.line().map_or(0, |line| line as u32),
            column: position.position().map_or(0, |column| column as u32),
        };
        if super::token::has_token(path) {
            return Err(raise(look::early_look("`import`").at(here(), "")));
        }
        let found = self
            .sources
            .module(path)
            .map_err(|problem| raise(problem.at(here(), "imported here")))?;
        match self.lookup(&found.name) {
            Some(Some(module)) => return Ok(module),
            Some(None) => {
                return Err(raise(
                    Diagnostic::new(
                        "psprun::plan::import_cycle",
                        format!("`{path}` imports itself, by way of others"),
                    )
                    .at(here(), "imported here"),
                ));
            }
            None => self.remember(&found.name, None),
        }
        let in_module = |error: Box<EvalAltResult>| {
            Box::new(EvalAltResult::ErrorInModule(
                found.name.to_string(),
                error,
                position,
            ))
        };
        let mut ast = engine
            .compile(&*found.script)
            .map_err(|error| in_module(error.into()))?;
        ast.set_source(&*found.name);
        super::builder::watch(look::watched(&ast));
        let ast = look::rewrite(engine, &ast);
        // The operations of the module count as the playbook's own.
        let module =
            Module::eval_ast_as_new_raw(engine, &mut Scope::new(), global, &ast).map_err(in_module)?;
        let module: SharedModule = module.into();
        self.remember(&found.name, Some(module.clone()));
        Ok(module)
    }
}
