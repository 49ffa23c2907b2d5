//! A pure function whose arguments only the run knows, as a step.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use serde_json::Value;

use crate::builtin::{AnyBuiltin, Outcome, Spec, StepError, describe_arguments};
use crate::context::Context;
use crate::registry::Function;

struct FunctionStep {
    function: Function,
    spec: Spec,
    schema: OnceLock<Value>,
}

/// A step that calls the function.
pub(crate) fn function(function: Function) -> Arc<dyn AnyBuiltin> {
    let spec = Spec::new(function.name, function.summary).reads_only();
    Arc::new(FunctionStep {
        function,
        spec,
        schema: OnceLock::new(),
    })
}

#[async_trait]
impl AnyBuiltin for FunctionStep {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn args_schema(&self) -> &Value {
        self.schema.get_or_init(|| Value::Bool(true))
    }

    fn output_schema(&self) -> &Value {
        self.schema.get_or_init(|| Value::Bool(true))
    }

    fn describe(&self, args: &Value) -> String {
        describe_arguments(
            self.function
                .params
                .first()
                .map(|name| name.trim_end_matches('?')),
            args,
        )
    }

    fn details(&self, _args: &Value) -> Option<String> {
        None
    }

    fn check(&self, _args: &Value) -> Result<(), StepError> {
        Ok(())
    }

    fn parse(&self, _args: Value) -> Result<(), String> {
        Ok(())
    }

    async fn run(&self, args: Value, _context: Context) -> Result<Outcome, StepError> {
        let args: Vec<Value> = self
            .function
            .params
            .iter()
            .map(|name| args.get(name.trim_end_matches('?')).cloned().unwrap_or_default())
            .collect();
        let call = self.function.call;
        let result = tokio::task::spawn_blocking(move || call(&args)).await;
        match result {
            Ok(Ok(value)) => Ok(Outcome::unchanged(value)),
            Ok(Err(message)) => Err(StepError::new(
                "psprun::function::failed",
                format!("`{}`: {message}", self.function.name),
            )),
            Err(error) => Err(StepError::new(
                "psprun::internal",
                format!("`{}` broke off: {error}", self.function.name),
            )),
        }
    }
}
