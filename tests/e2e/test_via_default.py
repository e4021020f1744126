# SPDX-License-Identifier: Apache-2.0
"""A network whose way out is a container: `via` for the default route.

      web -- network over 10.50.0.0/24, fd50::/64 -- gate (.9, ::9) ==> its own way out
                        |
                      node ------------- the world: 198.51.100.7, 2001:db8:7::7

The world is there twice: beyond the node, where it is called "node", and at a second leg of the
gateway, as behind a VPN, where it is called "vpn".
"""
import contextlib
import shutil
import socket

import pytest

from lib.answer import Answerer, Session, ask_tcp, try_tcp, try_udp
from lib.cluster import OVERLAY, wait_known
from lib.encryption import MARKER, Shouter, Tap, wait_on
from lib.netns import Netns, wait_until
from lib.policy import network_policy
from lib.service import bound, service
from lib.via import GATEWAY4, GATEWAY6, SUBNETS
from lib.wire import IP, UDP, Ether, IPv6, Wire

needs_etcd = pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed")
pytestmark = pytest.mark.skipif(not shutil.which("nft"), reason="nft is not installed")

WORLD4, WORLD6 = "198.51.100.7", "2001:db8:7::7"
BOTH = (WORLD4, WORLD6)
DEFAULT = [{"to": "0.0.0.0/0", "via": GATEWAY4}, {"to": "::/0", "via": GATEWAY6}]

# what it forwards shows its own address, whatever it leaves by
MASQUERADE = """
table inet gate {
    chain out {
        type nat hook postrouting priority srcnat
        ip saddr 10.50.0.0/24 ip saddr != %s ip daddr != 10.50.0.0/24 counter masquerade
        ip6 saddr fd50::/64 ip6 saddr != %s ip6 daddr != fd50::/64 counter masquerade
    }
}
""" % (GATEWAY4, GATEWAY6)


def world(ns):
    for address in BOTH:
        ns.run(f"ip addr add {address}/{128 if ':' in address else 32} dev lo")


@contextlib.contextmanager
def answering(ns, name):
    """The world says who it is, by the very address that was asked."""
    with contextlib.ExitStack() as stack:
        for family, address in zip((4, 6), BOTH):
            stack.callback(Answerer(ns, name, families=(family,), address=address).close)
        yield


class Gate:
    """The gateway: it forwards and masquerades; with_leg: to a world of its own."""

    def __init__(self, node, with_leg=False):
        self.node = node
        self.ns = Netns("g")
        self.spaces = [self.ns]
        self.ns.run("ip link set lo up")
        for name, value in (("net.ipv6.conf.default.accept_dad", 0),
                            ("net.ipv6.conf.all.accept_dad", 0), ("net.ipv4.ip_forward", 1),
                            ("net.ipv6.conf.all.forwarding", 1),
                            ("net.ipv4.conf.default.send_redirects", 0),
                            ("net.ipv4.conf.all.send_redirects", 0)):
            self.ns.sysctl(name, value)
        self.ns.run(["nft", "-f", "-"], input=MASQUERADE)
        self.attach()
        if with_leg:
            self.add_leg()

    def add_leg(self):
        vpn = Netns("v")
        self.spaces.append(vpn)
        vpn.run("ip link set lo up")
        self.ns.run(f"ip link add leg0 type veth peer name eth0 netns {vpn.name}")
        for ns, device, last in ((self.ns, "leg0", 1), (vpn, "eth0", 2)):
            ns.run(f"ip addr add 172.31.0.{last}/24 dev {device}")
            ns.run(f"ip addr add fd31::{last}/64 dev {device} nodad")
            ns.run(f"ip link set {device} up")
        world(vpn)
        for family, to, via in ((4, WORLD4, "172.31.0.2"), (6, WORLD6, "fd31::2")):
            self.ns.run(f"ip -{family} route add {to} via {via}")
        self.vpn = vpn

    def attach(self):
        self.node.attach(self.ns, "over", name="gate", addresses=[GATEWAY4, GATEWAY6])

    def remove(self):
        for ns in self.spaces:
            ns.remove()


@contextlib.contextmanager
def gate_on(node, **more):
    made = Gate(node, **more)
    try:
        yield made
    finally:
        made.remove()


@pytest.fixture
def site(node):
    """A node with a world beyond it, and a container: (node, web, outside)."""
    outside = node.outside()
    world(outside)
    node.network("over", subnets=SUBNETS, masquerade=True)
    web, _, _ = node.container("over", name="web", labels={"app": "web"},
                               publish=[{"hostPort": 8088, "containerPort": 8080}])
    with answering(outside, "node"):
        for address in BOTH:
            # the control: without the route it leaves by the node
            wait_served(web, address, "node")
        yield node, web, outside


def route(node, routes=tuple(DEFAULT), **spec):
    node.network("over", subnets=SUBNETS, masquerade=True, routes=list(routes), **spec)


def wait_served(ns, address, name, port=8080):
    wait_until(lambda: try_tcp(ns, address, port) == name, 10, 0.1, f"{name} answers at {address}")


def test_by_a_leg_of_the_gateway(site):
    """A VPN: what nobody in weft has is there, and without the route it is beyond the node."""
    node, web, _ = site
    with gate_on(node, with_leg=True) as gate, answering(gate.vpn, "vpn"):
        for address in BOTH:
            wait_served(web, address, "node")
        route(node)
        for address, leg in zip(BOTH, ("172.31.0.1", "fd31::1")):
            wait_served(web, address, "vpn")
            assert try_udp(web, address) == "vpn" and web.ping(address)
            assert ask_tcp(web, address).peer == leg
        answer = node.api("POST", "/v1/why", {"source": "web", "destination": WORLD4, "port": 80})
        assert answer["verdict"] == "allow"
        assert answer["nextHop"] == (
            f"straight into endpoint gate ({GATEWAY4}): the route to 0.0.0.0/0 of network over")
        # a restart reads the same
        with Session(web, WORLD4) as session:
            node.kill_daemon()
            assert session.works() and try_tcp(web, WORLD6) == "vpn"
            node.start_daemon()
            assert session.works() and try_tcp(web, WORLD6) == "vpn"
        route(node, ())
        for address in BOTH:
            wait_served(web, address, "node")


def forwarded(gate):
    """Connections that it has masqueraded, of both families."""
    return sum(int(line.split("packets")[1].split()[0])
               for line in gate.ns.run("nft list table inet gate").stdout.splitlines()
               if "counter" in line)


def test_by_the_gateways_own_address(site):
    """It has one interface: what it forwards comes back to the node as its own, and leaves."""
    node, web, outside = site
    with gate_on(node) as gate:
        for address in BOTH:
            wait_served(gate.ns, address, "node")
        assert forwarded(gate) == 0
        route(node)
        for address, shown in zip(BOTH, ("192.0.2.1", "2001:db8:ffff::1")):
            before = forwarded(gate)
            wait_served(web, address, "node")
            assert try_udp(web, address) == "node" and web.ping(address)
            assert forwarded(gate) > before
            # the gateway itself, before and after: by the node
            before = forwarded(gate)
            assert ask_tcp(gate.ns, address).peer == shown
            assert forwarded(gate) == before
        # nobody has the gateway's address: nothing leaves, by no way
        node.detach("gate")
        wait_until(lambda: "eth0" not in gate.ns.links(), 5, 0.01, "its interface is gone")
        before = node.drops("no_router")
        for address in BOTH:
            assert try_tcp(web, address) != "node"
        assert node.drops("no_router") > before
        gate.attach()
        for address in BOTH:
            wait_served(web, address, "node")


def test_all_else_is_as_before(site):
    """The host, services, other networks, and who comes in by the node."""
    node, web, outside = site
    node.network("near", subnets=[{"cidr": "10.60.0.0/24"}], isolated=False)
    route(node, (), isolated=False)
    near, near4, _ = node.container("near", name="near", labels={"app": "near"})
    node.apply(service("near", selector={"app": "near"}, dual=False))
    vip = node.api("GET", "/v1/services/default/near")["spec"]["clusterIP"]
    with contextlib.ExitStack() as stack:
        for ns, name, port in ((web, "web", 8080), (near, "near", 8080), (node.host, "host", 8081)):
            stack.callback(Answerer(ns, name, port).close)
        gate = stack.enter_context(gate_on(node))

        def check():
            assert try_tcp(web, "10.50.0.1", 8081) == "host"
            assert try_tcp(web, near4) == "near" and try_tcp(near, web4) == "web"
            assert try_tcp(web, vip, 80) == "near"
            assert try_tcp(node.host, web4) == "web"
            for address in ("192.0.2.1", "2001:db8:ffff::1"):
                told = ask_tcp(outside, address, 8088)
                assert told.name == "web" and told.peer in ("192.0.2.2", "2001:db8:ffff::2")

        web4 = web.addresses("eth0", "inet")[0].split("/")[0]
        wait_served(web, vip, "near", 80)
        check()
        with Session(outside, "192.0.2.1", 8088) as session:
            assert session.works()
            route(node, isolated=False)
            wait_until(lambda: try_tcp(web, WORLD4) == "node" and forwarded(gate), 10, 0.1,
                       "by the gateway")
            before = forwarded(gate)
            assert session.works()
            check()
            assert forwarded(gate) == before


def test_who_may_send_from_the_world(site):
    """The gateway alone, and not from what is no address of the world."""
    node, web, _ = site
    other, _, _ = node.container("over", name="other")
    route(node)
    with gate_on(node) as gate:
        web4, web6 = (web.addresses("eth0", family)[0].split("/")[0]
                      for family in ("inet", "inet6"))
        for family, target, good, bad in (
                (4, web4, "203.0.113.9", ("10.50.0.77", "127.0.0.1", "224.0.0.1", "10.50.0.1")),
                (6, web6, "2001:db8:9::9", ("fd50::77", "::1", "ff0e::1", "fd50::1"))):
            with bound(web, family, socket.SOCK_DGRAM, 9999, timeout=0.2) as listener:
                def probe(ns, source, to=target):
                    wire = Wire(ns)
                    ip = (IPv6 if ":" in source else IP)(src=source, dst=to)
                    wire.send(Ether(src=wire.mac, dst="02:00:00:00:00:01") / ip /
                              UDP(sport=9, dport=9999) / source.encode())

                def arrives(ns, source):
                    probe(ns, source)
                    with contextlib.suppress(TimeoutError):
                        return listener.recv(100) == source.encode()
                    return False

                def refused(ns, source):
                    before = total_drops(node)
                    probe(ns, source)
                    wait_until(lambda: total_drops(node) > before, 5, 0.05, f"{source} is dropped")
                    with pytest.raises(TimeoutError):
                        listener.recv(100)

                wait_until(lambda: arrives(gate.ns, good), 5, 0.05, "the gateway's arrives")
                drained(listener)
                refused(other, good)
                for source in bad:
                    refused(gate.ns, source)
                assert arrives(gate.ns, good)


def total_drops(node):
    return sum(node.drops(reason) for reason in
               ("spoofed_ip", "martian", "malformed_ipv4", "malformed_ipv6", "multicast",
                "link_local"))


def drained(listener):
    with contextlib.suppress(TimeoutError):
        while True:
            listener.recv(100)


def test_policies_know_the_world_by_its_addresses(site):
    node, web, _ = site
    route(node)
    with gate_on(node, with_leg=True) as gate, answering(gate.vpn, "vpn"):
        for address in BOTH:
            wait_served(web, address, "vpn")
        node.apply(network_policy("out", {"app": "web"}, policyTypes=["Egress"], egress=[
            {"to": [{"ipBlock": {"cidr": f"{WORLD6}/128"}}]}]))
        wait_until(lambda: try_tcp(web, WORLD4) != "vpn", 5, 0.1, "the policy")
        assert try_tcp(web, WORLD6) == "vpn"
        assert try_tcp(web, WORLD4) not in ("vpn", "node")


class Pairs(Tap):
    """Between whom the wire sees the marker in UDP over IPv4: {(source, destination): how many}."""

    def __init__(self, ns):
        self.seen = {}
        super().__init__(ns)

    def look(self, frame):
        if MARKER in frame and frame[12:14] == b"\x08\x00" and frame[23] == socket.IPPROTO_UDP:
            pair = socket.inet_ntoa(frame[26:30]), socket.inet_ntoa(frame[30:34])
            self.seen[pair] = self.seen.get(pair, 0) + 1


def check_who_reads_it(cluster, web, spec):
    """Beyond the gateway it is in clear; between the nodes only where the network is not encrypted."""
    a, b = (node.wire_address for node in cluster.nodes)
    with Pairs(cluster.underlay.ns) as wire, Shouter(web, WORLD4):
        wait_until(lambda: wire.seen.get((b, WORLD4), 0) > 50, 10, what="packets to the world")
        between = {(a, b), (b, a)} & set(wire.seen)
        assert bool(between) == (not spec) and set(wire.seen) == between | {(b, WORLD4)}, wire.seen


@needs_etcd
@pytest.mark.parametrize("spec", [{}, pytest.param({"encryption": "wireguard"}, marks=pytest.mark.skipif(
    not shutil.which("wireguard-go"), reason="wireguard-go is not installed"))],
    ids=["clear", "encrypted"])
def test_the_gateway_on_another_node(cluster, spec):
    """The world sees the node that has the gateway, whoever asks."""
    a, b = cluster.nodes
    world(cluster.underlay.ns)
    for node in (a, b):
        node.run("ip -6 route add default via fd09::fe")
    with answering(cluster.underlay.ns, "world"):
        cluster.network(**OVERLAY, masquerade=True, **spec)
        if spec:
            wait_on(cluster)
        ends = [node.container("over", name=name)[0] for node, name in ((a, "web"), (b, "db"))]
        wait_known(a, "db")
        shown = {a: ("10.9.0.1", "fd09::1"), b: ("10.9.0.2", "fd09::2")}

        def wait_seen(ns, node):
            for address, own in zip(BOTH, shown[node]):
                def seen(to=address, wanted=own):
                    with contextlib.suppress(OSError):
                        return ask_tcp(ns, to).peer == wanted
                    return False
                wait_until(seen, 10, 0.1, f"{address} sees {own}")

        wait_seen(ends[0], a)
        wait_seen(ends[1], b)
        with gate_on(b) as gate:
            wait_known(a, "gate")
            cluster.network(**OVERLAY, masquerade=True, routes=DEFAULT, **spec)
            wait_seen(ends[0], b)
            wait_seen(ends[1], b)
            assert forwarded(gate)
            check_who_reads_it(cluster, ends[0], spec)
            assert try_udp(ends[0], WORLD4) == "world" and ends[0].ping(WORLD6)
            with Session(ends[0], WORLD4) as session:
                for node in (a, b):
                    node.kill_daemon()
                    assert session.works()
                    cluster.start(node)
                    assert session.works()
        wait_until(lambda: try_tcp(ends[0], WORLD4) != "world", 10, 0.1, "nobody is the gateway")
