//! Commands of this machine: started fast, read as they write, and never left behind.
//!
//! A command costs about a third of a millisecond, most of it the kernel's: std's `Command` (which uses `posix_spawn`
//! as long as nothing has to run between fork and exec) on a blocking thread that also reads the pipes. Here, on the
//! async side, is only what decides when it has to end.

mod leash;
mod output;
mod start_error;
mod supervise;

use std::sync::Arc;
use std::time::Duration;

use psprun_engine::StepError;
use psprun_engine::plan::show_duration;

use self::leash::{Guard, Leash, Order};
use crate::target::{Cancel, Command, Finished, LineSink};

/// How long processes have between TERM and KILL, when the command does not say.
const GRACE: Duration = Duration::from_secs(10);

/// Runs a command to its end; see [`crate::target::Host::run`]. When the future is dropped, the command's processes are
/// killed at once.
pub(super) async fn run(command: Command, output: LineSink, cancel: Cancel) -> Result<Finished, StepError> {
    if cancel.is_cancelled() {
        return Err(cancelled(&command, "was not started"));
    }
    let leash = Arc::new(Leash::default());
    let guard = Guard(leash.clone());
    let command = Arc::new(command);
    let mut thread = tokio::task::spawn_blocking({
        let command = command.clone();
        move || supervise::supervise(&command, &output, &leash)
    });
    let timeout = async {
        match command.timeout {
            Some(time) => tokio::time::sleep(time).await,
            None => std::future::pending().await,
        }
    };
    let timed_out = tokio::select! {
        biased;
        done = &mut thread => return ended(done),
        () = cancel.cancelled() => false,
        () = timeout => true,
    };

    guard.0.order(Order::Terminate);
    let done = match tokio::time::timeout(command.grace.unwrap_or(GRACE), &mut thread).await {
        Ok(done) => done,
        Err(_) => {
            guard.0.order(Order::Kill);
            thread.await
        }
    };
    let finished = ended(done)?;
    let error = if timed_out {
        let time = command.timeout.unwrap_or_default();
        StepError::new(
            "psprun::host::timeout",
            format!("`{command}` did not end within {}", show_duration(time)),
        )
        .help("its processes are gone; give it more time with `timeout`, or look at its output for what it waits for")
        .heals()
    } else {
        cancelled(&command, "was stopped")
    };
    Err(error.output(serde_json::json!({
        "code": finished.code,
        "stdout": finished.stdout,
        "stderr": finished.stderr,
    })))
}

fn cancelled(command: &Command, how: &str) -> StepError {
    StepError::new(
        "psprun::host::cancelled",
        format!("`{command}` {how}: the run was cancelled"),
    )
}

fn ended(done: Result<Result<Finished, StepError>, tokio::task::JoinError>) -> Result<Finished, StepError> {
    done.unwrap_or_else(|error| {
        Err(StepError::new(
            "psprun::internal",
            format!("the thread of a command ended early: {error}"),
        ))
    })
}

#[cfg(test)]
mod tests;
