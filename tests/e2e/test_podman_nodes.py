# SPDX-License-Identifier: Apache-2.0
"""Podman's containers on two nodes, on networks that reach from the one to the other.

    client, stranger -- [ node a: podman, weftd ] ---- wire, etcd ---- [ node b: podman, weftd ] -- web
"""
import contextlib
import shutil
import tempfile
from pathlib import Path

import pytest

from lib.answer import Answerer, ask_tcp, try_tcp
from lib.cluster import wait_way
from lib.encryption import wait_on
from lib.netns import wait_until
from lib.podman import Inside, Podman
from lib.policy import allow_from
from lib.service import service
from lib.traffic import tcp_works, udp_works

pytestmark = [
    pytest.mark.skipif(not shutil.which("podman"), reason="needs podman"),
    pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed"),
    pytest.mark.skipif(not shutil.which("wireguard-go"), reason="wireguard-go is not installed"),
]

NETWORKS = {"over": {"driver": "overlay"},
            "sealed": {"driver": "overlay", "encryption": "wireguard"},
            "near": {"driver": "routed"}}
NAME = "io.kubernetes.pod.name"
VIP = "10.96.0.10"


@pytest.fixture
def hosts(cluster):
    """Podman on each node; every network is known on both."""
    for number, (name, spec) in enumerate(NETWORKS.items()):
        cluster.network(name, subnets=[{"cidr": f"10.{60 + number}.0.0/24"},
                                       {"cidr": f"fd{60 + number}::/64"}], **spec)
    wait_on(cluster)
    for node, other in zip(cluster.nodes, "ba"):
        wait_way(node, other, "segment")
    with contextlib.ExitStack() as stack:
        made = []
        for node in cluster.nodes:
            made.append(Podman(node, Path(tempfile.mkdtemp(prefix="wt-")), tuple(NETWORKS)))
            stack.callback(made[-1].close)
        yield made


def backends(node):
    status = node.api("GET", "/v1/services/default/shop")["status"]["weft"]
    return [backend for port in status["ports"] for backend in port["backends"]]


def check(hosts, cluster, network):
    """Real containers of both nodes, on one network."""
    left, right = hosts
    a, b = cluster.nodes
    for host, name in ((left, "client"), (left, "stranger"), (right, "web")):
        host.start(name, network=network)
    web_has, client_has = right.addresses("web"), left.addresses("client")
    # what a container does at once works: whoever made it waited until the other node knew
    for host, name, targets in ((left, "client", web_has), (right, "web", client_has)):
        for address in targets:
            host.execute(name, "ping", "-c", "1", "-W", "2", address)
    client, stranger, web = Inside(a, "client"), Inside(a, "stranger"), Inside(b, "web")
    for address in web_has:
        assert tcp_works(client, web, address, payload=b"x" * 300000)
        assert udp_works(client, web, address)
    with contextlib.closing(Answerer(web, "web", 8080)):
        wait_until(lambda: try_tcp(client, VIP, 80) == "web", 10, what="the service")
        for address in web_has:
            assert try_tcp(stranger, address, 8080) == "web"
        a.apply(allow_from("only", {NAME: "web"}, {NAME: "client"}))
        wait_until(lambda: try_tcp(stranger, web_has[0], 8080) == "silent", 10, what="the policy")
        for address in (*web_has, VIP):
            number = 80 if address == VIP else 8080
            assert ask_tcp(client, address, number).name == "web"
            assert try_tcp(stranger, address, number) == "silent"
        b.kill_daemon()
        assert ask_tcp(client, web_has[0], 8080).name == "web"
        cluster.start(b)
    a.api("DELETE", "/v1/documents/NetworkPolicy/default%2Fonly")
    assert [len(backends(node)) for node in cluster.nodes] == [1, 1]
    for host in hosts:
        host.run("rm", "-f", "-t", "0", "-a")
    for node in cluster.nodes:
        wait_until(lambda n=node: not n.endpoints() and not backends(n), 10, what="nothing is left")


def test_containers_of_two_nodes_talk(hosts, cluster):
    cluster.nodes[0].apply(service("shop", ports=[{"port": 80, "targetPort": 8080}], dual=False,
                                   selector={NAME: "web"}, clusterIP=VIP))
    for network in NETWORKS:
        check(hosts, cluster, network)
