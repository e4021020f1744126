# SPDX-License-Identifier: Apache-2.0
"""Routes of a network by way of one of its endpoints. Topology: lib/via.py; containers beside it."""
import contextlib
import shutil
import socket

import pytest

from lib.answer import Answerer, ask_tcp, try_tcp, try_udp
from lib.cluster import OVERLAY, knows, wait_known
from lib.encryption import MARKER, Pieces, Shouter, Tap, wait_on
from lib.encryption import PORT as SHOUTED
from lib.netns import wait_until
from lib.node import ApiError
from lib.policy import network_policy
from lib.service import bound
from lib.traffic import tcp_works
from lib.via import GATEWAY4, GATEWAY6, INNER4, INNER6, OTHER4, ROUTES, SUBNETS, Gateway
from lib.vtep import route as vtep_route
from lib.wire import IP, UDP, Ether, IPv6, Wire, send, vxlan

TO = "10.98.0.0/16"

needs_etcd = pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed")
needs_wireguard = pytest.mark.skipif(not shutil.which("wireguard-go"),
                                     reason="wireguard-go is not installed")


@contextlib.contextmanager
def gateway_on(node, **more):
    made = Gateway(node, **more)
    try:
        yield made
    finally:
        made.remove()


@pytest.fixture
def alone(node):
    """One node: the gateway, and a container (node, namespace, IPv4, IPv6)."""
    node.network("over", subnets=SUBNETS, routes=ROUTES)
    ns, v4, endpoint = node.container("over", name="web", labels={"app": "web"})
    with gateway_on(node) as gateway:
        yield gateway, (node, ns, v4, node.address_of(endpoint, 6))


def lay(cluster, routes=tuple(ROUTES), **spec):
    """The gateway on the second of two nodes, a container on each of them."""
    cluster.network(**OVERLAY, routes=list(routes), **spec)
    if spec.get("encryption"):
        wait_on(cluster)
    ends = []
    for node, name in zip(cluster.nodes, ("web", "db")):
        ns, v4, endpoint = node.container("over", name=name, labels={"app": name})
        ends.append((node, ns, v4, node.address_of(endpoint, 6)))
    wait_known(cluster.nodes[0], "db")
    wait_known(cluster.nodes[1], "web")
    return ends


@pytest.fixture
def apart(cluster):
    ends = lay(cluster)
    with gateway_on(cluster.nodes[1]) as gateway:
        wait_known(cluster.nodes[0], "gate")
        yield gateway, *ends


def check_both_ways(gateway, ends):
    """TCP, UDP and echo requests, both families, whoever begins; the addresses are the true ones."""
    with contextlib.ExitStack() as stack:
        behind = Answerer(gateway.behind, "behind")
        stack.callback(behind.close)
        for node, ns, own4, own6 in ends:
            inside = Answerer(ns, node.name)
            stack.callback(inside.close)
            for own, address in ((own4, INNER4), (own6, INNER6)):
                # stacks need a moment before they forward IPv6
                wait_reached(ns, address)
                told = ask_tcp(ns, address)
                assert told.name == "behind" and told.peer == own
                assert try_udp(ns, address) == "behind" and ns.ping(address)
                told = ask_tcp(gateway.behind, own)
                assert told.name == node.name and told.peer == address
                assert try_udp(gateway.behind, own) == node.name and gateway.behind.ping(own)
            assert tcp_works(ns, gateway.behind, INNER4, 9000, timeout=10, payload=b"x" * (4 << 20))
            assert tcp_works(gateway.behind, ns, own6, 9000, timeout=10, payload=b"x" * (4 << 20))
            # the gateway itself is an endpoint as any other
            assert ns.ping(GATEWAY4) and ns.ping(GATEWAY6) and gateway.ns.ping(own4)


def wait_reached(ns, address):
    wait_until(lambda: ns.ping(address), 5, 0.1, f"{address} is reached")


def test_on_one_node(alone):
    gateway, web = alone
    check_both_ways(gateway, [web])


@needs_etcd
def test_from_both_nodes(apart):
    gateway, *ends = apart
    check_both_ways(gateway, ends)


class Ways(Tap):
    """What has the marker in it, by the destination that the wire sees: {address: packets}."""

    def __init__(self, ns):
        self.seen = {}
        super().__init__(ns)

    def look(self, frame):
        if MARKER in frame and frame[12:14] == b"\x08\x00":
            to = socket.inet_ntoa(frame[30:34])
            self.seen[to] = self.seen.get(to, 0) + 1


@needs_etcd
def test_in_a_routed_network(cluster):
    """Nodes of a segment send containers' packets as they are, those for the gateway by the tunnel."""
    a, b = cluster.nodes
    cluster.network("over", driver="routed", subnets=SUBNETS, routes=ROUTES)
    ends = []
    for node, name in ((a, "web"), (b, "db")):
        ns, v4, endpoint = node.container("over", name=name)
        ends.append((node, ns, v4, node.address_of(endpoint, 6)))
    wait_known(a, "db")
    wait_known(b, "web")
    web, db4 = ends[0][1], ends[1][2]
    # there is room for the outer headers
    assert " mtu 1450 " in web.run("ip link show eth0").stdout
    with gateway_on(b) as gateway:
        wait_known(a, "gate")
        check_both_ways(gateway, ends)
        with Ways(cluster.underlay.ns) as ways:
            # the probe sees what travels as it is
            with Shouter(web, db4):
                wait_until(lambda: ways.seen.get(db4), 5, what="packets without outer headers")
            with Shouter(web, INNER4):
                wait_until(lambda: ways.seen.get(b.wire_address, 0) > 20, 5,
                           what="packets with outer headers")
            assert INNER4 not in ways.seen
        # from there in clear text, though the segment may carry the network's packets
        with bound(web, 4, socket.SOCK_DGRAM, 9999, timeout=0.05) as listener:
            def probe(source):
                frame = Ether(src=b.host.mac("up0"), dst=a.host.mac("up0"))
                Wire(b.host, "up0").send(frame / IP(src=source, dst=ends[0][2]) /
                                         UDP(sport=9, dport=9999) / source.encode())
                try:
                    return listener.recv(100) == source.encode()
                except TimeoutError:
                    return False
            wait_until(lambda: probe(db4), 5, 0.05, "a container's arrives")
            drained(listener)
            before = a.drops("spoofed_ip")
            assert not probe("10.98.0.7")
            wait_until(lambda: a.drops("spoofed_ip") > before, 5, 0.05, "spoofed_ip")
        gateway.move(a)
        wait_known(b, "gate")
        check_both_ways(gateway, ends)


# ---- what is refused ------------------------------------------------------------------------------


def check_spoofing(node, sender, target, listener):
    """What a container sends: probe(source) differs in the source alone."""
    wire = Wire(sender)
    gate = Ether(src=wire.mac, dst="02:00:00:00:00:01")

    def probe(source):
        ip = (IPv6 if ":" in source else IP)(src=source, dst=target)
        wire.send(gate / ip / UDP(sport=9, dport=9999) / source.encode())

    def arrives(source):
        def once():
            probe(source)
            try:
                return listener.recv(100) == source.encode()
            except TimeoutError:
                return False
        wait_until(once, 5, 0.05, f"{source} arrives")

    def refused(source, reason="spoofed_ip"):
        before = node.drops(reason)
        probe(source)
        wait_until(lambda: node.drops(reason) > before, 5, 0.05, f"{source}: {reason}")
        with pytest.raises(TimeoutError):
            listener.recv(100)
    return arrives, refused


def drained(listener):
    with contextlib.suppress(TimeoutError):
        while True:
            listener.recv(100)


def test_who_may_send_from_there(alone):
    """The gateway alone, from what leads back to it, to containers of the network."""
    gateway, (node, web, web4, web6) = alone
    other, other4, _ = node.container("over", name="other")
    node.network("near", subnets=[{"cidr": "10.60.0.0/24"}], isolated=False)
    near, near4, _ = node.container("near")
    for family, target, good, bad, mine in ((4, web4, "10.98.7.7", "10.97.7.7", GATEWAY4),
                                            (6, web6, "fd98::7", "fd97::7", GATEWAY6)):
        with bound(web, family, socket.SOCK_DGRAM, 9999, timeout=0.05) as listener:
            arrives, refused = check_spoofing(node, gateway.ns, target, listener)
            arrives(mine)
            arrives(good)
            drained(listener)
            refused(bad)
            refused("10.50.0.77" if family == 4 else "fd50::77")
            _, refused = check_spoofing(node, other, target, listener)
            refused(good)
    with bound(web, 4, socket.SOCK_DGRAM, 9999, timeout=0.05) as listener:
        arrives, refused = check_spoofing(node, gateway.ns, web4, listener)
        # a longer route of another's, then back
        node.network("over", subnets=SUBNETS,
                     routes=[*ROUTES, {"to": "10.98.7.0/24", "via": other4}])
        drained(listener)
        refused("10.98.7.7")
        arrives("10.98.8.7")
        node.network("over", subnets=SUBNETS, routes=[])
        drained(listener)
        refused("10.98.8.7")
        node.network("over", subnets=SUBNETS, routes=ROUTES)
        arrives("10.98.7.7")
    # neither another network nor the host nor the world
    with bound(near, 4, socket.SOCK_DGRAM, 9999, timeout=0.05) as listener:
        _, refused = check_spoofing(node, gateway.ns, near4, listener)
        refused("10.98.7.7")
    with bound(node.host, 4, socket.SOCK_DGRAM, 9999, timeout=0.05) as listener:
        arrives, refused = check_spoofing(node, gateway.ns, "10.50.0.1", listener)
        arrives(GATEWAY4)
        drained(listener)
        refused("10.98.7.7")
        _, refused = check_spoofing(node, gateway.ns, "192.0.2.99", listener)
        refused("10.98.7.7")


@needs_etcd
def test_what_crosses_the_overlay(cluster, apart):
    """From the gateway's node only, and to containers only."""
    gateway, (a, web, web4, _), (b, *_) = apart
    number = a.inspect("over")["status"]["number"]
    host4 = next(addr for addr in a.inspect("over")["status"]["hostAddresses"] if "." in addr)

    def probe(source, target=web4, check=0):
        send(b.host, vxlan(number, IP(src=source, dst=target) / UDP(sport=9, dport=9999) /
                           source.encode(), b.wire_address, a.wire_address, check))

    # by the programs, and by the device
    for check in (0, None):
        with bound(web, 4, socket.SOCK_DGRAM, 9999, timeout=0.05) as listener:
            def arrives(source, target=web4):
                probe(source, target, check)
                try:
                    return listener.recv(100) == source.encode()
                except TimeoutError:
                    return False

            def refused(source, reason, target=web4):
                drained(listener)
                before = a.drops(reason)
                probe(source, target, check)
                wait_until(lambda: a.drops(reason) > before, 5, 0.05, f"{source}: {reason}")
                with pytest.raises(TimeoutError):
                    listener.recv(100)

            wait_until(lambda: arrives("10.98.7.7"), 5, 0.05, "the gateway's arrives")
            refused("10.97.7.7", "overlay_spoofed")
            refused(web4, "overlay_spoofed")
            refused("10.98.7.7", "no_such_address", host4)
            # from one gateway to the next: not by routes
            refused("10.98.7.7", "no_such_address", INNER4)
            gateway.detach()
            wait_until(lambda: "gate" not in a.inspect("over")["status"]["endpoints"], 5)
            refused("10.98.7.7", "overlay_spoofed")
            # on this node it is no business of the other one any more
            gateway.node = a
            gateway.attach()
            wait_known(b, "gate")
            refused("10.98.7.7", "overlay_spoofed")
            gateway.move(b)
            wait_known(a, "gate")
            wait_until(lambda: arrives("10.98.7.7"), 5, 0.05, "the gateway's arrives again")


def test_by_the_host_they_are_refused(alone):
    """In clear text, from somebody who has a route to the containers."""
    _, (node, web, web4, _) = alone
    outside = node.outside()
    outside.run("ip route replace 10.50.0.0/24 via 192.0.2.1")
    node.host.sysctl("net.ipv4.conf.all.rp_filter", 0)
    node.host.sysctl("net.ipv4.conf.up0.rp_filter", 0)
    with bound(web, 4, socket.SOCK_DGRAM, 9999, timeout=0.05) as listener:
        def probe(source):
            send(outside, IP(src=source, dst=web4) / UDP(sport=9, dport=9999) / source.encode())
            try:
                return listener.recv(100) == source.encode()
            except TimeoutError:
                return False
        wait_until(lambda: probe("10.97.0.9"), 5, 0.05, "somebody else's arrives")
        drained(listener)
        before = node.drops("spoofed_ip")
        assert not probe("10.98.0.9")
        wait_until(lambda: node.drops("spoofed_ip") > before, 5, 0.05, "spoofed_ip")


# ---- nobody has the address; it moves -------------------------------------------------------------


def test_its_address_is_not_given_out_by_itself(lent_node):
    """Whoever has it is the gateway: only who asks for it gets it."""
    node = lent_node
    small = [{"cidr": "10.50.0.0/29"}]
    node.network("small", subnets=small, coolDown="0s")
    given = [node.container("small", name=f"c{i}")[1] for i in range(5)]
    assert "10.50.0.4" in given
    for i in range(5):
        node.detach(f"c{i}")
    node.network("small", subnets=small, coolDown="0s", routes=[{"to": TO, "via": "10.50.0.4"}])
    given = [node.container("small", name=f"d{i}")[1] for i in range(4)]
    assert "10.50.0.4" not in given
    with pytest.raises(ApiError) as refused:
        node.container("small", name="d4")
    assert refused.value.code == "ENOSPC"
    assert node.container("small", name="d4", addresses=["10.50.0.4"])[1] == "10.50.0.4"


def why(node, address, source="web"):
    return node.api("POST", "/v1/why", {"source": source, "destination": address, "port": 80})


def test_without_the_gateway(alone):
    gateway, (node, web, *_) = alone
    outside = node.outside()
    outside.run(f"ip addr add {INNER4}/32 dev lo")
    assert web.ping(INNER4)
    assert why(node, INNER4)["nextHop"] == (
        f"straight into endpoint gate ({GATEWAY4}): the route to 10.98.0.0/16 of network over")
    assert GATEWAY4 in node.weft("why", "web", f"{INNER4}:80").stdout
    gateway.detach()
    before = node.drops("no_router")
    assert not web.ping(INNER4)
    wait_until(lambda: node.drops("no_router") > before, 5, 0.05, "no_router")
    answer = why(node, INNER4)
    assert answer["verdict"] == "deny" and answer["reason"]["label"] == "no_router"
    # the host would send it there
    node.network("over", subnets=SUBNETS, routes=[])
    wait_reached(web, INNER4)
    node.network("over", subnets=SUBNETS, routes=ROUTES)
    assert not web.ping(INNER4)
    gateway.attach()
    wait_reached(web, INNER4)
    # its second leg is away: neither what it sends on nor what it sends comes back to it
    gateway.ns.run("ip link set leg0 down")
    for sender, reason in ((web, "spoofed_ip"), (gateway.ns, "no_router")):
        before = node.drops(reason)
        assert not sender.ping(INNER4)
        wait_until(lambda was=before, why=reason: node.drops(why) > was, 5, 0.05, reason)


@needs_etcd
def test_it_moves(cluster, apart):
    gateway, (a, web, web4, _), (b, db, *_) = apart
    wait_reached(web, INNER4)
    assert why(a, INNER4)["nextHop"] == (f"into endpoint gate ({GATEWAY4}) on node b: the route to "
                                         "10.98.0.0/16 of network over")
    for node in (a, b):
        gateway.move(node)
        for ns in (web, db):
            wait_reached(ns, INNER4)
            wait_reached(ns, INNER6)
        wait_reached(gateway.behind, web4)
    gateway.detach()
    wait_until(lambda: "gate" not in a.inspect("over")["status"]["endpoints"], 5)
    before = a.drops("no_router")
    assert not web.ping(INNER4)
    wait_until(lambda: a.drops("no_router") > before, 5, 0.05, "no_router")
    # it comes back while a daemon is away
    a.kill_daemon()
    gateway.attach()
    cluster.start(a)
    wait_reached(web, INNER4)


# ---- policies -------------------------------------------------------------------------------------


def check_policies(gateway, node, web, web4):
    """Both ends are judged by addresses; the gateway's own policies are about the gateway."""
    behind, inside = Answerer(gateway.behind, "behind"), Answerer(web, "web")
    gate = Answerer(gateway.ns, "gate", port=8081)
    try:
        assert try_tcp(web, INNER4) == try_tcp(web, OTHER4) == "behind"
        assert try_tcp(gateway.behind, web4) == "web" and try_tcp(web, GATEWAY4, 8081) == "gate"
        node.apply(network_policy("out", {"app": "web"}, policyTypes=["Egress"], egress=[
            {"to": [{"ipBlock": {"cidr": "10.98.0.0/24"}}]}]))
        assert try_tcp(web, INNER4) == "behind"
        assert try_tcp(web, OTHER4) != "behind" and try_tcp(web, INNER6) != "behind"
        answer = node.api("POST", "/v1/why",
                          {"source": "web", "destination": OTHER4, "port": 8080})
        assert answer["verdict"] == "deny" and answer["reason"]["label"] == "policy_egress"
        # answers pass, and what it begins; then only from one half
        assert try_tcp(gateway.behind, web4) == "web"
        node.apply(network_policy("in", {"app": "web"}, policyTypes=["Ingress"], ingress=[
            {"from": [{"ipBlock": {"cidr": "10.98.1.0/24"}}]}]))
        assert try_tcp(gateway.behind, web4) != "web"
        # it does not count as the gateway's
        node.apply(network_policy("gate-in", {"app": "web"}, policyTypes=["Ingress"], ingress=[
            {"from": [{"podSelector": {"matchLabels": {"app": "gate"}}}]}]))
        assert try_tcp(gateway.ns, web4) == "web" and try_tcp(gateway.behind, web4) != "web"
        gateway.behind.run(f"ip route replace default via 10.98.0.254 src {OTHER4}")
        assert try_tcp(gateway.behind, web4) == "web" and try_udp(gateway.behind, web4) == "web"
        assert try_tcp(web, INNER4) == "behind"
        for name in ("in", "gate-in", "out"):
            node.api("DELETE", f"/v1/documents/NetworkPolicy/default%2F{name}")
        # the gateway is closed, and what passes it goes on passing
        node.apply(network_policy("closed", {"app": "gate"}, policyTypes=["Ingress", "Egress"]))
        wait_until(lambda: try_tcp(web, GATEWAY4, 8081) != "gate", 5, 0.05, "it is closed")
        wait_until(lambda: try_tcp(gateway.ns, web4) != "web", 5, 0.05, "it is closed")
        assert try_tcp(web, INNER4) == "behind" and try_tcp(gateway.behind, web4) == "web"
    finally:
        for server in (behind, inside, gate):
            server.close()


def test_policies_on_one_node(node):
    node.network("over", subnets=SUBNETS, routes=ROUTES)
    web, web4, _ = node.container("over", name="web", labels={"app": "web"})
    with gateway_on(node, labels={"app": "gate"}) as gateway:
        check_policies(gateway, node, web, web4)


@needs_etcd
def test_policies_of_two_nodes(cluster):
    (a, web, web4, _), (b, *_) = lay(cluster)
    with gateway_on(b, labels={"app": "gate"}) as gateway:
        wait_known(a, "gate")
        check_policies(gateway, a, web, web4)


def test_it_tells_of_what_it_cannot_send_on(node):
    """The gateway's own ICMP errors about what passes it reach a guarded container."""
    node.network("over", subnets=SUBNETS, routes=ROUTES)
    web, _, _ = node.container("over", name="web", labels={"app": "web"})
    other, other4, _ = node.container("over", name="other")
    with gateway_on(node) as gateway:
        node.apply(network_policy("shut", {"app": "web"}, policyTypes=["Ingress"]))
        # nothing begins with it
        assert not other.ping(web.addresses("eth0", "inet")[0].split("/")[0])
        gateway.ns.run("ip route add prohibit 10.98.2.0/24")
        with web.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.1)
            sock.connect(("10.98.2.1", 9))

            def told():
                try:
                    sock.send(b"x")
                    sock.recv(10)
                except TimeoutError:
                    return False
                except OSError:
                    return True
                return False
            wait_until(told, 5, 0.05, "the ICMP error")
    assert other4


# ---- encrypted ------------------------------------------------------------------------------------


def cuts(ns, to, wire):
    """Whether what does not fit and may be cut goes in pieces."""
    ns.ping(to, extra=("-M", "dont", "-s", str(1440 - 28)))
    return wire.pieces


def is_told(ns, to, fits):
    """What does not fit does not arrive; whether its sender was told by now what would."""
    assert not ns.ping(to, extra=("-M", "do", "-s", str(1440 - 28)))
    return f" mtu {fits} " in ns.run(f"ip route get {to}").stdout.replace("\n", " ")


def check_sizes(cluster, ends, gateway):
    """Who was there before the route has no room for its headers, and is told so."""
    (_, web, web4, _), *_ = ends
    for ns in (web, gateway.ns):
        assert ns.links()["eth0"]["mtu"] == 1440
    fits = 1500 - 60 - 70
    with Pieces(cluster.underlay.ns) as wire:
        # the probe sees what may be cut
        wait_until(lambda: cuts(web, INNER4, wire), 5, 0.05, "fragments on the wire")
        wire.pieces = 0
        for ns, to in ((web, INNER4), (gateway.behind, web4)):
            wait_until(lambda ns=ns, to=to: is_told(ns, to, fits), 5, 0.05, f"{to} is too small")
            wait_until(lambda ns=ns, to=to: ns.ping(
                to, extra=("-M", "do", "-s", str(fits - 28))), 5, 0.05, "what fits")
        check_both_ways(gateway, ends)
        assert not wire.pieces


@needs_etcd
@needs_wireguard
def test_nobody_reads_it(cluster):
    (a, web, web4, web6), (b, db, *_) = ends = lay(cluster, routes=(), encryption="wireguard")
    with gateway_on(b) as gateway:
        wait_known(a, "gate")
        cluster.network(**OVERLAY, routes=ROUTES, encryption="wireguard")
        wait_reached(web, INNER4)
        check_sizes(cluster, ends, gateway)
        with Tap(cluster.underlay.ns) as tap:
            for sender, targets in ((web, (INNER4, INNER6)), (gateway.behind, (web4, web6))):
                receiver = gateway.behind if sender is web else web
                for address in targets:
                    family = 6 if ":" in address else 4
                    with bound(receiver, family, socket.SOCK_DGRAM, SHOUTED, timeout=5) as got, \
                            Shouter(sender, address):
                        for _ in range(50):
                            assert MARKER in got.recv(1000)
            wait_until(lambda: tap.wireguard >= 200, 5, what="WireGuard on the wire")
            assert tap.clear == 0
            # and the probe would have seen it
            number = a.inspect("over")["status"]["number"]
            before = a.drops("overlay_clear")
            send(b.host, vxlan(number, IP(src="10.98.7.7", dst=web4) /
                               UDP(sport=9, dport=9999) / (MARKER * 4), b.wire_address,
                               a.wire_address))
            wait_until(lambda: a.drops("overlay_clear") > before, 5, 0.05, "overlay_clear")
            wait_until(lambda: tap.clear > 0, 5, 0.05, "the tap sees clear text")
    assert db


# ---- what cannot be -------------------------------------------------------------------------------

BAD = [
    ([{"to": TO, "via": "10.51.0.9"}], "spec.routes[0].via", "none of the network's subnets"),
    ([{"to": TO, "via": "10.50.0.1"}], "spec.routes[0].via", "the network's own gateway"),
    ([{"to": TO, "via": "10.50.0.0"}], "spec.routes[0].via", "the subnet itself"),
    ([{"to": TO, "via": "10.50.0.255"}], "spec.routes[0].via", "broadcast"),
    ([{"to": TO, "via": GATEWAY6}], "spec.routes[0].via", "family"),
    ([{"to": TO, "via": "gate"}], "spec.routes[0].via", "not an address"),
    ([{"to": "10.50.0.128/25", "via": GATEWAY4}], "spec.routes[0].to", "own subnet"),
    ([{"to": "10.0.0.0/8", "via": GATEWAY4}], "spec.routes[0].to", "own subnet"),
    ([{"to": "10.70.0.0/16", "via": GATEWAY4}], "spec.routes[0].to", "of network plain"),
    ([{"to": TO, "via": GATEWAY4}] * 2, "spec.routes[1].to", "routes[0]"),
    ([{"to": TO}], "spec.routes[0]", "needs via"),
    ([{**vtep_route(), "via": GATEWAY4}], "spec.routes[0]", "not both"),
]


def test_what_cannot_be(node):
    node.network("plain", subnets=[{"cidr": "10.70.1.0/24"}])
    for routes, field, text in BAD:
        with pytest.raises(ApiError) as refused:
            node.network("over", subnets=SUBNETS, routes=routes)
        assert refused.value.error["field"] == field, (routes, refused.value.message)
        assert text in refused.value.message, refused.value.message
    for spec, text in (({"driver": "routed", "encapsulation": "never"}, "encapsulation: never"),
                       ({"internal": True}, "internal")):
        with pytest.raises(ApiError) as refused:
            node.network("over", **{"subnets": SUBNETS, "routes": ROUTES, **spec})
        assert text in refused.value.message, refused.value.message
    assert not knows(node, "/v1/networks/over")


def test_by_the_command_line(node):
    done = node.weft("network", "create", "over", "--subnet", "10.50.0.0/24", "--route",
                     f"{TO}={GATEWAY4}", "--route", f"10.97.0.0/16={GATEWAY4}")
    assert done.returncode == 0
    assert node.inspect("over")["spec"]["routes"] == [
        {"to": TO, "via": GATEWAY4}, {"to": "10.97.0.0/16", "via": GATEWAY4}]
    assert f"via: {GATEWAY4}" in node.weft("network", "inspect", "over", "-o", "yaml").stdout
    for wrong in (TO, "x=10.50.0.9", f"{TO}=10.51.0.9"):
        assert node.weft("network", "create", "other", "--subnet", "10.50.0.0/24", "--route", wrong,
                         check=False).returncode != 0
