//! The one place that knows where every step stands.
//!
//! The dispatcher owns the steps' states, starts what is ready, and linearises everything that happens into events.
//! Steps talk to it by messages. A step's work is polled once on the dispatcher's own task, so that work without a wait
//! costs no task of its own; what waits goes on in a task.

use std::collections::{HashMap, HashSet, VecDeque};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Instant;

use futures::FutureExt;
use petgraph::Direction;
use petgraph::visit::EdgeRef;
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Interrupt, RunOptions, RunResult, attempts};
use crate::builtin::{Outcome, StepError, Unfold};
use crate::context::{Context, Ended, Message, Note, Shared, Stop};
use crate::event::{self, Consumer, Counts, Event, EventKind, Failure, State};
use crate::plan::{EdgeKind, Expr, NoSuchPath, Plan, Reference, Step, StepId, follow, show_path};
use crate::script::{Captures, Outer};

/// A plan in the run: the playbook's own, or one that a fan-out made.
struct Frame {
    plan: Arc<Plan>,
    /// The number of its first step.
    base: usize,
    /// The fan-out whose place it takes, and what becomes that one's output.
    parent: Option<(usize, Expr)>,
    /// How many of its steps have not ended.
    left: usize,
    shared: Arc<Shared>,
    /// The same for `finally` steps, which an interrupted run does not cancel.
    shared_finally: Arc<Shared>,
    outer: Outer,
}

/// Where a step stands.
struct Node {
    frame: usize,
    id: StepId,
    state: State,
    /// How many edges lead here from steps that have not ended.
    waiting: u32,
    attempts: u32,
    /// Its failure is allowed.
    allowed: bool,
    /// It was left out on purpose (a condition, a selection): what only comes after it runs all the same.
    left_out: bool,
    started: Option<Instant>,
    output: Arc<Value>,
}

pub(super) struct Dispatcher<'r> {
    options: &'r RunOptions,
    interrupt: &'r Interrupt,
    consumers: Vec<Box<dyn Consumer>>,
    started: Instant,
    seq: u64,
    frames: Vec<Frame>,
    nodes: Vec<Node>,
    ready: VecDeque<usize>,
    /// All that they wait for has ended. A queue, not a recursion: a long chain may be skipped at once.
    due: VecDeque<usize>,
    /// Ready, but another step holds a lock.
    locked_out: Vec<usize>,
    locks: HashSet<Arc<str>>,
    running: usize,
    tasks: JoinSet<()>,
    messages: UnboundedSender<Message>,
    inbox: UnboundedReceiver<Message>,
    cancel: CancellationToken,
    interrupted: bool,
    /// The step whose failure lets nothing more start.
    failed_fast: Option<Arc<str>>,
    counts: Counts,
    failures: Vec<(Arc<str>, Failure)>,
    nothing: Arc<Value>,
}

impl<'r> Dispatcher<'r> {
    pub(super) fn new(
        options: &'r RunOptions,
        interrupt: &'r Interrupt,
        consumers: Vec<Box<dyn Consumer>>,
    ) -> Self {
        let (messages, inbox) = unbounded_channel();
        Self {
            options,
            interrupt,
            consumers,
            started: Instant::now(),
            seq: 0,
            frames: Vec::new(),
            nodes: Vec::new(),
            ready: VecDeque::new(),
            due: VecDeque::new(),
            locked_out: Vec::new(),
            locks: HashSet::new(),
            running: 0,
            tasks: JoinSet::new(),
            messages,
            inbox,
            cancel: CancellationToken::new(),
            interrupted: false,
            failed_fast: None,
            counts: Counts::default(),
            failures: Vec::new(),
            nothing: Arc::new(Value::Null),
        }
    }

    pub(super) async fn run(mut self, plan: &Plan, left_out: Vec<Option<String>>) -> RunResult {
        let clock = humantime::format_rfc3339_millis(std::time::SystemTime::now()).to_string();
        self.emit(EventKind::RunStarted {
            version: event::VERSION,
            playbook: plan.playbook.clone(),
            steps: plan.len(),
            started: clock,
        });
        self.add_frame(plan.clone(), None, Outer::default(), left_out);
        let mut started = 0_u32;
        loop {
            self.settle_due();
            while self.running < self.options.jobs.max(1) {
                let Some(node) = self.ready.pop_front() else { break };
                self.start(node);
                self.settle_due();
                started += 1;
                // Many steps without a wait must not keep an interrupt out.
                if started.is_multiple_of(128) {
                    tokio::task::yield_now().await;
                    self.look_for_interrupt();
                }
            }
            while let Ok(message) = self.inbox.try_recv() {
                self.take(message);
            }
            self.settle_due();
            if !self.ready.is_empty() && self.running < self.options.jobs.max(1) {
                continue;
            }
            if self.running == 0 && self.ready.is_empty() {
                break;
            }
            tokio::select! {
                biased;
                () = self.interrupt.at_once.cancelled() => {
                    self.stop_at_once().await;
                    break;
                }
                () = self.interrupt.gently.cancelled(), if !self.interrupted => self.stop_gently(),
                message = self.inbox.recv() => if let Some(message) = message { self.take(message) },
            }
        }
        let ok = self.failures.is_empty() && !self.interrupted;
        let took_ms = self.elapsed_ms();
        self.emit(EventKind::RunFinished {
            ok,
            took_ms,
            counts: self.counts,
        });
        RunResult {
            counts: self.counts,
            failures: self.failures,
            interrupted: self.interrupted,
            outputs: self
                .nodes
                .iter()
                .take(plan.len())
                .map(|node| node.output.clone())
                .collect(),
        }
    }

    // --- plans ---------------------------------------------------------------------------------------------------

    fn add_frame(
        &mut self,
        plan: Plan,
        parent: Option<(usize, Expr)>,
        outer: Outer,
        mut left_out: Vec<Option<String>>,
    ) {
        let (frame, base) = (self.frames.len(), self.nodes.len());
        let shared = |cancel: CancellationToken| {
            Arc::new(Shared {
                notes: self.messages.clone(),
                cancel,
                files: plan.files.clone(),
                closures: plan.closures.clone(),
                secrets: plan.secrets.clone(),
            })
        };
        let (shared, shared_finally) = (
            shared(self.cancel.clone()),
            shared(self.interrupt.at_once.child_token()),
        );
        self.nodes.reserve(plan.len());
        for id in plan.graph.node_indices() {
            self.nodes.push(Node {
                frame,
                id,
                state: State::Pending,
                waiting: plan.graph.edges_directed(id, Direction::Incoming).count() as u32,
                attempts: 0,
                allowed: plan.graph[id].modifiers().is_some_and(|m| m.allow_failure),
                left_out: false,
                started: None,
                output: self.nothing.clone(),
            });
        }
        let count = plan.len();
        self.frames.push(Frame {
            plan: Arc::new(plan),
            base,
            parent,
            left: count,
            shared,
            shared_finally,
            outer,
        });
        left_out.resize(count, None);
        for (index, reason) in left_out.into_iter().enumerate() {
            if let Some(reason) = reason {
                self.leave_out(base + index, reason);
            }
        }
        for node in base..base + count {
            if self.nodes[node].waiting == 0 && self.nodes[node].state == State::Pending {
                self.due.push_back(node);
            }
        }
    }

    fn step(&self, node: usize) -> &Step {
        let Node { frame, id, .. } = self.nodes[node];
        &self.frames[frame].plan.graph[id]
    }

    fn name(&self, node: usize) -> Arc<str> {
        self.step(node).name.clone()
    }

    // --- from pending to running -------------------------------------------------------------------------------------

    fn settle_due(&mut self) {
        while let Some(node) = self.due.pop_front() {
            // Left out meanwhile, or already there by another way.
            if self.nodes[node].state == State::Pending {
                self.settle(node);
            }
        }
    }

    /// All that a pending step waits for has ended: it becomes ready, or is skipped.
    fn settle(&mut self, node: usize) {
        let step = self.step(node);
        let finally = step.is_finally();
        if !finally {
            if self.interrupted {
                return self.cancel_pending(node);
            }
            if let Some(failed) = &self.failed_fast {
                let reason = format!("`{failed}` failed, and --fail-fast lets nothing more start");
                return self.skip(node, reason, false);
            }
            if let Some((reason, left_out)) = self.obstacle(node) {
                return self.skip(node, reason, left_out);
            }
        }
        self.nodes[node].state = State::Ready;
        self.ready.push_back(node);
    }

    /// Why a step cannot run, and whether that was on purpose.
    fn obstacle(&self, node: usize) -> Option<(String, bool)> {
        let Node { frame, id, .. } = self.nodes[node];
        let frame = &self.frames[frame];
        for edge in frame.plan.graph.edges_directed(id, Direction::Incoming) {
            let before = &self.nodes[frame.base + edge.source().index()];
            if before.state.is_good() || (before.state == State::Failed && before.allowed) {
                continue;
            }
            let name = &frame.plan.graph[edge.source()].name;
            let reads = matches!(edge.weight().kind, EdgeKind::Data(_));
            match before.state {
                State::Skipped if before.left_out && !reads => {}
                State::Skipped if before.left_out => {
                    return Some((format!("needs the output of `{name}`, which was skipped"), true));
                }
                State::Skipped => return Some((format!("needs `{name}`, which was skipped"), false)),
                State::Cancelled => return Some((format!("needs `{name}`, which was cancelled"), false)),
                _ => return Some((format!("needs `{name}`, which failed"), false)),
            }
        }
        None
    }

    fn start(&mut self, node: usize) {
        let frame_index = self.nodes[node].frame;
        let plan = self.frames[frame_index].plan.clone();
        let step = &plan.graph[self.nodes[node].id];
        let modifiers = step.modifiers.as_deref();
        if let Some(modifiers) = modifiers.filter(|m| !m.locks.is_empty()) {
            if modifiers.locks.iter().any(|lock| self.locks.contains(lock)) {
                self.locked_out.push(node);
                return;
            }
            self.locks.extend(modifiers.locks.iter().cloned());
        }
        let prepared = self.prepare(node, &plan, step);
        let (args, context) = match prepared {
            Ok(Some(prepared)) => prepared,
            Ok(None) => {
                self.unlock(node);
                return self.skip(node, "its condition is not met".to_owned(), true);
            }
            Err(error) => {
                self.unlock(node);
                return self.fail(node, error, false);
            }
        };
        self.nodes[node].state = State::Running;
        self.nodes[node].started = Some(Instant::now());
        self.running += 1;
        self.emit(EventKind::StepStarted {
            step: step.name.clone(),
            builtin: step.builtin.spec().name.into(),
        });
        let graceful = step.builtin.spec().graceful;
        let cancel = context.shared.cancel.clone();
        let work = attempts::work(step.builtin.clone(), args, context, step.modifiers.clone());
        let mut work = Box::pin(AssertUnwindSafe(work).catch_unwind());
        match work.as_mut().poll(&mut TaskContext::from_waker(Waker::noop())) {
            Poll::Ready(result) => {
                // What it told comes before its end.
                while let Ok(message) = self.inbox.try_recv() {
                    self.take(message);
                }
                self.take(Message::Ended(node as u32, ended(result)));
            }
            Poll::Pending => {
                let messages = self.messages.clone();
                let (at_once, grace) = (self.interrupt.at_once.clone(), self.options.grace);
                self.tasks.spawn(async move {
                    let stop = async {
                        cancel.cancelled().await;
                        if graceful {
                            // Its own clean-up takes as long as it gives its processes, and a little more.
                            tokio::select! {
                                () = tokio::time::sleep(grace + std::time::Duration::from_secs(2)) => {}
                                () = at_once.cancelled() => {}
                            }
                        }
                    };
                    let end = tokio::select! {
                        result = work => ended(result),
                        () = stop => Ended { result: Err(Stop::Cancelled), attempts: 1 },
                    };
                    let _ = messages.send(Message::Ended(node as u32, end));
                });
            }
        }
    }

    /// The step's arguments and context; `None` when its condition is not met.
    fn prepare(
        &self,
        node: usize,
        plan: &Arc<Plan>,
        step: &Step,
    ) -> Result<Option<(Value, Context)>, StepError> {
        let frame = &self.frames[self.nodes[node].frame];
        let read = |reference: &Reference| -> Result<Value, NoSuchPath> {
            let output = &self.nodes[frame.base + reference.step.index()].output;
            follow(output, &reference.path)
                .cloned()
                .map_err(|error| NoSuchPath {
                    message: format!(
                        "`{}{}`: {}",
                        plan.graph[reference.step].name,
                        show_path(&reference.path),
                        error.message
                    ),
                })
        };
        let mut args = serde_json::Map::with_capacity(step.args.len());
        for (name, expr) in &step.args {
            let value = match expr {
                Expr::Value(value) => value.clone(),
                other => other.resolve(&mut |reference| read(reference)).map_err(no_path)?,
            };
            args.insert((**name).to_owned(), value);
        }
        let (mut captures, mut outer) = (Captures::default(), frame.outer.clone());
        if !step.closures.is_empty() {
            let fans_out = step.unfolds();
            let keep = |id: StepId| fans_out && plan.graph[id].builtin.spec().produces.is_some();
            let mut values = HashMap::new();
            for id in &step.closures {
                let captured = frame
                    .shared
                    .closures
                    .captures(*id, &mut |r| read(r), &keep)
                    .map_err(no_path)?;
                values.insert(*id, captured);
            }
            captures = Arc::new(values);
            if fans_out {
                let mut kept = (*outer).clone();
                for (before, _) in plan.needs(self.nodes[node].id) {
                    if keep(before) {
                        kept.insert(
                            (plan.id, before),
                            self.nodes[frame.base + before.index()].output.clone(),
                        );
                    }
                }
                outer = Arc::new(kept);
            }
        }
        let shared = if step.is_finally() {
            &frame.shared_finally
        } else {
            &frame.shared
        };
        let context = Context {
            step: node as u32,
            attempt: 1,
            name: step.name.clone(),
            shared: shared.clone(),
            captures,
            outer,
        };
        if let Some(when) = step.modifiers().and_then(|m| m.when) {
            match context.call(&when, Vec::new())? {
                Value::Bool(true) => {}
                Value::Bool(false) => return Ok(None),
                other => {
                    return Err(StepError::new(
                        "psprun::step::when",
                        format!("the closure of `when` gave `{other}`, not true or false"),
                    ));
                }
            }
        }
        Ok(Some((Value::Object(args), context)))
    }

    // --- messages ------------------------------------------------------------------------------------------------------

    fn take(&mut self, message: Message) {
        match message {
            Message::Note(node, note) => self.note(node as usize, note),
            Message::Ended(node, end) => self.ended(node as usize, end),
        }
    }

    fn note(&mut self, node: usize, note: Note) {
        let step = self.name(node);
        let mask = |mut text: String| {
            self.frames[self.nodes[node].frame].plan.secrets.mask(&mut text);
            text
        };
        let kind = match note {
            Note::Line(stream, line) => EventKind::StepLine {
                step,
                stream,
                line: mask(line),
            },
            Note::Progress(text) => EventKind::StepProgress {
                step,
                text: mask(text),
            },
            Note::Warning(text) => EventKind::StepWarning {
                step,
                text: mask(text),
            },
            Note::Retrying {
                attempt,
                attempts,
                reason,
                wait_ms,
            } => EventKind::StepRetrying {
                step,
                attempt,
                attempts,
                reason: mask(reason),
                wait_ms,
            },
        };
        self.emit(kind);
    }

    fn ended(&mut self, node: usize, end: Ended) {
        if self.nodes[node].state != State::Running {
            return;
        }
        self.running -= 1;
        self.unlock(node);
        self.nodes[node].attempts = end.attempts;
        match end.result {
            Ok(mut outcome) => match outcome.unfold.take() {
                Some(unfold) => self.unfold(node, *unfold),
                None => self.succeed(node, outcome),
            },
            // A failure that the cancellation itself brought about is none of the step's.
            Err(Stop::Failed(_)) | Err(Stop::Cancelled)
                if self.interrupted && !self.step(node).is_finally() =>
            {
                self.finish(node, State::Cancelled, None, None, None, None);
            }
            Err(Stop::Failed(error)) => self.fail(node, error, false),
            Err(Stop::Cancelled) => self.finish(node, State::Cancelled, None, None, None, None),
            Err(Stop::Panicked(what)) => {
                let error = StepError::new("psprun::internal", format!("the builtin broke off: {what}"))
                    .help("this is a fault of the program; please report it");
                self.fail(node, error, true);
            }
        }
    }

    fn unlock(&mut self, node: usize) {
        let frame = self.nodes[node].frame;
        let plan = self.frames[frame].plan.clone();
        if let Some(modifiers) = plan.graph[self.nodes[node].id].modifiers()
            && !modifiers.locks.is_empty()
        {
            for lock in &modifiers.locks {
                self.locks.remove(lock);
            }
            // In the order in which they became ready.
            for waiting in std::mem::take(&mut self.locked_out).into_iter().rev() {
                self.ready.push_front(waiting);
            }
        }
    }

    fn unfold(&mut self, node: usize, unfold: Unfold) {
        let Unfold { plan, result } = unfold;
        let step = self.name(node);
        let into: Vec<Arc<str>> = plan.steps().map(|(_, step)| step.name.clone()).collect();
        let empty = into.is_empty();
        self.emit(EventKind::StepUnfolded { step, into });
        if empty {
            let value = result
                .resolve(&mut |_| Ok::<_, std::convert::Infallible>(Value::Null))
                .unwrap_or_else(|never| match never {});
            return self.succeed(node, Outcome::unchanged(value));
        }
        let parent = &self.frames[self.nodes[node].frame];
        // The new plan's closures may use what the fan-out's closure could.
        let mut outer = (*parent.outer).clone();
        for (before, _) in parent.plan.needs(self.nodes[node].id) {
            outer.insert(
                (parent.plan.id, before),
                self.nodes[parent.base + before.index()].output.clone(),
            );
        }
        self.add_frame(plan, Some((node, result)), Arc::new(outer), Vec::new());
    }

    // --- ends --------------------------------------------------------------------------------------------------------

    fn succeed(&mut self, node: usize, outcome: Outcome) {
        let changed = outcome.changed && !self.step(node).builtin.spec().reads_only;
        if !outcome.output.is_null() {
            self.nodes[node].output = Arc::new(outcome.output);
        }
        let state = if changed { State::Done } else { State::Unchanged };
        let output = self.shown_output(node);
        self.finish(node, state, outcome.summary, outcome.details, output, None);
    }

    fn shown_output(&self, node: usize) -> Option<Arc<Value>> {
        let output = &self.nodes[node].output;
        if output.is_null() {
            return None;
        }
        let secrets = &self.frames[self.nodes[node].frame].plan.secrets;
        if secrets.is_empty() {
            return Some(output.clone());
        }
        let mut masked = (**output).clone();
        secrets.mask_value(&mut masked);
        Some(Arc::new(masked))
    }

    fn fail(&mut self, node: usize, error: StepError, internal: bool) {
        let allowed = self.nodes[node].allowed && !internal;
        let secrets = self.frames[self.nodes[node].frame].plan.secrets.clone();
        let mask = |mut text: String| {
            secrets.mask(&mut text);
            text
        };
        let failure = Failure {
            code: error.code.to_owned(),
            message: mask(error.message),
            help: error.help.map(mask),
            file: error.at,
            at: self.step(node).at.clone(),
            allowed,
            internal,
        };
        let mut output = serde_json::json!({ "failed": true, "error": failure.message });
        if let Some(known) = error.output {
            output["output"] = *known;
        }
        if allowed {
            self.nodes[node].output = Arc::new(output);
        }
        let shown = allowed.then(|| self.shown_output(node)).flatten();
        if !allowed {
            self.failures.push((self.name(node), failure.clone()));
            if self.options.fail_fast && self.failed_fast.is_none() {
                self.failed_fast = Some(self.name(node));
            }
        }
        self.finish(node, State::Failed, None, None, shown, Some(Box::new(failure)));
        if self.failed_fast.is_some() {
            self.flush_ready();
        }
    }

    /// What is ready but must not start any more is settled anew.
    fn flush_ready(&mut self) {
        let waiting: Vec<usize> = std::mem::take(&mut self.ready)
            .into_iter()
            .chain(std::mem::take(&mut self.locked_out))
            .collect();
        for node in waiting {
            self.nodes[node].state = State::Pending;
            self.due.push_back(node);
        }
    }

    fn skip(&mut self, node: usize, reason: String, left_out: bool) {
        self.nodes[node].left_out = left_out;
        self.finish(node, State::Skipped, Some(reason), None, None, None);
    }

    fn leave_out(&mut self, node: usize, reason: String) {
        if self.nodes[node].state == State::Pending {
            self.skip(node, reason, true);
        }
    }

    fn cancel_pending(&mut self, node: usize) {
        self.finish(
            node,
            State::Cancelled,
            Some("the run was interrupted".to_owned()),
            None,
            None,
            None,
        );
    }

    fn finish(
        &mut self,
        node: usize,
        state: State,
        summary: Option<String>,
        details: Option<String>,
        output: Option<Arc<Value>>,
        error: Option<Box<Failure>>,
    ) {
        debug_assert!(state.is_final() && !self.nodes[node].state.is_final());
        let secrets = &self.frames[self.nodes[node].frame].plan.secrets;
        let mask = |mut text: String| {
            secrets.mask(&mut text);
            text
        };
        let (summary, details) = (summary.map(mask), details.map(mask));
        self.nodes[node].state = state;
        match state {
            State::Done => self.counts.done += 1,
            State::Unchanged => self.counts.unchanged += 1,
            State::Failed if self.nodes[node].allowed => self.counts.allowed_failures += 1,
            State::Failed => self.counts.failed += 1,
            State::Skipped => self.counts.skipped += 1,
            _ => self.counts.cancelled += 1,
        }
        let took_ms = self.nodes[node].started.map_or(0, millis);
        let event = EventKind::StepFinished {
            step: self.name(node),
            state,
            took_ms,
            attempts: self.nodes[node].attempts,
            summary,
            details,
            output,
            error,
        };
        self.emit(event);
        self.release(node);
    }

    /// A step has ended: those that wait for it come closer, and a plan that is done ends its fan-out.
    fn release(&mut self, node: usize) {
        let Node { frame, id, .. } = self.nodes[node];
        let plan = self.frames[frame].plan.clone();
        let base = self.frames[frame].base;
        // petgraph walks the youngest edge first; the playbook's order is the other way round.
        let next: Vec<usize> = plan.graph.neighbors(id).map(|next| base + next.index()).collect();
        for next in next.into_iter().rev() {
            self.nodes[next].waiting -= 1;
            if self.nodes[next].waiting == 0 && self.nodes[next].state == State::Pending {
                self.due.push_back(next);
            }
        }
        self.frames[frame].left -= 1;
        if self.frames[frame].left == 0
            && let Some((parent, result)) = self.frames[frame].parent.take()
        {
            self.end_fan_out(parent, frame, &result);
        }
    }

    fn end_fan_out(&mut self, parent: usize, frame: usize, result: &Expr) {
        let (base, count) = (self.frames[frame].base, self.frames[frame].plan.len());
        let nodes = &self.nodes[base..base + count];
        let bad = nodes
            .iter()
            .filter(|n| n.state == State::Failed && !n.allowed)
            .count();
        let stopped = nodes.iter().any(|n| n.state == State::Cancelled);
        let changed = nodes.iter().any(|n| n.state == State::Done);
        if stopped {
            return self.finish(parent, State::Cancelled, None, None, None, None);
        }
        if bad > 0 {
            let error = StepError::new(
                "psprun::for_each::failed",
                format!("{bad} of its {count} steps failed"),
            );
            return self.fail(parent, error, false);
        }
        let read = |reference: &Reference| {
            let output = &self.nodes[base + reference.step.index()].output;
            // A step that was skipped has no output.
            Ok::<_, std::convert::Infallible>(follow(output, &reference.path).cloned().unwrap_or_default())
        };
        let value = result
            .resolve(&mut |r| read(r))
            .unwrap_or_else(|never| match never {});
        let outcome = Outcome::new(value, changed).summary(format!("{count} steps"));
        self.succeed(parent, outcome);
    }

    // --- interruption ------------------------------------------------------------------------------------------------

    fn look_for_interrupt(&mut self) {
        if self.interrupt.gently.is_cancelled() && !self.interrupted {
            self.stop_gently();
        }
    }

    fn stop_gently(&mut self) {
        self.interrupted = true;
        self.emit(EventKind::RunInterrupted { at_once: false });
        self.cancel.cancel();
        self.flush_ready();
    }

    async fn stop_at_once(&mut self) {
        self.interrupted = true;
        self.emit(EventKind::RunInterrupted { at_once: true });
        self.cancel.cancel();
        // Dropping the work ends its processes.
        self.tasks.shutdown().await;
        while let Ok(message) = self.inbox.try_recv() {
            if let Message::Note(node, note) = message {
                self.note(node as usize, note);
            }
        }
        for node in 0..self.nodes.len() {
            if !self.nodes[node].state.is_final() {
                self.nodes[node].waiting = u32::MAX;
            }
        }
        // Every step ends exactly once, fan-outs after their own steps.
        for node in (0..self.nodes.len()).rev() {
            if !self.nodes[node].state.is_final() {
                self.cancel_pending(node);
            }
        }
        self.ready.clear();
        self.due.clear();
        self.running = 0;
    }

    // --- events --------------------------------------------------------------------------------------------------------

    fn emit(&mut self, kind: EventKind) {
        let event = Event {
            seq: self.seq,
            at_ms: self.elapsed_ms(),
            kind,
        };
        self.seq += 1;
        for consumer in &mut self.consumers {
            consumer.event(&event);
        }
    }

    fn elapsed_ms(&self) -> u64 {
        millis(self.started)
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn no_path(error: NoSuchPath) -> StepError {
    StepError::new("psprun::step::no_path", error.message)
        .help("`psprun builtins NAME` shows the shape of an output")
}

fn ended(result: Result<Ended, Box<dyn std::any::Any + Send>>) -> Ended {
    result.unwrap_or_else(|panic| {
        let what = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "a panic".to_owned());
        Ended {
            result: Err(Stop::Panicked(what)),
            attempts: 1,
        }
    })
}
