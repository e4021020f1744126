# SPDX-License-Identifier: Apache-2.0
"""weft why about who is outside: what he meets, held against a packet that he sends.

      over, shut, acme, beta:  near -- [ a ] 10.9.0.1 --+-- 10.9.0.2 [ b ] -- far
                                                        |
                                                        +-- 10.9.0.254, outside; its routes lead to a

Everybody listens at one port and says who he is: who sent a packet hears whom it met.
The networks beta and over have the same subnets.
"""
import contextlib
import shutil

import pytest

from lib.answer import BOTH, PORT, Answerer, try_tcp
from lib.cluster import ETCD, wait_known
from lib.netns import wait_until
from lib.service import port, service

OUTSIDE = {4: ETCD, 6: "fd09::fe"}
HOST = {"a": {4: "10.9.0.1", 6: "fd09::1"}, "b": {4: "10.9.0.2", 6: "fd09::2"}}
NOBODY = {4: "203.0.113.7", 6: "2001:db8:cb::7"}
NUMBERS = {"over": 60, "shut": 61, "stay": 62, "acme": 50, "beta": 60}
TO_A = ("10.50.0.0/24", "10.60.0.0/24", "10.61.0.0/24", "10.62.0.0/24", "10.96.0.0/12",
        "203.0.113.0/24", "10.9.0.2/32", "fd00::/8", "2001:db8:cb::/64", "fd09::2/128")

pytestmark = pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed")


def at(network, last):
    """Both addresses of a network that end in a number."""
    return {4: f"10.{NUMBERS[network]}.0.{last}", 6: f"fd{NUMBERS[network]}::{last}"}


def by_family(addresses):
    return {6 if ":" in address else 4: address for address in addresses}


def lay(cluster):
    """The networks; returns containers as {name: namespace}."""
    (a, b), made = cluster.nodes, {}

    def network(name, **spec):
        number = NUMBERS[name]
        cluster.network(name, **spec, subnets=[{"cidr": f"10.{number}.0.0/24"},
                                               {"cidr": f"fd{number}::/64"}])

    network("over", driver="overlay", isolated=False)
    network("shut", driver="overlay", internal=True)
    network("stay", isolated=False)
    for name in ("acme", "beta"):
        network(name, driver="overlay", overlapping=True, masquerade=True)
    for kind in ("over", "shut", "acme", "beta"):
        for node, other, role, last in ((a, b, "near", 11), (b, a, "far", 13)):
            name = f"{kind}-{role}"
            made[name], _, _ = node.container(kind, name=name, labels={"app": name},
                                              addresses=list(at(kind, last).values()))
            wait_known(other, name, kind)
    return made


def offer(node):
    """Services, each with a node port; returns the ClusterIPs of those that matter."""
    apps = ("over-near", "over-far", "shut-near", "shut-far", "acme-near", "acme-far", "acme-local")
    for at_port, name in enumerate(apps, start=30080):
        notes = {"network": "acme"} if name.startswith("acme") else None
        spec = {"externalTrafficPolicy": "Local"} if name == "acme-local" else {}
        node.apply(service(name, [port(80, node_port=at_port)], notes, type="NodePort",
                           selector={"app": name.replace("local", "far")}, **spec))
    return [by_family(node.api("GET", f"/v1/services/default/{name}")["spec"]["clusterIPs"])
            for name in ("over-near", "over-far", "acme-near")]


@pytest.fixture
def site(cluster):
    """(a, outside): all is known, and everybody listens."""
    (a, b), world = cluster.nodes, cluster.underlay.ns
    with contextlib.ExitStack() as stack:
        for name, ns in {**lay(cluster), "a": a.host, "b": b.host}.items():
            stack.enter_context(contextlib.closing(Answerer(ns, name)))
        for prefix in TO_A:
            world.run(f"ip route add {prefix} via {HOST['a'][6 if ':' in prefix else 4]}")
        yield a, world


def table(a):
    """What is sent to, by which port, and who hears it or the reason why nobody does."""
    near, far, scoped = offer(a)
    own = by_family(a.inspect("over")["status"]["hostAddresses"])
    return [
        # in a network that is reached
        ("a container here", at("over", 11), PORT, "over-near"),
        ("a container of another node", at("over", 13), PORT, "over-far"),
        ("a free address", at("over", 99), PORT, "no_such_address"),
        ("the gateway", at("over", 1), PORT, "a"),
        ("this host in it", own, PORT, "a"),
        ("a free address of a bridge", at("stay", 99), PORT, "no_such_address"),
        # in one that is internal
        ("a container here", at("shut", 11), PORT, "network_internal"),
        ("a container of another node", at("shut", 13), PORT, "network_internal"),
        ("the gateway", at("shut", 1), PORT, "a"),
        # in a scope of its own
        ("a container here", at("acme", 11), PORT, "no_such_address"),
        ("a container of another node", at("acme", 13), PORT, "no_such_address"),
        ("a free address", at("acme", 99), PORT, "no_such_address"),
        ("the gateway", at("acme", 1), PORT, "no_such_address"),
        # beyond networks
        ("this host", HOST["a"], PORT, "a"),
        ("another node's host", HOST["b"], PORT, "b"),
        ("nobody", NOBODY, PORT, "no_such_address"),
        # services
        ("a ClusterIP", near, 80, "over-near"),
        ("a ClusterIP, backend elsewhere", far, 80, "over-far"),
        ("a ClusterIP, another port", near, 81, "service_no_port"),
        ("a ClusterIP of a scope", scoped, 80, "no_such_address"),
        ("a node port", HOST["a"], 30080, "over-near"),
        ("a node port, backend elsewhere", HOST["a"], 30081, "over-far"),
        ("a node port, backend internal", HOST["a"], 30082, "network_internal"),
        ("the same elsewhere", HOST["a"], 30083, "network_internal"),
        ("a node port of a scope", HOST["a"], 30084, "acme-near"),
        ("the same, backend elsewhere", HOST["a"], 30085, "acme-far"),
        ("the same, backends here alone", HOST["a"], 30086, "service_not_local"),
    ]


def why(node, destination, family, **more):
    return node.api("POST", "/v1/why",
                    {"source": OUTSIDE[family], "destination": destination, **more})


def test_who_is_outside(site):
    a, world = site
    rows = table(a)
    wait_until(lambda: try_tcp(world, HOST["a"][4], 30081) == "over-far", 5, 0.05, "the services")
    names = {expected for _, _, _, expected in rows if "_" not in expected}
    for what, addresses, number, expected in rows:
        for family in BOTH:
            case = f"{what}: {addresses[family]} {number}"
            met = try_tcp(world, addresses[family], number,
                          timeout=0.5 if expected in names else 0.1)
            told = why(a, addresses[family], family, port=number)
            if expected in names:
                assert (met, told["verdict"]) == (expected, "allow"), (case, told)
                assert "reason" not in told and told["nextHop"], (case, told)
            else:
                assert met not in names and told["verdict"] == "deny", (case, met, told)
                assert told["reason"]["label"] == expected, (case, told)
    echoes(a, world, rows)
    words(a)
    settings(a)
    another_nodes_container(a)


def echoes(a, world, rows):
    """The same without a port, for some."""
    for what, addresses, _, _ in rows:
        if not what.startswith(("a container", "a ClusterIP,", "nobody")):
            continue
        passes = world.ping(addresses[4], timeout=0.2)
        assert (why(a, addresses[4], 4)["verdict"] == "allow") == bool(passes), (what, addresses)


def words(a):
    """What the answer says of the way, and of ends that were named."""
    assert why(a, at("over", 13)[4], 4, port=PORT)["nextHop"] == "into endpoint over-far on node b"
    assert "node b" in why(a, HOST["b"][4], 4, port=PORT)["nextHop"]
    assert why(a, HOST["a"][4], 4, port=30085)["nextHop"] == "into endpoint acme-far on node b"
    assert "up0" in why(a, NOBODY[4], 4, port=PORT)["reason"]["text"]
    # over-near has the same address, and is reached by it
    for name in ("beta-near", "acme-near"):
        told = why(a, name, 4, port=PORT)
        assert (told["verdict"], told["reason"]["label"]) == ("deny", "network_isolated"), told
        assert name.split("-")[0] in told["reason"]["text"]
    assert why(a, at("beta", 13)[4], 4, port=PORT, network="beta")["verdict"] == "deny"
    for source, destination in (("host", "beta-near"), ("beta-near", "over-near"),
                                ("over-near", "beta-near")):
        told = a.api("POST", "/v1/why",
                     {"source": source, "destination": destination, "port": PORT})
        assert told["verdict"] == "deny", told


def settings(a):
    """What the kernel of the host would not forward."""
    for name in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
        a.run(f"sysctl -qw {name}=0")
    for family in BOTH:
        told = why(a, at("over", 11)[family], family, port=PORT)
        assert told["verdict"] == "deny" and "ip route get" in told["reason"]["hint"], told


def another_nodes_container(a):
    """Its packets come by the tunnel, and nobody here can make one up."""
    told = a.api("POST", "/v1/why", {"source": at("over", 13)[4], "destination": "over-near",
                                     "port": PORT})
    assert told["verdict"] == "allow", told
    done = a.weft("why", at("over", 13)[4], f"{HOST['a'][4]}:{PORT}", check=False)
    assert done.returncode == 1 and "over-far of node b: ask there" in done.stderr
