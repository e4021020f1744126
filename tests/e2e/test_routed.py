# SPDX-License-Identifier: Apache-2.0
"""Networks without encapsulation: over a segment as packets are, across a router by the tunnel.

      node a (10.9.0.1) ---+
                           +--- wire, 10.9.0.254: etcd and router --- node c (10.8.3.1)
      node b (10.9.0.2) ---+
"""
import shutil
import socket
import time

import pytest

from lib.answer import Answerer, Session, ask_tcp, try_tcp, try_udp
from lib.cluster import OVERLAY, Underlay, wait_known, wait_way
from lib.netns import wait_until
from lib.policy import allow_from
from lib.service import bound
from lib.traffic import family_of
from lib.wire import IP, UDP, VXLAN_PORT, IPv6, Wire, send, vxlan

pytestmark = pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed")

ROUTED = {**OVERLAY, "driver": "routed"}


class End:
    """A container of a node, known to all."""

    def __init__(self, cluster, node, name, network="over"):
        self.node, self.name = node, name
        self.ns, self.v4, endpoint = node.container(network, name=name, labels={"app": name})
        self.v6 = node.address_of(endpoint, 6)
        for other in cluster.nodes:
            if other is not node:
                wait_known(other, name, network)


@pytest.fixture
def pair(cluster):
    """A container on a and one on b."""
    cluster.network(**ROUTED)
    for node in cluster.nodes[:2]:
        wait_way(node, "b" if node.name == "a" else "a", "segment")
        for of in "ab":
            wait_until(lambda n=node, o=of: "LinkLocalIP" in str(n.weft_json("get", "node", o)), 5,
                       0.1, f"{node.name} knows where to send IPv6 for {of}")
    return [End(cluster, node, name) for node, name in zip(cluster.nodes, ("web", "db"))]


def is_tunnel(frame):
    return UDP in frame and frame[UDP].dport == VXLAN_PORT


def first_on_wire(client, address, node):
    """What arrives at the device of a node when a container sends there: the outermost headers."""
    layer = IPv6 if ":" in address else IP

    def is_it(frame):
        if is_tunnel(frame):
            # nodes probe through it as well
            return socket.inet_pton(family_of(address), address) in bytes(frame)
        return layer in frame and frame[layer].dst == address

    with Wire(node.host, "up0") as wire:
        wire.drain()
        client.ns.run(["ping", "-c", "1", "-W", "1", address], check=False)
        return wire.see(is_it)


def test_ipv6_over_ipv4_while_a_node_has_no_address_for_it(cluster, pair):
    """Neighbours are asked for IPv6 by link-local addresses, which a new device has not at once."""
    web, db = pair

    def way():
        return is_tunnel(first_on_wire(web, db.v6, cluster.nodes[1]))

    wait_until(lambda: not way(), 5, 0.1, "as it is")
    for number, node in enumerate(cluster.nodes):
        node.run("ip -6 addr flush dev up0 scope link")
        wait_until(way, 5, 0.1, "by the tunnel")
        node.run(f"ip -6 addr add fe80::7{number}/64 dev up0")
        for _ in range(15):
            assert web.ns.ping(db.v6), node.name
            time.sleep(0.1)
        wait_until(lambda: not way(), 5, 0.1, "as it is")


def test_packets_travel_as_they_are(cluster, pair):
    web, db = pair
    b = cluster.nodes[1]
    for address, own in ((db.v4, web.v4), (db.v6, web.v6)):
        assert web.ns.ping(address), address
        wait_until(lambda to=address: not is_tunnel(first_on_wire(web, to, b)), 5, 0.05, address)
        frame = first_on_wire(web, address, b)
        assert not is_tunnel(frame)
        layer = IPv6 if ":" in address else IP
        assert frame[layer].src == own and frame.dst == b.host.mac("up0")
        # the network is one link to its containers
        assert (frame[layer].hlim if layer is IPv6 else frame[layer].ttl) == 64
    server = Answerer(db.ns, "db")
    try:
        for address, own in ((db.v4, web.v4), (db.v6, web.v6)):
            told = ask_tcp(web.ns, address)
            assert told.name == "db" and told.peer == own
        assert try_udp(web.ns, db.v4) == "db" and try_udp(web.ns, db.v6) == "db"
        assert web.ns.ping(db.v4, extra=("-s", "4000"))
    finally:
        server.close()
    # all of the wire's
    assert " mtu 1500 " in web.ns.run("ip link show eth0").stdout


def test_an_overlay_beside_it_keeps_its_tunnel(cluster, pair):
    a, b = cluster.nodes
    cluster.network("tunnelled", driver="overlay", subnets=[{"cidr": "10.51.0.0/24"}])
    one, two = End(cluster, a, "one", "tunnelled"), End(cluster, b, "two", "tunnelled")
    assert one.ns.ping(two.v4)
    assert is_tunnel(first_on_wire(one, two.v4, b))
    assert not is_tunnel(first_on_wire(pair[0], pair[1].v4, b))


def test_outside_sees_the_node(cluster, pair):
    """What leaves for somebody who is no container is masqueraded as ever."""
    web, _ = pair
    server = Answerer(cluster.underlay.ns, "outside")
    try:
        told = ask_tcp(web.ns, "10.9.0.254")
        assert told.name == "outside" and told.peer == "10.9.0.1"
    finally:
        server.close()


def test_policy_of_remote_labels(cluster, pair):
    web, db = pair
    a, b = cluster.nodes
    other = End(cluster, a, "other")
    server = Answerer(db.ns, "db")
    try:
        assert try_tcp(other.ns, db.v4) == "db"
        a.apply(allow_from("db", {"app": "db"}, {"app": "web"}))
        wait_until(lambda: try_tcp(other.ns, db.v4) != "db", 3, what="the policy")
        assert try_tcp(web.ns, db.v4) == "db" and try_tcp(web.ns, db.v6) == "db"
        assert try_tcp(other.ns, db.v6) != "db"
        assert not is_tunnel(first_on_wire(web, db.v4, b))
    finally:
        server.close()


@pytest.mark.parametrize("cluster", [(Underlay.join, Underlay.join, Underlay.join_behind)],
                         indirect=True)
def test_across_a_router(cluster):
    a, b, c = cluster.nodes
    cluster.network(**ROUTED)
    for node, other, wanted in ((a, "b", "segment"), (a, "c", "router"), (c, "a", "router")):
        wait_way(node, other, wanted)
    web, db, far = (End(cluster, *end) for end in ((a, "web"), (b, "db"), (c, "far")))
    for address in (far.v4, far.v6):
        assert web.ns.ping(address) and is_tunnel(first_on_wire(web, address, c))
    assert web.ns.ping(db.v4) and not is_tunnel(first_on_wire(web, db.v4, b))
    # as one of them has to be encapsulated
    assert " mtu 1450 " in web.ns.run("ip link show eth0").stdout
    # and never: those of the segment are reached, the other is known not to be
    cluster.network(**ROUTED, encapsulation="never")
    wait_until(lambda: c.inspect("over")["spec"]["encapsulation"] == "never", 5, what="the change")
    assert a.inspect("over")["status"]["unreachableNodes"] == ["c"]
    before = a.drops("node_behind_router")
    assert not web.ns.ping(far.v4) and not web.ns.ping(far.v6)
    assert a.drops("node_behind_router") > before
    assert web.ns.ping(db.v4) and web.ns.ping(db.v6)


def test_forged_sources_are_refused(cluster, pair):
    web, db = pair
    a, b = cluster.nodes
    outside = cluster.underlay.ns
    cluster.network("tunnelled", driver="overlay", isolated=False,
                    subnets=[{"cidr": "10.51.0.0/24"}])
    cluster.network("apart", driver="routed", subnets=[{"cidr": "10.52.0.0/24"}])
    one, apart = End(cluster, a, "one", "tunnelled"), End(cluster, a, "apart", "apart")
    # a second way into b, by a device that no node is reached by
    outside.run(f"ip link add side0 type veth peer name side0 netns {b.netns}")
    outside.run("ip addr add 10.7.0.1/24 dev side0")
    outside.run("ip link set side0 up")
    b.run("ip addr add 10.7.0.2/24 dev side0")
    b.run("ip link set side0 up")
    wait_until(lambda: "weft" in b.run("tc filter show dev side0 ingress").stdout, 5,
               what="the filter of side0")
    outside.run("ip route add 10.50.0.0/24 via 10.9.0.2")

    def packet(source):
        return IP(src=source, dst=db.v4) / UDP(sport=9, dport=9999) / b"forged"

    with bound(db.ns, 4, socket.SOCK_DGRAM, 9999, timeout=0.5) as listener:
        # the probe sees what comes by the wire of the node that has the source
        send(outside, packet(web.v4))
        assert listener.recv(100) == b"forged"

        def is_refused(source, reason):
            before = b.drops(reason)
            send(outside, packet(source))
            with pytest.raises(TimeoutError):
                listener.recv(100)
            assert b.drops(reason) == before + 1, (source, reason)

        is_refused(db.v4, "spoofed_ip")          # b's own
        is_refused(one.v4, "spoofed_ip")         # only by the tunnel
        is_refused(apart.v4, "network_isolated")
        outside.run("ip route replace 10.50.0.0/24 via 10.7.0.2")
        is_refused(web.v4, "spoofed_ip")
        # that way is open to others: what was refused is the source
        send(outside, packet("10.7.0.1"))
        assert listener.recv(100) == b"forged"


def test_never_takes_nothing_from_a_tunnel(cluster, pair):
    web, db = pair
    a, b = cluster.nodes
    vni = b.inspect("over")["status"]["number"]
    forged = vxlan(vni, IP(src=web.v4, dst=db.v4) / UDP(sport=9, dport=9999) / b"x",
                   "10.9.0.1", "10.9.0.2")
    with bound(db.ns, 4, socket.SOCK_DGRAM, 9999, timeout=0.5) as listener:
        send(a.host, forged)
        assert listener.recv(100) == b"x"
        cluster.network(**ROUTED, encapsulation="never")
        wait_until(lambda: b.inspect("over")["spec"]["encapsulation"] == "never", 5,
                   what="the change")
        before = b.drops("no_network")
        send(a.host, forged)
        with pytest.raises(TimeoutError):
            listener.recv(100)
        assert b.drops("no_network") == before + 1


def test_a_device_that_goes_and_comes_back(cluster, pair):
    web, db = pair
    a, b = cluster.nodes
    assert web.ns.ping(db.v4)
    a.run("ip link set up0 down")
    wait_way(a, "b", "router")
    a.run("ip link set up0 up")
    a.run("ip route add default via 10.9.0.254")
    wait_way(a, "b", "segment")
    for address in (db.v4, db.v6):
        assert wait_until(lambda to=address: web.ns.ping(to), 5, 0.05, "the way is back")
        assert not is_tunnel(first_on_wire(web, address, b))


def test_a_route_past_a_router(cluster, pair):
    web, db = pair
    a, b = cluster.nodes
    cluster.underlay.ns.sysctl("net.ipv4.ip_forward", 1)
    for node, other in ((a, b), (b, a)):
        node.run(f"ip route add {other.wire_address}/32 via 10.9.0.254")
    for node, other in ((a, b), (b, a)):
        wait_way(node, other.name, "router", 15)
    assert wait_until(lambda: web.ns.ping(db.v4), 3, 0.05, "the tunnel")
    assert is_tunnel(first_on_wire(web, db.v4, b))
    for node, other in ((a, b), (b, a)):
        node.run(f"ip route del {other.wire_address}/32")
        wait_way(node, other.name, "segment")
    assert not is_tunnel(first_on_wire(web, db.v4, b))


@pytest.mark.slow
def test_a_node_that_changes_its_address(cluster, pair):
    web, db = pair
    a, b = cluster.nodes
    assert web.ns.ping(db.v4)
    b.stop_daemon()
    b.run("ip addr del 10.9.0.2/24 dev up0")
    b.run("ip addr add 10.9.0.77/24 dev up0")
    b.run("ip route replace default via 10.9.0.254")
    b.wire_address = "10.9.0.77"
    # its name is taken until then, and in its mirror for longer
    wait_until(lambda: "lost" in a.weft("node", "ls").stdout, 45, 0.5, "b is lost")
    for path in b.state_dir.glob("mirror.db*"):
        path.unlink()
    cluster.start(b)
    wait_until(lambda: "10.9.0.77" in a.weft("node", "ls").stdout, 5, what="the address")
    wait_way(a, "b", "segment")
    for address in (db.v4, db.v6):
        assert wait_until(lambda to=address: web.ns.ping(to), 5, 0.05, "the way")
        assert not is_tunnel(first_on_wire(web, address, b))


def test_restart_of_a_daemon_interrupts_nothing(cluster, pair):
    web, db = pair
    server = Answerer(db.ns, "db")
    session = Session(web.ns, db.v4)
    try:
        for node in cluster.nodes:
            node.kill_daemon()
            assert session.works()
            cluster.start(node)
            assert session.works()
            assert try_tcp(web.ns, db.v4) == "db"
            assert not is_tunnel(first_on_wire(web, db.v4, cluster.nodes[1]))
    finally:
        session.sock.close()
        server.close()


def test_a_router_needs_one_route(cluster, pair):
    """Somebody outside reaches containers of all nodes by any of them, with one route for the network."""
    web, db = pair
    router = cluster.underlay.ns
    router.run("ip route add 10.50.0.0/24 via 10.9.0.1")
    servers = [Answerer(end.ns, end.name) for end in pair]
    try:
        # the node that has the container shows who asks, another one its own address there
        assert ask_tcp(router, web.v4).peer == "10.9.0.254"
        told = ask_tcp(router, db.v4)
        assert told.name == "db"
        assert told.peer in web.node.inspect("over")["status"]["hostAddresses"]
    finally:
        for server in servers:
            server.close()
