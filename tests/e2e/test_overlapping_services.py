# SPDX-License-Identifier: Apache-2.0
"""Services of networks whose subnets overlap: two tenants with the same addresses, on two nodes.

      acme, beta: web 10.50.0.11, db 10.50.0.13 -- [ node a ] ---- [ node b ] -- far 10.50.0.12
      each has a service "db-TENANT" for its own db and far
"""
import contextlib
import shutil
import socket
import time

import pytest

from lib.answer import BOTH, PORT, Answerer, Session, ask_tcp, ask_udp, names, try_tcp, try_udp
from lib.cluster import Cluster, wait_known
from lib.encryption import MARKER, Shouter, Tap, wait_on
from lib.netns import wait_until
from lib.node import ApiError
from lib.policy import deny_all
from lib.service import MODES, both_protocols, service, slice_of

needs_etcd = pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed")

SUBNETS = [{"cidr": "10.50.0.0/24"}, {"cidr": "fd50::/64"}]
TENANTS = ("acme", "beta")


def vips(node, name):
    shown = node.api("GET", f"/v1/services/default/{name}")
    return {6 if ":" in address else 4: address for address in shown["spec"]["clusterIPs"]}


def conditions(node, name):
    shown = node.api("GET", f"/v1/services/default/{name}")
    return {item["type"]: item for item in shown["status"]["weft"]["conditions"]}


class Tenant:
    """A network with the same addresses as others', its containers, and its service."""

    def __init__(self, nodes, name, driver):
        self.name = name
        self.nodes = nodes
        self.stack = contextlib.ExitStack()
        self.servers = []
        self.web = self.container(nodes[0], "web", "11")
        self.db = self.container(nodes[0], "db", "13", serves=True)
        if len(nodes) > 1:
            self.far = self.container(nodes[1], "far", "12", serves=True)
            wait_known(nodes[0], f"{name}-far", name)
            wait_known(nodes[1], f"{name}-db", name)
        nodes[0].apply(service(f"db-{name}", both_protocols(), {"network": name},
                               selector={"app": "db"}))
        self.vips = vips(nodes[0], f"db-{name}")

    def container(self, node, role, last, serves=False):
        ns, _, _ = node.container(self.name, name=f"{self.name}-{role}",
                                  addresses=[f"10.50.0.{last}", f"fd50::{last}"],
                                  labels={"app": "db" if serves else role, "tenant": self.name})
        if serves:
            self.servers.append(Answerer(ns, f"{self.name}-{role}"))
        return ns

    def own(self):
        """Names of all who serve."""
        return {server.name for server in self.servers}

    def wait_served(self, ns=None):
        for family in BOTH:
            wait_until(lambda f=family: try_tcp(ns or self.web, self.vips[f], 80) in self.own(), 10,
                       0.1, f"{self.name}'s service")

    def reaches_its_own(self, ns=None):
        """Each backend of its own, and never another's, by TCP and UDP, in both families."""
        for family in BOTH:
            for kind in ("tcp", "udp"):
                found = names(ns or self.web, self.vips[family], 80, count=30, kind=kind)
                assert found.keys() == self.own(), (self.name, family, kind, found)

    def close(self):
        for server in self.servers:
            server.close()


@contextlib.contextmanager
def laid(nodes, driver, lay, **spec):
    made = {}
    try:
        for name in TENANTS:
            lay(name, driver=driver, overlapping=True, subnets=SUBNETS, **spec)
            made[name] = Tenant(nodes, name, driver)
        for tenant in made.values():
            tenant.wait_served()
        yield made
    finally:
        for tenant in made.values():
            tenant.close()


@pytest.fixture(params=list(MODES))
def alone(new_node, request):
    """One node, networks that stay on it."""
    node = new_node("alone")
    node.start_daemon(*MODES[request.param])
    with laid([node], "bridge", node.network) as tenants:
        yield node, tenants


@pytest.fixture(params=list(MODES))
def apart(new_node, underlay, request):
    """Two nodes, the backends of each service on both."""
    cluster = Cluster([new_node(name) for name in "ab"], underlay)
    for node in cluster.nodes:
        node.wire_address = underlay.join(node)
        cluster.start(node, *MODES[request.param])
    with laid(cluster.nodes, "overlay", cluster.network) as tenants:
        yield cluster, tenants


def reaches_nobody(ns, address, port=80):
    served = [try_tcp(ns, address, port), try_udp(ns, address, port)]
    return not any(name.startswith(TENANTS + ("plain",)) for name in served)


def check_apart(tenants, host):
    """Each reaches its own; neither the other's service nor, from the host, any."""
    acme, beta = (tenants[name] for name in TENANTS)
    for tenant in tenants.values():
        tenant.reaches_its_own()
    for one, other in ((acme, beta), (beta, acme)):
        for family in BOTH:
            # the address is right, and so is the probe: its own containers are served there
            assert try_tcp(other.web, other.vips[family], 80) in other.own()
            assert reaches_nobody(one.web, other.vips[family])
            assert reaches_nobody(host, other.vips[family])
            assert try_tcp(other.web, other.vips[family], 81) == "refused"


def test_on_one_node(alone):
    node, tenants = alone
    check_apart(tenants, node.host)
    for tenant in tenants.values():
        told = ask_tcp(tenant.web, tenant.vips[4], 80)
        assert told.peer == "10.50.0.11" and told.seen == (tenant.vips[4], 80)
        told = ask_udp(tenant.web, tenant.vips[6], 80)
        assert told.peer == "fd50::11" and told.seen == (tenant.vips[6], 80)
        # a backend that asks for itself; who it sees is nobody else
        assert try_tcp(tenant.db, tenant.vips[4], 80) == f"{tenant.name}-db"


@needs_etcd
def test_on_two_nodes(apart):
    cluster, tenants = apart
    a, b = cluster.nodes
    check_apart(tenants, a.host)
    for tenant in tenants.values():
        assert len(tenant.own()) == 2
        # from the other node as well
        tenant.wait_served(tenant.far)
        tenant.reaches_its_own(tenant.far)
    assert reaches_nobody(tenants["acme"].far, tenants["beta"].vips[4])
    for node in (a, b):
        shown = node.api("GET", "/v1/services/default/db-acme")["status"]["weft"]
        assert shown["conditions"][0]["status"] == "True", shown["conditions"]
        targets = {item["target"] for port in shown["ports"] for item in port["backends"]}
        assert targets == {"acme-db", "acme-far"}
        assert {item["scope"] for port in shown["ports"] for item in port["frontends"]} == {
            "network"}


@needs_etcd
@pytest.mark.skipif(not shutil.which("wireguard-go"), reason="wireguard-go is not installed")
def test_on_two_nodes_encrypted(cluster):
    """The backend that a service chose is reached inside WireGuard, and its answer too."""
    a, b = cluster.nodes
    with laid(cluster.nodes, "overlay", cluster.network, encryption="wireguard") as tenants:
        wait_on(cluster)
        for tenant in tenants.values():
            tenant.reaches_its_own()
            tenant.wait_served(tenant.far)
            tenant.reaches_its_own(tenant.far)
            assert reaches_nobody(a.host, tenant.vips[4])
        with Tap(cluster.underlay.ns) as tap:
            # the probe sees the marker where it is in clear
            with Shouter(a.host, b.wire_address):
                wait_until(lambda: tap.clear, 5, what="clear text between the hosts")
            time.sleep(0.1)
            tap.clear = tap.wireguard = 0
            for family in BOTH:
                for tenant in tenants.values():
                    with Session(tenant.web, tenant.vips[family], 80) as session:
                        for _ in range(20):
                            session.sock.sendall(MARKER)
                            heard = b""
                            while len(heard) < len(MARKER):
                                heard += session.sock.recv(len(MARKER) - len(heard))
                            assert heard == MARKER
                    # some of the connections are to the backend over there
                    assert tenant.reaches_its_own() is None
            assert tap.wireguard > 20 and tap.clear == 0


@needs_etcd
def test_restart_changes_nothing(apart):
    """Sessions by the service go on, and new ones are served, without weftd and after it is back."""
    cluster, tenants = apart
    sessions = [Session(tenant.web, tenant.vips[family], 80) for tenant in tenants.values()
                for family in BOTH]
    try:
        for node in cluster.nodes:
            node.kill_daemon()
            assert all(session.works() for session in sessions)
            for tenant in tenants.values():
                tenant.reaches_its_own()
            node.start_daemon(*node.extra)
            assert all(session.works() for session in sessions)
            for tenant in tenants.values():
                tenant.reaches_its_own()
    finally:
        for session in sessions:
            session.sock.close()


@needs_etcd
def test_policies_are_of_one_of_them(apart):
    """Who asks by a service is judged with the backend, in his own network."""
    cluster, tenants = apart
    a, _ = cluster.nodes
    acme, beta = (tenants[name] for name in TENANTS)
    for tenant in tenants.values():
        tenant.reaches_its_own()
    a.apply(deny_all("beta-db", {"app": "db", "tenant": "beta"}))
    for family in BOTH:
        wait_until(lambda f=family: try_tcp(beta.web, beta.vips[f], 80) not in beta.own(), 5, 0.1,
                   "the policy")
        for _ in range(6):
            assert try_tcp(beta.web, beta.vips[family], 80, timeout=0.2) not in beta.own()
            assert try_udp(beta.web, beta.vips[family], 80, timeout=0.2) not in beta.own()
    acme.reaches_its_own()
    # a rule that names a service means its backends, where they are
    a.apply({"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy",
             "metadata": {"name": "to-service"},
             "spec": {"endpointSelector": {"matchLabels": {"app": "web", "tenant": "acme"}},
                      "egress": [{"toServices": [{"k8sService": {
                          "serviceName": "db-acme", "namespace": "default"}}]}]}})
    other = acme.container(cluster.nodes[0], "other", "31")
    with contextlib.closing(Answerer(other, "acme-other")):
        wait_until(lambda: try_tcp(acme.web, "10.50.0.31", timeout=0.3) != "acme-other", 10, 0.1,
                   "the rule")
        assert try_tcp(acme.db, "10.50.0.31") == "acme-other"
        acme.reaches_its_own()
    why = a.api("POST", "/v1/why", {"source": "acme-web", "destination": "service/db-acme",
                                    "port": 80})
    assert why["verdict"] == "allow", why
    why = a.api("POST", "/v1/why", {"source": "acme-web", "destination": "service/db-beta",
                                    "port": 80})
    assert why["verdict"] == "deny", why


def connections(node, service_key):
    return node.api("GET", f"/v1/conntrack?service=default%2F{service_key}")["items"]


def test_connections_and_backends_that_leave(alone):
    """Records say whose they are; what one network loses the other keeps."""
    node, tenants = alone
    acme, beta = (tenants[name] for name in TENANTS)
    assert ask_udp(acme.web, acme.vips[4], 80, source_port=40100).name == "acme-db"
    assert ask_udp(beta.web, beta.vips[4], 80, source_port=40100).name == "beta-db"
    if node.extra:
        # the same tuple towards the backend in both
        for name in TENANTS:
            found = [item for item in connections(node, f"db-{name}")
                     if item["source"] == "10.50.0.11:40100"]
            assert [(item["network"], item["translatedDestination"]) for item in found] == [
                (name, f"10.50.0.13:{PORT}")]
        assert "acme" in node.weft("conntrack", "ls", "-o", "wide").stdout
    # datagrams to acme's backend are moved, beta's socket is left alone
    mine, others = (socket_to(tenant.web, tenant.vips[4]) for tenant in (acme, beta))
    try:
        acme.servers[0].close()
        node.detach("acme-db")
        wait_until(lambda: try_tcp(acme.web, acme.vips[4], 80) == "refused", 5, 0.1, "it is gone")
        others.send(b"?" * 100)
        assert b"beta-db" in others.recv(1000)
        with pytest.raises(OSError):
            for _ in range(20):
                mine.send(b"?")
                mine.recv(1000)
        beta.reaches_its_own()
    finally:
        mine.close()
        others.close()


def socket_to(ns, address):
    """A connected socket whose service has answered once."""
    sock = ns.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(1)
    sock.connect((address, 80))
    sock.send(b"?" * 100)
    assert sock.recv(1000)
    return sock


REFUSED = [
    ({"type": "NodePort"}, {}, "spec.type"),
    ({"type": "LoadBalancer"}, {}, "spec.type"),
    ({"externalIPs": ["198.51.100.7"]}, {}, "spec.externalIPs"),
    ({}, {"health-check": "tcp"}, "metadata.annotations.weft.dev/health-check"),
    ({"clusterIP": "10.50.0.77", "dual": False}, {}, "spec.clusterIP"),
    # with a way out, and containers on other nodes
    ({"type": "NodePort"}, {"network": "out", "forwarding": "dsr"},
     "metadata.annotations.weft.dev/forwarding"),
    ({"externalIPs": ["10.50.0.77"]}, {"network": "out"}, "spec.externalIPs[0]"),
    ({}, {"network": "out", "health-check": "tcp"},
     "metadata.annotations.weft.dev/health-check"),
]


def test_what_does_not_go_is_said(node):
    node.network("acme", driver="bridge", overlapping=True, subnets=SUBNETS)
    node.network("out", driver="overlay", overlapping=True, masquerade=True, subnets=SUBNETS)
    web, _, _ = node.container("acme", name="web")
    db, _, _ = node.container("acme", name="db", labels={"app": "db"})
    annotations = {"network": "acme"}
    with contextlib.closing(Answerer(db, "db")):
        for spec, more, field in REFUSED:
            document = service("no", annotations={**annotations, **more},
                               **{"selector": {"app": "db"}, **spec})
            try:
                node.apply(document)
                said = conditions(node, "no")["Programmed"]
                assert (said["status"], said["message"].split(":")[0]) == ("False", field), said
                assert document["metadata"]["annotations"]["weft.dev/network"] in said["message"]
                assert "network" in more or reaches_nobody(web, vips(node, "no")[4])
                node.api("DELETE", "/v1/documents/Service/default%2Fno")
            except ApiError as refused:
                assert refused.error.get("field") == field, refused.message
        # who does not name the network has none of its endpoints, and says so
        node.apply(service("every", selector={"app": "db"}))
        said = conditions(node, "every")
        assert said["Programmed"]["status"] == "True"
        assert said["AllSelected"]["status"] == "False"
        assert "acme" in said["AllSelected"]["message"]
        assert "weft.dev/network" in node.weft("service", "inspect", "every").stdout
        assert reaches_nobody(web, vips(node, "every")[4])
        node.apply(service("every", annotations=annotations, selector={"app": "db"}))
        assert "AllSelected" not in conditions(node, "every")
        wait_until(lambda: try_tcp(web, vips(node, "every")[4], 80) == "db", 5, 0.1, "it is served")
        # from something in force to what cannot be
        node.apply(service("every", annotations=annotations, selector={"app": "db"},
                           type="NodePort"))
        assert conditions(node, "every")["Programmed"]["reason"] == "NotInThisNetwork"
        assert try_tcp(web, vips(node, "every")[4], 80) != "db"
    node.expect_errors("service is not in force")


def test_backends_by_slices_and_a_container_in_two_networks(node):
    """Addresses of a slice are those of the service's network; who is in two is served in both."""
    node.network("acme", driver="bridge", overlapping=True, subnets=SUBNETS)
    node.network("plain", subnets=[{"cidr": "10.61.0.0/24"}])
    db, _, _ = node.container("acme", name="db", addresses=["10.50.0.13"])
    other, other4, _ = node.container("plain", name="other")
    ns = node.new_netns()
    node.attach(ns, "plain", name="first")
    node.attach(ns, "acme", name="second", ifname="eth1")
    node.apply(service("own", annotations={"network": "acme"}, dual=False),
               slice_of("own", ["10.50.0.13"]),
               service("every", dual=False), slice_of("every", [other4]))
    with contextlib.closing(Answerer(db, "db")), contextlib.closing(Answerer(other, "other")):
        for name, served in (("own", "db"), ("every", "other")):
            wait_until(lambda v=vips(node, name)[4], s=served: try_tcp(ns, v, 80) == s, 5, 0.1,
                       name)
        assert try_tcp(ns, vips(node, "own")[4], 81) == "refused"
        assert reaches_nobody(other, vips(node, "own")[4])


def test_the_route_to_services(node):
    """What no hook sees needs one; a container that has a way out keeps that."""
    node.network("acme", driver="bridge", overlapping=True, subnets=SUBNETS)
    node.network("plain", subnets=[{"cidr": "10.61.0.0/24"}])
    ns, _, _ = node.container("acme", name="db")
    assert "10.96.0.0/12 dev eth0" in ns.run("ip route").stdout or (
        "10.96.0.0/16 dev eth0" in ns.run("ip route").stdout), ns.run("ip route").stdout
    both = node.new_netns()
    node.attach(both, "plain", name="first")
    node.attach(both, "acme", name="second", ifname="eth1")
    assert "10.96" not in both.run("ip route").stdout


def test_the_route_to_services_follows(node):
    """Other interfaces of the container that come and go, and another range."""
    node.network("acme", driver="bridge", overlapping=True, subnets=SUBNETS)
    node.network("plain", subnets=[{"cidr": "10.61.0.0/24"}])
    web, _, _ = node.container("acme", name="web")

    def routes():
        shown = web.run("ip route show dev eth0 proto 119").stdout
        return [line.split()[0] for line in shown.splitlines()]

    first = routes()
    assert len(first) == 1
    node.attach(web, "plain", name="out", ifname="eth1")
    wait_until(lambda: not routes(), 5, 0.02, "eth1 leads to services")
    node.detach("out")
    wait_until(lambda: routes() == first, 5, 0.02, "the route is back")
    node.stop_daemon()
    node.start_daemon("--service-cidr", "10.111.0.0/16")
    wait_until(lambda: routes() == ["10.111.0.0/16"], 5, 0.02, "the new range")
