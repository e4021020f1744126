# SPDX-License-Identifier: Apache-2.0
"""Routes to a VXLAN endpoint that is no node. Topology: lib/vtep.py; a container on each node."""
import shutil
import socket

import pytest

from lib.answer import Answerer, ask_tcp, try_tcp, try_udp
from lib.cluster import OVERLAY, Underlay, knows, wait_known
from lib.netns import wait_until
from lib.node import ApiError
from lib.policy import network_policy
from lib.service import bound
from lib.traffic import tcp_works
from lib.vtep import INNER4, INNER6, OTHER4, OUTER, ROUTES, VNI, Vtep, route, routes
from lib.wire import IP, UDP, send, vxlan

pytestmark = pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed")


@pytest.fixture
def vtep(cluster, underlay):
    made = Vtep(underlay, cluster.nodes)
    yield made
    made.remove()


@pytest.fixture
def pair(cluster, vtep):
    """A container on each of two nodes: (node, namespace, IPv4, IPv6) twice."""
    cluster.network(**OVERLAY, routes=routes(vtep.outer))
    ends = []
    for node, name in zip(cluster.nodes, ("web", "db")):
        ns, v4, endpoint = node.container("over", name=name, labels={"app": name})
        ends.append((node, ns, v4, node.address_of(endpoint, 6)))
    wait_known(cluster.nodes[0], "db")
    wait_known(cluster.nodes[1], "web")
    return ends


def change(cluster, wanted):
    """Other routes, in force on both nodes."""
    cluster.nodes[0].network("over", **OVERLAY, routes=wanted)
    for node in cluster.nodes:
        wait_until(lambda n=node: len(n.inspect("over")["spec"].get("routes", [])) == len(wanted)
                   and all(r["to"] == want["to"] for r, want in
                           zip(n.inspect("over")["spec"].get("routes", []), wanted)),
                   5, what="the new routes")


@pytest.mark.parametrize("cluster", [(Underlay.join,) * 2, (Underlay.join6,) * 2], indirect=True,
                         ids=["ipv4", "ipv6"])
def test_both_ways_from_both_nodes(cluster, vtep, pair):
    """It finds containers by its own questions, and sees them as they are."""
    outside = Answerer(vtep, "outside")
    inside = [Answerer(ns, node.name) for node, ns, *_ in pair]
    try:
        for node, ns, own4, own6 in pair:
            for own, address in ((own4, INNER4), (own6, INNER6)):
                # who begins has asked nobody yet
                vtep.run("ip neigh flush dev vx0")
                told = ask_tcp(ns, address)
                assert told.name == "outside" and told.peer == own
                assert try_udp(ns, address) == "outside" and ns.ping(address)
                vtep.run("ip neigh flush dev vx0")
                told = ask_tcp(vtep, own)
                assert told.name == node.name and told.peer == address
                assert try_udp(vtep, own) == node.name and vtep.ping(own)
            assert tcp_works(ns, vtep, INNER4, 9000, timeout=10, payload=b"x" * (4 << 20))
            assert tcp_works(vtep, ns, own6, 9000, timeout=10, payload=b"x" * (4 << 20))
    finally:
        for server in (outside, *inside):
            server.close()


def test_what_is_refused(cluster, vtep, pair):
    (a, web, web4, _), _ = pair
    cluster.network("other", driver="overlay", subnets=[{"cidr": "10.60.0.0/24"}])
    apart, apart4, _ = a.container("other")
    listener, other = (bound(ns, 4, socket.SOCK_DGRAM, 9999, timeout=0.05) for ns in (web, apart))
    gateway = "10.50.0.1"

    def probe(source, target, vni=VNI, frm=vtep, outer=OUTER):
        send(frm, vxlan(vni, IP(src=source, dst=target) / UDP(sport=9, dport=9999) / b"x", outer,
                        "10.9.0.1"))

    def arrives(sock, *args, **more):
        def once():
            probe(*args, **more)
            try:
                return sock.recv(100)
            except TimeoutError:
                return None
        return wait_until(once, 5, 0.05, "the probe arrives")

    def refused(reason, *args, **more):
        before = a.drops(reason)
        probe(*args, **more)
        wait_until(lambda: a.drops(reason) > before, 5, 0.05, reason)

    with listener, other:
        # what follows differs in one thing each from one that arrives
        assert arrives(listener, "10.98.0.9", web4)
        refused("overlay_spoofed", "10.97.0.9", web4)
        refused("overlay_spoofed", web4, web4)
        refused("overlay_foreign", "10.98.0.9", web4, vni=VNI + 1)
        refused("overlay_foreign", "10.98.0.9", web4, frm=cluster.underlay.ns, outer="10.9.0.254")
        refused("no_such_address", "10.98.0.9", gateway)
        refused("no_such_address", "10.98.0.9", apart4)
        # a node does not send for it
        refused("overlay_spoofed", "10.98.0.9", web4, vni=a.inspect("over")["status"]["number"],
                frm=cluster.nodes[1].host, outer="10.9.0.2")
        for sock in (listener, other):
            with pytest.raises(TimeoutError):
                sock.recv(100)


def test_its_addresses_come_by_no_other_way(cluster, vtep, pair):
    """In clear text, from somebody who has a route to the containers."""
    (a, web, web4, _), _ = pair
    cluster.underlay.ns.run("ip route add 10.50.0.0/24 via 10.9.0.1")
    listener = bound(web, 4, socket.SOCK_DGRAM, 9999, timeout=0.05)

    def probe(source):
        send(cluster.underlay.ns, IP(src=source, dst=web4) / UDP(sport=9, dport=9999) / b"x")
        try:
            return listener.recv(100)
        except TimeoutError:
            return None

    with listener:
        wait_until(lambda: probe("10.97.0.9"), 5, 0.05, "somebody else's arrives")
        before = a.drops("spoofed_ip")
        assert not probe("10.98.0.9")
        wait_until(lambda: a.drops("spoofed_ip") > before, 5, 0.05, "spoofed_ip")


def test_policies_know_it_by_its_prefix(cluster, vtep, pair):
    (a, web, web4, web6), _ = pair
    outside, inside = Answerer(vtep, "outside"), Answerer(web, "web")
    try:
        assert try_tcp(vtep, web4) == "web"
        assert try_tcp(web, INNER4) == try_tcp(web, OTHER4) == "outside"
        a.apply(network_policy("out", {"app": "web"}, policyTypes=["Egress"], egress=[
            {"to": [{"ipBlock": {"cidr": "10.98.0.0/24"}}]}]))
        assert try_tcp(web, INNER4) == "outside"
        assert try_tcp(web, OTHER4) != "outside" and try_tcp(web, INNER6) != "outside"
        answer = a.api("POST", "/v1/why", {"source": "web", "destination": OTHER4, "port": 8080})
        assert answer["verdict"] == "deny" and answer["reason"]["label"] == "policy_egress"
        a.apply({"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy",
                 "metadata": {"name": "world"},
                 "spec": {"endpointSelector": {"matchLabels": {"app": "web"}},
                          "egress": [{"toEntities": ["world"]}]}})
        assert try_tcp(web, OTHER4) == "outside" and try_tcp(web, INNER6) == "outside"
        a.api("DELETE", "/v1/documents/CiliumNetworkPolicy/default%2Fworld")
        assert try_tcp(web, OTHER4) != "outside"
        # answers pass, and what it begins
        assert try_tcp(vtep, web4) == "web"
        a.apply(network_policy("in", {"app": "web"}, policyTypes=["Ingress"], ingress=[
            {"from": [{"ipBlock": {"cidr": "10.98.1.0/24"}}]}]))
        assert try_tcp(vtep, web4) != "web"
        vtep.run(f"ip route replace 10.50.0.0/24 dev vx0 src {OTHER4}")
        assert try_tcp(vtep, web4) == "web"
        assert try_tcp(web, INNER4) == "outside"
    finally:
        outside.close()
        inside.close()


def test_why_names_the_endpoint(cluster, vtep, pair):
    (a, web, *_), _ = pair
    answer = a.api("POST", "/v1/why", {"source": "web", "destination": INNER4, "port": 80})
    assert answer["verdict"] == "allow"
    assert answer["nextHop"] == (f"by VXLAN to {OUTER}, VNI {VNI}: the route to 10.98.0.0/16 of "
                                 "network over")
    assert OUTER in a.weft("why", "web", f"{INNER4}:80").stdout
    # somebody beyond the route
    other = a.api("POST", "/v1/why", {"source": "web", "destination": "10.97.0.1", "port": 80})
    assert "VXLAN" not in other["nextHop"]


def test_changes_while_it_runs(cluster, vtep, pair):
    (a, web, *_), (b, db, db4, _) = pair
    for ns in (web, db):
        vtep.wait_reached(ns)
        vtep.wait_reached(ns, OTHER4)
    # a longer prefix that leads to nobody
    change(cluster, [*ROUTES, route("10.98.1.0/24", address="10.9.0.77")])
    assert web.ping(INNER4) and not web.ping(OTHER4) and not db.ping(OTHER4)
    change(cluster, ROUTES)
    assert web.ping(OTHER4) and db.ping(OTHER4)
    # another VNI: who has the old one is nobody any more
    change(cluster, [route("10.98.0.0/17", vni=VNI + 1)])
    before = b.drops("overlay_foreign")
    assert not web.ping(INNER4) and not vtep.ping(db4)
    wait_until(lambda: b.drops("overlay_foreign") > before, 5, 0.05, "overlay_foreign")
    change(cluster, [])
    assert not web.ping(INNER4)
    assert a.inspect("over")["spec"].get("routes") is None
    change(cluster, ROUTES)
    vtep.wait_reached(web, INNER6)
    vtep.wait_reached(db)


def test_over_restarts(cluster, vtep, pair):
    """It goes on without weftd, and a weftd that comes back puts right what is not as it says."""
    (a, web, web4, _), _ = pair
    vtep.wait_reached(web)
    a.kill_daemon()
    assert web.ping(INNER4) and vtep.ping(web4)
    # changed by the other node meanwhile
    b = cluster.nodes[1]
    b.network("over", **OVERLAY, routes=[route("10.98.1.0/24")])
    cluster.start(a)
    wait_until(lambda: a.inspect("over")["spec"]["routes"][0]["to"] == "10.98.1.0/24", 5)
    wait_until(lambda: not web.ping(INNER4), 5, 0.05, "the old route is gone")
    assert web.ping(OTHER4)
    b.network("over", **OVERLAY, routes=ROUTES)
    vtep.wait_reached(web)
    assert vtep.ping(web4)


BAD = [
    ([route("10.50.0.128/25")], "spec.routes[0].to", "overlaps the network's own subnet"),
    ([route("10.70.0.0/16")], "spec.routes[0].to", "of network plain"),
    ([route("10.98.0.1/16")], "spec.routes[0].to", "the prefix is 10.98.0.0/16"),
    ([route("127.0.0.0/8")], "spec.routes[0].to", "loopback"),
    ([route("0.0.0.0/0")], "spec.routes[0].to", "not to a VXLAN endpoint"),
    ([route(), route()], "spec.routes[1].to", "has a route already, routes[0]"),
    ([route("fd98::/64")], "spec.routes[0].to", "no addresses of that family"),
    ([route(vni=0)], "spec.routes[0].vtep.vni", "between"),
    ([route(vni=2)], "spec.routes[0].vtep.vni", "between"),
    ([route(vni=1 << 24)], "spec.routes[0].vtep.vni", "between"),
    ([route(mac="01:00:5e:00:00:01")], "spec.routes[0].vtep.mac", "MAC of one device"),
    ([route(mac="x")], "spec.routes[0].vtep.mac", "MAC of one device"),
    ([route(address="224.0.0.1")], "spec.routes[0].vtep.address", "address of another host"),
    ([route(address="10.9.0.2")], "spec.routes[0].vtep.address", "is node b"),
    ([route(address="fd09::20")], "spec.routes[0].vtep.address", "family"),
    ([route(vni=6001)], "spec.routes[0].vtep.vni", "for network taken already"),
    ([{"to": "10.98.0.0/16"}], "spec.routes[0]", "needs via"),
    ([route()] * 17, "spec.routes", "16"),
]


def test_what_cannot_be(cluster):
    a = cluster.nodes[0]
    subnets = {"driver": "overlay", "subnets": [{"cidr": "10.50.0.0/24"}]}
    a.network("plain", subnets=[{"cidr": "10.70.1.0/24"}])
    a.network("taken", driver="overlay", subnets=[{"cidr": "10.71.0.0/24"}],
              routes=[route(vni=6001)])
    for wrong, field, text in BAD:
        with pytest.raises(ApiError) as refused:
            a.network("over", **subnets, routes=wrong)
        assert refused.value.error["field"] == field, (wrong, refused.value.message)
        assert text in refused.value.message, refused.value.message
    for spec, text in (({"driver": "bridge"}, "overlay only"), ({"driver": "routed"}, "overlay only"),
                       ({"internal": True}, "internal"),
                       ({"encryption": "wireguard"}, "unencrypted: true")):
        with pytest.raises(ApiError) as refused:
            a.network("over", **{**subnets, **spec}, routes=[route()])
        assert text in refused.value.message, refused.value.message
    assert not knows(a, "/v1/networks/over")
    # others keep away from what a route leads to
    with pytest.raises(ApiError) as refused:
        a.network("over", subnets=[{"cidr": "10.98.7.0/24"}])
    assert "a route of network taken" in refused.value.message
    a.network("over", **{**subnets, "encryption": "wireguard"}, routes=[route(unencrypted=True)])


def test_a_node_alone_has_no_tunnel(node):
    with pytest.raises(ApiError) as refused:
        node.network("over", driver="overlay", subnets=[{"cidr": "10.50.0.0/24"}],
                     routes=[route()])
    assert "--store" in refused.value.message
