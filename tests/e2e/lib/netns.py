# SPDX-License-Identifier: Apache-2.0
"""Network namespaces of the tests: making, entering, running things in them, removing.

Namespaces are entered with nsenter (`ip netns exec` would hide bpffs). Every name starts with
wt-<pid of the run>, so that what a run leaves behind can be recognised.
"""
import contextlib
import ctypes
import itertools
import json
import os
import pathlib
import shlex
import signal
import socket
import subprocess
import time

CLONE_NEWNET = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)
counter = itertools.count(1)


class CommandFailed(AssertionError):
    """A command that had to succeed did not; shows what it printed."""


def words(command):
    """A command as a list; a string is split as a shell would split it."""
    return shlex.split(command) if isinstance(command, str) else [str(word) for word in command]


def execute(command, check=True, timeout=60, **options):
    """Runs to completion with captured text output."""
    argv = words(command)
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          errors="replace", timeout=timeout, check=False, **options)
    if check and done.returncode != 0:
        raise CommandFailed(f"{shlex.join(argv)} exited with {done.returncode}\n"
                            f"--- stdout\n{done.stdout}--- stderr\n{done.stderr}")
    return done


def wait_until(condition, timeout=5.0, every=0.05, what="condition"):
    """Polls until condition() is true and returns its value; fails after timeout seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: still not so after {timeout} s (last: {value!r})")
        time.sleep(every)


@contextlib.contextmanager
def entered(path):
    """The calling thread is in that namespace for the block; sockets made there stay there."""
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        other = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if libc.setns(other, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), f"setns {path}")
        finally:
            os.close(other)
        try:
            yield
        finally:
            if libc.setns(own, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns back")
    finally:
        os.close(own)


def freeze(pid):
    """Stops a process without ending it; when this returns, none of its threads runs any more."""
    os.kill(pid, signal.SIGSTOP)

    def stands_still():
        threads = pathlib.Path(f"/proc/{pid}/task").glob("*/stat")
        return all(stat.read_text().rpartition(")")[2].split()[0] in "tT" for stat in threads)
    wait_until(stands_still, 5, 0.005, f"process {pid} is stopped")


def thaw(pid):
    os.kill(pid, signal.SIGCONT)


def stop_process(process, how=signal.SIGTERM, timeout=10):
    """Ends one process by its pid and reaps it. Returns its exit status."""
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout)
    return process.returncode


class Netns:
    """One network namespace: a container of the tests, or the host side of a node."""

    def __init__(self, prefix="c"):
        self.name = f"wt-{os.getpid()}-{prefix}{next(counter)}"
        self.path = f"/run/netns/{self.name}"
        self.processes = []
        self.gone = False
        execute(["ip", "netns", "add", self.name])

    def __repr__(self):
        return f"<Netns {self.name}>"

    def command(self, command):
        return ["nsenter", f"--net={self.path}", *words(command)]

    def run(self, command, check=True, timeout=60, **options):
        """Runs a command inside to completion; fails when it fails, unless check is false."""
        return execute(self.command(command), check=check, timeout=timeout, **options)

    def popen(self, command, **options):
        """Starts a command inside; it is ended with the namespace."""
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.STDOUT)
        options.setdefault("text", True)
        process = subprocess.Popen(self.command(command), **options)
        self.processes.append(process)
        return process

    def ip(self, *args):
        """`ip -j ARGS` inside, as parsed JSON."""
        out = self.run(["ip", "-j", *args]).stdout.strip()
        return [item for item in json.loads(out) if item] if out else []

    def links(self):
        """{name: link} with details."""
        return {link["ifname"]: link for link in self.ip("-d", "link", "show")}

    def addresses(self, ifname, family=None, scope="global"):
        """The "address/len" texts of an interface."""
        result = []
        for link in self.ip("addr", "show", "dev", ifname):
            for entry in link.get("addr_info", []):
                if scope in (None, entry.get("scope")) and family in (None, entry["family"]):
                    result.append(f"{entry['local']}/{entry['prefixlen']}")
        return result

    def routes(self, family=4):
        return self.ip(f"-{family}", "route", "show")

    def mac(self, ifname="eth0"):
        return self.links()[ifname]["address"]

    def socket(self, family, kind, protocol=0):
        """A socket that lives inside; the caller closes it."""
        with entered(self.path):
            return socket.socket(family, kind, protocol)

    def ping(self, address, count=1, timeout=1, extra=()):
        """Whether every echo request was answered."""
        done = self.run(["ping", "-n", "-q", "-c", count, "-i", "0.2", "-W", timeout, *extra,
                         address], check=False, timeout=count + timeout + 10)
        return done.returncode == 0 and f" {count} received" in done.stdout

    def sysctl(self, name, value=None):
        """Reads a net.* setting of the namespace, after writing it when a value is given."""
        path = "/proc/sys/" + name.replace(".", "/")
        if value is not None:
            self.run(["sh", "-c", f"echo {value} > {path}"])
        return self.run(["cat", path]).stdout.strip()

    def end_processes(self):
        """Ends what was started inside."""
        for process in self.processes:
            stop_process(process, signal.SIGKILL)
            for stream in (process.stdout, process.stdin, process.stderr):
                if stream:
                    stream.close()
        self.processes.clear()

    def remove(self):
        """Ends what runs inside and deletes the namespace. May be called twice."""
        self.end_processes()
        if not self.gone:
            self.gone = True
            execute(["ip", "netns", "del", self.name], check=False)
