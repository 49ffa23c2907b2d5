//! `exec`: runs a command in a container of a pod.

use std::time::Duration;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::api::{Api, AttachParams};
use psprun_engine::builtin::show_short;
use psprun_engine::plan::show_duration;
use psprun_engine::{Builtin, Context, Example, Outcome, Runs, Spec, StepError, Stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};

use super::connection::Clusters;
use super::discovery::Kind;
use super::error::explain;
use super::object;
use super::requests::{Requests, not_found};
use super::scope::{self, Scope};
use crate::host::command_line::{CommandLine, last_words, without_last_newline};
use crate::target::{ClusterRef, OUTPUT_LIMIT};

/// From this version on a server can be told that the standard input has ended.
const ENDS_STDIN: (u32, u32) = (1, 30);

/// Runs a command in a container.
pub(crate) struct Exec {
    pub(crate) clusters: Clusters,
}

/// Which command, where.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The cluster.
    cluster: ClusterRef,
    /// The pod's name.
    pod: String,
    /// Program and arguments as a list, `["nginx", "-t"]`; or a text for the container's shell (`sh -c`).
    command: CommandLine,
    /// The pod's namespace; that of the kubeconfig's context when absent, mostly `default`.
    #[serde(default)]
    namespace: Option<String>,
    /// The container; the pod's first when absent.
    #[serde(default)]
    container: Option<String>,
    /// What the command reads on its standard input; without it, nothing. On servers older than 1.30 the container needs
    /// `sh` and `head` for it.
    #[serde(default)]
    stdin: Option<String>,
    /// The exit statuses that are no failure.
    #[serde(default = "only_zero")]
    codes: Vec<i32>,
    /// Whether the command changes something; `false` for one that only looks.
    #[serde(default = "yes")]
    changes: bool,
    /// How long the command may take, e.g. `10s`. The connection ends then; the command may go on.
    #[serde(default)]
    timeout: Option<String>,
}

fn only_zero() -> Vec<i32> {
    vec![0]
}

fn yes() -> bool {
    true
}

/// How the command ended.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The exit status.
    code: i32,
    /// What it wrote to its standard output, without the last line's end.
    stdout: String,
    /// What it wrote to its standard error, without the last line's end.
    stderr: String,
}

#[async_trait]
impl Builtin for Exec {
    type Args = Args;
    type Output = Output;

    fn spec(&self) -> Spec {
        Spec::new("exec", "Runs a command in a container of a pod")
            .on("cluster")
            .subject("pod")
            .examples(&[
                Example {
                    title: "A look inside",
                    script: r#"
let config = cluster.exec("web-1", #{ namespace: "demo", command: ["cat", "/etc/resolv.conf"], changes: false });
check("it asks the cluster's DNS", || config.stdout.contains("10.96.0.10"));
"#,
                    runs: Runs::OnNode,
                },
                Example {
                    title: "A line for the shell, with something to read",
                    script: r#"
let pods = cluster.get("pods", #{ namespace: "demo", selector: "app=db" });
cluster.exec(pods.items[0].metadata.name, #{
    namespace: "demo", container: "db", command: "psql -v ON_ERROR_STOP=1", stdin: "select 1;\n", timeout: "1m",
});
"#,
                    runs: Runs::OnNode,
                },
            ])
    }

    fn describe(&self, args: &Value) -> String {
        let show = |name: &str| args.get(name).map(show_short).unwrap_or_default();
        let namespace = args.get("namespace").map(|n| format!("{}/", show_short(n)));
        format!(
            "run {} in pod {}{}",
            show("command"),
            namespace.unwrap_or_default(),
            show("pod")
        )
    }

    fn check(&self, args: &Value) -> Result<(), StepError> {
        scope::check_duration(args, "timeout")
    }

    async fn run(&self, args: Args, context: Context) -> Result<Outcome<Output>, StepError> {
        // It is in the request's address, which the API server logs.
        args.command.holds_no_secret(&context)?;
        let timeout = args
            .timeout
            .as_deref()
            .map(|text| scope::duration(Some(text), Duration::ZERO))
            .transpose()?;
        let requests = Requests::open(&self.clusters, &args.cluster, &context).await?;
        let kind = Kind::served("v1", "Pod", "pods");
        let scope = Scope::of(requests.client(), kind, args.namespace.as_deref(), false)?;
        let namespace = scope.namespace.as_deref().unwrap_or("default");
        let Some(pod) = requests.get(&scope.kind, Some(namespace), &args.pod).await? else {
            return Err(not_found(&scope, &args.pod));
        };
        let container = match &args.container {
            Some(name) => name.clone(),
            None => object::list(&pod, "/spec/containers")
                .first()
                .map(|first| object::text(first, "/name").to_owned())
                .unwrap_or_default(),
        };
        let command = match &args.stdin {
            Some(text) => {
                let version = requests.connection.server_version().await?;
                let ends_stdin = version.at_least(ENDS_STDIN.0, ENDS_STDIN.1);
                if ends_stdin {
                    args.command.argv.clone()
                } else {
                    with_counted_stdin(&args.command.argv, text.len())
                }
            }
            None => args.command.argv.clone(),
        };
        let work = attached(&requests, namespace, &args, &container, command, &context);
        let (status, stdout, stderr) = match timeout {
            None => work.await?,
            Some(timeout) => tokio::time::timeout(timeout, work).await.map_err(|_| {
                StepError::new(
                    "psprun::exec::timeout",
                    format!(
                        "`{}` in {} has not ended after {}",
                        args.command.shown(),
                        object::show(&pod),
                        show_duration(timeout)
                    ),
                )
                .heals()
            })??,
        };
        let code = exit_code(&status).map_err(|why| not_run(&args, &pod, &container, why))?;
        let output = Output {
            code,
            stdout: without_last_newline(stdout),
            stderr: without_last_newline(stderr),
        };
        if !args.codes.contains(&code) {
            return Err(failed(&args, &pod, output));
        }
        let outcome = Outcome::new(output, args.changes);
        Ok(if code == 0 {
            outcome
        } else {
            outcome.summary(format!("exit status {code}"))
        })
    }
}

/// Runs the command to its end.
async fn attached(
    requests: &Requests,
    namespace: &str,
    args: &Args,
    container: &str,
    command: Vec<String>,
    context: &Context,
) -> Result<(Option<Status>, String, String), StepError> {
    let doing = format!("run `{}` in pod {namespace}/{}", args.command.shown(), args.pod);
    let pods: Api<Pod> = Api::namespaced(requests.client().clone(), namespace);
    let params = AttachParams::default()
        .container(container)
        .stdin(args.stdin.is_some())
        .stdout(true)
        .stderr(true);
    let mut process = pods
        .exec(&args.pod, command, &params)
        .await
        .map_err(|error| explain(&doing, &error))?;
    let status = process.take_status();
    let stdin = process.stdin();
    let write = async {
        if let (Some(mut stdin), Some(text)) = (stdin, &args.stdin) {
            // A command that ends without reading all of it is no failure.
            let _ = stdin.write_all(text.as_bytes()).await;
            let _ = stdin.shutdown().await;
        }
    };
    let stdout = lines(process.stdout(), Stream::Stdout, context);
    let stderr = lines(process.stderr(), Stream::Stderr, context);
    let ((), stdout, stderr) = futures::future::join3(write, stdout, stderr).await;
    let status = match status {
        Some(status) => status.await,
        None => None,
    };
    Ok((status, stdout, stderr))
}

/// Passes on the lines of a stream; gives the text, as much of it as is kept.
async fn lines(reader: Option<impl AsyncRead + Unpin>, stream: Stream, context: &Context) -> String {
    let Some(reader) = reader else {
        return String::new();
    };
    let mut reader = BufReader::new(reader);
    let mut text = String::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        match reader.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return text,
            Ok(_) => {}
        }
        let words = String::from_utf8_lossy(&line);
        context.line(stream, words.trim_end_matches(['\n', '\r']));
        if text.len() + words.len() <= OUTPUT_LIMIT {
            text.push_str(&words);
        }
    }
}

/// A command that reads so many bytes and then sees the end, for servers that cannot be told of it.
fn with_counted_stdin(command: &[String], bytes: usize) -> Vec<String> {
    ["sh", "-c", &format!("head -c {bytes} | \"$@\""), "sh"]
        .into_iter()
        .map(str::to_owned)
        .chain(command.iter().cloned())
        .collect()
}

/// The exit status that the server tells; or why there is none.
fn exit_code(status: &Option<Status>) -> Result<i32, String> {
    let Some(status) = status else {
        return Err("the connection ended before the command did".to_owned());
    };
    if status.status.as_deref() == Some("Success") {
        return Ok(0);
    }
    let causes = status
        .details
        .iter()
        .flat_map(|details| details.causes.iter().flatten());
    causes
        .filter(|cause| cause.reason.as_deref() == Some("ExitCode"))
        .find_map(|cause| cause.message.as_deref()?.parse().ok())
        .ok_or_else(|| {
            status
                .message
                .clone()
                .unwrap_or_else(|| "no reason given".to_owned())
        })
}

fn not_run(args: &Args, pod: &Value, container: &str, why: String) -> StepError {
    let error = StepError::new(
        "psprun::exec::not_run",
        format!(
            "`{}` did not run in container {container} of {}: {}",
            args.command.shown(),
            object::show(pod),
            why.trim()
        ),
    );
    if why.contains("executable file not found") || why.contains("no such file or directory") {
        error.help("the container's image has no such program; many have no shell either")
    } else if why.contains("not found") && why.contains("container") {
        let names: Vec<&str> = object::list(pod, "/spec/containers")
            .iter()
            .map(|container| object::text(container, "/name"))
            .collect();
        error.help(format!("the pod has {}; is it running?", names.join(", ")))
    } else {
        error
    }
}

fn failed(args: &Args, pod: &Value, output: Output) -> StepError {
    let words = last_words(&output.stdout, &output.stderr);
    let colon = if words.is_empty() { "" } else { ":" };
    StepError::new(
        "psprun::exec::exit_status",
        format!(
            "`{}` in {} ended with exit status {}{colon}{words}",
            args.command.shown(),
            object::show(pod),
            output.code
        ),
    )
    .help(format!(
        "if this is an answer and no failure, allow it: `codes: [0, {}]`",
        output.code
    ))
    .output(output)
    // Whether trying again helps is not known; who asks for retries thinks so.
    .heals()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    #[test]
    fn the_exit_status_is_read_off_the_status() {
        let status = |value: Value| Some(serde_json::from_value::<Status>(value).unwrap());
        assert_eq!(exit_code(&status(json!({ "status": "Success" }))), Ok(0));
        let failed = json!({ "status": "Failure", "reason": "NonZeroExitCode", "message": "command terminated with non-zero exit code",
            "details": { "causes": [{ "reason": "ExitCode", "message": "3" }] } });
        assert_eq!(exit_code(&status(failed)), Ok(3));
        let missing = json!({ "status": "Failure", "message": "executable file not found in $PATH" });
        assert_eq!(
            exit_code(&status(missing)),
            Err("executable file not found in $PATH".to_owned())
        );
        assert!(exit_code(&None).is_err());
    }

    #[test]
    fn the_end_of_the_input_is_counted() {
        assert_eq!(
            with_counted_stdin(&["wc".to_owned(), "-l".to_owned()], 3),
            ["sh", "-c", "head -c 3 | \"$@\"", "sh", "wc", "-l"]
        );
    }
}
