//! `host::read`: what is in a file.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use psprun_engine::builtin::show_short;
use psprun_engine::{Builtin, Context, Example, Outcome, Runs, Spec, StepError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::place::{expand, sha256};
use crate::manifest::Manifest;
use crate::target::{HostRef, Target};

/// Reads a file.
pub(super) struct Read(pub(super) Arc<dyn Target>);

/// The arguments of `host::read`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ReadArgs {
    /// Where the file is; `~/` is the user's home.
    path: String,
    /// What it is read as; without it, what its name's ending says (`.json`, `.yaml`, `.yml`), else text, and base64
    /// for what is no text.
    #[serde(default)]
    format: Option<Format>,
    /// What to give as `content` when there is no such file; without it, that is an error.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Value")]
    fallback: Option<Value>,
    /// The content is secret: it is masked wherever it would be shown.
    #[serde(default)]
    secret: bool,
    /// The machine, when called on one.
    #[serde(default)]
    host: Option<HostRef>,
}

/// Also a given null is given.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// What a file is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// Text, in UTF-8.
    Text,
    /// JSON.
    Json,
    /// YAML; a list when there are several documents.
    Yaml,
    /// Whatever it is, in base64.
    Base64,
}

/// What is in a file.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ReadOutput {
    /// The file's path, with the home folder in place of `~`.
    path: String,
    /// Whether the file is there.
    exists: bool,
    /// What is in it, as `format` says; `fallback` when the file is not there.
    content: Value,
    /// What it was read as; null without a file.
    format: Option<Format>,
    /// Its size in bytes.
    size: u64,
    /// Its content's sha256 in hex; null without a file.
    sha256: Option<String>,
}

#[async_trait]
impl Builtin for Read {
    type Args = ReadArgs;
    type Output = ReadOutput;

    fn spec(&self) -> Spec {
        Spec::new("host::read", "Reads a file of the machine")
            .optionally_on("host")
            .subject("path")
            .reads_only()
            .examples(&[
                Example {
                    title: "the name of the system",
                    script: r#"let release = host::read("/etc/os-release");
check("this is a Linux with a name", || release.content.contains("NAME="));"#,
                    runs: Runs::Anywhere,
                },
                Example {
                    title: "a setting from a file that need not be there",
                    script: r#"let config = host::read("settings.yaml", #{ fallback: #{ replicas: 2 } });
let replicas = config.content.replicas;
check("there are two", || replicas == 2);"#,
                    runs: Runs::Anywhere,
                },
            ])
    }

    fn describe(&self, args: &Value) -> String {
        let format = args["format"].as_str().map(|format| format!(" as {format}"));
        format!("read {}{}", show_short(&args["path"]), format.unwrap_or_default())
    }

    async fn run(&self, args: ReadArgs, context: Context) -> Result<Outcome<ReadOutput>, StepError> {
        let host = self.0.host(args.host.as_ref())?;
        let path = expand(&*host, &args.path).await?;
        let shown = path.display().to_string();
        let Some(bytes) = host.read(&path).await? else {
            let Some(content) = args.fallback else {
                return Err(StepError::new(
                    "psprun::host::no_such_file",
                    format!("cannot read {shown}: there is no such file"),
                )
                .help("make it in an earlier step, or say what to take instead: `fallback: …`"));
            };
            let output = ReadOutput {
                path: shown,
                exists: false,
                content,
                format: None,
                size: 0,
                sha256: None,
            };
            return Ok(Outcome::unchanged(output).summary("no such file, the fallback is taken"));
        };
        if args.secret {
            context.secret(&String::from_utf8_lossy(&bytes));
        }
        let format = args.format.unwrap_or_else(|| guess(&args.path, &bytes));
        let content = parse(&shown, &bytes, format, &context)?;
        if args.secret {
            hide(&content, &context);
        }
        Ok(Outcome::unchanged(ReadOutput {
            path: shown,
            exists: true,
            content,
            format: Some(format),
            size: bytes.len() as u64,
            sha256: Some(sha256(&bytes)),
        })
        .summary(format!("{} bytes", bytes.len())))
    }
}

fn guess(path: &str, bytes: &[u8]) -> Format {
    if std::str::from_utf8(bytes).is_err() {
        return Format::Base64;
    }
    match path.rsplit('.').next() {
        Some("json") => Format::Json,
        Some("yaml" | "yml") => Format::Yaml,
        _ => Format::Text,
    }
}

fn parse(path: &str, bytes: &[u8], format: Format, context: &Context) -> Result<Value, StepError> {
    match format {
        Format::Base64 => Ok(STANDARD.encode(bytes).into()),
        Format::Text => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.into()),
            Err(error) => Err(StepError::new(
                "psprun::host::no_text",
                format!(
                    "{path} is no UTF-8 text: byte {} is out of place",
                    error.valid_up_to()
                ),
            )
            .help("read it with `format: \"base64\"`")),
        },
        Format::Json => serde_json::from_slice(bytes).map_err(|error| {
            StepError::new("psprun::host::no_json", format!("{path} is no JSON: {error}")).at(format!(
                "{path}:{}:{}",
                error.line(),
                error.column()
            ))
        }),
        Format::Yaml => {
            let mut manifest = Manifest::read_bytes(path, bytes)?;
            manifest
                .findings
                .iter()
                .for_each(|finding| context.warn(finding.to_string()));
            Ok(match manifest.documents.len() {
                0 => Value::Null,
                1 => manifest.documents.swap_remove(0).value,
                _ => manifest
                    .documents
                    .into_iter()
                    .map(|document| document.value)
                    .collect(),
            })
        }
    }
}

/// Masks every text of a value: a step may pass on one of them alone.
fn hide(value: &Value, context: &Context) {
    match value {
        Value::String(text) => context.secret(text),
        Value::Array(items) => items.iter().for_each(|item| hide(item, context)),
        Value::Object(map) => map.values().for_each(|item| hide(item, context)),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
