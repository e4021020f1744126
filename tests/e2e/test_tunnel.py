# SPDX-License-Identifier: Apache-2.0
"""The tunnel as programs make and open it, past the stacks and the device; the device beside it.

Topology: lib/cluster.py, two nodes with a container each.
"""
import json
import os
import shutil
import socket

import pytest

from lib.cluster import OVERLAY, listed, wait_known
from lib.netns import wait_until
from lib.relay import CarelessDevice
from lib.service import bound
from lib.traffic import tcp_works, udp_works
from lib.wire import IP, UDP, VXLAN, VXLAN_PORT, IPv6, Wire, send, vxlan

pytestmark = pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed")


@pytest.fixture
def pair(cluster):
    """A container on each of two nodes: (namespace, IPv4, IPv6) twice."""
    cluster.network(**OVERLAY)
    ends = []
    for node, name in zip(cluster.nodes, ("web", "db")):
        ns, v4, endpoint = node.container("over", name=name)
        ends.append((ns, v4, node.address_of(endpoint, 6)))
    wait_known(cluster.nodes[0], "db")
    wait_known(cluster.nodes[1], "web")
    for address in ends[1][1:]:
        wait_until(lambda to=address: ends[0][0].ping(to), 5, 0.05, "the way")
    return ends


def carried(node):
    """Packets that the device has taken and given."""
    shown = json.loads(node.run("ip -j -s link show weft-overlay").stdout)[0]["stats64"]
    return [shown[way]["packets"] for way in ("rx", "tx")]


def moves(node, action):
    before = carried(node)
    action()
    after = carried(node)
    return [b - a for a, b in zip(before, after)]


def transfer(source, target, address, size=8 << 20):
    """Sends random bytes over TCP; whether they came back as they were."""
    return tcp_works(source, target, address, 9000, timeout=10, payload=os.urandom(size))


def test_the_device_is_passed_by(cluster, pair):
    (web, *_), (db, db4, db6) = pair
    a, b = cluster.nodes

    def talk():
        assert web.ping(db4) and web.ping(db6)
        assert transfer(web, db, db4) and transfer(web, db, db6)

    assert moves(a, talk) == [0, 0] and moves(b, talk) == [0, 0]
    # the counters see what it does carry: without uplinks no program is there to do it
    a.stop_daemon()
    cluster.start(a, "--uplinks", "none")
    received, sent = moves(a, talk)
    assert received > 4 and sent > 4
    # what one end makes the other opens, whoever does it
    assert moves(b, talk) == [0, 0]


def test_outer_headers(cluster, pair):
    (web, web4, web6), (_, db4, db6) = pair
    a, b = cluster.nodes
    with Wire(b.host, "up0") as wire:
        for address, own, layer in ((db4, web4, IP), (db6, web6, IPv6)):
            wire.drain()
            # DSCP is the inner packet's own business, ECN (ECT 0) is not
            web.run(["ping", "-c", "1", "-W", "1", "-Q", "0xba", address])
            # nodes probe through it as well
            frame = wire.see(lambda f, kind=layer, ours=own: UDP in f and
                             f[UDP].dport == VXLAN_PORT and kind in f[VXLAN].payload and
                             f[VXLAN].payload[kind].src == ours)
            outer, inner = frame[IP], frame[VXLAN].payload
            assert (outer.src, outer.dst, outer.ttl) == ("10.9.0.1", "10.9.0.2", 64)
            assert outer.tos == 2 and outer.len == len(outer) and frame[UDP].chksum == 0
            assert frame[UDP].len == outer.len - 20 and frame[UDP].sport >= 0xc000
            assert frame[VXLAN].vni == a.inspect("over")["status"]["number"]
            assert (inner[layer].src, inner[layer].dst) == (own, address)
            check = outer.chksum
            again = IP(bytes(outer))
            del again.chksum
            assert IP(bytes(again)).chksum == check


@pytest.mark.parametrize("off", ["tso", "gso", "tx", "rx"])
def test_streams_without_offloads(cluster, pair, off):
    if not shutil.which("ethtool"):
        pytest.skip("ethtool is not installed")
    (web, *_), (db, db4, db6) = pair
    for node in cluster.nodes:
        node.run(f"ethtool -K up0 {off} off")
    cluster.underlay.ns.run("ethtool -K p1 gro off gso off tso off", check=False)
    assert transfer(web, db, db4) and transfer(web, db, db6)


def test_what_does_not_fit_takes_the_device(cluster, pair):
    (web, *_), (db, db4, db6) = pair
    a, b = cluster.nodes
    assert moves(a, lambda: web.ping(db4, extra=("-s", "1400"))) == [0, 0]
    for node in cluster.nodes:
        node.run("ip link set up0 mtu 1400")
    # it is told of an MTU late
    wait_until(lambda: moves(a, lambda: web.ping(db4, extra=("-s", "1400")))[1] > 0, 15, 0.2,
               "the device sends")
    wait_until(lambda: web.ping(db4, extra=("-s", "1400")), 15, 0.2, "and that of the other")
    assert web.ping(db6, extra=("-s", "1350"))
    assert transfer(web, db, db4) and transfer(web, db, db6)
    assert moves(a, lambda: web.ping(db4))[1] == 0


def test_with_ipsec_the_stack_has_it(cluster, pair):
    """What a policy of the host asks to be encrypted must not leave past it."""
    (web, *_), (_, db4, _) = pair
    a, b = cluster.nodes
    assert web.ping(db4)
    a.run("ip xfrm policy add src 10.9.0.1 dst 10.9.0.2 proto udp dport 4789 dir out "
          "tmpl src 10.9.0.1 dst 10.9.0.2 proto esp mode transport")
    # there is no key: nothing leaves any more
    wait_until(lambda: not web.ping(db4), 15, 0.1, "the policy is kept")
    assert not web.ping(db4)
    a.run("ip xfrm policy flush")
    wait_until(lambda: web.ping(db4), 15, 0.1, "the way without a policy")
    wait_until(lambda: moves(a, lambda: web.ping(db4)) == [0, 0], 15, 0.5, "programs again")


def test_a_device_that_makes_no_checksums(cluster, pair):
    """What is left to a broken device arrives wrong, and not any more when the kernel has to do it."""
    if not shutil.which("ethtool"):
        pytest.skip("ethtool is not installed")
    (web, *_), (db, db4, db6) = pair
    a, b = cluster.nodes
    # nobody looks whether it is so
    a.stop_daemon()
    cluster.start(a, "--overlay-checksum", "device")
    # answers come whole: of the two ways one is broken
    b.run("ethtool -K up0 tx off")
    assert tcp_works(web, db, db4, 9000) and udp_works(web, db, db4, 9001)
    device = CarelessDevice(cluster.underlay.ns, a, a.wire_port)
    try:
        # ping has its checksum from the start, and what has none needs none; TCP and UDP get nowhere
        wait_until(lambda: web.ping(db4), 15, 0.2, "the way")
        for address in (db4, db6):
            assert not tcp_works(web, db, address, 9000, timeout=2)
            assert not udp_works(web, db, address, 9001)
        a.run("ethtool -K weft-overlay tx off")
        # weftd looks at it every ten seconds
        wait_until(lambda: udp_works(web, db, db4, 9001), 20, 0.5, "checksums by the kernel")
        for address in (db4, db6):
            assert udp_works(web, db, address, 9001)
            assert transfer(web, db, address, 256 << 10)
        assert moves(a, lambda: web.ping(db4))[1] > 0
        # kept by a weftd that is started anew, and that would turn it off only if it was its own
        for how in ("device", "auto"):
            a.stop_daemon()
            cluster.start(a, "--overlay-checksum", how)
            checksums = listed(a, "a")["checksums"]
            assert (checksums["by"], checksums["because"]) == ("kernel", "others")
        assert transfer(web, db, db4, 256 << 10)
        assert "checksums of what is encapsulated" in a.log_text()
    finally:
        device.close()


def test_congestion_on_the_way_is_kept(cluster, pair):
    """RFC 6040: a mark of the outer header goes into the inner one, or the packet is dropped."""
    (_, web4, _), (db, db4, _) = pair
    a, b = cluster.nodes
    vni = b.inspect("over")["status"]["number"]
    listener = bound(db, 4, socket.SOCK_DGRAM, 9999, timeout=0.5)
    listener.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)

    def arrives(outer, inner):
        packet = vxlan(vni, IP(src=web4, dst=db4, tos=inner) / UDP(sport=9, dport=9999) / b"x",
                       "10.9.0.1", "10.9.0.2")
        packet.tos = outer
        send(a.host, packet)
        _, ancillary, _, _ = listener.recvmsg(100, 100)
        return ancillary[0][2][0]

    with listener:
        assert arrives(0, 2) == 2 and arrives(0, 0) == 0 and arrives(2, 2) == 2
        assert arrives(3, 2) == 3
        with pytest.raises(TimeoutError):
            arrives(3, 0)


def test_a_wrong_checksum_is_seen(cluster, pair):
    """None is what nodes send; one that is there has to be right."""
    (_, web4, _), (db, db4, _) = pair
    a, b = cluster.nodes
    vni = b.inspect("over")["status"]["number"]
    listener = bound(db, 4, socket.SOCK_DGRAM, 9999, timeout=0.5)

    def sent(check):
        send(a.host, vxlan(vni, IP(src=web4, dst=db4) / UDP(sport=9, dport=9999) / b"x",
                           "10.9.0.1", "10.9.0.2", check=check))
        return listener.recv(100)

    with listener:
        assert sent(0) == b"x" and sent(None) == b"x"
        with pytest.raises(TimeoutError):
            sent(0x1234)


def test_a_container_that_forwards(cluster, pair):
    """Streams go on whole through a container that is a router, out of a tunnel and into one."""
    (web, web4, _), (db, db4, _) = pair
    a, b = cluster.nodes
    inner = b.new_netns()
    db.sysctl("net.ipv4.ip_forward", 1)
    db.run(f"ip link add in0 type veth peer name eth0 netns {inner.name}")
    db.run("ip addr add 10.77.0.1/24 dev in0")
    db.run("ip link set in0 up")
    inner.run("ip addr add 10.77.0.2/24 dev eth0")
    inner.run("ip link set eth0 up")
    inner.run("ip route add default via 10.77.0.1")
    # from db's address on, so that both ends may talk
    db.run("nft add table ip n")
    db.run("nft add chain ip n pre { type nat hook prerouting priority -100 ; }")
    db.run("nft add chain ip n post { type nat hook postrouting priority 100 ; }")
    db.run("nft add rule ip n pre iifname eth0 tcp dport 9000 dnat to 10.77.0.2")
    db.run("nft add rule ip n post oifname eth0 masquerade")
    assert transfer(web, inner, db4, 4 << 20)
