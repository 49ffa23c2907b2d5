//! Words for what Rhai reports: what, where, why, and what to do.

use std::sync::Arc;

use rhai::{Dynamic, EvalAltResult, ParseErrorType, Position};

use super::look::early_look;
use crate::diagnostic::{Diagnostic, Location, did_you_mean};
use crate::registry::Registry;

/// How many callers of a failing function are shown.
const CALLERS: usize = 4;

/// Words an error of the script. `file` is the script whose evaluation gave the error.
pub(crate) fn diagnose(error: &EvalAltResult, file: &Arc<str>, registry: Option<&Registry>) -> Diagnostic {
    let mut file = file.clone();
    let mut callers: Vec<(Location, String)> = Vec::new();
    let mut here = error;
    loop {
        match here {
            EvalAltResult::ErrorInFunctionCall(name, source, inner, position) => {
                let text = if name.starts_with("anon$") {
                    "in the closure that is called here".to_owned()
                } else {
                    format!("in `{name}`, called here")
                };
                callers.push((place(&file, *position), text));
                if !source.is_empty() {
                    file = Arc::from(source.as_str());
                }
                here = inner;
            }
            EvalAltResult::ErrorInModule(name, inner, position) => {
                callers.push((place(&file, *position), "imported here".to_owned()));
                if !name.is_empty() {
                    file = Arc::from(name.as_str());
                }
                here = inner;
            }
            _ => break,
        }
    }
    callers.reverse();
    callers.truncate(CALLERS);
    let at = place(&file, here.position());
    let mut diagnostic = word(here, registry);
    if diagnostic.labels.is_empty() {
        diagnostic = diagnostic.at(at, "");
    }
    diagnostic
        .labels
        .extend(callers.into_iter().filter(|(place, _)| place.line > 0));
    diagnostic
}

fn place(file: &Arc<str>, position: Position) -> Location {
    Location {
        file: file.clone(),
        line: position.line().map_or(0, |line| line as u32),
        column: position.position().map_or(0, |column| column as u32),
    }
}

fn word(error: &EvalAltResult, registry: Option<&Registry>) -> Diagnostic {
    fn new(code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(code, message)
    }
    match error {
        EvalAltResult::ErrorRuntime(token, _) if token.is::<Diagnostic>() => token.clone_cast::<Diagnostic>(),
        EvalAltResult::ErrorSystem(_, inner) => new("psprun::plan::script", inner.to_string()),
        EvalAltResult::ErrorParsing(kind, _) => syntax(kind),
        EvalAltResult::ErrorVariableNotFound(name, _) => new(
            "psprun::plan::no_variable",
            format!("there is no variable `{name}`"),
        ),
        EvalAltResult::ErrorFunctionNotFound(signature, _) => no_function(signature, registry),
        EvalAltResult::ErrorModuleNotFound(name, _) => {
            new("psprun::plan::no_module", format!("there is no module `{name}`"))
        }
        EvalAltResult::ErrorPropertyNotFound(name, _) => new(
            "psprun::plan::no_property",
            format!("there is no property `{name}` in this map"),
        ),
        EvalAltResult::ErrorIndexNotFound(index, _) => {
            new("psprun::plan::no_index", format!("there is no `{index}` in this"))
        }
        EvalAltResult::ErrorMismatchDataType(wanted, got, _)
        | EvalAltResult::ErrorMismatchOutputType(wanted, got, _) => {
            if got.contains("Handle") {
                early_look(if wanted == "bool" { "a condition" } else { "this" })
            } else {
                new(
                    "psprun::plan::type",
                    format!(
                        "a {} is needed here, this is a {}",
                        plain_type(wanted),
                        plain_type(got)
                    ),
                )
            }
        }
        EvalAltResult::ErrorFor(_) => early_or_not_iterable(),
        EvalAltResult::ErrorTooManyOperations(_) => new(
            "psprun::plan::limit",
            "the playbook does not come to an end (too many operations while planning)",
        )
        .help("look for a loop without an end at this place"),
        EvalAltResult::ErrorDataRace(..) => new(
            "psprun::plan::own_closure",
            "a closure in a function looks at the very variable on which the call is made",
        )
        .help("take what it looks at out first: `let created = cluster.created; cluster.get(\"pods\").when(|| created)`"),
        EvalAltResult::ErrorTerminated(..) => {
            new("psprun::plan::limit", "the playbook takes too long to plan")
                .help("look for a list or map that grows at each turn of a loop at this place")
        }
        EvalAltResult::ErrorStackOverflow(_) => {
            new("psprun::plan::limit", "functions call each other too deeply")
                .help("look for a recursion without an end")
        }
        EvalAltResult::ErrorDataTooLarge(what, _) => new(
            "psprun::plan::limit",
            format!("this {} gets too large", data_word(what)),
        )
        .help("large content belongs in a file of the playbook or in a download, not in the script"),
        EvalAltResult::ErrorTooManyVariables(_) => new("psprun::plan::limit", "too many variables"),
        EvalAltResult::ErrorTooManyModules(_) => new("psprun::plan::limit", "too many imports"),
        EvalAltResult::ErrorAssignmentToConstant(name, _) => {
            new("psprun::plan::constant", format!("`{name}` is a constant"))
        }
        EvalAltResult::ErrorRuntime(token, _) => new("psprun::plan::thrown", thrown(token)),
        EvalAltResult::ErrorDotExpr(message, _) if !message.is_empty() => {
            new("psprun::plan::script", message.clone())
        }
        other => {
            let mut copy = other.to_string();
            // Rhai appends the position, which the label says already.
            if let Some(start) = copy.rfind(" (line ") {
                copy.truncate(start);
            }
            new("psprun::plan::script", lower_first(&copy))
        }
    }
}

fn early_or_not_iterable() -> Diagnostic {
    Diagnostic::new("psprun::plan::early_look", "`for` cannot go over this")
        .help("over a list that only the run knows: `for_each(handle, |item| …)`; over a plain list: `for item in list { … }`")
}

/// The message of a `throw`.
fn thrown(token: &Dynamic) -> String {
    if token.is_unit() {
        "the playbook threw an error without a message".to_owned()
    } else {
        token.to_string()
    }
}

fn syntax(kind: &ParseErrorType) -> Diagnostic {
    match kind {
        ParseErrorType::VariableUndefined(name) => Diagnostic::new(
            "psprun::plan::no_variable",
            format!("there is no variable `{name}`"),
        )
        .help("a variable must be defined with `let` before this place; text needs quotes"),
        ParseErrorType::Reserved(word) => Diagnostic::new(
            "psprun::plan::syntax",
            format!("`{word}` is a reserved word of the language"),
        )
        .help("choose another name; as a map's key put it in quotes"),
        ParseErrorType::ExprTooDeep => {
            Diagnostic::new("psprun::plan::limit", "brackets are nested too deeply")
        }
        ParseErrorType::TooManyFunctions => Diagnostic::new("psprun::plan::limit", "too many functions"),
        other => Diagnostic::new(
            "psprun::plan::syntax",
            format!("syntax error: {}", lower_first(&other.to_string())),
        ),
    }
}

/// `apply (Handle, &str | ImmutableString | String)`: a name and the types of the arguments.
fn no_function(signature: &str, registry: Option<&Registry>) -> Diagnostic {
    let (name, types) = match signature.split_once(" (") {
        Some((name, rest)) => (name.trim(), rest.trim_end_matches(')')),
        None => (signature.trim(), ""),
    };
    let name = name.trim_start_matches("get$");
    let has_handle = types.contains("Handle");
    let spec = registry.and_then(|registry| registry.find(name));
    if let Some(spec) = spec {
        let usage = spec.usage();
        return Diagnostic::new(
            "psprun::plan::wrong_call",
            format!("`{name}` cannot be called like this"),
        )
        .help(format!(
            "call it as `{usage}`; `psprun builtins {}` explains it",
            spec.name
        ));
    }
    if has_handle {
        let known = registry.map(|registry| registry.words()).unwrap_or_default();
        if let Some(meant) = did_you_mean(name, known.iter().map(String::as_str)) {
            return Diagnostic::new(
                "psprun::plan::no_function",
                format!("there is no builtin or method `{name}`"),
            )
            .help(format!("did you mean `{meant}`?"));
        }
        if is_of_the_language(name) {
            return early_look(&format!("`{name}`"));
        }
        return Diagnostic::new(
            "psprun::plan::no_function",
            format!("there is no builtin or method `{name}`"),
        )
        .help("`psprun builtins` lists what there is");
    }
    let known = registry.map(|registry| registry.words()).unwrap_or_default();
    let mut diagnostic = Diagnostic::new(
        "psprun::plan::no_function",
        format!("there is no function `{name}` for ({})", plain_types(types)),
    );
    diagnostic.help = Some(match did_you_mean(name, known.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "`psprun builtins` lists what there is".to_owned(),
    });
    diagnostic
}

/// Whether the language itself has an operator or function of this name.
fn is_of_the_language(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_alphabetic() || c == '_')
        || rhai::Engine::new()
            .collect_fn_metadata(None, |info| Some(info.metadata.name.to_string()), true)
            .iter()
            .any(|known| known.trim_start_matches("get$") == name)
}

fn plain_types(types: &str) -> String {
    types.split(", ").map(plain_type).collect::<Vec<_>>().join(", ")
}

pub(crate) fn plain_type(name: &str) -> String {
    let plain = match name {
        "&str | ImmutableString | String" | "string" | "ImmutableString" => "string",
        "i64" => "whole number",
        "f64" => "number",
        "bool" => "bool",
        "array" | "Array" => "list",
        "map" | "Map" => "map",
        "()" => "nothing",
        "Fn" | "FnPtr" => "closure",
        other if other.contains("Range") => "range",
        other => other,
    };
    plain.to_owned()
}

fn data_word(what: &str) -> &str {
    if what.contains("tring") {
        "text"
    } else if what.contains("rray") {
        "list"
    } else if what.contains("ap") {
        "map"
    } else {
        "value"
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), chars.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() || second == ' ' => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}
