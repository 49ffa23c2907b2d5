//! From YAML text to a tree of nodes with their places.

use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};

use super::error::ReadError;

/// How deep lists and maps may be nested; JSON readers stop at 128.
const DEEPEST: usize = 120;

/// How many nodes a text may have, those that aliases repeat counted each time: a small text with nested aliases can
/// stand for billions.
const MOST_NODES: usize = 4_000_000;

/// Where something is in a text: line and column from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) line: u32,
    pub(super) column: u32,
}

/// A value of a YAML text, and where it begins.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) mark: Mark,
    pub(super) kind: NodeKind,
}

#[derive(Debug)]
pub(super) enum NodeKind {
    /// The text, whether it is plain (neither quoted nor a block), and its tag.
    Scalar {
        text: String,
        plain: bool,
        tag: Option<String>,
    },
    List(Vec<Rc<Node>>),
    Map(Vec<(Rc<Node>, Rc<Node>)>),
}

/// A document: where it begins, and what is in it.
pub(super) struct Composed {
    pub(super) mark: Mark,
    pub(super) root: Rc<Node>,
}

/// Reads all documents of a text.
pub(super) fn compose(text: &str) -> Result<Vec<Composed>, ReadError> {
    let mut parser = Parser::new_from_str(text);
    let mut composer = Composer::default();
    let mut documents = Vec::new();
    let mut start = Mark { line: 1, column: 1 };
    while let Some(event) = parser.next_event() {
        let (event, span) =
            event.map_err(|error| ReadError::at(mark(error.marker()), explain(error.info())))?;
        let here = mark(&span.start);
        match event {
            Event::DocumentStart(_) => {
                start = here;
                composer.anchors.clear();
            }
            Event::DocumentEnd => {
                if let Some(root) = composer.root.take() {
                    documents.push(Composed { mark: start, root });
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                let plain = matches!(style, ScalarStyle::Plain);
                let tag = tag.map(|tag| {
                    if tag.is_yaml_core_schema() {
                        tag.suffix.clone()
                    } else {
                        String::new()
                    }
                });
                let kind = NodeKind::Scalar {
                    text: text.into_owned(),
                    plain,
                    tag,
                };
                composer.scalar(Node { mark: here, kind }, anchor)?;
            }
            Event::SequenceStart(anchor, _) => composer.open(here, false, anchor)?,
            Event::MappingStart(anchor, _) => composer.open(here, true, anchor)?,
            Event::SequenceEnd | Event::MappingEnd => composer.close()?,
            Event::Alias(anchor) => composer.alias(here, anchor)?,
            Event::Nothing | Event::StreamStart | Event::StreamEnd => {}
        }
    }
    Ok(documents)
}

fn mark(marker: &Marker) -> Mark {
    Mark {
        line: u32::try_from(marker.line()).unwrap_or(u32::MAX),
        column: u32::try_from(marker.col()).unwrap_or(u32::MAX).saturating_add(1),
    }
}

fn explain(info: &str) -> String {
    if info.starts_with("recursion limit") {
        return too_deep();
    }
    info.trim_end_matches('.').to_owned()
}

fn too_deep() -> String {
    format!("lists and maps are nested deeper than {DEEPEST} levels")
}

/// How large a node is, with all below it; what aliases stand for counts each time.
#[derive(Clone, Copy)]
struct Size {
    nodes: usize,
    height: usize,
}

/// A list or map that is not complete yet.
struct Open {
    mark: Mark,
    is_map: bool,
    anchor: usize,
    items: Vec<Rc<Node>>,
    size: Size,
}

#[derive(Default)]
struct Composer {
    open: Vec<Open>,
    root: Option<Rc<Node>>,
    anchors: HashMap<usize, (Rc<Node>, Size)>,
}

impl Composer {
    fn open(&mut self, mark: Mark, is_map: bool, anchor: usize) -> Result<(), ReadError> {
        let size = Size { nodes: 1, height: 1 };
        self.open.push(Open {
            mark,
            is_map,
            anchor,
            items: Vec::new(),
            size,
        });
        self.check(mark, size)
    }

    fn close(&mut self) -> Result<(), ReadError> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let kind = if open.is_map {
            let mut items = open.items.into_iter();
            let mut pairs = Vec::new();
            while let (Some(key), Some(value)) = (items.next(), items.next()) {
                pairs.push((key, value));
            }
            NodeKind::Map(pairs)
        } else {
            NodeKind::List(open.items)
        };
        self.add(
            Node {
                mark: open.mark,
                kind,
            },
            open.size,
            open.anchor,
        )
    }

    fn scalar(&mut self, node: Node, anchor: usize) -> Result<(), ReadError> {
        self.add(node, Size { nodes: 1, height: 0 }, anchor)
    }

    fn alias(&mut self, here: Mark, anchor: usize) -> Result<(), ReadError> {
        let Some((node, size)) = self.anchors.get(&anchor).cloned() else {
            return Err(ReadError::at(here, "an alias inside what it stands for".into()));
        };
        self.put(node, size, here)
    }

    fn add(&mut self, node: Node, size: Size, anchor: usize) -> Result<(), ReadError> {
        let here = node.mark;
        let node = Rc::new(node);
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        self.put(node, size, here)
    }

    fn put(&mut self, node: Rc<Node>, size: Size, here: Mark) -> Result<(), ReadError> {
        self.check(here, size)?;
        match self.open.last_mut() {
            Some(open) => {
                open.items.push(node);
                open.size.nodes = open.size.nodes.saturating_add(size.nodes);
                open.size.height = open.size.height.max(size.height + 1);
            }
            None => self.root = Some(node),
        }
        Ok(())
    }

    fn check(&self, here: Mark, size: Size) -> Result<(), ReadError> {
        if self.open.len() + size.height > DEEPEST {
            return Err(ReadError::at(here, too_deep()));
        }
        if self
            .open
            .last()
            .map_or(0, |open| open.size.nodes)
            .saturating_add(size.nodes)
            > MOST_NODES
        {
            return Err(ReadError::at(
                here,
                "it has millions of values: do its aliases repeat each other?".into(),
            ));
        }
        Ok(())
    }
}
