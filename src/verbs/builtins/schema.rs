//! JSON Schema in words: what a person needs to know of an argument or an output.

use serde_json::{Map, Value};

/// How deep nested fields are explained.
const DEPTH: usize = 4;

/// A field of an argument struct or of an output.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// `string`, `list of int`, `map`, `"a" or "b"`, ….
    pub kind: String,
    /// Whether it must be there.
    pub required: bool,
    /// What it is when it is not given.
    pub default: Option<Value>,
    /// What it is for.
    pub doc: String,
    /// The fields in it.
    pub fields: Vec<Field>,
}

/// A schema with its definitions.
#[derive(Clone, Copy)]
pub struct Schema<'s> {
    root: &'s Value,
}

impl<'s> Schema<'s> {
    /// A whole schema.
    pub fn new(root: &'s Value) -> Self {
        Self { root }
    }

    /// The fields of the schema's own type, in the order in which they are declared.
    pub fn fields(self) -> Vec<Field> {
        self.fields_of(self.root, &[])
    }

    /// What the whole is, in a few words.
    pub fn kind(self) -> String {
        self.kind_of(self.root)
    }

    /// What the whole is for.
    pub fn doc(self) -> String {
        description(self.root)
    }

    /// Follows a reference to a definition.
    fn resolve(self, mut schema: &'s Value) -> &'s Value {
        // A chain of references that never ends would be a broken schema: give up.
        for _ in 0..16 {
            let Some(reference) = schema.get("$ref").and_then(Value::as_str) else {
                return schema;
            };
            let Some(next) = reference
                .strip_prefix('#')
                .and_then(|pointer| self.root.pointer(pointer))
            else {
                return schema;
            };
            schema = next;
        }
        schema
    }

    /// The possible forms of a value, without null and with references followed.
    fn forms(self, schema: &'s Value) -> Vec<&'s Value> {
        let schema = self.resolve(schema);
        let alternatives = ["anyOf", "oneOf"]
            .into_iter()
            .filter_map(|key| schema.get(key)?.as_array())
            .flatten();
        let forms: Vec<&Value> = alternatives
            .flat_map(|form| self.forms(form))
            .filter(|form| form.get("type").is_none_or(|kind| kind != "null"))
            .collect();
        if forms.is_empty() {
            match schema.get("allOf").and_then(Value::as_array).map(Vec::as_slice) {
                Some([only]) => self.forms(only),
                _ => vec![schema],
            }
        } else {
            forms
        }
    }

    fn kind_of(self, schema: &'s Value) -> String {
        let mut words: Vec<String> = Vec::new();
        for form in self.forms(schema) {
            for word in self.words(form) {
                if !words.contains(&word) {
                    words.push(word);
                }
            }
        }
        words.join(" or ")
    }

    fn words(self, form: &'s Value) -> Vec<String> {
        if let Some(value) = form.get("const") {
            return vec![value.to_string()];
        }
        if let Some(values) = form.get("enum").and_then(Value::as_array) {
            return values
                .iter()
                .filter(|value| !value.is_null())
                .map(Value::to_string)
                .collect();
        }
        let types: Vec<&str> = match form.get("type") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
            _ => vec!["any value"],
        };
        types
            .into_iter()
            .filter(|name| *name != "null")
            .map(|name| match name {
                "integer" => "int".to_owned(),
                "number" => "float".to_owned(),
                "boolean" => "bool".to_owned(),
                "array" => match form.get("items") {
                    Some(items) if items.is_object() => of("list of ", &self.kind_of(items), "list"),
                    _ => "list".to_owned(),
                },
                "object" => match form.get("additionalProperties") {
                    Some(items) if items.is_object() && form.get("properties").is_none() => {
                        of("map of ", &self.kind_of(items), "map")
                    }
                    _ => "map".to_owned(),
                },
                other => other.to_owned(),
            })
            .collect()
    }

    /// The fields in a value, as `inside` the forms that are being explained: a form within itself is not explained
    /// again.
    fn fields_of(self, schema: &'s Value, inside: &[&'s Value]) -> Vec<Field> {
        self.forms(schema)
            .into_iter()
            .filter(|form| inside.len() < DEPTH && !inside.iter().any(|outer| std::ptr::eq(*outer, *form)))
            .flat_map(|form| {
                let inside: Vec<&Value> = inside.iter().copied().chain([form]).collect();
                self.fields_of_form(form, &inside)
            })
            .collect()
    }

    fn fields_of_form(self, form: &'s Value, inside: &[&'s Value]) -> Vec<Field> {
        // What is in a list's items or a map's values is explained in its place.
        for inner in ["items", "additionalProperties"] {
            if let Some(items) = form.get(inner).filter(|items| items.is_object())
                && form.get("properties").is_none()
            {
                return self.fields_of(items, inside);
            }
        }
        let Some(properties) = form.get("properties").and_then(Value::as_object) else {
            return Vec::new();
        };
        let required = required(form);
        properties
            .iter()
            .map(|(name, schema)| self.field(name, schema, required.contains(&name.as_str()), inside))
            .collect()
    }

    fn field(self, name: &str, schema: &'s Value, required: bool, inside: &[&'s Value]) -> Field {
        let own = description(schema);
        let doc = if own.is_empty() {
            description(self.resolve(schema))
        } else {
            own
        };
        Field {
            name: name.to_owned(),
            kind: self.kind_of(schema),
            required: required && schema.get("default").is_none(),
            default: schema.get("default").filter(|value| !is_nothing(value)).cloned(),
            doc,
            fields: self.fields_of(schema, inside),
        }
    }
}

fn of(lead: &str, items: &str, alone: &str) -> String {
    match items {
        "" | "any value" => alone.to_owned(),
        items if items.contains(" or ") => format!("{lead}({items})"),
        items => format!("{lead}{items}"),
    }
}

fn required(form: &Value) -> Vec<&str> {
    let names = form.get("required").and_then(Value::as_array);
    names.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The doc comment, as one text.
fn description(schema: &Value) -> String {
    let text = schema
        .get("description")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let paragraphs = text.split("\n\n");
    let joined: Vec<String> = paragraphs
        .map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    joined.join("\n")
}

/// A default that says no more than "absent".
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map == &Map::new(),
        Value::Number(_) => false,
    }
}
