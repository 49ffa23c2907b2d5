//! What came back.

use std::collections::BTreeMap;

use psprun_engine::StepError;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::super::expect::Expect;
use crate::host::place::sha256;
use crate::target::HttpResponse;

/// An answer.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct CurlOutput {
    /// The status, e.g. 200; also 200 when nothing had to be asked for.
    pub(super) status: u16,
    /// The headers, names in lower case; several of one name are joined by `, `.
    pub(super) headers: BTreeMap<String, String>,
    /// The body as text; empty when it went to a file.
    pub(super) body: String,
    /// The body as a value, when it is JSON; else null.
    pub(super) json: Value,
    /// How long the request took, in milliseconds; 0 when nothing had to be asked for.
    pub(super) took_ms: u64,
    /// The body's sha256 in hex.
    pub(super) sha256: String,
    /// The body's size in bytes.
    pub(super) size: usize,
    /// The file to which the body was saved; null without one.
    pub(super) path: Option<String>,
    /// Whether nothing was asked of the server, as the body was here already.
    pub(super) from_cache: bool,
}

pub(super) fn output(response: HttpResponse, path: Option<String>, from_cache: bool) -> CurlOutput {
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in response.headers {
        headers
            .entry(name)
            .and_modify(|before| *before = format!("{before}, {value}"))
            .or_insert(value);
    }
    let (sha256, size) = (sha256(&response.body), response.body.len());
    let (body, json) = if path.is_some() {
        (String::new(), Value::Null)
    } else {
        let is_json = headers
            .get("content-type")
            .is_some_and(|kind| kind.contains("json"))
            || matches!(response.body.trim_ascii_start().first(), Some(b'{' | b'['));
        let json = is_json
            .then(|| serde_json::from_slice(&response.body).ok())
            .flatten();
        (text(response.body), json.unwrap_or_default())
    };
    CurlOutput {
        status: response.status,
        headers,
        body,
        json,
        took_ms: response.took_ms,
        sha256,
        size,
        path,
        from_cache,
    }
}

/// The error for a status that is none of the expected ones.
pub(super) fn unexpected(method: &str, url: &str, expect: &Expect, response: &HttpResponse) -> StepError {
    let status = response.status;
    let name = http::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason());
    let header = |wanted: &str| {
        let found = response.headers.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.as_str())
    };
    let help = match status {
        300..=399 => format!(
            "it leads on to {}: allow more `redirects`, or `expect: {status}`",
            header("location").unwrap_or("another place")
        ),
        401 | 407 => "it wants credentials: give them in a header, `Authorization`".to_owned(),
        403 => "the server knows who asks and does not allow it".to_owned(),
        404 => "look at the path; an ingress also answers so when no rule fits the header `Host`".to_owned(),
        405 => format!("the server takes {}", header("allow").unwrap_or("another method")),
        429 => "it is asked too often: `retries` waits as long as it says".to_owned(),
        502..=504 => "what is behind it is not ready: `retries` waits for it".to_owned(),
        500..=599 => "the server has a fault of its own: look at its log".to_owned(),
        _ => format!("if this is an answer and no failure, allow it: `expect: {status}`"),
    };
    let mut error = StepError::new(
        "psprun::curl::status",
        format!(
            "{method} {url} answered {status}{}, not {}{}",
            name.map(|name| format!(" {name}")).unwrap_or_default(),
            expect.shown(),
            first_lines(&response.body)
        ),
    )
    .help(help)
    .output(output(response.clone(), None, false));
    if matches!(status, 408 | 425 | 429) || (500..600).contains(&status) && !matches!(status, 501 | 505) {
        error = error.heals();
        // A date is also allowed there, and hardly ever sent.
        error.retry_after_ms = header("retry-after")
            .and_then(|seconds| seconds.trim().parse::<u64>().ok())
            .map(|seconds| seconds.saturating_mul(1000));
    }
    error
}

/// The start of a body that is text: a server says there what it does not like.
fn first_lines(body: &[u8]) -> String {
    const LINES: usize = 5;
    const WIDTH: usize = 160;
    let Ok(text) = std::str::from_utf8(body) else {
        return String::new();
    };
    let lines: Vec<String> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .take(LINES)
        .map(|line| format!("\n  {}", line.trim_end().chars().take(WIDTH).collect::<String>()))
        .collect();
    if lines.is_empty() {
        String::new()
    } else {
        format!(":{}", lines.concat())
    }
}

fn text(body: Vec<u8>) -> String {
    String::from_utf8(body).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
