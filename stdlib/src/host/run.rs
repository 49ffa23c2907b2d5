//! `host::run`, also `sh`: a command.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use psprun_engine::builtin::show_short;
use psprun_engine::plan::parse_duration;
use psprun_engine::{Builtin, Context, Example, Outcome, Runs, Spec, StepError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::command_line::{CommandLine, Scalar, last_words, without_last_newline};
use crate::target::{Command, Finished, Host, HostRef, LineSink, Target};

/// Runs a command.
pub(super) struct Run(pub(super) Arc<dyn Target>);

/// The arguments of `host::run`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct RunArgs {
    /// Program and arguments as a list, `["kubeadm", "version"]`; or a text for the shell (`sh -c`).
    command: CommandLine,
    /// Variables on top of psprun's own environment. The place for secrets: unlike arguments, other users cannot read
    /// them.
    #[serde(default)]
    env: BTreeMap<String, Scalar>,
    /// The folder to run in.
    #[serde(default)]
    cwd: Option<String>,
    /// What the command reads on its standard input; without it, nothing.
    #[serde(default)]
    stdin: Option<String>,
    /// The exit statuses that are no failure.
    #[serde(default = "only_zero")]
    codes: Vec<i32>,
    /// A path (from `cwd`): when it is there already, the command does not run.
    #[serde(default)]
    creates: Option<String>,
    /// Another command: when it succeeds, this one does not run.
    #[serde(default)]
    unless: Option<CommandLine>,
    /// Whether the command changes something; `false` for one that only looks.
    #[serde(default = "yes")]
    changes: bool,
    /// How long the command may take, e.g. `"10s"`; then it and its children get TERM, and KILL 10 s later.
    #[serde(default)]
    timeout: Option<String>,
    /// The machine, when called on one.
    #[serde(default)]
    host: Option<HostRef>,
}

fn only_zero() -> Vec<i32> {
    vec![0]
}

fn yes() -> bool {
    true
}

/// How a command ended.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RunOutput {
    /// The exit status; 128 + N when signal N ended it; 0 when it did not run because of `creates` or `unless`.
    code: i32,
    /// What it wrote to its standard output, without the last line's end.
    stdout: String,
    /// What it wrote to its standard error, without the last line's end.
    stderr: String,
    /// Whether it did not run because of `creates` or `unless`.
    skipped: bool,
}

#[async_trait]
impl Builtin for Run {
    type Args = RunArgs;
    type Output = RunOutput;

    fn spec(&self) -> Spec {
        Spec::new("host::run", "Runs a command on the machine")
            .aliases(&["sh"])
            .optionally_on("host")
            .subject("command")
            .graceful()
            .examples(&[
                Example {
                    title: "a program with its arguments, and its output",
                    script: r#"let kernel = host::run(["uname", "-r"], #{ changes: false });
check("a kernel has a version", || kernel.stdout.contains("."));"#,
                    runs: Runs::Anywhere,
                },
                Example {
                    title: "a line for the shell, which runs only once",
                    script: r#"sh("date > first-run && echo made", #{ creates: "first-run", timeout: "10s" });"#,
                    runs: Runs::Anywhere,
                },
                Example {
                    title: "an exit status that is an answer, no failure",
                    script: r#"let swap = sh("grep -q '^/' /proc/swaps", #{ codes: [0, 1, 2], changes: false });
let on = swap.map(|it| it.code == 0);"#,
                    runs: Runs::Anywhere,
                },
                Example {
                    title: "a secret, through the environment",
                    script: r#"let token = param("token", #{ "default": "hush-hush", secret: true, doc: "token of the mirror" });
sh("curl -fsS -H \"Authorization: Bearer $TOKEN\" https://mirror.example.com/ -o index", #{
    env: #{ TOKEN: token },
    unless: "test -s index",
}).retries(3);"#,
                    runs: Runs::OnNode,
                },
            ])
    }

    fn describe(&self, args: &Value) -> String {
        let mut text = format!("run {}", show_short(&args["command"]));
        if let Some(path) = args.get("creates") {
            text += &format!(" unless {} is there", show_short(path));
        }
        if let Some(command) = args.get("unless") {
            text += &format!(" unless `{}`", show_short(command));
        }
        text
    }

    fn check(&self, args: &Value) -> Result<(), StepError> {
        match &args["timeout"] {
            Value::String(text) if !text.contains("${") => timeout(text).map(drop),
            _ => Ok(()),
        }
    }

    async fn run(&self, args: RunArgs, context: Context) -> Result<Outcome<RunOutput>, StepError> {
        let host = self.0.host(args.host.as_ref())?;
        args.command.holds_no_secret(&context)?;
        if let Some(reason) = guarded(&*host, &args, &context).await? {
            return Ok(Outcome::unchanged(RunOutput {
                code: 0,
                stdout: String::new(),
                stderr: String::new(),
                skipped: true,
            })
            .summary(reason));
        }
        let command = Command {
            stdin: args.stdin.clone().map(String::into_bytes),
            timeout: args.timeout.as_deref().map(timeout).transpose()?,
            ..command(&args.command, &args)
        };
        let sink: LineSink = Arc::new({
            let context = context.clone();
            move |stream, line: &str| context.line(stream, line)
        });
        let finished = host.run(command, sink, context.cancellation()).await?;
        if !args.codes.contains(&finished.code) {
            return Err(failure(&args, finished));
        }
        let summary = (finished.code != 0).then(|| format!("exit status {}", finished.code));
        let mut outcome = Outcome::new(output(finished), args.changes);
        outcome.summary = summary;
        Ok(outcome)
    }
}

/// Why the command need not run, if it need not.
async fn guarded(host: &dyn Host, args: &RunArgs, context: &Context) -> Result<Option<String>, StepError> {
    if let Some(path) = &args.creates {
        let whole = Path::new(args.cwd.as_deref().unwrap_or_default()).join(path);
        if host.stat(&whole).await?.is_some() {
            return Ok(Some(format!("{path} is there")));
        }
    }
    if let Some(unless) = &args.unless {
        unless.holds_no_secret(context)?;
        let silent: LineSink = Arc::new(|_, _| {});
        let finished = host
            .run(command(unless, args), silent, context.cancellation())
            .await?;
        if finished.code == 0 {
            return Ok(Some(format!("`{}` succeeds", unless.shown())));
        }
    }
    Ok(None)
}

fn command(line: &CommandLine, args: &RunArgs) -> Command {
    Command {
        argv: line.argv.clone(),
        env: args
            .env
            .iter()
            .map(|(name, value)| (name.clone(), value.0.clone()))
            .collect(),
        cwd: args.cwd.clone(),
        ..Command::default()
    }
}

fn timeout(text: &str) -> Result<std::time::Duration, StepError> {
    parse_duration(text).map_err(|what| StepError::new("psprun::args", format!("`timeout`: {what}")))
}

fn output(finished: Finished) -> RunOutput {
    RunOutput {
        code: finished.code,
        stdout: without_last_newline(finished.stdout),
        stderr: without_last_newline(finished.stderr),
        skipped: false,
    }
}

fn failure(args: &RunArgs, finished: Finished) -> StepError {
    let code = finished.code;
    let how = match code {
        137 => "was killed (signal 9)".to_owned(),
        129..=159 => format!("ended with exit status {code} (signal {})", code - 128),
        _ => format!("ended with exit status {code}"),
    };
    let words = last_words(&finished.stdout, &finished.stderr);
    let colon = if words.is_empty() { "" } else { ":" };
    let help = match code {
        137 => "the kernel kills what uses up the memory: look at `dmesg`".to_owned(),
        127 if args.command.is_shell => {
            "the shell does not find a program: install it, or give its whole path".to_owned()
        }
        _ if words.is_empty() => {
            format!("it said nothing; if this is an answer and no failure, allow it: `codes: [0, {code}]`")
        }
        _ => format!("if this is an answer and no failure, allow it: `codes: [0, {code}]`"),
    };
    StepError::new(
        "psprun::host::exit_status",
        format!("`{}` {how}{colon}{words}", args.command.shown()),
    )
    .help(help)
    .output(output(finished))
    // Whether trying again helps is not known; who asks for retries thinks so.
    .heals()
}

#[cfg(test)]
mod tests;
