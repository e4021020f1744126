# SPDX-License-Identifier: Apache-2.0
"""Podman's containers on a weft network, through the CNI plugin.

      podman run (as on a host of its own: storage, configuration and network namespace)
        |
      web, client, ...  busybox containers on the weft network "pods", both families
"""
import contextlib
import json
import os
import shutil
import socket
import tempfile
from pathlib import Path

import pytest

from lib import image
from lib.answer import Answerer, ask_tcp, try_tcp
from lib.netns import entered, execute, wait_until
from lib.node import binary
from lib.traffic import tcp_works, udp_works

pytestmark = pytest.mark.skipif(not shutil.which("podman"), reason="needs podman")

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
default_network = "pods"
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
    def __init__(self, node, directory):
        self.node = node
        self.dir = directory
        plugins = directory / "plugins"
        networks = directory / "networks"
        plugins.mkdir()
        networks.mkdir()
        shutil.copy(binary("weft-cni"), plugins / "weft")
        conflist = {"cniVersion": "0.4.0", "name": "pods", "plugins": [
            {"type": "weft", "socket": str(node.socket), "capabilities": CAPABILITIES}]}
        (networks / "pods.conflist").write_text(json.dumps(conflist))
        self.config = directory / "containers.conf"
        self.config.write_text(CONFIG.format(plugins=plugins, networks=networks))
        self.run("import", str(image.write_layer(directory / "layer.tar")), "box")

    def command(self, *args):
        return ["podman", "--root", str(self.dir / "root"), "--runroot", str(self.dir / "runroot"),
                "--tmpdir", str(self.dir / "tmp"), "--storage-driver", "vfs", *args]

    def run(self, *args, check=True):
        """One podman command on the node's host side."""
        env = {**os.environ, "CONTAINERS_CONF": str(self.config)}
        return self.node.run(self.command(*args), check=check, env=env, timeout=120)

    def start(self, name, *options, command=("sleep", "600")):
        """A container in the background."""
        self.run("run", "-d", "--name", name, "--network", "pods", *options, "box", *command)

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


@pytest.fixture
def podman(node):
    node.network("pods", subnets=[{"cidr": "10.88.0.0/24"}, {"cidr": "fd88::/64"}])
    # podman accepts no longer path than 50 characters
    made = Podman(node, Path(tempfile.mkdtemp(prefix="wt-")))
    yield made
    made.close()


def assert_clean(node, namespaces):
    assert node.endpoints() == []
    taken = [item for item in node.api("GET", "/v1/addresses?network=pods")["items"]
             if item["state"].lower() == "taken"]
    assert taken == []
    wait_until(lambda: all(name.startswith("weft0") for name in node.own_links()),
               what="the links of containers are gone")
    assert network_namespaces() <= namespaces


def network_namespaces():
    return {name for name in os.listdir("/run/netns") if name.startswith("netns-")} \
        if os.path.isdir("/run/netns") else set()


def test_containers_talk_and_leave_nothing(podman, node):
    before = network_namespaces()
    podman.start("server")
    podman.start("client")
    four, six = podman.addresses("server")
    for address in (four, six):
        podman.execute("client", "ping", "-c", "1", "-W", "2", address)
    inside = [Inside(node, one) for one in ("client", "server")]
    for address in (four, six):
        assert tcp_works(*inside, address)
        assert udp_works(*inside, address)
    podman.run("rm", "-f", "-t", "0", "server", "client")
    assert_clean(node, before)


def test_promised_address_and_mac(podman, node):
    podman.start("web", "--ip", "10.88.0.77", "--mac-address", "02:00:00:00:00:77")
    assert podman.addresses("web")[0] == "10.88.0.77"
    assert "02:00:00:00:00:77" in podman.execute("web", "ip", "link", "show", "eth0").stdout
    settings = json.loads(podman.run("inspect", "web").stdout)[0]["NetworkSettings"]
    assert settings["Networks"]["pods"]["IPAddress"] == "10.88.0.77"
    assert settings["Networks"]["pods"]["Gateway"] == "10.88.0.1"
    second = podman.run("run", "--rm", "--network", "pods", "--ip", "10.88.0.77", "box", "echo",
                        check=False)
    assert second.returncode != 0
    assert "10.88.0.77" in second.stderr
    podman.run("rm", "-f", "-t", "0", "web")
    podman.run("run", "--rm", "--network", "pods", "--ip", "10.88.0.78", "box", "echo")


def test_names_and_labels_reach_weft(podman, node):
    podman.start("web")
    endpoint = node.endpoints()[0]
    assert endpoint["spec"]["owner"] == "cni"
    assert endpoint["metadata"]["name"].startswith("web.")
    assert endpoint["metadata"]["labels"]["io.kubernetes.pod.name"] == "web"


def test_restart_of_a_container(podman, node):
    podman.start("web")
    podman.run("restart", "-t", "0", "web")
    assert len(node.endpoints()) == 1
    assert podman.addresses("web")[0] == node.address_of(node.endpoints()[0], 4)
    podman.execute("web", "ping", "-c", "1", "-W", "2", "10.88.0.1")


def declare(podman, **capabilities):
    networks = podman.dir / "networks" / "pods.conflist"
    conflist = json.loads(networks.read_text())
    conflist["plugins"][0]["capabilities"].update(capabilities)
    networks.write_text(json.dumps(conflist))


def test_published_ports(podman, node):
    declare(podman, portMappings=True)
    podman.start("web", "-p", "127.0.0.1:8080:80", "-p", "5353:53/udp", "-p", "9000-9001:90-91")
    endpoint, = node.endpoints()
    runs = {(run.get("hostIP", "*"), run["hostPort"], run["containerPort"], run["protocol"])
            for run in endpoint["spec"]["publish"]}
    assert runs == {("127.0.0.1", 8080, 80, "TCP"), ("*", 5353, 53, "UDP"), ("*", 9000, 90, "TCP"),
                    ("*", 9001, 91, "TCP")}
    with contextlib.closing(Answerer(Inside(node, "web"), "web", 80)):
        assert ask_tcp(node.host, "127.0.0.1", 8080).name == "web"
    podman.run("rm", "-f", "-t", "0", "web")
    assert node.api("GET", "/v1/ports")["items"] == []
    assert try_tcp(node.host, "127.0.0.1", 8080) == "refused"


def test_stop_while_weftd_is_down(podman, node):
    before = network_namespaces()
    podman.start("web")
    node.kill_daemon()
    podman.run("rm", "-f", "-t", "0", "web")
    node.start_daemon()
    wait_until(lambda: node.endpoints() == [], what="the DEL is made good")
    assert_clean(node, before)


def test_start_while_weftd_is_down(podman, node):
    before = network_namespaces()
    node.kill_daemon()
    done = podman.run("run", "--rm", "--network", "pods", "box", "echo", check=False)
    assert done.returncode != 0
    assert "weftd is not reachable" in done.stderr
    node.start_daemon()
    podman.run("run", "--rm", "--network", "pods", "box", "echo")
    assert_clean(node, before)
