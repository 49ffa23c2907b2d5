//! The three ports through which builtins act: [`Host`], `Cluster` (a [`kube::Client`]) and [`Http`].
//!
//! A [`Target`] is one set of them: [`live`] is a real machine and cluster; a rehearsal brings its own. A builtin does
//! not know which one it has.

pub mod live;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use psprun_engine::{StepError, Stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where effects land.
#[async_trait]
pub trait Target: Send + Sync + 'static {
    /// A machine; `None` is the one on which psprun runs.
    ///
    /// # Errors
    /// The machine is not known or cannot be reached.
    fn host(&self, host: Option<&HostRef>) -> Result<Arc<dyn Host>, StepError>;

    /// A client for a cluster's API. Clients are kept: asking again for the same cluster is cheap.
    ///
    /// # Errors
    /// The kubeconfig is missing or wrong; what is wrong, and with which file.
    async fn cluster(&self, cluster: &ClusterRef) -> Result<kube::Client, StepError>;

    /// The way to HTTP servers, as seen from the machine on which psprun runs.
    fn http(&self) -> Arc<dyn Http>;

    /// Now, as the target's clock says.
    fn now(&self) -> std::time::SystemTime {
        std::time::SystemTime::now()
    }

    /// Waits, on the target's clock.
    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// A machine other than the one on which psprun runs. The place is left for SSH.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct HostRef {
    /// Its name.
    pub name: String,
}

/// A cluster: what the output of `kubeadm::init` and `kubeconfig` says of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ClusterRef {
    /// Path of the kubeconfig file.
    pub kubeconfig: String,
    /// The context in it; the current one when absent.
    #[serde(default)]
    pub context: Option<String>,
}

/// A machine: its files and commands.
#[async_trait]
pub trait Host: Send + Sync {
    /// Runs a command to its end. Each line of output goes to `output` as soon as it is there. When `cancel` ends, the
    /// command and all its children get TERM, and KILL after [`Command::grace`].
    ///
    /// # Errors
    /// The program cannot be started (missing, not executable), or the timeout of [`Command::timeout`] has passed
    /// (the processes are gone then). A non-zero exit status is no error here.
    async fn run(&self, command: Command, output: LineSink, cancel: Cancel) -> Result<Finished, StepError>;

    /// A file's content; `None` when there is no such file.
    ///
    /// # Errors
    /// It cannot be read.
    async fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, StepError>;

    /// Writes a file so that a reader sees the old or the new content whole: to a temporary file in the same folder,
    /// synced, then renamed. `mode` is set before the content is written. Missing folders are made.
    ///
    /// # Errors
    /// It cannot be written; the old file is untouched then and no temporary file is left.
    async fn write(&self, path: &Path, content: &[u8], how: &WriteOptions) -> Result<(), StepError>;

    /// What is at a path, not following a last symbolic link; `None` when there is nothing.
    ///
    /// # Errors
    /// It cannot be looked at.
    async fn stat(&self, path: &Path) -> Result<Option<FileStat>, StepError>;

    /// Where a path's last symbolic links lead in the end, whether there is something or not; the path itself when it
    /// is no link.
    ///
    /// # Errors
    /// The links cannot be read, or lead in a circle.
    async fn real_path(&self, path: &Path) -> Result<PathBuf, StepError> {
        Ok(path.to_owned())
    }

    /// The names in a folder, sorted; empty when there is no such folder.
    ///
    /// # Errors
    /// It cannot be read.
    async fn list(&self, path: &Path) -> Result<Vec<String>, StepError>;

    /// Removes a file or a folder with all in it; `false` when there was none.
    ///
    /// # Errors
    /// It cannot be removed.
    async fn remove(&self, path: &Path) -> Result<bool, StepError>;

    /// Sets mode and owner (`user`, `user:group`, numbers) where given.
    ///
    /// # Errors
    /// They cannot be set, or the user is not known.
    async fn set_attributes(&self, path: &Path, how: &WriteOptions) -> Result<(), StepError>;

    /// The user as whom commands run, e.g. `root` with id 0 and `/root`; with sudo, the user who called it.
    async fn user(&self) -> Result<User, StepError>;

    /// Whether something accepts TCP connections on this port of the machine.
    async fn port_taken(&self, port: u16) -> bool;
}

/// Takes the lines of a command's output.
pub type LineSink = Arc<dyn Fn(Stream, &str) + Send + Sync>;

/// Ends when the work is to be stopped.
pub type Cancel = tokio_util::sync::CancellationToken;

/// A command to run.
#[derive(Debug, Clone, Default)]
pub struct Command {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Variables on top of the environment of psprun.
    pub env: BTreeMap<String, String>,
    /// The folder to run in.
    pub cwd: Option<String>,
    /// What the command reads on its standard input; nothing when absent (`/dev/null`).
    pub stdin: Option<Vec<u8>>,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// How long the processes have between TERM and KILL; 10 s when absent.
    pub grace: Option<Duration>,
}

impl Command {
    /// A program with arguments.
    pub fn new<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }
}

/// The command as one would type it into a shell.
impl std::fmt::Display for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plain = |c: char| c.is_alphanumeric() || "-_./:=@%+,".contains(c);
        for (place, word) in self.argv.iter().enumerate() {
            if place > 0 {
                f.write_str(" ")?;
            }
            if !word.is_empty() && word.chars().all(plain) {
                f.write_str(word)?;
            } else {
                write!(f, "'{}'", word.replace('\'', "'\\''"))?;
            }
        }
        Ok(())
    }
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// The exit status; 128 + N for a process that signal N ended.
    pub code: i32,
    /// Its standard output, at most [`OUTPUT_LIMIT`] bytes of it: head and tail, with a note in between.
    pub stdout: String,
    /// Its standard error, limited in the same way.
    pub stderr: String,
}

/// How much of a command's output is kept, in bytes for each stream. All of it is streamed as lines.
pub const OUTPUT_LIMIT: usize = 4 << 20;

/// Mode and owner of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// The permission bits, e.g. `0o644`.
    pub mode: Option<u32>,
    /// `user` or `user:group`, names or numbers.
    pub owner: Option<String>,
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileStat {
    /// File, folder, link or something else.
    pub kind: FileKind,
    /// Size in bytes.
    pub size: u64,
    /// The permission bits.
    pub mode: u32,
    /// Owner's user id.
    pub uid: u32,
    /// Owner's group id.
    pub gid: u32,
    /// Owner's name, or the number where there is none.
    pub user: String,
    /// Group's name, or the number where there is none.
    pub group: String,
}

/// What kind of thing is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A socket, device or pipe.
    Other,
}

/// A user of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The login name.
    pub name: String,
    /// The id; commands run as root when it is 0.
    pub uid: u32,
    /// The main group's id.
    pub gid: u32,
    /// The home folder.
    pub home: String,
    /// The user who called psprun through sudo, if any: whose kubeconfig it is.
    pub sudo_caller: Option<Box<User>>,
}

/// The way to HTTP servers.
#[async_trait]
pub trait Http: Send + Sync {
    /// Sends one request and reads the answer; redirects, proxies and TLS as the request says.
    ///
    /// # Errors
    /// No answer came: refused, timed out, name not found, TLS mismatch, each said as such; `heals` where trying again
    /// may help. An answer with any status is no error here.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, StepError>;
}

/// A request.
#[derive(Debug, Clone, Default)]
pub struct HttpRequest {
    /// `GET`, `POST`, …
    pub method: String,
    /// Where to.
    pub url: String,
    /// Header lines, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<Vec<u8>>,
    /// How long all of it may take.
    pub timeout: Option<Duration>,
    /// Do not check the server's certificate.
    pub insecure: bool,
    /// Certificates (PEM) to trust besides the system's.
    pub ca: Option<String>,
    /// Client certificate and key (PEM, one after the other).
    pub client_certificate: Option<String>,
    /// A proxy's URL; an empty one means no proxy, absent the environment's.
    pub proxy: Option<String>,
    /// How many redirects to follow.
    pub redirects: u32,
}

/// An answer.
#[derive(Debug, Clone, Default)]
pub struct HttpResponse {
    /// The status, e.g. 200.
    pub status: u16,
    /// Header lines, names in lower case, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Milliseconds from the start of the request to the end of the body.
    pub took_ms: u64,
}
