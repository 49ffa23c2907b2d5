//! A machine in memory, for tests: files, and commands that answer as told.
#![allow(clippy::unwrap_used, clippy::unimplemented, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use psprun_engine::{StepError, Stream};

use crate::target::{
    Cancel, ClusterRef, Command, FileKind, FileStat, Finished, Host, HostRef, Http, LineSink, Target, User,
    WriteOptions,
};

type Answer = Box<dyn Fn(&FakeHost, &Command) -> Finished + Send + Sync>;

/// Content, mode, owner.
type FakeFile = (Vec<u8>, u32, String);

/// A machine in memory.
#[derive(Default)]
pub struct FakeHost {
    /// Files by path: content, mode, owner.
    pub files: Mutex<BTreeMap<PathBuf, FakeFile>>,
    /// Folders that are there though empty.
    pub folders: Mutex<BTreeSet<PathBuf>>,
    /// The commands that were run.
    pub ran: Mutex<Vec<Vec<String>>>,
    answers: Mutex<Vec<(String, Answer)>>,
    /// The user who called through sudo.
    pub caller: Option<User>,
}

impl FakeHost {
    /// Puts a file.
    pub fn put(&self, path: &str, content: impl AsRef<[u8]>) {
        let content = content.as_ref().to_vec();
        self.files
            .lock()
            .unwrap()
            .insert(path.into(), (content, 0o644, String::new()));
    }

    /// A file's content as text.
    pub fn text(&self, path: &str) -> Option<String> {
        let files = self.files.lock().unwrap();
        files
            .get(Path::new(path))
            .map(|(content, ..)| String::from_utf8_lossy(content).into_owned())
    }

    /// All paths.
    pub fn paths(&self) -> Vec<String> {
        self.files
            .lock()
            .unwrap()
            .keys()
            .map(|path| path.display().to_string())
            .collect()
    }

    /// How commands answer whose words begin so. A later answer goes before an older one.
    pub fn answer(&self, start: &str, answer: impl Fn(&Self, &Command) -> Finished + Send + Sync + 'static) {
        self.answers
            .lock()
            .unwrap()
            .insert(0, (start.to_owned(), Box::new(answer)));
    }

    /// The commands that were run, each as one text.
    pub fn commands(&self) -> Vec<String> {
        self.ran
            .lock()
            .unwrap()
            .iter()
            .map(|argv| argv.join(" "))
            .collect()
    }
}

/// Ended well, with this output.
pub fn says(stdout: &str) -> Finished {
    Finished {
        code: 0,
        stdout: stdout.to_owned(),
        stderr: String::new(),
    }
}

/// Ended badly.
pub fn fails(stderr: &str) -> Finished {
    Finished {
        code: 1,
        stdout: String::new(),
        stderr: stderr.to_owned(),
    }
}

#[async_trait]
impl Host for FakeHost {
    async fn run(&self, command: Command, output: LineSink, _: Cancel) -> Result<Finished, StepError> {
        self.ran.lock().unwrap().push(command.argv.clone());
        let words = command.argv.join(" ");
        let answers = std::mem::take(&mut *self.answers.lock().unwrap());
        let finished = answers
            .iter()
            .find(|(start, _)| words.starts_with(start))
            .map(|(_, answer)| answer(self, &command));
        self.answers.lock().unwrap().extend(answers);
        let Some(finished) = finished else {
            return Err(StepError::new(
                "psprun::host::no_program",
                format!("{}: no such program", command.argv[0]),
            ));
        };
        for line in finished.stdout.lines() {
            output(Stream::Stdout, line);
        }
        for line in finished.stderr.lines() {
            output(Stream::Stderr, line);
        }
        Ok(finished)
    }

    async fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, StepError> {
        Ok(self
            .files
            .lock()
            .unwrap()
            .get(path)
            .map(|(content, ..)| content.clone()))
    }

    async fn write(&self, path: &Path, content: &[u8], how: &WriteOptions) -> Result<(), StepError> {
        let value = (
            content.to_vec(),
            how.mode.unwrap_or(0o644),
            how.owner.clone().unwrap_or_default(),
        );
        self.files.lock().unwrap().insert(path.to_owned(), value);
        Ok(())
    }

    async fn stat(&self, path: &Path) -> Result<Option<FileStat>, StepError> {
        let stat = |kind, size| FileStat {
            kind,
            size,
            mode: 0o644,
            uid: 0,
            gid: 0,
            user: "root".to_owned(),
            group: "root".to_owned(),
        };
        let files = self.files.lock().unwrap();
        if let Some((content, ..)) = files.get(path) {
            return Ok(Some(stat(FileKind::File, content.len() as u64)));
        }
        let is_folder = files
            .keys()
            .chain(self.folders.lock().unwrap().iter())
            .any(|file| file.starts_with(path));
        Ok(is_folder.then(|| stat(FileKind::Folder, 0)))
    }

    async fn list(&self, path: &Path) -> Result<Vec<String>, StepError> {
        let files = self.files.lock().unwrap();
        let folders = self.folders.lock().unwrap();
        let names: BTreeSet<String> = files
            .keys()
            .chain(folders.iter())
            .filter_map(|file| file.strip_prefix(path).ok()?.components().next())
            .map(|name| name.as_os_str().to_string_lossy().into_owned())
            .collect();
        Ok(names.into_iter().collect())
    }

    async fn remove(&self, path: &Path) -> Result<bool, StepError> {
        let there = self.stat(path).await?.is_some();
        self.files
            .lock()
            .unwrap()
            .retain(|file, _| !file.starts_with(path));
        self.folders
            .lock()
            .unwrap()
            .retain(|folder| !folder.starts_with(path));
        Ok(there)
    }

    async fn set_attributes(&self, path: &Path, how: &WriteOptions) -> Result<(), StepError> {
        if let Some((_, mode, owner)) = self.files.lock().unwrap().get_mut(path) {
            *mode = how.mode.unwrap_or(*mode);
            *owner = how.owner.clone().unwrap_or_else(|| owner.clone());
        }
        Ok(())
    }

    async fn user(&self) -> Result<User, StepError> {
        Ok(User {
            name: "root".to_owned(),
            uid: 0,
            gid: 0,
            home: "/root".to_owned(),
            sudo_caller: self.caller.clone().map(Box::new),
        })
    }

    async fn port_taken(&self, _: u16) -> bool {
        false
    }
}

/// A target with one machine, and with a cluster's client if there is one.
pub struct FakeTarget {
    /// The machine.
    pub host: Arc<FakeHost>,
    /// The cluster's client.
    pub client: Mutex<Option<kube::Client>>,
    /// How long was slept: no test waits.
    pub slept: Mutex<std::time::Duration>,
}

impl FakeTarget {
    /// A target with this machine and no cluster.
    pub fn new(host: &Arc<FakeHost>) -> Arc<Self> {
        Arc::new(Self {
            host: host.clone(),
            client: Mutex::default(),
            slept: Mutex::default(),
        })
    }
}

#[async_trait]
impl Target for FakeTarget {
    fn host(&self, _: Option<&HostRef>) -> Result<Arc<dyn Host>, StepError> {
        Ok(self.host.clone())
    }

    async fn cluster(&self, _: &ClusterRef) -> Result<kube::Client, StepError> {
        let client = self.client.lock().unwrap().clone();
        client.ok_or_else(|| StepError::new("psprun::cluster::unreachable", "nobody listens").heals())
    }

    fn http(&self) -> Arc<dyn Http> {
        unimplemented!("no builtin of kubeadm sends HTTP requests")
    }

    async fn sleep(&self, time: std::time::Duration) {
        *self.slept.lock().unwrap() += time;
    }

    fn now(&self) -> std::time::SystemTime {
        std::time::SystemTime::now() + *self.slept.lock().unwrap()
    }
}
