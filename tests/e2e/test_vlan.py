# SPDX-License-Identifier: Apache-2.0
"""Networks in a VLAN (IEEE 802.1Q) of a device of the host, and parents that go and come back.

    container eth0 --(macvlan, ipvlan)-- up0.42 -- up0 ===== up0 -- up0.42 10.60.42.1, fd60:42::1
    container eth0 ---------------------------- up0   wire   up0          192.0.2.2
                                                node         outside

A Tap at the other end of the wire sees each frame with its tag, or that it has none. A kernel without
VLANs skips what needs them; tests/kernels has the same in its smoke test.
"""
import json
import select
import socket
import struct
import time

import pytest

from lib.netns import Netns, wait_until
from lib.node import ApiError
from lib.traffic import tcp_works
from lib.wire import ETH_P_ALL, ICMP, IP, Ether, ICMPv6EchoReply, ICMPv6EchoRequest

SOL_PACKET, PACKET_AUXDATA, VLAN_VALID = 263, 8, 1 << 4
GROUP = 0x77660000
TAG, OTHER_TAG = 42, 43


def can_make(kind):
    """Whether this kernel can make a link of that kind on another one."""
    probe = Netns("p")
    try:
        probe.run("ip link add up0 type veth peer name up1")
        return probe.run(f"ip link add link up0 name x0 type {kind}", check=False).returncode == 0
    finally:
        probe.remove()


@pytest.fixture(scope="module")
def vlans():
    """Leaves the test where the kernel has none."""
    if not can_make("vlan id 7"):
        pytest.skip("this kernel has no VLANs (8021q); make check-kernels tests them in qemu")


class Tap:
    """Frames on a device with their tags, as a capture shows them: (tag or None, frame)."""

    def __init__(self, ns, device):
        self.sock = ns.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.sock.bind((device, ETH_P_ALL))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def frames(self):
        """What came and went so far; the kernel queues a frame before its answer is sent."""
        seen = []
        while select.select([self.sock], [], [], 0)[0]:
            data, control, _, _ = self.sock.recvmsg(65536, 256)
            tag = None
            for level, kind, value in control:
                if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
                    fields = struct.unpack("IIIHHHH", value[:20])
                    tag = fields[5] & 0xfff if fields[0] & VLAN_VALID else None
            seen.append((tag, Ether(data)))
        return seen

    def echoes(self):
        """What there is of echo requests and replies: {(tag, kind, source, destination)}."""
        found = set()
        for tag, frame in self.frames():
            packet = frame.payload
            if frame.haslayer(ICMPv6EchoRequest):
                found.add((tag, "request", packet.src, packet.dst))
            elif frame.haslayer(ICMPv6EchoReply):
                found.add((tag, "reply", packet.src, packet.dst))
            elif frame.haslayer(IP) and frame.haslayer(ICMP) and frame[ICMP].type in (0, 8):
                kind = "request" if frame[ICMP].type else "reply"
                found.add((tag, kind, packet.src, packet.dst))
        return found


def exchange(tag, one, other):
    """The echoes that a ping leaves on the wire."""
    return {(tag, "request", one, other), (tag, "reply", other, one)}


def subnets(tag):
    return [{"cidr": f"10.60.{tag}.0/24", "gateway": f"10.60.{tag}.1"},
            {"cidr": f"fd60:{tag}::/64", "gateway": f"fd60:{tag}::1"}]


def network(node, name="lan", driver="macvlan", tag=TAG, **more):
    node.network(name, driver=driver, parent="up0", vlan=tag, subnets=subnets(tag), **more)


@pytest.fixture
def far(node, vlans):
    """A machine outside that is in both VLANs, and routes nothing between them."""
    other = node.outside()
    other.sysctl("net.ipv4.ip_forward", "0")
    for tag in (TAG, OTHER_TAG):
        device = f"up0.{tag}"
        other.run(f"ip link add link up0 name {device} type vlan id {tag}")
        other.run(f"ip addr add 10.60.{tag}.1/24 dev {device}")
        other.run(f"ip addr add fd60:{tag}::1/64 dev {device} nodad")
        other.run(f"ip link set {device} up")
    return other


def devices(node):
    """{name: VLAN} of those on the host."""
    shown = json.loads(node.run("ip -j -d link show type vlan").stdout or "[]")
    return {link["ifname"]: link["linkinfo"]["info_data"]["id"] for link in shown if link}


def reaches(ns, address, seconds=10):
    return wait_until(lambda: ns.ping(address), seconds, 0.1, f"{address} answers")


@pytest.mark.parametrize("driver", ["macvlan", "ipvlan"])
def test_both_ends_have_the_tag_on_the_wire(node, far, driver):
    if not can_make(driver):
        pytest.skip(f"this kernel has no {driver}")
    network(node, driver=driver)
    ns, v4, endpoint = node.container("lan")
    v6 = node.address_of(endpoint, 6)
    reaches(ns, "10.60.42.1")
    reaches(ns, "fd60:42::1")
    with Tap(far, "up0") as tap:
        for own, there in ((v4, "10.60.42.1"), (v6, "fd60:42::1")):
            tap.frames()
            assert ns.ping(there)
            assert tap.echoes() == exchange(TAG, own, there)
        # the tap tells the two apart: what the host sends to the same machine has no tag
        assert node.host.ping("192.0.2.2")
        assert tap.echoes() == exchange(None, "192.0.2.1", "192.0.2.2")
    assert tcp_works(ns, far, "10.60.42.1") and tcp_works(far, ns, v4)
    assert tcp_works(ns, far, "fd60:42::1") and tcp_works(far, ns, v6)


def test_a_network_without_a_vlan_beside_it_has_no_tag(node, far):
    network(node)
    node.network("plain", driver="macvlan", parent="up0", subnets=[
        {"cidr": "192.0.2.0/24", "gateway": "192.0.2.2",
         "ranges": [{"start": "192.0.2.100", "end": "192.0.2.120"}]}])
    (tagged, v4, _), (plain, own, _) = node.container("lan"), node.container("plain")
    reaches(tagged, "10.60.42.1")
    reaches(plain, "192.0.2.2")
    with Tap(far, "up0") as tap:
        assert tagged.ping("10.60.42.1") and plain.ping("192.0.2.2")
        assert tap.echoes() == (exchange(TAG, v4, "10.60.42.1") |
                                exchange(None, own, "192.0.2.2"))
    status = node.inspect("plain")["status"]
    assert status["parent"] == "up0" and "vlan" not in status


def test_two_vlans_on_one_parent(node, far):
    network(node)
    network(node, "too", tag=OTHER_TAG)
    (first, a, _), (second, b, _) = node.container("lan"), node.container("too")
    reaches(first, "10.60.42.1")
    reaches(second, "10.60.43.1")
    assert tcp_works(far, first, a) and tcp_works(far, second, b)
    assert not first.ping(b) and not second.ping(a)
    assert devices(node) == {"up0.42": TAG, "up0.43": OTHER_TAG}
    with Tap(far, "up0") as tap:
        assert first.ping("10.60.42.1") and second.ping("10.60.43.1")
        assert tap.echoes() == (exchange(TAG, a, "10.60.42.1") |
                                exchange(OTHER_TAG, b, "10.60.43.1"))


def test_the_device_as_it_is_shown(node, far):
    node.weft("network", "create", "lan", "--driver", "macvlan", "--parent", "up0", "--vlan", "42",
              "--subnet", "10.60.42.0/24", "--subnet", "fd60:42::/64")
    status = node.weft_json("network", "inspect", "lan")["status"]
    assert (status["parent"], status["vlan"], status["mtu"]) == ("up0.42", TAG, 1500)
    assert "up0.42" in node.weft("network", "ls", "-o", "wide").stdout
    link = node.host.links()["up0.42"]
    assert int(str(link["group"]), 0) == GROUP and "weft" in link["ifalias"]
    # the VLAN is not the host's business
    assert "inet" not in node.run("ip addr show dev up0.42").stdout
    assert "inet" in node.run("ip addr show dev up0").stdout


def test_as_docker_names_it_and_shared(node, far):
    network(node)
    node.network("too", driver="macvlan", parent="up0.42", subnets=[{"cidr": "10.61.0.0/24"}])
    assert node.inspect("too")["status"]["vlan"] == TAG
    assert devices(node) == {"up0.42": TAG}
    node.api("DELETE", "/v1/documents/Network/lan")
    assert devices(node) == {"up0.42": TAG}
    node.api("DELETE", "/v1/documents/Network/too")
    assert not devices(node)


def test_it_comes_back(node, far):
    network(node)
    ns, v4, _ = node.container("lan")
    reaches(ns, "10.60.42.1")
    # a weftd that is started again takes what is there
    index = node.host.links()["up0.42"]["ifindex"]
    node.kill_daemon()
    assert ns.ping("10.60.42.1")
    node.start_daemon()
    assert node.host.links()["up0.42"]["ifindex"] == index and ns.ping("10.60.42.1")
    node.run("ip link set up0.42 down")
    reaches(ns, "10.60.42.1")
    # deleted: with it went what the container had on it
    node.run("ip link del up0.42")
    began = time.monotonic()
    wait_until(lambda: "eth0" in ns.links() and ns.ping("10.60.42.1"), 10, 0.05, "it is back")
    print(f"back after {time.monotonic() - began:.2f} s")
    reaches(ns, "fd60:42::1")
    assert tcp_works(far, ns, v4)
    assert devices(node) == {"up0.42": TAG}


def test_the_device_of_another(node, far):
    node.run("ip link add link up0 name mine type vlan id 42")
    node.run("ip link set mine up")
    network(node)
    assert node.inspect("lan")["status"]["parent"] == "mine"
    ns, _, endpoint = node.container("lan")
    reaches(ns, "10.60.42.1")
    node.detach(endpoint)
    node.api("DELETE", "/v1/documents/Network/lan")
    assert devices(node) == {"mine": TAG}
    network(node, tag=OTHER_TAG)
    assert devices(node) == {"mine": TAG, "up0.43": OTHER_TAG}
    node.stop_daemon()
    node.weft(*node.cleanup_command())
    assert devices(node) == {"mine": TAG}


def test_handed_over_it_stays(node, far):
    network(node)
    node.run("ip link set up0.42 group default")
    node.api("DELETE", "/v1/documents/Network/lan")
    assert devices(node) == {"up0.42": TAG}


def test_refusals(node, far):
    network(node)
    node.run("ip link add up0.50 type dummy")
    rows = [
        ({"driver": "bridge", "vlan": 5}, "spec.vlan", "macvlan and ipvlan only"),
        ({"driver": "overlay", "vlan": 5}, "spec.vlan", "macvlan and ipvlan only"),
        ({"parent": "up0", "vlan": 0}, "spec.vlan", "0 is not between 1 and 4094"),
        ({"parent": "up0", "vlan": 4095}, "spec.vlan", "4095 is not between 1 and 4094"),
        ({"parent": "up0.4095"}, "spec.parent", "VLANs are 1 to 4094"),
        ({"parent": "nix0", "vlan": 5}, "spec.parent", "the host has no device nix0"),
        ({"parent": "nix0.5"}, "spec.parent", "no nix0 to make that VLAN on"),
        ({"parent": "up0", "vlan": 50}, "spec.vlan", "up0.50 exists already"),
        ({"parent": "up0.42", "vlan": 5}, "spec.vlan", "is a VLAN itself"),
        ({"parent": "lo", "vlan": 5}, "spec.vlan", "the parent takes none"),
    ]
    for spec, field, message in rows:
        with pytest.raises(ApiError) as refused:
            node.network("bad", **{"driver": "macvlan", "subnets": [{"cidr": "10.62.0.0/24"}], **spec})
        assert refused.value.error["field"] == field and message in refused.value.message
    node.container("lan")
    with pytest.raises(ApiError) as refused:
        node.network("lan", driver="macvlan", parent="up0", vlan=44, subnets=subnets(TAG))
    assert refused.value.code == "EBUSY" and "the VLAN cannot change" in refused.value.message
    assert devices(node) == {"up0.42": TAG}
    done = node.weft("network", "create", "bad", "--driver", "macvlan", "--vlan", "0", check=False)
    assert done.returncode != 0 and "--vlan" in done.stderr


# ---- parents without a VLAN ----------------------------------------------------------------------


def make_wire(node, peer):
    node.run(f"ip link add wire0 type veth peer name wire0 netns {peer.name}")
    node.run("ip link set wire0 up")
    peer.run("ip addr add 10.63.0.1/24 dev wire0")
    peer.run("ip link set wire0 up")


def test_a_parent_that_goes_and_comes_back(node):
    """What the kernel deleted with it is there again, on the new device."""
    if not can_make("macvlan"):
        pytest.skip("this kernel has no macvlan")
    peer = node.new_netns("o")
    make_wire(node, peer)
    node.network("lan", driver="macvlan", parent="wire0",
                 subnets=[{"cidr": "10.63.0.0/24", "gateway": "10.63.0.1"}])
    ns, v4, _ = node.container("lan")
    reaches(ns, "10.63.0.1")
    before = ns.mac("eth0")
    for _ in range(2):
        node.run("ip link del wire0")
        wait_until(lambda: "eth0" not in ns.links(), 5, what="the interface went with its parent")
        make_wire(node, peer)
        wait_until(lambda: "eth0" in ns.links() and ns.ping("10.63.0.1"), 10, 0.05, "it is back")
        assert ns.mac("eth0") == before and tcp_works(peer, ns, v4)
    assert node.api("GET", "/v1/status")["repairs"] >= 2
