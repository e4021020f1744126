# SPDX-License-Identifier: Apache-2.0
"""An etcd of its own, one member, in a namespace: for nodes that keep their documents there."""
import subprocess

from .netns import freeze, stop_process, thaw, wait_until

CLIENT_PORT, PEER_PORT = 2379, 2380


class Etcd:
    """What it holds is in a directory and outlives its process; start() has to be called."""

    def __init__(self, ns, directory, address):
        self.ns = ns
        self.dir = directory
        self.address = address
        self.process = None
        self.tls = None  # (authority, certificate, key): paths, of client and server alike

    def url(self):
        """What weftd's --store takes."""
        return f"{'etcds' if self.tls else 'etcd'}://{self.address}:{CLIENT_PORT}"

    def start(self, data="etcd", durable=False):
        """Returns when it serves. Another name of the data is another, empty store.

        Tests kill its process, never the machine: unless it is to be measured it waits for no disk,
        which other tests keep busy.
        """
        client = f"{'https' if self.tls else 'http'}://{self.address}:{CLIENT_PORT}"
        secure = []
        if self.tls:
            secure = ["--client-cert-auth", "--trusted-ca-file", self.tls[0],
                      "--cert-file", self.tls[1], "--key-file", self.tls[2]]
        peer = f"http://{self.address}:{PEER_PORT}"
        with open(self.dir / "etcd.log", "ab") as log:
            self.process = self.ns.popen(
                ["etcd", "--data-dir", str(self.dir / data), "--listen-client-urls", client,
                 "--advertise-client-urls", client, "--listen-peer-urls", peer,
                 "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}",
                 "--logger", "zap", "--log-level", "error", *secure,
                 *([] if durable else ["--unsafe-no-fsync"])],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(lambda: self.ctl("endpoint", "health", check=False).returncode == 0, 20, 0.1,
                   "etcd serves")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def freeze(self, on=True):
        """It takes connections and says nothing, until it goes on."""
        (freeze if on else thaw)(self.process.pid)

    def close(self):
        """Ends it politely if it runs."""
        if self.process:
            stop_process(self.process)

    def ctl(self, *args, check=True):
        secure = ["--cacert", self.tls[0], "--cert", self.tls[1], "--key", self.tls[2]] \
            if self.tls else []
        return self.ns.run(["etcdctl", "--endpoints", f"{self.address}:{CLIENT_PORT}", *secure,
                            *args], check=check)

    def keys(self):
        """The names of all that weft keeps there."""
        return self.ctl("get", "--prefix", "/weft/", "--keys-only").stdout.split()
