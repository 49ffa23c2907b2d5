//! Clients for the clusters of kubeconfig files.

use psprun_engine::StepError;

use crate::target::ClusterRef;

/// The clusters that a run talks to; a client for each is kept.
#[derive(Default)]
pub(super) struct Clusters {}

impl Clusters {
    /// A client for the API of this cluster.
    pub(super) async fn client(&self, cluster: &ClusterRef) -> Result<kube::Client, StepError> {
        Err(StepError::new(
            "psprun::cluster::unreachable",
            format!("not there yet: {}", cluster.kubeconfig),
        ))
    }
}
