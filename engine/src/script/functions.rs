//! Builtins and pure functions as functions of the script.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use rhai::{
    Array, Dynamic, Engine, FuncRegistration, ImmutableString, Map, Module, NativeCallContext, RhaiFunc,
};
use serde_json::Value;

use super::builder::{self, Raised, is_unknown};
use super::convert::{to_dynamic, to_json};
use super::handle::Handle;
use super::intake::Intake;
use super::modifiers;
use crate::builtin::{AnyBuiltin, Receiver};
use crate::builtins::Call;
use crate::diagnostic::{Diagnostic, Location, did_you_mean};
use crate::plan::{Expr, StepId};
use crate::registry::{Function, Registry};

/// The arguments of a call, as Rhai passes them.
type FnCallArgs<'a> = [&'a mut Dynamic];

/// Registers all builtins and functions of a registry, in their namespaces and as methods.
pub(crate) fn register(engine: &mut Engine, registry: &Registry) {
    let mut global = Module::new();
    let mut namespaces: BTreeMap<String, Module> = BTreeMap::new();
    for builtin in registry.builtins.values() {
        let callable = Arc::new(Callable {
            builtin: builtin.clone(),
            schema: OnceLock::new(),
        });
        let spec = builtin.spec();
        if matches!(spec.receiver, Receiver::Required(_) | Receiver::Optional(_)) {
            let name = spec.method_name();
            for arity in 0..=2 {
                set(
                    &mut global,
                    &name,
                    Some(TypeId::of::<Handle>()),
                    arity,
                    callable.clone(),
                    true,
                );
            }
        }
        if !matches!(spec.receiver, Receiver::Required(_)) {
            for name in std::iter::once(spec.name).chain(spec.aliases.iter().copied()) {
                let (module, name) = match name.split_once("::") {
                    Some((space, name)) => (namespaces.entry(space.to_owned()).or_default(), name),
                    None => (&mut global, name),
                };
                for arity in 0..=2 {
                    set(module, name, None, arity, callable.clone(), false);
                }
            }
        }
    }
    for function in registry.functions.values().copied() {
        let (module, name) = match function.name.split_once("::") {
            Some((space, name)) => (namespaces.entry(space.to_owned()).or_default(), name),
            None => (&mut global, function.name),
        };
        let required = function
            .params
            .iter()
            .filter(|param| !param.ends_with('?'))
            .count();
        for arity in required..=function.params.len() {
            FuncRegistration::new(name)
                .in_global_namespace()
                .set_into_module_raw(
                    module,
                    vec![TypeId::of::<Dynamic>(); arity],
                    native(move |context, args| call_function(&context, function, args)),
                );
        }
    }
    for call in crate::builtins::all() {
        register_own(&mut global, call);
    }
    engine.register_global_module(global.into());
    for (name, module) in namespaces {
        engine.register_static_module(name, module.into());
    }
}

fn native(
    f: impl Fn(NativeCallContext, &mut FnCallArgs) -> Raised<Dynamic> + Send + Sync + 'static,
) -> RhaiFunc {
    let func = move |context: Option<NativeCallContext>, args: &mut FnCallArgs| match context {
        Some(context) => f(context, args),
        None => unreachable!("`has_context` makes Rhai pass one"),
    };
    RhaiFunc::Method {
        func: Arc::new(func),
        has_context: true,
        is_pure: true,
        is_volatile: true,
    }
}

/// The arguments by value. The first may be a variable of the script itself, which keeps its own; the others are Rhai's
/// copies.
fn values(args: &mut FnCallArgs) -> Vec<Dynamic> {
    let mut values: Vec<Dynamic> = Vec::with_capacity(args.len());
    for (index, arg) in args.iter_mut().enumerate() {
        values.push(if index == 0 {
            arg.flatten_clone()
        } else {
            std::mem::take(*arg)
        });
    }
    values
}

fn set(
    module: &mut Module,
    name: &str,
    receiver: Option<TypeId>,
    arity: usize,
    callable: Arc<Callable>,
    with_receiver: bool,
) {
    let types: Vec<TypeId> = receiver
        .into_iter()
        .chain(std::iter::repeat_n(TypeId::of::<Dynamic>(), arity))
        .collect();
    FuncRegistration::new(name)
        .in_global_namespace()
        .set_into_module_raw(
            module,
            types,
            native(move |context, args| {
                builder::with(&context, |builder, at| {
                    let mut args = values(args);
                    let receiver = with_receiver.then(|| args.remove(0));
                    callable.call(
                        &mut Calling {
                            builder,
                            context: &context,
                            at,
                        },
                        receiver,
                        args,
                    )
                })
            }),
        );
}

/// A builtin with what its schema says of its arguments.
struct Callable {
    builtin: Arc<dyn AnyBuiltin>,
    schema: OnceLock<Vec<Argument>>,
}

/// An argument as the schema describes it.
pub(crate) struct Argument {
    pub(crate) name: Arc<str>,
    required: bool,
    /// May name files of the playbook.
    file: bool,
    schema: Value,
}

/// A call that is being taken in.
pub(crate) struct Calling<'a, 'c> {
    pub(crate) builder: &'a mut builder::Builder,
    pub(crate) context: &'a NativeCallContext<'c>,
    pub(crate) at: &'a Location,
}

impl Callable {
    fn arguments(&self) -> &[Argument] {
        self.schema.get_or_init(|| arguments(self.builtin.args_schema()))
    }

    fn call(
        &self,
        calling: &mut Calling,
        receiver: Option<Dynamic>,
        mut args: Vec<Dynamic>,
    ) -> Result<Dynamic, Diagnostic> {
        let spec = self.builtin.spec();
        let step = calling.builder.add_step(self.builtin.clone(), calling.at)?;
        let mut given: Vec<(Arc<str>, Dynamic)> = Vec::new();
        let options = match (spec.subject, args.len()) {
            (Some(_), 2) | (None, 1) => Some(args.remove(args.len() - 1)),
            _ => None,
        };
        if let (Some(subject), Some(value)) = (spec.subject, args.pop()) {
            given.push((subject.into(), value));
        } else if !args.is_empty() {
            return Err(self.misused());
        }
        if let Some(kind) = self.receiver_kind()
            && let Some(receiver) = receiver
        {
            self.check_receiver(calling, kind, &receiver)?;
            given.insert(0, (kind.into(), receiver));
        }
        if let Some(options) = options {
            if options.is_unit() {
            } else if options.is::<Map>() {
                let options: Map = options.flatten().cast();
                for (name, value) in options {
                    if spec.subject.is_some_and(|subject| {
                        given.iter().any(|(have, _)| **have == *subject) && subject == name.as_str()
                    }) {
                        return Err(Diagnostic::new(
                            "psprun::plan::argument_twice",
                            format!("`{name}` is given twice: before the options and among them"),
                        ));
                    }
                    given.push((name.as_str().into(), value));
                }
            } else {
                return Err(self.misused());
            }
        }
        self.take(calling, step, given)?;
        Ok(Dynamic::from(Handle {
            plan: calling.builder.id,
            step,
            path: Arc::from([]),
        }))
    }

    fn receiver_kind(&self) -> Option<&'static str> {
        match self.builtin.spec().receiver {
            Receiver::Required(kind) | Receiver::Optional(kind) => Some(kind),
            Receiver::None => None,
        }
    }

    fn check_receiver(&self, calling: &Calling, kind: &str, receiver: &Dynamic) -> Result<(), Diagnostic> {
        let Some(handle) = receiver.read_lock::<Handle>() else {
            return Ok(());
        };
        if handle.plan != calling.builder.id {
            // A fan-out keeps only handles of the right kind.
            return Ok(());
        }
        let made_by = calling.builder.graph[handle.step].builtin.spec();
        if handle.is_whole() && made_by.produces == Some(kind) {
            return Ok(());
        }
        Err(Diagnostic::new(
            "psprun::plan::wrong_receiver",
            format!(
                "`{}` is called on a {kind}, and this is {}",
                self.builtin.spec().method_name(),
                if handle.is_whole() {
                    calling.builder.show(&handle)
                } else {
                    format!("a part of {}", calling.builder.show(&handle))
                }
            ),
        )
        .help(match kind {
            "cluster" => "a cluster comes from `kubeadm::init(#{ … })` or `kubeconfig(\"path\")`".to_owned(),
            other => format!("`psprun builtins` lists the builtins that give a {other}"),
        }))
    }

    fn misused(&self) -> Diagnostic {
        let spec = self.builtin.spec();
        Diagnostic::new(
            "psprun::plan::wrong_call",
            format!("`{}` cannot be called like this", spec.name),
        )
        .help(format!(
            "call it as `{}`; `psprun builtins {}` explains it",
            spec.usage(),
            spec.name
        ))
    }

    /// Splits arguments from modifiers, takes them in and looks at what is known.
    fn take(
        &self,
        calling: &mut Calling,
        step: StepId,
        given: Vec<(Arc<str>, Dynamic)>,
    ) -> Result<(), Diagnostic> {
        let known = self.arguments();
        let mut args: Vec<(Arc<str>, Expr)> = Vec::with_capacity(given.len());
        for (name, value) in given {
            if let Some(argument) = known.iter().find(|argument| argument.name == name) {
                let mut intake = Intake {
                    builder: calling.builder,
                    context: calling.context,
                    step,
                    at: calling.at,
                };
                let mut expr = intake.take(value)?;
                if argument.file {
                    files(calling, &mut expr)?;
                }
                check_type(&argument.schema, &argument.schema, &expr).map_err(|wrong| {
                    Diagnostic::new(
                        "psprun::plan::argument_type",
                        format!("`{name}` of `{}` {wrong}", self.builtin.spec().name),
                    )
                    .help(format!(
                        "`psprun builtins {}` explains the arguments",
                        self.builtin.spec().name
                    ))
                })?;
                args.push((argument.name.clone(), expr));
            } else if modifiers::NAMES.contains(&&*name) {
                modifiers::set(calling, step, &name, value)?;
            } else {
                return Err(self.unknown_argument(&name));
            }
        }
        if let Some(missing) = known
            .iter()
            .find(|a| a.required && !args.iter().any(|(name, _)| *name == a.name))
        {
            return Err(Diagnostic::new(
                "psprun::plan::missing_argument",
                format!("`{}` needs `{}`", self.builtin.spec().name, missing.name),
            )
            .help(format!(
                "call it as `{}`; `psprun builtins {}` explains the arguments",
                self.builtin.spec().usage(),
                self.builtin.spec().name
            )));
        }
        if args.iter().all(|(_, expr)| expr.is_known()) {
            let value: Value = args
                .iter()
                .filter_map(|(name, expr)| match expr {
                    Expr::Value(value) => Some(((**name).to_owned(), value.clone())),
                    _ => None,
                })
                .collect::<serde_json::Map<_, _>>()
                .into();
            self.builtin.parse(value).map_err(|error| {
                Diagnostic::new(
                    "psprun::plan::argument_type",
                    format!("`{}`: {error}", self.builtin.spec().name),
                )
                .help(format!(
                    "`psprun builtins {}` explains the arguments",
                    self.builtin.spec().name
                ))
            })?;
        }
        calling.builder.fill(step, args)
    }

    fn unknown_argument(&self, name: &str) -> Diagnostic {
        let spec = self.builtin.spec();
        let mut known: Vec<&str> = self
            .arguments()
            .iter()
            .map(|a| &*a.name)
            .filter(|n| Some(*n) != self.receiver_kind())
            .collect();
        let own = known.join(", ");
        known.extend(modifiers::NAMES);
        let mut help = format!(
            "arguments: {own}; every step also takes {}",
            modifiers::NAMES.join(", ")
        );
        if let Some(meant) = did_you_mean(name, known.iter().copied()) {
            help = format!("did you mean `{meant}`? {help}");
        }
        Diagnostic::new(
            "psprun::plan::unknown_argument",
            format!("`{}` has no argument `{name}`", spec.name),
        )
        .help(help)
    }
}

/// The arguments of a schema, in its order.
pub(crate) fn arguments(schema: &Value) -> Vec<Argument> {
    let required: Vec<&str> = schema["required"]
        .as_array()
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let definitions = schema.get("$defs").cloned();
    let Some(properties) = schema["properties"].as_object() else {
        return Vec::new();
    };
    properties
        .iter()
        .map(|(name, property)| {
            let mut schema = property.clone();
            if let (Some(definitions), Value::Object(map)) = (&definitions, &mut schema) {
                map.insert("$defs".to_owned(), definitions.clone());
            }
            Argument {
                name: name.as_str().into(),
                required: required.contains(&name.as_str()),
                file: property["x-psprun-file"] == Value::Bool(true),
                schema,
            }
        })
        .collect()
}

/// Loads the files that an argument names, and puts the names under which the plan knows them in their place.
fn files(calling: &mut Calling, expr: &mut Expr) -> Result<(), Diagnostic> {
    match expr {
        Expr::Value(Value::String(text)) => file(calling, text),
        Expr::Value(Value::Array(items)) => items.iter_mut().try_for_each(|item| match item {
            Value::String(text) => file(calling, text),
            _ => Ok(()),
        }),
        Expr::List(items) => items.iter_mut().try_for_each(|item| files(calling, item)),
        _ => Ok(()),
    }
}

fn file(calling: &mut Calling, text: &mut String) -> Result<(), Diagnostic> {
    if text.trim().is_empty() {
        return Err(Diagnostic::new(
            "psprun::plan::no_file",
            "an empty text names no file",
        ));
    }
    if text.contains('\n') || text.starts_with(['/', '~']) || text.contains("://") {
        return Ok(());
    }
    *text = load(calling.builder, &calling.at.file, text)?;
    Ok(())
}

/// Loads a file or folder of the playbook into the plan.
pub(crate) fn load(builder: &mut builder::Builder, from: &str, path: &str) -> Result<String, Diagnostic> {
    let (name, files) = builder.sources.files(from, path)?;
    for (name, bytes) in files {
        if builder.files.get(&name).is_none() {
            builder.files.insert(name, bytes);
        }
    }
    Ok(name)
}

/// Whether a known value can be what the schema asks for: enough to catch a wrong type while other arguments are not
/// known yet. What is wrong completes "`name` of `builtin` …".
fn check_type(schema: &Value, root: &Value, expr: &Expr) -> Result<(), String> {
    let got = match expr {
        Expr::Value(value) => json_type(value),
        Expr::Ref(_) => return Ok(()),
        Expr::Text(_) => "string",
        Expr::List(_) => "array",
        Expr::Map(_) => "object",
    };
    let mut allowed: Vec<String> = Vec::new();
    if accepts(schema, root, got, expr, &mut allowed, 0) {
        return Ok(());
    }
    allowed.retain(|name| name != "null");
    allowed.dedup();
    let words: Vec<&str> = allowed.iter().map(|name| plain(name)).collect();
    Err(format!("must be {}, not {}", words.join(" or "), plain(got)))
}

fn accepts(
    schema: &Value,
    root: &Value,
    got: &str,
    expr: &Expr,
    allowed: &mut Vec<String>,
    depth: usize,
) -> bool {
    if depth > 8 {
        return true;
    }
    if let Some(name) = schema["$ref"]
        .as_str()
        .and_then(|name| name.strip_prefix("#/$defs/"))
    {
        return accepts(&root["$defs"][name], root, got, expr, allowed, depth + 1);
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(choices) = schema[key].as_array() {
            return choices
                .iter()
                .any(|choice| accepts(choice, root, got, expr, allowed, depth + 1));
        }
    }
    if let Expr::Value(value) = expr
        && let Some(choices) = schema["enum"].as_array()
    {
        if choices.contains(value) {
            return true;
        }
        allowed.extend(
            choices
                .iter()
                .map(|choice| format!("\u{60}{}\u{60}", choice.as_str().unwrap_or_default())),
        );
        return false;
    }
    if let (Expr::Value(value), Some(wanted)) = (expr, schema.get("const")) {
        allowed.push(wanted.to_string());
        return value == wanted;
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => return true,
    };
    allowed.extend(types.iter().map(|name| (*name).to_owned()));
    types.iter().any(|wanted| {
        *wanted == got
            || (*wanted == "number" && got == "integer")
            || (*wanted == "closure"
                && got == "object"
                && matches!(expr, Expr::Value(v) if v.get("$closure").is_some()))
    })
}

fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(map) if map.contains_key("$closure") => "closure",
        Value::Object(_) => "object",
    }
}

fn plain(name: &str) -> &str {
    match name {
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "a text",
        "array" => "a list",
        "object" => "a map",
        "closure" => "a closure",
        "null" => "nothing",
        other => other,
    }
}

/// The engine's own builtins take their arguments by position: `check("…", || …)`.
fn register_own(module: &mut Module, call: Call) {
    let Call {
        builtin,
        name,
        positional,
        types,
    } = call;
    for with_options in [false, true] {
        let mut types = types.to_vec();
        if with_options {
            types.push(TypeId::of::<Map>());
        }
        let builtin = builtin.clone();
        FuncRegistration::new(name)
            .in_global_namespace()
            .set_into_module_raw(
                module,
                types,
                native(move |context, args| {
                    builder::with(&context, |builder, at| {
                        let calling = &mut Calling {
                            builder,
                            context: &context,
                            at,
                        };
                        let step = calling.builder.add_step(builtin.clone(), at)?;
                        let mut filled = Vec::new();
                        let mut args = values(args);
                        for (name, value) in positional.iter().zip(args.iter_mut()) {
                            let mut intake = Intake {
                                builder: calling.builder,
                                context: &context,
                                step,
                                at,
                            };
                            filled.push((Arc::from(*name), intake.take(std::mem::take(value))?));
                        }
                        if with_options && let Some(options) = args.last_mut() {
                            let options = std::mem::take(options).flatten().cast::<Map>();
                            for (name, value) in options {
                                modifiers::set(calling, step, &name, value)?;
                            }
                        }
                        calling.builder.fill(step, filled)?;
                        Ok(Dynamic::from(Handle {
                            plan: calling.builder.id,
                            step,
                            path: Arc::from([]),
                        }))
                    })
                }),
            );
    }
}

/// Calls a pure function, or adds a step that will when something is not known yet.
fn call_function(context: &NativeCallContext, function: Function, args: &mut FnCallArgs) -> Raised<Dynamic> {
    let mut args = values(args);
    if args.iter().any(holds_unknown) {
        return builder::with(context, |builder, at| {
            let step = builder.add_step(crate::builtins::function(function), at)?;
            let mut filled = Vec::new();
            for (name, value) in function.params.iter().zip(args.drain(..)) {
                let mut intake = Intake {
                    builder,
                    context,
                    step,
                    at,
                };
                filled.push((Arc::from(name.trim_end_matches('?')), intake.take(value)?));
            }
            builder.fill(step, filled)?;
            Ok(Dynamic::from(Handle {
                plan: builder.id,
                step,
                path: Arc::from([]),
            }))
        });
    }
    let known = args.iter().map(to_json).collect::<Result<Vec<_>, _>>();
    let result = known
        .map_err(|what| format!("{what} cannot be an argument"))
        .and_then(|mut known| {
            known.resize(function.params.len(), Value::Null);
            (function.call)(&known)
        });
    result.map(|value| to_dynamic(&value)).map_err(|message| {
        let at = Location::new(
            context.call_source().unwrap_or_default(),
            context.call_position().line().map_or(0, |line| line as u32),
            context
                .call_position()
                .position()
                .map_or(0, |column| column as u32),
        );
        builder::raise(
            Diagnostic::new(
                "psprun::plan::function",
                format!("`{}`: {message}", function.name),
            )
            .at(at, ""),
        )
    })
}

/// Whether something in a value is not known yet.
fn holds_unknown(value: &Dynamic) -> bool {
    if let Some(items) = value.read_lock::<Array>() {
        return items.iter().any(holds_unknown);
    }
    if let Some(map) = value.read_lock::<Map>() {
        return map.values().any(holds_unknown);
    }
    is_unknown(value)
}

/// Handles as values of the script: reading on into the result, and interpolation.
pub(crate) fn register_handles(engine: &mut Engine) {
    engine
        .register_type_with_name::<Handle>("Handle")
        .register_type_with_name::<super::handle::Group>("Group");
    engine.register_indexer_get(|handle: &mut Handle, key: ImmutableString| {
        handle.join(crate::plan::Key::Name(key.as_str().into()))
    });
    engine
        .register_indexer_get(|handle: &mut Handle, index: i64| handle.join(crate::plan::Key::Index(index)));
    for name in ["to_string", "to_debug"] {
        engine.register_raw_fn(name, [TypeId::of::<Handle>()], |context, args| {
            let handle = args[0].read_lock::<Handle>().map(|handle| (*handle).clone());
            token_of(&context, handle)
        });
    }
    engine.register_raw_fn(
        "+",
        [TypeId::of::<ImmutableString>(), TypeId::of::<Handle>()],
        |context, args| {
            let handle = args[1].read_lock::<Handle>().map(|handle| (*handle).clone());
            let left = args[0].clone().into_immutable_string().unwrap_or_default();
            Ok(ImmutableString::from(format!(
                "{left}{}",
                token_of(&context, handle)?
            )))
        },
    );
    engine.register_raw_fn(
        "+",
        [TypeId::of::<Handle>(), TypeId::of::<ImmutableString>()],
        |context, args| {
            let handle = args[0].read_lock::<Handle>().map(|handle| (*handle).clone());
            let right = args[1].clone().into_immutable_string().unwrap_or_default();
            Ok(ImmutableString::from(format!(
                "{}{right}",
                token_of(&context, handle)?
            )))
        },
    );
}

fn token_of(context: &NativeCallContext, handle: Option<Handle>) -> Raised<ImmutableString> {
    builder::with(context, |builder, _| {
        let Some(handle) = handle else {
            return Ok(ImmutableString::new());
        };
        if handle.plan != builder.id {
            // A handle that a fan-out kept: its value is known.
            let output = builder
                .outer
                .get(&(handle.plan, handle.step))
                .cloned()
                .unwrap_or_default();
            let value = crate::plan::follow(&output, &handle.path)
                .map_err(|error| Diagnostic::new("psprun::plan::no_path", error.to_string()))?;
            return Ok(match value {
                Value::String(text) => text.as_str().into(),
                other => other.to_string().into(),
            });
        }
        let reference = crate::plan::Reference {
            step: handle.step,
            path: handle.path,
        };
        Ok(super::token::token(builder.token(reference)).into())
    })
}
