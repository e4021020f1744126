# SPDX-License-Identifier: Apache-2.0
"""Encryption of what hosts themselves send each other, and nothing of it in clear beside that.

      [ node a: shouter, client ] ---- wire, on which the test listens ---- [ node b: server ]
"""
import contextlib
import os
import shutil
import socket
import threading
import time

import pytest

from lib.answer import Answerer, Session, ask_tcp, try_tcp, try_udp
from lib.cluster import Underlay
from lib.encryption import (HOSTS, MARKER, PORT, Shouter, Tap, encryption, programs, restart, seals,
                            turn_on)
from lib.netns import wait_until
from lib.service import bound, port, service, slice_of
from lib.wire import IP, UDP, send, vxlan

pytestmark = [
    pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed"),
    pytest.mark.skipif(not shutil.which("wireguard-go"), reason="wireguard-go is not installed"),
]

BOTH = pytest.mark.parametrize("cluster", [(Underlay.join,) * 2, (Underlay.join6,) * 2],
                               indirect=True, ids=["ip4", "ip6"])


def shout(node, other):
    return Shouter(node.host, other.wire_address)


class Between(Tap):
    """Only what two nodes of IPv4 send each other: with the marker, and in fragments."""

    def __init__(self, ns, *nodes):
        self.ends = {socket.inet_aton(node.wire_address) for node in nodes}
        self.fragments = 0
        super().__init__(ns)

    def look(self, frame):
        if frame[12:14] == b"\x08\x00" and {frame[26:30], frame[30:34]} == self.ends:
            self.fragments += bool(int.from_bytes(frame[20:22], "big") & 0x3fff)
            super().look(frame)


class Watch:
    """Both hosts shout at each other while something happens, and nobody reads it."""

    def __init__(self, cluster):
        a, b = cluster.nodes[:2]
        self.tap = Tap(cluster.underlay.ns)
        self.shouters = [shout(a, b), shout(b, a)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for shouter in self.shouters:
            shouter.close()
        time.sleep(0.2)
        self.tap.close()
        assert all(shouter.sent for shouter in self.shouters)
        assert self.tap.clear == 0, f"{self.tap.clear} of {self.tap.frames} frames in clear"


def transfer(client, server, number=PORT, size=1 << 20):
    """Sends the marker, many times, through TCP from host to host."""
    address = server.wire_address
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    left = size // len(MARKER) * len(MARKER)
    with server.host.socket(family, socket.SOCK_STREAM) as listener, \
            client.host.socket(family, socket.SOCK_STREAM) as sock:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, number))
        listener.listen()
        for each in (listener, sock):
            each.settimeout(10)
        sock.connect((address, number))
        taken, _ = listener.accept()
        sender = threading.Thread(target=sock.sendall, args=(MARKER * (size // len(MARKER)),),
                                  daemon=True)
        sender.start()
        with taken:
            taken.settimeout(10)
            while left:
                part = taken.recv(1 << 16)
                assert part
                left -= len(part)
        sender.join(10)


@BOTH
def test_hosts_talk_and_nobody_reads_it(cluster):
    a, b = cluster.nodes
    with Tap(cluster.underlay.ns) as tap:
        # the probe sees the marker of all of them while it is in clear
        with shout(a, b):
            wait_until(lambda: tap.clear > 10, 5, what="clear datagrams")
        tap.clear = 0
        transfer(a, b)
        wait_until(lambda: tap.clear > 10, 5, what="a clear connection")
    turn_on(cluster)
    with Tap(cluster.underlay.ns) as tap:
        for client, server in ((a, b), (b, a)):
            with contextlib.closing(Answerer(server.host, server.name)):
                assert ask_tcp(client.host, server.wire_address).name == server.name
                assert try_udp(client.host, server.wire_address) == server.name
            transfer(client, server)
            with shout(client, server) as shouter:
                wait_until(lambda s=shouter: s.sent > 100, 5, what="packets")
            # in fragments, inside and outside
            for size in (100, 1400, 1472, 4000):
                assert client.host.ping(server.wire_address, extra=("-s", str(size))), size
        time.sleep(0.2)
        assert tap.frames > 200 and tap.clear == 0


def test_one_alone_and_back(cluster):
    """Where one of the two does not say it, it is clear and works; in force as soon as it does."""
    a, b = cluster.nodes
    with contextlib.closing(Answerer(b.host, "b")), Tap(cluster.underlay.ns) as tap:
        restart(cluster, a, *HOSTS)
        wait_until(lambda: encryption(a).get("state") == "on", 10, 0.05, "a has a key")
        assert encryption(a)["hosts"] is True and seals(a, b) is False and seals(b, a) is False
        assert try_tcp(a.host, b.wire_address) == "b"
        with shout(a, b):
            wait_until(lambda: tap.clear > 10, 5, what="clear text")
        restart(cluster, b, *HOSTS)
        wait_until(lambda: seals(a, b) and seals(b, a), 10, 0.02, "both say it")
        wait_until(lambda: try_tcp(a.host, b.wire_address) == "b", 15, 0.1, "inside")
        tap.clear = 0
        with shout(a, b) as shouter:
            wait_until(lambda: shouter.sent > 100, 5, what="packets")
        time.sleep(0.2)
        assert tap.clear == 0
        # b takes it back
        restart(cluster, b)
        wait_until(lambda: seals(a, b) is False, 10, 0.02, "b does not say it any more")
        wait_until(lambda: try_tcp(a.host, b.wire_address) == "b", 10, 0.1, "clear again")
        assert "encryption-hosts" not in str(a.api("GET", "/v1/documents/Node/b"))
        with shout(b, a):
            wait_until(lambda: tap.clear > 10, 5, what="clear text")


def test_segments_fit(cluster):
    """TCP learns what fits, so that nothing is fragmented; what cannot learn it is."""
    a, b = cluster.nodes
    # a host answers probes of the path's MTU with packets that are as large, and sealed
    turn_on(cluster, "--node-probe-interval", "0")
    with Between(cluster.underlay.ns, a, b) as tap:
        transfer(a, b)
        time.sleep(0.2)
        assert tap.wireguard > 100 and tap.fragments == 0
        assert a.host.ping(b.wire_address, extra=("-s", "1472"))
        wait_until(lambda: tap.fragments, 5, what="fragments of what is larger")
        assert tap.clear == 0


@BOTH
def test_nothing_leaks_whatever_is_missing(cluster):
    """Programs, devices, routes and daemons are taken away, on one node and on the other."""
    a, b = cluster.nodes
    turn_on(cluster)

    def reached(what):
        wait_until(lambda: a.host.ping(b.wire_address), 30, 0.1, f"traffic after {what}")

    with Watch(cluster):
        for command in ("ip link del weft-wg0", "ip link set weft-wg0 down",
                        "tc qdisc del dev weft-wg0 clsact", "ip link del weft-overlay",
                        "ip -6 route flush table main proto 120"):
            a.run(command)
            reached(command)
        os.kill(programs(b)[0], 9)
        reached("the program was killed")
        a.kill_daemon()
        os.kill(programs(a)[0], 9)
        wait_until(lambda: not programs(a), 5, 0.01, "it is gone")
        wait_until(lambda: not a.host.ping(b.wire_address), 5, 0.1, "nothing passes")
        cluster.start(a, *HOSTS)
        reached("both were killed")
        # a key that the other one does not know yet
        b.stop_daemon()
        os.kill(programs(b)[0], 9)
        (b.state_dir / "wireguard.keys").unlink()
        cluster.start(b, *HOSTS)
        reached("another key")
        cluster.underlay.cut(b)
        time.sleep(1)
        cluster.underlay.cut(b, False)
        reached("the wire was cut")


def test_a_node_that_cannot_encrypt_sends_nothing(cluster):
    """Its WireGuard cannot have its port: dropped under a name, on both sides."""
    a, b = cluster.nodes
    turn_on(cluster)
    with Watch(cluster):
        a.stop_daemon()
        os.kill(programs(a)[0], 9)
        a.spawn_daemon("--store", cluster.underlay.etcd.url(), "--node-ip", a.wire_address, *HOSTS,
                       "--encryption-port", "4789")
        a.wait_ready()
        wait_until(lambda: encryption(a).get("state") == "failed", 10, 0.1, "it says so")
        before = a.drops("no_tunnel")
        assert not a.host.ping(b.wire_address)
        wait_until(lambda: a.drops("no_tunnel") > before, 5, 0.1, "drops with a name")
        # the store is still reached: it is an exception
        assert a.api("GET", "/v1/status")["store"]
        restart(cluster, a, *HOSTS)
        wait_until(lambda: a.host.ping(b.wire_address), 20, 0.1, "traffic")


def test_restart_and_rotation_interrupt_nothing(cluster):
    a, b = cluster.nodes
    turn_on(cluster)
    with contextlib.closing(Answerer(b.host, "b")), Watch(cluster), \
            Session(a.host, b.wire_address) as session:
        for node in cluster.nodes:
            node.kill_daemon()
            assert session.works()
            cluster.start(node, *HOSTS)
            assert session.works()
        for node in cluster.nodes:
            wait_until(lambda n=node: encryption(n).get("state") == "on", 10, 0.1, "it is on")
            before = encryption(node)["publicKey"]
            node.weft("node", "rotate-key")
            wait_until(lambda n=node, k=before: session.works() and
                       encryption(n).get("publicKey") not in (None, k) and
                       encryption(n)["state"] == "on", 60, 0.05, "another key")
        assert session.works() and try_tcp(a.host, b.wire_address) == "b"


def test_exceptions(cluster):
    """Named ports are in clear, both ways and both protocols; nobody begins anything from them."""
    a, b = cluster.nodes
    turn_on(cluster, "--encryption-hosts-clear", f"{PORT + 1},7000-7001")
    with contextlib.closing(Answerer(b.host, "b", port=7001)), Tap(cluster.underlay.ns) as tap:
        transfer(a, b)
        assert try_tcp(a.host, b.wire_address, 7001) == "b"
        assert try_udp(a.host, b.wire_address, 7001) == "b"
        time.sleep(0.2)
        assert tap.clear == 0
        transfer(a, b, PORT + 1)
        wait_until(lambda: tap.clear > 10, 5, what="clear text of the exception")
        time.sleep(0.2)
        tap.clear = 0
        # from such a port: what begins goes inside
        with contextlib.closing(Answerer(b.host, "b", port=7500, greeting=MARKER + b"\n")), \
                a.host.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((a.wire_address, 7000))
            sock.settimeout(1)
            with contextlib.suppress(TimeoutError):
                sock.connect((b.wire_address, 7500))
                sock.recv(100)
        # the store's own port is one without being named
        assert a.api("GET", "/v1/status")["store"]


def test_what_comes_in_clear_is_refused(cluster):
    """Somebody on the wire speaks as the other node; and a node that speaks as a third one."""
    a, b = cluster.nodes
    far = cluster.underlay.ns
    forged = (IP(src=a.wire_address, dst=b.wire_address) / UDP(sport=9, dport=PORT) / b"forged")
    with bound(b.host, 4, socket.SOCK_DGRAM, PORT, timeout=1) as sink:
        send(far, forged)
        assert sink.recv(100) == b"forged"
        turn_on(cluster)
        before = b.drops("host_clear")
        send(far, forged)
        wait_until(lambda: b.drops("host_clear") > before, 5, 0.05, "it is refused")
        # what a itself sends comes; nothing has come before it
        with a.host.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"true", (b.wire_address, PORT))
        assert sink.recv(100) == b"true"
    # the address of nobody, through a's own tunnel: by the overlay's device, as network 0
    tunnels = [encryption(node)["address"] for node in (a, b)]
    with bound(b.host, 4, socket.SOCK_DGRAM, PORT, timeout=1) as sink:
        for source, wanted in (("10.9.0.77", None), (a.wire_address, b"inside")):
            inner = IP(src=source, dst=b.wire_address) / UDP(sport=9, dport=PORT) / b"inside"
            before = b.drops("overlay_spoofed")
            send(a.host, vxlan(0, inner, *tunnels, check=None))
            if wanted:
                assert sink.recv(100) == wanted
            else:
                wait_until(lambda n=before: b.drops("overlay_spoofed") > n, 5, 0.05, "refused")


def test_services_and_containers(cluster):
    """A node port, a published port, and a container that shows its host's address."""
    a, b = cluster.nodes
    turn_on(cluster)
    cluster.network("local", subnets=[{"cidr": "10.71.0.0/24"}])
    web, *_ = b.container("local", name="web",
                          publish=[{"hostPort": 8081, "containerPort": 8080}])
    client, *_ = a.container("local", name="client")
    with Watch(cluster), \
            contextlib.closing(Answerer(web, "web", greeting=b'{"name":"web","peer":["::",1]}\n'
                                        )), \
            contextlib.closing(Answerer(b.host, "b", port=8090)):
        assert ask_tcp(a.host, b.wire_address, 8081).name == "web"
        assert ask_tcp(client, b.wire_address, 8081).name == "web"
        seen = ask_tcp(client, b.wire_address, 8090)
        assert (seen.name, seen.peer) == ("b", a.wire_address)
        with Shouter(client, b.wire_address) as shouter:
            wait_until(lambda: shouter.sent > 100, 5, what="packets of the container")


@pytest.mark.parametrize("xdp", ["off", "auto"])
def test_a_client_of_one_node_is_served_by_the_host_of_another(cluster, xdp):
    """What the one node sends on to the other's host goes inside, past XDP too."""
    a, b = cluster.nodes
    far = cluster.underlay.ns
    turn_on(cluster, "--xdp", xdp)
    a.host.sysctl("net.ipv4.ip_forward", 1)
    for document in (service("web", [port(80, 8090, "tcp", node_port=30080)], type="NodePort",
                             dual=False),
                     slice_of("web", [b.wire_address], ports=[("tcp", 8090, "TCP")])):
        a.apply(document)
    with contextlib.closing(Answerer(b.host, "b", port=8090)), \
            Between(cluster.underlay.ns, a, b) as tap:
        wait_until(lambda: try_tcp(far, a.wire_address, 30080) == "b", 10, 0.1, "it is served")
        tap.wireguard = 0
        with Session(far, a.wire_address, 30080) as session:
            session.sock.sendall(MARKER + b"\n")
            assert session.sock.recv(100).startswith(MARKER)
        wait_until(lambda: tap.wireguard >= 4, 5, what="it went inside")
        time.sleep(0.2)
        assert tap.clear == 0


def test_cleanup_takes_it_back(cluster):
    a, b = cluster.nodes
    turn_on(cluster)
    with contextlib.closing(Answerer(b.host, "b")):
        b.stop_daemon()
        b.weft(*b.cleanup_command())
        wait_until(lambda: not programs(b), 5, 0.05, "the program is gone")
        cluster.start(b)
        wait_until(lambda: try_tcp(a.host, b.wire_address) == "b", 20, 0.1, "clear again")


@pytest.mark.parametrize("ports", ["0", "65536", "ssh", "20-10", "22,x"])
def test_ports_that_are_none(stopped_node, ports):
    done = stopped_node.run(stopped_node.daemon_command("--encryption-hosts-clear", ports, "--check"),
                            check=False)
    assert done.returncode == 2 and "encryption-hosts-clear" in done.stderr
