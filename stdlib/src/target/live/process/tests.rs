#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Mutex;
use std::time::Instant;

use psprun_engine::Stream;

use super::*;

fn sh(script: &str) -> Command {
    Command::new(["sh", "-c", script])
}

fn silent() -> LineSink {
    Arc::new(|_, _| {})
}

async fn done(command: Command) -> Finished {
    run(command, silent(), Cancel::new()).await.unwrap()
}

async fn failed(command: Command) -> StepError {
    run(command, silent(), Cancel::new()).await.unwrap_err()
}

/// The processes (no zombies) whose command line has this word.
fn alive(word: &str) -> Vec<String> {
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| {
            let line = std::fs::read(entry.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            (line.contains(word) && !line.contains("grep")).then_some(line)
        })
        .collect()
}

async fn until(what: impl Fn() -> bool) {
    for _ in 0..300 {
        if what() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("did not come true in 3 s");
}

#[tokio::test]
async fn tells_exit_status_and_output_apart_by_stream() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink: LineSink = Arc::new({
        let lines = lines.clone();
        move |stream, line: &str| lines.lock().unwrap().push((stream, line.to_owned()))
    });
    let command = sh("echo out; echo err >&2; printf last; exit 7");
    let finished = run(command, sink, Cancel::new()).await.unwrap();
    assert_eq!(
        (finished.code, &*finished.stdout, &*finished.stderr),
        (7, "out\nlast", "err\n")
    );
    let lines = lines.lock().unwrap();
    assert!(lines.contains(&(Stream::Stdout, "out".to_owned())));
    assert!(lines.contains(&(Stream::Stdout, "last".to_owned())));
    assert!(lines.contains(&(Stream::Stderr, "err".to_owned())));
}

#[tokio::test]
async fn lines_come_while_the_command_runs() {
    let started = Instant::now();
    let first = Arc::new(Mutex::new(None));
    let sink: LineSink = Arc::new({
        let first = first.clone();
        move |_, _: &str| {
            first.lock().unwrap().get_or_insert(started.elapsed());
        }
    });
    run(sh("echo one; sleep 3"), sink, Cancel::new()).await.unwrap();
    assert!(first.lock().unwrap().unwrap() < Duration::from_millis(2500));
}

#[tokio::test]
async fn a_signal_is_128_and_its_number() {
    assert_eq!(done(sh("kill -9 $$")).await.code, 137);
    assert_eq!(done(sh("kill -15 $$")).await.code, 143);
}

#[tokio::test]
async fn env_and_cwd_are_the_commands() {
    let mut command = sh("echo \"$GREETING $(pwd)\"");
    command.env.insert("GREETING".to_owned(), "hello".to_owned());
    command.cwd = Some("/".to_owned());
    assert_eq!(done(command).await.stdout, "hello /\n");
}

#[tokio::test]
async fn a_program_is_found_in_the_path_that_the_command_is_given() {
    let mut command = Command::new(["sh", "-c", "echo $0"]);
    command.env.insert("PATH".to_owned(), "/bin".to_owned());
    assert_eq!(done(command.clone()).await.stdout, "sh\n");
    command.env.insert("PATH".to_owned(), "/nonexistent".to_owned());
    assert_eq!(failed(command).await.code, "psprun::host::missing_program");
}

#[tokio::test]
async fn without_stdin_a_reader_sees_the_end_at_once() {
    assert_eq!(done(Command::new(["cat"])).await.stdout, "");
}

#[tokio::test]
async fn large_input_and_output_do_not_block_each_other() {
    let input = "0123456789abcde\n".repeat(200_000);
    let mut command = Command::new(["cat"]);
    command.stdin = Some(input.clone().into_bytes());
    let finished = done(command).await;
    assert_eq!(finished.stdout.len(), input.len());
    assert!(finished.stdout == input);
}

#[tokio::test]
async fn input_that_nobody_reads_is_no_error() {
    for script in [
        "exec <&-; sleep 0.05; echo ok",
        "head -1 >/dev/null; echo ok",
        "echo ok",
    ] {
        let mut command = sh(script);
        command.stdin = Some(vec![b'\n'; 1 << 20]);
        assert_eq!(done(command).await.stdout, "ok\n", "{script}");
    }
}

#[tokio::test]
async fn a_command_that_closes_its_output_is_still_fed_and_waited_for() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut command = sh("exec >\"$TO\" 2>&1; sleep 0.1; cat; exit 3");
    command
        .env
        .insert("TO".to_owned(), file.path().display().to_string());
    command.stdin = Some(vec![b'x'; 300_000]);
    assert_eq!(done(command).await.code, 3);
    assert_eq!(file.path().metadata().unwrap().len(), 300_000);
}

#[tokio::test]
async fn ten_megabytes_are_streamed_whole_and_kept_in_part() {
    let bytes = Arc::new(Mutex::new(0));
    let sink: LineSink = Arc::new({
        let bytes = bytes.clone();
        move |_, line: &str| *bytes.lock().unwrap() += line.len() + 1
    });
    let command = sh("echo first; yes 0123456789abcdef | head -c 10485760; echo; echo last");
    let finished = run(command, sink, Cancel::new()).await.unwrap();
    assert_eq!(*bytes.lock().unwrap(), 6 + 10_485_760 + 1 + 5);
    assert!(finished.stdout.starts_with("first\n") && finished.stdout.ends_with("last\n"));
    assert!(finished.stdout.len() < 2 * crate::target::OUTPUT_LIMIT);
    assert!(finished.stdout.contains("bytes are left out here"));
}

#[tokio::test]
async fn binary_garbage_is_taken() {
    let finished = done(sh("head -c 100000 /dev/urandom; head -c 1000 /dev/urandom >&2")).await;
    assert_eq!(finished.code, 0);
    assert!(!finished.stdout.is_empty());
}

#[tokio::test]
async fn a_daemon_that_keeps_the_pipes_does_not_hold_up_the_step() {
    let started = Instant::now();
    let finished = done(sh("sleep 31.4159 & echo $!; exit 0")).await;
    assert_eq!(finished.code, 0);
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
    // A daemon that a command leaves is meant to be left.
    assert_eq!(alive("31.4159").len(), 1);
    done(Command::new(["kill", finished.stdout.trim()])).await;
}

#[tokio::test]
async fn a_daemon_that_never_stops_writing_does_not_hold_up_the_step() {
    let started = Instant::now();
    let finished = done(sh("(while :; do echo x; sleep 0.01; done) & echo $!; exit 0")).await;
    assert!(
        started.elapsed() < Duration::from_secs(4),
        "{:?}",
        started.elapsed()
    );
    let pid = finished.stdout.lines().find(|line| *line != "x").unwrap();
    done(Command::new(["kill", pid])).await;
}

#[tokio::test]
async fn a_timeout_ends_the_whole_group() {
    let mut command = sh("sleep 32.4159 & sleep 32.4159; echo never");
    command.timeout = Some(Duration::from_millis(200));
    let started = Instant::now();
    let error = failed(command).await;
    assert_eq!(error.code, "psprun::host::timeout");
    assert!(
        error.message.contains("did not end within 200ms"),
        "{}",
        error.message
    );
    assert!(started.elapsed() < Duration::from_secs(20));
    assert_eq!(alive("32.4159"), Vec::<String>::new());
}

#[tokio::test]
async fn who_ignores_term_is_killed_after_the_grace() {
    // The child's output goes elsewhere and its leader ends at TERM: only a look at the group finds it.
    let mut command =
        sh("sh -c 'trap \"\" TERM; echo up; exec >/dev/null 2>&1; while :; do sleep 0.334159; done' & wait");
    command.grace = Some(Duration::from_millis(400));
    let cancel = Cancel::new();
    let sink: LineSink = Arc::new({
        let cancel = cancel.clone();
        move |_, _: &str| cancel.cancel()
    });
    let started = Instant::now();
    let error = run(command, sink, cancel).await.unwrap_err();
    let took = started.elapsed();
    assert_eq!(error.code, "psprun::host::cancelled");
    assert!(
        took > Duration::from_millis(390) && took < Duration::from_secs(2),
        "{took:?}"
    );
    assert_eq!(alive("0.334159"), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_cancelled_may_clean_up() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut command = sh("trap 'sleep 0.2; echo clean >\"$TO\"; exit 1' TERM; sleep 34.4159 & echo up; wait");
    command
        .env
        .insert("TO".to_owned(), file.path().display().to_string());
    let cancel = Cancel::new();
    let sink: LineSink = Arc::new({
        let cancel = cancel.clone();
        move |_, _: &str| cancel.cancel()
    });
    run(command, sink, cancel).await.unwrap_err();
    assert_eq!(std::fs::read_to_string(file.path()).unwrap(), "clean\n");
    assert_eq!(alive("34.4159"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_command_is_killed_at_once() {
    let task = tokio::spawn(run(
        sh("trap '' TERM; sh -c 'trap \"\" TERM; sleep 35.4159; sleep 35.4159' & sleep 35.4159"),
        silent(),
        Cancel::new(),
    ));
    until(|| alive("35.4159").len() == 4).await;
    task.abort();
    until(|| alive("35.4159").is_empty()).await;
}

#[tokio::test]
async fn what_was_cancelled_before_does_not_start() {
    let cancel = Cancel::new();
    cancel.cancel();
    let error = run(sh("echo > /nonexistent"), silent(), cancel)
        .await
        .unwrap_err();
    assert_eq!(error.code, "psprun::host::cancelled");
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named_with_its_package() {
    let error = failed(Command::new(["kubeadm-of-nowhere"])).await;
    assert_eq!(error.code, "psprun::host::missing_program");
    assert_eq!(
        error.message,
        "cannot run `kubeadm-of-nowhere`: it is in no folder of PATH"
    );
    let mut command = Command::new(["/opt/none/crictl", "ps"]);
    let error = failed(command.clone()).await;
    assert!(error.help.unwrap().contains("cri-tools"));

    command.cwd = Some("/nonexistent/folder".to_owned());
    assert_eq!(failed(command).await.code, "psprun::host::cwd");
    assert_eq!(
        failed(Command::default()).await.code,
        "psprun::host::missing_program"
    );
    assert_eq!(
        failed(Command::new(["echo", "a\0b"])).await.code,
        "psprun::host::bad_argument"
    );
    assert_eq!(
        failed(Command::new(["/etc/passwd"])).await.code,
        "psprun::host::not_executable"
    );
    assert_eq!(
        failed(Command::new(["echo".to_owned(), "x".repeat(10 << 20)]))
            .await
            .code,
        "psprun::host::too_long"
    );
}

#[tokio::test]
async fn scripts_without_interpreter_and_garbage_are_told_apart() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        Command::new([path.display().to_string()])
    };
    let error = failed(file("script", b"#!/opt/none/python\n")).await;
    assert_eq!(error.code, "psprun::host::interpreter");
    let error = failed(file("garbage", b"\x7fELF garbage")).await;
    assert_eq!(error.code, "psprun::host::not_a_program");
}

/// `cargo test -p psprun-stdlib --release -- --ignored --nocapture what_true_costs`, beside `make -j2` on the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
#[expect(clippy::print_stderr, reason = "a measurement")]
async fn what_true_costs() {
    const EACH: u32 = 1000;
    for _ in 0..5 {
        let started = Instant::now();
        let tasks: Vec<_> = (0..2)
            .map(|_| {
                tokio::spawn(async {
                    for _ in 0..EACH / 2 {
                        assert_eq!(done(Command::new(["true"])).await.code, 0);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let each = started.elapsed().as_secs_f64() * 1000.0 / f64::from(EACH);
        eprintln!("{each:.3} ms a command");
    }
}
