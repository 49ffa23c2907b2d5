//! The requests of one step. Each is tried again while the server is away for a moment.

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use kube::core::Status;
use kube::core::params::{DeleteParams, PostParams, Preconditions};
use kube::core::request::Request;
use psprun_engine::{Context, StepError};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::connection::{Clusters, Connection};
use super::discovery::Kind;
use super::error::explain;
use super::heal::Patience;
use super::object;
use super::scope::Scope;
use crate::target::ClusterRef;

/// The name under which the server remembers who set a field.
pub(crate) const FIELD_MANAGER: &str = "psprun";

/// What of an object is to change.
#[derive(Debug, Clone)]
pub(crate) enum Patch {
    /// A list of operations (RFC 6902).
    Json(Value),
    /// Fields; lists are replaced (RFC 7386).
    Merge(Value),
    /// Fields; lists are merged as the kind's schema says.
    Strategic(Value),
}

impl Patch {
    /// kube's own builder would need another version of the crate json-patch beside ours.
    fn request(
        &self,
        kind: &Kind,
        object: &Value,
        subresource: Option<&str>,
    ) -> Result<http::Request<Vec<u8>>, kube::core::request::Error> {
        let (content_type, body) = match self {
            Self::Json(value) => ("application/json-patch+json", value),
            Self::Merge(value) => ("application/merge-patch+json", value),
            Self::Strategic(value) => ("application/strategic-merge-patch+json", value),
        };
        let (path, name) = (kind.path(object::namespace(object)), object::name(object));
        let subresource = subresource.map(|name| format!("/{name}")).unwrap_or_default();
        http::Request::patch(format!("{path}/{name}{subresource}?fieldManager={FIELD_MANAGER}"))
            .header(http::header::CONTENT_TYPE, content_type)
            .body(body.to_string().into_bytes())
            .map_err(kube::core::request::Error::BuildRequest)
    }
}

/// A step's connection to a cluster.
#[derive(Clone)]
pub(crate) struct Requests {
    pub(crate) connection: Connection,
    patience: Patience,
}

impl Requests {
    /// Connects; no request is made yet.
    ///
    /// # Errors
    /// The kubeconfig is missing or wrong.
    pub(crate) async fn open(
        clusters: &Clusters,
        cluster: &ClusterRef,
        context: &Context,
    ) -> Result<Self, StepError> {
        Ok(Self {
            connection: clusters.connect(cluster).await?,
            patience: Patience::new(context, clusters.target()),
        })
    }

    /// The client.
    pub(crate) fn client(&self) -> &kube::Client {
        &self.connection.client
    }

    /// The kind that a user means.
    pub(crate) fn resolve(&self, text: &str) -> BoxFuture<'static, Result<Kind, StepError>> {
        let (connection, patience, text) = (self.connection.clone(), self.patience.clone(), text.to_owned());
        async move { patience.step(async move || connection.resolve(&text).await).await }.boxed()
    }

    /// The objects of a scope, each with its `apiVersion` and `kind`, and the list's `resourceVersion`.
    pub(crate) fn list(&self, scope: &Scope) -> BoxFuture<'static, Result<(Vec<Value>, String), StepError>> {
        let (client, patience, scope) = (self.client().clone(), self.patience.clone(), scope.clone());
        let doing = format!("list {}", scope.show());
        async move {
            let once = async move || {
                list(&client, &scope)
                    .await
                    .map_err(|error| explain(&doing, &error))
            };
            patience.step(once).await
        }
        .boxed()
    }

    /// One object; `None` when there is none of this name.
    pub(crate) async fn get(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Value>, StepError> {
        let doing = format!("get {} {name}", kind.singular);
        let request = Request::new(kind.path(namespace)).get(name, &Default::default());
        self.send(doing, request, is_absent).await
    }

    /// Creates an object; `None` when there is one of this name.
    pub(crate) async fn create(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        object: &Value,
    ) -> Result<Option<Value>, StepError> {
        let doing = format!("create {}", object::show(object));
        let params = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PostParams::default()
        };
        let request = Request::new(kind.path(namespace)).create(&params, object.to_string().into_bytes());
        self.send(doing, request, Status::is_already_exists).await
    }

    /// Patches an object, with a patch that may be sent twice; gives the object as it is then, `None` when the server
    /// refuses it in a way that is accepted.
    pub(crate) async fn patch(
        &self,
        kind: &Kind,
        object: &Value,
        patch: &Patch,
        subresource: Option<&str>,
        accept: fn(&Status) -> bool,
    ) -> Result<Option<Value>, StepError> {
        let doing = format!("patch {}", object::show(object));
        self.send(doing, patch.request(kind, object, subresource), accept)
            .await
    }

    /// As [`Requests::patch`], but the patch is sent once only.
    pub(crate) async fn patch_once(
        &self,
        kind: &Kind,
        object: &Value,
        patch: &Patch,
        subresource: Option<&str>,
    ) -> Result<Value, StepError> {
        let explained = |error| explain(&format!("patch {}", object::show(object)), &error);
        let request = patch.request(kind, object, subresource);
        let request = request.map_err(kube::Error::BuildRequest).map_err(explained)?;
        self.client().request(request).await.map_err(explained)
    }

    /// Begins the deletion of exactly this object; `false` when it is gone already, or another took its place.
    pub(crate) async fn delete(
        &self,
        kind: &Kind,
        object: &Value,
        params: &DeleteParams,
    ) -> Result<bool, StepError> {
        let doing = format!("delete {}", object::show(object));
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid: Some(object::uid(object).to_owned()).filter(|uid| !uid.is_empty()),
                resource_version: None,
            }),
            ..params.clone()
        };
        let request =
            Request::new(kind.path(object::namespace(object))).delete(object::name(object), &params);
        let gone = |status: &Status| {
            is_absent(status) || status.code == 409 && status.message.contains("UID in precondition")
        };
        Ok(self.send::<Value>(doing, request, gone).await?.is_some())
    }

    /// Sends a request that may be sent twice, until it is answered. `None` when the server refuses it in a way that
    /// is accepted.
    ///
    /// The future owns all it needs, so that many of them can be under way.
    pub(crate) fn send<T: DeserializeOwned + Send + 'static>(
        &self,
        doing: String,
        request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
        accept: fn(&Status) -> bool,
    ) -> BoxFuture<'static, Result<Option<T>, StepError>> {
        let (client, patience) = (self.client().clone(), self.patience.clone());
        async move {
            let request = request.map_err(|error| explain(&doing, &kube::Error::BuildRequest(error)))?;
            let once = async move || match client.request::<T>(request.clone()).await {
                Ok(answer) => Ok(Some(answer)),
                Err(kube::Error::Api(status)) if accept(&status) => Ok(None),
                Err(error) => Err(explain(&doing, &error)),
            };
            patience.step(once).await
        }
        .boxed()
    }

    /// The objects that a step changes or reads: all of a scope. A name without an object is an error.
    ///
    /// # Errors
    /// A name is not there, or the server does not answer.
    pub(crate) async fn find(&self, scope: &Scope) -> Result<Vec<Value>, StepError> {
        let (mut objects, _) = self.list(scope).await?;
        objects.retain(|object| scope.holds(object));
        for wanted in &scope.names {
            if !objects.iter().any(|object| object::name(object) == wanted) {
                return Err(not_found(scope, wanted));
            }
        }
        Ok(objects)
    }
}

/// Does work on many things, some of them at once; gives the results in the order of the things.
///
/// # Errors
/// The first error; what is under way is dropped.
pub(crate) async fn each<'a, T, R: Send>(
    things: impl IntoIterator<Item = T>,
    at_once: usize,
    work: impl Fn(T) -> BoxFuture<'a, Result<R, StepError>>,
) -> Result<Vec<R>, StepError> {
    let work: Vec<_> = things.into_iter().map(work).collect();
    stream::iter(work).buffered(at_once).try_collect().await
}

/// The server says that there is no such object.
pub(crate) fn is_absent(status: &Status) -> bool {
    status.is_not_found()
}

/// Nothing is accepted.
pub(crate) fn never(_: &Status) -> bool {
    false
}

/// There is no object of this name.
pub(crate) fn not_found(scope: &Scope, name: &str) -> StepError {
    let place = match &scope.namespace {
        Some(namespace) => format!(" in namespace {namespace}"),
        None => String::new(),
    };
    StepError::new(
        "psprun::cluster::not_found",
        format!("there is no {} {name:?}{place}", scope.kind.singular),
    )
}

/// The objects of a scope, each with its `apiVersion` and `kind` (which lists leave out), and the list's
/// `resourceVersion`, from which a watch can go on.
pub(crate) async fn list(client: &kube::Client, scope: &Scope) -> Result<(Vec<Value>, String), kube::Error> {
    let request = Request::new(scope.path())
        .list(&scope.list_params())
        .map_err(kube::Error::BuildRequest)?;
    let mut list: Value = client.request(request).await?;
    let resource_version = object::resource_version(&list).to_owned();
    let Value::Array(items) = list["items"].take() else {
        return Ok((Vec::new(), resource_version));
    };
    let resource = &scope.kind.resource;
    let items = items
        .into_iter()
        .map(|item| with_type(item, &resource.api_version, &resource.kind))
        .collect();
    Ok((items, resource_version))
}

fn with_type(object: Value, api_version: &str, kind: &str) -> Value {
    let Value::Object(fields) = object else {
        return object;
    };
    let mut typed = serde_json::Map::with_capacity(fields.len() + 2);
    typed.insert("apiVersion".to_owned(), api_version.into());
    typed.insert("kind".to_owned(), kind.into());
    typed.extend(fields);
    Value::Object(typed)
}
