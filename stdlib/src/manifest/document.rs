//! Documents, what is odd about them, and the places of their fields.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::compose::{Composed, Mark, Node, NodeKind, compose};

/// The documents of a text, and what is odd about it.
#[derive(Debug, Clone, Default)]
pub struct Manifest {
    /// The documents that are not empty, in order.
    pub documents: Vec<Document>,
    /// What a reader should know, in the order of the text.
    pub findings: Vec<Finding>,
}

/// A document, or an item of a document that is a `List`.
#[derive(Debug, Clone)]
pub struct Document {
    /// What it says.
    pub value: Value,
    /// Where it is from.
    pub origin: Origin,
}

/// Where a document is from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The file, as people know it.
    pub file: Arc<str>,
    /// Which document of the file, from 0.
    pub index: usize,
    /// Which item of it, when it is a `List`.
    pub item: Option<usize>,
    /// The line on which it begins, from 1; 0 when it is not known.
    pub line: u32,
    pub(super) text: Option<Arc<str>>,
}

/// Something odd that is no error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing it is.
    pub kind: FindingKind,
    /// Where: `manifests/x.yaml:12:3`.
    pub at: String,
    /// What it is, in lower case, without a final period.
    pub message: String,
}

/// The kinds of [`Finding`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindingKind {
    /// A key is written twice in one map.
    DuplicateKey,
    /// There is nothing between two `---`.
    EmptyDocument,
    /// `yes`, `no`, `on` or `off` without quotes, which is a boolean here.
    OldBoolean,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.message)
    }
}

impl Manifest {
    /// Values that have no text: made by a playbook.
    pub fn from_values(name: &str, values: Vec<Value>) -> Self {
        let file: Arc<str> = name.into();
        let mut manifest = Self::default();
        for (index, value) in values.into_iter().enumerate() {
            let origin = Origin {
                file: file.clone(),
                index,
                item: None,
                line: 0,
                text: None,
            };
            manifest.spread(value, origin, |_| 0);
        }
        manifest
    }

    /// Adds another manifest's documents and findings.
    pub fn append(&mut self, mut other: Self) {
        self.documents.append(&mut other.documents);
        self.findings.append(&mut other.findings);
    }

    pub(super) fn add(&mut self, value: Value, origin: Origin, root: &Node) {
        let items = entry(root, "items").and_then(|items| match &items.kind {
            NodeKind::List(items) => Some(items.as_slice()),
            _ => None,
        });
        let lines: Vec<u32> = items
            .unwrap_or_default()
            .iter()
            .map(|item| item.mark.line)
            .collect();
        self.spread(value, origin, |item| lines.get(item).copied().unwrap_or(0));
    }

    /// Takes a `List` (`v1` `List`, `PodList`, …) apart, as kubectl does.
    fn spread(&mut self, value: Value, origin: Origin, line_of: impl Fn(usize) -> u32) {
        let is_list =
            value["kind"].as_str().is_some_and(|kind| kind.ends_with("List")) && value["items"].is_array();
        if !is_list {
            self.documents.push(Document { value, origin });
            return;
        }
        let version = value["apiVersion"].clone();
        let kind = value["kind"]
            .as_str()
            .unwrap_or_default()
            .trim_end_matches("List")
            .to_owned();
        let Value::Object(mut list) = value else { return };
        let Some(Value::Array(items)) = list.remove("items") else {
            return;
        };
        for (index, mut item) in items.into_iter().enumerate() {
            // Items of a PodList need not say that they are Pods.
            if let Value::Object(item) = &mut item
                && !kind.is_empty()
                && !item.contains_key("kind")
            {
                item.insert("apiVersion".into(), version.clone());
                item.insert("kind".into(), kind.clone().into());
            }
            let origin = Origin {
                item: Some(index),
                line: line_of(index),
                ..origin.clone()
            };
            self.documents.push(Document { value: item, origin });
        }
    }
}

// --- places ----------------------------------------------------------------------------------------------------------

impl Origin {
    /// `manifests/x.yaml:12`, or for a value that a playbook made `object 3`.
    pub fn show(&self) -> String {
        if self.line > 0 {
            format!("{}:{}", self.file, self.line)
        } else if let Some(item) = self.item {
            format!("{}, item {}", self.file, item + 1)
        } else {
            format!("{}, object {}", self.file, self.index + 1)
        }
    }

    /// Where a field is, as the API server names it (`spec.template.spec.containers[0].image`): `x.yaml:12:3`. The place
    /// of the innermost part that is there.
    pub fn place_of(&self, field: &str) -> String {
        match self.mark_of(field) {
            Some(mark) => format!("{}:{}:{}", self.file, mark.line, mark.column),
            None => self.show(),
        }
    }

    // Places are asked for when something is wrong, so they are looked up again then and not kept.
    fn mark_of(&self, field: &str) -> Option<Mark> {
        let text = self.text.as_deref()?;
        let documents = compose(text).ok()?;
        let Composed { root, .. } = documents.get(self.index)?;
        let mut node: &Node = root;
        if let Some(item) = self.item {
            let NodeKind::List(items) = &entry(node, "items")?.kind else {
                return None;
            };
            node = items.get(item)?;
        }
        let mut mark = node.mark;
        for part in split_field(field) {
            let Some((at, inner)) = step_into(node, &part) else {
                break;
            };
            (mark, node) = (at, inner);
        }
        Some(mark)
    }
}

fn step_into<'n>(node: &'n Node, part: &str) -> Option<(Mark, &'n Node)> {
    match &node.kind {
        NodeKind::Map(pairs) => pairs.iter().rev().find_map(|(key, value)| match &key.kind {
            NodeKind::Scalar { text, .. } if text == part => Some((key.mark, &**value)),
            _ => None,
        }),
        NodeKind::List(items) => {
            let item = match part.split_once('=') {
                // `[name="web"]`, as in the conflicts of server-side apply.
                Some((key, wanted)) => items.iter().find(|item| {
                    let is = |node: &Node| matches!(&node.kind, NodeKind::Scalar { text, .. } if text == wanted.trim_matches('"'));
                    entry(item, key).is_some_and(is)
                })?,
                None => items.get(part.parse::<usize>().ok()?)?,
            };
            Some((item.mark, item))
        }
        NodeKind::Scalar { .. } => None,
    }
}

/// `.spec.containers[0].image`, `metadata.annotations[a.b/c]` to parts.
fn split_field(field: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = field;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let end = inner.find(']').unwrap_or(inner.len());
            parts.push(inner[..end].trim_matches(['"', '\'']).to_owned());
            rest = inner.get(end + 1..).unwrap_or_default();
        } else if let Some(inner) = rest.strip_prefix('.') {
            rest = inner;
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            parts.push(rest[..end].to_owned());
            rest = &rest[end..];
        }
    }
    parts
}

/// The value of a key; the last one counts.
fn entry<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    let NodeKind::Map(pairs) = &node.kind else {
        return None;
    };
    pairs.iter().rev().find_map(|(key, value)| match &key.kind {
        NodeKind::Scalar { text, .. } if text == name => Some(&**value),
        _ => None,
    })
}
