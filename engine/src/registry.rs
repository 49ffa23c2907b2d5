//! The builtins and pure functions that playbooks can call.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::builtin::{AnyBuiltin, Builtin, Erased, Spec};

/// All that playbooks can call.
#[derive(Default, Clone)]
pub struct Registry {
    pub(crate) builtins: BTreeMap<&'static str, Arc<dyn AnyBuiltin>>,
    pub(crate) functions: BTreeMap<&'static str, Function>,
}

/// A function of values alone: called while the plan is made when its arguments are known, a step when they are not.
#[derive(Debug, Clone, Copy)]
pub struct Function {
    /// `manifest::parse`: the part before `::` is a namespace in the script.
    pub name: &'static str,
    /// One sentence, third person, no final period.
    pub summary: &'static str,
    /// The names of the arguments, in order; one that ends with `?` may be left out.
    pub params: &'static [&'static str],
    /// Computes the result; arguments that were left out are null.
    pub call: fn(&[Value]) -> Result<Value, String>,
    /// An example, an expression.
    pub example: &'static str,
    /// What the example gives, as JSON.
    pub gives: &'static str,
}

/// What is known of a builtin: for help, documentation and editors.
pub struct BuiltinDoc<'r> {
    /// Name, receiver, subject, examples.
    pub spec: &'r Spec,
    /// JSON Schema of the arguments.
    pub args: &'r Value,
    /// JSON Schema of the output.
    pub output: &'r Value,
}

impl Registry {
    /// A registry with the engine's own builtins only (`check`, `map`, `for_each`).
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a builtin; a later one of the same name takes the place of the former.
    pub fn add(&mut self, builtin: impl Builtin) -> &mut Self {
        let erased = Erased::erase(builtin);
        self.builtins.insert(erased.spec().name, erased);
        self
    }

    /// Adds a pure function.
    pub fn add_function(&mut self, function: Function) -> &mut Self {
        self.functions.insert(function.name, function);
        self
    }

    /// The builtin or method of this name.
    pub(crate) fn find(&self, name: &str) -> Option<&Spec> {
        self.builtins
            .values()
            .map(|builtin| builtin.spec())
            .chain(crate::builtins::own().iter().map(|builtin| builtin.spec()))
            .find(|spec| spec.name == name || spec.method_name() == name || spec.aliases.contains(&name))
    }

    /// Everything that a playbook can call, for "did you mean".
    pub(crate) fn words(&self) -> Vec<String> {
        let mut words: Vec<String> = [
            "param", "file", "sequence", "parallel", "check", "for_each", "map",
        ]
        .map(str::to_owned)
        .to_vec();
        words.extend(crate::script::MODIFIERS.map(str::to_owned));
        for builtin in self.builtins.values() {
            let spec = builtin.spec();
            words.push(spec.name.to_owned());
            words.push(spec.method_name());
            words.extend(spec.aliases.iter().map(|alias| (*alias).to_owned()));
        }
        words.extend(self.functions.keys().map(|name| (*name).to_owned()));
        words
    }

    /// All builtins by name, the engine's own first.
    pub fn builtins(&self) -> impl Iterator<Item = BuiltinDoc<'_>> {
        crate::builtins::own()
            .iter()
            .chain(self.builtins.values())
            .map(|b| BuiltinDoc {
                spec: b.spec(),
                args: b.args_schema(),
                output: b.output_schema(),
            })
    }

    /// All pure functions by name.
    pub fn functions(&self) -> impl Iterator<Item = &Function> {
        self.functions.values()
    }
}
