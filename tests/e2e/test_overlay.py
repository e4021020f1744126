# SPDX-License-Identifier: Apache-2.0
"""Several nodes on one store: networks that reach from node to node, with services and policies.

Each node is a namespace with a weftd of its own; a bridge joins them; etcd is a real one.
"""
import shutil
import socket

import pytest

from lib.answer import Answerer, Session, ask_tcp, try_tcp, try_udp
from lib.cluster import OVERLAY, Underlay, listed, members, wait_known, wait_way
from lib.netns import wait_until
from lib.node import ApiError
from lib.policy import allow_from, network_policy
from lib.service import bound, port, service, slice_of
from lib.wire import IP, MARK_NEAR, UDP, send, vxlan
from scapy.layers.inet import fragment

pytestmark = pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed")


@pytest.fixture
def pair(cluster, request):
    """A container on each of two nodes: (node, namespace, IPv4, IPv6) twice.

    The parameter: the network's driver; in a routed one packets travel as they are.
    """
    driver = getattr(request, "param", "overlay")
    cluster.network(**{**OVERLAY, "driver": driver})
    for node, other in zip(cluster.nodes, "ba") if driver == "routed" else ():
        wait_way(node, other, "segment")
    ends = []
    for node, name in zip(cluster.nodes, ("web", "db")):
        ns, v4, endpoint = node.container("over", name=name, labels={"app": name})
        ends.append((node, ns, v4, node.address_of(endpoint, 6)))
    wait_known(cluster.nodes[0], "db")
    wait_known(cluster.nodes[1], "web")
    return ends


def test_containers_of_two_nodes_talk(cluster, pair):
    (a, web, web4, web6), (b, db, db4, db6) = pair
    assert web4 != db4
    for address in (db4, db6):
        assert web.ping(address), address
    server = Answerer(db, "db")
    try:
        for address, own in ((db4, web4), (db6, web6)):
            told = ask_tcp(web, address)
            assert told.name == "db" and told.peer == own
        assert try_udp(web, db4) == "db" and try_udp(web, db6) == "db"
        # more than the tunnel carries in one piece
        assert web.ping(db4, extra=("-s", "4000"))
    finally:
        server.close()
    assert " mtu 1450 " in web.run("ip link show eth0").stdout


def test_nodes_see_each_other(cluster, pair):
    a, b = cluster.nodes
    shown = {item["name"]: item for item in a.weft_json("node", "ls")["items"]}
    assert shown["a"]["state"] == "self" and shown["b"]["state"] == "alive"
    assert shown["b"]["address"] == "10.9.0.2" and shown["b"]["endpoints"] == 1
    assert members(a)["db"]["node"] == "b"
    with pytest.raises(ApiError) as refused:
        a.attach(a.new_netns(), "over", name="db")
    assert refused.value.code == "EEXIST" and "on node b" in refused.value.message
    with pytest.raises(ApiError) as refused:
        a.api("DELETE", "/v1/documents/Network/over")
    assert refused.value.code == "EBUSY"


def test_what_goes_is_gone_everywhere(cluster, pair):
    (a, web, *_), (b, db, db4, _) = pair
    assert web.ping(db4)
    b.detach("db")
    wait_until(lambda: "db" not in members(a), 5, 0.01, "db is forgotten")
    assert not web.ping(db4)
    drops = a.api("GET", "/metrics")
    assert 'weft_remote_endpoints 0' in drops


def test_addresses_are_never_given_twice(cluster):
    cluster.network(**OVERLAY)
    seen = {}
    for turn in range(12):
        for node in cluster.nodes:
            _, v4, endpoint = node.container("over")
            assert v4 not in seen, (v4, seen)
            seen[v4] = node.name
    assert len(seen) == 24


def test_policy_of_remote_labels(cluster, pair):
    (a, web, web4, _), (b, db, db4, db6) = pair
    other, _, _ = a.container("over", name="other", labels={"app": "other"})
    wait_known(b, "other")
    server = Answerer(db, "db")
    try:
        assert try_tcp(web, db4) == "db" and try_tcp(other, db4) == "db"
        # applied at one node, in force at the other
        a.apply(allow_from("db", {"app": "db"}, {"app": "web"}))
        wait_until(lambda: try_tcp(other, db4) != "db", 3, what="the policy")
        assert try_tcp(web, db4) == "db" and try_tcp(web, db6) == "db"
        assert try_tcp(other, db6) != "db"
        # egress of the sender, by the labels of who is elsewhere
        a.apply(network_policy("web", {"app": "web"}, policyTypes=["Egress"], egress=[
            {"to": [{"podSelector": {"matchLabels": {"app": "nobody"}}}]}]))
        assert try_tcp(web, db4) != "db"
        assert a.api("DELETE", "/v1/documents/NetworkPolicy/default%2Fweb") is not False
        assert try_tcp(web, db4) == "db"
    finally:
        server.close()


@pytest.mark.parametrize("pair", ["overlay", "routed"], indirect=True)
def test_service_with_backends_on_both_nodes(cluster, pair):
    (a, web, *_), (b, db, *_) = pair
    client, _, _ = a.container("over", name="client")
    wait_known(b, "client")
    servers = [Answerer(web, "web"), Answerer(db, "db")]
    try:
        for node, name in ((a, "more1"), (b, "more2")):
            ns, _, _ = node.container("over", name=name, labels={"tier": "back"})
            servers.append(Answerer(ns, name))
        wait_known(a, "more2")
        a.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "back"},
                 "spec": {"selector": {"tier": "back"}, "clusterIP": "10.96.0.77",
                          "ports": [{"port": 80, "targetPort": 8080}]}})
        for at, ns in ((a, client), (b, db)):
            answers = {try_tcp(ns, "10.96.0.77", 80) for _ in range(30)}
            assert answers == {"more1", "more2"}, (at.name, answers)
    finally:
        for server in servers:
            server.close()


def test_restart_of_a_daemon_interrupts_nothing(cluster, pair):
    (a, web, *_), (b, db, db4, _) = pair
    server = Answerer(db, "db")
    session = Session(web, db4)
    try:
        for node in (a, b):
            node.kill_daemon()
            assert session.works()
            cluster.start(node)
            assert session.works()
            assert try_tcp(web, db4) == "db"
    finally:
        session.sock.close()
        server.close()


def test_etcd_down_changes_nothing_that_runs(cluster, pair):
    (a, web, *_), (b, db, db4, _) = pair
    server = Answerer(db, "db")
    try:
        cluster.underlay.etcd.kill()
        assert try_tcp(web, db4) == "db"
        a.kill_daemon()
        cluster.start(a)
        assert try_tcp(web, db4) == "db" and "db" in members(a)
        with pytest.raises(ApiError):
            a.attach(a.new_netns(), "over", name="late")
        cluster.underlay.etcd.start()

        def attached():
            try:
                return a.attach(a.new_netns(), "over", name="late")
            except ApiError:
                return None

        wait_until(attached, 30, 0.5, "attaching works again")
        wait_known(b, "late")
    finally:
        server.close()


@pytest.mark.parametrize("check", [0, None], ids=["programs", "device"])
def test_forged_tunnels_are_refused(cluster, pair, check):
    (a, web, web4, _), (b, db, db4, _) = pair
    vni = b.inspect("over")["status"]["number"]

    def inner(source):
        return IP(src=source, dst=db4) / UDP(sport=9, dport=9999) / b"forged"

    with bound(db, 4, socket.SOCK_DGRAM, 9999, timeout=0.5) as listener:
        # the probe sees what a member really sends for one of its endpoints
        send(a.host, vxlan(vni, inner(web4), "10.9.0.1", "10.9.0.2", check=check))
        assert listener.recv(100) == b"forged"
        for case, reason in (
                ((vni, inner("10.50.0.200"), "10.9.0.1", "10.9.0.2"), "overlay_spoofed"),
                ((vni, inner(db4), "10.9.0.1", "10.9.0.2"), "overlay_spoofed"),
                ((vni, inner(web4), "10.9.0.254", "10.9.0.2"), "overlay_foreign"),
                ((vni + 1, inner(web4), "10.9.0.1", "10.9.0.2"), "no_network")):
            before = b.drops(reason)
            sender = cluster.underlay.ns if case[2] == "10.9.0.254" else a.host
            send(sender, vxlan(*case, check=check))
            with pytest.raises(TimeoutError):
                listener.recv(100)
            assert b.drops(reason) == before + 1, reason


class Masqueraded:
    """A container of somebody else's on a node's host, behind the node's address by nftables."""

    def __init__(self, node):
        self.ns = node.new_netns()
        self.v4 = "10.199.0.2"
        node.run(f"ip link add other type veth peer name eth0 netns {self.ns.name}")
        node.run("ip addr add 10.199.0.1/24 dev other")
        node.run("ip link set other up")
        self.ns.run("ip addr add 10.199.0.2/24 dev eth0")
        self.ns.run("ip link set eth0 up")
        self.ns.run("ip route add default via 10.199.0.1")
        for rule in ("add table ip other", "add chain ip other post "
                     "{ type nat hook postrouting priority 100; }",
                     "add rule ip other post ip saddr 10.199.0.0/24 masquerade"):
            node.run(["nft", *rule.split(" ")])


def fragments(packet, size=24):
    """An IPv4 packet in pieces of so many bytes, all but the last."""
    return fragment(packet.__class__(bytes(packet)), fragsize=size)


@pytest.mark.parametrize("check", [0, None], ids=["programs", "device"])
def test_nobody_but_weft_speaks_for_a_node(cluster, pair, check):
    """Behind the node's address others would be believed: those who are masqueraded, and its users."""
    (a, web, web4, _), (b, db, db4, _) = pair
    vni = b.inspect("over")["status"]["number"]
    a.network("local", subnets=[{"cidr": "10.77.0.0/24"}])
    mates = [a.container(network, name=f"of-{network}")[:2] for network in ("over", "local")]
    other = Masqueraded(a)
    senders = [*mates, (other.ns, other.v4), (a.host, "10.9.0.1")]
    inner = IP(src=web4, dst=db4) / UDP(sport=9, dport=9999) / (b"forged" * 10)
    with bound(db, 4, socket.SOCK_DGRAM, 9999, timeout=0.3) as listener:
        # the probe sees what weft sends for one of the node's endpoints, and each one's own datagrams
        send(a.host, vxlan(vni, inner, "10.9.0.1", "10.9.0.2", check=check))
        assert listener.recv(100) == b"forged" * 10
        for ns, own in senders:
            with bound(b.host, 4, socket.SOCK_DGRAM, 4790, timeout=2) as plain:
                send(ns, IP(src=own, dst="10.9.0.2") / UDP(sport=50000, dport=4790) / b"seen", 0)
                assert plain.recvfrom(100)[1][0] == "10.9.0.1", own
            packet = vxlan(vni, inner, own, "10.9.0.2", check=check)
            # a mark is the host's; a container's own does not leave its namespace
            for pieces, mark in (([packet], 0), (fragments(packet), 0),
                                 ([packet], 0 if ns is a.host else MARK_NEAR)):
                before = a.drops("tunnel_pretended")
                for piece in pieces:
                    send(ns, piece, mark)
                with pytest.raises(TimeoutError):
                    listener.recv(100)
                assert a.drops("tunnel_pretended") > before, (own, len(pieces), mark)
        no_service_leads_there(a, web, listener)
    assert web.ping(db4)


def no_service_leads_there(node, client, listener):
    """Whose backend is the end of a node's tunnel, or the port beside it; it says so."""
    for name, number in (("beside", 4790), ("tunnel", 4789)):
        node.apply(service(name, [port(80, number, protocol="UDP")], dual=False),
                   slice_of(name, ["10.9.0.2"], ports=[("", number, "UDP")]))
        shown = node.api("GET", f"/v1/services/default/{name}")
        said = {item["type"]: item for item in shown["status"]["weft"]["conditions"]}
        assert said["Programmed"]["status"] == "True"
        if name == "beside":
            assert "BackendsReached" not in said
            continue
        assert (said["BackendsReached"]["status"], said["BackendsReached"]["reason"]) == (
            "False", "TunnelPort")
        assert all(text in said["BackendsReached"]["message"]
                   for text in ("10.9.0.2", "4789", "node b"))
        before = node.drops("tunnel_pretended")
        with bound(client, 4, socket.SOCK_DGRAM, 0) as sock:
            sock.sendto(b"forged" * 10, (shown["spec"]["clusterIP"], 80))
        wait_until(lambda: node.drops("tunnel_pretended") > before, 2, 0.02, "it is dropped")
        with pytest.raises(TimeoutError):
            listener.recv(100)


def test_a_lost_device_comes_back(cluster, pair):
    (a, web, *_), (b, db, db4, _) = pair
    assert web.ping(db4)
    a.run("ip link del weft-overlay")
    assert wait_until(lambda: web.ping(db4), 3, 0.05, "the overlay is back")
    # the kernel refuses while weftd is at the filters of the device that it has just made
    wait_until(lambda: a.run("tc qdisc del dev weft-overlay clsact", check=False).returncode == 0,
               3, 0.02, "the filter is taken away")
    assert wait_until(lambda: web.ping(db4), 3, 0.05, "the filter is back")


@pytest.mark.parametrize("cluster", [(Underlay.join,) * 3], indirect=True)
def test_a_node_that_vanishes(cluster):
    cluster.network(**OVERLAY)
    a, b, c = cluster.nodes
    for node in cluster.nodes:
        node.container("over", name=f"on-{node.name}", labels={"app": "x"})
    for name in ("on-b", "on-c"):
        wait_known(a, name)
    a.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"},
             "spec": {"selector": {"app": "x"}, "clusterIP": "10.96.0.78",
                      "ports": [{"port": 80, "targetPort": 8080}]}})
    cluster.underlay.cut(c)
    c.kill_daemon()

    def lost():
        return listed(a, "c")["state"] == "lost" and listed(a, "b")["state"] == "alive"

    wait_until(lost, 45, 0.5, "c is lost")
    shown = a.api("GET", "/v1/services/default/x")
    assert "on-c" not in str(shown["status"]["weft"])
    cluster.underlay.cut(c, False)
    cluster.start(c)
    wait_until(lambda: listed(a, "c")["state"] == "alive", 10, 0.2, "c is back")
