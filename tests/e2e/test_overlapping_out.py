# SPDX-License-Identifier: Apache-2.0
"""The way out of networks whose subnets overlap: two tenants with the same addresses, and a world.

      acme, beta: web 10.50.0.11, db 10.50.0.13 -- [ node ] 192.0.2.1 ---- outside 192.0.2.2

Nobody outside has a route to the containers, so only a translated packet is ever answered.
"""
import contextlib
import socket
from types import SimpleNamespace

import pytest

from lib.answer import BOTH, Answerer, Session, ask_tcp, ask_udp, try_tcp, try_udp
from lib.netns import wait_until
from lib.node import ApiError
from lib.service import HOST, OUTSIDE, bound
from lib.traffic import tcp_works

SUBNETS = [{"cidr": "10.50.0.0/24"}, {"cidr": "fd50::/64"}]
TENANTS = ("acme", "beta")
OWN = {4: "10.50.0.11", 6: "fd50::11"}
DB = {4: "10.50.0.13", 6: "fd50::13"}
CLOSED = 8089


def lay(node, name, driver="bridge"):
    node.network(name, driver=driver, overlapping=True, masquerade=True, subnets=SUBNETS)
    made = SimpleNamespace(name=name)
    for role, own in (("web", OWN), ("db", DB)):
        ns, _, _ = node.container(name, name=f"{name}-{role}", addresses=list(own.values()),
                                  labels={"app": role, "tenant": name})
        setattr(made, role, ns)
    return made


@pytest.fixture
def site(node):
    """(node, outside, {tenant}); the world answers as "world"."""
    outside = node.outside()
    for family in BOTH:
        outside.run(f"ip -{family} route del default")
    tenants = {name: lay(node, name) for name in TENANTS}
    with contextlib.closing(Answerer(outside, "world")):
        for tenant in tenants.values():
            for family in BOTH:
                wait_until(lambda w=tenant.web, f=family: try_tcp(w, OUTSIDE[f]) == "world", 5, 0.05,
                           f"{tenant.name}'s way out")
        yield node, outside, tenants


def test_each_has_one(site):
    """The same addresses and ports in both, at the same time; the world sees the host."""
    node, outside, tenants = site
    sessions = [Session(tenant.web, OUTSIDE[family], source_port=40100)
                for tenant in tenants.values() for family in BOTH]
    try:
        for tenant in tenants.values():
            for family in BOTH:
                for ask, port in ((ask_tcp, 40200), (ask_udp, 40200)):
                    told = ask(tenant.web, OUTSIDE[family], source_port=port)
                    assert (told.name, told.peer) == ("world", HOST[family])
                # in fragments, there and back
                assert ask_udp(tenant.web, OUTSIDE[family], size=4000).peer == HOST[family]
                assert tenant.web.ping(OUTSIDE[family], count=2)
                # what the world says of a packet finds back as well
                assert try_udp(tenant.web, OUTSIDE[family], CLOSED) == "refused"
                assert tcp_works(tenant.web, outside, OUTSIDE[family], 9000, timeout=10,
                                 payload=b"x" * (4 << 20))
                # and all is as before within the network
                assert tenant.web.ping(DB[family])
        assert all(session.works() for session in sessions)
        node.kill_daemon()
        assert all(session.works() for session in sessions)
        node.start_daemon()
        assert all(session.works() for session in sessions)
        for tenant in tenants.values():
            assert try_tcp(tenant.web, OUTSIDE[4]) == "world"
    finally:
        for session in sessions:
            session.sock.close()
    why = node.api("POST", "/v1/why", {"source": "acme-web", "destination": OUTSIDE[4], "port": 80})
    assert why["verdict"] == "allow", why
    shown = node.inspect("acme")["spec"]
    assert shown["masquerade"] and not shown["internal"] and shown["isolated"]
    # the gateway is the network's own: the host has no such address
    assert shown["subnets"][0]["gateway"] == "10.50.0.1"
    assert "10.50.0" not in node.run("ip addr").stdout + node.run("ip route show table all").stdout


def test_nothing_else_is_reached(site):
    node, outside, tenants = site
    acme = tenants["acme"].web
    node.network("plain", isolated=False, subnets=[{"cidr": "10.51.0.0/24"}])
    other, plain4, _ = node.container("plain", name="plain")
    with contextlib.closing(Answerer(node.host, "host")), \
            contextlib.closing(Answerer(other, "plain")), \
            contextlib.closing(Answerer(acme, "acme")):
        # the probes work for those who may
        assert try_tcp(other, HOST[4]) == "host" and try_tcp(node.host, plain4) == "plain"
        assert try_tcp(tenants["acme"].db, OWN[4]) == "acme"
        before = node.drops("network_isolated")
        for address in (HOST[4], HOST[6], plain4, "10.51.0.1"):
            assert try_tcp(acme, address) not in ("host", "plain")
        assert node.drops("network_isolated") > before
        # its gateway is nobody
        assert not acme.ping("10.50.0.1") and try_tcp(acme, "10.50.0.1") != "host"
        # nor does anybody get in, by whatever route
        outside.run(f"ip route add 10.50.0.0/24 via {HOST[4]}")
        for sender in (outside, node.host, other):
            assert try_tcp(sender, OWN[4]) != "acme"


def test_published_ports(node):
    """Two tenants' containers with the same address, each behind a port of the host."""
    outside = node.outside()
    node.network("plain", isolated=False, subnets=[{"cidr": "10.51.0.0/24"}])
    other, _, _ = node.container("plain", name="plain")
    servers = []
    try:
        for name, port in zip(TENANTS, (8088, 8089)):
            node.network(name, overlapping=True, masquerade=True, subnets=SUBNETS)
            ns, _, _ = node.container(name, name=name, addresses=list(OWN.values()), publish=[
                {"hostPort": port, "containerPort": 8080, "protocol": protocol}
                for protocol in ("tcp", "udp")])
            servers.append(Answerer(ns, name))
        for name, port in zip(TENANTS, (8088, 8089)):
            for family in BOTH:
                wait_until(lambda f=family, p=port: try_tcp(outside, HOST[f], p) != "refused", 5, 0.05,
                           "the port")
                for ask in (ask_tcp, ask_udp):
                    told = ask(outside, HOST[family], port, source_port=40300)
                    assert (told.name, told.peer) == (name, OUTSIDE[family])
                assert ask_udp(outside, HOST[family], port, size=4000).name == name
            # nobody else: to the host its address means another's, or nobody's
            for sender in (node.host, other):
                assert try_tcp(sender, HOST[4], port) not in TENANTS
        sessions = [Session(outside, HOST[4], port) for port in (8088, 8089)]
        node.kill_daemon()
        assert all(session.works() for session in sessions)
        node.start_daemon()
        assert all(session.works() for session in sessions)
        node.detach("acme")
        assert not sessions[0].works() and sessions[1].works()
        for session in sessions:
            session.sock.close()
    finally:
        for server in servers:
            server.close()


def test_policies_are_of_one_of_them(site):
    """A CIDR is judged in the network of the subject; the other one's goes on."""
    node, _, tenants = site
    sessions = {name: Session(tenants[name].web, OUTSIDE[4]) for name in TENANTS}
    try:
        node.apply({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
                    "metadata": {"name": "in"},
                    "spec": {"podSelector": {"matchLabels": {"tenant": "acme"}},
                             "policyTypes": ["Egress"],
                             "egress": [{"to": [{"ipBlock": {"cidr": f"{OUTSIDE[4]}/32"}}],
                                         "ports": [{"port": 53, "protocol": "UDP"}]}]}})
        wait_until(lambda: not sessions["acme"].works(), 5, 0.1, "the policy")
        before = node.drops("policy_egress")
        assert try_tcp(tenants["acme"].web, OUTSIDE[4]) == "silent"
        assert node.drops("policy_egress") > before
        assert sessions["beta"].works() and try_tcp(tenants["beta"].web, OUTSIDE[4]) == "world"
        with contextlib.closing(Answerer(node.outsides[0], "names", port=53)):
            assert try_udp(tenants["acme"].web, OUTSIDE[4], 53) == "names"
    finally:
        for session in sessions.values():
            session.sock.close()


def test_only_if_asked_for(node):
    outside = node.outside()
    node.weft("network", "create", "open", "--overlapping", "--way-out")
    assert node.inspect("open")["spec"]["masquerade"]
    node.network("acme", overlapping=True, subnets=SUBNETS)
    web, _, _ = node.container("acme", name="web", addresses=[OWN[4]])
    assert "default" not in web.run("ip route").stdout
    with bound(outside, 4, socket.SOCK_DGRAM, 9999, timeout=0.3) as heard, \
            bound(web, 4, socket.SOCK_DGRAM, 0) as sock:
        web.run("ip route add default dev eth0")
        with contextlib.suppress(OSError):
            sock.sendto(b"?", (OUTSIDE[4], 9999))
        with pytest.raises(TimeoutError):
            heard.recv(10)
    for spec, field in (({"masquerade": True}, "spec.subnets[0].gateway"),
                        ({"masquerade": True, "internal": True}, "spec.masquerade")):
        with pytest.raises(ApiError) as refused:
            node.network("acme", overlapping=True, **{"subnets": SUBNETS, **spec})
        assert refused.value.error.get("field") in (field, "spec.masquerade"), refused.value.message
