//! What went wrong with a file, in words that say what to do.

use std::io::{Error, ErrorKind};
use std::path::Path;

use psprun_engine::StepError;
use rustix::io::Errno;

/// An error of the system on a file: `cannot write /etc/x: no space is left on its disk`.
pub(super) fn io_error(action: &str, path: &Path, error: &Error) -> StepError {
    let shown = path.display();
    let (code, why, help) = match error.kind() {
        ErrorKind::NotFound => (
            "psprun::host::no_such_file",
            "there is no such file or folder".to_owned(),
            Some("check the path, or make it in an earlier step".to_owned()),
        ),
        ErrorKind::PermissionDenied => (
            "psprun::host::permission",
            "permission denied".to_owned(),
            Some(if rustix::process::geteuid().is_root() {
                "root is refused here: look at the mount (`findmnt -T`), at `lsattr` for an immutable file, and at the \
                 machine's security module"
                    .to_owned()
            } else {
                "run psprun as root (`sudo psprun …`), or choose a path that this user may use".to_owned()
            }),
        ),
        ErrorKind::ReadOnlyFilesystem => (
            "psprun::host::read_only",
            "it is on a file system that is mounted read-only".to_owned(),
            Some(format!(
                "remount it (`mount -o remount,rw …`; which one: `findmnt -T {shown}`)"
            )),
        ),
        ErrorKind::StorageFull => (
            "psprun::host::disk_full",
            "no space is left on its disk".to_owned(),
            Some(format!(
                "free some: `df -h` and `df -i` of {shown} tell how much there is"
            )),
        ),
        ErrorKind::QuotaExceeded => (
            "psprun::host::disk_full",
            "the user's quota on its disk is used up".to_owned(),
            Some("free some space, or have the quota raised".to_owned()),
        ),
        ErrorKind::NotADirectory => (
            "psprun::host::not_a_folder",
            "a part of the path is a file, not a folder".to_owned(),
            None,
        ),
        ErrorKind::IsADirectory => (
            "psprun::host::is_a_folder",
            "it is a folder".to_owned(),
            Some("name the file in it".to_owned()),
        ),
        _ if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => (
            "psprun::host::link_loop",
            "its symbolic links lead in a circle".to_owned(),
            None,
        ),
        _ => ("psprun::host::file", error.to_string(), None),
    };
    let mut failed = StepError::new(code, format!("cannot {action} {shown}: {why}"));
    failed.help = help;
    failed
}
