//! `json`: the graph for programs. `docs/graph-json.md` describes it; a change that takes something away or gives it
//! another meaning raises [`VERSION`].

use serde::Serialize;
use serde_json::Value;

use super::text::is_control;
use super::view::View;
use super::{Format, Options};
use crate::diagnostic::Location;
use crate::plan::{EdgeKind, Modifiers, Plan, StepId, show_path};
use crate::secrets::MASK;

pub(super) const FORMAT: Format = Format {
    name: "json",
    summary: "for programs: nodes, edges, waves, longest chain, parameters",
    render,
};

/// The version of the schema.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Graph<'p> {
    version: u32,
    playbook: &'p str,
    params: Vec<Param<'p>>,
    nodes: Vec<Node<'p>>,
    edges: Vec<Edge<'p>>,
    waves: Vec<Vec<&'p str>>,
    longest_chain: Vec<&'p str>,
}

#[derive(Serialize)]
struct Param<'p> {
    name: &'p str,
    #[serde(rename = "type")]
    kind: &'p str,
    doc: &'p str,
    value: Option<Value>,
    default: Option<Value>,
    secret: bool,
}

#[derive(Serialize)]
struct Node<'p> {
    name: &'p str,
    builtin: &'p str,
    describe: &'p str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'p str>,
    args: &'p Value,
    at: &'p Location,
    wave: usize,
    on_longest_chain: bool,
    reads_only: bool,
    unfolds: bool,
    modifiers: ShownModifiers<'p>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<&'p str>,
}

/// Only what the playbook sets.
#[derive(Serialize, Default)]
struct ShownModifiers<'p> {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    when: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    until: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    retries: Option<Retries>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_seconds: Option<f64>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    tags: &'p [std::sync::Arc<str>],
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    finally: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    allow_failure: bool,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    locks: &'p [std::sync::Arc<str>],
}

#[derive(Serialize)]
struct Retries {
    count: u32,
    initial_seconds: f64,
    factor: f64,
    cap_seconds: f64,
    jitter: f64,
}

#[derive(Serialize)]
struct Edge<'p> {
    from: &'p str,
    to: &'p str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    at: &'p Location,
}

fn render(plan: &Plan, options: &Options) -> String {
    let view = View::new(plan, options);
    let name = |id: &StepId| &*plan.graph[*id].name;
    let graph = Graph {
        version: VERSION,
        playbook: &plan.playbook,
        params: plan.params.iter().map(param).collect(),
        nodes: view.nodes.iter().map(|node| self::node(&view, node)).collect(),
        edges: view
            .nodes
            .iter()
            .flat_map(|node| {
                node.needs
                    .iter()
                    .flat_map(move |need| need.edges.iter().map(move |edge| (need.from, node.id, *edge)))
            })
            .map(|(from, to, edge)| {
                let (kind, path) = match &edge.kind {
                    EdgeKind::Data(path) => ("data", Some(show_path(path))),
                    EdgeKind::Order => ("order", None),
                };
                Edge {
                    from: name(&from),
                    to: name(&to),
                    kind,
                    path,
                    at: &edge.at,
                }
            })
            .collect(),
        waves: view
            .waves
            .iter()
            .map(|wave| wave.iter().map(name).collect())
            .collect(),
        longest_chain: view.chain.iter().map(name).collect(),
    };
    // Strings, numbers and lists of them: there is nothing in it that JSON cannot hold.
    let mut text = escape(serde_json::to_string_pretty(&graph).unwrap_or_default());
    text.push('\n');
    text
}

/// Writes what could steer a terminal as `\u…`: JSON itself asks that only of some. All of it is inside strings.
fn escape(text: String) -> String {
    if text.is_ascii() && !text.contains('\x7f') {
        return text;
    }
    let unseen = |c: char| c != '\n' && is_control(c);
    let mut safe = String::with_capacity(text.len() + 64);
    for c in text.chars() {
        if unseen(c) {
            let mut units = [0; 2];
            c.encode_utf16(&mut units)
                .iter()
                .for_each(|unit| safe.push_str(&format!("\\u{unit:04x}")));
        } else {
            safe.push(c);
        }
    }
    safe
}

fn node<'v>(view: &View<'_>, node: &'v super::view::Node<'_>) -> Node<'v> {
    Node {
        name: &node.step.name,
        builtin: node.step.builtin(),
        describe: &node.what,
        details: node.details.as_deref(),
        args: &node.args,
        at: &node.step.at,
        wave: node.wave + 1,
        on_longest_chain: node.on_chain || view.chain == [node.id],
        reads_only: node.step.builtin.spec().reads_only,
        unfolds: node.step.unfolds(),
        modifiers: node.step.modifiers().map(modifiers).unwrap_or_default(),
        left_out: node.left_out,
    }
}

fn modifiers(modifiers: &Modifiers) -> ShownModifiers<'_> {
    ShownModifiers {
        when: modifiers.when.is_some(),
        until: modifiers.until.is_some(),
        retries: modifiers.retries.as_ref().map(|retries| Retries {
            count: retries.count,
            initial_seconds: retries.initial.as_secs_f64(),
            factor: retries.factor,
            cap_seconds: retries.cap.as_secs_f64(),
            jitter: retries.jitter,
        }),
        timeout_seconds: modifiers.timeout.map(|timeout| timeout.as_secs_f64()),
        tags: &modifiers.tags,
        finally: modifiers.finally,
        allow_failure: modifiers.allow_failure,
        locks: &modifiers.locks,
    }
}

fn param(param: &crate::script::Param) -> Param<'_> {
    let shown = |value: &Option<Value>| match value {
        Some(value) if param.secret && !value.is_null() => Some(Value::from(MASK)),
        value => value.clone(),
    };
    Param {
        name: &param.name,
        kind: &param.kind,
        doc: &param.doc,
        value: shown(&param.value),
        default: shown(&param.default),
        secret: param.secret,
    }
}
