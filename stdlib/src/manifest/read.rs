//! Reads manifests: YAML or JSON text with one or many documents, as kubectl reads it.
//!
//! A key that is written twice is no error, the last one wins, as for kubectl and the API server; each is reported with
//! both places. Scalars mean what kubectl makes of them (see [`super::scalar`]).

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::compose::{Mark, Node, NodeKind, compose};
use super::document::{Finding, FindingKind, Manifest, Origin};
use super::error::{ReadError, guess};
use super::scalar;

impl Manifest {
    /// Reads a file's content.
    ///
    /// # Errors
    /// It is no UTF-8, or no YAML.
    pub fn read_bytes(file: &str, bytes: &[u8]) -> Result<Self, ReadError> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            let line = before.matches('\n').count() + 1;
            let mark = Mark {
                line: u32::try_from(line).unwrap_or(u32::MAX),
                column: 1,
            };
            let mut error = ReadError::at(mark, "it is no UTF-8 text".into());
            error.file = file.to_owned();
            error
        })?;
        Self::read(file, text)
    }

    /// Reads a text. `file` is the name that errors and findings show.
    ///
    /// # Errors
    /// It is no YAML: where, and what to do.
    pub fn read(file: &str, text: &str) -> Result<Self, ReadError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let file: Arc<str> = file.into();
        let in_file = |mut error: ReadError| {
            error.file = file.to_string();
            error
        };
        let composed = match compose(text) {
            Ok(composed) => composed,
            // JSON may be indented with tabs, and be several values one after the other.
            Err(error) if text.trim_start().starts_with('{') => {
                return read_json(&file, text).ok_or_else(|| in_file(guess(text, error)));
            }
            Err(error) => return Err(in_file(guess(text, error))),
        };
        let shared: Arc<str> = text.into();
        let mut manifest = Self::default();
        let last = composed.len().saturating_sub(1);
        for (index, document) in composed.iter().enumerate() {
            let mut reader = Reader {
                file: &file,
                in_secret: false,
                findings: Vec::new(),
            };
            let value = reader.value(&document.root).map_err(in_file)?;
            manifest.findings.append(&mut reader.findings);
            let origin = Origin {
                file: file.clone(),
                index,
                item: None,
                line: document.root.mark.line,
                text: Some(shared.clone()),
            };
            if value.is_null() {
                // A text that begins or ends with `---` is usual, and one that is all empty is the caller's to refuse.
                if index != 0 && index != last {
                    manifest.findings.push(Finding {
                        kind: FindingKind::EmptyDocument,
                        at: format!("{file}:{}:{}", document.mark.line, document.mark.column),
                        message: "this document is empty".into(),
                    });
                }
                continue;
            }
            manifest.add(value, origin, &document.root);
        }
        Ok(manifest)
    }
}

fn read_json(file: &str, text: &str) -> Option<Manifest> {
    let values: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(text).into_iter().collect();
    values.ok().map(|values| Manifest::from_values(file, values))
}

// --- from nodes to values --------------------------------------------------------------------------------------------

struct Reader<'m> {
    file: &'m str,
    /// Inside a Secret: no value is told.
    in_secret: bool,
    findings: Vec<Finding>,
}

impl Reader<'_> {
    fn value(&mut self, node: &Node) -> Result<Value, ReadError> {
        match &node.kind {
            NodeKind::Scalar { text, plain, tag } => match tag {
                Some(tag) => {
                    scalar::resolve_tagged(tag, text).map_err(|message| ReadError::at(node.mark, message))
                }
                None if *plain => {
                    if scalar::is_old_boolean(text) {
                        self.old_boolean(node, text);
                    }
                    Ok(scalar::resolve(text))
                }
                None => Ok(text.as_str().into()),
            },
            NodeKind::List(items) => items.iter().map(|item| self.value(item)).collect(),
            NodeKind::Map(pairs) => self.map(pairs),
        }
    }

    fn map(&mut self, pairs: &[(Rc<Node>, Rc<Node>)]) -> Result<Value, ReadError> {
        let outside = self.in_secret;
        self.in_secret |= pairs
            .iter()
            .any(|(key, value)| is_word(key, "kind") && is_word(value, "Secret"));
        let map = self.plain_map(pairs);
        self.in_secret = outside;
        map
    }

    fn plain_map(&mut self, pairs: &[(Rc<Node>, Rc<Node>)]) -> Result<Value, ReadError> {
        let mut map = Map::with_capacity(pairs.len());
        let mut written: HashMap<String, (&Node, &Node)> = HashMap::with_capacity(pairs.len());
        let mut merged = Map::new();
        for (key, value) in pairs {
            if is_merge(key) {
                self.merge(value, &mut merged)?;
                continue;
            }
            let name = self.key(key)?;
            if let Some((first_key, first_value)) = written.insert(name.clone(), (key, value)) {
                self.duplicate(&name, (first_key, first_value), (key, value));
            }
            let value = self.value(value)?;
            map.insert(name, value);
        }
        for (name, value) in merged {
            map.entry(name).or_insert(value);
        }
        Ok(Value::Object(map))
    }

    /// `<<: *base`: the keys of another map, or of several, where this one does not have them itself.
    fn merge(&mut self, value: &Node, into: &mut Map<String, Value>) -> Result<(), ReadError> {
        match &value.kind {
            NodeKind::Map(pairs) => {
                if let Value::Object(map) = self.map(pairs)? {
                    for (name, value) in map {
                        into.entry(name).or_insert(value);
                    }
                }
                Ok(())
            }
            NodeKind::List(items) => items.iter().try_for_each(|item| match item.kind {
                NodeKind::Map(_) => self.merge(item, into),
                _ => Err(ReadError::at(
                    item.mark,
                    "`<<` takes a map or a list of maps".into(),
                )),
            }),
            NodeKind::Scalar { .. } => Err(ReadError::at(
                value.mark,
                "`<<` takes a map or a list of maps".into(),
            )),
        }
    }

    fn key(&mut self, key: &Node) -> Result<String, ReadError> {
        let NodeKind::Scalar { text, plain, .. } = &key.kind else {
            let mut error = ReadError::at(key.mark, "a list or a map cannot be a key".into());
            error.help = Some("is this `{{ … }}` of a template that was not filled in? Quote a key that begins with `{` or `[`".into());
            return Err(error);
        };
        match self.value(key)? {
            Value::String(text) => Ok(text),
            Value::Null => Err(ReadError::at(key.mark, "a key is missing before the `:`".into())),
            other if *plain => Ok(other.to_string()),
            _ => Ok(text.clone()),
        }
    }

    fn old_boolean(&mut self, node: &Node, text: &str) {
        self.findings.push(Finding {
            kind: FindingKind::OldBoolean,
            at: self.place(node.mark),
            message: format!(
                "`{text}` without quotes is a boolean, as for kubectl: quote it to keep the word"
            ),
        });
    }

    fn duplicate(&mut self, name: &str, (first_key, first): (&Node, &Node), (key, value): (&Node, &Node)) {
        let (one, other) = (first_key.mark.line, key.mark.line);
        let message = if self.in_secret {
            format!("`{name}` is written twice, on lines {one} and {other}; the last one counts")
        } else {
            format!(
                "`{name}` is written twice: line {one} says {}, line {other} says {}; the last one counts",
                sketch(first),
                sketch(value)
            )
        };
        self.findings.push(Finding {
            kind: FindingKind::DuplicateKey,
            at: self.place(key.mark),
            message,
        });
    }

    fn place(&self, mark: Mark) -> String {
        format!("{}:{}:{}", self.file, mark.line, mark.column)
    }
}

fn is_word(node: &Node, word: &str) -> bool {
    matches!(&node.kind, NodeKind::Scalar { text, .. } if text == word)
}

fn is_merge(key: &Node) -> bool {
    matches!(&key.kind, NodeKind::Scalar { text, plain: true, tag: None } if text == "<<")
}

/// A value in a few words.
fn sketch(node: &Node) -> String {
    const LIMIT: usize = 60;
    let text = match &node.kind {
        NodeKind::Scalar { text, .. } if text.is_empty() => "nothing".to_owned(),
        NodeKind::Scalar { text, .. } => format!("`{text}`"),
        NodeKind::List(items) => {
            let items: Vec<String> = items.iter().map(|item| sketch(item)).collect();
            format!("[{}]", items.join(", "))
        }
        NodeKind::Map(pairs) => {
            let pairs: Vec<String> = pairs
                .iter()
                .map(|(key, value)| format!("{}: {}", sketch(key).trim_matches('`'), sketch(value)))
                .collect();
            format!("{{{}}}", pairs.join(", "))
        }
    };
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() > LIMIT {
        text.chars().take(LIMIT - 1).chain(['…']).collect()
    } else {
        text
    }
}
