# SPDX-License-Identifier: Apache-2.0
"""Policies while things come and go: daemons, nodes, namespaces, endpoints and their addresses.

    bad ------\\
    victim ---- [ node, 192.0.2.1 ] ---- up0  outside (192.0.2.2), sends all the while

The rows of enforcement gaps in time that other files do not hold; tests/mutants names them all.
"""
import signal
import socket
import threading
import time

import pytest
from lib.netns import execute, wait_until
from lib.node import IFINDEX_BASE
from lib.policy import Prober, deny_all, host_policy, network_policy
from lib.traffic import tcp_works
from lib.wire import IP, Wire

HOST = "192.0.2.1"
RESTARTS = 4


def restart(node):
    node.kill_daemon(signal.SIGKILL)
    node.start_daemon()


@pytest.fixture
def outside(node):
    return node.outside()


@pytest.fixture
def blue(node):
    node.network("blue")
    return node


# ---- restarts take nothing away ------------------------------------------------------------------


class Filters:
    """What `tc monitor` and `ip monitor` tell of filters, qdiscs and links that go."""

    def __init__(self, node):
        self.lines = []
        self.processes = [node.popen(command) for command in
                          (["tc", "monitor"], ["ip", "monitor", "link"])]
        for process in self.processes:
            threading.Thread(target=self.read, args=(process,), daemon=True).start()
        time.sleep(0.3)

    def read(self, process):
        for line in process.stdout:
            self.lines.append(line)

    def deleted(self):
        return [line for line in self.lines if line.lower().startswith("deleted")]


def test_restarts_remove_no_filter_and_no_device(node, outside):
    """Neither weft's nor anybody else's, and nothing that is denied passes meanwhile."""
    node.network("blue")
    node.run("ip link add foreign type veth peer name foreign2")
    node.run("tc qdisc add dev foreign clsact")
    program = next(node.bpf_dir.glob("v*/progs/*from_container"))
    node.run(f"tc filter add dev foreign ingress prio 7 bpf da pinned {program}")
    bad, _, _ = node.container("blue", "b")
    spaces = [node.container("blue", "v", labels={"app": "victim"}) for _ in range(10)]
    probers = [Prober(bad, ns, address) for ns, address, _ in spaces[:3]]
    try:
        for prober in probers:
            wait_until(lambda p=prober: len(p.seen) > 5, 5, what="datagrams before the policy")
        node.apply(deny_all("closed", {"app": "victim"}))
        time.sleep(0.2)
        since = time.monotonic()
        filters = Filters(node)
        for _ in range(RESTARTS):
            restart(node)
        time.sleep(0.3)
        assert not filters.deleted(), filters.deleted()
        assert all(prober.arrived_since(since) == 0 for prober in probers)
        # it would have been told
        node.run("tc filter del dev foreign ingress prio 7")
        wait_until(filters.deleted, 3, what="the monitor tells of a filter that goes")
    finally:
        for prober in probers:
            prober.stop()


def test_the_nodes_labels_are_known_before_its_ports_are_open(node, outside):
    """A policy for nodes with a label is in force at every moment of a start."""
    node.apply({"apiVersion": "v1", "kind": "Node",
                "metadata": {"name": node.name, "labels": {"role": "edge"}}})
    prober = Prober(outside, node.host, HOST)
    try:
        wait_until(lambda: len(prober.seen) > 5, 5, what="datagrams before the policy")
        node.apply(host_policy("edge", nodeSelector={"matchLabels": {"role": "edge"}},
                               ingress=[{"toPorts": [{"ports": [{"port": "8080",
                                                                 "protocol": "TCP"}]}]}]))
        time.sleep(0.2)
        since = time.monotonic()
        for _ in range(RESTARTS):
            restart(node)
        time.sleep(0.2)
        assert prober.arrived_since(since) == 0
        assert tcp_works(outside, node.host, HOST, 8080)
        node.weft("delete", "ciliumclusterwidenetworkpolicy", "edge")
        now = time.monotonic()
        wait_until(lambda: prober.arrived_since(now), 3, what="datagrams afterwards")
    finally:
        prober.stop()


def test_a_node_without_a_document_goes_on(node, outside):
    """The node's document goes and weftd is killed: its ports and containers are reached as before."""
    node.network("blue")
    ns, address, _ = node.container("blue")
    node.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node.name, "labels": {"role": "core"}}},
               host_policy("elsewhere", nodeSelector={"matchLabels": {"role": "edge"}},
                           ingress=[{}], egress=[{}]))
    node.weft("delete", "node", node.name)
    probers = [Prober(outside, node.host, HOST), Prober(node.host, ns, address)]
    try:
        for prober in probers:
            wait_until(lambda p=prober: len(p.seen) > 5, 5, what="datagrams")
        restart(node)
        time.sleep(0.5)
        for prober in probers:
            wait_until(lambda p=prober: p.sent <= p.seen[-1][0] + 20, 3, what="the last datagram")
            numbers = {number for number, _ in prober.seen}
            assert numbers >= set(range(min(numbers), max(numbers))), "datagrams were lost"
    finally:
        for prober in probers:
            prober.stop()


def test_verdicts_are_the_same_after_restarts(blue):
    """Each pair of endpoints, asked before and after."""
    node = blue
    for i in range(6):
        node.container("blue", "e", name=f"e{i}", labels={"app": f"a{i % 3}", "n": f"n{i % 2}"})
    node.apply(
        network_policy("one", {"app": "a0"}, ingress=[
            {"from": [{"podSelector": {"matchLabels": {"n": "n1"}}}]}]),
        network_policy("two", {"n": "n1"}, policyTypes=["Egress"], egress=[
            {"to": [{"podSelector": {"matchLabels": {"app": "a2"}}}], "ports": [{"port": 80}]}]))

    def verdicts():
        return {(a, b, port): node.weft("why", f"e{a}", f"e{b}:{port}", check=False).returncode
                for a in range(6) for b in range(6) if a != b for port in (80, 81)}

    before = verdicts()
    assert set(before.values()) == {0, 1}
    restart(node)
    assert verdicts() == before
    node.restart_daemon()
    assert verdicts() == before


@pytest.mark.parametrize("reload", [False, True])
def test_what_others_write_into_a_table_is_put_right(blue, reload):
    """Somebody makes the victim one whom no policy selects; weftd sees it by itself, or when asked."""
    node = blue
    bad, _, _ = node.container("blue", "b")
    ns, address, endpoint = node.container("blue", "v", labels={"app": "victim"})
    node.apply(deny_all("closed", {"app": "victim"}))
    prober = Prober(bad, ns, address)
    try:
        time.sleep(0.3)
        assert prober.sent > 20 and not prober.seen
        (table,) = node.bpf_dir.glob("v*/maps/wf_policy_subjects")
        slot = next(e for e in node.endpoints() if e["metadata"]["name"] ==
                    endpoint["metadata"]["name"])["status"]["hostInterface"]["index"] - IFINDEX_BASE
        execute(["bpftool", "map", "update", "pinned", str(table), "key", *slot.to_bytes(4, "little"),
                 "value", *["0"] * 16])
        wait_until(lambda: prober.seen, 3, what="the damage opens it")
        if reload:
            node.daemon.send_signal(signal.SIGHUP)
        wait_until(lambda: "written again" in node.log_text(), 3 if reload else 14, 0.1,
                   "weftd has noticed")
        time.sleep(0.2)
        since = time.monotonic()
        time.sleep(0.3)
        assert prober.arrived_since(since) == 0
    finally:
        prober.stop()


# ---- what goes leaves nothing open -----------------------------------------------------------------


def test_a_namespace_that_goes_leaves_its_endpoints_isolated(blue):
    """Documents in whatever order: while the endpoint lives, what is about it is in force."""
    node = blue
    bad, _, _ = node.container("blue", "b")
    labels = {"io.kubernetes.pod.namespace": "shop", "app": "web"}
    ns, address, _ = node.container("blue", "v", labels=labels)
    namespace = {"apiVersion": "v1", "kind": "Namespace",
                 "metadata": {"name": "shop", "labels": {"team": "red"}}}
    policies = [
        network_policy("closed", {}, namespace="shop", policyTypes=["Ingress"]),
        {"apiVersion": "policy.networking.k8s.io/v1alpha2", "kind": "ClusterNetworkPolicy",
         "metadata": {"name": "shops"}, "spec": {
             "tier": "Admin", "priority": 1,
             "subject": {"namespaces": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}},
             "ingress": [{"action": "Deny", "from": [{"namespaces": {}}]}]}}]
    node.apply(namespace)
    for policy in policies:
        prober = Prober(bad, ns, address)
        try:
            wait_until(lambda: len(prober.seen) > 5, 5, what="datagrams before the policy")
            node.apply(policy)
            time.sleep(0.2)
            since = time.monotonic()
            for _ in range(3):
                node.weft("delete", "namespace", "shop")
                time.sleep(0.1)
                node.apply(namespace)
            time.sleep(0.2)
            assert prober.sent > 50 and prober.arrived_since(since) == 0
            node.weft("delete", policy["kind"].lower(), policy["metadata"]["name"],
                      *(["--namespace", "shop"] if policy["kind"] == "NetworkPolicy" else []))
        finally:
            prober.stop()


class Flood:
    """Datagrams from a namespace to an address, as fast as it goes, whatever becomes of it."""

    def __init__(self, ns, address):
        self.sender = ns.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.target = (address, 9)
        self.running = True
        self.thread = threading.Thread(target=self.send, daemon=True)
        self.thread.start()

    def send(self):
        while self.running:
            try:
                self.sender.sendto(b"flood", self.target)
            except OSError:
                time.sleep(0.001)

    def stop(self):
        self.running = False
        self.thread.join(2)
        self.sender.close()


@pytest.mark.parametrize("masquerade", [False, True])
def test_nothing_escapes_with_a_containers_address_while_it_goes(node, outside, masquerade):
    """Somebody sends to the world all the while it is detached; what leaves shows the host's."""
    node.network("blue", masquerade=masquerade)
    own = []
    with Wire(outside, "up0") as wire:
        for turn in range(4):
            ns, address, endpoint = node.container("blue", "f", name=f"f{turn}")
            flood = Flood(ns, "192.0.2.2")
            try:
                wire.drain()
                assert wire.see(lambda f: IP in f and f[IP].dst == "192.0.2.2", 2), "no flood"
                node.detach(endpoint)
                own.append(wire.see(lambda f, a=address: IP in f and f[IP].src == a, 0.3))
            finally:
                flood.stop()
    # the wire would show it: without masquerade that is what it shows, unless the sender sleeps just then
    assert any(own) if not masquerade else not any(own)


def test_the_old_address_of_a_recreated_endpoint_is_nobodys(blue):
    node = blue
    client, _, _ = node.container("blue", "c")
    ns, old, endpoint = node.container("blue", "p", name="pod")
    assert tcp_works(client, ns, old)
    node.detach(endpoint)
    again, new, _ = node.container("blue", "p", name="pod")
    assert new != old and tcp_works(client, again, new)
    assert not tcp_works(client, again, old, timeout=0.5)
    # no program knows whose it was
    done = node.weft("why", "pod", f"{old}:7001", check=False)
    assert "nobody has the destination address" in done.stdout, f"still known: {done}"


def test_an_attach_that_fails_leaves_nothing_open(node, outside, blue):
    """A daemon that dies at every point of an attach: nobody reaches what was half made."""
    bad, _, bad_endpoint = node.container("blue", "b")
    address = node.address_of(bad_endpoint).rsplit(".", 1)[0] + ".200"
    node.apply(deny_all("closed", {"app": "victim"}))
    for point in ("attach.judged", "attach.programmed", "attach.linked"):
        node.stop_daemon()
        node.start_daemon(WEFT_CRASH_AT=point)
        ns = node.new_netns()
        prober = Prober(bad, ns, address)
        try:
            with pytest.raises(Exception):
                node.attach(ns, "blue", name="v", labels={"app": "victim"}, addresses=[address])
            node.daemon.wait(10)
            node.daemon = None
            time.sleep(0.2)
            node.start_daemon()
            assert prober.sent > 10 and not prober.seen
        finally:
            prober.stop()
    # the same prober sees who is not selected
    ns = node.new_netns()
    prober = Prober(bad, ns, address)
    try:
        node.attach(ns, "blue", name="v", labels={"app": "open"}, addresses=[address])
        wait_until(lambda: prober.seen, 3, what="a datagram")
    finally:
        prober.stop()
