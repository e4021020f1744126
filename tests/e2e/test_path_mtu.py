# SPDX-License-Identifier: Apache-2.0
"""A way between nodes that carries less than their devices: containers are told how large packets
may be, in ICMP, by the node that they are on.

Topology: lib/cluster.py, two nodes with containers. A port of the bridge between them takes less
than the devices do, and says nothing: what is larger is lost.
"""
import os
import shutil
import socket
import threading
import time

import pytest

from lib.cluster import OVERLAY, Cluster, listed, wait_known, wait_way
from lib.netns import wait_until
from lib.traffic import family_of, tcp_works
from lib.wire import ICMP, IP, UDP, Ether, ICMPv6PacketTooBig, IPv6, Raw, Wire

pytestmark = [pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed"),
              pytest.mark.skipif(not shutil.which("ethtool"), reason="ethtool is not installed")]

NARROW = 1350
ROUTED = {"driver": "routed", "subnets": [{"cidr": "10.51.0.0/24"}, {"cidr": "fd51::/64"}]}
# what the way carries of a container's packet, by network
CARRIED = {"over": NARROW - 50, "near": NARROW}

IP_MTU, IPV6_MTU = 14, 24
ICMP_PER_SECOND = 100


@pytest.fixture
def ends(new_node, underlay):
    """A network of each driver with a container on each of two nodes: {network: (ns, v4, v6) * 2}.

    Nobody asks yet how large packets may be.
    """
    cluster = Cluster([new_node(name) for name in "ab"], underlay)
    for node in cluster.nodes:
        node.wire_address = underlay.join(node)
        cluster.start(node, "--node-probe-interval", "0")
        # as packets are on a wire: none is larger than what the port looks at
        node.run("ethtool -K up0 tso off gso off")
        underlay.ns.run(f"ethtool -K {node.wire_port} gro off gso off tso off")
    made = {"cluster": cluster}
    for network, spec in (("over", OVERLAY), ("near", ROUTED)):
        cluster.network(network, **spec)
        made[network] = []
        for node, other, name in zip(cluster.nodes, "ba", ("web", "db")):
            if network == "near":
                wait_way(node, other, "segment")
            ns, v4, endpoint = node.container(network, name=f"{name}-{network}",
                                              labels={"app": f"{name}-{network}"})
            made[network].append((ns, v4, node.address_of(endpoint, 6)))
        wait_known(cluster.nodes[0], f"db-{network}", network)
        wait_known(cluster.nodes[1], f"web-{network}", network)
    return made


def narrow(cluster, mtu=NARROW):
    """As a switch does it: where the host's filters see what a bridge forwards, it would be cut."""
    port = cluster.nodes[1].wire_port
    for tables in ("iptables", "ip6tables"):
        cluster.underlay.ns.run(f"sysctl -qw net.bridge.bridge-nf-call-{tables}=0", check=False)
    # it takes a VLAN tag more
    cluster.underlay.ns.run(f"ip link set {port} mtu {mtu - 4}")


def look(cluster, *options):
    """From here on nodes ask each other how large packets may be; waits until they know."""
    for node in cluster.nodes:
        node.stop_daemon()
        cluster.start(node, "--node-probe-interval", "1s", *options)

    def known(node, other):
        path = listed(node, other).get("path", {})
        return path.get("mtu", 1500) < 1500 and not path["mtuSearch"]

    for node, other in zip(cluster.nodes, "ba"):
        wait_until(lambda n=node, o=other: known(n, o), 90, 0.2, f"{node.name} knows the way")
    assert listed(cluster.nodes[0], "b")["path"]["mtu"] == NARROW


def transfer(source, target, address, timeout=10, size=1 << 20, port=9000):
    return tcp_works(source, target, address, port, timeout=timeout, payload=os.urandom(size))


class Receiver:
    """Datagrams that arrive at a port, by their length."""

    def __init__(self, ns, family):
        self.sock = ns.socket(family, socket.SOCK_DGRAM)
        self.sock.bind(("", 9999))
        self.sock.settimeout(0.2)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def takes(self, send, size, tries):
        """Whether one of that size arrives, with that many attempts."""
        for _ in range(tries):
            try:
                send(bytes(size))
            except OSError:  # the sender was told just now
                send(bytes(size))
            try:
                while len(self.sock.recv(65536)) != size:
                    pass
                return True
            except TimeoutError:
                continue
        return False


def mtu_of(sock, family):
    level, option = ((socket.IPPROTO_IP, IP_MTU) if family == socket.AF_INET else
                     (socket.IPPROTO_IPV6, IPV6_MTU))
    return sock.getsockopt(level, option)


@pytest.mark.slow
def test_streams_and_datagrams_over_a_narrow_way(ends):
    cluster = ends["cluster"]
    a, b = cluster.nodes
    pairs = [(network, web[0], db[0], address) for network in CARRIED
             for web, db in [ends[network]] for address in db[1:]]
    for _, web, db, address in pairs:
        assert transfer(web, db, address), address
    narrow(cluster)
    # nobody says anything: large packets are lost, and with them every stream
    for _, web, db, address in pairs:
        assert web.ping(address) and not transfer(web, db, address, timeout=1.5), address
        with Receiver(db, family_of(address)) as receiver, \
                web.socket(family_of(address), socket.SOCK_DGRAM) as sock:
            sock.connect((address, 9999))
            assert receiver.takes(sock.send, 100, 5)
            assert not receiver.takes(sock.send, 1380, 3), address
    assert a.drops("too_big") == 0
    look(cluster)
    for network, web, db, address in pairs:
        # streams from before go on trying, and were told what was known on the way to here
        for version in (4, 6):
            web.run(f"ip -{version} route flush cache")
        family = family_of(address)
        with Receiver(db, family) as receiver, \
                web.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((address, 9999))
            # the first is answered, the next ones go in pieces that fit
            assert receiver.takes(sock.send, 1380, 5), address
            assert mtu_of(sock, family) == CARRIED[network], address
        assert transfer(web, db, address), address
        assert transfer(db, web, ends[network][0][1 if family == socket.AF_INET else 2])
    assert a.drops("too_big") >= len(pairs)
    # the host of one node and containers of the other
    for _, _, db, address in pairs:
        assert transfer(a.host, db, address), address
    # people are told as well
    assert "1350 of 1500" in a.weft("node", "ls").stdout
    assert "over to b: 1450 > 1300" in a.weft("doctor", "-o", "json", check=False).stdout


@pytest.mark.slow
def test_the_message(ends):
    """Its fields, whose it is, who gets none, and how many there are at most."""
    cluster = ends["cluster"]
    a = cluster.nodes[0]
    (web, web4, web6), (_, db4, db6) = ends["over"]
    narrow(cluster)
    look(cluster)
    carried = CARRIED["over"]
    gateway_mac = a.host.mac("weft0")
    with Wire(web) as wire:
        def frame(size, v6=False, flags="DF", **more):
            outer = (IPv6(src=web6, dst=db6) if v6 else
                     IP(src=web4, dst=db4, flags=flags, id=77, **more))
            head = Ether(src=wire.mac, dst=gateway_mac) / outer / UDP(sport=5, dport=6)
            return head / Raw(bytes(size + 14 - len(head)))

        def is_message(got):
            return ((ICMP in got and got[ICMP].type == 3 and got[ICMP].code == 4) or
                    ICMPv6PacketTooBig in got)

        told = wire.ask(frame(carried + 1), is_message)
        assert told and told[ICMP].nexthopmtu == carried
        assert (told[IP].src, told[IP].dst) == ("10.50.0.1", web4)
        quoted = IP(bytes(told[ICMP].payload))
        assert (quoted.id, quoted.len, quoted.dst, quoted[UDP].dport) == (77, carried + 1, db4, 6)
        again = IP(bytes(told[IP]))
        del again.chksum, again[ICMP].chksum
        assert bytes(IP(bytes(again))) == bytes(told[IP])
        told = wire.ask(frame(carried + 1, v6=True), is_message)
        assert told and told[ICMPv6PacketTooBig].mtu == carried
        assert (told[IPv6].src, told[IPv6].dst) == ("fd50::1", web6)
        sum_was = told[ICMPv6PacketTooBig].cksum
        again = IPv6(bytes(told[IPv6]))
        del again[ICMPv6PacketTooBig].cksum
        assert IPv6(bytes(again))[ICMPv6PacketTooBig].cksum == sum_was
        # what fits, and what may be cut on the way
        before = a.drops("too_big")
        for silent in (frame(carried), frame(carried, v6=True), frame(carried + 1, flags=0)):
            assert not wire.ask(silent, is_message, timeout=0.3)
        assert a.drops("too_big") == before
        # an error is not answered by another one
        error = (Ether(src=wire.mac, dst=gateway_mac) / IP(src=web4, dst=db4, flags="DF") /
                 ICMP(type=3, code=3) / IP(src=db4, dst=web4) / UDP() / Raw(bytes(1300)))
        assert not wire.ask(error, is_message, timeout=0.3)
        # no flood of them
        burst, began = bytes(frame(carried + 1)), time.monotonic()
        before = a.drops("too_big")
        for _ in range(5000):
            wire.socket.send(burst)
        seconds = int(time.monotonic() - began) + 2
        answers = a.drops("too_big") - before
        assert 0 < answers <= ICMP_PER_SECOND * seconds * os.cpu_count() < 5000 * os.cpu_count()


@pytest.mark.slow
def test_a_service_over_a_narrow_way(ends):
    """A client that is translated packet by packet is told of the service, not of the backend."""
    cluster = ends["cluster"]
    a = cluster.nodes[0]
    (web, *_), (db, *_) = ends["over"]
    narrow(cluster)
    look(cluster, "--cgroup", "none")
    a.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "db"},
             "spec": {"selector": {"app": "db-over"}, "clusterIP": "10.96.0.70",
                      "ports": [{"port": 9000}]}})
    wait_until(lambda: tcp_works(web, db, "10.96.0.70", 9000), 5, 0.1, "the service")

    def mtu():
        with web.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("10.96.0.70", 9000))
            return mtu_of(sock, socket.AF_INET)

    assert mtu() == 1450
    assert transfer(web, db, "10.96.0.70")
    assert mtu() == CARRIED["over"]


@pytest.mark.slow
def test_a_stream_survives_that_the_way_gets_narrow(ends):
    """Under way already: it stops, and goes on when the nodes have found out."""
    cluster = ends["cluster"]
    (web, *_), (db, db4, _) = ends["over"]
    look_no_more = threading.Event()
    for node in cluster.nodes:
        node.stop_daemon()
        cluster.start(node, "--node-probe-interval", "1s")
    with db.socket(socket.AF_INET, socket.SOCK_STREAM) as listener, \
            web.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        listener.bind(("", 9100))
        listener.listen(1)
        sock.connect((db4, 9100))
        taken, _ = listener.accept()
        got = [0]

        def drain():
            while not look_no_more.is_set():
                data = taken.recv(65536)
                if not data:
                    return
                got[0] += len(data)

        def pour():
            block = bytes(65536)
            while not look_no_more.is_set():
                try:
                    sock.sendall(block)
                except OSError:
                    return

        threads = [threading.Thread(target=work, daemon=True) for work in (drain, pour)]
        for thread in threads:
            thread.start()
        wait_until(lambda: got[0] > 1 << 20, 10, 0.05, "the stream runs")
        narrow(cluster)
        wait_until(lambda: listed(cluster.nodes[0], "b")["path"].get("mtu") == NARROW, 90, 0.2,
                   "the way is known")
        before = got[0]
        wait_until(lambda: got[0] > before + (1 << 20), 60, 0.2, "the stream goes on")
        look_no_more.set()
        sock.shutdown(socket.SHUT_RDWR)
        taken.close()
        for thread in threads:
            thread.join(5)
