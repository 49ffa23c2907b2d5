//! `patch`: changes fields of an object.

use async_trait::async_trait;
use kube::core::Status;
use psprun_engine::{Builtin, Context, Example, Outcome, Runs, Spec, StepError};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::connection::Clusters;
use super::object;
use super::requests::{Patch as Body, Requests, never, not_found};
use super::scope::{self, Scope};
use crate::target::ClusterRef;

/// Changes fields of an object.
pub(crate) struct Patch {
    pub(crate) clusters: Clusters,
}

/// Which object, and what of it.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The cluster.
    cluster: ClusterRef,
    /// Its kind: `deploy`, `apps/v1/Deployment`.
    kind: String,
    /// Its name.
    name: String,
    /// A map of the fields to change (`()` removes one), or a list of JSON patch operations.
    patch: Value,
    /// Its namespace; that of the kubeconfig's context when absent, mostly `default`.
    #[serde(default)]
    namespace: Option<String>,
    /// `json` (the default for a list), `strategic` (the default for a map, as with kubectl: lists of containers and
    /// the like are merged by name), or `merge` (lists are replaced; the default for kinds that CRDs define).
    #[serde(default, rename = "type")]
    form: Option<Form>,
    /// Change this subresource: `status`, `scale`.
    #[serde(default)]
    subresource: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Form {
    Json,
    Merge,
    Strategic,
}

#[async_trait]
impl Builtin for Patch {
    type Args = Args;
    /// The object as it is now.
    type Output = Value;

    fn spec(&self) -> Spec {
        Spec::new("patch", "Changes fields of an object")
            .on("cluster")
            .subject("kind")
            .examples(&[
                Example {
                    title: "Scale a Deployment",
                    script: r#"
cluster.patch("deployment", #{ name: "web", namespace: "demo", patch: #{ spec: #{ replicas: 3 } } });
"#,
                    runs: Runs::OnNode,
                },
                Example {
                    title: "JSON patch operations",
                    script: r#"
cluster.patch("namespace", #{
    name: "default",
    patch: [#{ op: "add", path: "/metadata/annotations", value: #{ "example.com/owner": "me" } }],
});
"#,
                    runs: Runs::OnCluster,
                },
            ])
    }

    fn describe(&self, args: &Value) -> String {
        let what = scope::describe(args, scope::subject(args, "kind"));
        let patch = args
            .get("patch")
            .map(psprun_engine::builtin::show_short)
            .unwrap_or_default();
        format!("patch {what}: {patch}")
    }

    fn check(&self, args: &Value) -> Result<(), StepError> {
        match args.get("patch") {
            Some(patch) if !patch.to_string().contains("${") => body(patch, None).map(drop),
            _ => Ok(()),
        }
    }

    async fn run(&self, args: Args, context: Context) -> Result<Outcome<Value>, StepError> {
        let wanted = body(&args.patch, args.form)?;
        let requests = Requests::open(&self.clusters, &args.cluster, &context).await?;
        let kind = requests.resolve(&args.kind).await?;
        let scope = Scope::of(requests.client(), kind, args.namespace.as_deref(), false)?;
        let (kind, namespace) = (&scope.kind, scope.namespace.as_deref());
        let Some(before) = requests.get(kind, namespace, &args.name).await? else {
            return Err(not_found(&scope, &args.name));
        };
        let subresource = args.subresource.as_deref();
        let after = match &wanted {
            // Its operations may add to a list: it must not be sent twice.
            Body::Json(_) => requests.patch_once(kind, &before, &wanted, subresource).await?,
            _ => {
                let accept: fn(&Status) -> bool = match args.form {
                    None => |status| status.code == 415,
                    Some(_) => never,
                };
                let sent = requests
                    .patch(kind, &before, &wanted, subresource, accept)
                    .await?;
                match sent {
                    Some(after) => after,
                    // Kinds that CRDs define know no strategic merge.
                    None => {
                        let merge = Body::Merge(args.patch.clone());
                        requests.patch_once(kind, &before, &merge, subresource).await?
                    }
                }
            }
        };
        // The scale of a Deployment is another object than the Deployment, at the same version.
        let changed = object::resource_version(&before) != object::resource_version(&after);
        Ok(Outcome::new(after, changed))
    }
}

fn body(patch: &Value, form: Option<Form>) -> Result<Body, StepError> {
    let error = |text: String| StepError::new("psprun::patch::form", text);
    match (patch, form) {
        (Value::Array(_), None | Some(Form::Json)) => {
            serde_json::from_value::<json_patch::Patch>(patch.clone()).map_err(|why| {
                error(format!("this is no JSON patch: {why}"))
                    .help("operations are maps: #{ op: \"replace\", path: \"/spec/replicas\", value: 3 }")
            })?;
            Ok(Body::Json(patch.clone()))
        }
        (Value::Object(_), None | Some(Form::Strategic)) => Ok(Body::Strategic(patch.clone())),
        (Value::Object(_), Some(Form::Merge)) => Ok(Body::Merge(patch.clone())),
        (Value::Array(_), Some(_)) => Err(error("a merge patch is a map of fields, not a list".to_owned())),
        (Value::Object(_), Some(Form::Json)) => Err(error(
            "a JSON patch is a list of operations, not a map".to_owned(),
        )),
        (other, _) => Err(error(format!("{other} is no patch"))
            .help("give a map of fields, or a list of JSON patch operations")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    #[test]
    fn the_form_follows_the_patch() {
        let list = json!([{ "op": "remove", "path": "/a" }]);
        assert!(matches!(body(&list, None).unwrap(), Body::Json(_)));
        assert!(matches!(body(&json!({}), None).unwrap(), Body::Strategic(_)));
        assert!(matches!(
            body(&json!({}), Some(Form::Merge)).unwrap(),
            Body::Merge(_)
        ));
        for (patch, form) in [
            (json!([{ "op": "remove" }]), None),
            (json!([{ "op": "erase", "path": "/a" }]), None),
            (json!("x"), None),
            (json!([]), Some(Form::Merge)),
            (json!({}), Some(Form::Json)),
        ] {
            assert!(body(&patch, form).is_err(), "{patch}");
        }
    }
}
