//! Looking at files.

use std::fs::{self, Metadata};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::users;
use crate::target::{FileKind, FileStat};

/// A file's content. Pipes and devices are refused: they might never end.
pub(super) fn content(path: &Path) -> Result<Option<Vec<u8>>> {
    let Some(metadata) = if_there(fs::metadata(path))? else {
        return Ok(None);
    };
    match kind(&metadata) {
        FileKind::File => if_there(fs::read(path)),
        FileKind::Folder => Err(ErrorKind::IsADirectory.into()),
        _ => Err(Error::other("it is no regular file")),
    }
}

/// What is at a path, not following a last link.
pub(super) fn stat(path: &Path) -> Result<Option<FileStat>> {
    Ok(if_there(fs::symlink_metadata(path))?.map(|metadata| FileStat {
        kind: kind(&metadata),
        size: metadata.len(),
        mode: metadata.mode() & 0o7777,
        uid: metadata.uid(),
        gid: metadata.gid(),
        user: users::user_name(metadata.uid()),
        group: users::group_name(metadata.gid()),
    }))
}

/// Where the last links of a path lead in the end, whether there is something or not.
pub(super) fn follow(path: &Path) -> Result<PathBuf> {
    // As many as the kernel follows.
    const LIMIT: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..LIMIT {
        match if_there(fs::symlink_metadata(&path))? {
            Some(metadata) if metadata.is_symlink() => {
                let target = fs::read_link(&path)?;
                path = path.parent().unwrap_or(Path::new("")).join(target);
            }
            _ => return Ok(path),
        }
    }
    Err(rustix::io::Errno::LOOP.into())
}

/// The names in a folder, sorted.
pub(super) fn names(path: &Path) -> Result<Vec<String>> {
    let Some(entries) = if_there(fs::read_dir(path))? else {
        return Ok(Vec::new());
    };
    let mut names = entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

fn kind(metadata: &Metadata) -> FileKind {
    match metadata.file_type() {
        kind if kind.is_file() => FileKind::File,
        kind if kind.is_dir() => FileKind::Folder,
        kind if kind.is_symlink() => FileKind::Link,
        _ => FileKind::Other,
    }
}

/// What is not there is no error.
fn if_there<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}
