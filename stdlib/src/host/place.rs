//! Putting a file in its place, or away: what `host::file` and `host::template` share.

use std::path::{Path, PathBuf};

use psprun_engine::{Outcome, StepError};
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::diff::diff;
use super::mode::Mode;
use crate::target::{FileKind, FileStat, Host, WriteOptions};

/// How a file is to be.
pub(crate) struct Wanted<'a> {
    /// Where; `~/` is the user's home.
    pub(crate) path: &'a str,
    /// The content; `None` leaves it alone.
    pub(crate) content: Option<&'a [u8]>,
    pub(crate) mode: Option<Mode>,
    pub(crate) owner: Option<&'a str>,
    /// Keeps the content out of the diff.
    pub(crate) secret: bool,
}

/// A file as it is after the step.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FileOutput {
    /// The file's path, with the home folder in place of `~`.
    pub(crate) path: String,
    /// Whether the file is there.
    pub(crate) exists: bool,
    /// The content's sha256 in hex; null without a file.
    pub(crate) sha256: Option<String>,
    /// The content's size in bytes.
    pub(crate) size: u64,
    /// The permission bits in octal, e.g. `0644`; null without a file.
    pub(crate) mode: Option<String>,
    /// `user:group`; null without a file.
    pub(crate) owner: Option<String>,
}

/// Makes a file as it is wanted, and changes nothing when it is so already.
pub(crate) async fn place(host: &dyn Host, wanted: &Wanted<'_>) -> Result<Outcome<FileOutput>, StepError> {
    let path = expand(host, wanted.path).await?;
    let shown = path.display().to_string();
    let real = host.real_path(&path).await?;
    let old = host.read(&real).await?;
    if old.is_none() && wanted.content.is_none() {
        return Err(StepError::new(
            "psprun::host::no_such_file",
            format!("cannot set mode or owner of {shown}: there is no such file"),
        )
        .help("give its `content` or `source` too, or make it in an earlier step"));
    }

    let how = WriteOptions {
        mode: wanted.mode.map(|mode| mode.0),
        owner: wanted.owner.map(str::to_owned),
    };
    let rewritten = wanted.content.filter(|content| old.as_deref() != Some(*content));
    let before = host.stat(&real).await?;
    match rewritten {
        Some(content) => host.write(&real, content, &how).await?,
        None if how != WriteOptions::default() => host.set_attributes(&real, &how).await?,
        None => {}
    }
    let after = host.stat(&real).await?;

    let mut notes = Vec::new();
    if let (Some(before), Some(after)) = (&before, &after) {
        notes.extend(attribute_changes(before, after));
    }
    let changed = rewritten.is_some() || !notes.is_empty();
    let summary = match (&old, rewritten) {
        (None, _) => "created".to_owned(),
        (Some(_), Some(_)) => "rewritten".to_owned(),
        (Some(_), None) => notes.join(", "),
    };
    let mut details = Vec::new();
    if let Some(content) = rewritten {
        details.push(if wanted.secret {
            format!("{shown}: the content is secret")
        } else {
            diff(&shown, old.as_deref(), Some(content)).trim_end().to_owned()
        });
    }
    details.extend(notes.iter().map(|note| format!("{shown}: {note}")));

    let content = wanted.content.or(old.as_deref()).unwrap_or_default();
    let mut outcome = Outcome::new(output(shown, content, after), changed);
    if changed {
        outcome = outcome.summary(summary).details(details.join("\n"));
    }
    Ok(outcome)
}

/// Removes what is at a path, and changes nothing when there is nothing.
pub(crate) async fn remove(
    host: &dyn Host,
    path: &str,
    secret: bool,
) -> Result<Outcome<FileOutput>, StepError> {
    let path = expand(host, path).await?;
    let shown = path.display().to_string();
    let gone = FileOutput {
        path: shown.clone(),
        exists: false,
        sha256: None,
        size: 0,
        mode: None,
        owner: None,
    };
    let Some(found) = host.stat(&path).await? else {
        return Ok(Outcome::unchanged(gone));
    };
    let folder = found.kind == FileKind::Folder;
    if folder && path.components().count() <= 2 {
        return Err(StepError::new(
            "psprun::host::precious",
            format!("will not remove {shown}: it is a folder at the top of the machine"),
        )
        .help("name the files or folders below it"));
    }
    let old = if found.kind == FileKind::File {
        host.read(&path).await?
    } else {
        None
    };
    host.remove(&path).await?;
    let details = match old {
        Some(old) if !secret => diff(&shown, Some(&old), None),
        _ => format!("{shown}: removed"),
    };
    let summary = if folder {
        "removed, with all in it"
    } else {
        "removed"
    };
    Ok(Outcome::changed(gone)
        .summary(summary)
        .details(details.trim_end()))
}

/// The path with the user's home for `~`.
pub(crate) async fn expand(host: &dyn Host, path: &str) -> Result<PathBuf, StepError> {
    if path.trim().is_empty() {
        return Err(StepError::new("psprun::args", "the path is empty"));
    }
    match path.strip_prefix('~') {
        Some("") => Ok(host.user().await?.home.into()),
        Some(rest) if rest.starts_with('/') => Ok(Path::new(&host.user().await?.home).join(&rest[1..])),
        _ => Ok(path.into()),
    }
}

pub(crate) fn sha256(content: &[u8]) -> String {
    Sha256::digest(content)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn attribute_changes(before: &FileStat, after: &FileStat) -> Vec<String> {
    let mut changes = Vec::new();
    if before.mode != after.mode {
        changes.push(format!("mode {:04o} → {:04o}", before.mode, after.mode));
    }
    if (before.uid, before.gid) != (after.uid, after.gid) {
        changes.push(format!(
            "owner {}:{} → {}:{}",
            before.user, before.group, after.user, after.group
        ));
    }
    changes
}

fn output(path: String, content: &[u8], after: Option<FileStat>) -> FileOutput {
    FileOutput {
        path,
        exists: after.is_some(),
        sha256: Some(sha256(content)),
        size: content.len() as u64,
        mode: after.as_ref().map(|stat| format!("{:04o}", stat.mode)),
        owner: after.map(|stat| format!("{}:{}", stat.user, stat.group)),
    }
}
