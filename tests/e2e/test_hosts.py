# SPDX-License-Identifier: Apache-2.0
"""The host of one node and containers of another: each way, and what the host only forwards."""
import shutil
import socket

import pytest

from lib.answer import Answerer, ask_tcp, ask_udp, plain, try_tcp
from lib.cluster import ETCD, OVERLAY, wait_known
from lib.netns import wait_until
from lib.policy import allow_from, network_policy
from lib.service import bound
from lib.wire import IP, UDP, send, vxlan

pytestmark = pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed")

NODE_PORT = 30080


def own(node):
    """What the node's host has in the network: (IPv4, IPv6)."""
    def both():
        addresses = node.inspect("over")["status"].get("hostAddresses", [])
        return addresses if len(addresses) == 2 else None

    return wait_until(both, 5, 0.05, f"the host of {node.name} has addresses")


@pytest.fixture(params=["overlay", "routed"])
def hosts(cluster, request):
    """A container on each of two nodes, (node, namespace, IPv4, IPv6); the hosts have addresses."""
    cluster.spec = {**OVERLAY, "driver": request.param}
    cluster.network(**cluster.spec)
    ends = []
    for node, name in zip(cluster.nodes, ("web", "db")):
        ns, v4, endpoint = node.container("over", name=name, labels={"app": name})
        ends.append((node, ns, v4, node.address_of(endpoint, 6)))
    for node, other, name in zip(cluster.nodes, cluster.nodes[::-1], ("db", "web")):
        wait_known(node, name)
        for address in own(node):
            wait_until(lambda n=other, to=address: f"node:{node.name}" in
                       str(n.weft_json("ip", "why", to)), 5, 0.05, f"{address} is known")
    return ends


def test_each_host_has_its_own(hosts):
    (a, *_), (b, *_) = hosts
    assert not set(own(a)) & set(own(b))
    listed = {item["address"]: item.get("owner") for item in
              a.weft_json("ip", "ls", "--network", "over")["items"]}
    for node in (a, b):
        for address in own(node):
            assert listed[address] == f"node:{node.name}"


def test_the_host_reaches_containers_elsewhere(hosts):
    (a, _, web4, _), (b, db, db4, db6) = hosts
    server = Answerer(db, "db")
    try:
        for address, shown in zip((db4, db6), own(a)):
            assert a.host.ping(address), address
            told = ask_tcp(a.host, address)
            assert told.name == "db" and told.peer == plain(shown)
            assert ask_udp(a.host, address).peer == plain(shown)
        # more than the tunnel carries in one piece
        assert a.host.ping(db4, extra=("-s", "4000"))
        # by an address that other nodes do not know: it shows the one that they do
        with a.host.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
            sock.settimeout(2)
            sock.bind((a.wire_address, 0))
            sock.connect((db4, 8080))
            assert own(a)[0] in sock.recv(200).decode()
    finally:
        server.close()


def test_containers_reach_the_host_elsewhere(hosts):
    (a, *_), (b, db, db4, db6) = hosts
    server = Answerer(a.host, "host-a")
    try:
        for address, peer in zip(own(a), (db4, db6)):
            assert db.ping(address), address
            told = ask_tcp(db, address)
            assert told.name == "host-a" and told.peer == plain(peer)
    finally:
        server.close()


def test_policies_tell_hosts_from_containers(hosts):
    (a, web, *_), (b, db, db4, _) = hosts
    server = Answerer(db, "db")
    try:
        assert try_tcp(a.host, db4) == "db"
        a.apply(allow_from("db", {"app": "db"}, {"app": "web"}))
        wait_until(lambda: try_tcp(a.host, db4) == "silent", 3, what="the policy")
        assert try_tcp(web, db4) == "db"
        block = {"ipBlock": {"cidr": f"{own(a)[0]}/32"}}
        a.apply(network_policy("db", {"app": "db"}, ingress=[{"from": [block]}]))
        wait_until(lambda: try_tcp(a.host, db4) == "db", 3, what="the other policy")
        assert try_tcp(web, db4) == "silent"
    finally:
        server.close()


def service(node, **spec):
    node.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "back"},
                "spec": {"selector": {"app": "db"}, "clusterIP": "10.96.0.77", **spec}})


@pytest.mark.parametrize("extra", [(), ("--firewall", "bypass"), ("--xdp", "auto")])
def test_a_node_port_leads_to_a_backend_elsewhere(cluster, hosts, extra):
    (a, *_), (b, db, *_) = hosts
    if extra:
        a.stop_daemon()
        cluster.start(a, *extra)
    outside = cluster.underlay.ns
    server = Answerer(db, "db")
    try:
        service(a, type="NodePort", ipFamilyPolicy="PreferDualStack", clusterIP=None,
                ports=[{"port": 80, "targetPort": 8080, "nodePort": NODE_PORT}])
        for address, shown in ((a.wire_address, own(a)[0]), ("fd09::1", own(a)[1])):
            wait_until(lambda to=address: try_tcp(outside, to, NODE_PORT) == "db", 5, 0.1,
                       f"the node port at {address}")
            told = ask_tcp(outside, address, NODE_PORT)
            assert told.peer == plain(shown)
        for _ in range(20):
            assert ask_tcp(outside, a.wire_address, NODE_PORT).name == "db"
        states = a.weft_json("conntrack", "ls")["items"]
        assert any("masquerade" in str(state) for state in states)
    finally:
        server.close()


def test_the_host_and_other_networks_use_the_service(cluster, hosts):
    (a, *_), (b, db, *_) = hosts
    cluster.network(**cluster.spec, isolated=False)
    a.network("blue", subnets=[{"cidr": "10.77.0.0/24"}], isolated=False)
    blue, _, _ = a.container("blue")
    server = Answerer(db, "db")
    try:
        service(a, ports=[{"port": 80, "targetPort": 8080}])
        for client in (blue, a.host):
            wait_until(lambda ns=client: try_tcp(ns, "10.96.0.77", 80) == "db", 3, 0.1,
                       f"{client.name} is served")
        # the same on packets, which show the same address
        a.stop_daemon()
        cluster.start(a, "--cgroup", "none")
        service(a, ports=[{"name": name.lower(), "port": 80, "targetPort": 8080, "protocol": name}
                          for name in ("TCP", "UDP")])
        for ask in (ask_tcp, ask_udp):
            told = ask(a.host, "10.96.0.77", 80)
            assert told.name == "db" and told.seen == ("10.96.0.77", 80)
            assert told.peer == own(a)[0]
    finally:
        server.close()


def test_what_is_isolated_stays_so(cluster, hosts):
    (a, *_), (b, db, db4, _) = hosts
    a.network("blue", subnets=[{"cidr": "10.77.0.0/24"}], isolated=False)
    blue, _, _ = a.container("blue")
    server = Answerer(db, "db")
    try:
        before = a.drops("network_isolated")
        assert try_tcp(blue, db4) == "silent"
        assert a.drops("network_isolated") > before
        cluster.network(**cluster.spec, isolated=False)
        assert ask_tcp(blue, db4).peer == own(a)[0]
    finally:
        server.close()


@pytest.mark.parametrize("hosts", ["overlay"], indirect=True)
def test_a_host_speaks_for_itself_only(cluster, hosts):
    (a, *_), (b, db, db4, _) = hosts
    vni = b.inspect("over")["status"]["number"]
    with bound(db, 4, socket.SOCK_DGRAM, 9999, timeout=0.5) as listener:
        def forge(source):
            inner = IP(src=source, dst=db4) / UDP(sport=9, dport=9999) / b"forged"
            send(a.host, vxlan(vni, inner, a.wire_address, b.wire_address))

        forge(own(a)[0])
        assert listener.recv(100) == b"forged"
        for source in (own(b)[0], ETCD):
            before = b.drops("overlay_spoofed")
            forge(source)
            with pytest.raises(TimeoutError):
                listener.recv(100)
            assert b.drops("overlay_spoofed") == before + 1


def test_addresses_end_with_the_network(hosts, cluster):
    (a, web, *_), (b, db, *_) = hosts
    kept = own(a)
    a.detach("web")
    b.detach("db")
    wait_until(lambda: not a.inspect("over")["status"]["endpoints"], 5, 0.05, "nobody is there")
    a.api("DELETE", "/v1/documents/Network/over")
    wait_until(lambda: "AddressLease" not in str(cluster.underlay.etcd.keys()), 5, 0.1,
               "all leases are given back")
    assert not any(address in a.run("ip addr show dev weft0").stdout for address in kept)
