#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::Path;
use std::process::Command as Process;

use psprun_engine::plan::Files;
use serde_json::json;

use super::*;
use crate::target::live::LiveTarget;
use crate::testing::{in_own_mounts, mount};

async fn run(args: Value) -> Result<Outcome<PackagesOutput>, StepError> {
    let (context, _told) = Context::detached(Files::default());
    Packages(LiveTarget::new())
        .run(serde_json::from_value(args).unwrap(), context)
        .await
}

/// A repository with three versions of a package that has nothing in it.
fn repository(folder: &Path) {
    let mut index = String::new();
    for version in ["1.20.2-00", "1.20.4-00", "1.21.0-00"] {
        let root = folder.join(version);
        fs::create_dir_all(root.join("DEBIAN")).unwrap();
        let control = format!(
            "Package: psprun-test\nVersion: {version}\nArchitecture: all\nMaintainer: tests <tests@localhost>\n\
             Description: a test\n"
        );
        fs::write(root.join("DEBIAN/control"), &control).unwrap();
        let name = format!("psprun-test_{version}_all.deb");
        let built = Process::new("dpkg-deb")
            .arg("-b")
            .arg(&root)
            .arg(folder.join(&name))
            .output()
            .unwrap();
        assert!(
            built.status.success(),
            "{}",
            String::from_utf8_lossy(&built.stderr)
        );
        let deb = fs::read(folder.join(&name)).unwrap();
        index += &format!(
            "{control}Filename: ./{name}\nSize: {}\nSHA256: {}\n\n",
            deb.len(),
            super::super::place::sha256(&deb)
        );
    }
    fs::write(folder.join("Packages"), index).unwrap();
}

#[tokio::test]
async fn apt_installs_pins_and_holds() {
    let has = |program: &str| Path::new("/usr/bin").join(program).exists();
    if !has("apt-get")
        || !has("dpkg-deb")
        || !in_own_mounts("host::packages::tests::apt_installs_pins_and_holds")
    {
        return;
    }
    // The machine's own packages stay as they are: what is written goes to memory.
    let scratch = tempfile::tempdir().unwrap();
    let scratch = scratch.path().to_str().unwrap();
    mount(&["-t", "tmpfs", "none", scratch]);
    for folder in ["etc", "usr", "var"] {
        let [upper, work] = ["upper", "work"].map(|layer| format!("{scratch}/{layer}-{folder}"));
        fs::create_dir_all(&upper).unwrap();
        fs::create_dir_all(&work).unwrap();
        let options = format!("lowerdir=/{folder},upperdir={upper},workdir={work}");
        mount(&["-t", "overlay", "overlay", "-o", &options, &format!("/{folder}")]);
    }
    let repo = format!("{scratch}/repo");
    repository(Path::new(&repo));
    let _ = fs::remove_dir_all("/etc/apt/sources.list.d");
    fs::write("/etc/apt/sources.list", "").unwrap();
    let _ = fs::remove_dir_all("/var/lib/apt/lists");

    let error = run(json!({"names": ["psprun-test"]})).await.unwrap_err();
    assert_eq!(
        error.message,
        "no repository of this machine has a package psprun-test"
    );

    fs::write(
        "/etc/apt/sources.list",
        format!("deb [trusted=yes] file:{repo} ./\n"),
    )
    .unwrap();
    // The lists do not know it yet: they are fetched.
    let args = json!({"names": ["psprun-test=1.20.2"], "hold": true});
    let outcome = run(args.clone()).await.unwrap();
    assert_eq!(outcome.summary.unwrap(), "1 installed, 1 held");
    assert_eq!(outcome.output.versions["psprun-test"], "1.20.2-00");
    assert_eq!(
        outcome.details.unwrap(),
        "psprun-test: none → 1.20.2-00\npsprun-test: held"
    );
    assert!(!run(args.clone()).await.unwrap().changed);
    assert!(!run(json!({"names": ["psprun-test"]})).await.unwrap().changed);

    // A pin wins over the hold, upwards and downwards; the hold stays.
    let outcome = run(json!({"names": ["psprun-test=1.21.0"]})).await.unwrap();
    assert_eq!(outcome.details.unwrap(), "psprun-test: 1.20.2-00 → 1.21.0-00");
    run(args.clone()).await.unwrap();
    assert!(!run(args).await.unwrap().changed);

    let error = run(json!({"names": ["psprun-test=1.25"]})).await.unwrap_err();
    assert_eq!(
        error.message,
        "no repository of this machine has psprun-test 1.25; there is 1.21.0-00, 1.20.4-00, 1.20.2-00"
    );
    // A file that the repository has lost.
    fs::remove_file(format!("{repo}/psprun-test_1.21.0-00_all.deb")).unwrap();
    let error = run(json!({"names": ["psprun-test=1.21.0"]})).await.unwrap_err();
    assert_eq!(error.code, "psprun::packages::install");
}

#[test]
fn what_is_no_package_is_refused_while_planning() {
    let check = |args| Packages(LiveTarget::new()).check(&args);
    assert!(
        check(json!({"names": ["--purge"]}))
            .unwrap_err()
            .message
            .contains("no package")
    );
    check(json!({"names": ["kubeadm=${version}"]})).unwrap();
}
