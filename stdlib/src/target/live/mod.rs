//! The live target: this machine, real clusters, the network.

mod cluster;
mod host;
mod http;
mod process;

use std::sync::Arc;

use async_trait::async_trait;
use psprun_engine::StepError;

use self::cluster::Clusters;
use self::host::LiveHost;
use self::http::LiveHttp;
use super::{ClusterRef, Host, HostRef, Http, Target};

/// The target that acts on the world: this machine, the clusters of kubeconfig files, HTTP servers.
#[derive(Default)]
pub struct LiveTarget {
    clusters: Clusters,
    host: Arc<LiveHost>,
    http: Arc<LiveHttp>,
}

impl LiveTarget {
    /// A target with no connection made yet.
    #[expect(clippy::new_ret_no_self, reason = "builtins take any target, never this type")]
    pub fn new() -> Arc<dyn Target> {
        Arc::new(Self::default())
    }
}

#[async_trait]
impl Target for LiveTarget {
    fn host(&self, host: Option<&HostRef>) -> Result<Arc<dyn Host>, StepError> {
        match host {
            None => Ok(self.host.clone()),
            Some(host) => Err(StepError::new(
                "psprun::host::unreachable",
                format!(
                    "cannot reach the machine {}: psprun acts on the machine on which it runs only",
                    host.name
                ),
            )
            .help("run psprun on that machine, or call `ssh` with host::run")),
        }
    }

    async fn cluster(&self, cluster: &ClusterRef) -> Result<kube::Client, StepError> {
        self.clusters.client(cluster, || self.host(None)).await
    }

    fn http(&self) -> Arc<dyn Http> {
        self.http.clone()
    }
}
