//! `kubeadm::reset`: takes a cluster away from a machine, and leaves what others made.

mod cni;
mod found;
mod iptables;
mod ipvs;
mod links;
mod routes;
mod tables;
#[cfg(test)]
mod tests;
mod work;

use std::sync::Arc;

use async_trait::async_trait;
use psprun_engine::{Builtin, Context, Example, Outcome, Runs, Spec, StepError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::work::reset;
use super::node::kubeadm::need_root;
use crate::target::{HostRef, Target};

/// The builtin.
pub struct Reset {
    target: Arc<dyn Target>,
}

impl Reset {
    /// Acts on the machines of this target.
    pub fn new(target: &Arc<dyn Target>) -> Self {
        Self {
            target: target.clone(),
        }
    }
}

/// Arguments of `kubeadm::reset`.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Args {
    /// The machine; the one on which psprun runs when left out.
    #[serde(default)]
    pub host: Option<HostRef>,
    /// Socket of the container runtime; that of the kubelet when left out.
    #[serde(default)]
    pub cri_socket: Option<String>,
    /// More files of /etc/cni/net.d to remove. Removed anyway is what came after the cluster was made, and where psprun
    /// did not make it, what well-known pod networks write and what is younger than the cluster's authority.
    #[serde(default)]
    pub cni_files: Vec<String>,
    /// More network links to delete than those that kube-proxy and well-known pod networks make.
    #[serde(default)]
    pub links: Vec<String>,
    /// Empty iptables' filter, nat and mangle tables altogether (`iptables -F`, `-t nat -F`, `-t mangle -F`, `-X`)
    /// instead of taking the cluster's chains and rules out: rules of others go too.
    #[serde(default)]
    pub flush_all: bool,
    /// Preflight checks of kubeadm reset to ignore.
    #[serde(default)]
    pub ignore_preflight_errors: Vec<String>,
}

/// How a reset is done.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The container runtime's socket.
    pub cri_socket: Option<String>,
    /// More CNI configurations.
    pub cni_files: Vec<String>,
    /// More links.
    pub links: Vec<String>,
    /// Flush instead of filter.
    pub flush_all: bool,
    /// Checks to ignore.
    pub ignore_preflight_errors: Vec<String>,
}

/// What was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Done {
    /// Whether `kubeadm reset` had something to do.
    pub kubeadm: bool,
    /// Files and folders, besides those that kubeadm removed itself; `…/*` is all that was in a folder.
    pub files: Vec<String>,
    /// Network links.
    pub links: Vec<String>,
    /// Routes to pods of other nodes.
    pub routes: Vec<String>,
    /// What went from iptables.
    pub iptables: Vec<Tables>,
    /// Virtual services of IPVS.
    pub ipvs: Vec<String>,
    /// Sets that rules used.
    pub ipsets: Vec<String>,
    /// Tables of nftables.
    pub nft_tables: Vec<String>,
}

/// What went from one kind of iptables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Tables {
    /// `iptables-nft`, `ip6tables-legacy`, …
    pub command: String,
    /// How many rules of chains that stay.
    pub rules: usize,
    /// The chains, as `nat KUBE-SERVICES`.
    pub chains: Vec<String>,
}

/// What was done, and what went wrong meanwhile.
#[derive(Debug, Clone, Default)]
pub struct Cleaned {
    /// What was removed.
    pub done: Done,
    /// What could not be.
    pub problems: Vec<String>,
}

impl Done {
    /// Whether there was nothing to remove.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// `kubeadm reset, 3 files, 2 links, 61 chains and 12 rules`.
    pub fn summary(&self) -> String {
        if self.is_nothing() {
            return "nothing to reset".to_owned();
        }
        let count = |n: usize, what: &str| {
            (n > 0).then(|| {
                if n == 1 {
                    format!("1 {what}")
                } else {
                    format!("{n} {what}s")
                }
            })
        };
        let chains = self.iptables.iter().map(|tables| tables.chains.len()).sum();
        let rules = self.iptables.iter().map(|tables| tables.rules).sum();
        let parts = [
            self.kubeadm.then(|| "kubeadm reset".to_owned()),
            count(self.files.len(), "file"),
            count(self.links.len(), "link"),
            count(self.routes.len(), "route"),
            count(chains, "chain"),
            count(rules, "rule"),
            count(self.ipvs.len(), "virtual service"),
            count(self.ipsets.len(), "set"),
            count(self.nft_tables.len(), "nftables table"),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    fn details(&self) -> String {
        let mut lines = Vec::new();
        if self.kubeadm {
            lines.push("- kubeadm reset".to_owned());
        }
        lines.extend(self.files.iter().map(|file| format!("- {file}")));
        lines.extend(self.links.iter().map(|link| format!("- link {link}")));
        lines.extend(self.routes.iter().map(|route| format!("- route {route}")));
        for tables in &self.iptables {
            lines.extend(
                tables
                    .chains
                    .iter()
                    .map(|chain| format!("- {} chain {chain}", tables.command)),
            );
            if tables.rules > 0 {
                lines.push(format!(
                    "- {} {} rules of other chains",
                    tables.command, tables.rules
                ));
            }
        }
        lines.extend(self.ipvs.iter().map(|service| format!("- IPVS {service}")));
        lines.extend(self.ipsets.iter().map(|set| format!("- set {set}")));
        lines.extend(
            self.nft_tables
                .iter()
                .map(|table| format!("- nftables table {table}")),
        );
        lines.join("\n")
    }
}

impl Cleaned {
    /// An error when something is left.
    ///
    /// # Errors
    /// What is left, and why.
    pub fn check(self) -> Result<Done, StepError> {
        if self.problems.is_empty() {
            return Ok(self.done);
        }
        Err(StepError::new(
            "psprun::kubeadm::reset_incomplete",
            format!(
                "not all of the cluster could be removed:\n  {}",
                self.problems.join("\n  ")
            ),
        )
        .help("mend it and run the reset again: it goes on from here")
        .output(self.done))
    }
}

#[async_trait]
impl Builtin for Reset {
    type Args = Args;
    type Output = Done;

    fn spec(&self) -> Spec {
        Spec::new("kubeadm::reset", "Takes a cluster away from a machine, with all traces that it left and nothing else")
            .optionally_on("host")
            .graceful()
            .examples(&[
                Example {
                    title: "back to the machine before the cluster",
                    script: "kubeadm::reset();",
                    runs: Runs::OnNode,
                },
                Example {
                    title: "as the post does it: iptables is emptied, whoever made the rules",
                    script: "kubeadm::reset(#{ flush_all: true, cri_socket: \"/run/containerd/containerd.sock\" });",
                    runs: Runs::OnNode,
                },
            ])
    }

    fn describe(&self, args: &Value) -> String {
        let tables = if args["flush_all"] == true {
            "empty iptables"
        } else {
            "remove its iptables chains and rules"
        };
        format!("kubeadm reset, then {tables}, its CNI configuration, links, routes and kubeconfig copy")
    }

    async fn run(&self, args: Args, context: Context) -> Result<Outcome<Done>, StepError> {
        let host = self.target.host(args.host.as_ref())?;
        need_root(&*host).await?;
        let options = Options {
            cri_socket: args.cri_socket,
            cni_files: args.cni_files,
            links: args.links,
            flush_all: args.flush_all,
            ignore_preflight_errors: args.ignore_preflight_errors,
        };
        let done = reset(&*host, &context, &options).await?.check()?;
        let (summary, details) = (done.summary(), done.details());
        let changed = !done.is_nothing();
        Ok(Outcome::new(done, changed).summary(summary).details(details))
    }
}
