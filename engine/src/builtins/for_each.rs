//! `for_each(list, |item| …)`.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::builtin::{Builtin, Example, Outcome, Runs, Spec, StepError};
use crate::context::Context;
use crate::script::Closure;

pub(super) struct ForEach;

/// The arguments of `for_each`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Args {
    /// The list: each item's steps run side by side with the others'.
    items: Value,
    /// Gets an item and calls the builtins for it; what it returns is the item's output.
    each: Closure,
}

#[async_trait]
impl Builtin for ForEach {
    type Args = Args;
    type Output = Value;

    fn spec(&self) -> Spec {
        Spec::new("for_each", "Makes steps for each item of a list that only the run knows").subject("items").examples(&[
            Example {
                title: "A step for each line of an output",
                script: "let names = sh(\"printf 'a\\nb\\n'\");\nlet list = names.stdout.map(|text| text.split(\"\\n\"));\nfor_each(list, |name| sh(`echo hello ${name}`));",
                runs: Runs::Anywhere,
            },
            Example {
                title: "The outputs as a list",
                script: "let list = sh(\"echo '[1,2]'\").stdout.map(|text| [1, 2]);\nlet all = for_each(list, |n| sh(`echo ${n}`));\ncheck(\"there are two\", || all.len() == 2);",
                runs: Runs::Anywhere,
            },
        ])
    }

    fn describe(&self, args: &Value) -> String {
        format!(
            "makes steps for each of {}",
            crate::builtin::show_short(&args["items"])
        )
    }

    async fn run(&self, args: Args, context: Context) -> Result<Outcome<Value>, StepError> {
        let items = match args.items {
            Value::Array(items) => items,
            Value::Null => Vec::new(),
            other => {
                return Err(StepError::new(
                    "psprun::for_each::no_list",
                    format!(
                        "`for_each` needs a list, and this is `{}`",
                        crate::builtin::show_short(&other)
                    ),
                ));
            }
        };
        let count = items.len();
        let unfold = context.unfold(&args.each, &items)?;
        let mut outcome = Outcome::unchanged(Value::Null).summary(format!("{count} items"));
        outcome.unfold = Some(Box::new(unfold));
        Ok(outcome)
    }
}
