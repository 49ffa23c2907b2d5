//! `logs`: what containers wrote.

use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use psprun_engine::builtin::show_short;
use psprun_engine::plan::parse_duration;
use psprun_engine::{Builtin, Context, Example, Outcome, Runs, Spec, StepError, Stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::connection::Clusters;
use super::discovery::Kind;
use super::error::explain;
use super::object::{self, list, text};
use super::requests::{Requests, each};
use super::scope::{self, Scope};
use super::selector::Selector;
use crate::target::ClusterRef;

/// How much of a container's log is read, in bytes: an output is no place for more.
const LIMIT: usize = 1 << 20;

/// How many logs are read at once.
const AT_ONCE: usize = 8;

/// Reads the logs of pods.
pub(crate) struct Logs {
    pub(crate) clusters: Clusters,
}

/// Whose logs.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The cluster.
    cluster: ClusterRef,
    /// A pod's name; or the labels of pods, `app=web` or a map.
    pod: Value,
    /// Their namespace; that of the kubeconfig's context when absent, mostly `default`.
    #[serde(default)]
    namespace: Option<String>,
    /// The container; all of a pod's, without its init containers, when absent.
    #[serde(default)]
    container: Option<String>,
    /// Only so many lines at the end.
    #[serde(default)]
    tail: Option<u32>,
    /// Only what was written in this time: `10m`.
    #[serde(default)]
    since: Option<String>,
    /// The log of the container's last run, before it was started again.
    #[serde(default)]
    previous: bool,
}

/// The logs.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// All of the text.
    text: String,
    /// The text of each container.
    items: Vec<Log>,
}

/// The log of a container.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Log {
    /// The pod's name.
    pod: String,
    /// The container's name.
    container: String,
    /// What it wrote; at most 1 MiB of it.
    text: String,
}

#[async_trait]
impl Builtin for Logs {
    type Args = Args;
    type Output = Output;

    fn spec(&self) -> Spec {
        Spec::new("logs", "Reads what the containers of pods wrote")
            .on("cluster")
            .subject("pod")
            .reads_only()
            .examples(&[
                Example {
                    title: "The last lines of a pod",
                    script: r#"
let log = cluster.logs("etcd-master", #{ namespace: "kube-system", tail: 20 });
check("it serves", || log.text.contains("ready to serve"));
"#,
                    runs: Runs::OnNode,
                },
                Example {
                    title: "Why pods crashed",
                    script: r#"
cluster.logs("app=web", #{ namespace: "demo", previous: true, since: "10m" });
"#,
                    runs: Runs::OnNode,
                },
            ])
    }

    fn describe(&self, args: &Value) -> String {
        let pod = args.get("pod").map(show_short).unwrap_or_default();
        let namespace = args.get("namespace").map(|n| format!(" in {}", show_short(n)));
        format!("read the logs of {pod}{}", namespace.unwrap_or_default())
    }

    fn check(&self, args: &Value) -> Result<(), StepError> {
        match args.get("pod") {
            Some(pod) if !pod.to_string().contains("${") => Pods::parse(pod)?,
            _ => return Ok(()),
        };
        scope::check_duration(args, "since")
    }

    async fn run(&self, args: Args, context: Context) -> Result<Outcome<Output>, StepError> {
        let since = args
            .since
            .as_deref()
            .map(parse_duration)
            .transpose()
            .map_err(|error| StepError::new("psprun::cluster::arguments", error))?;
        let requests = Requests::open(&self.clusters, &args.cluster, &context).await?;
        let kind = Kind::served("v1", "Pod", "pods");
        let scope = Scope::of(requests.client(), kind, args.namespace.as_deref(), false)?;
        let scope = Pods::parse(&args.pod)?.within(scope);
        let pods = requests.find(&scope).await?;
        if pods.is_empty() {
            return Err(StepError::new(
                "psprun::cluster::not_found",
                format!("there are no {}", scope.show()),
            ));
        }
        let mut wanted = Vec::new();
        for pod in &pods {
            for container in containers(pod, args.container.as_deref())? {
                wanted.push((pod, container));
            }
        }
        let query = query(args.tail, since, args.previous);
        let items = each(wanted, AT_ONCE, |(pod, container)| {
            let (requests, path, query) = (&requests, scope.path(), query.as_str());
            async move {
                let name = object::name(pod);
                let uri = format!("{path}/{name}/log?container={container}{query}");
                let text = read(requests, &format!("read the log of {name}/{container}"), &uri).await?;
                Ok(Log {
                    pod: name.to_owned(),
                    container: container.to_owned(),
                    text,
                })
            }
            .boxed()
        })
        .await?;
        for log in &items {
            if log.text.len() >= LIMIT {
                context.warn(format!(
                    "the log of {}/{} was cut after 1 MiB: `tail` or `since` show its end",
                    log.pod, log.container
                ));
            }
            log.text
                .lines()
                .for_each(|line| context.line(Stream::Stdout, line));
        }
        let text: String = items.iter().map(|log| log.text.as_str()).collect();
        let summary = format!("{} lines", text.lines().count());
        Ok(Outcome::unchanged(Output { text, items }).summary(summary))
    }
}

async fn read(requests: &Requests, doing: &str, uri: &str) -> Result<String, StepError> {
    let request = http::Request::get(uri)
        .body(Vec::new())
        .map_err(|error| explain(doing, &kube::Error::HttpError(error)))?;
    requests
        .client()
        .request_text(request)
        .await
        .map_err(|error| explain(doing, &error))
}

fn query(tail: Option<u32>, since: Option<Duration>, previous: bool) -> String {
    let mut query = format!("&limitBytes={LIMIT}");
    if let Some(tail) = tail {
        query.push_str(&format!("&tailLines={tail}"));
    }
    if let Some(since) = since {
        query.push_str(&format!("&sinceSeconds={}", since.as_secs().max(1)));
    }
    if previous {
        query.push_str("&previous=true");
    }
    query
}

/// The containers whose logs are wanted.
fn containers<'p>(pod: &'p Value, wanted: Option<&str>) -> Result<Vec<&'p str>, StepError> {
    let names = |place: &str| list(pod, place).iter().map(|container| text(container, "/name"));
    let Some(wanted) = wanted else {
        return Ok(names("/spec/containers").collect());
    };
    let all: Vec<&str> = names("/spec/initContainers")
        .chain(names("/spec/containers"))
        .chain(names("/spec/ephemeralContainers"))
        .collect();
    match all.iter().find(|name| **name == wanted) {
        Some(name) => Ok(vec![name]),
        None => Err(StepError::new(
            "psprun::cluster::not_found",
            format!("{} has no container {wanted:?}", object::show(pod)),
        )
        .help(format!("it has {}", all.join(", ")))),
    }
}

/// A pod, or pods with labels.
#[derive(Debug, PartialEq)]
enum Pods {
    Named(String),
    Selected(Selector),
}

impl Pods {
    fn parse(value: &Value) -> Result<Self, StepError> {
        let wrong = |error: String| StepError::new("psprun::cluster::arguments", error);
        match value {
            Value::String(name) if !name.is_empty() && !name.contains(['=', '!', '(', ',', ' ']) => {
                let name = name.strip_prefix("pod/").unwrap_or(name);
                Ok(Self::Named(name.to_owned()))
            }
            other => serde_json::from_value(other.clone())
                .map(Self::Selected)
                .map_err(|error| wrong(error.to_string())),
        }
    }

    fn within(self, scope: Scope) -> Scope {
        match self {
            Self::Named(name) => scope.named(&[name]),
            Self::Selected(selector) => scope.selected(Some(&selector)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    #[test]
    fn pods_are_named_or_selected() {
        assert_eq!(
            Pods::parse(&json!("web-1")).unwrap(),
            Pods::Named("web-1".to_owned())
        );
        assert_eq!(
            Pods::parse(&json!("pod/web-1")).unwrap(),
            Pods::Named("web-1".to_owned())
        );
        for selector in [json!("app=web"), json!({ "app": "web" })] {
            let expected = Selector::parse("app=web").unwrap();
            assert_eq!(Pods::parse(&selector).unwrap(), Pods::Selected(expected));
        }
        assert!(Pods::parse(&json!("")).is_err() && Pods::parse(&json!(1)).is_err());
    }

    #[test]
    fn a_container_must_be_there() {
        let pod = json!({ "kind": "Pod", "metadata": { "name": "p" }, "spec": {
            "initContainers": [{ "name": "i" }], "containers": [{ "name": "a" }, { "name": "b" }] } });
        assert_eq!(containers(&pod, None).unwrap(), ["a", "b"]);
        assert_eq!(containers(&pod, Some("i")).unwrap(), ["i"]);
        assert_eq!(
            containers(&pod, Some("x")).unwrap_err().help.as_deref(),
            Some("it has i, a, b")
        );
    }

    #[test]
    fn options_become_a_query() {
        let query = query(Some(5), Some(Duration::from_millis(10)), true);
        assert_eq!(
            query,
            "&limitBytes=1048576&tailLines=5&sinceSeconds=1&previous=true"
        );
    }
}
