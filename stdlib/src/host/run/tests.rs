#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::time::{Duration, Instant};

use psprun_engine::plan::Files;
use serde_json::json;

use super::*;
use crate::target::live::LiveTarget;

async fn run(args: Value) -> Result<Outcome<RunOutput>, StepError> {
    let (context, _told) = Context::detached(Files::default());
    run_in(args, context).await
}

async fn run_in(args: Value, context: Context) -> Result<Outcome<RunOutput>, StepError> {
    Run(LiveTarget::new())
        .run(serde_json::from_value(args).unwrap(), context)
        .await
}

#[tokio::test]
async fn output_loses_one_line_end() {
    let outcome = run(json!({"command": ["printf", "a\n\n"]})).await.unwrap();
    assert!(outcome.changed);
    assert_eq!(outcome.output.stdout, "a\n");
}

#[tokio::test]
async fn lines_are_told_as_they_come() {
    let (context, mut told) = Context::detached(Files::default());
    run_in(
        json!({"command": "echo a; echo b >&2", "changes": false}),
        context,
    )
    .await
    .unwrap();
    let mut lines = vec![told.recv().await.unwrap(), told.recv().await.unwrap()];
    lines.sort();
    assert_eq!(lines, ["stderr: b", "stdout: a"]);
}

#[tokio::test]
async fn a_failure_shows_the_command_the_status_and_the_last_words() {
    let error = run(json!({"command": "echo a; echo no such thing >&2; exit 4"}))
        .await
        .unwrap_err();
    assert_eq!(error.code, "psprun::host::exit_status");
    assert_eq!(
        error.message,
        "`echo a; echo no such thing >&2; exit 4` ended with exit status 4:\n  no such thing"
    );
    assert_eq!(
        *error.output.unwrap(),
        json!({"code": 4, "stdout": "a", "stderr": "no such thing", "skipped": false})
    );
    let outcome = run(json!({"command": "exit 4", "codes": [4], "changes": false}))
        .await
        .unwrap();
    assert_eq!((outcome.changed, outcome.output.code), (false, 4));
}

#[tokio::test]
async fn guards_keep_a_command_from_running() {
    let folder = tempfile::tempdir().unwrap();
    let cwd = folder.path().to_str().unwrap();
    for changed in [true, false] {
        let outcome = run(json!({"command": "touch made", "creates": "made", "cwd": cwd}))
            .await
            .unwrap();
        assert_eq!((outcome.changed, outcome.output.skipped), (changed, !changed));
    }
    let outcome = run(json!({"command": "exit 9", "unless": ["test", "-e", "made"], "cwd": cwd}))
        .await
        .unwrap();
    assert_eq!(outcome.summary.unwrap(), "`test -e made` succeeds");
    let outcome = run(json!({"command": "exit 0", "unless": "exit 3"}))
        .await
        .unwrap();
    assert!(outcome.changed);
}

#[tokio::test]
async fn env_and_stdin_reach_the_command() {
    let outcome = run(json!({
        "command": "printf %s-%s \"$A\" \"$N\"; cat", "env": {"A": "b", "N": 7}, "stdin": "-in",
    }))
    .await
    .unwrap();
    assert_eq!(outcome.output.stdout, "b-7-in");
}

#[tokio::test]
async fn secrets_are_refused_as_arguments_and_taken_in_the_environment() {
    let (context, _told) = Context::detached(Files::default());
    context.secret("s3cret-token");
    let error = run_in(json!({"command": ["echo", "x=s3cret-token"]}), context.clone())
        .await
        .unwrap_err();
    assert_eq!(error.code, "psprun::host::secret_in_arguments");
    assert!(!error.message.contains("s3cret"));
    run_in(
        json!({"command": "test -n \"$T\"", "env": {"T": "s3cret-token"}}),
        context,
    )
    .await
    .unwrap();
}

#[tokio::test]
async fn a_timeout_is_said_and_kept() {
    let started = Instant::now();
    let error = run(json!({"command": ["sleep", 36.4159], "timeout": "100ms"}))
        .await
        .unwrap_err();
    assert_eq!(error.message, "`sleep 36.4159` did not end within 100ms");
    assert!(started.elapsed() < Duration::from_secs(25));
    let wrong = Run(LiveTarget::new())
        .check(&json!({"timeout": "soon"}))
        .unwrap_err();
    assert!(
        wrong.message.contains("`soon` is no duration"),
        "{}",
        wrong.message
    );
}

#[test]
fn describes_what_it_runs() {
    let describe = |args| Run(LiveTarget::new()).describe(&args);
    assert_eq!(
        describe(json!({"command": ["kubeadm", "version"]})),
        "run kubeadm version"
    );
    assert_eq!(
        describe(json!({"command": "a\n  b", "creates": "/x"})),
        "run a b unless /x is there"
    );
}
