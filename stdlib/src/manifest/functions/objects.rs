//! Functions on the objects of a manifest. Each takes a list of objects, a single object, or a manifest's text, and gives
//! a list, or for a single object a single one.

use psprun_engine::Function;
use psprun_engine::diagnostic::did_you_mean;
use serde_json::Value;

use super::path::{self, parse};
use super::{kind_of, optional_text, pattern, text_of};
use crate::manifest::{Manifest, to_yaml, to_yaml_documents};

pub(super) const ALL: &[Function] = &[
    Function {
        name: "manifest::parse",
        summary: "Reads a manifest's text (YAML or JSON, one or many documents) as a list of objects",
        params: &["text"],
        call: |args| Ok(Value::Array(documents(text_of(args, 0, "text")?)?)),
        example: "manifest::parse(\"kind: A\\n---\\nkind: B\\n\")",
        gives: r#"[{"kind": "A"}, {"kind": "B"}]"#,
    },
    Function {
        name: "manifest::emit",
        summary: "Writes objects as a manifest's text, with `---` between them",
        params: &["objects"],
        call: emit,
        example: "manifest::emit([#{ kind: \"A\" }, #{ kind: \"B\" }])",
        gives: r#""kind: A\n---\nkind: B\n""#,
    },
    Function {
        name: "manifest::select",
        summary: "The objects of a kind, or of a kind and name, as a list",
        params: &["objects", "kind", "name?"],
        call: |args| pick(args, true),
        example: "manifest::select(\"kind: A\\n---\\nkind: B\\n\", \"B\")",
        gives: r#"[{"kind": "B"}]"#,
    },
    Function {
        name: "manifest::without",
        summary: "All objects but those of a kind, or of a kind and name, as a list",
        params: &["objects", "kind", "name?"],
        call: |args| pick(args, false),
        example: "manifest::without(\"kind: A\\n---\\nkind: B\\n\", \"B\")",
        gives: r#"[{"kind": "A"}]"#,
    },
    Function {
        name: "manifest::set",
        summary: "Sets the field at a path, in all objects or in those of a kind and name",
        params: &["objects", "path", "value", "kind?", "name?"],
        call: set,
        example: "manifest::set(#{ spec: #{ containers: [#{ name: \"web\" }] } }, \"spec.containers[name=web].image\", \"nginx\")",
        gives: r#"{"spec": {"containers": [{"name": "web", "image": "nginx"}]}}"#,
    },
    Function {
        name: "manifest::append",
        summary: "Adds an item, or the items of a list, to the list at a path, in all objects or in those of a kind and name",
        params: &["objects", "path", "items", "kind?", "name?"],
        call: append,
        example: "manifest::append(#{ args: [\"--a\"] }, \"args\", \"--b\")",
        gives: r#"{"args": ["--a", "--b"]}"#,
    },
    Function {
        name: "manifest::merge",
        summary: "Merges a map into all objects or into those of a kind and name; `()` removes a field, lists are replaced",
        params: &["objects", "patch", "kind?", "name?"],
        call: merge,
        example: "manifest::merge(#{ metadata: #{ labels: #{ a: \"b\" } } }, #{ metadata: #{ labels: #{ c: \"d\" } } })",
        gives: r#"{"metadata": {"labels": {"a": "b", "c": "d"}}}"#,
    },
    Function {
        name: "manifest::json_patch",
        summary: "Applies a JSON patch (RFC 6902) to all objects or to those of a kind and name",
        params: &["objects", "operations", "kind?", "name?"],
        call: json_patch,
        example: "manifest::json_patch(#{ a: [1, 2] }, [#{ op: \"remove\", path: \"/a/0\" }])",
        gives: r#"{"a": [2]}"#,
    },
    Function {
        name: "manifest::without_annotations",
        summary: "Takes out the annotations whose names match a regular expression, of objects and of their pod templates",
        params: &["objects", "pattern"],
        call: without_annotations,
        example: "manifest::without_annotations(#{ metadata: #{ annotations: #{ \"apparmor.x/y\": \"a\", b: \"c\" } } }, \"^apparmor\")",
        gives: r#"{"metadata": {"annotations": {"b": "c"}}}"#,
    },
    Function {
        name: "to_yaml",
        summary: "A value as YAML",
        params: &["value"],
        call: |args| to_yaml(&args[0]).map(Value::from),
        example: "to_yaml(#{ a: [1, \"yes\"] })",
        gives: r#""a:\n- 1\n- 'yes'\n""#,
    },
    Function {
        name: "from_yaml",
        summary: "The value of a YAML text with one document, read as kubectl reads it",
        params: &["text"],
        call: from_yaml,
        example: "from_yaml(\"a: [1, 0644, 'yes']\")",
        gives: r#"{"a": [1, 420, "yes"]}"#,
    },
];

// --- taking objects in and giving them back --------------------------------------------------------------------------

/// All documents of a text, which are maps.
fn documents(text: &str) -> Result<Vec<Value>, String> {
    let manifest = Manifest::read("text", text).map_err(|error| error.to_string())?;
    let is_map = |value: &Value| match value {
        Value::Object(_) => Ok(()),
        other => Err(format!("a document is {}, not a map", kind_of(other))),
    };
    let values: Vec<Value> = manifest
        .documents
        .into_iter()
        .map(|document| document.value)
        .collect();
    values.iter().try_for_each(is_map)?;
    Ok(values)
}

/// The objects of an argument, and whether it was a single one.
fn objects(args: &[Value]) -> Result<(Vec<Value>, bool), String> {
    match args.first() {
        Some(Value::String(text)) => Ok((documents(text)?, false)),
        Some(map @ Value::Object(_)) => Ok((vec![map.clone()], true)),
        Some(Value::Array(items)) => {
            // Of several files each is a list.
            let flat: Vec<Value> = items
                .iter()
                .flat_map(|item| match item {
                    Value::Array(inner) => inner.clone(),
                    other => vec![other.clone()],
                })
                .collect();
            match flat.iter().find(|item| !item.is_object()) {
                Some(wrong) => Err(format!(
                    "`objects` has to be a list of maps: {} is among them",
                    kind_of(wrong)
                )),
                None => Ok((flat, false)),
            }
        }
        other => Err(format!(
            "`objects` has to be a manifest's text, a map or a list of maps, not {}",
            kind_of(other.unwrap_or(&Value::Null))
        )),
    }
}

fn give_back(mut objects: Vec<Value>, single: bool) -> Value {
    if single && objects.len() == 1 {
        objects.remove(0)
    } else {
        Value::Array(objects)
    }
}

/// Which objects are meant: by `kind` (also `apps/v1/Deployment`, `apps/Deployment`) and by `name`.
struct Wanted<'a> {
    kind: Option<&'a str>,
    name: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    fn new(args: &'a [Value], index: usize) -> Result<Self, String> {
        Ok(Self {
            kind: optional_text(args, index, "kind")?,
            name: optional_text(args, index + 1, "name")?,
        })
    }

    fn fits(&self, object: &Value) -> bool {
        let fits_kind = self.kind.is_none_or(|wanted| {
            let kind = object["kind"].as_str().unwrap_or_default();
            let version = object["apiVersion"].as_str().unwrap_or_default();
            match wanted.rsplit_once('/') {
                None => kind == wanted,
                Some((before, wanted)) => {
                    kind == wanted
                        && (version == before
                            || version.split_once('/').is_some_and(|(group, _)| group == before))
                }
            }
        });
        fits_kind && self.name.is_none_or(|name| object["metadata"]["name"] == name)
    }

    /// That nothing fits is a mistake where something is to be changed.
    fn nothing(&self, objects: &[Value]) -> String {
        let shown = match (self.kind, self.name) {
            (Some(kind), Some(name)) => format!("{kind} `{name}`"),
            (Some(kind), None) => format!("kind `{kind}`"),
            (None, Some(name)) => format!("name `{name}`"),
            (None, None) => return "there are no objects".into(),
        };
        let there: Vec<String> = objects
            .iter()
            .map(|object| {
                let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
                format!("{} {}", text(&object["kind"]), text(&object["metadata"]["name"]))
            })
            .collect();
        let guess = self
            .kind
            .and_then(|kind| did_you_mean(kind, objects.iter().filter_map(|o| o["kind"].as_str())));
        match guess.filter(|guess| Some(*guess) != self.kind) {
            Some(guess) => format!("no object has the {shown}; did you mean `{guess}`?"),
            None => format!("no object has the {shown}; there is {}", there.join(", ")),
        }
    }
}

/// Changes the objects that are meant.
fn change(
    args: &[Value],
    wanted_at: usize,
    mut change_it: impl FnMut(&mut Value) -> Result<(), String>,
) -> Result<Value, String> {
    let (mut objects, single) = objects(args)?;
    let wanted = Wanted::new(args, wanted_at)?;
    let mut any = false;
    for object in objects.iter_mut().filter(|object| wanted.fits(object)) {
        any = true;
        change_it(object).map_err(|why| {
            match (object["kind"].as_str(), object["metadata"]["name"].as_str()) {
                (Some(kind), Some(name)) => format!("{kind} {name}: {why}"),
                _ => why,
            }
        })?;
    }
    if any || (wanted.kind.is_none() && wanted.name.is_none()) {
        Ok(give_back(objects, single))
    } else {
        Err(wanted.nothing(&objects))
    }
}

// --- the functions ---------------------------------------------------------------------------------------------------

fn emit(args: &[Value]) -> Result<Value, String> {
    let (objects, _) = objects(args)?;
    to_yaml_documents(&objects).map(Value::from)
}

fn pick(args: &[Value], fits: bool) -> Result<Value, String> {
    let (objects, _) = objects(args)?;
    let wanted = Wanted::new(args, 1)?;
    Ok(objects
        .into_iter()
        .filter(|object| wanted.fits(object) == fits)
        .collect())
}

fn set(args: &[Value]) -> Result<Value, String> {
    let turns = parse(text_of(args, 1, "path")?)?;
    let value = args.get(2).cloned().unwrap_or_default();
    change(args, 3, |object| {
        path::change(object, &turns, &mut |place| {
            *place = value.clone();
            Ok(())
        })
    })
}

fn append(args: &[Value]) -> Result<Value, String> {
    let turns = parse(text_of(args, 1, "path")?)?;
    let items = match args.get(2) {
        Some(Value::Array(items)) => items.clone(),
        Some(item) => vec![item.clone()],
        None => Vec::new(),
    };
    change(args, 3, |object| {
        path::change(object, &turns, &mut |place| match place {
            Value::Array(list) => {
                list.extend(items.iter().cloned());
                Ok(())
            }
            Value::Null => {
                *place = Value::Array(items.clone());
                Ok(())
            }
            other => Err(format!("at the path stands {}, not a list", kind_of(other))),
        })
    })
}

fn merge(args: &[Value]) -> Result<Value, String> {
    let patch = args
        .get(1)
        .filter(|patch| patch.is_object())
        .ok_or("`patch` has to be a map")?;
    change(args, 2, |object| {
        json_patch::merge(object, patch);
        Ok(())
    })
}

fn json_patch(args: &[Value]) -> Result<Value, String> {
    let operations: json_patch::Patch = serde_json::from_value(args.get(1).cloned().unwrap_or_default())
        .map_err(|error| {
            format!("`operations` is no JSON patch, a list of maps with `op` and `path`: {error}")
        })?;
    change(args, 2, |object| {
        json_patch::patch(object, &operations).map_err(|error| error.to_string())
    })
}

fn without_annotations(args: &[Value]) -> Result<Value, String> {
    let pattern = pattern(text_of(args, 1, "pattern")?)?;
    let (mut objects, single) = objects(args)?;
    for object in &mut objects {
        drop_annotations(object, &pattern);
    }
    Ok(give_back(objects, single))
}

fn drop_annotations(value: &mut Value, pattern: &regex::Regex) {
    let Some(map) = value.as_object_mut() else { return };
    if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut)
        && let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut)
    {
        let before = annotations.len();
        annotations.retain(|name, _| !pattern.is_match(name));
        if annotations.is_empty() && before > 0 {
            metadata.remove("annotations");
        }
    }
    // The templates of pods and jobs.
    for field in ["spec", "template", "jobTemplate"] {
        if let Some(inner) = map.get_mut(field) {
            drop_annotations(inner, pattern);
        }
    }
}

fn from_yaml(args: &[Value]) -> Result<Value, String> {
    let manifest = Manifest::read("text", text_of(args, 0, "text")?).map_err(|error| error.to_string())?;
    let mut documents = manifest.documents;
    match documents.len() {
        0 => Ok(Value::Null),
        1 => Ok(documents.remove(0).value),
        count => Err(format!(
            "the text has {count} documents: `manifest::parse` reads several"
        )),
    }
}
