# SPDX-License-Identifier: Apache-2.0
"""An attach returns when the other nodes know of it: a packet is not faster than the news.

      node a (10.9.0.1) --------+
      node b (10.9.0.2) - relay +--- bridge in the underlay's namespace, 10.9.0.254: etcd

The relay takes its time with what b and etcd say to each other; containers' packets pass at once.
"""
import shutil
import threading
import time

import pytest

from lib.answer import Answerer, try_udp
from lib.cluster import OVERLAY, Cluster, members, wait_known
from lib.etcd import CLIENT_PORT
from lib.netns import wait_until
from lib.relay import tcp_ports

pytestmark = pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed")

LATE_S = 1.0
WAITS, EXPIRED = "weft_attach_waits_total", "weft_attach_waits_expired_total"


def is_store(frame):
    """TCP from or to etcd."""
    return CLIENT_PORT in tcp_ports(frame)


@pytest.fixture
def pair(new_node, underlay, request):
    """Nodes a and b; a is started with the options of the parameter. A server runs on b."""
    made = Cluster([new_node("a"), new_node("b")], underlay)
    a, b = made.nodes
    a.wire_address = underlay.join(a)
    b.wire_address = underlay.join(b, relayed=True)
    b.relay.slow = is_store
    made.start(a, *getattr(request, "param", ()))
    made.start(b)
    made.network(**OVERLAY)
    server, address, _ = b.container("over", name="db", labels={"app": "db"})
    wait_known(a, "db")
    answerer = Answerer(server, "db")
    made.server = address
    yield made
    answerer.close()


def first_packet(cluster, name):
    """What becomes of the very first datagram of a new container on a; and what attach took."""
    a, _ = cluster.nodes
    ns = a.new_netns()
    begun = time.monotonic()
    a.attach(ns, "over", name=name)
    took = time.monotonic() - begun
    return try_udp(ns, cluster.server, timeout=LATE_S / 2), took


def is_fast(cluster):
    """With time for the news the packet arrives: it is lost for no other reason."""
    a, b = cluster.nodes
    ns, _, endpoint = a.container("over")
    wait_known(b, endpoint["metadata"]["name"])
    return try_udp(ns, cluster.server) == "db"


def answers(node, other):
    """One attach was waited for to its end: from here on they know each other."""
    def is_heard():
        ns = node.new_netns()
        waits, expired = node.metric(WAITS), node.metric(EXPIRED)
        node.attach(ns, "over", name=f"try-{ns.name}")
        return (node.metric(WAITS), node.metric(EXPIRED)) == (waits + 1, expired)

    wait_until(is_heard, 30, 1.5, f"{other} answers {node.name}")


@pytest.mark.parametrize("pair", [("--attach-wait", "0")], indirect=True)
def test_without_waiting_the_first_packet_is_lost(pair):
    _, b = pair.nodes
    wait_until(lambda: is_fast(pair), 10, what="a first packet that is slower than the news")
    spoofed = b.drops("overlay_spoofed")
    b.relay.delay = LATE_S
    outcome, _ = first_packet(pair, "web")
    assert outcome == "silent"
    assert b.drops("overlay_spoofed") > spoofed
    b.relay.delay = 0


@pytest.mark.parametrize("pair", [("--attach-wait", "10s")], indirect=True)
def test_the_first_packet_arrives(pair):
    a, b = pair.nodes
    answers(a, "b")
    for turn in range(5):
        assert first_packet(pair, f"quick-{turn}")[0] == "db"
    expired = a.metric(EXPIRED)
    b.relay.delay = LATE_S
    outcome, took = first_packet(pair, "web")
    b.relay.delay = 0
    assert outcome == "db"
    assert LATE_S * 0.9 < took < 10
    assert a.metric(EXPIRED) == expired


@pytest.mark.parametrize("pair", [("--attach-wait", "3s")], indirect=True)
def test_nothing_else_waits(pair):
    """While an attach waits its node answers others, and a client that goes away is no harm."""
    a, b = pair.nodes
    answers(a, "b")
    b.relay.delay = LATE_S
    spaces = [a.new_netns() for _ in range(4)]
    took = {}

    def attach(number):
        begun = time.monotonic()
        a.attach(spaces[number], "over", name=f"at-once-{number}")
        took[number] = time.monotonic() - begun

    threads = [threading.Thread(target=attach, args=(number,)) for number in range(3)]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    wait_until(lambda: len([name for name in members(a) if name.startswith("at-once-")]) == 3,
               3, 0.01, "they are attached")
    assert len(took) == 0, "the attaches were to wait now"
    seen = time.monotonic() - begun
    # one that does not stay for the answer
    with pytest.raises(OSError):
        a.api("POST", "/v1/endpoints", {"network": "over", "netns": spaces[3].path,
                                        "owner": "cli", "name": "gone"}, timeout=0.3)
    for thread in threads:
        thread.join()
    assert seen < LATE_S
    assert all(LATE_S * 0.9 < value < 2.9 for value in took.values()), took
    assert a.weft_json("status")
    wait_known(b, "gone")
    b.relay.delay = 0


@pytest.mark.parametrize("pair", [("--attach-wait", "1s")], indirect=True)
def test_a_node_that_is_gone_costs_the_wait_once(pair):
    a, b = pair.nodes
    answers(a, "b")
    expired = a.metric(EXPIRED)
    pair.underlay.cut(b)
    _, took = first_packet(pair, "first")
    assert took > 0.9 and a.metric(EXPIRED) == expired + 1
    waits = a.metric(WAITS)
    for turn in range(3):
        first_packet(pair, f"next-{turn}")
    assert a.metric(WAITS) == waits
    a.expect_errors("did not say in time")
    pair.underlay.cut(b, on=False)
    answers(a, "b")
