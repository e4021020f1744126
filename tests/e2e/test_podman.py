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
import tempfile
from pathlib import Path

import pytest

from lib.answer import Answerer, ask_tcp, try_tcp
from lib.netns import wait_until
from lib.podman import Inside, Podman
from lib.traffic import tcp_works, udp_works

pytestmark = pytest.mark.skipif(not shutil.which("podman"), reason="needs podman")

@pytest.fixture
def podman(node):
    node.network("pods", subnets=[{"cidr": "10.88.0.0/24"}, {"cidr": "fd88::/64"}])
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
