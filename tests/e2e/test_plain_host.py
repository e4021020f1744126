# SPDX-License-Identifier: Apache-2.0
"""A plain host, without containers, that joins as a node: what runs on it, a database here, is a
peer with an address in the network, labels and policy.

      node a (10.9.0.1): containers web, other ---+--- bridge, 10.9.0.254: etcd
      node b (10.9.0.2): a process of the host ---+
"""
import shutil

import pytest

from lib.answer import Answerer, ask_tcp, plain, try_tcp
from lib.cluster import OVERLAY, listed
from lib.netns import wait_until

pytestmark = pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed")


def cilium(name, selector, **spec):
    return {"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"endpointSelector": {"matchLabels": selector}, **spec}}


def label(node, name, **labels):
    """Gives a node labels, as an operator would: its document with some more."""
    document = node.weft_json("get", "node", name)
    document["metadata"]["labels"] = {**document["metadata"].get("labels", {}), **labels}
    for member in ("resourceVersion", "uid", "creationTimestamp"):
        document["metadata"].pop(member, None)
    node.apply(document)


@pytest.fixture(params=["overlay", "routed"])
def database(cluster, request):
    """(web, other, addresses of host b in the network, addresses of web)."""
    a, b = cluster.nodes
    cluster.network(**{**OVERLAY, "driver": request.param})
    web, v4, endpoint = a.container("over", name="web", labels={"app": "web"})
    other, _, _ = a.container("over", name="other", labels={"app": "other"})

    def own(node):
        addresses = node.inspect("over")["status"].get("hostAddresses", [])
        return addresses if len(addresses) == 2 else None

    addresses = wait_until(lambda: own(b), 5, 0.05, "the host has addresses")
    for address in addresses:
        wait_until(lambda to=address: "node:b" in str(a.weft_json("ip", "why", to)), 5, 0.05,
                   f"{address} is known")
    server = Answerer(b.host, "database")
    yield web, other, addresses, (v4, a.address_of(endpoint, 6))
    server.close()


def test_it_is_a_peer(cluster, database):
    a, b = cluster.nodes
    web, other, addresses, own = database
    shown = listed(a, "b")
    assert shown["state"] == "alive" and shown["endpoints"] == 0
    assert not b.endpoints()
    for address, peer in zip(addresses, own):
        told = ask_tcp(web, address)
        assert told.name == "database" and told.peer == plain(peer)
    # it reaches containers by the address that they know it by
    server = Answerer(web, "web")
    try:
        for address, peer in zip(own, addresses):
            told = ask_tcp(b.host, address)
            assert told.name == "web" and told.peer == plain(peer)
    finally:
        server.close()


def test_policies_know_it_by_its_labels(cluster, database):
    a, _ = cluster.nodes
    web, other, addresses, _ = database
    label(a, "b", role="database")
    label(a, "a", role="containers")
    for ns in (web, other):
        for address in addresses:
            assert try_tcp(ns, address) == "database"
    # containers may go to nodes of that role, and to nobody else
    egress = [{"toNodes": [{"matchLabels": {"role": "database"}}]}]
    a.apply(cilium("to-database", {"app": "web"}, egress=egress))
    a.apply(cilium("nowhere", {"app": "other"}, egress=[
        {"toNodes": [{"matchLabels": {"role": "nobody"}}]}]))
    for address in addresses:
        wait_until(lambda to=address: try_tcp(other, to) == "silent", 5, what="the policy")
        assert try_tcp(web, address) == "database"
    # it loses its role, and gets it back
    label(a, "b", role="spare")
    wait_until(lambda: try_tcp(web, addresses[0]) == "silent", 5, what="another role")
    label(a, "b", role="database")
    wait_until(lambda: try_tcp(web, addresses[0]) == "database", 5, what="the role again")


def test_what_it_may_reach(cluster, database):
    a, b = cluster.nodes
    web, other, _, own = database
    label(a, "b", role="database")
    server, second = Answerer(web, "web"), Answerer(other, "other")
    try:
        for address in own:
            assert try_tcp(b.host, address) == "web" and try_tcp(other, address) == "web"
        a.apply(cilium("from-database", {"app": "web"}, ingress=[
            {"fromNodes": [{"matchLabels": {"role": "database"}}]}]))
        for address in own:
            wait_until(lambda to=address: try_tcp(other, to) == "silent", 5, what="the policy")
            assert try_tcp(b.host, address) == "web"
        a.apply(cilium("from-database", {"app": "web"}, ingress=[
            {"fromNodes": [{"matchLabels": {"role": "nobody"}}]}]))
        wait_until(lambda: try_tcp(b.host, own[0]) == "silent", 5, what="another role")
        a.apply(cilium("from-database", {"app": "web"}, ingress=[
            {"fromEntities": ["remote-node"]}]))
        for address in own:
            wait_until(lambda to=address: try_tcp(b.host, to) == "web", 5, what="any other node")
    finally:
        server.close()
        second.close()


def test_what_is_on_it_is_protected(cluster, database):
    """Policies about the host itself, by the node's labels: in force on that host alone."""
    a, b = cluster.nodes
    web, other, addresses, _ = database
    label(a, "b", role="database")
    a.apply({"apiVersion": "cilium.io/v2", "kind": "CiliumClusterwideNetworkPolicy",
             "metadata": {"name": "database"},
             "spec": {"nodeSelector": {"matchLabels": {"role": "database"}}, "ingress": [
                 {"fromEndpoints": [{"matchLabels": {"app": "web"}}]},
                 # what nodes need among themselves
                 {"fromEntities": ["remote-node", "health"]},
                 {"fromCIDR": ["10.9.0.254/32"]}]}})
    for address in addresses:
        wait_until(lambda to=address: try_tcp(other, to) == "silent", 5, what="the policy")
        assert try_tcp(web, address) == "database"
    server = Answerer(a.host, "host-a")
    try:
        mine = a.inspect("over")["status"]["hostAddresses"][0]
        assert try_tcp(other, mine) == "host-a"
    finally:
        server.close()
