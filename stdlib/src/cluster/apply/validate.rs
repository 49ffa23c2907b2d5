//! Fields that the kind does not have: kubectl and old servers drop them without a word.

use std::collections::HashMap;
use std::sync::Arc;

use kube::core::params::GetParams;
use psprun_engine::StepError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Mutex;

use super::item::{Item, is_built_in};
use super::request::Api;
use super::schema::{self, Schemas, Unknown};
use crate::cluster::discovery::ServerVersion;
use crate::cluster::error::explain;
use crate::target::ClusterRef;

/// What happens with a field that the kind does not have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Validate {
    /// It is an error.
    #[default]
    Strict,
    /// It is reported and left out.
    Warn,
    /// It is sent as it is.
    Ignore,
}

/// The OpenAPI documents of servers, read once.
#[derive(Default)]
pub(super) struct Validator {
    known: Mutex<HashMap<ClusterRef, (String, Arc<Schemas>)>>,
}

impl Validator {
    /// Looks at the items that are going to be written. Gives what a reader should know.
    ///
    /// # Errors
    /// All unknown fields, when they are not allowed; the server does not answer.
    pub(super) async fn check<'i>(
        &self,
        cluster: &ClusterRef,
        api: Api<'_>,
        version: &ServerVersion,
        mode: Validate,
        items: impl Iterator<Item = &'i mut Item>,
    ) -> Result<Vec<String>, StepError> {
        if mode == Validate::Ignore {
            return Ok(Vec::new());
        }
        let mut told = Vec::new();
        let mut errors = Vec::new();
        let mut definitions = HashMap::new();
        for item in items {
            let mut unknown = schema::flat(&item.object);
            if unknown.is_none() && !is_built_in(item.group()) {
                unknown = match self.definition(api, item, &mut definitions).await? {
                    Some(definition) => {
                        Some(schema::unknown_to_definition(&definition, &item.object).unwrap_or_default())
                    }
                    None => None,
                };
            }
            let unknown = match unknown {
                Some(unknown) => unknown,
                None => self
                    .schemas(cluster, api, version)
                    .await?
                    .unknown_fields(&item.object),
            };
            for Unknown { path, guess } in unknown {
                let place = item.origin.place_of(&path);
                let guess = guess.map(|guess| format!("did you mean `{guess}`?"));
                if mode == Validate::Warn {
                    let guess = guess.map(|guess| format!(" ({guess})")).unwrap_or_default();
                    told.push(format!(
                        "{place}: {} has no field `{path}`: it is left out{guess}",
                        item.kind_name()
                    ));
                    schema::remove(&mut item.object, &path);
                } else {
                    let help = guess.unwrap_or_else(|| {
                        format!("take it out; with `validate: \"warn\"` it is left out. {} of {} does not have it", item.kind_name(), item.api_version())
                    });
                    let message = format!("{} has no field `{path}`", item.show());
                    errors.push(
                        StepError::new("psprun::apply::unknown_field", message)
                            .at(place)
                            .help(help),
                    );
                }
            }
        }
        match super::all(errors) {
            Some(error) => Err(error),
            None => Ok(told),
        }
    }

    /// The CustomResourceDefinition of an object's kind. The server's OpenAPI document has new ones only seconds later.
    async fn definition(
        &self,
        api: Api<'_>,
        item: &Item,
        known: &mut HashMap<String, Option<Value>>,
    ) -> Result<Option<Value>, StepError> {
        let Some(kind) = &item.kind else { return Ok(None) };
        let name = format!("{}.{}", kind.resource.plural, kind.resource.group);
        if let Some(definition) = known.get(&name) {
            return Ok(definition.clone());
        }
        let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        let request = kube::core::Request::new(path).get(&name, &GetParams::default());
        // Who may not read it leaves the check to the server.
        let found = match api
            .find(&format!("read CustomResourceDefinition {name}"), request)
            .await
        {
            Ok(found) => found,
            Err(error) if error.heals => return Err(error),
            Err(_) => None,
        };
        known.insert(name, found.clone());
        Ok(found)
    }

    async fn schemas(
        &self,
        cluster: &ClusterRef,
        api: Api<'_>,
        version: &ServerVersion,
    ) -> Result<Arc<Schemas>, StepError> {
        const DOING: &str = "read the API server's OpenAPI document";
        let mut known = self.known.lock().await;
        if let Some((of, schemas)) = known.get(cluster)
            && *of == version.git_version
        {
            return Ok(schemas.clone());
        }
        let text = api
            .patience
            .attempt(|| async {
                let request = http::Request::get("/openapi/v2")
                    .body(Vec::new())
                    .map_err(kube::Error::HttpError);
                let answer = match request {
                    Ok(request) => api.client.request_text(request).await,
                    Err(error) => Err(error),
                };
                answer.map_err(|error| explain(DOING, &error))
            })
            .await?;
        let parsed = tokio::task::spawn_blocking(move || Schemas::parse(&text)).await;
        let schemas = Arc::new(parsed.map_err(|error| {
            StepError::new("psprun::cluster::bad_answer", format!("cannot {DOING}: {error}"))
        })??);
        known.insert(cluster.clone(), (version.git_version.clone(), schemas.clone()));
        Ok(schemas)
    }
}
