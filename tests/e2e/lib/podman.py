# SPDX-License-Identifier: Apache-2.0
"""Podman on a node's host side, with storage and configuration of its own, and weft as CNI plugin."""
import contextlib
import json
import os
import shutil
import socket
from pathlib import Path

from . import image
from .netns import entered, execute, wait_until
from .node import binary

CONFIG = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
# conmon would bind what weft has published
[network]
network_backend = "cni"
cni_plugin_dirs = ["{plugins}"]
network_config_dir = "{networks}"
default_network = "{default}"
"""

CAPABILITIES = {"ips": True, "mac": True, "aliases": True}


class Inside:
    """The network namespace of a container, for sockets of the test."""

    def __init__(self, node, name):
        endpoint, = [e for e in node.endpoints()
                     if e["metadata"]["labels"]["io.kubernetes.pod.name"] == name]
        self.path = endpoint["spec"]["netns"]

    def socket(self, family, kind):
        with entered(self.path):
            return socket.socket(family, kind)


class Podman:
    """directory: a short path, for podman accepts none of more than 50 characters. It is taken away."""

    def __init__(self, node, directory, networks=("pods",)):
        self.node = node
        self.dir = directory
        plugins = directory / "plugins"
        folder = directory / "networks"
        plugins.mkdir()
        folder.mkdir()
        shutil.copy(binary("weft-cni"), plugins / "weft")
        for network in networks:
            conflist = {"cniVersion": "0.4.0", "name": network, "plugins": [
                {"type": "weft", "socket": str(node.socket), "capabilities": CAPABILITIES}]}
            (folder / f"{network}.conflist").write_text(json.dumps(conflist))
        self.config = directory / "containers.conf"
        self.config.write_text(CONFIG.format(plugins=plugins, networks=folder,
                                             default=networks[0]))
        self.run("import", str(image.write_layer(directory / "layer.tar")), "box")

    def command(self, *args):
        return ["podman", "--root", str(self.dir / "root"), "--runroot", str(self.dir / "runroot"),
                "--tmpdir", str(self.dir / "tmp"), "--storage-driver", "vfs", *args]

    def run(self, *args, check=True):
        """One podman command on the node's host side."""
        env = {**os.environ, "CONTAINERS_CONF": str(self.config)}
        return self.node.run(self.command(*args), check=check, env=env, timeout=120)

    def start(self, name, *options, network="pods", command=("sleep", "600")):
        """A container in the background."""
        self.run("run", "-d", "--name", name, "--network", network, *options, "box", *command)

    def execute(self, name, *command, check=True):
        return self.run("exec", name, *command, check=check)

    def addresses(self, name):
        """(IPv4, IPv6) of a container, as it sees them itself."""
        words = self.execute(name, "ip", "-o", "addr", "show", "dev", "eth0",).stdout.split()
        pairs = [(words[i], words[i + 1].split("/")[0]) for i in range(len(words) - 1)]
        four = [value for key, value in pairs if key == "inet"]
        six = [value for key, value in pairs if key == "inet6" and not value.startswith("fe80")]
        return four[0], six[0]

    def close(self):
        self.run("rm", "-f", "-a", "-t", "0", check=False)
        # What a container's monitor starts at its end writes into the directory a little longer.
        wait_until(lambda: not processes_naming(self.dir), 20, what="podman's own processes end")
        left = execute(["findmnt", "-rno", "TARGET"], check=False).stdout.split()
        for target in reversed([path for path in left if path.startswith(str(self.dir))]):
            execute(["umount", "-l", target], check=False)
        shutil.rmtree(self.dir)


def processes_naming(path):
    """The processes that have the path on their command line, zombies left out."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if str(path).encode() in entry.read_bytes():
                found.append(int(entry.parent.name))
    return found
