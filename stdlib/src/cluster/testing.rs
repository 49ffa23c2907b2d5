//! Helpers of this folder's unit tests.

use kube::core::discovery::ApiResource;
use kube::core::gvk::GroupVersionKind;

use super::discovery::Kind;

/// A kind as a server offers it.
pub(crate) fn kind(group: &str, version: &str, kind: &str, namespaced: bool) -> Kind {
    Kind {
        resource: ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind)),
        namespaced,
        verbs: ["get", "list", "watch"].map(str::to_owned).to_vec(),
        short_names: Vec::new(),
        singular: kind.to_lowercase(),
        subresources: vec!["status".to_owned()],
    }
}
