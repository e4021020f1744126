# SPDX-License-Identifier: Apache-2.0
"""Endpoints of netkit pairs: their program runs as they send, once they send much.

    busy eth0 ---- wf1 [ node ] wf2 ---- eth0 quiet
                         up0
                          |
                         far 192.0.2.2
"""
import signal
import socket

import pytest
from lib import tcx
from lib.busy import End, make_busy
from lib.netns import wait_until
from lib.policy import network_policy
from lib.traffic import Meter, tcp_works
from lib.wire import IP, UDP, Ether, Raw, drops_are_not_told
from test_upgrade import pretend_other_build, programs

MODE = ("--datapath-mode", "netkit")


@pytest.fixture(autouse=True)
def needs_netkit():
    if not tcx.has_hook(tcx.NETKIT_PEER):
        pytest.skip("this kernel has no netkit (Linux 6.7)")


def end(node, name):
    return End(node, name, tcx.NETKIT_PEER)


def kind(endpoint):
    details = endpoint.ns.run("ip -d link show eth0").stdout
    return next(name for name in ("veth", "netkit") if f" {name} " in details)


@pytest.fixture
def netkit_node(stopped_node):
    stopped_node.start_daemon(*MODE)
    return stopped_node


@pytest.fixture
def pair(netkit_node):
    netkit_node.network("blue", ipFamilies=["IPv4", "IPv6"])
    return end(netkit_node, "busy"), end(netkit_node, "quiet")


def assert_all_ways(node, one, other, far):
    """Between containers, with the gateway, the host and the world, both ways and families."""
    one.ns.run("ip neigh flush dev eth0", check=False)
    for near, there in ((one, other), (other, one)):
        assert tcp_works(near.ns, there.ns, there.address)
        assert tcp_works(near.ns, there.ns, there.address6)
        assert near.ns.ping(node.gateway_of(near.endpoint))
        assert near.ns.ping(node.gateway_of(near.endpoint, 6))
        assert tcp_works(node.host, near.ns, near.address)
        assert tcp_works(node.host, near.ns, near.address6)
        assert tcp_works(near.ns, far, "192.0.2.2")
        assert tcp_works(near.ns, far, "2001:db8:ffff::2")
        assert tcp_works(near.ns, node.host, node.gateway_of(near.endpoint))
    big = b"x" * 400000
    assert tcp_works(one.ns, other.ns, other.address, payload=big)
    assert tcp_works(one.ns, far, "192.0.2.2", payload=big)


def test_every_way_before_and_after_it_moves(netkit_node, pair):
    busy, quiet = pair
    far = netkit_node.outside()
    assert (kind(busy), busy.hook()) == ("netkit", "clsact")
    assert_all_ways(netkit_node, busy, quiet, far)
    meter = Meter(netkit_node.build_dir, busy.ns, quiet.ns, quiet.address, "udp", 200, 60, 7010)
    make_busy(busy, quiet)
    assert meter.running(), "it must move during the traffic"
    meter.stop()
    meter.assert_nothing_lost()
    assert quiet.hook() == "clsact"
    assert busy.programs() == programs(netkit_node)[:1] and quiet.programs() == []
    assert_all_ways(netkit_node, busy, quiet, far)
    make_busy(quiet, busy)
    assert_all_ways(netkit_node, busy, quiet, far)


def test_the_same_is_denied_there(netkit_node, pair):
    busy, quiet = pair
    make_busy(busy, quiet)
    assert tcp_works(busy.ns, quiet.ns, quiet.address)
    netkit_node.apply(network_policy("shut", {"app": "busy"}, policyTypes=["Egress"]))
    assert not tcp_works(busy.ns, quiet.ns, quiet.address, timeout=1)
    busy.take_programs()
    assert busy.hook() == "clsact"
    assert not tcp_works(busy.ns, quiet.ns, quiet.address, timeout=1)


def datagram(busy, quiet, source=None):
    """A frame with a UDP datagram from busy to quiet, port 7000."""
    return bytes(Ether(dst=quiet.status()["mac"], src=busy.status()["mac"]) /
                 IP(src=source or busy.address, dst=quiet.address) /
                 UDP(sport=7001, dport=7000) / Raw(b"weft"))


def send_raw(raw, protocol, frame):
    with drops_are_not_told():
        raw.sendto(frame, ("eth0", protocol))


def arrives(busy, quiet, protocol, frame):
    """Whether a frame that busy sends as that protocol is read by quiet's socket."""
    with quiet.ns.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink, \
            busy.ns.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        sink.bind(("", 7000))
        sink.settimeout(1)
        send_raw(raw, protocol, frame)
        try:
            return sink.recv(100) == b"weft"
        except TimeoutError:
            return False


def test_no_lies_about_the_frame(netkit_node, pair):
    """The kernel takes the sender's word for what a frame is, and the receiver would believe it."""
    busy, quiet = pair
    make_busy(busy, quiet)
    for protocol, is_true in ((0x0800, True), (0x86dd, False), (0x0806, False), (0x88b5, False)):
        before = netkit_node.drops("malformed_l2")
        assert arrives(busy, quiet, protocol, datagram(busy, quiet)) == is_true
        assert netkit_node.drops("malformed_l2") - before == (not is_true)
    before = netkit_node.drops("spoofed_ip")
    assert not arrives(busy, quiet, 0x0800, datagram(busy, quiet, "192.0.2.77"))
    assert netkit_node.drops("spoofed_ip") == before + 1


def test_no_lies_about_its_beginning(netkit_node, pair):
    """What is judged and what is sent on are the same bytes, whatever the container does to its frames."""
    busy, quiet = pair
    make_busy(busy, quiet)
    busy.ns.run("tc qdisc add dev eth0 clsact")
    inner = datagram(busy, quiet)
    assert arrives(busy, quiet, 0x0800, inner)
    # the kernel is made to cut a header off: the next is no header of Ethernet to it, but bytes of IP
    busy.ns.run("tc filter add dev eth0 egress protocol ip flower src_mac 02:00:00:00:00:99 "
                "action vlan pop_eth")
    before = netkit_node.drops("malformed_l2")
    lie = inner[:6] + bytes.fromhex("020000000099") + b"\x08\x00" + inner
    assert not arrives(busy, quiet, 0x0800, lie)
    assert netkit_node.drops("malformed_l2") == before + 1
    assert arrives(busy, quiet, 0x0800, inner)


def test_a_mark_of_the_container_is_nothing(netkit_node, pair):
    """A mark hands a packet over; of a container's own nothing is left when the program looks."""
    busy, quiet = pair
    frame = datagram(busy, quiet, "192.0.2.77")
    for is_moved in (False, True):
        if is_moved:
            make_busy(busy, quiet)
        before = netkit_node.drops("spoofed_ip")
        with busy.ns.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, quiet.ifindex)
            send_raw(raw, 0x0800, frame)
        wait_until(lambda seen=before: netkit_node.drops("spoofed_ip") == seen + 1, what="the drop")


def test_another_build_replaces_it(netkit_node, pair):
    busy, quiet = pair
    make_busy(busy, quiet)
    before = busy.programs()
    meter = Meter(netkit_node.build_dir, busy.ns, quiet.ns, quiet.address, "udp", 200, 60)
    netkit_node.kill_daemon(signal.SIGKILL)
    pretend_other_build(netkit_node)
    netkit_node.start_daemon(*MODE)
    assert meter.running(), "the upgrade must happen during the traffic"
    meter.stop()
    meter.assert_nothing_lost()
    assert busy.programs() == programs(netkit_node)[:1] != before


def test_both_kinds_live_together(netkit_node, pair):
    busy, quiet = pair
    make_busy(busy, quiet)
    netkit_node.stop_daemon()
    netkit_node.start_daemon("--tcx", "off")
    wait_until(lambda: busy.hook() == "clsact", what="the program taken back")
    other = end(netkit_node, "other")
    assert (kind(busy), kind(other)) == ("netkit", "veth")
    assert tcp_works(busy.ns, other.ns, other.address)
    assert tcp_works(other.ns, busy.ns, busy.address6)
    netkit_node.detach("busy")
    wait_until(lambda: "eth0" not in busy.ns.run("ip -o link").stdout, what="the pair gone")
