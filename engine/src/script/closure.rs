//! Closures that look at results: taken in while the plan is made, called while it runs.
//!
//! What a closure captures is copied at intake (Rhai shares captured variables, so a loop's variable would have its
//! last value later); the handles among it are dependencies, and are replaced by the real values before the call.

use std::collections::HashMap;
use std::sync::Arc;

#[expect(
    deprecated,
    reason = "Rhai marks its volatile interfaces so; the version is pinned by Cargo.lock"
)]
use rhai::NativeCallContextStore;
use rhai::{
    AST, ASTNode, Array, Dynamic, Engine, Expr as ScriptExpr, FnPtr, ImmutableString, Map, NativeCallContext,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::builder;
use super::convert::{to_dynamic, to_json};
use super::errors;
use super::handle::Handle;
use super::intake::Intake;
use super::sources::Sources;
use super::token::{Cut, cut, has_token};
use crate::builtin::StepError;
use crate::diagnostic::{Diagnostic, Location};
use crate::plan::{Expr, Key, NoSuchPath, Reference, StepId, follow, show_path};

/// A closure that was given as an argument; [`crate::Context::call`] calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closure {
    #[serde(rename = "$closure")]
    pub(crate) id: u32,
}

impl JsonSchema for Closure {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Closure".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "closure" })
    }
}

/// A closure of a plan.
#[expect(deprecated, reason = "see above")]
pub(crate) struct Entry {
    function: FnPtr,
    /// The values of the captured variables, handles and tokens among them.
    captured: Vec<Dynamic>,
    /// What the tokens in captured strings stand for.
    tokens: HashMap<usize, Reference>,
    store: NativeCallContextStore,
    /// What the closure reads of its captured variables: text, which variable, path.
    looks: Vec<(String, usize, Vec<Key>)>,
    at: Location,
}

/// The values of a closure's captured variables in a run.
pub(crate) type Captures = Arc<HashMap<u32, Vec<Dynamic>>>;

/// The closures of a plan, with the script engine that calls them.
#[derive(Default)]
pub(crate) struct Closures {
    engine: Option<Arc<Engine>>,
    sources: Option<Arc<Sources>>,
    pub(crate) entries: Vec<Entry>,
}

/// Takes a closure in: copies what it captures and adds its dependencies to the step.
pub(crate) fn take(intake: &mut Intake, function: FnPtr) -> Result<Closure, Diagnostic> {
    let captured: Vec<Dynamic> = function.iter_curry().map(snapshot).collect();
    let mut tokens = HashMap::new();
    for value in &captured {
        depend(intake, value, &mut tokens)?;
    }
    let looks = looks(intake.context, function.fn_name(), captured.len());
    let id = intake.builder.closures.len() as u32;
    let at = intake.at.clone();
    #[expect(deprecated, reason = "see above")]
    let store = {
        let mut store = intake.context.store_data();
        store.global.num_operations = 0;
        store
    };
    intake.builder.closures.push(Entry {
        function,
        captured,
        tokens,
        store,
        looks,
        at,
    });
    let step = intake.step;
    intake.builder.graph[step].closures.push(id);
    Ok(Closure { id })
}

/// A deep copy that shares nothing with the script's variables.
fn snapshot(value: &Dynamic) -> Dynamic {
    if let Some(items) = value.read_lock::<Array>() {
        return items.iter().map(snapshot).collect::<Array>().into();
    }
    if let Some(map) = value.read_lock::<Map>() {
        return map
            .iter()
            .map(|(key, item)| (key.clone(), snapshot(item)))
            .collect::<Map>()
            .into();
    }
    value.flatten_clone()
}

fn depend(
    intake: &mut Intake,
    value: &Dynamic,
    tokens: &mut HashMap<usize, Reference>,
) -> Result<(), Diagnostic> {
    if let Some(handle) = value.read_lock::<Handle>() {
        if handle.plan == intake.builder.id {
            intake
                .builder
                .data_edge(handle.step, intake.step, &handle.path, intake.at);
        }
    } else if let Some(text) = value.read_lock::<ImmutableString>() {
        if has_token(&text) {
            for piece in cut(&text) {
                if let Cut::Token(number) = piece
                    && let Some(reference) = intake.builder.tokens.get(number).cloned()
                {
                    intake
                        .builder
                        .data_edge(reference.step, intake.step, &reference.path, intake.at);
                    tokens.insert(number, reference);
                }
            }
        }
    } else if let Some(items) = value.read_lock::<Array>() {
        for item in items.iter() {
            depend(intake, item, tokens)?;
        }
    } else if let Some(map) = value.read_lock::<Map>() {
        for item in map.values() {
            depend(intake, item, tokens)?;
        }
    }
    Ok(())
}

/// What the closure's text reads of its captured variables, e.g. `reply.status`, for the message of a failed check.
fn looks(context: &NativeCallContext, name: &str, captured: usize) -> Vec<(String, usize, Vec<Key>)> {
    let Some(definition) = context.iter_namespaces().find_map(|module| {
        module
            .iter_script_fn_info()
            .find_map(|(.., definition)| (definition.name == name).then(|| definition.clone()))
    }) else {
        return Vec::new();
    };
    let params = definition.params.clone();
    // Rhai shows a function's body only to a walk over a tree: one that has this function alone.
    let mut alone = rhai::Module::new();
    alone.set_script_fn(definition);
    let body = AST::new_from_module(alone);
    let mut found: Vec<(String, usize, Vec<Key>)> = Vec::new();
    body.walk(&mut |nodes: &[ASTNode]| {
        // Only where a chain starts: not the inner parts of one.
        let Some(ASTNode::Expr(expr)) = nodes.last() else {
            return true;
        };
        let inside_chain = nodes.len() > 1
            && matches!(
                nodes[nodes.len() - 2],
                ASTNode::Expr(ScriptExpr::Dot(..) | ScriptExpr::Index(..))
            );
        if !inside_chain
            && let Some((root, path)) = chain(expr)
            && let Some(index) = params.iter().take(captured).position(|param| param == root)
        {
            let look = (format!("{root}{}", show_path(&path)), index, path);
            if !found.contains(&look) {
                found.push(look);
            }
        }
        true
    });
    found
}

/// `a.b["c"][0]` as its root and path; a method call or a computed index ends it.
fn chain(expr: &ScriptExpr) -> Option<(&str, Vec<Key>)> {
    fn links(expr: &ScriptExpr, path: &mut Vec<Key>) -> bool {
        match expr {
            ScriptExpr::Property(property, ..) => path.push(Key::Name(property.2.as_str().into())),
            ScriptExpr::StringConstant(text, ..) => path.push(Key::Name(text.as_str().into())),
            ScriptExpr::IntegerConstant(index, ..) => path.push(Key::Index(*index)),
            ScriptExpr::Dot(pair, ..) | ScriptExpr::Index(pair, ..) => {
                return links(&pair.lhs, path) && links(&pair.rhs, path);
            }
            _ => return false,
        }
        true
    }
    match expr {
        ScriptExpr::Variable(variable, ..) => Some((variable.1.as_str(), Vec::new())),
        ScriptExpr::Dot(pair, ..) | ScriptExpr::Index(pair, ..) => {
            let (root, mut path) = chain(&pair.lhs)?;
            links(&pair.rhs, &mut path);
            Some((root, path))
        }
        _ => None,
    }
}

impl Closures {
    pub(crate) fn new(engine: Arc<Engine>, sources: Arc<Sources>, entries: Vec<Entry>) -> Self {
        Self {
            engine: Some(engine),
            sources: Some(sources),
            entries,
        }
    }

    pub(crate) fn sources(&self) -> Option<&Arc<Sources>> {
        self.sources.as_ref()
    }

    pub(crate) fn engine(&self) -> Option<&Arc<Engine>> {
        self.engine.as_ref()
    }

    /// The values of a closure's captured variables, with `read` answering for each step's output. A fan-out's closure
    /// keeps the handles that other builtins are called on (`keep`).
    pub(crate) fn captures(
        &self,
        id: u32,
        read: &mut dyn FnMut(&Reference) -> Result<Value, NoSuchPath>,
        keep: &dyn Fn(StepId) -> bool,
    ) -> Result<Vec<Dynamic>, NoSuchPath> {
        let entry = &self.entries[id as usize];
        entry
            .captured
            .iter()
            .map(|value| fill(value, &entry.tokens, read, keep))
            .collect()
    }

    /// The function of a closure with its captured values in place.
    fn ready(
        &self,
        closure: &Closure,
        captures: &Captures,
    ) -> Result<(Arc<Engine>, &Entry, FnPtr), StepError> {
        let entry = self.entries.get(closure.id as usize);
        let (Some(engine), Some(entry), Some(captured)) = (&self.engine, entry, captures.get(&closure.id))
        else {
            return Err(StepError::new(
                "psprun::closure::unknown",
                "this closure does not belong to the step",
            ));
        };
        let mut function = entry.function.clone();
        function.set_curry(captured.iter().cloned());
        Ok((engine.clone(), entry, function))
    }

    /// Calls a closure, which may only look.
    pub(crate) fn call(
        &self,
        closure: &Closure,
        captures: &Captures,
        args: &[Value],
    ) -> Result<Value, StepError> {
        let (engine, entry, function) = self.ready(closure, captures)?;
        let result = builder::in_closure(|| call(&engine, entry, &function, args));
        let value = result.map_err(|diagnostic| step_error(&diagnostic))?;
        to_json(&value).map_err(|what| {
            StepError::new(
                "psprun::closure::no_value",
                format!("the closure gives {what}, which is no plain value"),
            )
            .at(entry.at.to_string())
        })
    }

    /// Calls a closure whose builtins add steps to the plan that is being made on this thread.
    pub(crate) fn call_planning(
        &self,
        closure: &Closure,
        captures: &Captures,
        args: &[Value],
    ) -> Result<Dynamic, StepError> {
        let (engine, entry, function) = self.ready(closure, captures)?;
        call(&engine, entry, &function, args).map_err(|diagnostic| step_error(&diagnostic))
    }

    /// What the closure read of its captured variables, with the values that it saw.
    pub(crate) fn seen(&self, closure: &Closure, captures: &Captures) -> Vec<(String, String)> {
        let (Some(entry), Some(captured)) =
            (self.entries.get(closure.id as usize), captures.get(&closure.id))
        else {
            return Vec::new();
        };
        entry
            .looks
            .iter()
            .filter_map(|(text, index, path)| {
                let value = to_json(captured.get(*index)?).ok()?;
                let shown = match follow(&value, path) {
                    Ok(value) => shorten(value),
                    Err(_) => "(not there)".to_owned(),
                };
                Some((text.clone(), shown))
            })
            .collect()
    }
}

/// A value for a failed check: JSON, cut when it is long.
fn shorten(value: &Value) -> String {
    const LIMIT: usize = 160;
    let text = value.to_string();
    if text.chars().count() <= LIMIT {
        return text;
    }
    format!("{}…", text.chars().take(LIMIT).collect::<String>())
}

fn call(engine: &Engine, entry: &Entry, function: &FnPtr, args: &[Value]) -> Result<Dynamic, Diagnostic> {
    #[expect(deprecated, reason = "see above")]
    let context = entry.store.create_context(engine);
    super::limits::start();
    function
        .call_raw(&context, None, args.iter().map(to_dynamic).collect::<Vec<_>>())
        .map_err(|error| errors::diagnose(&error, &entry.at.file, None))
}

fn step_error(diagnostic: &Diagnostic) -> StepError {
    let mut error = StepError::new(diagnostic.code, diagnostic.message.clone());
    if let Some((place, _)) = diagnostic.labels.first() {
        error = error.at(place.to_string());
    }
    if let Some(help) = &diagnostic.help {
        error = error.help(help.clone());
    }
    error
}

fn fill(
    value: &Dynamic,
    tokens: &HashMap<usize, Reference>,
    read: &mut dyn FnMut(&Reference) -> Result<Value, NoSuchPath>,
    keep: &dyn Fn(StepId) -> bool,
) -> Result<Dynamic, NoSuchPath> {
    if let Some(handle) = value.read_lock::<Handle>() {
        if handle.is_whole() && keep(handle.step) {
            return Ok(Dynamic::from(handle.clone()));
        }
        return read(&Reference {
            step: handle.step,
            path: handle.path.clone(),
        })
        .map(|value| to_dynamic(&value));
    }
    if let Some(text) = value.read_lock::<ImmutableString>() {
        if !has_token(&text) {
            return Ok(value.clone());
        }
        let mut whole = String::new();
        for piece in cut(&text) {
            match piece {
                Cut::Text(part) => whole.push_str(part),
                Cut::Token(number) => {
                    if let Some(reference) = tokens.get(&number) {
                        let expr = Expr::Text(vec![crate::plan::Piece::Ref(reference.clone())]);
                        if let Value::String(part) = expr.resolve(read)? {
                            whole.push_str(&part);
                        }
                    }
                }
                Cut::Torn => {}
            }
        }
        return Ok(whole.into());
    }
    if let Some(items) = value.read_lock::<Array>() {
        let items = items
            .iter()
            .map(|item| fill(item, tokens, read, keep))
            .collect::<Result<Array, _>>()?;
        return Ok(items.into());
    }
    if let Some(map) = value.read_lock::<Map>() {
        let map = map
            .iter()
            .map(|(key, item)| Ok((key.clone(), fill(item, tokens, read, keep)?)))
            .collect::<Result<Map, _>>()?;
        return Ok(map.into());
    }
    Ok(value.clone())
}

/// Replaces closures by `|…|` for people.
pub(crate) fn show_closures(value: Value) -> Value {
    match value {
        Value::Object(map) if map.contains_key("$closure") => Value::from("|…|"),
        Value::Object(map) => map
            .into_iter()
            .map(|(key, value)| (key, show_closures(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(show_closures).collect(),
        other => other,
    }
}
