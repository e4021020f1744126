# SPDX-License-Identifier: Apache-2.0
"""SCTP through every translation, crafted packet by packet: it works without sockets of the kernel.

    outside up0 ---- up0 [ node ] ---- eth0 client, server   network blue
                  node a ---- node b ---- eth0 server        network over

Each association begins with an INIT and its answer; addresses, ports and the CRC of both are
looked at where they arrive. Both name further addresses of their senders, which are not to arrive.
Where the kernel has SCTP, sockets of its own have the last word (tests/kernels/run --e2e).
"""
import contextlib
import shutil
import signal
import socket
import struct
import time

import pytest
from lib.answer import BOTH, PORT
from lib.cluster import OVERLAY, wait_known, wait_way
from lib.netns import wait_until
from lib.service import HOST, OUTSIDE, port, service
from lib.wire import IP, Ether, IPv6, Wire
from scapy.layers.sctp import (SCTP, SCTPChunkInit, SCTPChunkInitAck, SCTPChunkParamIPv4Addr,
                               SCTPChunkParamIPv6Addr)

SOURCE_PORT = 41414
PAD = 0x8005  # RFC 4820


def ip(family):
    return IP if family == 4 else IPv6


def has_whole_crc(frame):
    """Whether the CRC is that of the bytes; scapy makes it where it is left open."""
    packet = SCTP(bytes(frame[SCTP]))
    found, packet.chksum = packet.chksum, None
    return SCTP(bytes(packet)).chksum == found


def further():
    """Addresses that an endpoint names beside the one that it sends from."""
    return [SCTPChunkParamIPv4Addr(addr="10.99.0.1"), SCTPChunkParamIPv6Addr(addr="fd99::1")]


def named(frame):
    """Types of the parameters of an INIT or its answer."""
    packet, at, types = bytes(frame[SCTP]), 32, []
    while at < len(packet):
        kind, length = struct.unpack_from("!HH", packet, at)
        types.append(kind)
        at += length
    return types


def opens(number):
    return SCTP(sport=SOURCE_PORT, dport=number) / \
        SCTPChunkInit(init_tag=0x1234, init_tsn=7, params=further())


def begins(family, src, dst, number, macs):
    return Ether(src=macs[0], dst=macs[1]) / ip(family)(src=src, dst=dst) / opens(number)


def answer_to(frame, family):
    """What the one who received the frame sends back."""
    layer = ip(family)
    return Ether(src=frame.dst, dst=frame.src) / \
        layer(src=frame[layer].dst, dst=frame[layer].src) / \
        SCTP(sport=frame[SCTP].dport, dport=frame[SCTP].sport, tag=0x1234) / \
        SCTPChunkInitAck(init_tag=0x4321, init_tsn=8, params=further())


def sctp_of(family, number):
    layer = ip(family)
    # the kernel's own answer, that it knows no SCTP, quotes the packet: that is none
    return lambda frame: layer in frame and isinstance(frame[layer].payload, SCTP) and \
        number in (frame[SCTP].sport, frame[SCTP].dport)


def associate(family, client, server, frame, number):
    """Sends the frame from one wire and its answer from the other: both as they arrived."""
    match = sctp_of(family, number)
    client.send(frame)
    asked = server.see(match)
    assert asked is not None, "the INIT has not arrived"
    server.send(answer_to(asked, family))
    answered = client.see(match)
    assert answered is not None, "the answer has not arrived"
    assert has_whole_crc(asked) and has_whole_crc(answered)
    assert named(frame) == [5, 6] and named(asked) == named(answered) == [PAD, PAD]
    return asked, answered


def ends(frame, family):
    """Both addresses with their ports."""
    layer = ip(family)
    return ((frame[layer].src, frame[SCTP].sport), (frame[layer].dst, frame[SCTP].dport))


@pytest.fixture
def lab(packets):
    site = packets
    site.server = site.backend("server", serve=False, publish=[
        {"hostPort": 8000, "containerPort": PORT, "protocol": "sctp"}])
    site.vips = site.web([port(80, PORT, None, "SCTP", 30080)], type="NodePort")
    for family in BOTH:
        # everybody knows everybody's MAC: a kernel without SCTP would ask for none
        for ns, address in ((site.client, site.gateway[family]), (site.out, HOST[family]),
                            (site.server.ns, site.gateway[family]), (site.node.host,
                                                                     OUTSIDE[family])):
            assert ns.ping(address)
    return site


def macs_of(site, where, family):
    """Own and next MAC of the client, or of who is outside."""
    if where == "outside":
        return site.out.mac("up0"), site.node.host.mac("up0")
    neighbour = site.client.ip("neigh", "show", site.gateway[family])[0]
    return site.client.mac(), neighbour["lladdr"]


@pytest.mark.parametrize("family", BOTH)
@pytest.mark.parametrize("where, kind, number", [
    ("container", "cluster address", 80), ("outside", "node port", 30080),
    ("outside", "published", 8000), ("container", "node port", 30080)])
def test_towards_a_container(lab, family, where, kind, number):
    site = lab
    target = site.vips[family] if kind == "cluster address" else HOST[family]
    source = OUTSIDE[family] if where == "outside" else site.client_ip[family]
    with Wire(*((site.out, "up0") if where == "outside" else (site.client, "eth0"))) as client, \
            Wire(site.server.ns) as server:
        frame = begins(family, source, target, number, macs_of(site, where, family))
        asked, answered = associate(family, client, server, frame, SOURCE_PORT)
    assert ends(asked, family) == ((source, SOURCE_PORT), (site.server.ip[family], PORT))
    assert ends(answered, family) == ((target, number), (source, SOURCE_PORT))
    assert [entry["phase"] for entry in site.connections(protocol="sctp")] == ["established"]


@pytest.mark.parametrize("family", BOTH)
def test_masquerade(lab, family):
    site = lab
    with Wire(site.client) as client, Wire(site.out, "up0") as server:
        frame = begins(family, site.client_ip[family], OUTSIDE[family], 9999,
                       macs_of(site, "container", family))
        asked, answered = associate(family, client, server, frame, 9999)
    assert ends(asked, family) == ((HOST[family], SOURCE_PORT), (OUTSIDE[family], 9999))
    assert ends(answered, family) == ((OUTSIDE[family], 9999),
                                      (site.client_ip[family], SOURCE_PORT))


def test_masquerade_of_a_port_that_is_taken(lab):
    """Another port is shown, and the CRC with it."""
    site = lab
    other, _, endpoint = site.node.container("blue", name="other")
    other.ping(site.gateway[4])
    seen = []
    with Wire(site.out, "up0") as server:
        for ns, address in ((site.client, site.client_ip[4]),
                            (other, site.node.address_of(endpoint, 4))):
            mac = ns.ip("neigh", "show", site.gateway[4])[0]["lladdr"]
            with Wire(ns) as client:
                frame = begins(4, address, OUTSIDE[4], 9999, (ns.mac(), mac))
                asked, answered = associate(4, client, server, frame, 9999)
            assert ends(answered, 4)[1] == (address, SOURCE_PORT)
            seen.append(asked[SCTP].sport)
    assert seen[0] == SOURCE_PORT and seen[1] != SOURCE_PORT


def test_a_broken_crc_stays_broken(lab):
    """It is corrected for what changes, never made anew: the receiver notices."""
    site = lab
    with Wire(site.client) as client, Wire(site.server.ns) as server:
        frame = begins(4, site.client_ip[4], site.vips[4], 80, macs_of(site, "container", 4))
        frame[SCTP].chksum = 0x01020304
        client.send(frame)
        asked = server.see(sctp_of(4, SOURCE_PORT))
    assert asked is not None and not has_whole_crc(asked)


def raw_socket(ns, family):
    """While there is one the kernel does not answer that it knows no SCTP."""
    kind = socket.AF_INET if family == 4 else socket.AF_INET6
    return ns.socket(kind, socket.SOCK_RAW, socket.IPPROTO_SCTP)


class Process:
    """What stands for a process of the host: a raw socket, which the kernel routes like others."""

    def __init__(self, ns, family, address, number):
        self.number = number
        self.raw = raw_socket(ns, family)
        # what others send is not seen from here on
        self.raw.connect((address, 0))
        self.raw.settimeout(1)
        self.header = 20 if family == 4 else 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.raw.close()

    def send(self):
        self.raw.send(bytes(opens(self.number)))

    def hear(self):
        return SCTP(self.raw.recv(65536)[self.header:])


def meets(process, server, family):
    """One association from the host; the INIT as it arrived, and the answer."""
    process.send()
    asked = server.see(sctp_of(family, SOURCE_PORT))
    assert asked is not None, "the INIT has not arrived"
    server.send(answer_to(asked, family))
    answered = process.hear()
    assert has_whole_crc(asked) and has_whole_crc(Ether(src=asked.src) / answered)
    assert named(asked) == [PAD, PAD] and (answered.sport, answered.dport) == (
        process.number, SOURCE_PORT)
    return asked


def has_sockets():
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_STREAM,
                                                     socket.IPPROTO_SCTP):
        return True
    return False


@pytest.mark.skipif(has_sockets(), reason="the kernel's SCTP would answer")
@pytest.mark.parametrize("family", BOTH)
def test_the_host_is_served(edge, family):
    """By the gateway's address, over a restart of the daemon, and as policies will have it."""
    site = edge
    server = site.backend("server", serve=False)
    address = site.web([port(80, PORT, None, "SCTP")])[family]
    assert server.ns.ping(site.gateway[family])
    shown = ((site.gateway[family], SOURCE_PORT), (server.ip[family], PORT))
    with Process(site.node.host, family, address, 80) as process, Wire(server.ns) as wire, \
            raw_socket(server.ns, family):
        assert ends(meets(process, wire, family), family) == shown
        site.node.kill_daemon(signal.SIGKILL)
        assert ends(meets(process, wire, family), family) == shown
        site.node.start_daemon(*site.node.extra)
        assert ends(meets(process, wire, family), family) == shown
        assert [(entry["phase"], entry["flags"]) for entry in
                site.connections(protocol="sctp")] == [("established", ["service"])]
        # the route comes back, and goes with the service
        routes = f"ip -{family} route show {address}"
        site.node.run(f"ip route del {address}/{32 if family == 4 else 128} dev weft0")
        wait_until(lambda: "weft0" in site.node.run(routes).stdout, 3, what="the route")
        site.node.apply({"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy",
                         "metadata": {"name": "none"},
                         "spec": {"endpointSelector": {"matchLabels": {"app": "web"}},
                                  "ingressDeny": [{"fromEntities": ["host"]}]}})
        process.send()
        assert wire.see(sctp_of(family, SOURCE_PORT), 0.3) is None
        site.delete("CiliumNetworkPolicy", "none")
        assert ends(meets(process, wire, family), family) == shown
    site.delete("Service", "web")
    assert site.node.run(routes).stdout == ""


@pytest.mark.skipif(has_sockets(), reason="the kernel's SCTP would answer")
@pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed")
@pytest.mark.parametrize("driver", ["overlay", "routed"])
def test_another_node_serves_the_host(cluster, driver):
    """By the address that this node's host has in the network; answers come back through the tunnel."""
    a, b = cluster.nodes
    cluster.network(**{**OVERLAY, "driver": driver})
    own = wait_until(lambda: (shown := a.inspect("over")["status"].get("hostAddresses", [])) and
                     len(shown) == 2 and {6 if ":" in it else 4: it for it in shown}, 5,
                     what="the host's own addresses")
    for node, other in ((a, "b"), (b, "a")) if driver == "routed" else ():
        wait_way(node, other, "segment")
    server, _, endpoint = b.container("over", name="server", labels={"app": "web"})
    wait_known(a, "server")
    a.apply(service("web", [port(80, PORT, None, "SCTP")], selector={"app": "web"}))
    addresses = a.api("GET", "/v1/services/default/web")["spec"]["clusterIPs"]
    for address in addresses:
        family = 6 if ":" in address else 4
        wait_until(lambda to=b.address_of(endpoint, family): a.host.ping(to), 5, what="the way")
        with Process(a.host, family, address, 80) as process, Wire(server) as wire, \
                raw_socket(server, family):
            for _ in range(2):
                assert ends(meets(process, wire, family), family) == (
                    (own[family].split("/")[0], SOURCE_PORT), (b.address_of(endpoint, family), PORT))
    assert len(addresses) == 2
    (entry, *_) = a.api("GET", "/v1/conntrack?protocol=sctp")["items"]
    assert entry["phase"] == "established"


@pytest.mark.skipif(not has_sockets(), reason="the kernel has no SCTP")
@pytest.mark.parametrize("family", BOTH)
def test_sockets_of_the_kernel(edge, family):
    """They know nothing of translation, and have more addresses than one; the host and a container."""
    site = edge
    server = site.backend("server", serve=False)
    address = site.web([port(80, PORT, None, "SCTP")])[family]
    # one of both families names all that its namespace has
    with server.ns.socket(socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_SCTP) as listener:
        listener.bind(("::", PORT))
        listener.listen()
        listener.settimeout(10)
        for ns, shown in ((site.node.host, site.gateway[family]),
                          (site.client, site.client_ip[family])):
            kind = socket.AF_INET6 if family == 6 else socket.AF_INET
            with ns.socket(kind, socket.SOCK_STREAM, socket.IPPROTO_SCTP) as client:
                client.settimeout(10)
                client.connect((address, 80))
                peer, who = listener.accept()
                with peer:
                    peer.settimeout(10)
                    assert who[0].removeprefix("::ffff:") == shown
                    said = exchange(client, peer)
                    site.node.kill_daemon(signal.SIGKILL)
                    said += exchange(client, peer)
                    site.node.start_daemon(*site.node.extra)
                    # longer than it takes both to try what other addresses they had heard of
                    for _ in range(6):
                        time.sleep(1)
                        said += exchange(client, peer)
                    assert said == 8


def exchange(client, peer):
    for sender, receiver in ((client, peer), (peer, client)):
        sender.send(b"x" * 3000)
        heard = 0
        while heard < 3000:
            more = len(receiver.recv(65536))
            assert more, "the association was ended"
            heard += more
    return 1
