//! The blocking side of a command: starts it, feeds it, reads it, reaps it.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Stdio};
use std::time::{Duration, Instant};

use psprun_engine::{StepError, Stream};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use super::leash::{Leash, Order};
use super::output::Output;
use super::start_error::start_error;
use crate::target::{Command, Finished, LineSink};

/// How often a command that writes nothing is looked at: it may have ended and left its pipes to a daemon.
const TICK: Duration = Duration::from_millis(100);
/// Output of a daemon that outlives the command is read until there is none for so long …
const SILENCE: Duration = Duration::from_millis(200);
/// … and at most for so long.
const AFTERLIFE: Duration = Duration::from_secs(2);
/// How often a group that has to end is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// How long killed processes have to be gone; only one that hangs in the kernel needs longer.
const GONE: Duration = Duration::from_secs(2);

/// Runs a command to its end, or until the leash ends it.
pub(super) fn supervise(command: &Command, sink: &LineSink, leash: &Leash) -> Result<Finished, StepError> {
    let mut child = start(command).map_err(|error| start_error(command, &error))?;
    let leader = Pid::from_child(&child);
    leash.hold(leader);

    let (mut stdout, mut stderr) = (
        Output::new(Stream::Stdout, sink),
        Output::new(Stream::Stderr, sink),
    );
    let stdin = command.stdin.as_deref().unwrap_or_default();
    let talked = talk(&mut child, stdin, leader, &mut stdout, &mut stderr);

    if talked.is_err() {
        leash.order(Order::Kill);
    }
    end_group(leader, leash);
    let status = leash.release(|| child.wait());
    let status = talked.and(status).map_err(|error| {
        StepError::new(
            "psprun::host::read_output",
            format!("lost touch with `{command}`: {error}"),
        )
    })?;
    Ok(Finished {
        code: status
            .code()
            .unwrap_or_else(|| 128 + status.signal().unwrap_or(0)),
        stdout: stdout.finish(),
        stderr: stderr.finish(),
    })
}

fn start(command: &Command) -> std::io::Result<Child> {
    let Some((program, arguments)) = command.argv.split_first() else {
        return Err(ErrorKind::NotFound.into());
    };
    let mut start = match find_program(program, command) {
        Some(path) => std::process::Command::new(path),
        None => std::process::Command::new(program),
    };
    start
        .arg0(program)
        .args(arguments)
        .envs(&command.env)
        // Its own group: so all of it can be ended, and a Ctrl-C at the terminal reaches psprun alone. No `pre_exec`:
        // that would cost a fork.
        .process_group(0)
        .stdin(if command.stdin.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Some(folder) = &command.cwd {
        start.current_dir(folder);
    }
    start.spawn()
}

/// Where a program that is given by its name alone is. The system would find it too, by trying to execute it in folder
/// after folder, which costs more than to look.
fn find_program(name: &str, command: &Command) -> Option<PathBuf> {
    if name.contains('/') || name.is_empty() {
        return None;
    }
    folders(command).map(|folder| folder.join(name)).find(|path| {
        path.metadata()
            .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    })
}

/// The folders of PATH, as the command has it; a relative one would count from the command's own folder.
pub(super) fn folders(command: &Command) -> impl Iterator<Item = PathBuf> {
    let path = match command.env.get("PATH") {
        Some(path) => Some(path.into()),
        None => std::env::var_os("PATH"),
    };
    let folders: Vec<PathBuf> = std::env::split_paths(&path.unwrap_or_default()).collect();
    folders.into_iter().filter(|folder| folder.is_absolute())
}

/// Feeds and reads the command until it has closed its output, or ended.
fn talk(
    child: &mut Child,
    mut input: &[u8],
    leader: Pid,
    to_stdout: &mut Output<'_>,
    to_stderr: &mut Output<'_>,
) -> std::io::Result<()> {
    let mut stdin = child.stdin.take();
    if let Some(pipe) = &stdin {
        // The whole input may be more than fits into the pipe; waiting for room would keep the output from being read.
        rustix::io::ioctl_fionbio(pipe, true)?;
    }
    let mut stdout = child.stdout.take();
    let mut stderr = child.stderr.take();
    let mut buffer = [0u8; 16 << 10];
    let mut looked = Instant::now();
    let mut ended: Option<Instant> = None;

    while stdin.is_some() || stdout.is_some() || stderr.is_some() {
        let ready = wait_for(
            [
                stdin.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::OUT)),
                stdout.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN)),
                stderr.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN)),
            ],
            if ended.is_some() { SILENCE } else { TICK },
        )?;
        match ended {
            Some(since) if ready == [false; 3] || since.elapsed() > AFTERLIFE => break,
            None if looked.elapsed() >= TICK => {
                looked = Instant::now();
                if has_ended(leader, WaitIdOptions::NOHANG)? {
                    ended = Some(looked);
                    // Nobody who matters reads it any more.
                    stdin = None;
                }
            }
            _ => {}
        }
        if ready[0] {
            feed(&mut stdin, &mut input);
        }
        if ready[1] {
            read(&mut stdout, &mut buffer, to_stdout)?;
        }
        if ready[2] {
            read(&mut stderr, &mut buffer, to_stderr)?;
        }
    }
    Ok(())
}

/// Waits until one of the pipes can be used; which ones.
fn wait_for(pipes: [Option<PollFd<'_>>; 3], time: Duration) -> std::io::Result<[bool; 3]> {
    let mut open = [0; 3];
    let mut fds = Vec::with_capacity(3);
    for (place, pipe) in pipes.into_iter().enumerate() {
        if let Some(pipe) = pipe {
            open[fds.len()] = place;
            fds.push(pipe);
        }
    }
    let time = Timespec {
        tv_sec: 0,
        tv_nsec: time.subsec_nanos().into(),
    };
    match poll(&mut fds, Some(&time)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let mut ready = [false; 3];
    for (fd, place) in fds.iter().zip(open) {
        ready[place] = !fd.revents().is_empty();
    }
    Ok(ready)
}

fn feed(stdin: &mut Option<ChildStdin>, input: &mut &[u8]) {
    let Some(pipe) = stdin else { return };
    match pipe.write(input) {
        Ok(written) => *input = &input[written..],
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return,
        // The command does not want it: that is its own affair (`head -1`), its exit status tells.
        Err(_) => *input = &[],
    }
    if input.is_empty() {
        *stdin = None;
    }
}

fn read(
    pipe: &mut Option<impl Read + AsFd>,
    buffer: &mut [u8],
    output: &mut Output<'_>,
) -> std::io::Result<()> {
    let Some(open) = pipe else { return Ok(()) };
    match open.read(buffer) {
        Ok(0) => *pipe = None,
        Ok(length) => output.push(&buffer[..length]),
        Err(error) if error.kind() == ErrorKind::Interrupted => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Waits for the leader's end without reaping it (its number stays taken), and, when the group was ordered to end, for
/// all others of it.
fn end_group(leader: Pid, leash: &Leash) {
    // An error means that there is no such child; then there is nothing to wait for.
    let _ = has_ended(leader, WaitIdOptions::empty());
    let mut killed: Option<Instant> = None;
    while leash.ordered() != Order::Run && others_alive(leader) {
        if leash.ordered() == Order::Kill {
            if killed.get_or_insert_with(Instant::now).elapsed() > GONE {
                return;
            }
            leash.repeat();
        }
        std::thread::sleep(LOOK);
    }
}

fn has_ended(leader: Pid, how: WaitIdOptions) -> std::io::Result<bool> {
    loop {
        match waitid(
            WaitId::Pid(leader),
            WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | how,
        ) {
            Ok(status) => return Ok(status.is_some()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether a process of the group other than its leader, which has ended, is alive.
fn others_alive(group: Pid) -> bool {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return false;
    };
    let group = group.as_raw_nonzero().get();
    processes
        .flatten()
        .filter(|entry| entry.file_name().as_encoded_bytes()[0].is_ascii_digit())
        .filter_map(|entry| std::fs::read(entry.path().join("stat")).ok())
        .any(|stat| {
            // `pid (name) state parent group …`; the name may hold anything, parentheses too.
            let stat = String::from_utf8_lossy(&stat);
            let Some((_, rest)) = stat.rsplit_once(") ") else {
                return false;
            };
            let mut fields = rest.split(' ');
            let state = fields.next();
            let its_group = fields.nth(1).and_then(|number| number.parse::<i32>().ok());
            its_group == Some(group) && !matches!(state, Some("Z" | "X" | "x"))
        })
}
