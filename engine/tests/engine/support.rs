//! A registry of small builtins, and a short way to plan and run a script with it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use psprun_engine::run::{Interrupt, RunOptions, RunResult, run};
use psprun_engine::script::{Library, Planner, Playbook};
use psprun_engine::{
    Builtin, Context, Diagnostic, Event, EventKind, Function, Outcome, Plan, Registry, Spec, StepError,
    Stream,
};
use serde_json::Value;

/// `echo(anything)`: gives it back.
pub struct Echo;

#[derive(serde::Deserialize, schemars::JsonSchema)]
pub struct EchoArgs {
    /// What comes back.
    value: Value,
    /// Said while it runs.
    #[serde(default)]
    say: Option<String>,
    /// How many words.
    #[serde(default)]
    #[allow(dead_code)]
    words: Option<u32>,
    /// Whether something changes.
    #[serde(default)]
    same: bool,
}

#[async_trait::async_trait]
impl Builtin for Echo {
    type Args = EchoArgs;
    type Output = Value;

    fn spec(&self) -> Spec {
        Spec::new("echo", "Gives back what it gets").subject("value")
    }

    async fn run(&self, args: EchoArgs, context: Context) -> Result<Outcome<Value>, StepError> {
        if let Some(text) = args.say {
            context.line(Stream::Stdout, text);
        }
        Ok(Outcome::new(args.value, !args.same))
    }
}

/// `fail("why")`.
pub struct Fail;

#[derive(serde::Deserialize, schemars::JsonSchema)]
pub struct FailArgs {
    /// Why.
    why: String,
}

#[async_trait::async_trait]
impl Builtin for Fail {
    type Args = FailArgs;
    type Output = Value;

    fn spec(&self) -> Spec {
        Spec::new("fail", "Fails").subject("why")
    }

    async fn run(&self, args: FailArgs, _: Context) -> Result<Outcome<Value>, StepError> {
        Err(StepError::new("test::fail", args.why).help("do not call it"))
    }
}

/// `test::panics()`.
pub struct Panics;

#[derive(serde::Deserialize, schemars::JsonSchema)]
pub struct NoArgs {}

#[async_trait::async_trait]
impl Builtin for Panics {
    type Args = NoArgs;
    type Output = Value;

    fn spec(&self) -> Spec {
        Spec::new("test::panics", "Breaks off")
    }

    async fn run(&self, _: NoArgs, _: Context) -> Result<Outcome<Value>, StepError> {
        panic!("on purpose")
    }
}

/// `count()`: how often it was called; fails until the call that `good_at` names.
#[derive(Default)]
pub struct Count {
    calls: AtomicUsize,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
pub struct CountArgs {
    /// Fails before this call.
    #[serde(default)]
    good_at: usize,
}

#[async_trait::async_trait]
impl Builtin for Count {
    type Args = CountArgs;
    type Output = usize;

    fn spec(&self) -> Spec {
        Spec::new("count", "Counts its calls")
    }

    async fn run(&self, args: CountArgs, _: Context) -> Result<Outcome<usize>, StepError> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        if call < args.good_at {
            return Err(StepError::new("test::early", format!("call {call} is too early")).heals());
        }
        Ok(Outcome::changed(call))
    }
}

/// `pause("10ms")`: waits, and knows how many do at once.
#[derive(Default)]
pub struct Pause {
    pub now: Arc<AtomicUsize>,
    pub most: Arc<AtomicUsize>,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
pub struct PauseArgs {
    /// How long.
    time: String,
}

#[async_trait::async_trait]
impl Builtin for Pause {
    type Args = PauseArgs;
    type Output = usize;

    fn spec(&self) -> Spec {
        Spec::new("pause", "Waits").subject("time")
    }

    async fn run(&self, args: PauseArgs, _: Context) -> Result<Outcome<usize>, StepError> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let time = psprun_engine::plan::parse_duration(&args.time)
            .map_err(|why| StepError::new("test::duration", why))?;
        tokio::time::sleep(time).await;
        self.now.fetch_sub(1, Ordering::SeqCst);
        Ok(Outcome::changed(now))
    }
}

/// `cluster()` gives a cluster; `cluster.apply(file)` is called on one.
pub struct Cluster;

#[async_trait::async_trait]
impl Builtin for Cluster {
    type Args = NoArgs;
    type Output = Value;

    fn spec(&self) -> Spec {
        Spec::new("cluster", "Gives a cluster").produces("cluster")
    }

    async fn run(&self, _: NoArgs, _: Context) -> Result<Outcome<Value>, StepError> {
        Ok(Outcome::unchanged(
            serde_json::json!({ "kubeconfig": "/k", "version": "v1.20.2" }),
        ))
    }
}

pub struct Apply;

#[derive(serde::Deserialize, schemars::JsonSchema)]
pub struct ApplyArgs {
    /// The cluster.
    cluster: Value,
    /// A file of the playbook.
    #[schemars(extend("x-psprun-file" = true))]
    what: Value,
    /// Where.
    #[serde(default)]
    namespace: Option<String>,
}

#[async_trait::async_trait]
impl Builtin for Apply {
    type Args = ApplyArgs;
    type Output = Value;

    fn spec(&self) -> Spec {
        Spec::new("apply", "Applies").on("cluster").subject("what")
    }

    async fn run(&self, args: ApplyArgs, context: Context) -> Result<Outcome<Value>, StepError> {
        let text = args
            .what
            .as_str()
            .and_then(|name| context.files().get(name))
            .and_then(|file| file.text().map(str::to_owned));
        Ok(Outcome::changed(serde_json::json!({
            "cluster": args.cluster["kubeconfig"], "what": args.what, "namespace": args.namespace, "text": text,
        })))
    }
}

fn shout(args: &[Value]) -> Result<Value, String> {
    args[0]
        .as_str()
        .map(|text| text.to_uppercase().into())
        .ok_or_else(|| "needs a text".to_owned())
}

/// Files by path.
pub struct Shelf(pub BTreeMap<&'static str, &'static str>);

impl Library for Shelf {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.0.get(path).map(|text| text.as_bytes().to_vec())
    }

    fn paths(&self) -> Vec<String> {
        self.0.keys().map(|path| (*path).to_owned()).collect()
    }
}

/// A script with all that it needs to be planned and run.
#[derive(Default)]
pub struct Script {
    text: String,
    values: BTreeMap<String, Value>,
    library: BTreeMap<&'static str, &'static str>,
    options: RunOptions,
    pub pause: (Arc<AtomicUsize>, Arc<AtomicUsize>),
}

pub fn script(text: &str) -> Script {
    Script {
        text: text.to_owned(),
        ..Script::default()
    }
}

impl Script {
    pub fn set(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.values.insert(name.to_owned(), value.into());
        self
    }

    pub fn file(mut self, path: &'static str, text: &'static str) -> Self {
        self.library.insert(path, text);
        self
    }

    pub fn jobs(mut self, jobs: usize) -> Self {
        self.options.jobs = jobs;
        self
    }

    pub fn options(mut self, change: impl FnOnce(&mut RunOptions)) -> Self {
        change(&mut self.options);
        self
    }

    pub fn planner(&self) -> Planner {
        let mut registry = Registry::new();
        let pause = Pause {
            now: self.pause.0.clone(),
            most: self.pause.1.clone(),
        };
        registry
            .add(Echo)
            .add(Fail)
            .add(Panics)
            .add(Count::default())
            .add(pause)
            .add(Cluster)
            .add(Apply);
        registry.add_function(Function {
            name: "text::shout",
            summary: "Makes a text louder",
            params: &["text"],
            call: shout,
            example: r#"text::shout("a")"#,
            gives: r#""A""#,
        });
        Planner::new(Arc::new(registry)).library(Arc::new(Shelf(self.library.clone())))
    }

    pub fn plan(&self) -> Result<Plan, Vec<Diagnostic>> {
        let playbook = Playbook {
            name: "test.rhai".into(),
            script: self.text.clone(),
            folder: None,
        };
        self.planner().plan(&playbook, &self.values)
    }

    pub fn params(&self) -> Result<Vec<psprun_engine::script::Param>, Vec<Diagnostic>> {
        let playbook = Playbook {
            name: "test.rhai".into(),
            script: self.text.clone(),
            folder: None,
        };
        self.planner().params(&playbook, &self.values)
    }

    #[track_caller]
    pub fn good(&self) -> Plan {
        self.plan().unwrap_or_else(|problems| {
            panic!(
                "{}",
                problems
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join("\n")
            )
        })
    }

    /// The diagnostics of a script that does not plan, as a person would read them.
    #[track_caller]
    pub fn problems(&self) -> String {
        let Err(problems) = self.plan() else {
            panic!("this plans: {}", self.text)
        };
        let mut text = String::new();
        for problem in problems {
            text.push_str(&format!("{} [{}]", problem.message, problem.code));
            for (place, label) in &problem.labels {
                text.push_str(&format!("\n  at {place} {label}"));
            }
            if let Some(help) = &problem.help {
                text.push_str(&format!("\n  help: {help}"));
            }
            text.push('\n');
        }
        text
    }

    /// Runs it; events in one line each, times left out.
    pub fn run(&self) -> (RunResult, String) {
        self.run_with(&Interrupt::default())
    }

    pub fn run_with(&self, interrupt: &Interrupt) -> (RunResult, String) {
        let plan = self.good();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = lines.clone();
        let consumer = move |event: &Event| sink.lock().unwrap().push((event.seq, show(&event.kind)));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        let options = RunOptions {
            grace: Duration::from_millis(200),
            ..self.options.clone()
        };
        let result = runtime
            .block_on(run(&plan, &options, interrupt, vec![Box::new(consumer)]))
            .unwrap();
        let lines = lines.lock().unwrap();
        // One order without gaps.
        assert!(
            lines
                .iter()
                .enumerate()
                .all(|(index, (seq, _))| index as u64 == *seq)
        );
        let text = lines.iter().map(|(_, line)| format!("{line}\n")).collect();
        (result, text)
    }

    /// The outputs of a run that goes well, by step.
    #[track_caller]
    pub fn outputs(&self) -> BTreeMap<String, Value> {
        let (result, events) = self.run();
        assert!(result.ok(), "{events}");
        let plan = self.good();
        plan.steps()
            .map(|(id, step)| (step.name.to_string(), (*result.outputs[id.index()]).clone()))
            .collect()
    }
}

fn show(kind: &EventKind) -> String {
    match kind {
        EventKind::RunStarted { steps, .. } => format!("run started, {steps} steps"),
        EventKind::StepStarted { step, builtin } => format!("{step} started ({builtin})"),
        EventKind::StepLine { step, line, .. } => format!("{step} | {line}"),
        EventKind::StepProgress { step, text } => format!("{step} … {text}"),
        EventKind::StepWarning { step, text } => format!("{step} ! {text}"),
        EventKind::StepRetrying {
            step,
            attempt,
            attempts,
            reason,
            ..
        } => {
            format!("{step} retries after {attempt} of {attempts}: {reason}")
        }
        EventKind::StepUnfolded { step, into } => format!("{step} unfolds into {}", into.join(" ")),
        EventKind::StepFinished {
            step,
            state,
            summary,
            error,
            attempts,
            ..
        } => {
            let mut text = format!(
                "{step} {}",
                serde_json::to_value(state).unwrap().as_str().unwrap()
            );
            if *attempts > 1 {
                text.push_str(&format!(" in {attempts} attempts"));
            }
            if let Some(summary) = summary {
                text.push_str(&format!(" ({summary})"));
            }
            if let Some(error) = error {
                text.push_str(&format!(": {}", error.message));
            }
            text
        }
        EventKind::RunInterrupted { at_once } => format!("run interrupted, at once: {at_once}"),
        EventKind::RunFinished { ok, counts, .. } => format!(
            "run finished, ok: {ok}, done {} unchanged {} failed {} skipped {} cancelled {}",
            counts.done, counts.unchanged, counts.failed, counts.skipped, counts.cancelled
        ),
    }
}
