# SPDX-License-Identifier: Apache-2.0
"""containerd's pods on a weft network, through its CRI service as kubelet drives it.

      containerd (own root, socket and CNI directories, on the node's host side)
        |  go-cni
      web, client  pod sandboxes with a busybox container each, both families
"""
import json
import os
import shutil
import socket
import subprocess

import pytest

from lib import image
from lib.netns import entered, execute, stop_process, wait_until
from lib.node import binary
from lib.traffic import tcp_works, udp_works

pytestmark = pytest.mark.skipif(not shutil.which("containerd"), reason="needs containerd")

IMAGE = "docker.io/library/weft-test-box:latest"

CONFIG = """
version = 2
root = "{dir}/root"
state = "{dir}/state"
[grpc]
  address = "{dir}/containerd.sock"
[ttrpc]
  address = "{dir}/containerd.sock.ttrpc"
[plugins."io.containerd.internal.v1.opt"]
  path = "{dir}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{image}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{dir}/plugins"
    conf_dir = "{dir}/networks"
"""

CAPABILITIES = {"io.kubernetes.cri.pod-annotations": True, "dns": True, "bandwidth": True,
                "portMappings": True, "ips": True}


class Inside:
    """The network namespace of a pod, for sockets of the test."""

    def __init__(self, node, sandbox):
        endpoint, = [e for e in node.endpoints() if e["spec"]["containerID"] == sandbox]
        self.path = endpoint["spec"]["netns"]

    def socket(self, family, kind):
        with entered(self.path):
            return socket.socket(family, kind)


class Containerd:
    def __init__(self, node, directory, version):
        from lib.cri import Cri
        self.node = node
        self.dir = directory
        (directory / "plugins").mkdir()
        (directory / "networks").mkdir()
        shutil.copy(binary("weft-cni"), directory / "plugins" / "weft")
        shutil.copy("/usr/lib/cni/loopback", directory / "plugins" / "loopback")
        conflist = {"cniVersion": version, "name": "pods", "plugins": [
            {"type": "weft", "socket": str(node.socket), "capabilities": CAPABILITIES}]}
        (directory / "networks" / "10-weft.conflist").write_text(json.dumps(conflist))
        config = directory / "config.toml"
        config.write_text(CONFIG.format(dir=directory, image=IMAGE))
        self.log = open(directory / "containerd.log", "wb")
        # not through a shell: the process is ours to end by its pid
        self.process = subprocess.Popen(
            node.host.command(["containerd", "-c", str(config)]), stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=self.log)
        self.address = directory / "containerd.sock"
        wait_until(self.answers, 20, 0.1, "containerd answers")
        archive = image.write_archive(directory / "image.tar", IMAGE)
        self.ctr("-n", "k8s.io", "image", "import", "--snapshotter", "native", str(archive))
        self.cri = Cri(self.address)
        wait_until(self.cri.ready, 10, 0.1, "the network of containerd is ready")
        self.sandboxes = []

    def ctr(self, *args, check=True):
        return execute(["ctr", "-a", str(self.address), *args], check=check, timeout=120)

    def answers(self):
        assert self.process.poll() is None, self.log_text()
        return self.address.exists() and self.ctr("version", check=False).returncode == 0

    def log_text(self):
        return (self.dir / "containerd.log").read_text(errors="replace")[-4000:]

    def pod(self, name, **options):
        """(sandbox, container) of a new pod."""
        config = self.cri.sandbox_config(name, f"uid-{name}", **options)
        sandbox = self.cri.run_sandbox(config)
        self.sandboxes.append(sandbox)
        return sandbox, self.cri.start_container(sandbox, config, IMAGE)

    def remove(self, sandbox):
        self.cri.stop_sandbox(sandbox)
        self.cri.remove_sandbox(sandbox)
        self.sandboxes.remove(sandbox)

    def execute(self, container, *command):
        """Standard output of a command in a container; it must succeed."""
        status, out, err = self.cri.execute(container, *command)
        assert status == 0, f"{command}: {status} {out}{err}"
        return out

    def close(self):
        for sandbox in list(self.sandboxes):
            try:
                self.remove(sandbox)
            except AssertionError as error:
                print(error)
        self.cri.close()
        stop_process(self.process)
        self.log.close()
        left = execute(["findmnt", "-rno", "TARGET"], check=False).stdout.split()
        for target in reversed([path for path in left if path.startswith(str(self.dir))]):
            execute(["umount", "-l", target], check=False)


@pytest.fixture(params=["0.3.1", "1.0.0"])
def containerd(node, tmp_path, request):
    node.network("pods", subnets=[{"cidr": "10.89.0.0/24"}, {"cidr": "fd89::/64"}])
    # unix sockets have short paths, and so must containerd's
    directory = tmp_path
    made = Containerd(node, directory, request.param)
    yield made
    made.close()


def pod_namespaces():
    """Namespaces that containerd's CRI keeps for pods."""
    return {name for name in os.listdir("/run/netns") if name.startswith("cni-")}


def assert_clean(node, namespaces):
    assert node.endpoints() == []
    taken = [item for item in node.api("GET", "/v1/addresses?network=pods")["items"]
             if item["state"].lower() == "taken"]
    assert taken == []
    wait_until(lambda: all(name.startswith("weft0") for name in node.own_links()),
               what="the links of pods are gone")
    assert pod_namespaces() <= namespaces


def test_pods_talk_and_leave_nothing(containerd, node):
    before = pod_namespaces()
    server_pod, server = containerd.pod("server")
    client_pod, client = containerd.pod("client")
    four, six = containerd.cri.sandbox_addresses(server_pod)
    assert four.startswith("10.89.0.") and six.startswith("fd89:")
    for address in (four, six):
        containerd.execute(client, "ping", "-c", "1", "-W", "2", address)
    inside = [Inside(node, one) for one in (client_pod, server_pod)]
    for address in (four, six):
        assert tcp_works(*inside, address)
        assert udp_works(*inside, address)
    containerd.remove(client_pod)
    containerd.remove(server_pod)
    assert_clean(node, before)


def test_pod_is_known_by_name_and_annotations(containerd, node):
    containerd.pod("web", namespace="shop", annotations={"note": "for weft"})
    endpoint = node.endpoints()[0]
    labels = endpoint["metadata"]["labels"]
    assert labels["io.kubernetes.pod.namespace"] == "shop"
    assert labels["io.kubernetes.pod.name"] == "web"
    assert endpoint["metadata"]["annotations"]["note"] == "for weft"
    assert endpoint["metadata"]["name"].startswith("shop.web.")


def test_bandwidth_annotations_are_refused_not_ignored(containerd, node):
    from lib.cri import Refused
    before = pod_namespaces()
    with pytest.raises(Refused, match="bandwidth"):
        containerd.pod("slow", annotations={"kubernetes.io/ingress-bandwidth": "10M"})
    assert_clean(node, before)


def test_weftd_down_and_up(containerd, node):
    """No new pod without weftd; the end of an old one is made good."""
    from lib.cri import Refused
    before = pod_namespaces()
    sandbox, _ = containerd.pod("web")
    node.kill_daemon()
    with pytest.raises(Refused, match="weftd is not reachable"):
        containerd.pod("late")
    containerd.remove(sandbox)
    node.start_daemon()
    wait_until(lambda: node.endpoints() == [], what="the DEL is made good")
    sandbox, _ = containerd.pod("late")
    containerd.remove(sandbox)
    assert_clean(node, before)
