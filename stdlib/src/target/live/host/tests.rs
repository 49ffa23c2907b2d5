#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fs;

use tempfile::tempdir;

use super::*;
use crate::testing::{in_own_mounts, mount};

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_full_disk_leaves_the_old_file_and_nothing_else() {
    if !in_own_mounts("target::live::host::tests::a_full_disk_leaves_the_old_file_and_nothing_else") {
        return;
    }
    let folder = tempdir().unwrap();
    mount(&[
        "-t",
        "tmpfs",
        "-o",
        "size=64k",
        "none",
        folder.path().to_str().unwrap(),
    ]);
    let path = folder.path().join("x");
    LiveHost
        .write(&path, b"old", &WriteOptions::default())
        .await
        .unwrap();
    let error = LiveHost
        .write(&path, &vec![1; 1 << 20], &WriteOptions::default())
        .await
        .unwrap_err();
    assert_eq!(error.code, "psprun::host::disk_full");
    assert!(
        error.message.ends_with("/x: no space is left on its disk"),
        "{}",
        error.message
    );
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(names(folder.path()), ["x"]);
}

#[tokio::test]
async fn a_read_only_disk_is_named_as_the_cause() {
    if !in_own_mounts("target::live::host::tests::a_read_only_disk_is_named_as_the_cause") {
        return;
    }
    let folder = tempdir().unwrap();
    mount(&["-t", "tmpfs", "-o", "ro", "none", folder.path().to_str().unwrap()]);
    let error = LiveHost
        .write(&folder.path().join("x"), b"", &WriteOptions::default())
        .await
        .unwrap_err();
    assert_eq!(error.code, "psprun::host::read_only");
}

#[tokio::test]
async fn a_file_that_is_a_mount_is_written_in_place() {
    if !in_own_mounts("target::live::host::tests::a_file_that_is_a_mount_is_written_in_place") {
        return;
    }
    let folder = tempdir().unwrap();
    let [path, below] = ["hosts", "below"].map(|name| folder.path().join(name));
    fs::write(&path, "old and longer").unwrap();
    fs::write(&below, "below").unwrap();
    mount(&["--bind", below.to_str().unwrap(), path.to_str().unwrap()]);
    LiveHost
        .write(&path, b"new", &WriteOptions::default())
        .await
        .unwrap();
    assert_eq!(fs::read(&below).unwrap(), b"new");
    assert_eq!(names(folder.path()), ["below", "hosts"]);
}

#[tokio::test]
async fn a_device_is_written_and_stays_one() {
    let error = LiveHost
        .write(Path::new("/dev/full"), b"x", &WriteOptions::default())
        .await
        .unwrap_err();
    assert_eq!(error.code, "psprun::host::disk_full");
    LiveHost
        .write(Path::new("/dev/null"), b"x", &WriteOptions::default())
        .await
        .unwrap();
    let stat = LiveHost.stat(Path::new("/dev/null")).await.unwrap().unwrap();
    assert_eq!(stat.kind, crate::target::FileKind::Other);
    let error = LiveHost.read(Path::new("/dev/zero")).await.unwrap_err();
    assert!(error.message.contains("it is no regular file"));
}

#[tokio::test]
async fn readers_see_the_old_or_the_new_content() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("x");
    let contents = [vec![b'a'; 200_000], vec![b'b'; 100_000]];
    LiveHost
        .write(&path, &contents[0], &WriteOptions::default())
        .await
        .unwrap();
    let reader = std::thread::spawn({
        let path = path.clone();
        move || {
            for _ in 0..200 {
                let read = fs::read(&path).unwrap();
                assert!(read.len() == 200_000 || read.len() == 100_000);
                assert!(read.iter().all(|byte| *byte == read[0]));
            }
        }
    });
    for turn in 0..20 {
        LiveHost
            .write(&path, &contents[turn % 2], &WriteOptions::default())
            .await
            .unwrap();
    }
    reader.join().unwrap();
}

#[tokio::test]
async fn what_is_not_there_is_no_error() {
    let none = Path::new("/nonexistent/x");
    assert_eq!(LiveHost.read(none).await.unwrap(), None);
    assert_eq!(LiveHost.stat(none).await.unwrap(), None);
    assert_eq!(LiveHost.list(none).await.unwrap(), Vec::<String>::new());
    assert!(!LiveHost.remove(none).await.unwrap());
    assert_eq!(LiveHost.read(Path::new("/etc/passwd/x")).await.unwrap(), None);
}

#[tokio::test]
async fn the_user_has_a_name_and_a_home() {
    let user = LiveHost.user().await.unwrap();
    assert_eq!(user.uid, rustix::process::geteuid().as_raw());
    assert!(user.home.starts_with('/') && !user.name.is_empty());
}
