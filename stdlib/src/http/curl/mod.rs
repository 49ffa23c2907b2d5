//! `curl`: a request to an HTTP server, or a download.

mod answer;
mod download;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use psprun_engine::builtin::show_short;
use psprun_engine::plan::parse_duration;
use psprun_engine::{Builtin, Context, Example, Outcome, Runs, Spec, StepError};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use self::answer::{CurlOutput, output, unexpected};
use self::download::{Pin, Saved};
use super::expect::Expect;
use crate::host::file::source_content;
use crate::host::mode::Mode;
use crate::target::{Host, HttpRequest, HttpResponse, Target};

/// Sends a request.
pub(super) struct Curl(pub(super) Arc<dyn Target>);

/// How long a request may take when nothing is said.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The arguments of `curl`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct CurlArgs {
    /// Where to: `http://` or `https://`, host, port and path.
    url: String,
    /// The method; without it `GET`, and `POST` with a body.
    #[serde(default)]
    method: Option<String>,
    /// Headers: a text for each name, or a list of texts.
    #[serde(default)]
    headers: BTreeMap<String, Value>,
    /// The body, as text.
    #[serde(default)]
    body: Option<String>,
    /// The body, as a value that is sent as JSON.
    #[serde(default)]
    json: Option<Value>,
    /// The statuses that are a success: `200`, `"200-299"`, `"4xx"`, a list of such, or `"any"`. Without it, 200 to 399.
    #[serde(default)]
    expect: Expect,
    /// How long the request may take in all; without it `"30s"`.
    #[serde(default)]
    timeout: Option<String>,
    /// Does not check the server's certificate.
    #[serde(default)]
    insecure: bool,
    /// The certificates of authorities to trust besides the system's: a file of the playbook, an absolute path on the
    /// machine, or the PEM text itself.
    #[serde(default)]
    #[schemars(extend("x-psprun-file" = true))]
    ca: Option<String>,
    /// The client's certificate, given as `ca` is; its key may be in the same file.
    #[serde(default)]
    #[schemars(extend("x-psprun-file" = true))]
    cert: Option<String>,
    /// The client certificate's private key, given as `ca` is.
    #[serde(default)]
    #[schemars(extend("x-psprun-file" = true))]
    key: Option<String>,
    /// A proxy, `"http://host:3128"`; `""` for none. Without it, the one of the environment (`HTTPS_PROXY`, …).
    #[serde(default)]
    proxy: Option<String>,
    /// How many redirects to follow.
    #[serde(default = "ten")]
    redirects: u32,
    /// The sha256 that the body must have, in hex.
    #[serde(default)]
    sha256: Option<String>,
    /// Keeps the download in psprun's cache, from where the next run takes it without asking the server; needs `sha256`.
    #[serde(default)]
    cache: bool,
    /// Saves the body to this file of the machine. With `sha256`, a file that is right already is not asked for again.
    #[serde(default)]
    to: Option<String>,
    /// The permission bits of the file `to`, e.g. `"0755"`.
    #[serde(default)]
    mode: Option<Mode>,
}

fn ten() -> u32 {
    10
}

#[async_trait]
impl Builtin for Curl {
    type Args = CurlArgs;
    type Output = CurlOutput;

    fn spec(&self) -> Spec {
        Spec::new("curl", "Sends a request to an HTTP server").subject("url").examples(&[
            Example {
                title: "through an ingress controller, which chooses by the header Host",
                script: r#"let ip = param("controller_ip", "10.244.0.7", "address of the ingress controller's pod");
let reply = curl(`http://${ip}/get`, #{ headers: #{ Host: "my.httpbin.com" } }).retries(5);
check("httpbin answers", || reply.status == 200 && reply.json.headers.Host == "my.httpbin.com");"#,
                runs: Runs::OnNode,
            },
            Example {
                title: "a download that is checked, kept, and asked for once",
                script: r#"let url = "https://mirror.example.com/kubectl";
let pin = "2583040dfcd2ee3ab7d1db9d8e5d7d6aa6b0d2d4e5e6a1b7a7a3c1f0e9d8c7b6";
curl(url, #{ sha256: pin, cache: true, to: "/usr/local/bin/kubectl", mode: "0755", timeout: "10m" });"#,
                runs: Runs::OnNode,
            },
            Example {
                title: "JSON there and back, and a status that is an answer",
                script: r#"let made = curl("https://api.example.com/things", #{ json: #{ name: "x" }, expect: [201, 409] });
let is_new = made.map(|it| it.status == 201);"#,
                runs: Runs::OnNode,
            },
        ])
    }

    fn describe(&self, args: &Value) -> String {
        let url = show_short(&args["url"]);
        if let Some(to) = args.get("to") {
            return format!("download {url} to {}", show_short(to));
        }
        let given = args["method"].as_str();
        let has_body = args.get("body").is_some() || args.get("json").is_some();
        let method = given.unwrap_or(if has_body { "POST" } else { "GET" });
        let mut text = format!("{} {url}", method.to_ascii_lowercase());
        let host = args["headers"].as_object().and_then(|headers| {
            headers
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case("host"))
                .map(|(_, value)| value)
        });
        if let Some(host) = host {
            text += &format!(" as {}", show_short(host));
        }
        if let Some(expect) = args.get("expect") {
            text += &format!(" expecting {}", show_short(expect));
        }
        text
    }

    fn check(&self, args: &Value) -> Result<(), StepError> {
        let known = |name: &str| args[name].as_str().filter(|text| !text.contains("${"));
        let wrong = |message: String| Err(StepError::new("psprun::args", message));
        if let Some(url) = known("url")
            && !(url.starts_with("http://") || url.starts_with("https://"))
        {
            return Err(
                StepError::new("psprun::args", format!("`{url}` is no URL of http or https"))
                    .help("write it in full, `http://host:port/path`"),
            );
        }
        if let Some(text) = known("timeout") {
            timeout(Some(text))?;
        }
        if let Some(pin) = known("sha256") {
            Pin::parse(pin)?;
        }
        let has = |name: &str| args.get(name).is_some_and(|value| !value.is_null());
        if has("body") && has("json") {
            return wrong("`body` and `json` exclude each other".to_owned());
        }
        if args["cache"] == Value::Bool(true) && !has("sha256") {
            return Err(StepError::new("psprun::args", "`cache` needs `sha256`")
                .help("without it, nobody would know when the cached file is out of date"));
        }
        if has("mode") && !has("to") {
            return wrong("`mode` is that of the file `to`, which is not given".to_owned());
        }
        Ok(())
    }

    async fn run(&self, args: CurlArgs, context: Context) -> Result<Outcome<CurlOutput>, StepError> {
        let host = self.0.host(None)?;
        let pin = args.sha256.as_deref().map(Pin::parse).transpose()?;
        if let (Some(pin), Some(to)) = (&pin, &args.to)
            && let Some(outcome) = download::is_there(&*host, to, pin, args.mode).await?
        {
            return Ok(outcome);
        }
        let cached = match &pin {
            Some(pin) if args.cache => download::cached(&*host, pin).await?,
            _ => None,
        };
        let from_cache = cached.is_some();
        let request = request(&args, &*host, &context).await?;
        let changes = !matches!(request.method.as_str(), "GET" | "HEAD" | "OPTIONS");
        let response = match cached {
            Some(body) => HttpResponse {
                status: 200,
                body,
                ..HttpResponse::default()
            },
            None => {
                let (method, url) = (request.method.clone(), request.url.clone());
                let response = self.0.http().send(request).await?;
                if !args.expect.allows(response.status) {
                    return Err(unexpected(&method, &url, &args.expect, &response));
                }
                response
            }
        };
        if let Some(pin) = pin.as_ref().filter(|_| !from_cache) {
            pin.check(&args.url, &response)?;
            if args.cache {
                download::keep(&*host, pin, &response.body, &context).await;
            }
        }
        let saved = match &args.to {
            Some(to) => Some(download::save(&*host, to, &response.body, args.mode).await?),
            None => None,
        };
        Ok(finish(response, saved, from_cache, changes))
    }
}

fn finish(
    response: HttpResponse,
    saved: Option<Saved>,
    from_cache: bool,
    changes: bool,
) -> Outcome<CurlOutput> {
    let changed = saved.as_ref().map_or(changes, |saved| saved.changed || changes);
    let mut summary = if from_cache {
        "from the cache".to_owned()
    } else {
        format!("{} in {} ms", response.status, response.took_ms)
    };
    if let Some(saved) = &saved {
        summary += &format!(", {} bytes {}", response.body.len(), saved.what);
    }
    let details = saved.as_ref().and_then(|saved| saved.details.clone());
    let mut outcome = Outcome::new(
        output(response, saved.map(|saved| saved.path), from_cache),
        changed,
    )
    .summary(summary);
    outcome.details = details;
    outcome
}

async fn request(args: &CurlArgs, host: &dyn Host, context: &Context) -> Result<HttpRequest, StepError> {
    let mut headers = Vec::new();
    for (name, value) in &args.headers {
        match value {
            Value::Array(values) => headers.extend(values.iter().map(|value| (name.clone(), text_of(value)))),
            value => headers.push((name.clone(), text_of(value))),
        }
    }
    let body = match (&args.body, &args.json) {
        (Some(body), _) => Some(body.clone().into_bytes()),
        (None, Some(json)) => {
            if !args
                .headers
                .keys()
                .any(|name| name.eq_ignore_ascii_case("content-type"))
            {
                headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
            }
            Some(json.to_string().into_bytes())
        }
        (None, None) => None,
    };
    let method = match &args.method {
        Some(method) => method.to_ascii_uppercase(),
        None if body.is_some() => "POST".to_owned(),
        None => "GET".to_owned(),
    };
    let mut client_certificate = pem(host, context, args.cert.as_deref()).await?;
    if let (Some(certificate), Some(key)) = (
        &mut client_certificate,
        pem(host, context, args.key.as_deref()).await?,
    ) {
        certificate.push('\n');
        certificate.push_str(&key);
    }
    Ok(HttpRequest {
        method,
        url: args.url.clone(),
        headers,
        body,
        timeout: Some(timeout(args.timeout.as_deref())?),
        insecure: args.insecure,
        ca: pem(host, context, args.ca.as_deref()).await?,
        client_certificate,
        proxy: args.proxy.clone(),
        redirects: args.redirects,
    })
}

/// A certificate or key: the text itself, or a file.
async fn pem(host: &dyn Host, context: &Context, given: Option<&str>) -> Result<Option<String>, StepError> {
    match given {
        None => Ok(None),
        Some(text) if text.contains('\n') => Ok(Some(text.to_owned())),
        Some(path) => {
            let content = source_content(host, context, path).await?;
            Ok(Some(String::from_utf8_lossy(&content).into_owned()))
        }
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn timeout(text: Option<&str>) -> Result<Duration, StepError> {
    text.map_or(Ok(TIMEOUT), parse_duration)
        .map_err(|what| StepError::new("psprun::args", format!("`timeout`: {what}")))
}

#[cfg(test)]
mod tests;
