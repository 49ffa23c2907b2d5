//! A program that embeds the engine, with two builtins of its own.
//!
//! `cargo run -p psprun-engine --example embed`

#![expect(clippy::print_stdout, reason = "an example prints")]

use std::sync::Arc;

use psprun_engine::run::{Interrupt, RunOptions, run};
use psprun_engine::script::{Planner, Playbook, Values};
use psprun_engine::{Builtin, Context, Event, EventKind, Outcome, Registry, Spec, StepError};

/// `greet("name")`.
struct Greet;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct GreetArgs {
    /// Whom to greet.
    name: String,
}

#[async_trait::async_trait]
impl Builtin for Greet {
    type Args = GreetArgs;
    type Output = String;

    fn spec(&self) -> Spec {
        Spec::new("greet", "Greets somebody").subject("name")
    }

    async fn run(&self, args: GreetArgs, _context: Context) -> Result<Outcome<String>, StepError> {
        Ok(Outcome::changed(format!("hello, {}", args.name)))
    }
}

/// `shout("text")`.
struct Shout;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct ShoutArgs {
    /// What to shout.
    text: String,
}

#[async_trait::async_trait]
impl Builtin for Shout {
    type Args = ShoutArgs;
    type Output = String;

    fn spec(&self) -> Spec {
        Spec::new("shout", "Says a text louder").subject("text")
    }

    async fn run(&self, args: ShoutArgs, _context: Context) -> Result<Outcome<String>, StepError> {
        Ok(Outcome::changed(args.text.to_uppercase()))
    }
}

#[tokio::main]
async fn main() {
    let mut registry = Registry::new();
    registry.add(Greet).add(Shout);
    let playbook = Playbook {
        name: "embedded".into(),
        script: r#"
            let greeting = greet("world");
            let loud = shout(`${greeting}!`);
            check("it is loud", || loud == "HELLO, WORLD!");
        "#
        .to_owned(),
        folder: None,
    };
    match Planner::new(Arc::new(registry)).plan(&playbook, &Values::new()) {
        Err(problems) => problems.iter().for_each(|problem| println!("{problem}")),
        Ok(plan) => {
            let print = |event: &Event| {
                if let EventKind::StepFinished {
                    step, state, output, ..
                } = &event.kind
                {
                    println!(
                        "{step}: {state:?} {}",
                        output.as_deref().unwrap_or(&serde_json::Value::Null)
                    );
                }
            };
            let result = run(
                &plan,
                &RunOptions::default(),
                &Interrupt::default(),
                vec![Box::new(print)],
            )
            .await;
            println!("all went well: {}", result.is_ok_and(|result| result.ok()));
        }
    }
}
