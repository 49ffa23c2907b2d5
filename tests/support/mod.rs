//! Runs the real program, in a folder of its own, with an environment of its own.

pub mod apiserver;

use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The program.
pub const PSPRUN: &str = env!("CARGO_BIN_EXE_psprun");

/// A command line in the making.
pub struct Psprun {
    folder: Arc<TempDir>,
    args: Vec<String>,
    env: Vec<(String, String)>,
    columns: Option<u32>,
}

/// What came of it.
pub struct Finished {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    folder: Arc<TempDir>,
}

impl Psprun {
    /// In an empty folder.
    pub fn new() -> Self {
        Self {
            folder: Arc::new(tempfile::tempdir().expect("a folder")),
            args: Vec::new(),
            env: Vec::new(),
            columns: None,
        }
    }

    /// Writes a file.
    pub fn file(self, path: &str, content: &str) -> Self {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder above")).expect("it can be made");
        std::fs::write(path, content).expect("it can be written");
        self
    }

    /// Writes `playbook.rhai`, and names it on the command line.
    pub fn playbook(self, script: &str) -> Self {
        self.file("playbook.rhai", script).args(["playbook.rhai"])
    }

    /// Adds arguments.
    pub fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// On a terminal of so many columns.
    pub fn columns(mut self, columns: u32) -> Self {
        self.columns = Some(columns);
        self
    }

    /// Where it runs.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The same folder, another command line.
    pub fn again(&self) -> Self {
        Self {
            folder: self.folder.clone(),
            args: Vec::new(),
            env: self.env.clone(),
            columns: self.columns,
        }
    }

    fn command(&self) -> Command {
        let mut command = match self.columns {
            None => {
                let mut command = Command::new(PSPRUN);
                command.args(&self.args);
                command
            }
            // `script` gives a terminal; it tells the exit status of what it runs.
            Some(columns) => {
                let words: Vec<String> = std::iter::once(PSPRUN)
                    .chain(self.args.iter().map(String::as_str))
                    .map(|word| format!("'{}'", word.replace('\'', r"'\''")))
                    .collect();
                let line = format!("stty cols {columns} rows 24; {}", words.join(" "));
                let mut command = Command::new("script");
                command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
                command
            }
        };
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("LC_ALL", "C.UTF-8")
            .env("TERM", "xterm")
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs it to its end.
    pub fn run(self) -> Finished {
        let mut command = self.command();
        let output = command.stdin(Stdio::null()).output().expect("psprun starts");
        Finished {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            folder: self.folder,
        }
    }

    /// Runs it in a shell's line, where `psprun` stands for the program: for pipes and closed streams. The shell is bash,
    /// and a line fails as its first failing part does.
    pub fn shell(self, line: &str) -> Finished {
        let mut command = Command::new("bash");
        let given = self.command();
        command
            .args([
                "-o",
                "pipefail",
                "-c",
                &format!("psprun() {{ '{PSPRUN}' \"$@\"; }}; {line}"),
            ])
            .current_dir(self.folder.path())
            .env_clear()
            .envs(given.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = command.stdin(Stdio::null()).output().expect("bash starts");
        Finished {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            folder: self.folder,
        }
    }

    /// Starts it, to do something to it while it runs.
    pub fn start(self) -> Running {
        let out = |name| File::create(self.folder.path().join(name)).expect("it can be written");
        let child = self
            .command()
            .stdin(Stdio::null())
            .stdout(out(".stdout"))
            .stderr(out(".stderr"))
            .spawn()
            .expect("psprun starts");
        Running {
            child,
            folder: self.folder,
        }
    }
}

/// A psprun that runs.
pub struct Running {
    child: Child,
    folder: Arc<TempDir>,
}

/// How long anything in these tests may take.
const PATIENCE: Duration = Duration::from_secs(30);

impl Running {
    /// Waits for a file that the playbook makes.
    pub fn wait_for(&self, path: &str) {
        let path = self.folder.path().join(path);
        wait_until(&format!("{} is there", path.display()), || path.exists());
    }

    /// Waits for a text on standard error.
    pub fn wait_for_text(&self, text: &str) {
        let path = self.folder.path().join(".stderr");
        wait_until(&format!("stderr says {text:?}"), || {
            std::fs::read_to_string(&path).is_ok_and(|stderr| stderr.contains(text))
        });
    }

    /// Sends a signal to psprun alone, as `kill` does.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status();
        assert!(sent.expect("kill starts").success(), "psprun has ended already");
    }

    /// Waits for its end.
    pub fn finish(mut self) -> Finished {
        let mut status = None;
        wait_until("psprun has ended", || {
            status = self.child.try_wait().expect("it is our child");
            status.is_some()
        });
        let read = |name| std::fs::read_to_string(self.folder.path().join(name)).expect("it was written");
        Finished {
            code: status.and_then(|status| status.code()),
            stdout: read(".stdout"),
            stderr: read(".stderr"),
            folder: self.folder.clone(),
        }
    }
}

impl Drop for Running {
    /// After a failed test, too, nothing is left.
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            for _ in 0..2 {
                self.signal("TERM");
                std::thread::sleep(Duration::from_millis(200));
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Waits until something holds.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Finished {
    /// All of it, with times and the folder's name taken out, for a snapshot.
    pub fn all(&self) -> String {
        let mut text = String::new();
        match self.code {
            Some(code) => writeln!(text, "exit {code}").expect("a string"),
            None => text.push_str("ended by a signal\n"),
        }
        for (name, content) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !content.is_empty() {
                write!(text, "--- {name}\n{content}").expect("a string");
            }
        }
        steady(&text, self.folder.path())
    }

    /// A file that the run left.
    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(path))
            .unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Whether a process works in the folder.
    pub fn works(&self) -> bool {
        let folder = self.folder.path().canonicalize().expect("it is there");
        let processes = std::fs::read_dir("/proc").expect("a /proc");
        processes
            .flatten()
            .filter_map(|process| std::fs::read_link(process.path().join("cwd")).ok())
            .any(|cwd| cwd.starts_with(&folder))
    }

    /// A path in the folder.
    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }
}

/// Without what differs from run to run: durations, times, the folder, what is bundled.
fn steady(text: &str, folder: &Path) -> String {
    let text = text.replace(&folder.display().to_string(), "[folder]");
    let mut steady = String::new();
    for line in text.split_inclusive('\n') {
        // The list of what is bundled grows.
        if line.trim_start().starts_with("bundled: ") {
            continue;
        }
        steady.push_str(&without_durations(line));
    }
    steady
}

/// `   12ms` and `1.2s` become `[time]`, with the blanks before them.
fn without_durations(line: &str) -> String {
    let mut result = String::new();
    let mut rest = line;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(start);
        let length = from
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(from.len());
        let (number, after) = from.split_at(length);
        let unit = ["ms", "s"].into_iter().find(|unit| {
            after
                .strip_prefix(unit)
                .is_some_and(|after| !after.starts_with(|c: char| c.is_alphanumeric() || c == '-'))
        });
        let stands_alone = !before.ends_with(|c: char| c.is_alphanumeric() || c == '-' || c == '_');
        match unit {
            Some(unit) if stands_alone && (unit == "ms" || number.contains('.')) => {
                let blanks = before.len() - before.trim_end_matches(' ').len();
                result.push_str(before.trim_end_matches(' '));
                result.push_str(if blanks > 0 { " [time]" } else { "[time]" });
                rest = &after[unit.len()..];
            }
            _ => {
                result.push_str(before);
                result.push_str(number);
                rest = after;
            }
        }
    }
    result.push_str(rest);
    result
}
