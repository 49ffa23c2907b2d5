//! `kubeconfig`: a handle on a cluster that exists.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use psprun_engine::{Builtin, Context, Example, Outcome, Runs, Spec, StepError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::connection::Clusters;
use super::heal::Patience;
use crate::target::{ClusterRef, Host};

/// kubeadm's own, for root.
const ADMIN: &str = "/etc/kubernetes/admin.conf";

/// A server that is there answers soon; a wrong address should not take long to tell.
const PATIENCE: Duration = Duration::from_secs(10);

/// A cluster by its kubeconfig.
pub(crate) struct Kubeconfig {
    pub(crate) clusters: Clusters,
}

/// The kubeconfig.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// Its path; `~` is the user's home folder. Without it `~/.kube/config`, and where that is missing and the user is
    /// root, kubeadm's `/etc/kubernetes/admin.conf`.
    #[serde(default)]
    path: Option<String>,
    /// The context in it; without it the current one.
    #[serde(default)]
    context: Option<String>,
}

/// The cluster.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Absolute path of the kubeconfig.
    kubeconfig: String,
    /// The context that is used; null for the file's current one.
    context: Option<String>,
    /// URL of the API server.
    server: String,
    /// Version of the API server, e.g. `v1.20.2`.
    version: String,
}

#[async_trait]
impl Builtin for Kubeconfig {
    type Args = Args;
    type Output = Output;

    fn spec(&self) -> Spec {
        Spec::new("kubeconfig", "Takes a cluster that exists, by its kubeconfig")
            .subject("path")
            .produces("cluster")
            .reads_only()
            .examples(&[
                Example {
                    title: "The nodes of the cluster that kubectl would use",
                    script: r#"
let cluster = kubeconfig();
let nodes = cluster.get("nodes");
"#,
                    runs: Runs::OnNode,
                },
                Example {
                    title: "Another file, another context",
                    script: r#"
let cluster = kubeconfig("~/clusters/lab.conf", #{ context: "admin@lab" });
check("it is new enough", || cluster.version >= "v1.2");
"#,
                    runs: Runs::OnNode,
                },
            ])
    }

    fn describe(&self, args: &Value) -> String {
        let path = args["path"].as_str().unwrap_or("the user's kubeconfig");
        match args["context"].as_str() {
            Some(context) => format!("connect by {path}, context {context}"),
            None => format!("connect by {path}"),
        }
    }

    async fn run(&self, args: Args, context: Context) -> Result<Outcome<Output>, StepError> {
        let target = self.clusters.target();
        let host = target.host(None)?;
        let cluster = ClusterRef {
            kubeconfig: find(&*host, args.path.as_deref()).await?,
            context: args.context,
        };
        let patience = Patience::new(&context, target).limit(PATIENCE);
        let connection = self.clusters.connect(&cluster).await?;
        let version = patience.attempt(|| connection.server_version()).await?;
        let server = server_of(&*host, &cluster).await;
        let summary = format!("{version} at {server}");
        Ok(Outcome::unchanged(Output {
            kubeconfig: cluster.kubeconfig,
            context: cluster.context,
            server,
            version: version.git_version,
        })
        .summary(summary))
    }
}

async fn find(host: &dyn Host, path: Option<&str>) -> Result<String, StepError> {
    if let Some(path) = path.filter(|path| !path.starts_with("~/")) {
        return Ok(path.to_owned());
    }
    let user = host.user().await?;
    let own = format!(
        "{}/{}",
        user.home.trim_end_matches('/'),
        path.unwrap_or("~/.kube/config").trim_start_matches("~/")
    );
    if path.is_some() || host.stat(Path::new(&own)).await?.is_some() {
        return Ok(own);
    }
    if user.uid == 0 && host.stat(Path::new(ADMIN)).await?.is_some() {
        return Ok(ADMIN.to_owned());
    }
    Err(StepError::new(
        "psprun::cluster::kubeconfig",
        format!("there is no kubeconfig: neither {own} nor {ADMIN}"),
    )
    .help("give its path: `kubeconfig(\"/path/to/config\")`"))
}

/// The URL in the kubeconfig, for people.
async fn server_of(host: &dyn Host, cluster: &ClusterRef) -> String {
    let bytes = host
        .read(Path::new(&cluster.kubeconfig))
        .await
        .ok()
        .flatten()
        .unwrap_or_default();
    let manifest = crate::manifest::Manifest::read_bytes(&cluster.kubeconfig, &bytes).unwrap_or_default();
    let Some(config) = manifest.documents.first().map(|document| &document.value) else {
        return String::new();
    };
    let context = cluster
        .context
        .as_deref()
        .or(config["current-context"].as_str())
        .unwrap_or_default();
    let named = |list: &str, name: &str| {
        config[list]
            .as_array()
            .into_iter()
            .flatten()
            .find(|entry| entry["name"] == name)
            .cloned()
            .unwrap_or_default()
    };
    let cluster = named("contexts", context)["context"]["cluster"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    named("clusters", &cluster)["cluster"]["server"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}
