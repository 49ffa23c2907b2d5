//! This machine.

mod io_error;
mod ports;
mod read;
mod users;
mod write;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use psprun_engine::StepError;

use self::io_error::io_error;
use super::process;
use crate::target::{Cancel, Command, FileStat, Finished, Host, LineSink, User, WriteOptions};

/// The machine on which psprun runs.
#[derive(Debug, Default)]
pub(super) struct LiveHost;

#[async_trait]
impl Host for LiveHost {
    async fn run(&self, command: Command, output: LineSink, cancel: Cancel) -> Result<Finished, StepError> {
        process::run(command, output, cancel).await
    }

    async fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, StepError> {
        with_file(path, "read", read::content).await
    }

    async fn write(&self, path: &Path, content: &[u8], how: &WriteOptions) -> Result<(), StepError> {
        let (content, how) = (content.to_owned(), how.clone());
        let owner = owner_ids(&how, path)?;
        with_file(path, "write", move |path| {
            write::replace(path, &content, how.mode, owner)
        })
        .await
    }

    async fn stat(&self, path: &Path) -> Result<Option<FileStat>, StepError> {
        with_file(path, "look at", read::stat).await
    }

    async fn real_path(&self, path: &Path) -> Result<PathBuf, StepError> {
        with_file(path, "look at", read::follow).await
    }

    async fn list(&self, path: &Path) -> Result<Vec<String>, StepError> {
        with_file(path, "list", read::names).await
    }

    async fn remove(&self, path: &Path) -> Result<bool, StepError> {
        with_file(path, "remove", write::remove).await
    }

    async fn set_attributes(&self, path: &Path, how: &WriteOptions) -> Result<(), StepError> {
        let (mode, owner) = (how.mode, owner_ids(how, path)?);
        with_file(path, "change", move |path| {
            write::set_attributes(path, mode, owner)
        })
        .await
    }

    async fn user(&self) -> Result<User, StepError> {
        Ok(users::current())
    }

    async fn port_taken(&self, port: u16) -> bool {
        tokio::task::spawn_blocking(move || ports::is_listened_on(port))
            .await
            .unwrap_or(false)
    }
}

fn owner_ids(how: &WriteOptions, path: &Path) -> Result<users::Ids, StepError> {
    how.owner.as_deref().map_or(Ok(users::Ids::default()), |owner| {
        users::ids_of(owner).map_err(|what| {
            StepError::new(
                "psprun::host::owner",
                format!("cannot give {} to `{owner}`: {what}", path.display()),
            )
            .help("make the user or group in an earlier step, or give numbers: `1000:1000`")
        })
    })
}

/// Does file work on a thread that may block, and says what could not be done to which file.
async fn with_file<T: Send + 'static>(
    path: &Path,
    action: &'static str,
    work: impl FnOnce(&Path) -> std::io::Result<T> + Send + 'static,
) -> Result<T, StepError> {
    let owned: PathBuf = path.to_owned();
    match tokio::task::spawn_blocking(move || work(&owned)).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(io_error(action, path, &error)),
        Err(error) => Err(StepError::new(
            "psprun::internal",
            format!("a thread for files ended early: {error}"),
        )),
    }
}

#[cfg(test)]
mod tests;
