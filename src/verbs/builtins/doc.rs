//! What there is to say of a builtin or a function, before it is drawn.

use psprun_engine::builtin::Receiver;
use psprun_engine::{BuiltinDoc, Function, Spec};

use super::schema::{Field, Schema};

/// A builtin.
pub struct BuiltinPage {
    /// `host::run`.
    pub name: &'static str,
    /// `sh`.
    pub aliases: &'static [&'static str],
    /// One sentence.
    pub summary: &'static str,
    /// How it is called, one line a way.
    pub calls: Vec<String>,
    /// The arguments but for the receiver; the subject first.
    pub args: Vec<Field>,
    /// Which argument is given first.
    pub subject: Option<&'static str>,
    /// What the output is, when it is no map with fields.
    pub output_kind: String,
    /// What the output is for.
    pub output_doc: String,
    /// The output's fields.
    pub output: Vec<Field>,
    /// `cluster`: what the handle can be used as.
    pub produces: Option<&'static str>,
    /// Title and script.
    pub examples: Vec<(&'static str, &'static str)>,
}

/// A function of values alone.
pub struct FunctionPage {
    /// `manifest::parse`.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// `manifest::parse(text)`.
    pub call: String,
    /// An expression.
    pub example: &'static str,
    /// What it gives.
    pub gives: &'static str,
}

impl BuiltinPage {
    /// From the spec and the schemas.
    pub fn of(builtin: &BuiltinDoc<'_>) -> Self {
        let spec = builtin.spec;
        let receiver = match spec.receiver {
            Receiver::None => None,
            Receiver::Optional(kind) | Receiver::Required(kind) => Some(kind),
        };
        let mut args = Schema::new(builtin.args).fields();
        args.retain(|field| Some(field.name.as_str()) != receiver);
        args.sort_by_key(|field| (Some(field.name.as_str()) != spec.subject, !field.required));
        let output = Schema::new(builtin.output);
        Self {
            name: spec.name,
            aliases: spec.aliases,
            summary: spec.summary,
            calls: calls(spec, &args),
            args,
            subject: spec.subject,
            output_kind: output.kind(),
            output_doc: output.doc(),
            output: output.fields(),
            produces: spec.produces,
            examples: spec
                .examples
                .iter()
                .map(|example| (example.title, example.script.trim()))
                .collect(),
        }
    }
}

/// The engine's own builtins take a closure after the subject; the others take a map of options.
const WITH_CLOSURE: &[(&str, &str)] = &[
    ("check", "check(claim, || …)"),
    ("map", "value.map(|value| …)"),
    ("for_each", "for_each(items, |item| …)"),
];

/// `cluster.apply(what, #{ namespace, prune, … })`.
fn calls(spec: &Spec, args: &[Field]) -> Vec<String> {
    const SHOWN: usize = 4;
    if let Some((_, call)) = WITH_CLOSURE.iter().find(|(name, _)| *name == spec.name) {
        return vec![(*call).to_owned()];
    }
    let mut inside: Vec<String> = spec.subject.iter().map(|subject| (*subject).to_owned()).collect();
    let options: Vec<&str> = args
        .iter()
        .map(|field| field.name.as_str())
        .filter(|name| Some(*name) != spec.subject)
        .collect();
    if !options.is_empty() {
        let shown = options.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
        let more = if options.len() > SHOWN { ", …" } else { "" };
        inside.push(format!("#{{ {shown}{more} }}"));
    }
    let inside = inside.join(", ");
    let function = format!("{}({inside})", spec.name);
    let method = |kind: &str| format!("{kind}.{}({inside})", spec.method_name());
    match spec.receiver {
        Receiver::None => vec![function],
        Receiver::Required(kind) => vec![method(kind)],
        Receiver::Optional(kind) => vec![function, method(kind)],
    }
}

impl FunctionPage {
    /// From what is registered.
    pub fn of(function: &Function) -> Self {
        Self {
            name: function.name,
            summary: function.summary,
            call: format!("{}({})", function.name, function.params.join(", ")),
            example: function.example,
            gives: function.gives,
        }
    }
}
