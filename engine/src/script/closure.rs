//! Closures that look at results: taken in while the plan is made, called while it runs.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::builtin::StepError;

/// A closure that was given as an argument; [`crate::Context::call`] calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closure {
    #[serde(rename = "$closure")]
    pub(crate) id: u32,
}

impl JsonSchema for Closure {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Closure".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "closure" })
    }
}

/// The closures of a plan.
#[derive(Default)]
pub struct Closures {}

impl Closures {
    pub(crate) fn call(&self, _closure: &Closure, _args: Vec<Value>) -> Result<Value, StepError> {
        Err(StepError::new("psprun::todo", "not there yet"))
    }
}

/// Replaces closures by `|…|` for people.
pub(crate) fn show_closures(value: Value) -> Value {
    match value {
        Value::Object(map) if map.contains_key("$closure") => Value::from("|…|"),
        Value::Object(map) => map
            .into_iter()
            .map(|(key, value)| (key, show_closures(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(show_closures).collect(),
        other => other,
    }
}

#[allow(unused)]
type Unused = Arc<()>;
