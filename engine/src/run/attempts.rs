//! One step's work: its attempts, with timeout, retries and `until`.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::builtin::{AnyBuiltin, Outcome, StepError};
use crate::context::{Context, Ended, Message, Note, Stop};
use crate::plan::{Modifiers, Retries, show_duration};

/// How an `until` without `retries` is repeated: soon at first, then every ten seconds, some twenty minutes in all.
fn patient() -> Retries {
    Retries {
        count: 120,
        initial: Duration::from_secs(1),
        factor: 1.5,
        cap: Duration::from_secs(10),
        jitter: 0.0,
    }
}

/// Does a step's work to its end.
pub(super) async fn work(
    builtin: Arc<dyn AnyBuiltin>,
    args: Value,
    context: Context,
    modifiers: Option<Box<Modifiers>>,
) -> Ended {
    let Some(modifiers) =
        modifiers.filter(|m| m.retries.is_some() || m.until.is_some() || m.timeout.is_some())
    else {
        let result = builtin.run(args, context).await.map_err(Stop::Failed);
        return Ended { result, attempts: 1 };
    };
    let retries = match (&modifiers.retries, modifiers.until) {
        (Some(retries), _) => retries.clone(),
        (None, Some(_)) => patient(),
        (None, None) => Retries::new(0),
    };
    let attempts = retries.count.saturating_add(1);
    for attempt in 1.. {
        let mut context = context.clone();
        context.attempt = attempt;
        let result = one(&builtin, args.clone(), &context, &modifiers).await;
        let error = match result {
            Ok(outcome) => {
                return Ended {
                    result: Ok(outcome),
                    attempts: attempt,
                };
            }
            Err(error) => error,
        };
        if attempt >= attempts || context.is_cancelled() {
            return Ended {
                result: Err(Stop::Failed(error)),
                attempts: attempt,
            };
        }
        let mut pause = retries.pause(attempt, spread(&context.name, attempt));
        if let Some(wait) = error.retry_after_ms {
            pause = pause.max(Duration::from_millis(wait));
        }
        let wait_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        let note = Note::Retrying {
            attempt,
            attempts,
            reason: error.message,
            wait_ms,
        };
        let _ = context.shared.notes.send(Message::Note(context.step, note));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = context.cancelled() => return Ended { result: Err(Stop::Cancelled), attempts: attempt },
        }
    }
    unreachable!("the loop has no end of its own")
}

async fn one(
    builtin: &Arc<dyn AnyBuiltin>,
    args: Value,
    context: &Context,
    modifiers: &Modifiers,
) -> Result<Outcome, StepError> {
    let work = builtin.run(args, context.clone());
    let outcome = match modifiers.timeout {
        None => work.await?,
        Some(limit) => tokio::time::timeout(limit, work).await.map_err(|_| {
            StepError::new(
                "psprun::step::timeout",
                format!("not done after {}", show_duration(limit)),
            )
            .help("give it more time with `.timeout(\"…\")`, or look with `-v` at what it did last")
            .heals()
        })??,
    };
    let Some(until) = &modifiers.until else {
        return Ok(outcome);
    };
    match context.call(until, vec![outcome.output.clone()])? {
        Value::Bool(true) => Ok(outcome),
        Value::Bool(false) => Err(StepError::new(
            "psprun::step::until",
            "the condition of `until` is not met",
        )
        .output(&outcome.output)
        .heals()),
        other => Err(StepError::new(
            "psprun::step::until",
            format!("the closure of `until` gave `{other}`, not true or false"),
        )),
    }
}

/// A number in 0..1 that differs from step to step and attempt to attempt, and is the same in every run.
fn spread(name: &str, attempt: u32) -> f64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ u64::from(attempt);
    for byte in name.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    }
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}
