//! The plan while a script makes it.
//!
//! The builder of the script that is being evaluated stands in a thread-local: evaluation is synchronous and on one
//! thread, and the functions that Rhai calls are shared by all evaluations. A closure that is called while a plan runs
//! finds no builder, so that it cannot add steps.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use petgraph::graph::DiGraph;
use rhai::{Dynamic, EvalAltResult, NativeCallContext, Position};
use serde_json::Value;

use super::closure::Entry;
use super::handle::Handle;
use super::limits;
use super::params::{Param, Values};
use super::sources::Sources;
use crate::builtin::AnyBuiltin;
use crate::diagnostic::{Diagnostic, Location};
use crate::plan::{Edge, EdgeKind, Expr, Files, Modifiers, Path, Reference, Step, StepId};
use crate::secrets::Secrets;

/// What a script has made so far.
pub(crate) struct Builder {
    pub(crate) id: u64,
    pub(crate) graph: DiGraph<Step, Edge>,
    /// The names that `.named()` gave.
    pub(crate) explicit_names: HashMap<StepId, Arc<str>>,
    /// The handles behind the tokens in strings.
    pub(crate) tokens: Vec<Reference>,
    pub(crate) closures: Vec<Entry>,
    pub(crate) params: Vec<Param>,
    /// What the user gave for parameters.
    pub(crate) values: Values,
    /// Parameters without a default and without a value get a stand-in instead of an error.
    pub(crate) lenient: bool,
    pub(crate) files: Files,
    pub(crate) sources: Arc<Sources>,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) notes: Vec<String>,
    /// Every error that a function of ours has raised: a script's `try` must not hide one.
    pub(crate) problems: Vec<Diagnostic>,
    /// Variables that a `switch` or `??` in a function looks at.
    pub(crate) watched: std::collections::HashSet<String>,
    /// Outputs of the steps of outer plans, for the closure of a fan-out.
    pub(crate) outer: HashMap<(u64, StepId), Arc<Value>>,
    argument_bytes: usize,
    last_file: Option<Arc<str>>,
    unnamed: Arc<str>,
}

thread_local! {
    static CURRENT: RefCell<Option<Builder>> = const { RefCell::new(None) };
    /// Whether a closure of a running plan is being called on this thread.
    static IN_CLOSURE: Cell<bool> = const { Cell::new(false) };
}

/// Errors of functions that Rhai calls.
pub(crate) type Raised<T> = Result<T, Box<EvalAltResult>>;

/// Evaluates with this builder in place, and gives it back.
pub(crate) fn evaluate<R>(builder: Builder, f: impl FnOnce() -> R) -> (Builder, R) {
    let outer = CURRENT.with(|current| current.borrow_mut().replace(builder));
    let result = f();
    let builder = CURRENT.with(|current| std::mem::replace(&mut *current.borrow_mut(), outer));
    match builder {
        Some(builder) => (builder, result),
        None => unreachable!("an evaluation takes only its own builder away"),
    }
}

/// Whether a `switch` or `??` in a function looks at variables of this name.
pub(crate) fn is_watched(name: &str) -> bool {
    CURRENT.with(|current| {
        current
            .borrow()
            .as_ref()
            .is_some_and(|builder| builder.watched.contains(name))
    })
}

/// Watches these variables from now on.
pub(crate) fn watch(names: Vec<String>) {
    if !names.is_empty() {
        CURRENT.with(|current| {
            current
                .borrow_mut()
                .iter_mut()
                .for_each(|builder| builder.watched.extend(names.clone()))
        });
    }
}

/// Raises a diagnostic whose place Rhai adds.
pub(crate) fn raise_early(diagnostic: Diagnostic) -> Box<EvalAltResult> {
    CURRENT.with(|current| {
        if let Some(builder) = current.borrow_mut().as_mut() {
            builder.problems.push(diagnostic.clone());
        }
    });
    raise(diagnostic)
}

/// How many steps the plan that is being made on this thread has.
pub(crate) fn count_steps() -> usize {
    CURRENT.with(|current| {
        current
            .borrow()
            .as_ref()
            .map_or(0, |builder| builder.graph.node_count())
    })
}

/// Calls a closure of a running plan: no builtin can be called in it.
pub(crate) fn in_closure<R>(f: impl FnOnce() -> R) -> R {
    let outer = CURRENT.with(|current| current.borrow_mut().take());
    let was = IN_CLOSURE.replace(true);
    let result = f();
    IN_CLOSURE.set(was);
    CURRENT.with(|current| *current.borrow_mut() = outer);
    result
}

/// Works on the plan that is being made.
pub(crate) fn with<T>(
    context: &NativeCallContext,
    f: impl FnOnce(&mut Builder, &Location) -> Result<T, Diagnostic>,
) -> Raised<T> {
    CURRENT.with(|current| {
        let mut current = current.borrow_mut();
        let Some(builder) = current.as_mut() else {
            let at = Location::new(
                context.call_source().unwrap_or_default(),
                line(context),
                column(context),
            );
            return Err(raise(
                Diagnostic::new(
                    "psprun::plan::builtin_in_closure",
                    format!(
                        "`{}` cannot be called here: this closure looks at results while the plan runs",
                        context.fn_name()
                    ),
                )
                .at(at, "called here")
                .help("call builtins outside the closure, or fan out with `for_each(list, |item| …)`"),
            ));
        };
        let at = builder.location(context.call_source(), context.call_position());
        f(builder, &at).map_err(|mut problem| {
            if problem.labels.is_empty() {
                problem = problem.at(at, "");
            }
            builder.problems.push(problem.clone());
            raise(problem)
        })
    })
}

fn line(context: &NativeCallContext) -> u32 {
    context.call_position().line().map_or(0, |line| line as u32)
}

fn column(context: &NativeCallContext) -> u32 {
    context
        .call_position()
        .position()
        .map_or(0, |column| column as u32)
}

/// A diagnostic as Rhai passes it on.
pub(crate) fn raise(diagnostic: Diagnostic) -> Box<EvalAltResult> {
    // Not a system error: Rhai adds the calls that led here to any other.
    EvalAltResult::ErrorRuntime(Dynamic::from(diagnostic), Position::NONE).into()
}

impl Builder {
    pub(crate) fn new(sources: Arc<Sources>, values: Values, secrets: Arc<Secrets>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            graph: DiGraph::default(),
            explicit_names: HashMap::new(),
            tokens: Vec::new(),
            closures: Vec::new(),
            params: Vec::new(),
            values,
            lenient: false,
            files: Files::default(),
            sources,
            secrets,
            notes: Vec::new(),
            problems: Vec::new(),
            watched: Default::default(),
            outer: HashMap::new(),
            argument_bytes: 0,
            last_file: None,
            unnamed: Arc::from(""),
        }
    }

    /// A place in a script.
    pub(crate) fn location(&mut self, source: Option<&str>, position: Position) -> Location {
        let source = source.unwrap_or_default();
        let file = match &self.last_file {
            Some(file) if **file == *source => file.clone(),
            _ => {
                let file: Arc<str> = Arc::from(source);
                self.last_file = Some(file.clone());
                file
            }
        };
        Location {
            file,
            line: position.line().map_or(0, |line| line as u32),
            column: position.position().map_or(0, |column| column as u32),
        }
    }

    /// Adds a step without arguments; [`Builder::fill`] gives it these.
    pub(crate) fn add_step(
        &mut self,
        builtin: Arc<dyn AnyBuiltin>,
        at: &Location,
    ) -> Result<StepId, Diagnostic> {
        if self.graph.node_count() >= limits::STEPS {
            return Err(Diagnostic::new(
                "psprun::plan::too_many_steps",
                format!("the plan has more than {} steps", limits::STEPS),
            ));
        }
        Ok(self.graph.add_node(Step {
            name: self.unnamed.clone(),
            at: at.clone(),
            builtin,
            args: Vec::new(),
            modifiers: None,
            closures: Vec::new(),
        }))
    }

    /// Gives a step its arguments.
    pub(crate) fn fill(&mut self, step: StepId, args: Vec<(Arc<str>, Expr)>) -> Result<(), Diagnostic> {
        self.argument_bytes += args.iter().map(|(_, expr)| weight(expr)).sum::<usize>();
        if self.argument_bytes > limits::ARGUMENT_BYTES {
            return Err(Diagnostic::new(
                "psprun::plan::too_large",
                format!(
                    "the arguments of the plan's steps have more than {} MiB",
                    limits::ARGUMENT_BYTES >> 20
                ),
            ));
        }
        self.graph[step].args = args;
        Ok(())
    }

    /// The step reads this part of another's output.
    pub(crate) fn data_edge(&mut self, from: StepId, to: StepId, path: &Path, at: &Location) {
        let known = self
            .graph
            .edges_connecting(from, to)
            .any(|edge| edge.weight().kind == EdgeKind::Data(path.clone()));
        if !known {
            self.graph.add_edge(
                from,
                to,
                Edge {
                    kind: EdgeKind::Data(path.clone()),
                    at: at.clone(),
                },
            );
        }
    }

    /// The step runs after another.
    pub(crate) fn order_edge(&mut self, from: StepId, to: StepId, at: &Location) {
        let known = self
            .graph
            .edges_connecting(from, to)
            .any(|edge| edge.weight().kind == EdgeKind::Order);
        if !known {
            self.graph.add_edge(
                from,
                to,
                Edge {
                    kind: EdgeKind::Order,
                    at: at.clone(),
                },
            );
        }
    }

    pub(crate) fn modifiers(&mut self, step: StepId) -> &mut Modifiers {
        self.graph[step].modifiers.get_or_insert_default()
    }

    /// The step that a handle stands for, if it is one of this plan.
    pub(crate) fn step_of(&self, handle: &Handle) -> Result<StepId, Diagnostic> {
        if handle.plan == self.id {
            Ok(handle.step)
        } else {
            Err(Diagnostic::new(
                "psprun::plan::outer_step",
                "a step outside the fan-out cannot be changed or waited for from inside it",
            )
            .help(
                "the fan-out itself waits for all that its closure uses; put `.after(…)` on the `for_each`",
            ))
        }
    }

    /// The number of a token for a handle in a string.
    pub(crate) fn token(&mut self, reference: Reference) -> usize {
        // The same handle in a loop's strings makes the same token.
        if self.tokens.last() != Some(&reference) {
            self.tokens.push(reference);
        }
        self.tokens.len() - 1
    }

    /// A handle as a person would write it, before steps have names.
    pub(crate) fn show(&self, handle: &Handle) -> String {
        if handle.plan != self.id {
            return "a step outside the fan-out".to_owned();
        }
        let step = &self.graph[handle.step];
        format!("the output of `{}` (line {})", step.builtin(), step.at.line)
    }
}

/// Roughly how many bytes an argument takes.
fn weight(expr: &Expr) -> usize {
    fn value(v: &Value) -> usize {
        match v {
            Value::String(text) => text.len() + 16,
            Value::Array(items) => items.iter().map(value).sum::<usize>() + 16,
            Value::Object(map) => map.iter().map(|(key, item)| key.len() + 32 + value(item)).sum(),
            _ => 16,
        }
    }
    match expr {
        Expr::Value(v) => value(v),
        Expr::Ref(_) => 32,
        Expr::Text(pieces) => pieces.len() * 64,
        Expr::List(items) => items.iter().map(weight).sum(),
        Expr::Map(entries) => entries.iter().map(|(_, item)| 32 + weight(item)).sum(),
    }
}

/// Whether the value is a handle, a group, or a string with a handle inside: not known while the plan is made.
pub(crate) fn is_unknown(value: &Dynamic) -> bool {
    value.is::<Handle>()
        || value.is::<super::handle::Group>()
        || value
            .as_char()
            .is_ok_and(|c| super::token::has_token(c.encode_utf8(&mut [0; 4])))
        || value
            .read_lock::<rhai::ImmutableString>()
            .is_some_and(|text| super::token::has_token(&text))
}
