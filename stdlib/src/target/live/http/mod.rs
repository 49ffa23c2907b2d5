//! Requests to HTTP servers.

mod error;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use psprun_engine::StepError;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, Identity, Method, Proxy, Url};

use self::error::{Sent, bad_request, send_error};
use crate::target::{Http, HttpRequest, HttpResponse};

/// Larger answers are refused: they are kept in memory.
const LARGEST_BODY: usize = 1 << 30;

/// HTTP over the network. Connections are kept and used again.
#[derive(Default)]
pub(super) struct LiveHttp {
    clients: Mutex<HashMap<Options, Client>>,
}

/// What a client is made for; requests with the same options share one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Options {
    insecure: bool,
    ca: Option<String>,
    client_certificate: Option<String>,
    proxy: Option<String>,
    redirects: u32,
    /// The header `Host`, where it is given.
    host: Option<String>,
}

#[async_trait]
impl Http for LiveHttp {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, StepError> {
        let started = Instant::now();
        let url = parse_url(&request.url)?;
        let sent = Sent {
            method: request.method.clone(),
            url: url.clone(),
            timeout: request.timeout,
            redirects: request.redirects,
        };
        let client = self.client(&request).await?;
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| bad_request(format!("`{}` is no HTTP method", request.method)))?;
        let mut builder = client.request(method, url);
        for (name, value) in &request.headers {
            let name: http::HeaderName = name
                .parse()
                .map_err(|_| bad_request(format!("`{name}` is no name of a header")))?;
            let value = http::HeaderValue::from_str(value).map_err(|_| {
                bad_request(format!(
                    "the value of the header `{name}` has characters that none may have"
                ))
            })?;
            builder = builder.header(name, value);
        }
        if let Some(body) = request.body {
            builder = builder.body(body);
        }
        if let Some(timeout) = request.timeout {
            builder = builder.timeout(timeout);
        }

        let mut response = builder.send().await.map_err(|error| send_error(&sent, &error))?;
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                (name.as_str().to_owned(), value)
            })
            .collect();
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| send_error(&sent, &error))?
        {
            if body.len() + chunk.len() > LARGEST_BODY {
                return Err(StepError::new(
                    "psprun::http::too_large",
                    format!(
                        "the answer of {} is larger than {} MiB",
                        sent.place(),
                        LARGEST_BODY >> 20
                    ),
                ));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(HttpResponse {
            status,
            headers,
            body,
            took_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        })
    }
}

impl LiveHttp {
    async fn client(&self, request: &HttpRequest) -> Result<Client, StepError> {
        let options = Options {
            insecure: request.insecure,
            ca: request.ca.clone(),
            client_certificate: request.client_certificate.clone(),
            proxy: request.proxy.clone(),
            redirects: request.redirects,
            host: request
                .headers
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case("host"))
                .map(|(_, value)| value.clone()),
        };
        let clients = || self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients().get(&options) {
            return Ok(client.clone());
        }
        // Reads the system's certificates, which takes some milliseconds.
        let made = tokio::task::spawn_blocking({
            let options = options.clone();
            move || options.client()
        })
        .await
        .map_err(|error| {
            StepError::new(
                "psprun::internal",
                format!("a thread for HTTP ended early: {error}"),
            )
        })??;
        // Another step may have been faster: one for all, so that connections are shared.
        Ok(clients().entry(options).or_insert(made).clone())
    }
}

impl Options {
    fn client(&self) -> Result<Client, StepError> {
        // Fails when there is one already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let authorities = match &self.ca {
            Some(pem) => certificates(pem)?,
            None => Vec::new(),
        };
        let trusting = |builder: ClientBuilder| builder.tls_certs_merge(authorities.clone());
        match trusting(self.builder()?).build() {
            Ok(client) => Ok(client),
            // A machine without a certificate store can still talk HTTP, and HTTPS with what it is given.
            Err(_) => self
                .builder()?
                .tls_certs_only(authorities)
                .build()
                .map_err(|error| {
                    bad_request(format!("these options cannot be used: {}", error::chain(&error)))
                }),
        }
    }

    fn builder(&self) -> Result<ClientBuilder, StepError> {
        let mut builder = Client::builder()
            .user_agent(concat!("psprun/", env!("CARGO_PKG_VERSION")))
            .tls_danger_accept_invalid_certs(self.insecure)
            .redirect(self.redirect_policy());
        if self.host.is_some() {
            // HTTP/2 has the host in the request's own line, where the URL's would win.
            builder = builder.http1_only();
        }
        match self.proxy.as_deref() {
            None => {}
            Some("") => builder = builder.no_proxy(),
            Some(proxy) => {
                let proxy = Proxy::all(proxy).map_err(|_| {
                    bad_request(format!("`{proxy}` is no proxy"))
                        .help("write it as `http://host:3128` or `socks5://host:1080`")
                })?;
                builder = builder.proxy(proxy);
            }
        }
        if let Some(pem) = &self.client_certificate {
            builder = builder.identity(Identity::from_pem(pem.as_bytes()).map_err(|error| {
                bad_request(format!(
                    "the client certificate cannot be used: {}",
                    error::chain(&error)
                ))
                .help("it is a certificate and its private key, both in PEM (`-----BEGIN …`)")
            })?);
        }
        Ok(builder)
    }
}

impl Options {
    /// A given header `Host` goes along with every redirect, so none is followed to a host that it is not meant for: the
    /// answer that leads there is the answer.
    fn redirect_policy(&self) -> Policy {
        let limit = usize::try_from(self.redirects).unwrap_or(usize::MAX);
        let host = match &self.host {
            _ if limit == 0 => return Policy::none(),
            None => return Policy::limited(limit),
            Some(host) => host.split(':').next().unwrap_or_default().to_owned(),
        };
        Policy::custom(move |attempt| {
            let first = attempt.previous().first().and_then(Url::host_str);
            let next = attempt.url().host_str();
            if attempt.previous().len() > limit {
                attempt.error("too many redirects")
            } else if next == first || next == Some(host.as_str()) {
                attempt.follow()
            } else {
                attempt.stop()
            }
        })
    }
}

fn certificates(pem: &str) -> Result<Vec<Certificate>, StepError> {
    match Certificate::from_pem_bundle(pem.as_bytes()) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(bad_request("`ca` has no certificate in it".to_owned())
            .help("it is a file or a text in PEM (`-----BEGIN CERTIFICATE-----`)")),
    }
}

fn parse_url(text: &str) -> Result<Url, StepError> {
    let url = Url::parse(text).map_err(|error| {
        bad_request(format!("`{text}` is no URL: {error}")).help("write it in full, `http://host:port/path`")
    })?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(bad_request(format!("`{text}` is no URL of http or https"))
            .help("write it as `http://host:port/path`"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests;
