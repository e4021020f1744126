# SPDX-License-Identifier: Apache-2.0
"""The way out of networks whose subnets overlap: two tenants with the same addresses, and a world.

      acme, beta: web 10.50.0.11, db 10.50.0.13 -- [ node ] 192.0.2.1 ---- outside 192.0.2.2

      acme, beta: web 10.50.0.11 -- [ a ] 10.9.0.1 --+-- 10.9.0.2 [ b ] -- db 10.50.0.13
                                                     +-- 10.9.0.254, the world

Nobody outside has a route to the containers, so only a translated packet is ever answered.
"""
import contextlib
import errno
import shutil
import socket
from types import SimpleNamespace

import pytest

from lib.answer import (
    BOTH, PORT, Answerer, Session, ask_tcp, ask_udp, queued_error, try_tcp, try_udp)
from lib.cluster import ETCD, wait_known
from lib.encryption import wait_on
from lib.netns import wait_until
from lib.node import ApiError
from lib.service import HOST, OUTSIDE, balancer, both_protocols, bound, service
from lib.service import port as one_port
from lib.traffic import tcp_works
from lib.wire import ICMP, IP, UDP, Wire, send

SUBNETS = [{"cidr": "10.50.0.0/24"}, {"cidr": "fd50::/64"}]
TENANTS = ("acme", "beta")
OWN = {4: "10.50.0.11", 6: "fd50::11"}
DB = {4: "10.50.0.13", 6: "fd50::13"}
CLOSED = 8089
CLOSED_NODE_PORT = 30090
IP_MTU_DISCOVER, IP_MTU, IP_RECVERR, IP_PMTUDISC_DO = 10, 14, 11, 2


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


# ---- services for who is outside ------------------------------------------------------------------

EXTERNAL = {4: "198.51.100.7", 6: "2001:db8:7::7"}
BALANCED = {4: "198.51.100.8", 6: "2001:db8:7::8"}


def offer(node, name, number, ports=None, **spec):
    """A service of a tenant for its containers labelled app=db, with that node port."""
    node.apply(service(f"db-{name}", ports or both_protocols(80, node_port=number),
                       {"network": name}, selector={"app": "db"}, **spec))
    shown = node.api("GET", f"/v1/services/default/db-{name}")
    condition = shown["status"]["weft"]["conditions"][0]
    assert condition["status"] == "True", condition
    return {6 if ":" in address else 4: address for address in shown["spec"]["clusterIPs"]}


def test_services_from_outside(site):
    """Node ports, external addresses and those of balancers, each for one of the tenants."""
    node, outside, tenants = site
    node.network("plain", isolated=False, subnets=[{"cidr": "10.51.0.0/24"}])
    other, _, _ = node.container("plain", name="plain")
    for prefix, family in (("198.51.100.0/24", 4), ("2001:db8:7::/64", 6)):
        outside.run(f"ip route add {prefix} via {HOST[family]}")
    with contextlib.ExitStack() as stack:
        for name, tenant in tenants.items():
            stack.enter_context(contextlib.closing(Answerer(tenant.db, name)))
        own = offer(node, "acme", 30080, type="LoadBalancer", externalIPs=list(EXTERNAL.values()),
                    status=balancer(*BALANCED.values()),
                    loadBalancerSourceRanges=[f"{OUTSIDE[4]}/32", "fd50::/64"])
        offer(node, "beta", 30081, type="NodePort")
        for family in BOTH:
            for name, address, port in (("acme", HOST[family], 30080), ("beta", HOST[family], 30081),
                                        ("acme", EXTERNAL[family], 80)):
                for ask in (ask_tcp, ask_udp):
                    # the same port of the client, and the same address and port of the backend
                    told = ask(outside, address, port, source_port=40400)
                    assert (told.name, told.peer) == (name, OUTSIDE[family])
                    assert told.seen == (address, port)
                assert ask_udp(outside, address, port, size=4000).name == name
            # nobody of the host's view
            for sender in (node.host, other):
                for address, port in ((HOST[family], 30080), (EXTERNAL[family], 80),
                                      (BALANCED[family], 80)):
                    assert try_tcp(sender, address, port, timeout=0.2) not in TENANTS
            # but the network's own containers
            for address in (EXTERNAL[family], own[family]):
                assert try_tcp(tenants["acme"].web, address, 80) == "acme"
                assert try_tcp(tenants["beta"].web, address, 80, timeout=0.2) not in TENANTS
        # only who may: of the balancer's clients outside those of one family
        assert try_tcp(outside, BALANCED[4], 80) == "acme"
        assert try_tcp(outside, BALANCED[6], 80) == "silent"
        assert try_tcp(tenants["acme"].web, BALANCED[6], 80) == "acme"
        shown = node.api("POST", "/v1/why", {"source": OUTSIDE[4], "destination": HOST[4],
                                             "port": 30081})
        assert (shown["verdict"], shown["translated"]["name"]) == ("allow", "beta-db"), shown
        listed = {(item["name"], item["kind"]): item["from"]
                  for item in node.api("GET", "/v1/ports")["items"]}
        assert listed["default/db-beta", "NodePort"] == ["outside"]
        restarts_and_ends(node, outside)


def restarts_and_ends(node, outside):
    """Connections to services go on while weftd is away, and end with their network's backend alone."""
    sessions = [Session(outside, HOST[family], port) for family in BOTH for port in (30080, 30081)]
    try:
        node.kill_daemon()
        assert all(session.works() for session in sessions)
        node.start_daemon()
        assert all(session.works() for session in sessions)
        node.detach("acme-db")
        wait_until(lambda: try_tcp(outside, HOST[4], 30080) == "refused", 5, 0.05, "it is gone")
        assert [session.works() for session in sessions] == [False, True] * 2
    finally:
        for session in sessions:
            session.sock.close()


# ---- two nodes -------------------------------------------------------------------------------------

WORLD = {4: ETCD, 6: "fd09::fe"}
WIRE = {"a": {4: "10.9.0.1", 6: "fd09::1"}, "b": {4: "10.9.0.2", 6: "fd09::2"}}


@pytest.fixture
def apart(cluster, request):
    """
    (cluster, world, {tenant: {node: its container there}}); the world has no way to them. The parameter:
    what their networks are beside that.
    """
    world = cluster.underlay.ns
    tenants = {}
    for name in TENANTS:
        cluster.network(name, driver="overlay", overlapping=True, masquerade=True, subnets=SUBNETS,
                        **getattr(request, "param", {}))
        tenants[name] = {}
        for node, own, role in zip(cluster.nodes, (OWN, DB), ("web", "db")):
            ns, _, _ = node.container(name, name=f"{name}-{role}", addresses=list(own.values()),
                                      labels={"app": role, "tenant": name})
            tenants[name][node.name] = ns
        wait_known(cluster.nodes[0], f"{name}-db", name)
        wait_known(cluster.nodes[1], f"{name}-web", name)
    with contextlib.closing(Answerer(world, "world")):
        for tenant in tenants.values():
            for ns in tenant.values():
                wait_until(lambda w=ns: try_tcp(w, ETCD) == "world", 5, 0.05, "the way out")
        yield cluster, world, tenants


def is_marked(frame, marker):
    return UDP in frame and marker in bytes(frame[UDP].payload)


@pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed")
def test_each_node_is_the_way_out_of_its_own(apart):
    """Both tenants at the same time, by the same ports; the world sees the container's own node."""
    _, world, tenants = apart
    sessions = []
    with contextlib.ExitStack() as stack:
        for name, tenant in tenants.items():
            for node, ns in tenant.items():
                for family in BOTH:
                    sessions.append(stack.enter_context(
                        Session(ns, WORLD[family], source_port=40100)))
                    assert sessions[-1].told.peer == WIRE[node][family]
                    told = ask_udp(ns, WORLD[family], source_port=40200, size=4000)
                    assert (told.name, told.peer) == ("world", WIRE[node][family])
                    assert ns.ping(WORLD[family])
            # and within the network as ever, by the tunnel
            with contextlib.closing(Answerer(tenant["b"], name)):
                for family in BOTH:
                    told = ask_tcp(tenant["a"], DB[family], source_port=40100 + family)
                    assert (told.name, told.peer) == (name, OWN[family])
        assert all(session.works() for session in sessions)
    nothing_crosses(world, tenants)


def nothing_crosses(world, tenants):
    """What the world answers to one tenant arrives there, and nowhere in the other."""
    with contextlib.ExitStack() as stack:
        places = [(name, node) for name in TENANTS for node in tenants[name]]
        wires = {(name, node): stack.enter_context(Wire(tenants[name][node]))
                 for name, node in places}
        answers = stack.enter_context(bound(world, 4, socket.SOCK_DGRAM, 9999, timeout=1))
        for name, node in places:
            marker = f"{name}-{node}-marked".encode()
            with bound(tenants[name][node], 4, socket.SOCK_DGRAM, 40300) as asks:
                asks.sendto(marker, (ETCD, 9999))
                heard, peer = answers.recvfrom(100)
                assert (heard, peer[0]) == (marker, WIRE[node][4])
                answers.sendto(marker, peer)
                found = [place for place, wire in wires.items()
                         if wire.see(lambda frame, m=marker: is_marked(frame, m), 0.2)]
                # the probe sees it where it belongs, and only there
                assert found == [(name, node)]


@pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed")
def test_services_of_the_node_that_is_asked(apart):
    """From outside each node serves by its own containers; within the network all do."""
    cluster, world, tenants = apart
    a, b = cluster.nodes
    with contextlib.ExitStack() as stack:
        for name, port in zip(TENANTS, (30080, 30081)):
            stack.enter_context(contextlib.closing(Answerer(tenants[name]["b"], name)))
            own = offer(a, name, port, type="NodePort", externalTrafficPolicy="Local")
            wait_until(lambda p=port, n=name: try_tcp(world, WIRE["b"][4], p) == n, 5, 0.05,
                       "the node port")
            for family in BOTH:
                for ask in (ask_tcp, ask_udp):
                    told = ask(world, WIRE["b"][family], port)
                    assert (told.name, told.peer) == (name, WORLD[family])
                # there is no backend: another node is to be tried
                assert try_tcp(world, WIRE["a"][family], port, timeout=0.2) == "silent"
                assert try_tcp(tenants[name]["a"], own[family], 80) == name
        assert a.drops("service_not_local") > 0


def shown(node, network):
    """What a node shows in a tenant's network of who comes in by it; nobody answers there."""
    return {6 if ":" in address else 4: address
            for address in node.inspect(network)["status"]["hostAddresses"]}


@pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed")
def test_services_of_all_nodes(apart):
    """A client of one node, and both tenants' backends on the other one, at the same address and port."""
    cluster, world, tenants = apart
    a, b = cluster.nodes
    with contextlib.ExitStack() as stack:
        for name, number in zip(TENANTS, (30080, 30081)):
            stack.enter_context(contextlib.closing(Answerer(tenants[name]["b"], name)))
            offer(a, name, number, type="NodePort", ports=[
                *both_protocols(80, node_port=number),
                one_port(81, CLOSED, "closed", "UDP", number + CLOSED_NODE_PORT - 30080),
                one_port(82, number + 20, "bulk", "TCP", number + 20)])
            for family in BOTH:
                wait_until(lambda p=number, n=name, f=family: try_tcp(world, WIRE["a"][f], p) == n,
                           5, 0.05, "the node port")
        for family in BOTH:
            for name, number in zip(TENANTS, (30080, 30081)):
                for ask in (ask_tcp, ask_udp):
                    # the same port of the client in both
                    told = ask(world, WIRE["a"][family], number, source_port=40500)
                    assert (told.name, told.peer) == (name, shown(a, name)[family])
                    assert told.seen == (WIRE["a"][family], number)
                    told = ask(world, WIRE["b"][family], number, source_port=40500)
                    assert (told.name, told.peer) == (name, WORLD[family])
                # in fragments, there and back; of IPv6 they are smaller once the client was told
                wait_until(lambda p=number, n=name, f=family: try_udp(
                    world, WIRE["a"][f], p, size=4000) == n, 5, 0.05, "the fragments")
            assert tcp_works(world, tenants["beta"]["b"], WIRE["a"][family], 30101, timeout=10,
                             payload=b"x" * (4 << 20))
        too_large(world)
        errors(apart)
        sessions = [stack.enter_context(Session(world, WIRE["a"][family], number, source_port=40600))
                    for family in BOTH for number in (30080, 30081)]
        nobody_is_there(apart)
        for node in (a, b):
            node.kill_daemon()
        assert all(session.works() for session in sessions)
        for node in (a, b):
            node.start_daemon("--store", cluster.underlay.etcd.url(), "--node-ip",
                              node.wire_address)
        assert all(session.works() for session in sessions)
        assert try_tcp(world, WIRE["a"][4], 30081) == "beta"
        b.detach("acme-db")
        wait_until(lambda: try_tcp(world, WIRE["a"][4], 30080) == "refused", 5, 0.05, "it is gone")
        assert [session.works() for session in sessions] == [False, True] * 2


@pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed")
@pytest.mark.skipif(not shutil.which("wireguard-go"), reason="wireguard-go is not installed")
@pytest.mark.parametrize("apart", [{"encryption": "wireguard"}], indirect=True)
def test_services_of_all_nodes_encrypted(apart):
    """The same by the tunnel's device, inside WireGuard."""
    cluster, world, tenants = apart
    wait_on(cluster)
    with contextlib.closing(Answerer(tenants["acme"]["b"], "acme")):
        offer(cluster.nodes[0], "acme", 30080, type="NodePort")
        for family in BOTH:
            wait_until(lambda f=family: try_tcp(world, WIRE["a"][f], 30080) == "acme", 5, 0.05,
                       "the node port")
            for ask in (ask_tcp, ask_udp):
                told = ask(world, WIRE["a"][family], 30080)
                assert (told.name, told.peer) == ("acme", shown(cluster.nodes[0], "acme")[family])


def too_large(world):
    """A datagram that does not fit into the tunnel, and must not be cut: the service's address says so."""
    with bound(world, 4, socket.SOCK_DGRAM, 0) as sock:
        sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        sock.connect((WIRE["a"][4], 30080))
        sock.send(b"x" * 1472)
        error = queued_error(sock)
        assert error and error.errno == errno.EMSGSIZE and error.who == WIRE["a"][4]
        assert sock.getsockopt(socket.IPPROTO_IP, IP_MTU) == 1450
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 0)
        sock.send(b"x" * 1422)
        assert b"acme" in sock.recv(2000)


def errors(apart):
    """What a router on the client's side says of an answer, and what the backend says of a question."""
    cluster, world, tenants = apart
    own = shown(cluster.nodes[0], "acme")[4]
    told = ask_udp(world, WIRE["a"][4], 30080, source_port=40700)
    quoted = IP(src=WIRE["a"][4], dst=WORLD[4]) / UDP(sport=30080, dport=40700) / (b"x" * 8)
    with Wire(tenants["acme"]["b"]) as wire, Wire(tenants["beta"]["b"]) as other:
        send(world, IP(src="198.51.100.1", dst=WIRE["a"][4]) /
             ICMP(type=3, code=4, nexthopmtu=1300) / quoted)
        frame = wire.see(lambda frame: ICMP in frame and frame[ICMP].code == 4)
        assert frame and frame[IP].src == own
        # IPerror and UDPerror
        inner = frame[ICMP].payload
        assert (inner.src, inner.dst) == (DB[4], own)
        assert (inner.payload.sport, inner.payload.dport) == (PORT, told.port)
        assert not other.see(lambda frame: ICMP in frame, 0.1)
    assert "mtu 1300" in tenants["acme"]["b"].run(f"ip route get {own}").stdout
    assert try_udp(world, WIRE["a"][4], CLOSED_NODE_PORT) == "refused"


def nobody_is_there(apart):
    """What a node shows in a network reaches neither its host nor any client, and no other network."""
    cluster, _, tenants = apart
    a, b = cluster.nodes
    with contextlib.closing(Answerer(a.host, "host")):
        for family in BOTH:
            before = a.drops("no_such_address")
            assert try_tcp(tenants["acme"]["b"], shown(a, "acme")[family], timeout=0.2) == "silent"
            assert a.drops("no_such_address") > before
            for sender in (tenants["acme"]["a"], tenants["beta"]["b"], a.host, b.host):
                assert try_tcp(sender, shown(a, "acme")[family], timeout=0.2) not in ("host", "acme")
    for node in (a, b):
        assert "10.50.0" not in node.run("ip addr").stdout + node.run("ip route show table all").stdout
