//! Changing files, so that no reader and no crash ever sees half of one.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Error, ErrorKind, Result, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::path::Path;

use super::read::follow;
use super::users::Ids;

/// The mode of a new file when none is asked for.
const NEW_FILE: u32 = 0o644;

/// Puts new content in place of a file's old one, whole or not at all. The file at the end of symbolic links is
/// replaced, not the link. What is not asked for of mode and owner stays as it was.
pub(super) fn replace(path: &Path, content: &[u8], mode: Option<u32>, owner: Ids) -> Result<()> {
    let path = &follow(path)?;
    let old = match fs::metadata(path) {
        Ok(old) if old.is_dir() => return Err(ErrorKind::IsADirectory.into()),
        Ok(old) if old.file_type().is_char_device() => return in_place(path, content, false),
        Ok(old) if !old.is_file() => return Err(Error::other("it is no regular file")),
        Ok(old) => Some(old),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;

    // Removed again when dropped, whatever fails from here on. Born with 0600: nobody else can open it before it has
    // its owner and mode, and so not its content.
    let name = path.file_name().ok_or(ErrorKind::IsADirectory)?;
    let mut temporary = tempfile::Builder::new()
        .prefix(&format!(".{}.", name.to_string_lossy()))
        .suffix(".psprun")
        .tempfile_in(folder)?;
    let kept = Ids {
        uid: owner.uid.or(old.as_ref().map(MetadataExt::uid)),
        gid: owner.gid.or(old.as_ref().map(MetadataExt::gid)),
    };
    let mode = mode.or(old.map(|old| old.mode() & 0o7777)).unwrap_or(NEW_FILE);
    match set_owner(temporary.path(), kept) {
        // Only root can keep a file another's; who did not ask for an owner gets the content written all the same.
        Err(error) if error.kind() == ErrorKind::PermissionDenied && owner == Ids::default() => {}
        done => done?,
    }
    temporary
        .as_file()
        .set_permissions(Permissions::from_mode(mode))?;
    temporary.write_all(content)?;
    temporary.as_file().sync_all()?;
    match temporary.persist(path) {
        Ok(_) => sync_folder(folder),
        // A file that is itself a mount, as `/etc/hosts` in a container, cannot be renamed over.
        Err(error) if error.error.kind() == ErrorKind::ResourceBusy => {
            in_place(path, content, true)?;
            set_attributes(path, Some(mode), kept)
        }
        Err(error) => Err(error.error),
    }
}

fn in_place(path: &Path, content: &[u8], truncate: bool) -> Result<()> {
    let mut file = OpenOptions::new().write(true).truncate(truncate).open(path)?;
    file.write_all(content)?;
    if truncate { file.sync_all() } else { Ok(()) }
}

/// Makes a rename last. Where folders cannot be opened or synced, the file is written all the same.
fn sync_folder(folder: &Path) -> Result<()> {
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::PermissionDenied | ErrorKind::InvalidInput
            ) =>
        {
            Ok(())
        }
        done => done,
    }
}

/// Sets mode and owner where given; follows links.
pub(super) fn set_attributes(path: &Path, mode: Option<u32>, owner: Ids) -> Result<()> {
    // The owner first: a change of it takes the set-user-id bit away.
    set_owner(path, owner)?;
    mode.map_or(Ok(()), |mode| {
        fs::set_permissions(path, Permissions::from_mode(mode))
    })
}

/// Does nothing where nothing is to change, so that a user need not be root to keep a file theirs.
fn set_owner(path: &Path, owner: Ids) -> Result<()> {
    let now = fs::metadata(path)?;
    let uid = owner.uid.filter(|uid| *uid != now.uid());
    let gid = owner.gid.filter(|gid| *gid != now.gid());
    if uid.is_none() && gid.is_none() {
        return Ok(());
    }
    chown(path, uid, gid)
}

/// Removes a file, a link (not what it leads to) or a folder with all in it; `false` when there was nothing.
pub(super) fn remove(path: &Path) -> Result<bool> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(false),
        Err(error) => Err(error),
    }
}
