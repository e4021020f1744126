# SPDX-License-Identifier: Apache-2.0
"""A node's key is changed for another one, while traffic goes on.

      web -- [ node a ] ---- wire, on which the test listens ---- [ node b ] -- db
"""
import contextlib
import shutil
import socket
import stat
import threading
import time

import pytest

from lib.encryption import (MARKER, PORT, SO_RCVBUFFORCE, V4, V6, Inside, Tap, encryption, ends, lay,
                            programs, wait_on)
from lib.netns import wait_until
from lib.node import ApiError
from lib.service import bound

pytestmark = [
    pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed"),
    pytest.mark.skipif(not shutil.which("wireguard-go"), reason="wireguard-go is not installed"),
]


@pytest.fixture
def pair(cluster):
    lay(cluster, "over", V4, V6, encryption="wireguard")
    wait_on(cluster)
    return ends(cluster, "over")


class Stream:
    """Numbered packets from one container to another; which of them did not come."""

    def __init__(self, sender, receiver, address, every=0.001):
        self.every = every
        self.sink = receiver.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sink.bind((address, PORT + 1))
        self.sink.settimeout(0.2)
        self.sink.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        self.source = sender.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.source.connect((address, PORT + 1))
        self.sent, self.seen, self.stopped = 0, set(), False
        self.threads = [threading.Thread(target=run, daemon=True)
                        for run in (self.receive, self.send)]
        for thread in self.threads:
            thread.start()

    def send(self):
        while not self.stopped:
            with contextlib.suppress(OSError):
                self.source.send(self.sent.to_bytes(4, "big") + MARKER)
            self.sent += 1
            time.sleep(self.every)

    def receive(self):
        while True:
            try:
                self.seen.add(int.from_bytes(self.sink.recv(100)[:4], "big"))
            except TimeoutError:
                if self.stopped:
                    return

    def finish(self):
        """The numbers that are missing."""
        self.stopped = True
        for thread in reversed(self.threads):
            thread.join(5)
        self.source.close()
        self.sink.close()
        return [number for number in range(self.sent) if number not in self.seen]


def rotated(node, before):
    now = encryption(node)
    return now.get("state") == "on" and now["publicKey"] != before


def test_key_is_changed_without_loss(cluster, pair):
    """First of one node, then of both at the same time."""
    a, b = cluster.nodes
    (web, web4, _), (db, db4, _) = pair
    assert web.ping(db4)
    # the meter sees what is lost
    control = Stream(web, db, db4)
    time.sleep(0.3)
    cluster.underlay.cut(b)
    time.sleep(0.1)
    cluster.underlay.cut(b, False)
    wait_until(lambda: web.ping(db4), 10, 0.05, "traffic")
    assert control.finish()
    streams = [Stream(web, db, db4), Stream(db, web, web4)]
    with Tap(cluster.underlay.ns) as tap:
        for nodes in ((a,), (a, b)):
            before = {node.name: encryption(node)["publicKey"] for node in nodes}
            for node in nodes:
                node.weft("node", "rotate-key")
            for node in nodes:
                wait_until(lambda n=node: rotated(n, before[n.name]), 60, 0.2,
                           f"{node.name} has another key")
        assert tap.clear == 0
    for stream in streams:
        lost = stream.finish()
        assert stream.sent > 10000 and not lost, (len(lost), stream.sent, lost[:10])
    for node in (a, b):
        wait_until(lambda n=node: len(programs(n)) == 1, 5, 0.02, "the former program is gone")
        assert len((node.state_dir / "wireguard.keys").read_text().splitlines()) == 1
    # with outer headers until everybody must have heard of the new key; a's has the first name again
    bare, outer = Inside(a).count(web, db4)
    assert outer >= 5 and bare == 0
    keys = a.state_dir / "wireguard.keys"
    fields = keys.read_text().split()
    assert len(fields) == 5
    a.stop_daemon()
    keys.write_text(" ".join(fields[:4] + [str(int(fields[4]) - 300)]) + "\n")
    cluster.start(a)
    wait_until(lambda: Inside(a).count(web, db4)[0] >= 5, 10, 0.05, "packets as they are")
    for node in (a, b):
        assert stat.S_IMODE((node.state_dir / "wireguard.keys").stat().st_mode) == 0o600


def test_key_change_goes_on_after_a_restart(cluster, pair):
    a, b = cluster.nodes
    (web, *_), (_, db4, _) = pair
    assert web.ping(db4)
    before = encryption(a)["publicKey"]
    a.weft("node", "rotate-key")
    wait_until(lambda: encryption(a)["state"] == "changing key", 5, 0.01, "it has begun")
    with pytest.raises(ApiError) as refused:
        a.api("POST", "/v1/nodes/rotate-key")
    assert refused.value.code == "EBUSY"
    a.kill_daemon()
    assert web.ping(db4)
    cluster.start(a)
    assert web.ping(db4)
    wait_until(lambda: rotated(a, before), 60, 0.2, "another key")
    assert web.ping(db4)
    wait_until(lambda: len(programs(a)) == 1, 5, 0.02, "the former program is gone")


def test_key_is_changed_by_age(cluster, pair):
    a, b = cluster.nodes
    (web, *_), (_, db4, _) = pair
    assert web.ping(db4)
    before = encryption(a)["publicKey"]
    a.stop_daemon()
    cluster.start(a, "--encryption-rotate", "2s")
    wait_until(lambda: encryption(a).get("publicKey") not in (None, before), 40, 0.2,
               "another key")
    assert web.ping(db4)


def test_an_unanswered_key_is_not_used(cluster, pair):
    """Where the second port is closed the first key stays, and traffic goes on."""
    a, b = cluster.nodes
    (web, *_), (_, db4, _) = pair
    assert web.ping(db4)
    b.run("nft add table inet shut")
    b.run("nft add chain inet shut in { type filter hook input priority 0 ; }")
    b.run("nft add chain inet shut out { type filter hook output priority 0 ; }")
    b.run("nft add rule inet shut in udp sport 51821 drop")
    b.run("nft add rule inet shut out udp dport 51821 drop")
    before = encryption(a)["publicKey"]
    a.weft("node", "rotate-key")
    for _ in range(15):
        time.sleep(1)
        assert web.ping(db4)
    assert encryption(a)["publicKey"] == before
    b.run("nft delete table inet shut")
    wait_until(lambda: rotated(a, before), 60, 0.2, "another key")
    assert web.ping(db4)


def test_a_port_that_is_taken_stops_no_traffic(cluster, pair):
    a, _ = cluster.nodes
    (web, *_), (_, db4, _) = pair
    assert web.ping(db4)
    before = encryption(a)["publicKey"]
    with bound(a.host, 4, socket.SOCK_DGRAM, 51821):
        a.weft("node", "rotate-key")
        for _ in range(8):
            time.sleep(1)
            assert web.ping(db4)
        assert encryption(a)["publicKey"] == before
        assert encryption(a)["state"] == "changing key"
    wait_until(lambda: rotated(a, before), 60, 0.2, "another key")
    assert web.ping(db4)
