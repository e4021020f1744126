# SPDX-License-Identifier: Apache-2.0
"""Devices that get checksums inside the tunnel wrong are found out, and done without.

Topology: lib/cluster.py, two nodes with a container each. The device of a (lib/relay.py) finishes the
checksums that are left to it, but not those inside VXLAN; in either direction, so that each of the
nodes has to find out for itself.
"""
import os
import random
import shutil
import time

import pytest

from lib.cluster import OVERLAY, Cluster, Underlay, listed, wait_known
from lib.netns import wait_until
from lib.relay import TCP, CarelessDevice, transport
from lib.traffic import tcp_works, udp_works

pytestmark = [pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed"),
              pytest.mark.skipif(not shutil.which("ethtool"), reason="ethtool is not installed")]

# what finding out takes: a round of six intervals, two after a second each, and a slow machine
FOUND_SECONDS = 40


def start(cluster, node, how="auto"):
    if node.daemon:
        node.stop_daemon()
    cluster.start(node, "--node-probe-interval", "1s", "--overlay-checksum", how)


def checksums(node, name=None):
    """What a node says of another one; of itself who makes them, and why."""
    return listed(node, name or node.name).get("checksums", {})


def other(node):
    return "b" if node.name == "a" else "a"


def wait_state(cluster, state):
    for node in cluster.nodes:
        wait_until(lambda n=node: checksums(n, other(n)).get("state") == state, FOUND_SECONDS, 0.2,
                   f"the way from {node.name} is {state}")


def left_to_devices(node):
    return "tx-checksumming: on" in node.run("ethtool -k weft-overlay").stdout


def works(ends):
    """Whether TCP and UDP of both families pass, each way."""
    return all(tcp_works(one[0], two[0], address, 9000, timeout=3,
                         payload=os.urandom(256 << 10)) and
               udp_works(one[0], two[0], address, 9001)
               for one, two in (ends, ends[::-1]) for address in two[1:])


def fails(ends):
    return not any(tcp_works(one[0], two[0], address, 9000) or
                   udp_works(one[0], two[0], address, 9001)
                   for one, two in (ends, ends[::-1]) for address in two[1:])


def joined(new_node, underlay, join, how):
    cluster = Cluster([new_node(name) for name in "ab"], underlay)
    for node in cluster.nodes:
        node.wire_address = join(underlay, node)
        start(cluster, node, how)
    cluster.network(**OVERLAY)
    cluster.ends = []
    for node, name in zip(cluster.nodes, ("web", "db")):
        ns, v4, endpoint = node.container("over", name=name)
        cluster.ends.append((ns, v4, node.address_of(endpoint, 6)))
    wait_known(cluster.nodes[0], "db")
    wait_known(cluster.nodes[1], "web")
    for address in cluster.ends[1][1:]:
        wait_until(lambda to=address: cluster.ends[0][0].ping(to), 10, 0.1, "the way")
    return cluster


@pytest.fixture(params=[Underlay.join, Underlay.join6], ids=["ipv4", "ipv6"])
def careless(request, new_node, underlay):
    """A cluster whose first node has such a device; nobody looks for it yet."""
    cluster = joined(new_node, underlay, request.param, "device")
    a = cluster.nodes[0]
    cluster.is_ip4 = request.param == Underlay.join
    cluster.device = CarelessDevice(underlay.ns, a, a.wire_port)
    try:
        wait_until(lambda: cluster.ends[0][0].ping(cluster.ends[1][1]), 15, 0.2, "the way")
        yield cluster
    finally:
        cluster.device.close()


@pytest.mark.slow
def test_it_is_found_out(careless):
    """Without anybody's doing traffic comes to work; state, log, metrics and doctor say why."""
    a, b = careless.nodes
    assert fails(careless.ends)
    for node in careless.nodes:
        start(careless, node)
    wait_state(careless, "broken")
    assert works(careless.ends)
    for node in careless.nodes:
        assert not left_to_devices(node)
        assert checksums(node) == {"by": "kernel", "because": "detected", "nodes": [other(node)],
                                   "devices": ["up0"]}
        assert f"arrive wrong: the kernel makes them from now on device=up0 nodes={other(node)}" \
            in node.log_text()
        metrics = node.metrics()
        assert metrics["weft_overlay_checksums_by_kernel"] == 1
        assert metrics[f'weft_node_checksums_broken{{node="{other(node)}"}}'] == 1
    assert "alive, wrong checksums" in a.weft("node", "ls").stdout
    assert "(up0) arrive wrong at b: the kernel makes them" in a.weft("doctor", check=False).stdout
    # a weftd that is started anew goes on with it, from its first moment on
    start(careless, a)
    assert checksums(a)["because"] in ("remembered", "detected")
    assert works(careless.ends)
    wait_until(lambda: checksums(a)["because"] ==
               ("detected" if careless.is_ip4 else "remembered"), FOUND_SECONDS, 0.2, "found again")
    # it is put back when it is told so
    for node in careless.nodes:
        start(careless, node, "device")
        assert checksums(node)["by"] == "device" and left_to_devices(node)
    assert fails(careless.ends)
    for node in careless.nodes:
        start(careless, node, "software")
        assert checksums(node)["because"] == "option" and not left_to_devices(node)
    assert works(careless.ends)


@pytest.mark.slow
@pytest.mark.parametrize("careless", [Underlay.join], indirect=True, ids=["ipv4"])
def test_a_device_that_was_repaired(careless):
    a, b = careless.nodes
    for node in careless.nodes:
        start(careless, node)
    wait_state(careless, "broken")
    assert works(careless.ends)
    careless.device.is_careful = True
    wait_state(careless, "sound")
    for node in careless.nodes:
        assert checksums(node) == {"by": "device", "nodes": [], "devices": []}
        assert left_to_devices(node)
        assert "left to devices again" in node.log_text()
    assert works(careless.ends)
    # and one that breaks while all is well
    careless.device.is_careful = False
    wait_state(careless, "broken")
    assert works(careless.ends)


@pytest.mark.slow
@pytest.mark.parametrize("join", [Underlay.join, Underlay.join6], ids=["ipv4", "ipv6"])
def test_an_ordinary_device(new_node, underlay, join):
    """Nothing is changed, and nothing is taken for what it is not while half of all is lost."""
    cluster = joined(new_node, underlay, lambda at, node: join_relayed(at, node, join), "auto")
    wait_state(cluster, "sound")
    assert works(cluster.ends)
    chance = random.Random(4711)
    for node in cluster.nodes:
        # etcd goes on: it is not what this is about
        node.relay.is_lost = lambda frame: (transport(frame) or (TCP,))[0] != TCP and \
            chance.random() < 0.3
    # two relays, each of which loses three in ten, on a way there and back again
    until = time.monotonic() + 15
    worst = 0
    while time.monotonic() < until:
        for node in cluster.nodes:
            assert checksums(node)["by"] == "device"
            assert checksums(node, other(node))["state"] == "sound"
            worst = max(worst, listed(node, other(node))["path"]["lossPercent"])
        time.sleep(0.1)
    assert worst >= 50
    for node in cluster.nodes:
        node.relay.is_lost = None
        assert left_to_devices(node)
        assert "arrive wrong" not in node.log_text()


def join_relayed(underlay, node, join):
    underlay.join(node, relayed=True)
    return f"10.9.0.{underlay.count}" if join is Underlay.join else f"fd09::{underlay.count}"
