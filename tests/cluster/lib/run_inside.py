#!/usr/bin/python3
"""Runs a program inside a node: usage run_inside.py INIT_PID CGROUP_NAME PROGRAM [ARGUMENT...], environment as given.

What nsenter does and more: signals reach the program, its end (status or signal) becomes this process's own, and it dies
when this process is killed. Only the program joins the node's cgroups.
"""
import ctypes
import os
import pathlib
import signal
import sys

INIT, GROUP, COMMAND = sys.argv[1], sys.argv[2], sys.argv[3:]
CGROUPS = pathlib.Path("/sys/fs/cgroup")
FORWARDED = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH}
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


def join_namespace(descriptor):
    if LIBC.setns(descriptor, 0) != 0:
        sys.exit(f"{GROUP}: setns: {os.strerror(ctypes.get_errno())}")


def become_the_program(namespaces, has_terminal):
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    os.setpgid(0, 0)
    if has_terminal:
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        os.tcsetpgrp(0, os.getpgrp())
    for path in CGROUPS.glob(f"*/{GROUP}/cgroup.procs"):
        path.write_text("0")
    for descriptor in namespaces:
        join_namespace(descriptor)
    os.chdir("/root")
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        try:
            signal.signal(number, signal.SIG_DFL)
        except (OSError, ValueError):
            pass  # the C library keeps two for itself
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    try:
        os.execvp(COMMAND[0], COMMAND)
    except OSError as error:
        print(f"{COMMAND[0]}: {error.strerror}", file=sys.stderr, flush=True)
        os._exit(126 if isinstance(error, PermissionError) else 127)


def end_like(status):
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, set())
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status) & 0xff)


def main():
    # Blocked, not handled: none is lost between the fork and the first wait.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED | {signal.SIGCHLD})
    has_terminal = os.isatty(0) and os.tcgetpgrp(0) == os.getpgrp()
    opened = {name: os.open(f"/proc/{INIT}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC)
              for name in ("pid", "cgroup", "uts", "ipc", "net", "mnt")}
    join_namespace(opened.pop("pid"))  # holds for children
    child = os.fork()
    if child == 0:
        become_the_program(opened.values(), has_terminal)
    while True:
        received = signal.sigwait(FORWARDED | {signal.SIGCHLD})
        if received != signal.SIGCHLD:
            os.kill(child, received)
            continue
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid == child:
            break
    if has_terminal:
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        os.tcsetpgrp(0, os.getpgrp())
    end_like(status)


main()
