# SPDX-License-Identifier: Apache-2.0
"""Networks whose subnets overlap: two tenants with the same addresses, on two nodes.

      acme, beta: web 10.50.0.11, db 10.50.0.13 -- [ node a ] ---- [ node b ] -- far 10.50.0.12
"""
import itertools
import json
import shutil
import socket
import time

import pytest

from lib.answer import Answerer, Session, ask_tcp, ask_udp, try_tcp, try_udp
from lib.cluster import members, wait_known
from lib.encryption import Shouter, Tap, wait_on
from lib.netns import wait_until
from lib.node import ApiError
from lib.policy import allow_from, deny_all
from lib.service import bound
from lib.wire import IP, UDP, send, vxlan

pytestmark = pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed")

WITH_KEYS = pytest.mark.skipif(not shutil.which("wireguard-go"),
                               reason="wireguard-go is not installed")
SUBNETS = [{"cidr": "10.50.0.0/24"}, {"cidr": "fd50::/64"}]
TENANTS = ("acme", "beta")
NEAR, FAR = "13", "12"


def both(last):
    return f"10.50.0.{last}", f"fd50::{last}"


class Tenant:
    """A network with three containers, of which two say who they are."""

    def __init__(self, cluster, name, **spec):
        self.name = name
        # the same ones, in the same order, for each
        self.ports = itertools.count(41000)
        cluster.network(name, driver="overlay", overlapping=True, subnets=SUBNETS, **spec)
        a, b = cluster.nodes
        self.web = self.container(a, "web", "11")
        self.db = self.container(a, "db", NEAR)
        self.far = self.container(b, "far", FAR)
        self.servers = [Answerer(self.db, f"{name}-db"), Answerer(self.far, f"{name}-far")]
        wait_known(a, f"{name}-far", name)
        for role in ("web", "db"):
            wait_known(b, f"{name}-{role}", name)

    def container(self, node, role, last):
        ns, address, _ = node.container(self.name, name=f"{self.name}-{role}",
                                        addresses=list(both(last)),
                                        labels={"app": role, "tenant": self.name})
        assert address == both(last)[0]
        return ns

    def close(self):
        for server in self.servers:
            server.close()

    def reaches_its_own(self):
        for last, role in ((NEAR, "db"), (FAR, "far")):
            for address in both(last):
                port = next(self.ports)
                told = ask_tcp(self.web, address, source_port=port)
                assert told.name == f"{self.name}-{role}", (address, told)
                assert ask_udp(self.web, address, source_port=port).name == told.name
                assert self.web.ping(address), address


@pytest.fixture
def tenants(cluster, request):
    spec = getattr(request, "param", {})
    made = {}
    try:
        for name in TENANTS:
            made[name] = Tenant(cluster, name, **spec)
        if spec:
            wait_on(cluster)
        yield made
    finally:
        for tenant in made.values():
            tenant.close()


@pytest.mark.parametrize(
    "tenants", [{}, pytest.param({"encryption": "wireguard"}, marks=WITH_KEYS)],
    ids=["clear", "encrypted"], indirect=True)
def test_each_reaches_its_own_and_only_its_own(cluster, tenants):
    """The same addresses and ports on both sides, at the same time."""
    a, b = cluster.nodes
    for tenant in tenants.values():
        tenant.reaches_its_own()
    sessions = {(name, address): Session(tenant.web, address, source_port=40500 + i)
                for i, address in enumerate(both(NEAR) + both(FAR))
                for name, tenant in tenants.items()}
    try:
        for session in sessions.values():
            assert session.works()
    finally:
        for session in sessions.values():
            session.sock.close()
    # what one of them has alone the other does not find, on either node
    for node, last in ((a, "21"), (b, "22")):
        alone = tenants["acme"].container(node, f"alone{last}", last)
        wait_known(a, f"acme-alone{last}", "acme")
        server = Answerer(alone, "alone")
        try:
            for address in both(last):
                wait_until(lambda to=address: try_tcp(tenants["acme"].web, to) == "alone", 5, 0.1,
                           f"{address} answers its own")
                assert try_tcp(tenants["beta"].web, address) != "alone"
                assert not tenants["beta"].web.ping(address)
        finally:
            server.close()
    assert members(a, "beta").keys() == {"beta-web", "beta-db", "beta-far"}


@WITH_KEYS
@pytest.mark.parametrize("tenants", [{"encryption": "wireguard"}], indirect=True)
def test_nothing_of_an_encrypted_one_is_seen(cluster, tenants):
    """No address is bound to a key: all of it has outer headers inside WireGuard."""
    cluster.network("open", driver="overlay", overlapping=True, subnets=SUBNETS,
                    encryption="none")
    a, b = cluster.nodes
    clear, _, _ = a.container("open", name="open-web", addresses=list(both("11")))
    b.container("open", name="open-far", addresses=list(both(FAR)))
    wait_known(a, "open-far", "open")
    with Tap(cluster.underlay.ns) as tap:
        # the probe sees the marker where it is in clear
        with Shouter(clear, *both(FAR)):
            wait_until(lambda: tap.clear > 10, 5, what="clear text of the other network")
        time.sleep(0.3)
        tap.clear = tap.wireguard = 0
        with Shouter(tenants["acme"].web, *both(FAR)) as shouter:
            wait_until(lambda: shouter.sent > 200, 10, what="packets")
        wait_until(lambda: tap.wireguard > 100, 5, what=f"what was encrypted ({shouter.sent} sent)")
        assert tap.clear == 0
    # the largest packets fit into one of the wire's
    web = tenants["acme"].web
    assert web.ping(both(FAR)[0], extra=("-M", "do", "-s", str(1500 - 60 - 70 - 28)))


def test_beside_networks_that_do_not_say_so(cluster, tenants):
    """An ordinary network may have the same subnet; its containers and the host are others."""
    a, b = cluster.nodes
    cluster.network("plain", driver="overlay", subnets=SUBNETS)
    web, _, _ = a.container("plain", name="plain-web", addresses=list(both("11")))
    far, _, _ = b.container("plain", name="plain-far", addresses=list(both(FAR)))
    db, _, _ = a.container("plain", name="plain-db", addresses=list(both(NEAR)))
    wait_known(a, "plain-far", "plain")
    servers = [Answerer(db, "plain-db"), Answerer(far, "plain-far")]
    try:
        for address in both(NEAR):
            assert ask_tcp(web, address).name == "plain-db"
            # the host's routes lead to the ordinary one
            assert ask_tcp(a.host, address).name == "plain-db"
        for address in both(FAR):
            assert ask_tcp(web, address).name == "plain-far"
        for tenant in tenants.values():
            tenant.reaches_its_own()
            # neither its gateway, which nobody is, nor what has the same name in the other network
            for address in both("1"):
                assert a.host.ping(address) and not tenant.web.ping(address)
    finally:
        for server in servers:
            server.close()


def test_the_host_does_not_reach_them(cluster, tenants):
    a, _ = cluster.nodes
    assert "10.50.0" not in a.run("ip route show table all").stdout
    assert "10.50.0" not in a.run("ip addr").stdout
    for address in both(NEAR):
        assert tenants["acme"].web.ping(address) and not a.host.ping(address)
    shown = a.inspect("acme")
    assert shown["spec"]["overlapping"] and shown["spec"]["internal"]
    assert "hostAddresses" not in shown["status"] and "hostInterface" not in shown["status"]
    assert all(not subnet["gateway"] for subnet in shown["spec"]["subnets"])
    why = a.weft_json("ip", "why", both("11")[0])
    assert {(item["network"], item["owner"]) for item in why["items"]} == {
        ("acme", "acme-web"), ("beta", "beta-web")}


def test_policies_are_of_one_of_them(cluster, tenants):
    """The same tuple in both, judged by other rules; and the labels of one say nothing of the other."""
    a, _ = cluster.nodes
    acme, beta = (tenants[name] for name in TENANTS)
    for tenant in tenants.values():
        tenant.reaches_its_own()
    for role, last in (("db", NEAR), ("far", FAR)):
        a.apply(deny_all(f"beta-{role}", {"app": role, "tenant": "beta"}),
                allow_from(f"acme-{role}", {"app": role, "tenant": "acme"},
                           {"app": "web", "tenant": "acme"}))
        for address in both(last):
            wait_until(lambda to=address: try_tcp(beta.web, to) != f"beta-{role}", 5, 0.1,
                       "the policy")
            assert try_tcp(beta.web, address, source_port=40600) != f"beta-{role}"
            assert try_udp(beta.web, address, source_port=40600) != f"beta-{role}"
            assert ask_tcp(acme.web, address, source_port=40600).name == f"acme-{role}"
            assert ask_udp(acme.web, address, source_port=40600).name == f"acme-{role}"
    acme.reaches_its_own()
    # a CIDR means the peers of the subject's own network
    a.apply({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
             "metadata": {"name": "beta-far"},
             "spec": {"podSelector": {"matchLabels": {"app": "far", "tenant": "beta"}},
                      "policyTypes": ["Ingress"],
                      "ingress": [{"from": [{"ipBlock": {"cidr": "10.50.0.11/32"}}]}]}})
    address = both(FAR)[0]
    wait_until(lambda: try_tcp(beta.web, address) == "beta-far", 5, 0.1, "the address is allowed")
    assert try_tcp(beta.db, address) != "beta-far"
    # asked about an address: it is one of the sender's network
    for name, verdict in (("beta", "deny"), ("acme", "allow")):
        done = a.weft("why", f"{name}-web", f"{both(NEAR)[0]}:80", "-o", "json", check=False)
        answer = json.loads(done.stdout)
        assert (answer["verdict"], answer["destination"]["name"]) == (verdict, f"{name}-db")


def test_restart_changes_nothing(cluster, tenants):
    """Sessions go on while either node's weftd is dead, and after it has read all again."""
    a, _ = cluster.nodes
    a.apply(allow_from("db", {"app": "db", "tenant": "acme"}, {"app": "web", "tenant": "acme"}))
    sessions = [Session(tenant.web, address, source_port=40700 + i)
                for i, address in enumerate(both(NEAR) + both(FAR))
                for tenant in tenants.values()]
    try:
        for node in cluster.nodes:
            node.kill_daemon()
            assert all(session.works() for session in sessions)
            cluster.start(node)
            assert all(session.works() for session in sessions)
        for tenant in tenants.values():
            tenant.reaches_its_own()
    finally:
        for session in sessions:
            session.sock.close()
    # what goes leaves the other's alone
    cluster.nodes[1].detach("acme-far")
    wait_until(lambda: "acme-far" not in members(a, "acme"), 5, 0.05, "it is gone")
    assert not tenants["acme"].web.ping(both(FAR)[0])
    tenants["beta"].reaches_its_own()


def test_events_name_who_it_was(cluster, tenants):
    a, b = cluster.nodes
    beta = tenants["beta"]
    there, here = b.observe("--first"), a.observe("--drops")
    try:
        for _ in range(3):
            assert try_tcp(beta.web, both(FAR)[0]) == "beta-far"
            assert try_tcp(tenants["acme"].web, both(FAR)[0]) == "acme-far"
        for name in TENANTS:
            event = there.wait_for(
                lambda e, of=name: e["protocol"] == "TCP" and e.get("network") == of and
                e["destination"].get("address") == both(FAR)[0], 10)
            assert event["source"]["name"] == f"{name}-web"
            assert event["destination"]["name"] == f"{name}-far"
        a.apply(deny_all("beta-db", {"app": "db", "tenant": "beta"}))
        wait_until(lambda: try_tcp(beta.web, both(NEAR)[0]) != "beta-db", 5, 0.1, "the policy")
        event = here.wait_for(lambda e: e.get("reason", {}).get("label") == "policy_ingress", 10)
        assert event["network"] == "beta" and event["endpoint"] == "beta-web"
        assert event["destination"]["name"] == "beta-db"
    finally:
        there.stop()
        here.stop()


def test_sources_are_those_of_one_network(cluster, tenants):
    """What comes by the tunnel is looked up in the network that it is for."""
    a, b = cluster.nodes
    tenants["acme"].container(a, "extra", "31")
    wait_known(b, "acme-extra", "acme")
    inner = IP(src=both("31")[0], dst=both(FAR)[0]) / UDP(sport=7, dport=9999) / b"forged"
    listeners = {name: bound(tenant.far, 4, socket.SOCK_DGRAM, 9999, timeout=1)
                 for name, tenant in tenants.items()}

    def forge(name):
        number = a.inspect(name)["status"]["number"]
        send(a.host, vxlan(number, inner, a.wire_address, b.wire_address))

    try:
        # the probe sees what the node really sends for one of its endpoints
        forge("acme")
        assert listeners["acme"].recv(100) == b"forged"
        before = b.drops("overlay_spoofed")
        forge("beta")
        wait_until(lambda: b.drops("overlay_spoofed") == before + 1, 5, 0.05, "it is refused")
        for listener in listeners.values():
            with pytest.raises(TimeoutError):
                listener.recv(100)
    finally:
        for listener in listeners.values():
            listener.close()


REFUSED = [
    ({"driver": "routed"}, "spec.overlapping"),
    ({"driver": "macvlan"}, "spec.overlapping"),
    ({"isolated": False}, "spec.isolated"),
    ({"internal": False}, "spec.internal"),
    ({"masquerade": True, "internal": True}, "spec.masquerade"),
    ({"subnets": [{"cidr": "10.50.0.0/24", "gateway": "10.50.0.1"}]}, "spec.subnets[0].gateway"),
]


def test_what_does_not_go_is_refused(cluster):
    a, _ = cluster.nodes
    for spec, field in REFUSED:
        with pytest.raises(ApiError) as refused:
            a.network("no", **{"driver": "overlay", "overlapping": True, "subnets": SUBNETS, **spec})
        assert refused.value.error.get("field") == field, refused.value.message
    cluster.network("acme", driver="overlay", overlapping=True, subnets=SUBNETS)
    cluster.network("plain", driver="overlay", subnets=SUBNETS)
    # those that do not say so keep away from each other, as ever
    with pytest.raises(ApiError) as refused:
        a.network("more", driver="bridge", subnets=SUBNETS)
    assert refused.value.code == "EADDRINUSE"
    assert "network plain" in refused.value.message
    assert "overlapping: true" in refused.value.message
    with pytest.raises(ApiError) as refused:
        a.network("acme", driver="overlay", subnets=SUBNETS)
    assert refused.value.error.get("field") == "spec.overlapping"
    a.network("alone", driver="bridge", overlapping=True, subnets=SUBNETS)

    with pytest.raises(ApiError) as refused:
        a.attach(a.new_netns(), "acme", name="open",
                 publish=[{"hostPort": 8080, "containerPort": 80}])
    assert refused.value.error.get("field") == "publish" and "overlapping" in refused.value.message
    ns = a.new_netns()
    a.attach(ns, "plain", name="one")
    with pytest.raises(ApiError) as refused:
        a.attach(ns, "acme", name="two", ifname="eth1")
    assert refused.value.error.get("field") == "network" and "tell the two apart" in refused.value.message
    with pytest.raises(ApiError) as refused:
        a.attach(a.new_netns(), "acme", name="three", defaultRoute=True)
    assert refused.value.error.get("field") == "defaultRoute"


def test_services_of_all_do_not_see_them(cluster, tenants):
    """A selector that names them finds those of other networks alone; one's own service its own."""
    a, _ = cluster.nodes
    cluster.network("plain", driver="overlay", subnets=[{"cidr": "10.51.0.0/24"}])
    client, _, _ = a.container("plain", name="client")
    backend, address, _ = a.container("plain", name="backend", labels={"app": "db"})
    spec = {"selector": {"app": "db"}, "clusterIP": "10.96.7.7",
            "ports": [{"port": 80, "targetPort": 8080}]}
    server = Answerer(backend, "plain-db")
    try:
        port = server.port
        spec["ports"][0]["targetPort"] = port
        a.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "db"}, "spec": spec},
                {"apiVersion": "v1", "kind": "Service",
                 "metadata": {"name": "own", "annotations": {"weft.dev/network": "acme"}},
                 "spec": {**spec, "clusterIP": "10.96.7.8"}})
        wait_until(lambda: try_tcp(client, "10.96.7.7", 80) == "plain-db", 5, 0.1, "the service")
        for _ in range(20):
            assert try_tcp(client, "10.96.7.7", 80) == "plain-db"
        for tenant in tenants.values():
            assert try_tcp(tenant.web, "10.96.7.7", 80) not in ("plain-db", "acme-db", "beta-db")
        wait_until(lambda: try_tcp(tenants["acme"].web, "10.96.7.8", 80) == "acme-db", 5, 0.1,
                   "the network's own")
        assert try_tcp(tenants["beta"].web, "10.96.7.8", 80) not in ("acme-db", "beta-db")
        assert try_tcp(client, "10.96.7.8", 80) not in ("acme-db", "plain-db")
    finally:
        server.close()
