//! Puts the server's address into the client's errors, and a limit on the time that an answer takes to begin.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::future::BoxFuture;
use http::{Request, Response};
use kube::client::Body;

use crate::cluster::error::{AtServer, NoAnswer};

/// How long an API server may think before the answer begins; its own limit is 60 s. What follows the beginning, as the
/// events of a watch, may take any time.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(75);

/// The layer that does so.
pub(super) struct NameServer {
    pub(super) server: Arc<str>,
}

impl<S> tower::Layer<S> for NameServer {
    type Service = Named<S>;

    fn layer(&self, inner: S) -> Named<S> {
        Named {
            inner,
            server: self.server.clone(),
        }
    }
}

pub(super) struct Named<S> {
    inner: S,
    server: Arc<str>,
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl<S, B> tower::Service<Request<Body>> for Named<S>
where
    S: tower::Service<Request<Body>, Response = Response<B>, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<B>, BoxError>>;

    fn poll_ready(&mut self, context: &mut std::task::Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, self.inner.call(request));
        let server = self.server.clone();
        Box::pin(async move {
            let source = match answer.await {
                Ok(Ok(answer)) => return Ok(answer),
                // kube's own (credentials) are not about the server.
                Ok(Err(error)) if error.is::<kube::Error>() => return Err(error),
                Ok(Err(error)) => error,
                Err(_) => Box::new(NoAnswer(ANSWER_TIMEOUT.as_secs())),
            };
            Err(Box::new(AtServer { server, source }) as BoxError)
        })
    }
}
