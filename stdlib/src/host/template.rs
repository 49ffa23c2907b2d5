//! `host::template`: a file that is rendered from a template.

use std::sync::Arc;

use async_trait::async_trait;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use psprun_engine::builtin::show_short;
use psprun_engine::diagnostic::did_you_mean;
use psprun_engine::{Builtin, Context, Example, Outcome, Runs, Spec, StepError};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::file::source_content;
use super::mode::Mode;
use super::place::{FileOutput, Wanted, place};
use crate::target::{HostRef, Target};

/// Renders a file.
pub(super) struct Template(pub(super) Arc<dyn Target>);

/// The arguments of `host::template`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct TemplateArgs {
    /// Where the file is to be; `~/` is the user's home. The folders on the way are made.
    path: String,
    /// A file of the playbook that is the template, in the language of Jinja; a text with a line break is the template
    /// itself, an absolute path one on the machine. A line that has only a `{% block %}` leaves no line behind.
    #[schemars(extend("x-psprun-file" = true))]
    template: String,
    /// The template's variables. One that it uses and that is not here is an error.
    #[serde(default)]
    vars: Map<String, Value>,
    /// The permission bits, `"0600"`; without it, those that the file has, `0644` for a new one.
    #[serde(default)]
    mode: Option<Mode>,
    /// `user` or `user:group`, names or numbers; without it, as it is.
    #[serde(default)]
    owner: Option<String>,
    /// Keeps the content out of the diff.
    #[serde(default)]
    secret: bool,
    /// The machine, when called on one.
    #[serde(default)]
    host: Option<HostRef>,
}

#[async_trait]
impl Builtin for Template {
    type Args = TemplateArgs;
    type Output = FileOutput;

    fn spec(&self) -> Spec {
        Spec::new("host::template", "Renders a file of the machine from a template")
            .optionally_on("host")
            .subject("path")
            .examples(&[
                Example {
                    title: "a template in the playbook",
                    script: r#"let motd = host::template("motd", #{
    template: "{% for name in names %}hello {{ name }}\n{% endfor %}",
    vars: #{ names: ["a", "b"] },
});
check("both are greeted", || motd.size == 16);"#,
                    runs: Runs::Anywhere,
                },
                Example {
                    title: "a configuration with what another step found",
                    script: r#"let name = sh("hostname -f", #{ changes: false });
host::template("/etc/crictl.yaml", #{
    template: "runtime-endpoint: unix://{{ socket }} # on {{ host }}\n",
    vars: #{ host: name.stdout, socket: "/run/containerd/containerd.sock" },
});"#,
                    runs: Runs::OnNode,
                },
            ])
    }

    fn describe(&self, args: &Value) -> String {
        let path = show_short(&args["path"]);
        match args["template"].as_str() {
            Some(text) if !text.contains('\n') => format!("render {text} to {path}"),
            _ => format!("render {path}"),
        }
    }

    fn details(&self, args: &Value) -> Option<String> {
        args["template"]
            .as_str()
            .filter(|text| text.contains('\n') && args["secret"] != Value::Bool(true))
            .map(str::to_owned)
    }

    fn check(&self, args: &Value) -> Result<(), StepError> {
        match args["template"].as_str() {
            // What is not known yet stands in it as `${…}`, which is text to the template.
            Some(text) if text.contains('\n') => environment()
                .template_from_named_str(INLINE, text)
                .map(drop)
                .map_err(|error| template_error(&error, text, None)),
            _ => Ok(()),
        }
    }

    async fn run(&self, args: TemplateArgs, context: Context) -> Result<Outcome<FileOutput>, StepError> {
        let host = self.0.host(args.host.as_ref())?;
        let (name, template) = if args.template.contains('\n') {
            (INLINE, args.template.clone())
        } else {
            let content = source_content(&*host, &context, &args.template).await?;
            let text = String::from_utf8(content).map_err(|_| {
                StepError::new(
                    "psprun::host::template",
                    format!("the template {} is no UTF-8 text", args.template),
                )
            })?;
            (args.template.as_str(), text)
        };
        let content = environment()
            .render_named_str(
                name,
                &template,
                minijinja::Value::from(minijinja::value::Serde(&args.vars)),
            )
            .map_err(|error| template_error(&error, &template, Some(&args.vars)))?;
        let wanted = Wanted {
            path: &args.path,
            content: Some(content.as_bytes()),
            mode: args.mode,
            owner: args.owner.as_deref(),
            secret: args.secret,
        };
        place(&*host, &wanted).await
    }
}

/// What a template in the playbook itself is called in errors.
const INLINE: &str = "template";

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    if let Ok(syntax) = SyntaxConfig::builder()
        .keep_trailing_newline(true)
        // A line that has only a block is not there in the result.
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
    {
        environment.set_syntax(syntax);
    }
    // These are configuration files, no web pages.
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_debug(true);
    // A template that loops without an end must not.
    environment.set_fuel(Some(1_000_000));
    environment
}

fn template_error(error: &minijinja::Error, source: &str, vars: Option<&Map<String, Value>>) -> StepError {
    let name = error.name().unwrap_or(INLINE);
    let line = error.line().unwrap_or(0);
    let place = if line == 0 {
        name.to_owned()
    } else {
        format!("{name}:{line}")
    };
    let used = error.range().and_then(|range| source.get(range)).map(str::trim);
    let what = match (error.kind(), used) {
        (ErrorKind::UndefinedError, Some(used)) => format!("`{used}` is not defined"),
        (kind, _) => error.detail().map_or_else(|| kind.to_string(), str::to_owned),
    };
    let written = source
        .lines()
        .nth(line.saturating_sub(1))
        .filter(|_| line > 0)
        .map(|text| format!("\n  {line} │ {}", text.trim_end()))
        .unwrap_or_default();
    let mut failed = StepError::new("psprun::host::template", format!("{place}: {what}{written}"));
    if let Some(vars) = vars
        && error.kind() == ErrorKind::UndefinedError
    {
        let names: Vec<&str> = vars.keys().map(String::as_str).collect();
        let first = used
            .and_then(|used| used.split(['.', '[', ' ', '|']).next())
            .unwrap_or_default();
        failed = failed.help(match did_you_mean(first, names.iter().copied()) {
            Some(meant) if meant != first => format!("did you mean `{meant}`?"),
            _ if names.is_empty() => "give the template its variables: `vars: #{ name: value }`".to_owned(),
            _ => format!("`vars` has {}", names.join(", ")),
        });
    }
    // A file is a place that can be shown; the playbook's own text is not one.
    if name == INLINE { failed } else { failed.at(place) }
}

#[cfg(test)]
mod tests;
