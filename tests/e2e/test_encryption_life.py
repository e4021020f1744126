# SPDX-License-Identifier: Apache-2.0
"""Encrypted networks over time: endpoints that end while they talk, frames that come twice, nodes
that start again and again.

      web -- [ node a ] ---- wire, on which the test listens and sends ---- [ node b ] -- db
"""
import os
import shutil
import socket
import time

import pytest

from lib.cluster import members, wait_known
from lib.encryption import (MARKER, PORT, V4, V6, Shouter, Tap, encryption, ends, is_wireguard, lay,
                            programs, wait_on)
from lib.netns import wait_until
from lib.service import bound

pytestmark = [
    pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed"),
    pytest.mark.skipif(not shutil.which("wireguard-go"), reason="wireguard-go is not installed"),
]

OPEN4, OPEN6 = "10.51.0.0/24", "fd51::/64"
STARTS = 6
BACK_S = 2.0  # of most; a handshake that gets lost is tried again after five


@pytest.fixture
def pair(cluster):
    lay(cluster, "over", V4, V6, encryption="wireguard")
    wait_on(cluster)
    return ends(cluster, "over")


def end(how, cluster, ns, name, sockets):
    """Ends an endpoint of a; where its sockets keep the namespace they go on sending."""
    a = cluster.nodes[0]
    if how == "daemon away":
        a.kill_daemon()
    if how == "detached":
        a.detach(name)
    else:
        ns.remove()
    if how == "namespace gone":
        sockets.close()
    if how == "daemon away":
        cluster.start(a)


def test_endpoints_that_end_while_they_talk(cluster, pair):
    """Down to the last packet, and those that are sent to them, nothing is in clear."""
    a, b = cluster.nodes
    db, db4, db6 = pair[1]
    lay(cluster, "plain", OPEN4, OPEN6)
    # the session is there: two that begin one at the same instant may have to try again, seconds later
    assert wait_until(lambda: pair[0][0].ping(db4), 20, 0.1, "the session")
    (open_web, *_), (_, open4, open6) = ends(cluster, "plain")
    with Tap(cluster.underlay.ns) as tap:
        # the probe sees the marker where it is in clear
        with Shouter(open_web, open4, open6):
            wait_until(lambda: tap.clear > 10, 5, what="clear text of the other network")
        time.sleep(0.2)
        tap.clear = 0
        for number, how in enumerate(("detached", "namespace gone", "daemon away")):
            name = f"ends{number}"
            ns, v4, endpoint = a.container("over", name=name)
            v6 = a.address_of(endpoint, 6)
            wait_known(b, name)
            tap.wireguard = 0
            with Shouter(ns, db4, db6) as out, Shouter(db, v4, v6) as back:
                wait_until(lambda: tap.wireguard > 50, 10, what="packets inside")
                end(how, cluster, ns, name, out)
                wait_until(lambda n=name: n not in members(b, "over"), 10, what="it is gone")
                sent = back.sent
                wait_until(lambda s=back, n=sent: s.sent > n + 100, 5, what="packets to nobody")
                # somebody else gets its address, on the other node
                b.container("over", name=f"heir{number}", addresses=[v4])
                wait_known(a, f"heir{number}")
                wait_until(lambda s=back, n=sent: s.sent > n + 200, 5, what="packets to the heir")
        time.sleep(0.2)
        assert tap.clear == 0


class Recorder(Tap):
    """Keeps what is wanted of what comes from a node."""

    def __init__(self, ns, device, is_wanted):
        self.kept, self.is_wanted = [], is_wanted
        super().__init__(ns, device)

    def look(self, frame):
        if self.is_wanted(frame):
            self.kept.append(frame)


def is_data(frame):
    """A packet inside WireGuard, not what keeps the session: type 4, and more than nothing in it."""
    return is_wireguard(frame) and frame[42] == 4 and len(frame) > 110


def count(sink):
    """How many more markers come."""
    for number in range(1000):
        try:
            assert sink.recv(100) == MARKER
        except TimeoutError:
            return number
    return 1000


def test_what_was_sent_before_is_not_taken_again(cluster, pair):
    """Frames that somebody has kept from the wire, and sends: the first time, and once more."""
    a, b = cluster.nodes
    far = cluster.underlay.ns
    (web, *_), (db, db4, _) = pair
    lay(cluster, "plain", OPEN4, OPEN6)
    (open_web, *_), (open_db, open4, _) = ends(cluster, "plain")
    # frames on the wire are whole, with their checksums
    a.run("ethtool -K up0 tx off")

    def twice(sender, receiver, address, is_wanted):
        assert sender.ping(address)
        with bound(receiver, 4, socket.SOCK_DGRAM, PORT, timeout=0.5) as sink, \
                sender.socket(socket.AF_INET, socket.SOCK_DGRAM) as source, \
                far.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
            far.run(f"ip link set {b.wire_port} nomaster")
            with Recorder(far, a.wire_port, is_wanted) as recorder:
                for _ in range(20):
                    source.sendto(MARKER, (address, PORT))
                wait_until(lambda: len(recorder.kept) >= 20, 5, what="the frames on the wire")
            assert count(sink) == 0
            wire.bind((b.wire_port, 0))
            came = []
            for _ in range(2):
                for frame in recorder.kept:
                    wire.send(frame)
                came.append(count(sink))
            far.run(f"ip link set {b.wire_port} master wire")
        assert wait_until(lambda: sender.ping(address), 10, 0.1, "the way as before")
        return came

    assert twice(open_web, open_db, open4, lambda frame: MARKER in frame) == [20, 20]
    assert twice(web, db, db4, is_data) == [20, 0]


def test_a_node_that_starts_again_and_again(cluster, pair):
    """As after a crash of the whole node: neither daemon nor program, nor device nor routes."""
    a, _ = cluster.nodes
    (web, *_), (_, db4, db6) = pair
    assert web.ping(db4)
    took = []
    with Tap(cluster.underlay.ns) as tap, Shouter(web, db4, db6):
        for _ in range(STARTS):
            a.kill_daemon()
            os.kill(programs(a)[0], 9)
            wait_until(lambda: not programs(a), 5, 0.01, "the program is gone")
            cluster.start(a)
            begun = time.monotonic()
            wait_until(lambda: programs(a), 10, 0.01, "the program is started")
            wait_until(lambda: web.ping(db4) and web.ping(db6), 20, 0.02, "traffic is back")
            took.append(time.monotonic() - begun)
        assert tap.clear == 0
    assert sorted(took)[STARTS // 2] < BACK_S, took


def has_session(node, other):
    return encryption(node, other.name).get("handshakeSeconds") is not None


def test_a_session_is_there_before_anybody_waits_for_it(cluster, pair):
    """Nodes greet each other, one after the other: handshakes that cross would cost five seconds."""
    pairs = [cluster.nodes, cluster.nodes[::-1]]
    for node, other in pairs:
        wait_until(lambda n=node, o=other: has_session(n, o), 8, 0.05, "a session without traffic")
    (web, web4, _), (db, db4, _) = pair
    for (node, _), sender, address in zip(pairs, (db, web), (web4, db4)):
        assert sender.ping(address)
        old = programs(node)
        os.kill(old[0], 9)
        wait_until(lambda n=node, o=old: set(programs(n)) - set(o), 10, 0.01, "it is back")
        # the other one has a session that is good for nothing, and would notice after 15 s
        wait_until(lambda s=sender, a=address: s.ping(a), 5, 0.05, "traffic is back")
