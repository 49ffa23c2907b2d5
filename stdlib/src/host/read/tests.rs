#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use psprun_engine::plan::Files;
use serde_json::json;

use super::*;
use crate::target::live::LiveTarget;

async fn run(name: &str, content: &[u8], mut args: Value) -> Result<ReadOutput, StepError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    if !content.is_empty() {
        std::fs::write(&path, content).unwrap();
    }
    args["path"] = path.to_str().unwrap().into();
    let (context, _told) = Context::detached(Files::default());
    let outcome = Read(LiveTarget::new())
        .run(serde_json::from_value(args).unwrap(), context)
        .await?;
    assert!(!outcome.changed);
    Ok(outcome.output)
}

#[tokio::test]
async fn the_ending_tells_the_format() {
    let none = || json!({});
    assert_eq!(
        run("a", b"x: 1\n", none()).await.unwrap().content,
        json!("x: 1\n")
    );
    assert_eq!(
        run("a.yaml", b"x: 1\n", none()).await.unwrap().content,
        json!({"x": 1})
    );
    assert_eq!(
        run("a.yml", b"x: 1\n---\n- z\n", none()).await.unwrap().content,
        json!([{"x": 1}, ["z"]])
    );
    assert_eq!(run("a.json", b"[1]", none()).await.unwrap().content, json!([1]));
    assert_eq!(
        run("a.txt", b"\xff", none()).await.unwrap().content,
        json!("/w==")
    );
    let read = run("a.conf", b"x: 1\n", json!({"format": "yaml"})).await.unwrap();
    assert_eq!((read.content, read.size), (json!({"x": 1}), 5));
}

#[tokio::test]
async fn what_is_not_there_is_an_error_or_the_fallback() {
    let error = run("a", b"", json!({})).await.unwrap_err();
    assert!(error.message.ends_with("/a: there is no such file"));
    let read = run("a", b"", json!({"fallback": null})).await.unwrap();
    assert_eq!((read.exists, read.content), (false, Value::Null));
    assert_eq!(
        run("a", b"", json!({"fallback": {"a": 1}}))
            .await
            .unwrap()
            .content,
        json!({"a": 1})
    );
}

#[tokio::test]
async fn what_cannot_be_parsed_is_shown_with_its_place() {
    let error = run("a.json", b"{\n  \"a\": }", json!({})).await.unwrap_err();
    assert!(error.at.unwrap().ends_with("a.json:2:8"));
    let error = run("a.yaml", b"a: [1\nb: 2\n", json!({})).await.unwrap_err();
    assert!(error.at.unwrap().contains("a.yaml:"));
    let error = run("a", b"\xff", json!({"format": "text"})).await.unwrap_err();
    assert!(error.message.contains("byte 0 is out of place"));
}

#[tokio::test]
async fn secrets_are_masked_from_then_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.yaml");
    std::fs::write(&path, "token: abcdef-123\n").unwrap();
    let (context, _told) = Context::detached(Files::default());
    let args = json!({"path": path, "secret": true});
    Read(LiveTarget::new())
        .run(serde_json::from_value(args).unwrap(), context.clone())
        .await
        .unwrap();
    assert!(context.holds_secret("curl -H abcdef-123"));
}
