//! The immutable graph that a playbook evaluates to.

mod cycles;
mod expr;
mod files;
mod modifiers;
mod select;

use std::sync::Arc;

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use serde_json::{Map, Value};

pub(crate) use self::cycles::check as check_cycles;
pub use self::expr::{Expr, Key, NoSuchPath, Path, Piece, Reference, follow, show_path};
pub use self::files::{File, Files};
pub use self::modifiers::{Modifiers, Retries, parse_duration, show_duration};
pub use self::select::{Selection, SelectionError};
use crate::builtin::AnyBuiltin;
use crate::diagnostic::Location;
use crate::script::{Closures, Param};
use crate::secrets::Secrets;

/// A step's place in a plan.
pub type StepId = NodeIndex<u32>;

/// What a playbook evaluates to: steps, and the edges between them.
#[derive(Clone)]
pub struct Plan {
    pub(crate) id: u64,
    /// The playbook's path as it was given.
    pub playbook: Arc<str>,
    /// Steps in the order in which the playbook calls them; an edge goes from what is needed to what needs it.
    pub graph: DiGraph<Step, Edge>,
    /// The parameters that the playbook declares, in order, with the values in force.
    pub params: Vec<Param>,
    /// The files of the playbook that steps name.
    pub files: Arc<Files>,
    /// What the playbook printed while it was planned.
    pub notes: Vec<String>,
    pub(crate) closures: Arc<Closures>,
    pub(crate) secrets: Arc<Secrets>,
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Plan({}, {} steps)", self.playbook, self.graph.node_count())
    }
}

/// A node of the graph: one call of a builtin.
#[derive(Clone)]
pub struct Step {
    /// Stable and unique in the plan.
    pub name: Arc<str>,
    /// The call in the playbook or in one of its modules.
    pub at: Location,
    pub(crate) builtin: Arc<dyn AnyBuiltin>,
    /// The arguments in the order of the call.
    pub(crate) args: Vec<(Arc<str>, Expr)>,
    pub(crate) modifiers: Option<Box<Modifiers>>,
    /// The closures among its arguments and modifiers.
    pub(crate) closures: Vec<u32>,
}

/// Why a step waits for another.
#[derive(Debug, Clone, PartialEq)]
pub struct Edge {
    /// Data or order.
    pub kind: EdgeKind,
    /// What in the playbook made it.
    pub at: Location,
}

/// The two kinds of edges.
#[derive(Debug, Clone, PartialEq)]
pub enum EdgeKind {
    /// The step reads this part of the other's output.
    Data(Path),
    /// The step runs after the other.
    Order,
}

impl Step {
    /// The builtin's name.
    pub fn builtin(&self) -> &str {
        self.builtin.spec().name
    }

    /// Retries, timeout, tags and the like; `None` when the call has none.
    pub fn modifiers(&self) -> Option<&Modifiers> {
        self.modifiers.as_deref()
    }

    /// Whether the step runs whatever happened before it.
    pub fn is_finally(&self) -> bool {
        self.modifiers.as_ref().is_some_and(|m| m.finally)
    }

    /// Whether this step is a fan-out that a run unfolds.
    pub fn unfolds(&self) -> bool {
        self.builtin() == "for_each"
    }
}

impl Plan {
    /// The steps in the order in which the playbook calls them.
    pub fn steps(&self) -> impl Iterator<Item = (StepId, &Step)> {
        self.graph.node_indices().map(|id| (id, &self.graph[id]))
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.graph.node_count()
    }

    /// Whether there is no step.
    pub fn is_empty(&self) -> bool {
        self.graph.node_count() == 0
    }

    /// The step of this name.
    pub fn find(&self, name: &str) -> Option<StepId> {
        self.graph
            .node_indices()
            .find(|id| &*self.graph[*id].name == name)
    }

    /// What a step waits for: each other step with all the edges to it, in the order of the playbook.
    pub fn needs(&self, id: StepId) -> Vec<(StepId, Vec<&Edge>)> {
        self.neighbours(id, Direction::Incoming)
    }

    /// The steps that wait for a step, with all the edges to each, in the order of the playbook.
    pub fn needed_by(&self, id: StepId) -> Vec<(StepId, Vec<&Edge>)> {
        self.neighbours(id, Direction::Outgoing)
    }

    fn neighbours(&self, id: StepId, direction: Direction) -> Vec<(StepId, Vec<&Edge>)> {
        let mut found: std::collections::BTreeMap<StepId, Vec<&Edge>> = Default::default();
        for edge in self.graph.edges_directed(id, direction) {
            let other = if direction == Direction::Incoming {
                edge.source()
            } else {
                edge.target()
            };
            found.entry(other).or_default().push(edge.weight());
        }
        // petgraph lists a node's edges from the youngest to the oldest.
        found.values_mut().for_each(|edges| edges.reverse());
        found.into_iter().collect()
    }

    /// A step's arguments as a person may see them: what is not known yet as `${handle.path}`, closures as `|…|`,
    /// secrets masked.
    pub fn shown_args(&self, id: StepId) -> Value {
        let mut map = Map::new();
        for (name, expr) in &self.graph[id].args {
            let shown = expr.resolve(&mut |reference: &Reference| {
                Ok::<_, std::convert::Infallible>(Value::String(self.show_reference(reference)))
            });
            let Ok(value) = shown;
            map.insert((**name).to_owned(), crate::script::show_closures(value));
        }
        let mut value = Value::Object(map);
        self.secrets.mask_value(&mut value);
        value
    }

    /// What a step will do, in one line.
    pub fn describe(&self, id: StepId) -> String {
        self.graph[id].builtin.describe(&self.shown_args(id))
    }

    /// More on what a step will do, in several lines, if its builtin has more to say.
    pub fn details(&self, id: StepId) -> Option<String> {
        self.graph[id].builtin.details(&self.shown_args(id))
    }

    /// `${controller.items[0].status.podIP}`.
    pub fn show_reference(&self, reference: &Reference) -> String {
        format!(
            "${{{}{}}}",
            self.graph[reference.step].name,
            show_path(&reference.path)
        )
    }

    /// The parallel waves: the steps of one could all run at once when those of the waves before are done.
    pub fn waves(&self) -> Vec<Vec<StepId>> {
        let mut depth = vec![0usize; self.len()];
        let mut waves: Vec<Vec<StepId>> = Vec::new();
        for id in self.topological() {
            let here = self
                .graph
                .neighbors_directed(id, Direction::Incoming)
                .map(|other| depth[other.index()] + 1)
                .max()
                .unwrap_or(0);
            depth[id.index()] = here;
            if waves.len() <= here {
                waves.resize_with(here + 1, Vec::new);
            }
            waves[here].push(id);
        }
        waves.iter_mut().for_each(|wave| wave.sort());
        waves
    }

    /// The longest chain of steps: however many jobs there are, a run takes as long as this.
    pub fn longest_chain(&self) -> Vec<StepId> {
        let mut best: Vec<(usize, Option<StepId>)> = vec![(1, None); self.len()];
        let mut end: Option<StepId> = None;
        for id in self.topological() {
            let mut others: Vec<StepId> = self.graph.neighbors_directed(id, Direction::Incoming).collect();
            others.sort();
            for other in others {
                if best[other.index()].0 + 1 > best[id.index()].0 {
                    best[id.index()] = (best[other.index()].0 + 1, Some(other));
                }
            }
            if end.is_none_or(|end| best[id.index()].0 > best[end.index()].0) {
                end = Some(id);
            }
        }
        let mut chain = Vec::new();
        while let Some(id) = end {
            chain.push(id);
            end = best[id.index()].1;
        }
        chain.reverse();
        chain
    }

    /// The steps so that each comes after all that it needs; otherwise in the order of the playbook.
    pub fn topological(&self) -> Vec<StepId> {
        use std::cmp::Reverse;
        let mut missing: Vec<usize> = self
            .graph
            .node_indices()
            .map(|id| self.graph.edges_directed(id, Direction::Incoming).count())
            .collect();
        let mut ready: std::collections::BinaryHeap<Reverse<StepId>> = self
            .graph
            .node_indices()
            .filter(|id| missing[id.index()] == 0)
            .map(Reverse)
            .collect();
        let mut order = Vec::with_capacity(self.len());
        while let Some(Reverse(id)) = ready.pop() {
            order.push(id);
            for next in self.graph.neighbors(id) {
                missing[next.index()] -= 1;
                if missing[next.index()] == 0 {
                    ready.push(Reverse(next));
                }
            }
        }
        order
    }
}
