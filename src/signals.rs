//! Ctrl-C and its kin: first gently, then at once, then out.

use psprun_engine::run::Interrupt;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Exit;
use crate::terminal;

/// From now on, SIGINT, SIGTERM and SIGHUP stop the run instead of the program. What the user sees of it comes from the
/// run's events. Must be called on a tokio runtime.
pub fn watch(interrupt: Interrupt) {
    let ignored = ignored_signals();
    for (number, kind) in [
        (1, SignalKind::hangup()),
        (2, SignalKind::interrupt()),
        (15, SignalKind::terminate()),
    ] {
        // Under `nohup`, or in the background of a script, a signal that was ignored stays so.
        if ignored & (1 << (number - 1)) != 0 {
            continue;
        }
        match signal(kind) {
            Ok(signal) => drop(tokio::spawn(pass_on(signal, interrupt.clone()))),
            Err(error) => terminal::complain(&format!("psprun: cannot watch for signal {number}: {error}\n")),
        }
    }
}

static RECEIVED: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

async fn pass_on(mut signal: Signal, interrupt: Interrupt) {
    while signal.recv().await.is_some() {
        let before = RECEIVED.fetch_add(1, std::sync::atomic::Ordering::AcqRel);
        if before >= 2 {
            terminal::complain("psprun: interrupted a third time: processes that it started may be left\n");
            std::process::exit(Exit::Interrupted as i32);
        }
        interrupt.interrupt();
    }
}

/// The mask of ignored signals that psprun was started with.
fn ignored_signals() -> u64 {
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| parse_ignored(&status))
        .unwrap_or(0)
}

fn parse_ignored(status: &str) -> Option<u64> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn reads_the_mask() {
        let status = "Name:\tx\nSigIgn:\t0000000000001001\nSigCgt:\t0\n";
        assert_eq!(super::parse_ignored(status), Some(0x1001));
        assert_eq!(super::parse_ignored(""), None);
    }
}
