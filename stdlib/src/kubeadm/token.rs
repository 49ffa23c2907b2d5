//! `kubeadm::token`: makes a join token.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use psprun_engine::plan::parse_duration;
use psprun_engine::{Builtin, Context, Example, Outcome, Runs, Spec, StepError};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::api::join_info::JoinInfo;
use super::api::stored;
use super::api::tokens::{self, NewToken};
use super::node::{paths, token_value};
use crate::target::{ClusterRef, Target};

/// The builtin.
pub struct Token {
    target: Arc<dyn Target>,
}

impl Token {
    /// Acts on the clusters of this target.
    pub fn new(target: &Arc<dyn Target>) -> Self {
        Self {
            target: target.clone(),
        }
    }
}

/// Arguments of `kubeadm::token`.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Args {
    /// The cluster; that of this machine's /etc/kubernetes/admin.conf when left out.
    #[serde(default)]
    pub cluster: Option<ClusterRef>,
    /// How long the token lives, e.g. `24h`; `0` for ever.
    #[serde(default = "default_ttl")]
    pub ttl: String,
    /// What it may be used for.
    #[serde(default = "default_usages")]
    pub usages: Vec<Usage>,
    /// Groups of whoever comes with it; their names start with `system:bootstrappers:`.
    #[serde(default = "default_groups")]
    pub groups: Vec<String>,
    /// What it is for, in words.
    #[serde(default)]
    pub description: Option<String>,
    /// Give a token that is there and lives for five minutes more at least, and make one only when there is none.
    #[serde(default)]
    pub reuse: bool,
}

/// What a token may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Usage {
    /// Nodes check by it that the cluster is theirs.
    Signing,
    /// Nodes ask with it to be let in.
    Authentication,
}

impl Usage {
    fn name(self) -> &'static str {
        match self {
            Self::Signing => "signing",
            Self::Authentication => "authentication",
        }
    }
}

fn default_ttl() -> String {
    "24h".to_owned()
}

fn default_usages() -> Vec<Usage> {
    vec![Usage::Signing, Usage::Authentication]
}

fn default_groups() -> Vec<String> {
    vec![tokens::GROUP.to_owned()]
}

#[async_trait]
impl Builtin for Token {
    type Args = Args;
    type Output = JoinInfo;

    fn spec(&self) -> Spec {
        Spec::new("kubeadm::token", "Makes a token with which nodes can join a cluster").optionally_on("cluster").examples(&[
            Example {
                title: "a token for an hour, of the cluster of this machine",
                script: "let join = kubeadm::token(#{ ttl: \"1h\", description: \"the new rack\" });\nprint(`nodes join at ${join.endpoint}`);",
                runs: Runs::OnNode,
            },
            Example {
                title: "one of a cluster that another step gives, unless there is one",
                script: "let cluster = kubeadm::init();\nlet join = cluster.kubeadm_token(#{ reuse: true });",
                runs: Runs::OnNode,
            },
        ])
    }

    fn describe(&self, args: &Value) -> String {
        let ttl = match args["ttl"].as_str() {
            Some("0") => " that never expires".to_owned(),
            ttl => format!(" for {}", ttl.unwrap_or("24h")),
        };
        if args["reuse"] == true {
            format!("find a join token, or make one{ttl}")
        } else {
            format!("make a join token{ttl}")
        }
    }

    async fn run(&self, args: Args, context: Context) -> Result<Outcome<JoinInfo>, StepError> {
        let ttl = match &*args.ttl {
            "0" | "0s" => None,
            text => Some(
                parse_duration(text)
                    .map_err(|error| StepError::new("psprun::kubeadm::config", format!("ttl: {error}")))?,
            ),
        };
        let cluster = args.cluster.unwrap_or_else(|| ClusterRef {
            kubeconfig: paths::ADMIN_CONF.to_owned(),
            context: None,
        });
        let client = self.target.cluster(&cluster).await?;
        let Some((endpoint, ca_hash)) = stored::cluster_info(&client).await? else {
            return Err(StepError::new(
                "psprun::kubeadm::no_cluster_info",
                "the cluster has no ConfigMap kube-public/cluster-info",
            )
            .help("nodes cannot join it with a token: was it made by kubeadm?"));
        };
        let now = self.target.now();
        if args.reuse
            && let Some(token) = tokens::find_valid(&client, now, Duration::from_secs(300)).await?
        {
            let info = JoinInfo::new(&context, endpoint, Some(token), ca_hash);
            return Ok(Outcome::unchanged(info).summary("a token that is there"));
        }
        let token = token_value::token()?;
        // Before anything can show it: an error of the API server, for one.
        context.secret(&token);
        if let Some((_, secret)) = token.split_once('.') {
            context.secret(secret);
        }
        let usages: Vec<String> = args.usages.iter().map(|usage| usage.name().to_owned()).collect();
        let new = NewToken {
            token: &token,
            ttl,
            usages: &usages,
            groups: &args.groups,
            description: args.description.as_deref(),
        };
        tokens::create(&client, now, &new).await?;
        let info = JoinInfo::new(&context, endpoint, Some(token), ca_hash);
        Ok(Outcome::changed(info).summary(match ttl {
            Some(_) => format!("for {}", args.ttl),
            None => "that never expires".to_owned(),
        }))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_examples_plan() {
        crate::testing::plan_examples("kubeadm::token");
    }
}
