//! What a builtin is: a kind of step, in Rust.
//!
//! A builtin is one type that implements [`Builtin`]: a [`Spec`] that says what it is called and what it takes, a
//! struct of arguments whose doc comments are its documentation, and an async `run`. Everything else (the function in
//! the script, its help, "did you mean", the editor's definitions) derives from these.
//!
//! A call is data: the builtin's name and its resolved arguments go in, an output comes out, JSON both ways. Nothing
//! in a builtin may lean on being in the scheduler's process.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::context::Context;
use crate::plan::{Expr, Plan};

/// A kind of step. See the module's documentation and `CONTRIBUTING.md`, "Add a builtin".
#[async_trait]
pub trait Builtin: Send + Sync + 'static {
    /// The arguments. Doc comments of the fields are the documentation; `#[serde(default)]` makes one optional;
    /// `#[serde(deny_unknown_fields)]` is not needed, the engine refuses unknown arguments with a better message.
    type Args: DeserializeOwned + JsonSchema + Send + 'static;

    /// The output. Its doc comments are the documentation of its shape.
    type Output: Serialize + JsonSchema + 'static;

    /// Name, summary, receiver, subject, examples.
    fn spec(&self) -> Spec;

    /// What a step of this builtin will do, in one line, for the graph: known arguments in full, unknown ones as
    /// `${handle.path}` strings. Starts with a verb, has no builtin name in it. The default lists the arguments.
    fn describe(&self, args: &Value) -> String {
        describe_arguments(self.spec().subject, args)
    }

    /// More to show in the graph with `-v`, e.g. a config file that will be written; several lines.
    fn details(&self, _args: &Value) -> Option<String> {
        None
    }

    /// Looks at the known arguments while the plan is made and reports what cannot work (`args`: as for
    /// [`Builtin::describe`]). Must touch nothing but its arguments.
    ///
    /// # Errors
    /// What is wrong, and what to do.
    fn check(&self, _args: &Value) -> Result<(), StepError> {
        Ok(())
    }

    /// Does it. Must not block the thread: use `tokio::task::spawn_blocking` for work of more than a millisecond.
    ///
    /// # Errors
    /// Why it could not be done.
    async fn run(&self, args: Self::Args, context: Context) -> Result<Outcome<Self::Output>, StepError>;
}

/// What a builtin is called and how a playbook calls it.
///
/// `apply` with the receiver `cluster` and the subject `what` is called as `cluster.apply(what, #{ …options })`;
/// `host::run` with an optional receiver `host` and the subject `command` as `host::run(command, #{ … })`.
#[derive(Debug, Clone)]
pub struct Spec {
    /// `apply`, `host::run`: the part before `::` is a namespace in the script.
    pub name: &'static str,
    /// Other names for the same builtin, e.g. `sh`.
    pub aliases: &'static [&'static str],
    /// One sentence, third person, no final period: "Applies objects to the cluster".
    pub summary: &'static str,
    /// What the builtin is called on.
    pub receiver: Receiver,
    /// The argument that is given first, before the map of options.
    pub subject: Option<&'static str>,
    /// What kind of thing the output stands for: `Some("cluster")` makes the handle a receiver of cluster builtins.
    pub produces: Option<&'static str>,
    /// Whether the builtin only reads: such a step is never "changed".
    pub reads_only: bool,
    /// Whether a cancelled step is given time to end by itself (it watches [`Context::cancelled`]); others are dropped
    /// at their next await.
    pub graceful: bool,
    /// At least two; planned by a test, and run where [`Example::runs`] says.
    pub examples: &'static [Example],
}

impl Spec {
    /// A spec with a name, a summary and nothing else.
    pub const fn new(name: &'static str, summary: &'static str) -> Self {
        Self {
            name,
            aliases: &[],
            summary,
            receiver: Receiver::None,
            subject: None,
            produces: None,
            reads_only: false,
            graceful: false,
            examples: &[],
        }
    }

    /// Also callable by these names.
    pub const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// Called as a method of a handle of this kind; the argument of the same name gets the handle's output.
    pub const fn on(mut self, kind: &'static str) -> Self {
        self.receiver = Receiver::Required(kind);
        self
    }

    /// Called as a function, or as a method of a handle of this kind; the argument of the same name is optional.
    pub const fn optionally_on(mut self, kind: &'static str) -> Self {
        self.receiver = Receiver::Optional(kind);
        self
    }

    /// The argument that is given first.
    pub const fn subject(mut self, name: &'static str) -> Self {
        self.subject = Some(name);
        self
    }

    /// The output stands for a thing of this kind, on which other builtins can be called.
    pub const fn produces(mut self, kind: &'static str) -> Self {
        self.produces = Some(kind);
        self
    }

    /// The builtin changes nothing.
    pub const fn reads_only(mut self) -> Self {
        self.reads_only = true;
        self
    }

    /// A cancelled step is given time to end by itself.
    pub const fn graceful(mut self) -> Self {
        self.graceful = true;
        self
    }

    /// Examples for the documentation and the tests.
    pub const fn examples(mut self, examples: &'static [Example]) -> Self {
        self.examples = examples;
        self
    }

    /// How a playbook calls it: `cluster.apply(what, #{ … })`.
    pub fn usage(&self) -> String {
        let args = match self.subject {
            Some(subject) => format!("{subject}, #{{ … }}"),
            None => "#{ … }".to_owned(),
        };
        match self.receiver {
            Receiver::Required(kind) => format!("{kind}.{}({args})", self.method_name()),
            Receiver::None | Receiver::Optional(_) => format!("{}({args})", self.name),
        }
    }

    /// The name of the method on a receiver: `host::run` is `run`, `kubeadm::join` is `kubeadm_join`.
    pub fn method_name(&self) -> String {
        match self.receiver {
            Receiver::Required(kind) | Receiver::Optional(kind) => self
                .name
                .strip_prefix(&format!("{kind}::"))
                .unwrap_or(self.name)
                .replace("::", "_"),
            Receiver::None => self.name.replace("::", "_"),
        }
    }
}

/// What a builtin is called on. The kind (`cluster`, `host`) is also the name of the argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receiver {
    /// A plain function.
    None,
    /// A function, or a method of a handle of this kind.
    Optional(&'static str),
    /// A method of a handle of this kind.
    Required(&'static str),
}

/// A short playbook that shows a builtin.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// What it shows, a few words.
    pub title: &'static str,
    /// The playbook. A `cluster` is defined for builtins that need one.
    pub script: &'static str,
    /// Where the tests run it, beyond planning it.
    pub runs: Runs,
}

/// Where an example can be run by a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runs {
    /// On any machine, in a scratch folder.
    Anywhere,
    /// Against an API server.
    OnCluster,
    /// Only on a machine with kubeadm that may be changed: planned here, run by the tests of the real cluster.
    OnNode,
}

/// What a step did.
#[derive(Debug, Clone)]
pub struct Outcome<T = Value> {
    /// The output, for the steps that use its handle.
    pub output: T,
    /// Whether anything was changed.
    pub changed: bool,
    /// A few words on what was done, for people: `3 created, 1 unchanged`.
    pub summary: Option<String>,
    /// Lines of a diff or the like, for people; `-v` shows them.
    pub details: Option<String>,
    /// Steps that take this step's place (a fan-out over what only the run knows).
    pub(crate) unfold: Option<Box<Unfold>>,
}

/// Steps that take a fan-out's place, and what becomes its output when they are done.
#[derive(Debug, Clone)]
pub(crate) struct Unfold {
    pub(crate) plan: Plan,
    pub(crate) result: Expr,
}

impl<T> Outcome<T> {
    /// Something was changed.
    pub fn changed(output: T) -> Self {
        Self {
            output,
            changed: true,
            summary: None,
            details: None,
            unfold: None,
        }
    }

    /// All was as it should be, or the step only reads.
    pub fn unchanged(output: T) -> Self {
        Self {
            changed: false,
            ..Self::changed(output)
        }
    }

    /// Changed or not, as told.
    pub fn new(output: T, changed: bool) -> Self {
        Self {
            changed,
            ..Self::changed(output)
        }
    }

    /// Adds a few words for people.
    pub fn summary(mut self, text: impl Into<String>) -> Self {
        self.summary = Some(text.into());
        self
    }

    /// Adds lines for people, e.g. a diff.
    pub fn details(mut self, text: impl Into<String>) -> Self {
        self.details = Some(text.into());
        self
    }

    pub(crate) fn map<U>(self, f: impl FnOnce(T) -> U) -> Outcome<U> {
        Outcome {
            output: f(self.output),
            changed: self.changed,
            summary: self.summary,
            details: self.details,
            unfold: self.unfold,
        }
    }
}

/// Why a step failed: what, why and what to do.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct StepError {
    /// A stable code of the kind `psprun::apply::conflict`.
    pub code: &'static str,
    /// What went wrong, in lower case, without a final period; may have several lines.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Where in a manifest or another file of the playbook: `manifests/x.yaml:12:3`.
    pub at: Option<String>,
    /// Whether the same call may succeed later: only such an error is retried.
    pub heals: bool,
    /// Not before so many milliseconds (a server's `Retry-After`).
    pub retry_after_ms: Option<u64>,
    /// What the step knew when it failed (e.g. stdout of a command), for the journal and `-v`.
    pub output: Option<Box<Value>>,
}

impl StepError {
    /// An error that trying again does not mend.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            help: None,
            at: None,
            heals: false,
            retry_after_ms: None,
            output: None,
        }
    }

    /// Says what to do.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says where.
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.at = Some(place.into());
        self
    }

    /// Trying again may help.
    pub fn heals(mut self) -> Self {
        self.heals = true;
        self
    }

    /// Adds what was known when it failed.
    pub fn output(mut self, output: impl Serialize) -> Self {
        self.output = serde_json::to_value(output).ok().map(Box::new);
        self
    }
}

/// The default of [`Builtin::describe`]: the subject, then `name=value` pairs.
pub fn describe_arguments(subject: Option<&str>, args: &Value) -> String {
    let Value::Object(args) = args else {
        return String::new();
    };
    let mut text = String::new();
    let mut push = |piece: &str| {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(piece);
    };
    if let Some(value) = subject.and_then(|name| args.get(name)) {
        push(&show_short(value));
    }
    for (name, value) in args {
        if Some(name.as_str()) != subject && name != "cluster" && name != "host" {
            push(&format!("{name}={}", show_short(value)));
        }
    }
    text
}

/// A value in one short line: strings bare, lists joined by blanks when they are lists of plain words.
pub fn show_short(value: &Value) -> String {
    const LIMIT: usize = 60;
    let text = match value {
        Value::String(text) => text.split_whitespace().collect::<Vec<_>>().join(" "),
        Value::Array(items) if items.iter().all(Value::is_string) => items
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(" "),
        other => other.to_string(),
    };
    if text.chars().count() > LIMIT {
        let cut: String = text.chars().take(LIMIT - 1).collect();
        format!("{cut}…")
    } else {
        text
    }
}

/// A builtin without its types: what the engine stores and calls.
#[async_trait]
pub(crate) trait AnyBuiltin: Send + Sync {
    fn spec(&self) -> &Spec;
    fn args_schema(&self) -> &Value;
    fn output_schema(&self) -> &Value;
    fn describe(&self, args: &Value) -> String;
    fn details(&self, args: &Value) -> Option<String>;
    fn check(&self, args: &Value) -> Result<(), StepError>;
    /// Whether these (all known) arguments have the right types.
    fn parse(&self, args: Value) -> Result<(), String>;
    async fn run(&self, args: Value, context: Context) -> Result<Outcome, StepError>;
}

pub(crate) struct Erased<B> {
    builtin: B,
    spec: Spec,
    args_schema: std::sync::OnceLock<Value>,
    output_schema: std::sync::OnceLock<Value>,
}

impl<B: Builtin> Erased<B> {
    pub(crate) fn erase(builtin: B) -> Arc<dyn AnyBuiltin> {
        let spec = builtin.spec();
        Arc::new(Self {
            builtin,
            spec,
            args_schema: Default::default(),
            output_schema: Default::default(),
        })
    }
}

#[async_trait]
impl<B: Builtin> AnyBuiltin for Erased<B> {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn args_schema(&self) -> &Value {
        self.args_schema
            .get_or_init(|| schemars::schema_for!(B::Args).to_value())
    }

    fn output_schema(&self) -> &Value {
        self.output_schema
            .get_or_init(|| schemars::schema_for!(B::Output).to_value())
    }

    fn describe(&self, args: &Value) -> String {
        self.builtin.describe(args)
    }

    fn details(&self, args: &Value) -> Option<String> {
        self.builtin.details(args)
    }

    fn check(&self, args: &Value) -> Result<(), StepError> {
        self.builtin.check(args)
    }

    fn parse(&self, args: Value) -> Result<(), String> {
        serde_json::from_value::<B::Args>(args)
            .map(drop)
            .map_err(|error| error.to_string())
    }

    async fn run(&self, args: Value, context: Context) -> Result<Outcome, StepError> {
        let args = serde_json::from_value::<B::Args>(args)
            .map_err(|error| StepError::new("psprun::args", format!("{}: {error}", self.spec.name)))?;
        let outcome = self.builtin.run(args, context).await?;
        let output = serde_json::to_value(&outcome.output).map_err(|error| {
            StepError::new(
                "psprun::output",
                format!("the output of {} is no JSON: {error}", self.spec.name),
            )
        })?;
        Ok(outcome.map(|_| output))
    }
}

impl fmt::Debug for dyn AnyBuiltin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Builtin({})", self.spec().name)
    }
}
