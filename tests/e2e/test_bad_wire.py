# SPDX-License-Identifier: Apache-2.0
"""A wire between nodes that loses, repeats, holds back and damages frames, the store's among them.

      web, stranger -- [ node a ] ---- bad wire ---- [ etcd, node b ] -- db
"""
import shutil
import socket
import time

import pytest

from lib.cluster import Cluster, listed, members, wait_known
from lib.encryption import lay, wait_on
from lib.netns import wait_until
from lib.policy import Prober, allow_from
from lib.relay import BadWire
from lib.service import bound
from lib.traffic import tcp_works

pytestmark = [
    pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed"),
    pytest.mark.skipif(not shutil.which("wireguard-go"), reason="wireguard-go is not installed"),
]

PORT, SEED = 7700, 20261129


@pytest.fixture
def pair(new_node, underlay):
    """Nodes a and b; a is on the other side of the wire, which is still good."""
    made = Cluster([new_node("a"), new_node("b")], underlay)
    a, b = made.nodes
    a.wire_address = underlay.join(a, relayed=True)
    b.wire_address = underlay.join(b)
    for node in made.nodes:
        made.start(node)
    return made


@pytest.mark.parametrize("spec", [{}, {"encryption": "wireguard"}], ids=["clear", "encrypted"])
def test_nothing_wrong_arrives_and_all_converges(pair, spec):
    a, b = pair.nodes
    lay(pair, "over", "10.50.0.0/24", "fd50::/64", **spec)
    if spec:
        wait_on(pair)
    web, *_ = a.container("over", name="web", labels={"app": "web"})
    stranger, *_ = a.container("over", name="stranger")
    db, address, _ = b.container("over", name="db", labels={"app": "db"})
    wait_known(a, "db")
    assert tcp_works(web, db, address)
    prober = Prober(stranger, db, address, PORT)
    wire = BadWire(SEED)
    try:
        # the probe sees what passes
        wait_until(lambda: len(prober.seen) > 20, 10, what="the stranger is heard")
        a.relay.spoil = wire
        assert tcp_works(web, db, address, payload=bytes(range(256)) * 4000, timeout=60)
        # what is said by the one is in force at the other
        a.apply(allow_from("only", {"app": "db"}, {"app": "web"}))
        wait_until(lambda: not prober.arrived_since(time.monotonic() - 0.5), 20, 0.1,
                   "the policy is in force")
        silent = time.monotonic()
        sent = prober.sent
        assert tcp_works(web, db, address, payload=bytes(range(256)) * 4000, timeout=60)
        b.container("over", name="late")
        wait_until(lambda: "late" in members(a, "over"), 20, 0.05, "news at the other end")
        wait_until(lambda: prober.sent > sent + 200, 10, what="the stranger goes on")
        assert not prober.arrived_since(silent)
        assert all(wire.done[what] > 20 for what in wire.odds), wire.done
        # with the wire good again nothing is left of it
        a.relay.spoil = None
        for node, other in ((a, "b"), (b, "a")):
            wait_until(lambda n=node, o=other: listed(n, o).get("state") == "alive", 20, 0.1,
                       f"{other} is alive")
        with bound(db, 4, socket.SOCK_DGRAM, PORT + 1, timeout=2) as sink, \
                web.socket(socket.AF_INET, socket.SOCK_DGRAM) as source:
            for number in range(200):
                source.sendto(str(number).encode(), (address, PORT + 1))
                assert sink.recv(100) == str(number).encode()
        assert not prober.arrived_since(silent)
    finally:
        prober.stop()
