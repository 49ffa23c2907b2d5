#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use psprun_engine::plan::Files;
use serde_json::json;
use tempfile::{TempDir, tempdir};

use super::*;
use crate::target::live::LiveTarget;

async fn run(args: Value) -> Result<Outcome<FileOutput>, StepError> {
    let mut files = Files::default();
    files.insert("blob", &b"\x00\xff\x01"[..]);
    let (context, _told) = Context::detached(files);
    let file = File(LiveTarget::new());
    file.check(&args)?;
    file.run(serde_json::from_value(args).unwrap(), context).await
}

fn scratch() -> (TempDir, impl Fn(&str) -> String) {
    let folder = tempdir().unwrap();
    let base = folder.path().to_owned();
    (folder, move |name: &str| base.join(name).display().to_string())
}

fn mode(path: &str) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn names(folder: &Path) -> Vec<String> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[tokio::test]
async fn a_file_is_made_once() {
    let (folder, at) = scratch();
    let args = json!({"path": at("deep/er/x"), "content": "a\n", "mode": "0600"});
    let outcome = run(args.clone()).await.unwrap();
    assert!(outcome.changed);
    assert_eq!(outcome.summary.unwrap(), "created");
    assert!(outcome.details.unwrap().ends_with("+a"));
    assert_eq!(outcome.output.mode.unwrap(), "0600");
    assert_eq!(fs::read_to_string(at("deep/er/x")).unwrap(), "a\n");
    let again = run(args).await.unwrap();
    assert!(!again.changed && again.details.is_none());
    assert_eq!(names(&folder.path().join("deep/er")), ["x"]);
}

#[tokio::test]
async fn a_changed_file_shows_a_diff_and_keeps_its_mode() {
    let (_folder, at) = scratch();
    fs::write(at("x"), "a\nb\n").unwrap();
    fs::set_permissions(at("x"), fs::Permissions::from_mode(0o640)).unwrap();
    let outcome = run(json!({"path": at("x"), "content": "a\nc\n"})).await.unwrap();
    assert_eq!(outcome.summary.unwrap(), "rewritten");
    assert!(outcome.details.unwrap().contains("\n-b\n+c"));
    assert_eq!(mode(&at("x")), 0o640);
}

#[tokio::test]
async fn mode_and_owner_alone_are_set() {
    let (_folder, at) = scratch();
    fs::write(at("x"), "a").unwrap();
    fs::set_permissions(at("x"), fs::Permissions::from_mode(0o644)).unwrap();
    let args = json!({"path": at("x"), "mode": 0o600});
    let outcome = run(args.clone()).await.unwrap();
    assert_eq!(outcome.summary.unwrap(), "mode 0644 → 0600");
    assert!(!run(args).await.unwrap().changed);
    if rustix::process::geteuid().is_root() {
        let args = json!({"path": at("x"), "owner": "nobody:nogroup"});
        let outcome = run(args.clone()).await.unwrap();
        assert_eq!(outcome.summary.unwrap(), "owner root:root → nobody:nogroup");
        assert_eq!(outcome.output.owner.unwrap(), "nobody:nogroup");
        assert!(!run(args).await.unwrap().changed);
        // A rewrite leaves it theirs.
        run(json!({"path": at("x"), "content": "b"})).await.unwrap();
        assert_ne!(fs::metadata(at("x")).unwrap().uid(), 0);
    }
    let error = run(json!({"path": at("none"), "mode": "0600"}))
        .await
        .unwrap_err();
    assert_eq!(error.code, "psprun::host::no_such_file");
    let error = run(json!({"path": at("x"), "owner": "nobody-here"}))
        .await
        .unwrap_err();
    assert!(
        error
            .message
            .ends_with("there is no user `nobody-here` in /etc/passwd"),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn the_target_of_a_link_is_written() {
    let (folder, at) = scratch();
    fs::write(at("real"), "a").unwrap();
    symlink("real", at("link")).unwrap();
    symlink("not-yet", at("dangling")).unwrap();
    run(json!({"path": at("link"), "content": "b"})).await.unwrap();
    run(json!({"path": at("dangling"), "content": "c"}))
        .await
        .unwrap();
    assert!(fs::symlink_metadata(at("link")).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(at("real")).unwrap(), "b");
    assert_eq!(fs::read_to_string(at("not-yet")).unwrap(), "c");
    symlink("loop", at("loop")).unwrap();
    let error = run(json!({"path": at("loop"), "content": "d"}))
        .await
        .unwrap_err();
    assert_eq!(error.code, "psprun::host::link_loop");
    run(json!({"path": at("link"), "absent": true})).await.unwrap();
    assert!(folder.path().join("real").exists() && !folder.path().join("link").exists());
}

#[tokio::test]
async fn binary_files_of_the_playbook_are_copied() {
    let (_folder, at) = scratch();
    let outcome = run(json!({"path": at("x"), "source": "blob"})).await.unwrap();
    assert_eq!(fs::read(at("x")).unwrap(), b"\x00\xff\x01");
    assert!(outcome.details.unwrap().ends_with("no file before, 3 bytes now"));
    let outcome = run(json!({"path": at("y"), "source": at("x")})).await.unwrap();
    assert_eq!(outcome.output.size, 3);
    let error = run(json!({"path": at("x"), "source": "/nonexistent/x"}))
        .await
        .unwrap_err();
    assert_eq!(error.message, "there is no file /nonexistent/x");
}

#[tokio::test]
async fn secret_content_is_in_no_diff() {
    let (_folder, at) = scratch();
    let outcome = run(json!({"path": at("x"), "content": "hush\n", "secret": true}))
        .await
        .unwrap();
    assert!(!outcome.details.unwrap().contains("hush"));
    let outcome = run(json!({"path": at("x"), "absent": true, "secret": true}))
        .await
        .unwrap();
    assert!(!outcome.details.unwrap().contains("hush"));
}

#[tokio::test]
async fn what_is_to_be_absent_is_removed_once() {
    let (_folder, at) = scratch();
    fs::create_dir_all(at("a/b")).unwrap();
    fs::write(at("a/b/c"), "x").unwrap();
    let args = json!({"path": at("a"), "absent": true});
    assert_eq!(
        run(args.clone()).await.unwrap().summary.unwrap(),
        "removed, with all in it"
    );
    assert!(!run(args).await.unwrap().changed);
    for path in ["/", "/etc"] {
        let error = run(json!({"path": path, "absent": true})).await.unwrap_err();
        assert_eq!(error.code, "psprun::host::precious");
    }
}

#[tokio::test]
async fn arguments_that_contradict_each_other_are_refused() {
    for (args, words) in [
        (
            json!({"path": "x", "content": "a", "source": "b"}),
            "exclude each other",
        ),
        (
            json!({"path": "x", "absent": true, "mode": "0600"}),
            "exclude each other",
        ),
        (json!({"path": "x"}), "it is not said how"),
        (json!({"path": "", "content": "a"}), "the path is empty"),
    ] {
        assert!(run(args).await.unwrap_err().message.contains(words));
    }
}

#[tokio::test]
async fn folders_and_devices_are_not_overwritten() {
    let (_folder, at) = scratch();
    fs::create_dir(at("folder")).unwrap();
    let error = run(json!({"path": at("folder"), "content": "a"}))
        .await
        .unwrap_err();
    assert_eq!(error.code, "psprun::host::is_a_folder");
    fs::write(at("file"), "").unwrap();
    let error = run(json!({"path": at("file/below"), "content": "a"}))
        .await
        .unwrap_err();
    assert_eq!(error.code, "psprun::host::not_a_folder", "{}", error.message);
}
