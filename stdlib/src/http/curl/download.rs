//! Downloads: pinned by their sha256, kept in a cache, saved to a file.

use std::path::{Path, PathBuf};

use psprun_engine::{Context, Outcome, StepError};

use super::answer::{CurlOutput, output};
use crate::host::mode::Mode;
use crate::host::place::{Wanted, expand, place, sha256};
use crate::target::{Host, HttpResponse, WriteOptions};

/// The sha256 that a download must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pin(String);

impl Pin {
    /// Reads 64 hex digits; the form `sha256:…` is taken too.
    pub(super) fn parse(text: &str) -> Result<Self, StepError> {
        let hex = text.trim().trim_start_matches("sha256:").to_ascii_lowercase();
        if hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Self(hex));
        }
        Err(StepError::new(
            "psprun::args",
            format!("`{text}` is no sha256: it has 64 hex digits"),
        )
        .help("`sha256sum FILE` tells it"))
    }

    /// Refuses another body.
    pub(super) fn check(&self, url: &str, response: &HttpResponse) -> Result<(), StepError> {
        let got = sha256(&response.body);
        if got == self.0 {
            return Ok(());
        }
        let kind = response.headers.iter().find(|(name, _)| name == "content-type");
        Err(StepError::new(
            "psprun::curl::sha256",
            format!(
                "what {url} gives has another sha256 than it must:\n  expected {}\n  got      {got}\n  ({} bytes{})",
                self.0,
                response.body.len(),
                kind.map(|(_, kind)| format!(", {kind}")).unwrap_or_default()
            ),
        )
        .help(
            "if it was changed on purpose, look at what changed and pin the new sum; else the download is broken or \
             somebody tampers with it; an HTML page is an error page or a proxy's login",
        ))
    }
}

/// A file that a download was saved to.
pub(super) struct Saved {
    pub(super) path: String,
    pub(super) changed: bool,
    /// `to /x`, `are in /x already`.
    pub(super) what: String,
    pub(super) details: Option<String>,
}

/// Saves a body to a file, unless it is there already.
pub(super) async fn save(
    host: &dyn Host,
    to: &str,
    body: &[u8],
    mode: Option<Mode>,
) -> Result<Saved, StepError> {
    let placed = place(host, &wanted(to, Some(body), mode)).await?;
    let path = placed.output.path;
    Ok(Saved {
        changed: placed.changed,
        what: if placed.changed {
            format!("to {path}")
        } else {
            format!("are in {path} already")
        },
        details: placed.details,
        path,
    })
}

/// When the file has the right content already, nothing is asked for; its mode is set if need be.
pub(super) async fn is_there(
    host: &dyn Host,
    to: &str,
    pin: &Pin,
    mode: Option<Mode>,
) -> Result<Option<Outcome<CurlOutput>>, StepError> {
    let path = expand(host, to).await?;
    let Some(body) = host.read(&path).await? else {
        return Ok(None);
    };
    if sha256(&body) != pin.0 {
        return Ok(None);
    }
    let placed = place(host, &wanted(to, Some(&body), mode)).await?;
    let response = HttpResponse {
        status: 200,
        body,
        ..HttpResponse::default()
    };
    let output = output(response, Some(path.display().to_string()), true);
    let mut outcome =
        Outcome::new(output, placed.changed).summary(format!("{} is there already", path.display()));
    outcome.details = placed.details;
    Ok(Some(outcome))
}

fn wanted<'a>(path: &'a str, content: Option<&'a [u8]>, mode: Option<Mode>) -> Wanted<'a> {
    Wanted {
        path,
        content,
        mode,
        owner: None,
        secret: false,
    }
}

/// What the cache has for a pin. A file that is broken is as good as none.
pub(super) async fn cached(host: &dyn Host, pin: &Pin) -> Result<Option<Vec<u8>>, StepError> {
    let body = host.read(&cache_path(host, pin).await?).await?;
    Ok(body.filter(|body| sha256(body) == pin.0))
}

/// Puts a download into the cache. A cache that cannot be written is no failure.
pub(super) async fn keep(host: &dyn Host, pin: &Pin, body: &[u8], context: &Context) {
    let kept = match cache_path(host, pin).await {
        Ok(path) => host.write(&path, body, &WriteOptions::default()).await,
        Err(error) => Err(error),
    };
    if let Err(error) = kept {
        context.warn(format!("the download is not kept in the cache: {error}"));
    }
}

async fn cache_path(host: &dyn Host, pin: &Pin) -> Result<PathBuf, StepError> {
    let home = host.user().await?.home;
    Ok(Path::new(&home).join(".cache/psprun/downloads").join(&pin.0))
}
