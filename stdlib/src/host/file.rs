//! `host::file`: a file with a content, a mode and an owner; or none.

use std::sync::Arc;

use async_trait::async_trait;
use psprun_engine::builtin::show_short;
use psprun_engine::{Builtin, Context, Example, Outcome, Runs, Spec, StepError};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::mode::Mode;
use super::place::{FileOutput, Wanted, expand, place, remove};
use crate::target::{Host, HostRef, Target};

/// Makes a file as it is wanted.
pub(super) struct File(pub(super) Arc<dyn Target>);

/// The arguments of `host::file`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct FileArgs {
    /// Where the file is; `~/` is the user's home. The folders on the way are made.
    path: String,
    /// The content, as text.
    #[serde(default)]
    content: Option<String>,
    /// A file of the playbook whose content is taken, byte by byte; an absolute path is one on the machine.
    #[serde(default)]
    #[schemars(extend("x-psprun-file" = true))]
    source: Option<String>,
    /// The permission bits, `"0600"`; without it, those that the file has, `0644` for a new one.
    #[serde(default)]
    mode: Option<Mode>,
    /// `user` or `user:group`, names or numbers; without it, as it is.
    #[serde(default)]
    owner: Option<String>,
    /// There is to be no such file: what is there is removed, a folder with all in it.
    #[serde(default)]
    absent: bool,
    /// Keeps the content out of the diff.
    #[serde(default)]
    secret: bool,
    /// The machine, when called on one.
    #[serde(default)]
    host: Option<HostRef>,
}

#[async_trait]
impl Builtin for File {
    type Args = FileArgs;
    type Output = FileOutput;

    fn spec(&self) -> Spec {
        Spec::new("host::file", "Makes a file of the machine as it is to be")
            .optionally_on("host")
            .subject("path")
            .examples(&[
                Example {
                    title: "a file with this content",
                    script: r#"let file = host::file("made/greeting.txt", #{ content: "hello\n", mode: "0600" });
check("it has five letters and a line end", || file.size == 6);"#,
                    runs: Runs::Anywhere,
                },
                Example {
                    title: "a setting of the kernel that lasts, and its end",
                    script: r#"host::file("/etc/sysctl.d/90-kubernetes.conf", #{ content: "net.ipv4.ip_forward = 1\n" });
host::file("/etc/sysctl.d/99-old.conf", #{ absent: true });"#,
                    runs: Runs::OnNode,
                },
            ])
    }

    fn describe(&self, args: &Value) -> String {
        let path = show_short(&args["path"]);
        if args["absent"] == Value::Bool(true) {
            return format!("remove {path}");
        }
        let mut text = if args.get("source").is_some() {
            format!("write {path} from {}", show_short(&args["source"]))
        } else if args.get("content").is_some() {
            format!("write {path}")
        } else {
            format!("set attributes of {path}")
        };
        for name in ["mode", "owner"] {
            if let Some(value) = args.get(name) {
                text += &match value.as_u64() {
                    Some(bits) if name == "mode" => format!(" mode={bits:04o}"),
                    _ => format!(" {name}={}", show_short(value)),
                };
            }
        }
        text
    }

    fn details(&self, args: &Value) -> Option<String> {
        let shown = args["secret"] != Value::Bool(true);
        args["content"].as_str().filter(|_| shown).map(str::to_owned)
    }

    fn check(&self, args: &Value) -> Result<(), StepError> {
        let has = |name: &str| args.get(name).is_some_and(|value| !value.is_null());
        let wrong = |message: &str| Err(StepError::new("psprun::args", message));
        if args["absent"] == Value::Bool(true) {
            return match ["content", "source", "mode", "owner"]
                .into_iter()
                .find(|name| has(name))
            {
                Some(name) => wrong(&format!("`absent` and `{name}` exclude each other")),
                None => Ok(()),
            };
        }
        match (has("content"), has("source")) {
            (true, true) => wrong("`content` and `source` exclude each other"),
            (false, false) if !has("mode") && !has("owner") && !has("absent") => Err(StepError::new(
                "psprun::args",
                "it is not said how the file is to be",
            )
            .help("give `content`, `source`, `mode`, `owner` or `absent: true`")),
            _ => Ok(()),
        }
    }

    async fn run(&self, args: FileArgs, context: Context) -> Result<Outcome<FileOutput>, StepError> {
        let host = self.0.host(args.host.as_ref())?;
        if args.absent {
            return remove(&*host, &args.path, args.secret).await;
        }
        let content = match (args.content, args.source) {
            (Some(text), _) => Some(text.into_bytes()),
            (None, Some(source)) => Some(source_content(&*host, &context, &source).await?),
            (None, None) => None,
        };
        let wanted = Wanted {
            path: &args.path,
            content: content.as_deref(),
            mode: args.mode,
            owner: args.owner.as_deref(),
            secret: args.secret,
        };
        place(&*host, &wanted).await
    }
}

/// The content of a file of the playbook, or of the machine for an absolute path.
pub(crate) async fn source_content(
    host: &dyn Host,
    context: &Context,
    source: &str,
) -> Result<Vec<u8>, StepError> {
    if let Some(file) = context.files().get(source) {
        return Ok(file.bytes.to_vec());
    }
    let missing = || StepError::new("psprun::host::no_such_file", format!("there is no file {source}"));
    if !source.starts_with(['/', '~']) {
        return Err(missing().help(
            "the plan holds the playbook's files that it names with a known path; name a file of the machine by its \
             absolute path",
        ));
    }
    let path = expand(host, source).await?;
    host.read(&path).await?.ok_or_else(missing)
}

#[cfg(test)]
mod tests;
