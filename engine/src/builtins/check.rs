//! `check("what must hold", || …)`.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::builtin::{Builtin, Example, Outcome, Runs, Spec, StepError};
use crate::context::Context;
use crate::script::Closure;

pub(super) struct Check;

/// The arguments of `check`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Args {
    /// What must hold, in words.
    claim: String,
    /// Looks at results and gives `true` when it holds.
    holds: Closure,
}

#[async_trait]
impl Builtin for Check {
    type Args = Args;
    type Output = bool;

    fn spec(&self) -> Spec {
        Spec::new("check", "Asserts something about results; a failure shows the values that it looked at")
            .subject("claim")
            .reads_only()
            .examples(&[
                Example {
                    title: "A result is as it should be",
                    script: r#"let out = sh("echo hello"); check("it greets", || out.stdout == "hello");"#,
                    runs: Runs::Anywhere,
                },
                Example {
                    title: "With a way out when it is not",
                    script: r#"let out = sh("id -u"); check("we are root", || out.stdout == "0", #{ allow_failure: true });"#,
                    runs: Runs::Anywhere,
                },
            ])
    }

    fn describe(&self, args: &Value) -> String {
        args["claim"].as_str().unwrap_or_default().to_owned()
    }

    async fn run(&self, args: Args, context: Context) -> Result<Outcome<bool>, StepError> {
        let seen = || {
            let seen = context.seen(&args.holds);
            if seen.is_empty() {
                return String::new();
            }
            let width = seen
                .iter()
                .map(|(text, _)| text.chars().count())
                .max()
                .unwrap_or_default();
            let lines: Vec<String> = seen
                .iter()
                .map(|(text, value)| format!("\n  {text:width$} = {value}"))
                .collect();
            lines.concat()
        };
        match context.call(&args.holds, Vec::new()) {
            Ok(Value::Bool(true)) => Ok(Outcome::unchanged(true)),
            Ok(Value::Bool(false)) => Err(StepError::new(
                "psprun::check::failed",
                format!("check failed: {}{}", args.claim, seen()),
            )
            .heals()),
            Ok(other) => Err(StepError::new(
                "psprun::check::no_answer",
                format!(
                    "check `{}`: the closure gave `{other}`, not true or false",
                    args.claim
                ),
            )
            .help("end the closure with a comparison")),
            Err(mut error) => {
                error.message = format!("check failed: {}\n  {}{}", args.claim, error.message, seen());
                Err(error.heals())
            }
        }
    }
}
