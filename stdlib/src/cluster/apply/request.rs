//! One request, with the warnings of the server in its answer.

use http::Request;
use kube::client::Body;
use psprun_engine::StepError;
use serde_json::Value;

use crate::cluster::error::{explain, is_not_found};
use crate::cluster::heal::Patience;

/// A request as kube builds them.
pub(super) type Built = Result<Request<Vec<u8>>, kube::core::request::Error>;

/// The way to the server: a client, and the patience to try again.
#[derive(Clone, Copy)]
pub(super) struct Api<'a> {
    pub(super) client: &'a kube::Client,
    pub(super) patience: &'a Patience,
}

impl Api<'_> {
    /// Sends a request, again while its errors heal. `doing` as for [`explain`].
    ///
    /// # Errors
    /// The last error, explained.
    pub(super) async fn send(&self, doing: &str, request: Built) -> Result<Answer, StepError> {
        let request = request.map_err(|error| explain(doing, &kube::Error::BuildRequest(error)))?;
        let request = &request;
        self.patience
            .attempt(|| async move {
                let answer = send(self.client, request.clone()).await;
                answer.map_err(|error| explain(doing, &error))
            })
            .await
    }

    /// As [`Api::send`], for an object that may not be there.
    ///
    /// # Errors
    /// The last error, explained.
    pub(super) async fn find(&self, doing: &str, request: Built) -> Result<Option<Value>, StepError> {
        let request = request.map_err(|error| explain(doing, &kube::Error::BuildRequest(error)))?;
        let request = &request;
        self.patience
            .attempt(|| async move {
                match send(self.client, request.clone()).await {
                    Ok(answer) => Ok(Some(answer.object)),
                    Err(error) if is_not_found(&error) => Ok(None),
                    Err(error) => Err(explain(doing, &error)),
                }
            })
            .await
    }
}

/// An answer without an error.
pub(super) struct Answer {
    /// What the server warns of: deprecated versions, unknown fields.
    pub(super) warnings: Vec<String>,
    /// The object.
    pub(super) object: Value,
}

/// Sends a request.
///
/// # Errors
/// As the client's own `request`.
pub(super) async fn send(client: &kube::Client, request: Request<Vec<u8>>) -> Result<Answer, kube::Error> {
    let answer = client.send(request.map(Body::from)).await?;
    let status = answer.status();
    let warnings = answer
        .headers()
        .get_all("warning")
        .iter()
        .filter_map(|value| warning(value.to_str().ok()?))
        .collect();
    let body = answer.into_body().collect_bytes().await?;
    if status.is_client_error() || status.is_server_error() {
        let error = serde_json::from_slice::<kube::core::Status>(&body).unwrap_or_else(|_| {
            let text = String::from_utf8_lossy(&body);
            kube::core::Status::failure(text.trim(), "").with_code(status.as_u16())
        });
        return Err(kube::Error::Api(error.boxed()));
    }
    let object = serde_json::from_slice(&body).map_err(kube::Error::SerdeError)?;
    Ok(Answer { warnings, object })
}

/// The text of a `Warning` header: `299 - "policy/v1beta1 PodSecurityPolicy is deprecated"`.
fn warning(header: &str) -> Option<String> {
    let text = header.split_once('"')?.1.trim_end().strip_suffix('"')?;
    Some(text.replace("\\\"", "\"").replace("\\\\", "\\"))
}

#[cfg(test)]
mod tests {
    use super::warning;

    #[test]
    fn a_warning_is_unquoted() {
        assert_eq!(
            warning(r#"299 - "unknown field \"spec.x\"""#).as_deref(),
            Some(r#"unknown field "spec.x""#)
        );
        assert_eq!(warning("299 -"), None);
    }
}
