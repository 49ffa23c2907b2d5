//! `value.map(|v| …)`.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::builtin::{Builtin, Example, Outcome, Runs, Spec, StepError};
use crate::context::Context;
use crate::script::Closure;

pub(super) struct Map;

/// The arguments of `map`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Args {
    /// The result that the closure gets.
    value: Value,
    /// Makes another value of it.
    with: Closure,
}

#[async_trait]
impl Builtin for Map {
    type Args = Args;
    type Output = Value;

    fn spec(&self) -> Spec {
        Spec::new("map", "Makes another value of a result, with a closure").subject("value").reads_only().examples(&[
            Example {
                title: "The first line of an output",
                script: r#"let out = sh("printf 'a\nb\n'"); let first = out.stdout.map(|text| text.split("\n")[0]);"#,
                runs: Runs::Anywhere,
            },
            Example {
                title: "A number that a later step uses",
                script: r#"let out = sh("echo 41"); let next = out.stdout.map(|text| text.parse_int() + 1); sh(`echo ${next}`);"#,
                runs: Runs::Anywhere,
            },
        ])
    }

    fn describe(&self, args: &Value) -> String {
        format!("makes a value of {}", crate::builtin::show_short(&args["value"]))
    }

    async fn run(&self, args: Args, context: Context) -> Result<Outcome<Value>, StepError> {
        context.call(&args.with, vec![args.value]).map(Outcome::unchanged)
    }
}
