#!/usr/bin/python3
"""Pid 1 of a node, in systemd's place: reaps, supervises containerd and kubelet, answers systemctl.py.

kubeadm calls systemctl with daemon-reload, is-enabled, is-active, status, start, stop and restart.
"""
import os
import select
import signal
import socket
import time

SOCKET = "/run/bed.sock"
RESTART_DELAY = 3

# What Debian's and upstream's 10-kubeadm.conf make systemd do.
KUBELET = """
[ -f /var/lib/kubelet/kubeadm-flags.env ] && . /var/lib/kubelet/kubeadm-flags.env
[ -f /etc/default/kubelet ] && . /etc/default/kubelet
exec kubelet --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf \
  --config=/var/lib/kubelet/config.yaml $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
"""


class Service:
    def __init__(self, name, command, wanted):
        self.name = name
        self.command = command
        self.wanted = wanted
        self.pid = 0
        self.starts = 0
        self.not_before = 0.0

    def start(self):
        log = os.open(f"/var/log/{self.name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        pid = os.fork()
        if pid == 0:
            try:
                self._become(log)
            finally:
                os._exit(127)
        os.close(log)
        self.pid = pid
        self.starts += 1

    def _become(self, log):
        os.setsid()
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.closerange(3, 64)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        os.execvp(self.command[0], self.command)

    def stop(self):
        self.wanted = False
        pid = self.pid
        if not pid:
            return
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 10
        while self.pid == pid:
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
            reap()

    def state(self):
        return "active" if self.pid else "activating" if self.wanted else "inactive"


SERVICES = {
    "containerd": Service("containerd", ["/usr/bin/containerd"], wanted=True),
    "kubelet": Service("kubelet", ["/bin/sh", "-c", KUBELET], wanted=False),
}


def reap():
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        for service in SERVICES.values():
            if service.pid == pid:
                service.pid = 0
                service.not_before = time.monotonic() + RESTART_DELAY
                with open("/var/log/init.log", "a") as log:
                    log.write(f"{time.strftime('%FT%TZ', time.gmtime())} {service.name} exited, wait status {status}\n")


def answer(line):
    """The exit status and the output of one systemctl call."""
    verb, *names = line.split() or ["status"]
    name = names[0].removesuffix(".service") if names else ""
    if verb == "daemon-reload":
        return 0, ""
    service = SERVICES.get(name)
    if service is None:
        if verb == "status":
            return 4, "   Loaded: not-found (Reason: No such file or directory)\n   Active: inactive (dead)\n"
        if verb == "is-active":
            return 3, "inactive\n"
        return 1, f"Unit {name}.service could not be found.\n"
    if verb in ("start", "restart"):
        if verb == "restart":
            service.stop()
        service.wanted = True
        if not service.pid:
            service.start()
        return 0, ""
    if verb == "stop":
        service.stop()
        return 0, ""
    if verb == "is-active":
        return (0 if service.pid else 3), service.state() + "\n"
    if verb == "is-enabled":
        return 0, "enabled\n"
    if verb in ("enable", "disable", "mask", "unmask", "reset-failed"):
        return 0, ""
    if verb == "status":
        return (0 if service.pid else 3), (
            f"* {name}.service\n   Loaded: loaded (/opt/bed/init.py; enabled)\n"
            f"   Active: {service.state()}\n Main PID: {service.pid} (starts: {service.starts})\n")
    return 1, f"unknown verb {verb}\n"


def serve_one(listener):
    connection, _ = listener.accept()
    with connection:
        try:
            connection.settimeout(2)
            status, text = answer(connection.recv(4096).decode().strip())
            connection.sendall(f"{status}\n{text}".encode())
        except OSError:
            pass  # the caller has gone


def main():
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(SOCKET)
    listener.listen(16)

    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A signal writes to this pipe, so that select wakes up at once.
    signal.signal(signal.SIGCHLD, lambda *_: None)
    wake, waker = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker)

    while not stopping:
        for service in SERVICES.values():
            if service.wanted and not service.pid and time.monotonic() >= service.not_before:
                service.start()
        readable, _, _ = select.select([listener, wake], [], [], 1)
        if wake in readable:
            os.read(wake, 4096)
        reap()
        if listener in readable:
            serve_one(listener)
    for name in ("kubelet", "containerd"):
        SERVICES[name].stop()


main()
