//! Parameters: `param(name, default, doc)` and `param(name, #{ type, default, doc, choices, pattern, min, max, secret })`.

use std::any::TypeId;
use std::collections::BTreeMap;

use rhai::{Dynamic, Engine, ImmutableString, Map};
use serde::Serialize;
use serde_json::Value;

use super::builder::{self, Builder};
use super::convert::{to_dynamic, to_json};
use crate::diagnostic::{Diagnostic, Location, did_you_mean};

/// Values for a playbook's parameters. A string is read as the parameter's type says.
pub type Values = BTreeMap<String, Value>;

/// A parameter that a playbook declares.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Param {
    /// Its name, for `--set NAME=VALUE`.
    pub name: String,
    /// What it is for.
    pub doc: String,
    /// `string`, `int`, `float`, `bool`, `list` or `map`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The value without `--set`; `None` when it must be given.
    pub default: Option<Value>,
    /// The value in force.
    pub value: Option<Value>,
    /// The only values that are allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub choices: Option<Vec<Value>>,
    /// The regular expression that a string must match as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// The smallest number allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The largest number allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// Whether the value must not be shown.
    pub secret: bool,
    #[serde(skip)]
    pub(crate) at: Option<Location>,
}

const KINDS: [&str; 6] = ["string", "int", "float", "bool", "list", "map"];
const FIELDS: [&str; 8] = [
    "type", "default", "doc", "choices", "pattern", "min", "max", "secret",
];

/// Registers `param`.
pub(crate) fn register(engine: &mut Engine) {
    let (text, any) = (TypeId::of::<ImmutableString>(), TypeId::of::<Dynamic>());
    for arity in 1..=3 {
        let types: Vec<TypeId> = std::iter::once(text)
            .chain(std::iter::repeat_n(any, arity - 1))
            .collect();
        engine.register_raw_fn("param", types, move |context, args| {
            let args: Vec<Dynamic> = args.iter().map(|arg| arg.flatten_clone()).collect();
            builder::with(&context, |builder, at| declare(builder, at, args))
        });
    }
}

fn wrong(message: impl Into<String>) -> Diagnostic {
    Diagnostic::new("psprun::param::declaration", message)
        .help("write `param(\"name\", default, \"what it is for\")` or `param(\"name\", #{ type: \"int\", doc: \"…\" })`")
}

fn declare(builder: &mut Builder, at: &Location, mut args: Vec<Dynamic>) -> Result<Dynamic, Diagnostic> {
    let name = args
        .remove(0)
        .into_immutable_string()
        .unwrap_or_default()
        .to_string();
    let mut param = Param {
        name,
        doc: String::new(),
        kind: "string".to_owned(),
        default: None,
        value: None,
        choices: None,
        pattern: None,
        min: None,
        max: None,
        secret: false,
        at: Some(at.clone()),
    };
    if args.len() == 1 && args[0].is::<Map>() {
        fields(&mut param, args.remove(0).flatten().cast())?;
    } else if let Some(default) = args.first() {
        let default = to_json(default).map_err(|what| wrong(format!("{what} cannot be a default")))?;
        param.kind = kind_of(&default).to_owned();
        param.default = Some(default);
        if let Some(doc) = args.get(1) {
            param.doc = doc
                .clone()
                .into_immutable_string()
                .map_err(|_| wrong("the third argument is the text on what it is for"))?
                .to_string();
        }
    }
    if let Some(known) = builder.params.iter().find(|known| known.name == param.name) {
        if known.kind == param.kind && known.default == param.default {
            return Ok(known.value.as_ref().map_or(Dynamic::UNIT, to_dynamic));
        }
        let mut problem = Diagnostic::new(
            "psprun::param::twice",
            format!("the parameter `{}` is declared twice, differently", param.name),
        )
        .at(at.clone(), "here");
        if let Some(first) = &known.at {
            problem = problem.at(first.clone(), "and here");
        }
        return Err(problem);
    }
    if let Some(default) = &param.default {
        check(&param, default).map_err(|why| wrong(format!("the default of `{}` {why}", param.name)))?;
    }
    let given = builder.values.get(&param.name).cloned();
    let value = match given {
        Some(given) => read(&param, given).map_err(|problem| problem.at(at.clone(), "declared here"))?,
        None => match &param.default {
            Some(default) => default.clone(),
            None if builder.lenient => stand_in(&param),
            None => {
                return Err(Diagnostic::new(
                    "psprun::param::missing",
                    format!("the parameter `{}` has no value", param.name),
                )
                .at(
                    at.clone(),
                    if param.doc.is_empty() {
                        "declared here".to_owned()
                    } else {
                        param.doc.clone()
                    },
                )
                .help(format!("give one: `--set {}=…`", param.name)));
            }
        },
    };
    if param.secret
        && let Value::String(text) = &value
    {
        builder.secrets.add(text);
    }
    let result = to_dynamic(&value);
    param.value = Some(value);
    builder.params.push(param);
    Ok(result)
}

fn fields(param: &mut Param, map: Map) -> Result<(), Diagnostic> {
    let mut kind = None;
    for (key, value) in map {
        let text = || {
            value
                .clone()
                .into_immutable_string()
                .map(|text| text.to_string())
                .map_err(|_| wrong(format!("`{key}` must be a text")))
        };
        let number = || {
            value
                .as_float()
                .or_else(|_| value.as_int().map(|n| n as f64))
                .map_err(|_| wrong(format!("`{key}` must be a number")))
        };
        match key.as_str() {
            "type" => kind = Some(text()?),
            "doc" => param.doc = text()?,
            "default" => {
                param.default =
                    Some(to_json(&value).map_err(|what| wrong(format!("{what} cannot be a default")))?)
            }
            "choices" => {
                let choices = to_json(&value).ok().and_then(|value| value.as_array().cloned());
                param.choices = Some(choices.ok_or_else(|| wrong("`choices` must be a list"))?);
            }
            "pattern" => {
                let pattern = text()?;
                regex::Regex::new(&pattern)
                    .map_err(|error| wrong(format!("`pattern` is no regular expression: {error}")))?;
                param.pattern = Some(pattern);
            }
            "min" => param.min = Some(number()?),
            "max" => param.max = Some(number()?),
            "secret" => {
                param.secret = value
                    .as_bool()
                    .map_err(|_| wrong("`secret` must be true or false"))?
            }
            other => {
                let help = match did_you_mean(other, FIELDS) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("there are {}", FIELDS.join(", ")),
                };
                return Err(wrong(format!("a parameter has no `{other}`")).help(help));
            }
        }
    }
    param.kind = match kind {
        Some(kind) if KINDS.contains(&kind.as_str()) => kind,
        Some(kind) => {
            return Err(wrong(format!(
                "`{kind}` is no type; there are {}",
                KINDS.join(", ")
            )));
        }
        None => param
            .default
            .as_ref()
            .or_else(|| param.choices.as_ref().and_then(|choices| choices.first()))
            .map_or("string", kind_of)
            .to_owned(),
    };
    Ok(())
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::Array(_) => "list",
        Value::Object(_) => "map",
        Value::Null | Value::String(_) => "string",
    }
}

fn stand_in(param: &Param) -> Value {
    if let Some(first) = param.choices.as_ref().and_then(|choices| choices.first()) {
        return first.clone();
    }
    match param.kind.as_str() {
        "int" => Value::from(param.min.unwrap_or_default() as i64),
        "float" => Value::from(param.min.unwrap_or_default()),
        "bool" => Value::Bool(false),
        "list" => Value::Array(Vec::new()),
        "map" => Value::Object(serde_json::Map::new()),
        _ => Value::String(format!("<{}>", param.name)),
    }
}

/// The value that the user gave, read as the parameter's type says.
fn read(param: &Param, given: Value) -> Result<Value, Diagnostic> {
    let shown = if param.secret {
        "the value".to_owned()
    } else {
        format!("`{}`", crate::builtin::show_short(&given))
    };
    let value = match (&given, param.kind.as_str()) {
        (Value::String(text), "int") => text.trim().parse::<i64>().ok().map(Value::from),
        (Value::String(text), "float") => text
            .trim()
            .parse::<f64>()
            .ok()
            .filter(|n| n.is_finite())
            .map(Value::from),
        (Value::String(text), "bool") => match text.trim() {
            "true" | "yes" | "on" => Some(Value::Bool(true)),
            "false" | "no" | "off" => Some(Value::Bool(false)),
            _ => None,
        },
        // A list on the command line: JSON, or words with commas between them.
        (Value::String(text), "list") if text.trim_start().starts_with('[') => {
            serde_json::from_str::<Value>(text).ok().filter(Value::is_array)
        }
        (Value::String(text), "list") => Some(
            text.split(',')
                .map(str::trim)
                .filter(|word| !word.is_empty())
                .map(Value::from)
                .collect(),
        ),
        (Value::String(text), "map") => serde_json::from_str::<Value>(text).ok().filter(Value::is_object),
        (Value::Number(number), "string") => Some(Value::String(number.to_string())),
        (Value::Bool(flag), "string") => Some(Value::String(flag.to_string())),
        (Value::Number(number), "float") => number.as_f64().map(Value::from),
        (_, kind) if kind_of(&given) == kind && !given.is_null() => Some(given.clone()),
        _ => None,
    };
    let Some(value) = value else {
        return Err(Diagnostic::new(
            "psprun::param::type",
            format!(
                "{shown} is no {} for the parameter `{}`",
                kind_word(&param.kind),
                param.name
            ),
        )
        .help(match param.kind.as_str() {
            "bool" => "write true or false",
            "list" => "write words with commas between them, or a JSON list",
            "map" => "write a JSON map, or use `--values FILE`",
            _ => "write a number",
        }));
    };
    check(param, &value).map_err(|why| {
        let mut problem = Diagnostic::new(
            "psprun::param::value",
            format!("{shown} for the parameter `{}` {why}", param.name),
        );
        if let (Some(choices), Value::String(text)) = (&param.choices, &value)
            && let Some(meant) = did_you_mean(text, choices.iter().filter_map(Value::as_str))
        {
            problem = problem.help(format!("did you mean `{meant}`?"));
        }
        problem
    })?;
    Ok(value)
}

fn kind_word(kind: &str) -> &str {
    match kind {
        "int" => "whole number",
        "float" => "number",
        "bool" => "bool",
        other => other,
    }
}

/// Whether a value keeps to choices, pattern and bounds; what is wrong completes "`x` …".
fn check(param: &Param, value: &Value) -> Result<(), String> {
    if let Some(choices) = &param.choices {
        let all = |value: &Value| choices.contains(value);
        if !value
            .as_array()
            .map_or_else(|| all(value), |items| items.iter().all(all))
        {
            let words: Vec<String> = choices.iter().map(crate::builtin::show_short).collect();
            return Err(format!("is not one of {}", words.join(", ")));
        }
    }
    if let (Some(pattern), Some(text)) = (&param.pattern, value.as_str()) {
        let whole = regex::Regex::new(&format!("^(?:{pattern})$")).map_err(|error| error.to_string())?;
        if !whole.is_match(text) {
            return Err(format!("does not match `{pattern}`"));
        }
    }
    if let Some(number) = value.as_f64() {
        if let Some(min) = param.min.filter(|min| number < *min) {
            return Err(format!("is less than {min}"));
        }
        if let Some(max) = param.max.filter(|max| number > *max) {
            return Err(format!("is more than {max}"));
        }
    }
    Ok(())
}

/// The values that no parameter takes.
pub(crate) fn unknown(builder: &Builder) -> Vec<Diagnostic> {
    let known: Vec<&str> = builder.params.iter().map(|param| param.name.as_str()).collect();
    builder
        .values
        .keys()
        .filter(|name| !known.contains(&name.as_str()))
        .map(|name| {
            let list = if known.is_empty() {
                "it has none".to_owned()
            } else {
                format!("it has {}", known.join(", "))
            };
            let help = match did_you_mean(name, known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`? {list}"),
                None => list,
            };
            Diagnostic::new(
                "psprun::param::unknown",
                format!("the playbook has no parameter `{name}`"),
            )
            .help(help)
        })
        .collect()
}
