//! A cluster that a step acts on: its client, and what its API server offers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use kube::Client;
use psprun_engine::StepError;

use super::discovery::{self, Discovery, Kind, ServerVersion};
use crate::target::{ClusterRef, Target};

/// All clusters of a target; what their servers offer is kept for later steps. Cheap to clone.
#[derive(Clone)]
pub struct Clusters {
    target: Arc<dyn Target>,
    known: Arc<Mutex<HashMap<ClusterRef, Arc<Discovery>>>>,
}

impl Clusters {
    /// The clusters of this target.
    pub fn new(target: &Arc<dyn Target>) -> Self {
        Self {
            target: target.clone(),
            known: Arc::default(),
        }
    }

    /// The target, for its clock.
    pub fn target(&self) -> &Arc<dyn Target> {
        &self.target
    }

    /// A client for a cluster. No request is made yet.
    ///
    /// # Errors
    /// The kubeconfig is missing or wrong.
    pub async fn connect(&self, cluster: &ClusterRef) -> Result<Connection, StepError> {
        let client = self.target.cluster(cluster).await?;
        let discovery = self
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(cluster.clone())
            .or_default()
            .clone();
        Ok(Connection { client, discovery })
    }
}

/// A cluster's client with what is known of its server. Cheap to clone.
#[derive(Clone)]
pub struct Connection {
    /// The client.
    pub client: Client,
    /// What the server offers.
    pub discovery: Arc<Discovery>,
}

impl Connection {
    /// The kind that a user means; see [`Discovery::resolve`].
    ///
    /// # Errors
    /// The server knows no such kind, or does not answer.
    pub async fn resolve(&self, text: &str) -> Result<Kind, StepError> {
        self.discovery.resolve(&self.client, text).await
    }

    /// The kind of an object; `None` when the server does not have it.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn kind_of(&self, api_version: &str, kind: &str) -> Result<Option<Kind>, StepError> {
        self.discovery.kind_of(&self.client, api_version, kind).await
    }

    /// The server's version.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn server_version(&self) -> Result<ServerVersion, StepError> {
        discovery::server_version(&self.client).await
    }
}
